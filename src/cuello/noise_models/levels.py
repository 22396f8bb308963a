"""Noise that values on a few levels bound from above, whatever pattern the levels make.

Of a level and Gaussian noise of deviation σ, the mean of exp(2πi t x) is no longer than exp(-2π² σ² t²), and an image
is a mixture of levels. Where that mean is longer, what neighbours differ by is the image's pattern: a checkerboard has
no flat place to measure noise on, and yet its values crowd.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cuello.noise_models.estimate import NoiseCurve, finite, step_of
from cuello.noise_models.model import NoiseModel

BINS, FINER = 1 << 14, 8
"""Places at which values are counted, and rates for each."""
LONG, FASTEST = 0.5, 1.2
"""Means from this length tell of levels, at rates up to so many periods a deviation of the noise."""
WITHIN = 1.5
"""How many times the bound an estimate must be to be taken for a pattern's."""
ROUNDS = 6


def sharper_curve(images: Sequence[np.ndarray], found: NoiseCurve) -> NoiseCurve | None:
    """Give a curve of one deviation where values lie closer to levels than the one that was found; else None.

    Photons that show one by one crowd too, at their multiples, which is no pattern; in brightness that is all within
    two of them, as a checkerboard's is, they are not told from one.
    """
    if found.photons and np.ptp(found.brightness) > 2 * found.model.gain:
        return None
    least = float(found.model.deviation(found.brightness).min())
    bound = most_noise(images, least)
    if bound * WITHIN >= least:
        return None
    model = NoiseModel(0.0, bound**2)
    return replace(found, variance=np.full_like(found.variance, bound**2), model=model)


def most_noise(images: Sequence[np.ndarray], deviation: float) -> float:
    """Give the largest deviation of noise that the values allow, or the one that was estimated where they allow that.

    Values that are the lowest or the highest are passed over: cut off, they have no noise.
    """
    several = [finite(image).astype(np.float64) for image in images]
    values = np.concatenate([one[(one > one.min()) & (one < one.max())] for one in several])
    step = step_of(images)
    if len(values) < 256 or deviation <= step or not np.ptp(values):  # counts crowd by themselves
        return deviation
    counts, edges = np.histogram(values, BINS)
    lengths = np.abs(np.fft.rfft(counts / len(values), FINER * BINS))[1:]
    rates = np.arange(1, len(lengths) + 1) / (FINER * BINS * float(edges[1] - edges[0]))
    known = (lengths > LONG) & (rates < 0.5 / step if step else True)
    bounds = np.sqrt(-2 * np.log(np.clip(lengths, np.finfo(float).tiny, 1))) / (2 * np.pi * rates)
    least = deviation
    for _ in range(ROUNDS):
        near = known & (rates <= FASTEST / deviation)
        least = min(deviation, float(bounds[near].min(initial=deviation)))
        if least <= 0 or least > 0.99 * deviation:
            break
        deviation = least
    return least
