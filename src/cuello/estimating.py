"""Occlusion maps estimated in one pass by a trained network, and how near they come to the exact ones."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from cuello.bundled import located
from cuello.data.batches import to_tensor
from cuello.data.images import Images
from cuello.errors import CuelloError
from cuello.inference import Model, load
from cuello.models.catalog import KINDS
from cuello.saliency import occlusion_map
from cuello.saliency.fidelity import Measured, fidelity, measured
from cuello.seeding import numpy_generator
from cuello.subjects import Question, Subject, groups

AT_ONCE, PIXELS = 100, 2**19
"""Images, and pixels of images, whose maps are estimated at once, at most."""

EXACT_AT_ONCE, EXACT_PIXELS = 64, 2**18
"""Images, and pixels of images, whose exact maps are made at once, at most."""

TRUSTED = 0.8
"""A mean Pearson correlation with the exact maps below this is warned of.

A choice, not a law: at .8 the estimates share about two thirds (.8²) of the exact maps' variance.
"""

Measure = Literal["mse", "pearson", "spearman"]


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


@dataclass(frozen=True)
class Check:
    """Estimated maps beside exact ones of the same images.

    names: of the images, in the order of all lists; places: where they are among all maps. mse: after the source's
    normalisation of both. exact, estimated: ``(H, W)`` each. seconds_exact: a map. seed: of the choice of images. of:
    from how many images they were drawn.
    """

    names: list[str]
    places: list[int]
    mse: Measured
    pearson: Measured
    spearman: Measured
    exact: list[np.ndarray]
    estimated: list[np.ndarray]
    seconds_exact: float
    seed: int
    of: int

    @property
    def trusted(self) -> bool:
        """Whether the mean Pearson correlation reaches TRUSTED; no correlation at all does not."""
        return self.pearson.mean >= TRUSTED

    @property
    def constant(self) -> int:
        """How many images have no correlation, because one of their maps is the same everywhere."""
        return len(self.names) - self.pearson.count

    def order(self, measure: Measure = "pearson") -> list[int]:
        """Return places from the worst to the best image; those without a number come last."""
        sign = 1 if measure == "mse" else -1
        values = sign * getattr(self, measure).values
        return np.lexsort((np.arange(len(values)), -np.where(np.isnan(values), -np.inf, values))).tolist()


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
        maps = estimator.model.network(x, numbers).image[:, 0].float()
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


def drawn_by_chance(count: int, share: float, seed: int) -> list[int]:
    """Return places of a random share of ``count`` images, at least one, in order; CuelloError for no share.

    >>> len(drawn_by_chance(1000, 0.01, 0)), drawn_by_chance(1, 0.01, 0)
    (10, [0])
    """
    check_share(share)
    wanted = max(1, round(share * count))
    return sorted(numpy_generator(seed, "checked images").choice(count, wanted, replace=False).tolist())


def check_share(share: float) -> None:
    """Raise CuelloError for a share of the images that is none."""
    if not 0 < share <= 1:
        raise CuelloError(f"check: got {share:g}, needed a share of the images, more than 0 and at most 1, e.g. 0.01.")


def checked(
    estimator: MapEstimator,
    subject: Subject,
    images: Images,
    positions: Sequence[int],
    maps: Sequence[np.ndarray],
    share: float,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Explain a random share of images exactly too, and compare.

    maps: estimated, of the images at ``positions``. progress: called with images done and images in all.
    """
    places = drawn_by_chance(len(positions), share, seed)
    place_of = {positions[place]: place for place in places}
    exact: list[np.ndarray] = []
    seconds, values = 0.0, {"normalised_mse": [], "pearson": [], "spearman": []}
    ours = [maps[place] for place in places]
    for group in groups(images, list(place_of), EXACT_AT_ONCE, EXACT_PIXELS):
        pixels = torch.cat([to_tensor(images.arrays[position][None]) for position in group])

        def tell(done: int, total: int, before: int = len(exact), many: int = len(group)) -> None:
            if progress:
                progress(before + many * done // total, len(places))

        started = time.perf_counter()
        found = exact_maps_of(subject, pixels, estimator.question, "predicted", tell)
        seconds += time.perf_counter() - started
        true = found.maps[:, 0].float().cpu().numpy()
        beside = fidelity(true, np.stack([maps[place_of[position]] for position in group]))
        for name, so_far in values.items():
            so_far.append(getattr(beside, name).values)
        exact += list(true)
    every = {name: measured(np.concatenate(parts)) for name, parts in values.items()}
    return Check(
        [images.names[positions[place]] for place in places], places, every["normalised_mse"], every["pearson"],
        every["spearman"], exact, ours, seconds / len(places), seed, len(positions),
    )  # fmt: skip


def sentences(check: Check, seconds: float) -> list[str]:
    """Say in words how near estimates come to the exact maps, a line each; seconds: an estimate takes."""
    return [
        f"checked exactly: {len(check.names):,} of {check.of:,} images (seed {check.seed})",
        *(f"{MEASURES[name]}: {said(check, name)}" for name in MEASURES),
        f"a map takes {milliseconds(check.seconds_exact)} exactly, {milliseconds(seconds)} estimated",
    ]


MEASURES: dict[Measure, str] = {
    "mse": "MSE after normalisation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
}


def said(check: Check, name: Measure) -> str:
    """Return a measure's mean, its interval if there is one, and the worst image.

    The interval is of the mean over images, 95%.
    """
    found: Measured = getattr(check, name)
    if not found.count:
        return "none, as a map is the same everywhere in every image"
    worst = check.order(name)[0]
    interval = "" if math.isnan(found.low) else f" (95% interval {found.low:.3g} to {found.high:.3g})"
    lacking = len(check.names) - found.count
    without = f"; {lacking} without one, as a map is the same everywhere" if lacking else ""
    return f"{found.mean:.3g}{interval}, worst {found.values[worst]:.3g}, image {check.names[worst]}{without}"


def milliseconds(seconds: float) -> str:
    """Return a time in words.

    >>> milliseconds(0.00123), milliseconds(2.5)
    ('1.23 ms', '2,500 ms')
    """
    number = 1000 * seconds
    return f"{number:,.0f} ms" if number >= 100 else f"{number:.3g} ms"


def warning(check: Check) -> str | None:
    """Return what a user must know where estimates are not near the exact maps."""
    if check.trusted:
        return None
    reached = "no correlation could be measured" if not check.pearson.count else f"it is {check.pearson.mean:.3g}"
    return (
        f"warning: the estimates are far from the exact maps: a mean Pearson correlation of {TRUSTED:g} or more is "
        f"wanted, {reached}. Do not rely on them for these images; make exact maps, or train the estimator on more of "
        "such images."
    )
