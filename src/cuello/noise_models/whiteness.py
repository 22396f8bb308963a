"""Whether a pixel's noise is its neighbour's: the spectrum of noise on flat blocks, and its autocorrelation."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.fft import fft2, ifft2
from scipy.fft import idct
from scipy.ndimage import uniform_filter
from scipy.special import gammaincinv

from cuello.core.errors import CuelloError
from cuello.noise_models.estimate import BLOCK, NoiseCurve, estimate_noise, measuring

REACH = 4
"""Lags of the autocorrelation on either side."""
SIDE, STEP, FLATTEST, FEWEST, MOST = 16, 5, 0.02, 60, 5_000
"""Blocks whose spectrum is measured: side, pixels from one to the next, share that is taken, at least, looked at."""
FLAT_BELOW = 3
"""Frequencies, in periods a block, that tell flat blocks and are too full of texture to measure noise by."""
WHITE_FROM = 0.35
"""Noise whose highest frequencies have at least this share of its middle ones' power is white."""
TELLING_BELOW, NEARLY_FLAT, WINDOWED = 6.5, 0.05, 2.3
"""Frequencies that tell noise from texture; share of the blocks whose spectrum is taken for that of noise; and how many
neighbouring frequencies of a windowed block are as good as one.
"""
AMONG, ALONE = (0.02, 0.25), 1.1
"""Powers of blocks are compared at these shares of all: noise alone has a ratio below so many times that of chance."""
SPACINGS = (2, 3, 4)
"""Sub-sampling that is tried."""
WIDE = 31
"""What changes over so many pixels is light that flickers, and no noise."""
NEARLY_ALL = 0.85
"""Sub-sampled noise with this share of the variance that it has at wider spacings has lost its neighbours."""


def phases(image: np.ndarray, spacing: int) -> list[np.ndarray]:
    """Give the images of every ``spacing``-th pixel, each pixel in one of them.

    >>> [part.tolist() for part in phases(np.arange(4).reshape(2, 2), 2)]
    [[[0]], [[1]], [[2]], [[3]]]
    """
    if spacing == 1:
        return [image]
    return [image[row::spacing, column::spacing] for row in range(spacing) for column in range(spacing)]


