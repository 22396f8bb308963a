"""Photons that show one by one: where reading adds less than a photon, values crowd at multiples of the gain.

Of values g · k + e, k whole numbers and e Gaussian with deviation σ around an offset, the mean of exp(2πi x / g)
has the length exp(-2π² σ² / g²), whatever the images show: the mean of the whole numbers' part is 1. So texture
does not matter, and σ is found where photons make nearly all of the noise, which a line through variances does not
tell.
"""

from collections.abc import Sequence

import numpy as np

from cuello.noise_models.model import NoiseModel

AROUND = 1.2
"""How many times the gain of the line, or as small a part of it, is looked at."""
PARTS, FINER = 64, 8
"""Places between two multiples of the gain at which values are counted, and rates for each that the counts tell."""
CHANCE, PLAIN = 12.0, 1.8
"""A crowd is none below so many times what chance gives, or what other gains give."""
SAME = 0.1
"""By which share variances may differ from those of the line, at half of the brightness."""
ZERO = 0.1
"""Values counted from so small a part of a photon are counted from 0."""


def of_photons(images: Sequence[np.ndarray], line: NoiseModel, brightness: np.ndarray) -> NoiseModel | None:
    """Give the noise model of values that crowd at multiples of a gain near the line's; None where they do not.

    images: arrays of any shape without values that are cut off; NaNs do not count. line: what was found without this.
    brightness: where both must give nearly the same variance.
    """
    values = np.concatenate([image[np.isfinite(image)].astype(np.float64) for image in images])
    span = float(np.ptp(values))
    if line.gain <= 0 or span < 2 * line.gain or span > 1e5 * line.gain:
        return None
    counts, edges = np.histogram(values, int(PARTS * span / line.gain) + 1)
    size, width = FINER * len(counts), float(edges[1] - edges[0])
    near = np.arange(int(size * width / AROUND / line.gain), int(size * width * AROUND / line.gain) + 1)
    rates = near / (size * width)
    first = float(edges[0]) + width / 2
    sums = np.conj(np.fft.rfft(counts / len(values), size)[near]) * np.exp(2j * np.pi * rates * first)
    lengths = np.abs(sums)
    best = int(lengths.argmax())
    if lengths[best] < max(CHANCE / np.sqrt(len(values)), PLAIN * float(np.median(lengths))):
        return None
    for _ in range(3):  # reading makes higher rates shorter, which moves the longest
        spread = -np.log(min(lengths[best], 1.0)) / rates[best] ** 2
        best = int((lengths * np.exp(spread * (rates**2 - rates[best] ** 2))).argmax())
    if best in (0, len(rates) - 1):
        return None
    gain, length = 1 / float(rates[best]), min(float(lengths[best]), 1.0)
    read = -2 * np.log(length) * (gain / (2 * np.pi)) ** 2
    offset = float(np.angle(sums[best])) / (2 * np.pi) * gain
    offset += gain * round(((read - line.base) / gain - offset) / gain)
    found = NoiseModel(gain, float(read - gain * (offset if abs(offset) > ZERO * gain else 0.0)))
    expected = line.variance(brightness)
    near = np.abs(found.variance(brightness) - expected) < SAME * expected
    return found if near.mean() > 0.5 else None
