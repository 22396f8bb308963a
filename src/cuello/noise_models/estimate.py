"""The noise model of images, estimated from the images alone.

Small blocks of the image are compared by the energy of their low frequencies: those of similar brightness with the
least of it hold hardly anything but noise, and what their high frequencies hold is its variance. Low frequencies
choose, high ones measure, so the choice does not make the noise smaller.

Source: Colom and Buades 2013, "Analysis and extension of the Ponomarenko et al. method, estimating a noise curve from
a single image".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.fft import dctn

from cuello.core.errors import CuelloError
from cuello.noise_models.cut import uncut
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.photons import of_photons

BLOCK, STEP = 8, 3
"""Side of the blocks, and pixels from one to the next."""
LOW, HIGH = range(1, 7), range(8, 15)
"""Orders of a block's frequencies, horizontal and vertical added, that tell flat blocks, and that measure noise."""
CUT, MOST_CUT = 1, 19
"""Pixels of a block that may be cut off, and where too few blocks have so few."""
FEW, MOST = 5_000, 120_000
"""Of fewer blocks, those one pixel apart are looked at; of more, every so many, of all images together."""
SHARE, FEWEST = 0.02, 24
"""Share of the blocks of similar brightness that are taken for flat, and how many at least."""
IN_A_BAND, BANDS = 600, (6, 40)
"""Blocks in a band of similar brightness, and how many bands at least and at most."""
ROUNDS = 30
COUNTS = 0.3
"""How far, as a share, the gain may be from the step between values that are counts."""
EMPTY = 0.6
"""Share of pixels without a photon from which flat blocks are those where none came."""
NOTHING = 1e-6
"""A deviation of so small a share of the values' range is no noise but rounding."""


@dataclass(frozen=True)
class NoiseCurve:
    """What was measured, band by band of similar brightness, each array ``(bands,)``, and the line through it.

    brightness: mean value of the flat blocks. variance: of their noise. weight: how far the line was drawn through it,
    0 to 1: bands whose flattest blocks still hold texture count less. photons: the model is that of photons which show
    one by one, not the line.
    """

    brightness: np.ndarray
    variance: np.ndarray
    weight: np.ndarray
    model: NoiseModel
    photons: bool = False

    @property
    def misfit(self) -> float:
        """By which share of what the line says, of the middle band, the variance differs from it."""
        fitted = np.maximum(self.model.variance(self.brightness), np.finfo(float).tiny)
        return float(np.median(np.abs(self.variance / fitted - 1)))


def estimate_noise(images: Sequence[np.ndarray]) -> NoiseCurve:
    """Estimate the noise model of images of one camera and setting.

    images: arrays ``(H, W)``, one channel, any numeric type and unit, sides from 16 pixels. Blocks with more than one
    pixel at the lowest or highest value of its image are passed over: what was cut off has no noise. So are NaNs. Where
    too few blocks are left, those with up to a third of their pixels cut off tell, by how many of them are.

    Raises CuelloError where the images are too small or cut off nearly everywhere.

    >>> random = np.random.default_rng(0)
    >>> image = np.linspace(20, 200, 256) + np.zeros((256, 1))
    >>> found = estimate_noise([2.0 * random.poisson(image / 2) + random.normal(0, 5, image.shape)]).model
    >>> abs(found.gain / 2 - 1) < 0.1, abs(found.read - 5) < 1.5
    (True, True)
    """
    if (few := few_photons(images)) is not None:
        return few
    blocks = blocks_of(images)
    if enough := len(blocks.low) >= BANDS[0] * FEWEST:
        found = curve_of(blocks, curve_of(blocks).model)
        if not counts_photons(images, found.model):
            return with_photons(images, found)
    counts = blocks_of(images, zeros=True)
    if len(counts.low) >= BANDS[0] * FEWEST:
        found = curve_of(counts, curve_of(counts).model)
        if enough or counts_photons(images, found.model):
            return found
    closer = blocks_of(images, step=1)
    if len(closer.low) >= BANDS[0] * FEWEST:
        return curve_of(closer, curve_of(closer).model)
    cut = blocks_of(images, step=1, most_cut=MOST_CUT)
    if len(cut.low) >= BANDS[0] * FEWEST:
        return curve_of(cut)
    if (side := max(min(image.shape) for image in images)) < 2 * BLOCK:
        raise CuelloError(
            f"got images whose shorter side is {side} pixels at most, needed {2 * BLOCK} to estimate noise: give "
            "larger images."
        )
    raise CuelloError(
        f"got {len(closer.low)} blocks of {BLOCK}x{BLOCK} pixels without values that are cut off (at the darkest or "
        f"brightest value there is) or missing (NaN), needed {BANDS[0] * FEWEST} to estimate noise: give more or "
        "larger images, or some that are exposed otherwise."
    )


