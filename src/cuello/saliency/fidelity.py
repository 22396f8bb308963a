"""How good estimated occlusion maps are: beside the exact ones, and by what the classifier says; and when they pay."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.seeding import numpy_generator
from cuello.saliency.answers import Outputs, probabilities, settled
from cuello.saliency.boxes import filling
from cuello.saliency.copies import ask, batch_for, leaves_shares
from cuello.saliency.definitions import standardised
from cuello.saliency.occlusion import Arrays, as_classifier, as_images, channels_last, check_size, evaluating, wanted
from cuello.scoring.intervals import FEWEST_GROUPS, bootstrap_interval

Important = Literal["high", "low"]
Way = Literal["deletion", "insertion"]

IMPORTANT: Mapping[str, Important] = {"probability": "low", "logit": "low", "drop": "high", "logit-drop": "high"}
"""Where a map of a score is extreme at the pixels that the class needs: a probability under a box is low there."""

WAYS: tuple[Way, ...] = ("deletion", "insertion")
MAPS = ("exact", "estimated", "random")
CONSTANT = 1e-9
"""A map is constant if it spreads by no more than this share of its largest number (or of 1, if that is less)."""


@dataclass(frozen=True)
class Measured:
    """A measure: one value per image, ``(N,)``, nan where there is none; its mean over the others, with a 95% interval.

    low, high: bootstrap over images, nan where there are fewer than FEWEST_GROUPS. count: how many images have a value.
    """

    values: np.ndarray
    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Fidelity:
    """Estimated maps beside the exact ones.

    mse: of the maps as they are. normalised_mse: after the source's normalisation of both. pearson, spearman: -1 to 1.
    overlap: share of the ``share`` most important pixels in common, 0 to 1; by chance it is ``share``. deletion,
    insertion: areas, 0 to 1, by name of a map (MAPS), empty where no classifier was asked. constant: how many images
    have a constant map, exact or estimated, or a flat exact one: they have no correlation and no most important pixels.
    pooled: Pearson's correlation over all pixels of all maps, flat ones too. images: how many.
    """

    mse: Measured
    normalised_mse: Measured
    pearson: Measured
    spearman: Measured
    overlap: Measured
    share: float
    constant: int
    pooled: float
    images: int
    deletion: Mapping[str, Measured] = field(default_factory=dict)
    insertion: Mapping[str, Measured] = field(default_factory=dict)


@dataclass(frozen=True)
class Curves:
    """A class's probability while pixels are removed or put in.

    shares: ``(S + 1,)``, of the pixels, 0 to 1. probabilities: ``(N, S + 1)``. areas: ``(N,)``, under each curve.
    """

    shares: np.ndarray
    probabilities: np.ndarray
    areas: np.ndarray


@dataclass(frozen=True)
class CurveSettings:
    """How pixels are removed or put in.

    important: whether high or low numbers of the maps are at the pixels that the class needs, see IMPORTANT. steps: of
    equally many pixels as nearly as whole ones allow; no more than there are pixels. fill: what removed pixels show, as
    in `occlusion_map`; the paper deletes with a constant and inserts into "blur". seed: of the order of equal pixels.
    outputs: what the model gives, as in `occlusion_map`.
    """

    important: Important = "high"
    steps: int = 50
    fill: float | str = 0.0
    seed: int = 0
    outputs: Outputs = "auto"

    def __post_init__(self) -> None:
        check_important(self.important)
        if self.steps < 1:
            raise CuelloError(f"steps: got {self.steps}, needed 1 or more.")


def measured(values: np.ndarray) -> Measured:
    """Summarise values ``(N,)``."""
    known = np.isfinite(values)
    kept, names = values[known], [str(number) for number in np.flatnonzero(known)]
    low, high = bootstrap_interval(kept, names) if len(names) >= FEWEST_GROUPS else (math.nan, math.nan)
    mean = float(kept.mean()) if len(kept) else math.nan
    return Measured(values, mean=mean, low=low, high=high, count=len(kept))


def fidelity(
    exact: Arrays,
    estimated: Arrays,
    *,
    important: Important = "high",
    share: float = 0.1,
    flat: float = 0.0,
) -> Fidelity:
    """Compare estimated maps with exact ones; `areas` adds what the classifier says.

    exact, estimated: ``(N, H, W)``. important: where the class needs the pixels, see IMPORTANT. share: of the pixels,
    more than 0, at most 1, that count as the most important. flat: an exact map that spreads by no more than this is as
    good as constant: nothing matters in it. Raises CuelloError for maps that do not fit.

    >>> maps = np.random.default_rng(0).random((6, 8, 8))
    >>> found = fidelity(maps, maps)
    >>> found.mse.mean, round(found.spearman.mean, 6), found.overlap.mean
    (0.0, 1.0, 1.0)

    Source: the `occlusion` source for the normalised MSE.
    """
    true, ours = as_maps(exact, "exact"), as_maps(estimated, "estimated")
    if true.shape != ours.shape:
        raise CuelloError(f"got exact maps {true.shape} and estimated ones {ours.shape}; needed the same shape.")
    check_important(important)
    first, second = (standardised(torch.from_numpy(maps)).numpy() for maps in (true, ours))
    silent = constant(true) | constant(ours) | (np.ptp(true, (1, 2)) <= flat)

    def speaking(values: np.ndarray) -> Measured:
        return measured(np.where(silent, np.nan, values))

    return Fidelity(
        mse=measured(((true - ours) ** 2).mean((1, 2))),
        normalised_mse=measured(((first - second) ** 2).mean((1, 2))),
        pearson=speaking(pearson(true, ours)),
        spearman=speaking(spearman(true, ours)),
        overlap=speaking(overlap(true, ours, share=share, important=important)),
        share=share,
        constant=int(silent.sum()),
        pooled=float(pearson(true.reshape(1, 1, -1), ours.reshape(1, 1, -1))[0]),
        images=len(true),
    )


def areas(
    model: Any,
    images: Arrays,
    maps: Mapping[str, Arrays],
    *,
    classes: str | int | Sequence[int] = "predicted",
    settings: CurveSettings | None = None,
) -> dict[Way, dict[str, Measured]]:
    """Measure the areas under the curves of deletion and insertion, by way and by name of a map.

    model, images, classes, settings: as in `curves`. maps: ``(N, H, W)`` each.

    Source: Petsiuk et al. 2018, "RISE", section 4.3.
    """
    return {
        way: {
            name: measured(curves(model, images, one, kind=way, classes=classes, settings=settings).areas)
            for name, one in maps.items()
        }
        for way in WAYS
    }


def random_maps(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    return numpy_generator(seed, "random map").random(tuple(shape))


def as_maps(maps: Arrays, name: str) -> np.ndarray:
    """Take maps ``(N, H, W)`` as float64; CuelloError for what is none."""
    found = maps.detach().cpu().double().numpy() if isinstance(maps, Tensor) else np.asarray(maps, np.float64)
    if found.ndim != 3 or 0 in found.shape:
        raise CuelloError(
            f"{name} maps: got shape {found.shape}, needed (N, H, W), none of them 0: one class and no channel."
        )
    if not np.isfinite(found).all():
        raise CuelloError(f"{name} maps: got NaN or infinity, needed finite numbers.")
    return found


def check_important(important: str) -> None:
    if important not in ("high", "low"):
        raise CuelloError(f"important: got {important!r}, needed 'high' or 'low'.")


def constant(maps: np.ndarray) -> np.ndarray:
    """Tell which maps ``(N, …)`` say nothing, ``(N,)``: all their pixels are equal, rounding aside."""
    flat = maps.reshape(len(maps), -1)
    return np.ptp(flat, 1) <= CONSTANT * np.minimum(1, np.abs(flat).max(1))


def pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlate each pair of maps ``(N, H, W)``, by Pearson, ``(N,)``; nan where one of them is constant."""
    centred = [maps.reshape(len(maps), -1) for maps in (first, second)]
    one, other = (flat - flat.mean(1, keepdims=True) for flat in centred)
    scale = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    known = ~(constant(first) | constant(second)) & (scale > 0)
    return np.where(known, (one * other).sum(1) / np.where(known, scale, 1), np.nan)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlate the ranks of each pair of maps ``(N, H, W)``; equal pixels share their mean rank.

    ``(N,)``; nan where one of the maps is constant.
    """
    from scipy.stats import rankdata

    flat = [maps.reshape(len(maps), -1) for maps in (first, second)]
    found = pearson(*(np.asarray(rankdata(one, axis=1)) for one in flat))
    return np.where(constant(first) | constant(second), np.nan, found)


def overlap(first: np.ndarray, second: np.ndarray, *, share: float, important: Important = "high") -> np.ndarray:
    """Measure which part of the k most important pixels of two maps is the same, ``(N,)``, 0 to 1.

    k is ``share`` of the pixels, rounded, at least 1. Pixels that are equal at the edge of the k share what is left
    alike, as clipped maps have many: with w the share of a pixel that is among the k, ``Σ min(w, w') / k``.
    Raises CuelloError for a share that is none.

    >>> overlap(np.array([[[3.0, 2, 1, 0]]]), np.array([[[3.0, 0, 2, 1]]]), share=0.5)
    array([0.5])
    """
    if not 0 < share <= 1:
        raise CuelloError(f"share: got {share}, needed more than 0 and at most 1 of the pixels.")
    sign = 1 if important == "high" else -1
    k = max(1, round(share * first[0].size))
    return np.minimum(*(among(sign * maps.reshape(len(maps), -1), k) for maps in (first, second))).sum(1) / k


def among(flat: np.ndarray, k: int) -> np.ndarray:
    """Tell how far each pixel is among the k highest of its map: 1, 0, or at the edge a part; ``(N, P)`` both."""
    edge = np.sort(flat, 1)[:, -k][:, None]
    above, level = flat > edge, flat == edge
    return above + level * ((k - above.sum(1, keepdims=True)) / level.sum(1, keepdims=True))


def curves(
    model: Any,
    images: Arrays,
    maps: Arrays,
    kind: Way,
    *,
    classes: str | int | Sequence[int] = "predicted",
    settings: CurveSettings | None = None,
) -> Curves:
    """Follow a class's probability while an image's pixels are removed, or put in, the most important ones first.

    A good map has a small area under "deletion" (the class is soon lost) and a large one under "insertion".

    model: any function of images to class scores, as in `occlusion_map`. images: ``(N, C, H, W)``; maps ``(N, H, W)``.
    classes: "predicted", one class for all, or one per image, ``(N,)``. Raises CuelloError for anything that does not
    fit.

    Source: Petsiuk et al. 2018, "RISE: randomized input sampling for explanation of black-box models", section 4.3;
    the area by the trapezoid rule over the share of pixels.
    """
    settings = settings or CurveSettings()
    important, steps, seed = settings.important, settings.steps, settings.seed
    if kind not in WAYS:
        raise CuelloError(f"kind: got {kind!r}, needed 'deletion' or 'insertion'.")
    classifier = as_classifier(model)
    with torch.no_grad(), evaluating(classifier):
        pixels = as_images(images, classifier)
        check_size(classifier, pixels)
        guide = as_maps(maps, "the")
        if guide.shape != (len(pixels), *pixels.shape[2:]):
            raise CuelloError(f"got maps {guide.shape} for images {tuple(pixels.shape)}; needed one map per image.")
        places = positions(guide if important == "high" else -guide, seed).to(pixels.device)  # (N, H, W)
        every = guide[0].size
        counts = torch.linspace(0, every, min(steps, every) + 1, device=pixels.device, dtype=torch.float64).round()
        fills = filling(pixels, settings.fill, padding=0, sigma=3.0)
        batch = batch_for(classifier, pixels[:1])
        clean = torch.cat([ask(classifier, channels_last(part)) for part in pixels.split(batch)])
        said = classifier.gives if settings.outputs == "auto" else settings.outputs
        means, _ = settled(said, clean, raw=False, beyond=partial(leaves_shares, classifier, pixels[:1]))
        numbers = one_class(classes, clean)
        start, end = (pixels, fills) if kind == "deletion" else (fills, pixels)
        found = []
        for part in torch.arange(len(pixels) * len(counts), device=pixels.device).split(batch):
            image, step = part // len(counts), part % len(counts)
            changed = (places[image] < counts[step][:, None, None])[:, None]  # (B, 1, H, W)
            x = channels_last(torch.where(changed, end[image], start[image]))
            found.append(probabilities(ask(classifier, x), means).gather(1, numbers[image][:, None])[:, 0])
        followed, shares = torch.cat(found).view(len(pixels), -1).double(), counts / every
        areas = torch.trapezoid(followed, shares)
    return Curves(*(each.cpu().numpy() for each in (shares, followed, areas)))


def positions(maps: np.ndarray, seed: int) -> Tensor:
    """Find each pixel's place in the order from high to low, from 0; equal pixels at random; ``(N, H, W)`` both."""
    flat = maps.reshape(len(maps), -1)
    chance = numpy_generator(seed, "order of equal pixels").random(flat.shape)
    order = np.lexsort((chance, -flat), axis=1)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(flat.shape[1]), flat.shape), 1)
    return torch.from_numpy(places.reshape(maps.shape))


