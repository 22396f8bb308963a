"""Networks that estimate occlusion maps in one pass: whose maps, of what settings, and the maps that they give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.inference.bundled import located
from cuello.inference.model import Model, load
from cuello.jobs.explain.classifier import ExplainedClassifier
from cuello.jobs.explain.settings import MapSettings, learned_settings
from cuello.models.catalog import KINDS

AT_ONCE = 100
"""Images whose maps are estimated in one pass, at most."""


@dataclass(frozen=True)
class MapEstimator:
    """A network that estimates occlusion maps. path: where it came from; settings: of the maps that it learned."""

    model: Model
    path: str
    settings: MapSettings

    @property
    def name(self) -> str:
        return self.model.artefact.architecture.name


def open_estimator(path: str | Path, classifier: ExplainedClassifier, device: str = "cpu") -> MapEstimator:
    """Open an estimator of this classifier's maps; CuelloError where it is none, or of another classifier's.

    path: a run directory or model.safetensors of `cuello train explain`.
    """
    model = load(located(path), None, device)
    artefact = model.artefact
    if not gives_maps(model):
        raise CuelloError(
            f"{path} is not an estimator of occlusion maps: it is {artefact.architecture.name!r}, trained to "
            f"{artefact.job}. Train one: cuello train explain IMAGES --classifier CLASSIFIER."
        )
    if classifier.own is None:
        raise CuelloError(
            f"model: {classifier.name} is not one of Cuello's classifiers, so that it cannot be known whether {path} "
            "learned its maps. Leave --model out to make exact maps."
        )
    ours = classifier.checksum
    if not ours:
        raise CuelloError(
            f"{classifier.path} does not say which classifier it was made of, so it cannot be known whether {path} "
            "learned its maps. Export it anew, or name its run."
        )
    if artefact.classifier != ours:
        raise CuelloError(
            f"{path} learned the maps of another classifier (checksum {artefact.classifier or 'unknown'}, this one has "
            f"{ours}). Take that classifier, or train an estimator for this one: cuello train explain IMAGES "
            "--classifier CLASSIFIER."
        )
    if model.channels != classifier.channels:
        raise CuelloError(f"{path} takes images of {model.channels} channels, the classifier {classifier.channels}.")
    if model.size and classifier.size and model.size != classifier.size:
        (rows, columns), (height, width) = model.size, classifier.size
        raise CuelloError(f"{path} takes images of {columns}×{rows} pixels, the classifier {width}×{height}.")
    return MapEstimator(model, str(path), learned_settings(artefact.training))


def gives_maps(model: Model) -> bool:
    kind = model.artefact.architecture.kind
    return kind in KINDS and KINDS[kind].explains


def chosen_settings(given: Mapping[str, Any], estimator: MapEstimator | None) -> MapSettings:
    """Complete what is given (None: is not) by the defaults, or by what the estimator learned.

    Raises CuelloError for a setting other than an estimator learned.

    >>> chosen_settings({"box": 5, "stride": None}, None).box
    5
    """
    said = {key: value for key, value in given.items() if value is not None}
    if estimator is None:
        return MapSettings(**said)
    learned, wanted = estimator.settings, replace(estimator.settings, **said)
    for name, value in said.items():
        meaning = {"fill": "shown", "score": "watched"}.get(name, name)
        if getattr(wanted, meaning) != (known := getattr(learned, meaning)):
            raise CuelloError(
                f"--{name}: got {value!r}, but {estimator.name} learned maps with {name} {known!r}. Leave out "
                f"--{name}, or leave out --model to make exact maps."
            )
    return learned


def predicted(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Ask a classifier for the classes of images ``(N, C, H, W)``, ``(N,)``, and their probabilities.

    Raises CuelloError where it gives no numbers.
    """
    with torch.inference_mode():
        shares = model.network(pixels.to(next(model.network.parameters()).device)).float().softmax(1)
        if not shares.isfinite().all():
            raise CuelloError("the classifier gave NaN or infinity for the images; needed finite scores.")
        scores, numbers = shares.max(1)
    return numbers.clone(), scores.clone()


def estimate(model: Model, images: Tensor, classes: Tensor, progress: Callable[[int], None] | None = None) -> Tensor:
    """Estimate maps ``(N, H, W)`` in [0, 1] in one pass.

    images: ``(N, C, H, W)`` in [0, 1]. classes: ``(N,)`` int64, told to networks that take them. progress: called with
    images done since. Raises CuelloError for a network that is no estimator, images that do not fit it, or maps that
    are not finite.
    """
    name = model.artefact.architecture.name
    if not gives_maps(model):
        raise CuelloError(
            f"the network {name!r} gives no occlusion maps: its job is {model.artefact.job}. Train one that does: "
            "cuello train explain IMAGES --classifier CLASSIFIER."
        )
    device, found = next(model.network.parameters()).device, []
    with torch.inference_mode():
        for part, told in zip(images.split(AT_ONCE), classes.split(AT_ONCE), strict=True):
            output = model.network(part.to(device), told.to(device))
            found.append(output.image[:, 0].float().cpu())
            if progress:
                progress(len(part))
    maps = torch.cat(found).clone()
    if not maps.isfinite().all():
        raise CuelloError(f"{name} gave NaN or infinity for the images; needed finite maps.")
    return maps
