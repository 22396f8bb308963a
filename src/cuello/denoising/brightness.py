"""Brightness kept: what a restored image is too bright or too dark by, band by band, is given back to it."""

from typing import Any

import numpy as np

BANDS = 24
FEWEST = 400
"""Pixels in a band, at least."""
SURE = 2.0
"""Standard errors below which a band's difference may be chance."""


def keep_brightness(before: np.ndarray, after: np.ndarray, hole: int = 1) -> np.ndarray:
    """Move a restored image, by bands of brightness, to the mean of the noisy pixels that lie there.

    The noise's mean is 0, so the mean of many noisy pixels is right, as long as their own noise did not choose them:
    bands are of the brightness around a pixel, without itself. A difference that may be chance is left, by
    ``d² / (d² + (2 standard errors)²)`` of it between.

    before, after: ``(H, W)`` in the image's unit. hole: side of the square around a pixel whose noise is not
    independent of its own. What bands are each too small to tell, all pixels may: the rest is moved as a whole.
    """
    if after.size < 2 * FEWEST:
        return after
    around, pixels, noisy = surroundings(before, hole).ravel(), after.ravel(), before.ravel()
    bands = np.array_split(np.argsort(around, kind="stable"), min(BANDS, len(pixels) // FEWEST))
    centres = np.array([pixels[band].mean() for band in bands])
    bias = np.array([(noisy[band] - pixels[band]).mean() for band in bands])
    chance = np.array([(noisy[band] - pixels[band]).std() / np.sqrt(len(band)) for band in bands])
    order = np.argsort(centres)
    moved = after + np.interp(after, centres[order], beyond_chance(bias, chance)[order])
    left = before - moved
    return moved + beyond_chance(left.mean(), left.std() / np.sqrt(left.size))


def beyond_chance(bias: Any, error: Any) -> Any:
    """Shrink differences by what may be chance, their standard errors being ``error``."""
    return bias * (bias**2 / np.maximum(bias**2 + (SURE * error) ** 2, np.finfo(float).tiny))


def surroundings(values: np.ndarray, hole: int) -> np.ndarray:
    """Give the mean around every pixel, in a square of five pixels a side more than the hole, without the hole."""
    from scipy.ndimage import uniform_filter

    side = hole + 4
    whole, inner = (uniform_filter(values, n, mode="reflect") * n**2 for n in (side, hole))
    return (whole - inner) / (side**2 - hole**2)
