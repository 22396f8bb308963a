"""Occlusion maps estimated in one pass by a trained network: whose they are, and of what settings."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.inference.bundled import located
from cuello.inference.model import Model, load
from cuello.jobs.explain.classifier import Question, Subject
from cuello.jobs.explain.evaluation import estimate as maps_of
from cuello.models.catalog import KINDS
from cuello.saliency import occlusion_map

AT_ONCE, PIXELS = 100, 2**19
"""Images, and pixels of images, whose maps are estimated at once, at most."""

EXACT_AT_ONCE, EXACT_PIXELS = 64, 2**18
"""Images, and pixels of images, whose exact maps are made at once, at most."""


@dataclass(frozen=True)
class MapEstimator:
    """A network that estimates occlusion maps. path: where it came from; question: the maps that it learned."""

    model: Model
    path: str
    question: Question

    @property
    def name(self) -> str:
        """The network's name."""
        return self.model.artefact.architecture.name

    @property
    def resize(self) -> str | None:
        """What its training images were resized to, "WIDTHxHEIGHT"."""
        return self.model.artefact.training.get("resize")


@dataclass(frozen=True)
class Estimates:
    """maps: ``(N, H, W)`` float32 in [0, 1]. numbers: ``(N,)``, the predicted classes; scores: their probabilities."""

    maps: np.ndarray
    numbers: np.ndarray
    scores: np.ndarray


def open_estimator(path: str | Path, subject: Subject, device: str = "cpu") -> MapEstimator:
    """Open an estimator of this classifier's maps; CuelloError where it is none, or of another classifier's.

    path: a run directory or model.safetensors of `cuello train explain`.
    """
    model = load(located(path), None, device)
    artefact = model.artefact
    if artefact.job != "explain" or not KINDS[artefact.architecture.kind].explains:
        raise CuelloError(
            f"{path} is no estimator of occlusion maps: it is {artefact.architecture.name!r}, trained to "
            f"{artefact.job}. Train one: cuello train explain IMAGES --classifier CLASSIFIER."
        )
    if subject.own is None:
        raise CuelloError(
            f"model: {subject.name} is no classifier of Cuello's, so that it cannot be known whether {path} "
            "learned its maps. Leave --model out to make exact maps."
        )
    ours = subject.own.artefact.checksum
    if artefact.classifier != ours:
        raise CuelloError(
            f"{path} learned the maps of another classifier (checksum {artefact.classifier or 'unknown'}, this one has "
            f"{ours}). Take that classifier, or train an estimator for this one: cuello train explain IMAGES "
            "--classifier CLASSIFIER."
        )
    if model.channels != subject.channels:
        raise CuelloError(f"{path} takes images of {model.channels} channels, the classifier {subject.channels}.")
    if model.size and subject.size and model.size != subject.size:
        (rows, columns), (height, width) = model.size, subject.size
        raise CuelloError(f"{path} takes images of {columns}×{rows} pixels, the classifier {width}×{height}.")
    told = artefact.training
    question = Question(
        int(told.get("box", 3)), int(told.get("stride", 1)), as_fill(told.get("fill", 0.0)),
        definition="standardised-sum",
    )  # fmt: skip
    return MapEstimator(model, str(path), question)


def as_fill(value: str | float) -> float | str:
    """Read what a box shows: a number, or a name. Raises CuelloError for anything else.

    >>> as_fill("0"), as_fill("blur")
    (0.0, 'blur')
    """
    if value in ("mean", "blur"):
        return value
    try:
        return float(value)
    except ValueError:
        raise CuelloError(f"fill: got {value!r}, needed a number, mean or blur.") from None


def asked(given: dict[str, Any], estimator: MapEstimator | None) -> Question:
    """Return the question that is meant; what is not given (None) is a default, or what the estimator learned.

    Raises CuelloError for a setting other than an estimator learned.

    >>> asked({"box": 5, "stride": None}, None).box
    5
    """
    said = {key: value for key, value in given.items() if value is not None}
    if estimator is None:
        return Question(**said)
    learned = {one.name: getattr(estimator.question, one.name) for one in fields(Question)}
    learned["score"] = estimator.question.watched
    for key, value in said.items():
        name = key.rstrip("_")
        if value == learned[key]:
            continue
        if key == "class_":
            raise CuelloError(
                f"class: got {value!r}, but {estimator.name} learned the maps of the class that the classifier "
                "predicts, and no other's. Leave class out, or leave out model to make exact maps."
            )
        raise CuelloError(
            f"{name}: got {value!r}, but {estimator.name} learned maps with {name} {learned[key]!r}. Leave {name} out, "
            "or leave out model to make exact maps."
        )
    return estimator.question


def estimate(estimator: MapEstimator, subject: Subject, pixels: Tensor) -> Estimates:
    """Return maps of images ``(N, C, H, W)`` in [0, 1], of the class that the classifier predicts for each.

    That class is what networks that are told one are told. Raises CuelloError where the classifier gives no numbers.
    """
    assert subject.own is not None
    with torch.inference_mode():
        x = pixels.to(next(estimator.model.network.parameters()).device)
        shares = subject.own.network(x).float().softmax(1)
        if not shares.isfinite().all():
            raise CuelloError("the classifier gave NaN or infinity for the images; needed finite scores.")
        scores, numbers = shares.max(1)
    maps = maps_of(estimator.model, x, numbers)
    if not maps.isfinite().all():
        raise CuelloError(f"{estimator.name} gave NaN or infinity for the images; needed finite maps.")
    return Estimates(*(each.cpu().numpy() for each in (maps, numbers, scores)))


def exact_maps_of(subject: Subject, pixels: Tensor, question: Question, classes: Any, progress: Any = None) -> Any:
    """Return the exact maps of images ``(N, C, H, W)``, as `occlusion_map` does; classes: as for it."""
    return occlusion_map(
        subject.model, pixels, question.box, stride=question.stride, fill=question.fill, sigma=question.sigma,
        padding=subject.padding, classes=classes, definition=question.definition, score=question.score,
        outputs=question.outputs, progress=progress,
    )  # fmt: skip
