"""Noise of which a part was cut off: what the rest would be, by how many values are at the ends."""

import numpy as np
from scipy.special import ndtri


def uncut(
    mean: np.ndarray, variance: np.ndarray, below: np.ndarray, above: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean and the variance that Gaussian values had before what lay beyond two ends was set to them.

    mean, variance: of the values as they are, any shape, in a unit and its square. below, above: shares of values at
    the lower and at the upper end, 0 to below 1, together below 1.

    >>> values = np.random.default_rng(0).normal(3, 2, 100_000)
    >>> kept = np.maximum(values, 2)
    >>> found = uncut(kept.mean(), kept.var(), below=(kept == 2).mean(), above=np.zeros(()))
    >>> [round(float(one), 1) for one in found]
    [3.0, 4.0]

    Source: Foi 2009, "Clipped noisy images: heteroskedastic modeling and practical denoising", section 2.
    """
    ends = []
    for share, sign in ((below, -1), (above, 1)):
        some = np.asarray(share) > 0
        at = np.where(some, -sign * ndtri(np.where(some, share, 0.5)), 0.0)
        density = np.where(some, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), 0.0)
        ends.append((np.asarray(share), at, density))
    (low, from_low, at_low), (high, to_high, at_high) = ends
    moved = low * from_low + high * to_high + at_low - at_high
    square = 1 - low - high + low * from_low**2 + high * to_high**2 + from_low * at_low - to_high * at_high
    whole = variance / np.maximum(square - moved**2, np.finfo(float).tiny)
    return mean - np.sqrt(whole) * moved, whole
