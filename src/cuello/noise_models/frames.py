"""Noise from frames of one scene: what changes from one to the next is noise, where nothing moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter

from cuello.noise_models.estimate import NoiseCurve, counts_photons, fit_line
from cuello.noise_models.model import NoiseModel

BANDS, FEWEST = 24, 200
MOST_CUT = 0.1
"""Share of pixels cut off from which the variance of others of their brightness is wrong."""
MOVED, LOUDER = 1.3, 2.0
"""How much more may change in textured places than in flat ones of the same brightness, and than noise has in space."""


@dataclass(frozen=True)
class TemporalNoise:
    """Noise measured from frame to frame.

    curve: variance by brightness. mean: of all frames. residuals: differences of frames, each scaled to the noise of
    one, NaN where cut off.
    """

    curve: NoiseCurve
    mean: np.ndarray
    residuals: Sequence[np.ndarray]


def differences(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give neighbours' differences over √2, frames brought to the same mean first where lamps or dyes fade."""
    found = []
    for one, other in pairwise(frames):
        first, second = one.astype(np.float64), other.astype(np.float64)
        means = np.nanmean(first), np.nanmean(second)
        found.append((second - first - (means[1] - means[0])) / np.sqrt(2))
    return found


def temporal_noise(frames: Sequence[np.ndarray], spatial: NoiseModel) -> TemporalNoise | str:
    """Measure noise from frames ``(H, W)`` of one scene, or say why that cannot be done.

    spatial: the noise as estimated from each frame by itself; where much more changes, the scene moves.
    """
    if len(frames) < 2 or len({frame.shape for frame in frames}) > 1:
        return "there are no two frames of one size"
    if all(np.array_equal(one, frames[0], equal_nan=True) for one in frames[1:]):
        return "all frames are equal"
    mean = np.mean([frame.astype(np.float64) for frame in frames], 0)
    cut = cut_off(frames, spatial) | ~np.isfinite(mean)
    residuals = [np.where(cut, np.nan, one) for one in differences(frames)]
    smooth = uniform_filter(np.where(np.isfinite(mean), mean, 0), 3)
    down, right = np.gradient(smooth)
    slope = np.hypot(down, right)
    inside = np.flatnonzero(np.isfinite(mean))
    order = inside[np.argsort(mean.ravel()[inside])]
    bands = np.array_split(order, int(np.clip(len(order) // FEWEST, 1, BANDS)))
    bands = [band for band in bands if cut.ravel()[band].mean() < MOST_CUT]
    if len(bands) < 4:
        return "nearly all pixels are cut off, or there are too few"
    squares = np.mean([one.ravel() ** 2 for one in differences(frames)], 0)
    brightness = np.array([mean.ravel()[band].mean() for band in bands])
    variance = np.array([squares[band].mean() for band in bands])
    steeper = []
    for band in bands:
        by_slope = band[np.argsort(slope.ravel()[band])]
        quarter = len(band) // 4
        flat, steep = squares[by_slope[:quarter]].mean(), squares[by_slope[-quarter:]].mean()
        steeper.append(steep / max(flat, np.finfo(float).tiny))
    expected = np.maximum(spatial.variance(brightness), np.finfo(float).tiny)
    if np.median(steeper) > MOVED or np.median(variance / expected) > LOUDER:
        return "the scene moves from frame to frame"
    spread = np.full(len(bands), np.sqrt(2 / (len(bands[0]) * len(residuals))))
    return TemporalNoise(fit_line(brightness, variance, spread, texture=False), mean, residuals)


def cut_off(frames: Sequence[np.ndarray], spatial: NoiseModel) -> np.ndarray:
    """Mark pixels that are at the lowest or highest value in any frame; counts of no photon are not cut off."""
    low, high = min(float(np.nanmin(one)) for one in frames), max(float(np.nanmax(one)) for one in frames)
    counts = counts_photons(frames, spatial)
    return np.any([(frame >= high) | ((frame <= low) & (not counts)) for frame in frames], 0)
