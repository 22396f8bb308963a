"""The noise measured again, on what a good restoration took away.

Where an image shows nothing, what was taken away is noise, but for what the restoration kept of it. That is told by
noise that is added and taken off again: at each frequency the power that was taken away, divided by the share that is
not kept, is the noise's own; so it is of the restoration with the least squared error (Stein's identity). The noisy
image itself never holds less than its noise, which bounds it. The restored image, unlike the noisy one, tells which
places are flat and how bright each is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.fft import fft2, ifft2

from cuello.core.errors import CuelloError
from cuello.noise_models.estimate import fit_line
from cuello.noise_models.model import NoiseModel, apart
from cuello.noise_models.whiteness import REACH, SIDE, frequency

STEP = 8
"""Pixels from one block to the next."""
FLAT, FLAT_SHARED = 0.6, 0.25
"""Share of the blocks of similar brightness that measure: of white noise, whose high frequencies do, and of noise that
neighbours share, whose middle ones do too."""
HIGH, MIDDLE, TELLING = 6, 3, (2, 5)
"""Periods a block from which white noise, and shared noise, is measured; and those that tell flat blocks."""
BANDS, IN_A_BAND, FEWEST = 8, 60, 120
"""Bands of brightness at most, blocks in each, and blocks that an image must have."""
KEPT = 0.7
"""A frequency of which more is kept tells nothing."""
BELIEVED = 1.3
"""How many times the variance of the first estimate, or as small a part of it, is believed."""
LESS = 0.06
"""By how much less than the first estimate, as a logarithm, shared noise must be to be believed: texture, which lies
at the middle frequencies that measure it, can only add to it."""
LAGS = 3
"""Correlation that reaches farther cannot be told by frequencies that are free of texture."""


@dataclass(frozen=True)
class Probe:
    """What a restoration makes of an image, and of noise that is added to it; arrays ``(H, W)``.

    noisy, result: before and after. added: noise like the image's own. moved: by how much the result changes where it
    is added, in the same unit, as a straight line would. jump: by how much the middle of what becomes of slightly
    noisier images is off the result, where that is more than these differ: methods that stop on their own, or choose
    between two ways, may do another thing on such an image. None where it does not jump.
    """

    noisy: np.ndarray
    result: np.ndarray
    added: np.ndarray
    moved: np.ndarray
    jump: np.ndarray | None = None


@dataclass(frozen=True)
class Remeasured:
    """The noise as it was measured again, or as it was where that cannot be believed.

    correlation: None where pixels are independent. again: whether this is the second measurement.
    """

    model: NoiseModel
    correlation: np.ndarray | None
    again: bool


def remeasured(probe: Probe, noise: NoiseModel, correlation: np.ndarray | None = None) -> Remeasured:
    """Measure the noise of an image again by what a restoration took away.

    probe: where its result is NaN nothing is looked at. noise, correlation: the first estimate, ``(2k + 1, 2k + 1)`` or
    None for white noise. It is kept where the image is
    too small, where the restoration keeps too much of what was added, where correlation reaches too far, and where the
    second variance is more than ``BELIEVED`` times the first, or less than its inverse; where neighbours share the
    noise, also where the second is not less than the first by ``LESS``.

    Source: Stein 1981, "Estimation of the mean of a multivariate normal distribution", for the identity; this use of it
    is our own.
    """
    first = Remeasured(noise, correlation, again=False)
    if probe.noisy.ndim != 2 or min(probe.noisy.shape) < SIDE:
        return first
    gaps = ~np.isfinite(probe.result)
    if gaps.any():
        shown, moved = np.where(gaps, probe.noisy, probe.result), np.where(gaps, 0.0, probe.moved)
        probe = replace(probe, result=shown, moved=moved)
    expected = noise.variance(probe.result)  # not of the noisy values, which are bright where the noise is large
    deviation = np.sqrt(np.maximum(expected, 0.05 * max(float(expected.mean()), np.finfo(float).tiny)))
    usable = np.flatnonzero(~cut_off(probe.noisy) & ~blocks_of(gaps).any((1, 2)))
    if len(usable) < FEWEST:
        return first
    shown = spectra((probe.result - probe.result.mean()) / deviation)[usable]
    planes = [probe.noisy - probe.result, probe.moved, probe.added, probe.noisy - probe.result.mean()]
    taken, moved, added, noisy = (spectra(plane / deviation)[usable] for plane in planes)
    brightness = means(probe.result)[usable]
    variance = means(deviation**2)[usable]
    telling = (frequency() >= TELLING[0]) & (frequency() < TELLING[1])
    texture = (np.abs(shown[:, telling]) ** 2).mean(1)
    share = FLAT if correlation is None else FLAT_SHARED
    order = np.array_split(np.argsort(brightness), int(np.clip(len(usable) // IN_A_BAND, 1, BANDS)))
    flat = [band[np.argsort(texture[band])][: max(4, int(share * len(band)))] for band in order]

    def power(chosen: np.ndarray) -> np.ndarray:
        return noise_power(*(part[chosen] for part in (taken, moved, added, noisy)))

    shape, measuring = None, frequency() >= HIGH
    if correlation is not None:
        measuring = frequency() >= MIDDLE
        shape = smooth_spectrum(power(np.concatenate(flat)), reach_of(correlation))
        if shape is None:
            return first
    among = 1.0 if shape is None else float(shape[measuring].mean())
    found = [float(power(band)[measuring].mean()) / among * float(variance[band].mean()) for band in flat]
    at = np.array([brightness[band].mean() for band in flat])
    numbers = np.array([len(band) * STEP**2 * measuring.mean() for band in flat])
    try:
        model = fit_line(at, np.array(found), np.sqrt(2 / numbers), texture=False).model
    except (CuelloError, np.linalg.LinAlgError):
        return first
    if not apart(model, noise, at) <= math.log(BELIEVED):
        return first
    if shape is not None and not less(model, noise, probe.result):
        return first
    return Remeasured(model, None if shape is None else correlation_of(shape), again=True)


def less(model: NoiseModel, first: NoiseModel, result: np.ndarray) -> bool:
    """Tell whether a model has clearly less noise in an image than the first one has."""
    second, before = (float(one.variance(result).mean()) for one in (model, first))
    return second < math.exp(-LESS) * before


def spectra(plane: np.ndarray) -> np.ndarray:
    """Give the spectra of all blocks, ``(blocks, SIDE, SIDE)``, scaled so that white noise has the power 1."""
    window = np.outer(np.hanning(SIDE + 2)[1:-1], np.hanning(SIDE + 2)[1:-1])
    return fft2(blocks_of(plane) * (window / math.sqrt((window**2).sum())))


def blocks_of(plane: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(plane, (SIDE, SIDE))[::STEP, ::STEP].reshape(-1, SIDE, SIDE)


def means(plane: np.ndarray) -> np.ndarray:
    return blocks_of(plane).mean((1, 2))


def cut_off(noisy: np.ndarray) -> np.ndarray:
    """Tell blocks with more than two pixels at the lowest or highest value, where several pixels have that."""
    ends = [end for end in (noisy.min(), noisy.max()) if np.count_nonzero(noisy == end) > 2]
    return (blocks_of(np.isin(noisy, ends)).sum((1, 2)) > 2) if ends else np.zeros(len(blocks_of(noisy)), bool)


def noise_power(taken: np.ndarray, moved: np.ndarray, added: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Give the power of the noise at each frequency, ``(SIDE, SIDE)``: of what was taken away, by what was kept.

    All are spectra of blocks. At low frequencies, of which much is kept, it is no more than a guess.
    """
    kept = np.real(moved * added.conj()).mean(0) / np.maximum((np.abs(added) ** 2).mean(0), np.finfo(float).tiny)
    power, most = (mirrored((np.abs(one) ** 2).mean(0)) for one in (taken, noisy))
    return np.minimum(power / (1 - np.clip(mirrored(kept), 0, KEPT)), most)


