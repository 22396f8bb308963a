"""What was taken away from an image: noise, or structure too?

Noise has the variance that its model says at every brightness, is like its neighbours as much as noise is, is no
stronger along edges than elsewhere, and has the mean 0 in dark places and in bright ones. Each is measured on the
difference between the noisy image and the restored one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from cuello.core.errors import CuelloError
from cuello.noise_models.model import NoiseModel
from cuello.scoring.blind import blocks, signed_variance

FALSE_ALARMS = 0.01
"""Share of results that take away nothing but noise of the model and are complained of all the same, at most."""
TOLERATED = {"variance": 0.05, "neighbours": 0.05, "edges": 0.05, "brightness": 0.02}
"""What is not complained of however sure it is, since noise models are not exact: a share of the noise's variance, an
autocorrelation, a share of the variance, a share of the noise's standard deviation."""
LEFT = 0.7
"""Where less of the noise's variance than this was taken away, noise is left."""
BANDS, FEWEST = 8, 20
"""Bands of brightness, and blocks that a mean must have to be tested."""
STEEP = 0.1
"""Share of the pixels that are taken for edges."""
AROUND = 3.0
"""Standard deviation, in pixels, of the blur that tells how bright a place is."""
APART = 4.0
"""How much brighter the next band must begin, in standard deviations of noise blurred so; nearer ones are one band: the
noise that a result keeps would choose between them, and what was taken away there would not have the mean 0."""

CheckName = Literal["variance", "neighbours", "edges", "brightness"]
STRUCTURE: dict[CheckName, str] = {
    "variance": "more was taken away than noise of the model has",
    "neighbours": "neighbouring pixels were changed alike more than noise is alike",
    "edges": "more was taken away along edges than elsewhere",
    "brightness": "whole places were made brighter or darker",
}


@dataclass(frozen=True)
class ResidualCheck:
    """One test of what was taken away.

    value: what was measured, 0 for noise: the largest excess of variance in a band of brightness, as a share; the
    largest excess of correlation with a neighbour; of variance along edges, as a share; the mean that is farthest from
    0 in a band, in standard deviations of the noise. limit: what noise stays within.
    """

    name: CheckName
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether it is within the limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class ResidualChecks:
    """All tests, and how much was taken away: its variance as a share of the noise's.

    Of results that take away nothing but noise, ``FALSE_ALARMS`` at most fail.
    """

    taken: float
    checks: tuple[ResidualCheck, ...]

    @property
    def is_noise(self) -> bool:
        """Whether nothing but noise was taken away, as far as can be told."""
        return all(check.passed for check in self.checks)

    @property
    def sentence(self) -> str:
        """Say it in a sentence."""
        if not self.checks:
            return "The image is too small to tell whether what was taken away is noise."
        failed = [STRUCTURE[check.name] for check in self.checks if not check.passed]
        left = f"{1 - self.taken:.0%} of the noise's variance is left" if self.taken < LEFT else ""
        if failed:
            return f"Structure was taken away too: {', '.join(failed)}{f'; {left}' if left else ''}."
        return f"What was taken away looks like noise{f', but {left}' if left else ''}."


def check_residual(
    noisy: np.ndarray,
    result: np.ndarray,
    noise: "NoiseModel | Sequence[NoiseModel]",
    correlation: np.ndarray | None = None,
) -> ResidualChecks:
    """Tell noise from structure in what was taken away; see the module.

    noisy, result: ``(H, W)`` or ``(H, W, C)`` in the model's unit; NaN and noisy values that are cut off do not count.
    noise, correlation: as in ``blind.judge``.

    >>> clean = 100 + np.add.outer(np.arange(192.0), np.arange(192.0)) / 4
    >>> noisy = clean + np.random.default_rng(0).normal(0, 10, clean.shape)
    >>> check_residual(noisy, clean, NoiseModel(0, 100)).sentence
    'What was taken away looks like noise.'
    >>> check_residual(noisy, np.full_like(clean, noisy.mean()), NoiseModel(0, 100)).sentence[:29]
    'Structure was taken away too:'
    """
    if noisy.shape != result.shape:
        raise CuelloError(f"got an image {noisy.shape} and a result {result.shape}, needed the same shape.")
    noisy, result = (np.asarray(one, np.float64) for one in (noisy, result))
    variance = signed_variance(result, noise)
    floor = 0.05 * max(float(np.nanmean(np.maximum(variance, 0))), np.finfo(float).tiny)
    known = ~cut_off(noisy) & np.isfinite(noisy + result)
    taken = np.where(known, (noisy - result) / np.sqrt(np.maximum(variance, floor)), np.nan)
    place = gaussian_filter(
        np.where(np.isfinite(result), result, np.nanmean(result)), (AROUND, AROUND) + (0,) * (noisy.ndim - 2)
    )
    kept = math.sqrt(floor / 0.05 * slow_share(correlation)) / (2 * math.sqrt(math.pi) * AROUND)
    bands = bands_of(place, known, APART * kept)
    found = [
        excess("variance", [np.where(band, taken**2 - 1, np.nan) for band in bands]),
        neighbours(taken, correlation),
        edges(taken, place),
        excess("brightness", [np.where(band, taken, np.nan) for band in bands], either=True),
    ]
    whole = float(np.nanmean(taken**2)) if known.any() else 0.0
    return ResidualChecks(whole, tuple(check for check in found if check is not None))