@dataclass(frozen=True)
class Blocks:
    """Blocks of images.

    brightness: mean value ``(blocks,)``. orders: mean squares of the frequencies of each order ``(blocks, orders)``.
    below, above: shares of pixels at the lowest and at the highest value, ``(blocks,)``.
    """

    brightness: np.ndarray
    orders: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @cached_property
    def low(self) -> np.ndarray:
        """Mean squares of low frequencies ``(blocks,)``, which tell flat blocks."""
        return mean_of_orders(self.orders, LOW)

    @cached_property
    def high(self) -> np.ndarray:
        """Mean squares of high frequencies ``(blocks,)``, which measure noise."""
        return mean_of_orders(self.orders, HIGH)


def mean_of_orders(orders: np.ndarray, those: range) -> np.ndarray:
    """Give the mean over all frequencies of some orders, of which high ones have fewer."""
    return np.average(orders[:, those], 1, weights=np.bincount(order_of().ravel())[those])


def blocks_of(
    images: Sequence[np.ndarray], zeros: bool = False, step: int | None = None, most_cut: int = CUT
) -> Blocks:
    """Measure the blocks of images.

    zeros: the lowest value is not cut off. step: pixels from one block to the next; by default as their number tells.
    most_cut: pixels of a block that may be cut off.
    """
    pixels = sum(one.size for one in images)
    if step is None:
        step = 1 if pixels < STEP**2 * FEW else STEP
    every = max(1, pixels // (step**2 * MOST))
    parts = [energies(image, step, every=every, zeros=zeros, most_cut=most_cut) for image in images]
    return Blocks(*(np.concatenate(several) for several in zip(*parts, strict=True)))


def curve_of(blocks: Blocks, known: NoiseModel | None = None) -> NoiseCurve:
    """Measure the noise of the flattest blocks of every brightness, and draw the line.

    known: what was found before; blocks whose low frequencies hold no more than such noise are flat too.
    """
    bands = np.array_split(np.argsort(blocks.brightness), int(np.clip(len(blocks.low) // IN_A_BAND, *BANDS)))
    flat = []
    for band in bands:
        order = band[np.argsort(blocks.low[band])]
        enough = max(FEWEST, int(SHARE * len(band)))
        if known is not None:
            flattest = order[:enough]
            noise = known.variance(blocks.brightness[flattest].mean())
            enough = max(enough, int(np.searchsorted(blocks.low[order], noise)))
        flat.append(order[:enough])
    means, variances, below, above = (
        np.array([of[chosen].mean() for chosen in flat])
        for of in (blocks.brightness, blocks.high, blocks.below, blocks.above)
    )
    if max(below.max(), above.max()) > CUT / BLOCK**2:
        means, variances = uncut(means, variances, below=below, above=above)
    spread = np.array([np.sqrt(2 / (measuring().sum() * len(chosen))) for chosen in flat])
    return fit_line(means, variances, spread)


def few_photons(images: Sequence[np.ndarray]) -> NoiseCurve | None:
    """Give the noise of counts that are 0 at most pixels, which have no other; None where values are no such counts.

    All blocks count: the flattest are those without a photon. So many photons in a block, each at a place of its own,
    have the variance of their mean; strokes and patches have less at high frequencies, and bright points more.
    """
    step = step_of(images)
    if not step or min(float(finite(one).min()) for one in images) != 0:
        return None
    if np.mean([float((finite(one) == 0).mean()) for one in images]) < EMPTY:
        return None
    blocks = blocks_of(images, zeros=True)
    seen = np.flatnonzero(blocks.brightness > 0)
    if len(seen) < BANDS[0] * FEWEST:
        return None
    bands = np.array_split(seen[np.argsort(blocks.brightness[seen], kind="stable")], BANDS[0])
    means, variances = (np.array([of[band].mean() for band in bands]) for of in (blocks.brightness, blocks.high))
    if np.abs(variances / (step * means) - 1).max() > COUNTS:
        return None
    return NoiseCurve(means, variances, np.ones_like(means), model=NoiseModel(step, 0.0), photons=True)


def with_photons(images: Sequence[np.ndarray], found: NoiseCurve) -> NoiseCurve:
    """Take the model of photons that show one by one, where they do; cut-off values and whole steps hide them."""
    if found.model.gain <= 1.5 * step_of(images) or any(is_cut(image) for image in images):
        return found
    photons = of_photons(images, found.model, found.brightness)
    return found if photons is None else replace(found, model=photons, photons=True)


def is_cut(image: np.ndarray) -> bool:
    """Tell whether several pixels of an image have its lowest or its highest value, and few have the one beside it."""
    counts = np.unique(finite(image), return_counts=True)[1]
    return any(end[0] > max(3 * end[1:4].mean(), 8) for end in (counts, counts[::-1]) if len(end) > 1)


def counts_photons(images: Sequence[np.ndarray], found: NoiseModel) -> bool:
    """Tell whether values are numbers of photons, times one number: then the lowest is a count, and not cut off.

    They are as far apart as the gain says, and have no other noise.
    """
    step = step_of(images)
    lowest = min(float(np.nanmin(one)) for one in images)
    return step > 0 and bool(abs(found.gain / step - 1) < COUNTS and found.variance(lowest) < step**2)


def step_of(images: Sequence[np.ndarray]) -> float:
    """Give the least difference between values: 1 for 8-bit images, 0 where they are no multiples of one."""
    several = [finite(image)[:: max(1, image.size // 100_000)] for image in images]
    values = np.unique(np.concatenate(several)).astype(np.float64)
    if len(values) < 2:
        return 0.0
    step = float(np.diff(values).min())
    multiples = (values - values[0]) / step
    return step if np.abs(multiples - np.round(multiples)).max() < 0.01 else 0.0


def finite(image: np.ndarray) -> np.ndarray:
    """Give an image's values that are numbers, in one row."""
    return image[np.isfinite(image)] if image.dtype.kind == "f" else image.ravel()


def order_of() -> np.ndarray:
    """Give the order of each frequency of a block, horizontal and vertical added, ``(BLOCK, BLOCK)``."""
    return np.add.outer(np.arange(BLOCK), np.arange(BLOCK))


def measuring() -> np.ndarray:
    """Tell which frequencies of a block measure its noise, ``(BLOCK, BLOCK)``."""
    return (order_of() >= HIGH.start) & (order_of() < HIGH.stop)


def energies(
    image: np.ndarray, step: int, *, every: int = 1, zeros: bool = False, most_cut: int = CUT
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give what ``Blocks`` holds of one image's blocks.

    step: pixels from one block to the next, of which every so many is taken. zeros, most_cut: as for ``blocks_of``.
    """
    if min(image.shape) < 2 * BLOCK or not (known := finite(image)).size:
        return np.empty(0), np.empty((0, 2 * BLOCK - 1)), np.empty(0), np.empty(0)
    low, high = known.min(), known.max()
    span = float(high) - float(low) or 1.0
    blocks = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))[::step, ::step]
    blocks = blocks.reshape(-1, BLOCK, BLOCK)[::every]
    below, above = ((blocks <= low) & (not zeros)).sum((1, 2)), (blocks >= high).sum((1, 2))
    kept = (below + above <= most_cut) & np.isfinite(blocks).all((1, 2))
    blocks = blocks[kept]
    means = blocks.mean((1, 2), dtype=np.float64)
    shares = ((blocks - means[:, None, None]) / span).astype(np.float32)  # which hold squares of values of any size
    frequencies: Any = dctn(shares, axes=(1, 2), norm="ortho")
    of_order = order_of().ravel() == np.arange(2 * BLOCK - 1)[:, None]
    sums = (frequencies**2).reshape(len(blocks), BLOCK**2).astype(np.float64) @ of_order.T.astype(np.float64)
    return means, sums / of_order.sum(1) * span**2, below[kept] / BLOCK**2, above[kept] / BLOCK**2


def fit_line(brightness: np.ndarray, variance: np.ndarray, spread: np.ndarray, texture: bool = True) -> NoiseCurve:
    """Fit variance = gain · brightness + base; bands above the line, by texture, count less and less.

    spread: standard error of each variance, as a share of it. texture: whether bands may hold any; without it, all
    count, and dark ones, whose noise is little, no more than others.
    """
    middle, span = brightness.mean(), float(np.ptp(brightness)) or 1.0
    line = np.stack([(brightness - middle) / span, np.ones_like(brightness)], 1)  # in no unit, whatever the values'
    fitted, weight = np.full_like(variance, np.median(variance)), np.ones_like(variance)
    least = 0.05 * variance.min() if texture else 0.2 * float(np.median(variance))
    floor = max(least + (NOTHING * float(np.ptp(brightness))) ** 2, np.finfo(float).tiny)
    rise = level = 0.0
    for _ in range(ROUNDS):
        scale = np.sqrt(weight) * (floor / np.maximum(fitted, floor))
        rise, level = np.linalg.lstsq(line * scale[:, None], variance * scale, rcond=None)[0]
        if rise < 0 or np.ptp(brightness) == 0:
            rise, level = 0.0, float(np.average(variance, weights=scale**2))
        fitted = np.maximum(line @ (rise, level), floor)
        above = (variance - fitted) / fitted / np.maximum(3 * spread, 0.04)
        weight = np.where((above > 0) & texture, 1 / (1 + above**2), 1.0)
    gain = float(rise / span)
    return NoiseCurve(brightness, variance, weight, model=NoiseModel(gain, float(level - gain * middle)))
