"""Networks that estimate a classifier's occlusion map in one pass: its convolutions, mirrored around a few numbers."""

from typing import Any, Literal

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.autoencoder.layers import started
from cuello.models.base import ImageNetwork
from cuello.models.classifier import Classifier, Stages
from cuello.models.limits import Channels, Kernel, Settings, Side, Width

Encoder = Literal["normal", "frozen", "fine-tuned"]
Told = Literal["none", "number", "one-hot", "embedding"]


class EstimatorConfig(Settings):
    """The settings of an Estimator.

    channels, height, width: of the images. classes: of the classifier. stages, first, activation: of its convolutions,
    as in ClassifierConfig. encoder: "normal", from fresh weights; "frozen", the classifier's convolutions, which
    training does not change; "fine-tuned", which it does. condition: how the network is told the class: "none", not
    at all; a "number", k / (classes - 1); "one-hot"; or an "embedding" of so many numbers, learned. cut: None, the
    whole network; k: the decoder begins right after the k-th pooling, and what lies deeper is left out on both sides,
    the dense layer too.
    """

    channels: Channels = 1
    height: Side = 21
    width: Side = 21
    classes: Width = pydantic.Field(default=2, ge=2)
    stages: Stages = ((32, 32), (64, 64, 64))
    first: Kernel = 4
    activation: Literal["none", "relu"] = "none"
    encoder: Encoder = "normal"
    condition: Told = "none"
    embedding: Width = 2
    cut: int | None = pydantic.Field(default=None, ge=1)

    @pydantic.model_validator(mode="after")
    def _checked(self) -> "EstimatorConfig":
        if not all(self.stages):
            raise ValueError("a stage without convolutions: give each a number of filters")
        if self.cut is not None and self.cut > len(self.stages):
            raise ValueError(f"cut at pooling {self.cut}, but there are {len(self.stages)}")
        if self.cut is not None and self.condition != "none":
            raise ValueError("a network that is cut has no dense layer that the class could join: condition none")
        if self.cut is None and self.code < 1:
            raise ValueError(
                f"the class takes {self.told} of the {self.code + self.told} numbers in the middle: condition number, "
                "or larger images"
            )
        return self

    @property
    def kept(self) -> tuple[tuple[int, ...], ...]:
        """The stages that are there, cut or not."""
        return self.stages[: self.cut]

    @property
    def middle(self) -> tuple[int, int]:
        """Height and width after the last pooling."""
        multiple = 2 ** len(self.kept)
        return -(-self.height // multiple), -(-self.width // multiple)

    @property
    def told(self) -> int:
        """How many numbers of the middle say the class."""
        return {"none": 0, "number": 1, "one-hot": self.classes, "embedding": self.embedding}[self.condition]

    @property
    def code(self) -> int:
        """How many numbers of the middle the image decides: one per pixel of the map there, less those of the class."""
        rows, columns = self.middle
        return rows * columns - self.told


class Estimator(ImageNetwork):
    """The classifier's convolutions, a dense layer with softmax, and the convolutions mirrored, to a map in [0, 1].

    With e the encoder and d the decoder, ``map = sigmoid(d(softmax(W e(x) + b), condition))``; the softmax' numbers are
    an image of one channel. Images are padded with zeros to a multiple of 2 a pooling, more of them at the top and
    left, and the map is cut to the images again. 21×21 pixels become 24×24 such that the first kernel, of 4×4, sees
    the same as in the source's classifier, which pads by 3 on every side.

    channels, size (height, width): of the only images it takes. classes: of the classifier. conditioning: None where
    it takes no notice of ``condition``.

    >>> Estimator(EstimatorConfig())(torch.zeros(2, 1, 21, 21)).image.shape
    torch.Size([2, 1, 21, 21])

    Source: the `occlusion` source system; no activation between layers is told, so there is none by default.
    """

    size: tuple[int, int]

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        self.config = config
        self.channels, self.classes, self.size = config.channels, config.classes, (config.height, config.width)
        self.conditioning = None if config.condition == "none" else "class"
        stages, sides = config.kept, kernels(config.kept, config.first)
        channels = config.channels
        encoder = []
        for filters, stage in zip(stages, sides, strict=True):
            encoder.append(stack([channels, *filters], stage, config.activation))
            channels = filters[-1]
        self.encoder = nn.ModuleList(encoder)
        rows, columns = config.middle
        if config.cut is None:
            self.code = started(nn.Linear(channels * rows * columns, config.code), "linear")
            channels = 1
        if config.condition == "embedding":
            self.embedding = nn.Linear(config.classes, config.embedding, bias=False)
        decoder = []
        for filters, stage in zip(reversed(stages), reversed(sides), strict=True):
            decoder.append(stack([channels, *reversed(filters)], stage[::-1], config.activation))
            channels = filters[0]
        self.decoder = nn.ModuleList(decoder)
        self.last = started(nn.Conv2d(channels, 1, 3, padding=1), "sigmoid")
        if config.encoder == "frozen":
            self.encoder.requires_grad_(False)

    def padding(self) -> tuple[int, int, int, int]:
        """Return zeros put around the images: left, right, top, bottom, pixels."""
        multiple = 2 ** len(self.config.kept)
        down, right = (-side % multiple for side in self.size)
        return right - right // 2, right // 2, down - down // 2, down // 2

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the encoder's maps before each pooling, ``(N, filters, h, w)`` each; CuelloError for other images."""
        check_images(x, self.channels, self.size)
        x = functional.pad(x, self.padding())
        found: list[Tensor] = []
        for stage in self.encoder:
            x = stage(functional.max_pool2d(x, 2) if found else x)
            found.append(x)
        return found

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return the maps ``(N, 1, H, W)`` in [0, 1] of images ``(N, C, H, W)`` in [0, 1]; latent: the middle.

        condition: classes ``(N,)`` int64, or probabilities ``(N, K)``, which are mixed: labels, or what the classifier
        says, whichever the network was trained with; where none is given, all classes are equally likely. A network
        that is not told the class takes no notice of it. Raises CuelloError where images or condition do not fit.
        """
        latent = functional.max_pool2d(self.features(x)[-1], 2)
        if self.config.cut is None:
            code = torch.softmax(self.code(latent.flatten(1)), 1)
            latent = torch.cat([code, *self.told(condition, x)], 1)  # (N, h · w)
            features = latent.view(x.shape[0], 1, *self.config.middle)
        else:
            features = latent
        for stage in self.decoder:
            features = functional.interpolate(stage(features), scale_factor=2)
        image = torch.sigmoid(self.last(features))
        left, _, top, _ = self.padding()
        height, width = self.size
        return Output(image[:, :, top : top + height, left : left + width], latent)

    def told(self, condition: Tensor | None, x: Tensor) -> list[Tensor]:
        """Return what joins the middle, ``(N, told)``, or nothing."""
        if self.conditioning is None:
            return []
        shares = class_shares(condition, self.classes, x)
        if self.config.condition == "number":
            return [shares @ torch.linspace(0, 1, self.classes, dtype=x.dtype, device=x.device)[:, None]]
        return [self.embedding(shares) if self.config.condition == "embedding" else shares]


def kernels(stages: tuple[tuple[int, ...], ...], first: int) -> list[list[int]]:
    """Return the side of each convolution's kernel: ``first``, then 3."""
    return [
        [first if number == place == 0 else 3 for place in range(len(filters))] for number, filters in enumerate(stages)
    ]


def stack(channels: list[int], sides: list[int], activation: str) -> nn.Sequential:
    """Return convolutions through ``channels`` that keep the size, an even kernel's longer half to the bottom right."""
    layers: list[nn.Module] = []
    for before, after, side in zip(channels[:-1], channels[1:], sides, strict=True):
        if side % 2 == 0:
            layers.append(nn.ZeroPad2d((side // 2 - 1, side // 2, side // 2 - 1, side // 2)))
        convolution = nn.Conv2d(before, after, side, padding=side // 2 if side % 2 else 0)
        layers.append(started(convolution, "relu" if activation == "relu" else "linear"))
        if activation == "relu":
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def check_images(x: Tensor, channels: int, size: tuple[int, int]) -> None:
    """Raise CuelloError that says what images are needed, where these are others."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise CuelloError(f"got images of shape {tuple(x.shape)}, needed (N, {channels}, H, W).")
    if tuple(x.shape[2:]) != size:
        raise CuelloError(
            f"this network takes images of {size[1]}×{size[0]} pixels, got {x.shape[3]}×{x.shape[2]}. Resize them "
            f"(--resize={size[1]}x{size[0]})."
        )


def class_shares(condition: Tensor | None, classes: int, x: Tensor) -> Tensor:
    """Return how much of each class there is, ``(N, classes)``, of the type of the images ``x`` ``(N, …)``.

    condition: classes ``(N,)`` int64, probabilities ``(N, classes)``, or None: equal shares. Raises CuelloError for
    anything else.

    >>> class_shares(torch.tensor([1]), 3, torch.zeros(1, 1, 8, 8))
    tensor([[0., 1., 0.]])
    """
    if condition is None:
        return x.new_full((x.shape[0], classes), 1 / classes)
    if condition.shape == (len(x),) and condition.dtype == torch.int64:
        if len(x) and not 0 <= int(condition.min()) <= int(condition.max()) < classes:
            raise CuelloError(
                f"condition: got classes from {int(condition.min())} to {int(condition.max())}, needed 0 to "
                f"{classes - 1}: the classifier has {classes}."
            )
        return functional.one_hot(condition, classes).to(x)
    if condition.shape == (len(x), classes) and condition.is_floating_point():
        return condition.to(x)
    raise CuelloError(
        f"condition: got {condition.dtype} of shape {tuple(condition.shape)}, needed classes, int64 ({len(x)},), or "
        f"probabilities ({len(x)}, {classes})."
    )


def copy_convolutions(network: Estimator, classifier: nn.Module) -> None:
    """Copy a classifier's first convolutions into an estimator's encoder; frozen afterwards if the settings say so.

    classifier: any module whose ``nn.Conv2d`` come in the order in which they run. Raises CuelloError, and changes
    nothing, where it has fewer, or kernels, filters or (for Cuello's own) activations differ, or have no bias.
    """
    theirs = [module for module in classifier.modules() if isinstance(module, nn.Conv2d)]
    ours = [module for module in network.encoder.modules() if isinstance(module, nn.Conv2d)]
    if len(theirs) < len(ours):
        raise CuelloError(f"the classifier has {len(theirs)} convolutions, the estimator's encoder {len(ours)}.")
    if isinstance(classifier, Classifier) and classifier.config.activation != network.config.activation:
        raise CuelloError(
            f"the classifier's activation is {classifier.config.activation!r}, the estimator's "
            f"{network.config.activation!r}: convolutions trained with one mean little with the other."
        )
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if one.weight.shape != other.weight.shape:
            raise CuelloError(
                f"convolution {number}: the classifier's weights are {tuple(other.weight.shape)}, the estimator's "
                f"{tuple(one.weight.shape)}. Make an estimator for this classifier, or take encoder = normal."
            )
        if other.bias is None:
            raise CuelloError(
                f"convolution {number} of the classifier has no bias (batch norm follows it?), which cannot be copied. "
                "Take encoder = normal, or the network explain-s."
            )
    with torch.no_grad():
        for one, other in zip(ours, theirs, strict=False):
            values: Any = one.bias, other.bias
            one.weight.copy_(other.weight)
            values[0].copy_(values[1])
    network.encoder.requires_grad_(network.config.encoder != "frozen")