def spectra_of(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Measure spectra ``(blocks, SIDE, SIDE)`` of the blocks of images, by bands of brightness, in each flattest first.

    No band where the images are too small.
    """
    several = [blocks_of(image, sum(one.size for one in images)) for image in images]
    blocks = np.concatenate(several) if several else np.empty((0, SIDE, SIDE))
    if len(blocks) < FEWEST:
        return []
    means = blocks.mean((1, 2))
    window = np.outer(np.hanning(SIDE + 2)[1:-1], np.hanning(SIDE + 2)[1:-1])
    spectra = np.abs(fft2((blocks - means[:, None, None]) * window)) ** 2
    flatness = spectra[:, frequency() < FLAT_BELOW].sum(1)
    bands = np.array_split(np.argsort(means), max(1, min(20, len(means) // 300)))
    return [spectra[band[np.argsort(flatness[band])]] for band in bands]


def power(bands: Sequence[np.ndarray]) -> np.ndarray:
    """Give the spectrum of the noise, ``(SIDE, SIDE)`` with mean 1, on the flattest blocks of every brightness.

    bands: see ``spectra_of``. Frequencies below ``FLAT_BELOW`` periods are filled by the mean of those next to them.
    """
    low = frequency() < FLAT_BELOW
    total = np.zeros((SIDE, SIDE))
    for band in bands:
        found = band[: max(FEWEST // len(bands) + 1, int(FLATTEST * len(band)))].mean(0)
        total += found / max(found[~low].mean(), np.finfo(float).tiny)
    total[low] = total[(frequency() >= FLAT_BELOW) & (frequency() < FLAT_BELOW + 1.5)].mean()
    return total / total.mean()


def stands_alone(band: np.ndarray) -> bool:
    """Tell whether many blocks of a band, flattest first, hold noise and hardly anything else.

    Noise has the same power everywhere, but for chance: a sum of squares of so many independent numbers. Texture has
    not; where there is texture everywhere, noise that neighbours share cannot be told from it.
    """
    middle = (frequency() >= FLAT_BELOW) & (frequency() < TELLING_BELOW)
    flat = band[: max(20, int(NEARLY_FLAT * len(band)))].mean(0)[middle]
    flat = flat / max(flat.mean(), np.finfo(float).tiny)
    numbers = flat.sum() ** 2 / max((flat**2).sum(), np.finfo(float).tiny) / WINDOWED
    low, high = np.quantile(band[:, middle].mean(1), AMONG)
    few, many = gammaincinv(numbers / 2, AMONG)
    return bool(high * few < ALONE * low * many)


def blocks_of(image: np.ndarray, pixels: int) -> np.ndarray:
    """Cut an image's share of the blocks, those that are cut off or hold no numbers aside."""
    if min(image.shape) < SIDE:
        return np.empty((0, SIDE, SIDE))
    step = STEP if pixels > STEP**2 * FEWEST * 20 else 1
    blocks = np.lib.stride_tricks.sliding_window_view(image, (SIDE, SIDE))[::step, ::step].reshape(-1, SIDE, SIDE)
    blocks = blocks[:: max(1, pixels // (step**2 * MOST))]
    with np.errstate(invalid="ignore"):
        high = np.nanmax(image)
    cut = (blocks >= high).sum((1, 2)) > 2
    return blocks[~cut & np.isfinite(blocks).all((1, 2))].astype(np.float64)


def frequency() -> np.ndarray:
    """Give the periods a block of each place of a spectrum."""
    one = np.fft.fftfreq(SIDE) * SIDE
    return np.hypot(one[:, None], one)


def is_white(spectrum: np.ndarray) -> bool:
    """Tell whether the highest frequencies hold nearly as much as the middle ones, in rows and columns too.

    Noise that is shared along one axis only has what its highest frequencies there lack at the other axis's highest.
    """
    radius = frequency()
    middle, highest = spectrum[(radius >= 4) & (radius < 6.5)].mean(), spectrum[radius >= 8].mean()
    axes = [along_rows(spectrum), along_rows(spectrum.T)]
    return bool(highest >= WHITE_FROM * middle) and all(high >= WHITE_FROM * low for high, low in axes)


def along_rows(spectrum: np.ndarray) -> tuple[float, float]:
    """Give the power of the highest frequencies along rows, and of the low ones that are high along columns."""
    down, across = (np.abs(np.fft.fftfreq(SIDE) * SIDE)[order] for order in ((slice(None), None), (None, slice(None))))
    high = (across >= SIDE / 2 - 1) & (down >= FLAT_BELOW)
    low = (across < FLAT_BELOW) & (down >= SIDE / 2 - 3)
    return float(spectrum[high].mean()), float(spectrum[low].mean())


def spaced_curves(images: Sequence[np.ndarray]) -> dict[int, NoiseCurve]:
    """Estimate the noise of sub-sampled images, by spacing; those too small for it are left out."""
    found = {}
    for spacing in SPACINGS:
        with suppress(CuelloError):
            found[spacing] = estimate_noise([part for image in images for part in phases(image, spacing)])
    return found


def white_spacing(curves: dict[int, NoiseCurve]) -> int:
    """Find the least spacing at which noise has nearly the variance that it has at wider ones."""
    at = curves[1].brightness
    middle = {spacing: float(np.median(curve.model.variance(at))) for spacing, curve in curves.items()}
    return next(spacing for spacing in middle if middle[spacing] >= NEARLY_ALL * max(middle.values()))


def autocorrelation(spectrum: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Turn a spectrum into the autocorrelation for ``REACH`` lags on either side, 1 in the middle.

    share: of the variance that the estimate from neighbouring pixels finds (see ``heard``). The lowest frequencies get
    what the others leave of the rest.
    """
    low = frequency() < FLAT_BELOW
    full = spectrum.copy()
    if share < 1:
        weights = heard()
        excess = (weights * full)[~low].sum() - share * full[~low].sum() / full.size
        room = share * low.sum() / full.size - weights[low].sum()
        if room > 0:
            full[low] = np.maximum(full[low], excess / room)
    lags = np.fft.fftshift(ifft2(full).real)
    middle = SIDE // 2
    part = lags[middle - REACH : middle + REACH + 1, middle - REACH : middle + REACH + 1]
    return part / part[REACH, REACH]


def heard() -> np.ndarray:
    """Give how much the variance estimated from blocks' high frequencies hears of each place of a spectrum; sum 1."""
    waves: Any = idct(np.eye(BLOCK), axis=0, norm="ortho")
    one = np.abs(np.fft.fft(waves, SIDE, axis=0)) ** 2 / SIDE
    return np.einsum("ai,bj,ij->ab", one, one, measuring() / measuring().sum())


def correlation_of(residuals: Sequence[np.ndarray]) -> np.ndarray:
    """Measure the autocorrelation of noise that stands alone; NaN marks pixels that do not count."""
    size = 2 * REACH + 1
    products, counts = np.zeros((size, size)), np.zeros((size, size))
    for one in residuals:
        known = np.isfinite(one)
        values = np.where(known, one, 0.0)
        around = uniform_filter(known.astype(float), WIDE)
        values = np.where(known, values - uniform_filter(values, WIDE) / np.maximum(around, 1e-9), 0.0)
        shape = [side + REACH for side in one.shape]
        both = []
        for plane in (values, known.astype(float)):
            lags = ifft2(np.abs(fft2(plane, shape)) ** 2).real
            both.append(np.roll(lags, (REACH, REACH), (0, 1))[:size, :size])
        products, counts = products + both[0], counts + both[1]
    mean = products / np.maximum(counts, 1)
    middle = mean[REACH, REACH]
    if middle <= 0:
        mean[REACH, REACH], middle = 1, 1
    return mean / middle


def spacing_of(correlation: np.ndarray, most: float = 0.15) -> int:
    """Find the least spacing whose multiples within reach have no correlation above ``most``."""
    for spacing in range(1, REACH + 1):
        apart = np.abs(correlation[REACH % spacing :: spacing, REACH % spacing :: spacing]).copy()
        apart[apart.shape[0] // 2, apart.shape[1] // 2] = 0
        if apart.max() <= most:
            return spacing
    return REACH
