"""The noise model of images, estimated from the images alone.

Small blocks of the image are compared by the energy of their low frequencies: those of similar brightness with the
least of it hold hardly anything but noise, and what their high frequencies hold is its variance. Low frequencies
choose, high ones measure, so the choice does not make the noise smaller.

Source: Colom and Buades 2013, "Analysis and extension of the Ponomarenko et al. method, estimating a noise curve from
a single image".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import dctn

from cuello.core.errors import CuelloError
from cuello.noise.model import NoiseModel

BLOCK, STEP = 8, 3
"""Side of the blocks, and pixels from one to the next."""
LOW, HIGH = range(1, 5), range(8, 15)
"""Orders of a block's frequencies, horizontal and vertical added, that tell flat blocks, and that measure noise."""
MOST = 40_000
"""Blocks that are looked at, of all images together; of more, every so many."""
SHARE, FEWEST = 0.02, 24
"""Share of the blocks of similar brightness that are taken for flat, and how many at least."""
IN_A_BAND, BANDS = 600, (6, 40)
"""Blocks in a band of similar brightness, and how many bands at least and at most."""
ROUNDS = 30
NOTHING = 1e-6
"""A deviation of so small a share of the values' range is no noise but rounding."""


@dataclass(frozen=True)
class NoiseCurve:
    """What was measured, band by band of similar brightness, each array ``(bands,)``, and the line through it.

    brightness: mean value of the flat blocks. variance: of their noise. weight: how far the line was drawn through it,
    0 to 1: bands whose flattest blocks still hold texture count less.
    """

    brightness: np.ndarray
    variance: np.ndarray
    weight: np.ndarray
    model: NoiseModel


def estimate_noise(images: Sequence[np.ndarray]) -> NoiseCurve:
    """Estimate the noise model of images of one camera and setting.

    images: arrays ``(H, W)``, one channel, any numeric type and unit, sides from 16 pixels. Blocks with more than one
    pixel at the lowest or highest value of its image are passed over: what was cut off has no noise. So are NaNs.

    Raises CuelloError where the images are too small or cut off nearly everywhere.

    >>> random = np.random.default_rng(0)
    >>> image = np.linspace(20, 200, 256) + np.zeros((256, 1))
    >>> found = estimate_noise([2.0 * random.poisson(image / 2) + random.normal(0, 5, image.shape)]).model
    >>> abs(found.gain / 2 - 1) < 0.1, abs(found.read - 5) < 1.5
    (True, True)
    """
    parts = [energies(image, every=max(1, sum(one.size for one in images) // (STEP**2 * MOST))) for image in images]
    brightness, low, high = (np.concatenate(several) for several in zip(*parts, strict=True))
    if len(brightness) < BANDS[0] * FEWEST:
        raise CuelloError(
            f"got {len(brightness)} blocks of {BLOCK}x{BLOCK} pixels whose values are not cut off, needed "
            f"{BANDS[0] * FEWEST} to estimate noise: give more or larger images."
        )
    bands = np.array_split(np.argsort(brightness), int(np.clip(len(brightness) // IN_A_BAND, *BANDS)))
    flat = [band[np.argsort(low[band])[: max(FEWEST, int(SHARE * len(band)))]] for band in bands]
    means = np.array([brightness[chosen].mean() for chosen in flat])
    variances = np.array([high[chosen].mean() for chosen in flat])
    spread = np.array([np.sqrt(2 / (measuring().sum() * len(chosen))) for chosen in flat])
    return fit_line(means, variances, spread)


def measuring() -> np.ndarray:
    """Tell which frequencies of a block measure its noise, ``(BLOCK, BLOCK)``."""
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    return (order >= HIGH.start) & (order < HIGH.stop)


def energies(image: np.ndarray, every: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the mean value, and the mean squares of low and of high frequencies, of blocks that are not cut off."""
    if min(image.shape) < 2 * BLOCK or not np.isfinite(image).any():
        return np.empty(0), np.empty(0), np.empty(0)
    low, high = np.nanmin(image), np.nanmax(image)
    blocks = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))[::STEP, ::STEP]
    blocks = blocks.reshape(-1, BLOCK, BLOCK)[::every]
    cut = ((blocks <= low) | (blocks >= high)).sum((1, 2)) > 1
    blocks = blocks[~cut & np.isfinite(blocks).all((1, 2))]
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    telling = (order >= LOW.start) & (order < LOW.stop)
    means = blocks.mean((1, 2), dtype=np.float64)
    frequencies: Any = dctn((blocks - means[:, None, None]).astype(np.float32), axes=(1, 2), norm="ortho")
    squares = frequencies**2
    return means, squares[:, telling].mean(1), squares[:, measuring()].mean(1)


def fit_line(brightness: np.ndarray, variance: np.ndarray, spread: np.ndarray, texture: bool = True) -> NoiseCurve:
    """Fit variance = gain · brightness + base; bands above the line, by texture, count less and less.

    spread: standard error of each variance, as a share of it. texture: whether bands may hold any; without it, those
    below the line count less as well.
    """
    line = np.stack([brightness, np.ones_like(brightness)], 1)
    fitted, weight = np.full_like(variance, np.median(variance)), np.ones_like(variance)
    floor = 0.05 * variance.min() + (NOTHING * max(np.ptp(brightness), 1e-12)) ** 2
    gain = base = 0.0
    for _ in range(ROUNDS):
        scale = np.sqrt(weight) / np.maximum(fitted, floor)
        gain, base = np.linalg.lstsq(line * scale[:, None], variance * scale, rcond=None)[0]
        if gain < 0 or np.ptp(brightness) == 0:
            gain, base = 0.0, float(np.average(variance, weights=scale**2))
        fitted = np.maximum(gain * brightness + base, floor)
        above = (variance - fitted) / fitted / np.maximum(3 * spread, 0.04)
        weight = np.where((above > 0) | (not texture), 1 / (1 + above**2), 1.0)
    return NoiseCurve(brightness, variance, weight, NoiseModel(float(gain), float(base)))