def cut_off(noisy: np.ndarray) -> np.ndarray:
    """Tell pixels at the lowest or highest value, where several lie there."""
    ends = [end for end in (np.nanmin(noisy), np.nanmax(noisy)) if np.mean(noisy == end) > 1e-4]
    return np.isin(noisy, ends)


def slow_share(correlation: np.ndarray | None) -> float:
    """Give how many times the variance of white noise the mean of many pixels has, where neighbours share noise."""
    return 1.0 if correlation is None else max(1.0, float(correlation.sum()))


def bands_of(place: np.ndarray, known: np.ndarray, apart: float) -> list[np.ndarray]:
    """Divide the pixels by the brightness of their place; bands begin at least so far apart.

    >>> place = np.repeat([0.0, 1.0, 100.0, 101.0], 50)
    >>> [int(band.sum()) for band in bands_of(place, np.ones(200, bool), apart=10.0)]
    [100, 100]
    """
    if not known.any():
        return []
    ends = np.quantile(place[known], np.linspace(0, 1, BANDS + 1))
    limits: list[float] = []
    for limit in map(float, ends[1:-1]):
        if limit - (limits[-1] if limits else ends[0]) >= apart and ends[-1] - limit >= apart:
            limits.append(limit)
    return [np.digitize(place, limits) == number for number in range(len(limits) + 1)]


def mean_and_error(values: np.ndarray) -> tuple[float, float] | None:
    """Give the mean of the values that are numbers and its standard error; None where there are too few blocks."""
    sums, sizes = blocks(values)
    if len(sums) < FEWEST:
        return None
    mean = sums.sum() / sizes.sum()
    return float(mean), math.sqrt(float(np.sum((sums - mean * sizes) ** 2))) / float(sizes.sum())


def excess(name: CheckName, several: list[np.ndarray], either: bool = False) -> ResidualCheck | None:
    """Test the one of several means that is farthest above its limit; either: or below 0."""
    found = [one for one in map(mean_and_error, several) if one is not None]
    if not found:
        return None
    sure = float(norm.isf(FALSE_ALARMS / len(STRUCTURE) / len(found) / (2 if either else 1)))
    values = [(abs(mean) if either else mean, TOLERATED[name] + sure * error) for mean, error in found]
    value, limit = max(values, key=lambda pair: pair[0] - pair[1])
    return ResidualCheck(name, value, limit=limit)


def neighbours(taken: np.ndarray, correlation: np.ndarray | None) -> ResidualCheck | None:
    """Test whether pixels are more like those next to them than noise is, in any of four directions."""
    several = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one, other = beside(taken, down, right)
        several.append(one * other - expected(correlation, down, right) * (one**2 + other**2) / 2)
    return excess("neighbours", several)


def beside(taken: np.ndarray, down: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that have one so far up and to the left, and those.

    >>> [part.tolist() for part in beside(np.array([[1, 2, 3]]), 0, 1)]
    [[[2, 3]], [[1, 2]]]
    """
    one = taken[down:, max(right, 0) : taken.shape[1] + min(right, 0)]
    return one, taken[: taken.shape[0] - down, max(-right, 0) : taken.shape[1] - max(right, 0)]


def expected(correlation: np.ndarray | None, down: int, right: int) -> float:
    """Look up the correlation of noise with that of a neighbour."""
    if correlation is None or min(correlation.shape) < 3:
        return 0.0
    row, column = (side // 2 for side in correlation.shape)
    return float(correlation[row + down, column + right])


def edges(taken: np.ndarray, place: np.ndarray) -> ResidualCheck | None:
    """Test whether more was taken away where the image is steep than elsewhere."""
    if min(place.shape[:2]) < 2:
        return None
    slope = np.hypot(*np.gradient(place, axis=(0, 1)))
    known = np.isfinite(taken)
    if not known.any():
        return None
    steep = known & (slope > np.quantile(slope[known], 1 - STEEP))
    flat = known & ~steep
    level = float(np.mean(taken[flat] ** 2)) if flat.any() else 0.0
    return excess("edges", [np.where(steep, taken**2 - level, np.nan)]) if level and steep.any() else None