def one_class(classes: str | int | Sequence[int], clean: Tensor) -> Tensor:
    """Number the class of each image, ``(N,)``: the predicted one, the same for all, or as given, one per image."""
    if isinstance(classes, str | int):
        if classes == "all":
            raise CuelloError("classes: got 'all', needed 'predicted', a class, or one per image.")
        return wanted(classes, clean)[:, 0]
    numbers = [int(one) for one in classes]
    if len(numbers) != len(clean):
        raise CuelloError(f"classes: got {len(numbers)} for {len(clean)} images, needed one per image.")
    wanted(numbers, clean)
    return torch.tensor(numbers, device=clean.device)


def break_even(exact_seconds: float, training_maps: int, training_seconds: float, estimate_seconds: float) -> float:
    """Count the maps after which an estimator has repaid making its training maps and training.

    ``m = ⌈(training_maps · exact_seconds + training_seconds) / (exact_seconds - estimate_seconds)⌉``; inf where an
    estimate is not quicker than an exact map, nan where a time is. The training maps are counted as an expense
    alone, though they are maps too.

    exact_seconds, estimate_seconds: of one map. Raises CuelloError for numbers below 0.

    >>> break_even(1.0, 100, 50.0, 0.25)
    200.0
    """
    numbers = exact_seconds, training_maps, training_seconds, estimate_seconds
    if min(numbers) < 0:
        raise CuelloError(f"got {numbers}: seconds and maps are 0 or more.")
    if any(math.isnan(number) for number in numbers):
        return math.nan
    if estimate_seconds >= exact_seconds:
        return math.inf
    least = (training_maps * exact_seconds + training_seconds) / (exact_seconds - estimate_seconds)
    return float(math.ceil(least)) if math.isfinite(least) else math.inf
