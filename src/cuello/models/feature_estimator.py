"""A network that estimates a classifier's occlusion map from the classifier's own features, for any image size."""

from typing import Any

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.autoencoder.layers import started
from cuello.models.base import ImageNetwork
from cuello.models.classifier import Classifier, ClassifierConfig
from cuello.models.estimator import class_shares
from cuello.models.limits import Channels, Settings, Width

FLOOR = -10.0
"""Log-probabilities below this say no more."""


class FeatureEstimatorConfig(Settings):
    """The settings of a FeatureEstimator.

    classifier: the settings of the classifier within. channels, classes: the classifier's; it need not repeat them.
    filters: channels of the network's own maps.
    """

    channels: Channels = 3
    classes: Width = pydantic.Field(default=2, ge=2)
    classifier: ClassifierConfig
    filters: Width = 24

    @pydantic.model_validator(mode="before")
    @classmethod
    def _completed(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("classifier"), dict):
            return given
        shared = {key: given[key] for key in ("channels", "classes") if key in given}
        return {**given, "classifier": {**shared, **given["classifier"]}}

    @pydantic.model_validator(mode="after")
    def _checked(self) -> "FeatureEstimatorConfig":
        for key in ("channels", "classes"):
            ours, theirs = getattr(self, key), getattr(self.classifier, key)
            if ours != theirs:
                raise ValueError(f"{ours} {key}, but the classifier within has {theirs}")
        return self


class FeatureEstimator(ImageNetwork):
    """A small decoder on a frozen classifier's features, told the class; maps in [0, 1].

    From the deepest features up, with u the resized map so far, f the classifier's features at that depth and c what is
    said of the class: ``u ← relu(γ(c) · conv3×3([u, conv1×1(f)]) + 1 · β(c))``; last the image itself joins, two 3×3
    convolutions and a sigmoid. c is the class and the classifier's log-probabilities. The classifier is part of the
    network and of its file; training changes nothing in it.

    channels, classes, size: the classifier's; where size is None, images may have any size that it takes.

    Source: skip connections as in Ronneberger et al. 2015, 1×1 laterals as in Lin et al. 2017 ("Feature pyramid
    networks"), γ and β as in Perez et al. 2018 ("FiLM"), equation 1, with 1 + γ.
    """

    conditioning = "class"

    def __init__(self, config: FeatureEstimatorConfig):
        super().__init__()
        self.config = config
        self.classifier = Classifier(config.classifier).eval().requires_grad_(False)
        self.channels, self.classes, self.size = config.channels, config.classes, self.classifier.size
        depths, filters = [stage[-1] for stage in config.classifier.stages], config.filters
        self.laterals = nn.ModuleList(started(nn.Conv2d(depth, filters, 1), "linear") for depth in depths)
        joined = [2 * filters] * (len(depths) - 1) + [filters]
        self.joins = nn.ModuleList(started(nn.Conv2d(many, filters, 3, padding=1), "relu") for many in joined)
        self.films = nn.ModuleList(nn.Linear(2 * config.classes, 2 * filters) for _ in depths)
        for film in self.films:  # begin with no say of the class: γ = 1, β = 0
            for parameter in film.parameters():
                nn.init.zeros_(parameter)
        self.fine = started(nn.Conv2d(filters + config.channels, filters, 3, padding=1), "relu")
        self.last = started(nn.Conv2d(filters, 1, 3, padding=1), "sigmoid")

    def train(self, mode: bool = True) -> "FeatureEstimator":
        """Switch to training or evaluation; the classifier within stays in evaluation, its running averages too."""
        super().train(mode)
        self.classifier.eval()
        return self

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return the maps ``(N, 1, H, W)`` in [0, 1] of images ``(N, C, H, W)`` in [0, 1]; latent: deepest features.

        condition: the class whose map is wanted, ``(N,)`` int64, or probabilities ``(N, K)``; by default the class that
        the classifier within predicts. Raises CuelloError where images or condition do not fit the classifier.
        """
        features = self.classifier.features(x)
        scores = self.classifier.scores(features[-1])  # (N, K)
        shares = class_shares(scores.argmax(1) if condition is None else condition, self.classes, x)
        about = torch.cat([shares, scores.log_softmax(1).clamp(min=FLOOR) / -FLOOR], 1)  # (N, 2 K)
        maps: Tensor | None = None
        levels = list(zip(features, self.laterals, self.joins, self.films, strict=True))
        for feature, lateral, join, film in reversed(levels):
            parts = [lateral(feature)]  # (N, filters, h, w)
            if maps is not None:
                parts.insert(0, functional.interpolate(maps, feature.shape[2:], mode="bilinear", align_corners=False))
            gain, offset = film(about)[:, :, None, None].chunk(2, 1)  # (N, filters, 1, 1) each
            maps = torch.relu((1 + gain) * join(torch.cat(parts, 1)) + offset)
        assert maps is not None
        maps = torch.relu(self.fine(torch.cat([centred(maps, x), x], 1)))
        return Output(torch.sigmoid(self.last(maps)), features[-1])


def centred(maps: Tensor, x: Tensor) -> Tensor:
    """Return maps cut (or padded with zeros) to the images' size on all sides alike, one more at the top and left.

    maps: ``(N, F, h, w)``, larger than ``x`` ``(N, C, H, W)`` where the classifier pads, smaller where it does not.
    """
    down, right = maps.shape[2] - x.shape[2], maps.shape[3] - x.shape[3]
    top, left = -(-down // 2), -(-right // 2)
    return functional.pad(maps, [-left, left - right, -top, top - down])


def copy_classifier(network: FeatureEstimator, classifier: nn.Module) -> None:
    """Copy a classifier's weights into the one within; CuelloError, and nothing changed, where it is another one."""
    if not isinstance(classifier, Classifier):
        raise CuelloError(
            f"got a {type(classifier).__name__}, needed one of Cuello's classifiers, whose features are known."
        )
    if classifier.config != network.config.classifier:
        raise CuelloError("the classifier has other settings than the one within the network: make one for it.")
    network.classifier.load_state_dict(classifier.state_dict())