def mirrored(spectrum: np.ndarray) -> np.ndarray:
    """Give the mean of a spectrum and of that of the image turned by half: they are of one power."""
    return (spectrum + np.roll(spectrum[::-1, ::-1], 1, (0, 1))) / 2


def reach_of(correlation: np.ndarray) -> int:
    """Tell how many pixels away noise is still alike."""
    middle = correlation.shape[0] // 2
    rows, columns = np.nonzero(np.abs(correlation) > 0.15)
    return int(max(np.abs(rows - middle).max(), np.abs(columns - correlation.shape[1] // 2).max(), 2))


def smooth_spectrum(power: np.ndarray, reach: int) -> np.ndarray | None:
    """Draw the spectrum of noise that is alike over ``reach`` pixels through the frequencies free of texture.

    Low ones follow from the others: such a spectrum is a sum of so many cosines. None where the reach is too far, or
    nothing is left.
    """
    if reach > LAGS:
        return None
    rates = 2 * np.pi * np.fft.fftfreq(SIDE)
    waves: Sequence[np.ndarray] = [
        np.cos(row * rates[:, None] + column * rates)
        for row in range(reach + 1)
        for column in range(-reach, reach + 1)
        if row > 0 or column >= 0
    ]
    basis, known = np.stack(waves, -1), frequency() >= MIDDLE
    scale = np.maximum(power[known], 1e-3 * power[known].mean())
    heights = np.linalg.lstsq(basis[known] / scale[:, None], power[known] / scale, rcond=None)[0]
    found = np.maximum(basis @ heights, 0)
    return found / found.mean() if found.mean() > 0 else None


def correlation_of(shape: np.ndarray) -> np.ndarray:
    """Turn a spectrum into the correlation for ``REACH`` lags on either side, 1 in the middle."""
    middle = SIDE // 2
    lags = np.fft.fftshift(ifft2(shape).real)
    part = lags[middle - REACH : middle + REACH + 1, middle - REACH : middle + REACH + 1]
    return part / part[REACH, REACH]
