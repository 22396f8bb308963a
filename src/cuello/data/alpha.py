"""Colours under full transparency, which nobody sees: they never reach the visible ones, and come back as they were."""

from collections.abc import Callable

import numpy as np


def covered(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give hidden pixels the colour of the nearest visible one.

    pixels: ``(H, W, C)``. alpha: ``(H, W, 1)``, 0 where a pixel is hidden. Where all or none are, nothing changes.

    >>> covered(np.array([[[7], [99], [99]]]), np.array([[[255], [0], [0]]]))[0, :, 0].tolist()
    [7, 7, 7]
    """
    hidden = alpha[..., 0] == 0
    if not hidden.any() or hidden.all():
        return pixels
    from scipy.ndimage import distance_transform_edt

    rows, columns = np.asarray(distance_transform_edt(hidden, return_distances=False, return_indices=True))
    return pixels[rows, columns]


def where_seen(
    restore: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    alpha: np.ndarray,
    larger: np.ndarray,
    gaps: bool = False,
) -> np.ndarray:
    """Restore pixels as if what is hidden had its neighbours' colours, and put back what was hidden.

    restore: makes ``(sH, sW, C)`` of ``(H, W, C)``. pixels, alpha: as for ``covered``. larger: the
    result's transparency, ``(sH, sW, 1)``; colours that it hides are those that were hidden, repeated. gaps: hidden
    pixels are NaN in what is restored, for what looks at no such pixel.
    """
    if alpha.all() or not alpha.any():
        return restore(pixels)
    scale = larger.shape[0] // alpha.shape[0]
    hidden = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    restored = restore(marked(pixels, alpha) if gaps else covered(pixels, alpha))
    if gaps and pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        restored = np.where(larger == 0, 0, restored).round().clip(limits.min, limits.max).astype(pixels.dtype)
    return np.where(larger == 0, hidden, restored)


def marked(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Give hidden pixels NaN for a value; where none is hidden, or all are, nothing changes.

    >>> marked(np.array([[[7], [9]]]), np.array([[[255], [0]]]))[0, :, 0].tolist()
    [7.0, nan]
    """
    if alpha is None or alpha.all() or not alpha.any():
        return pixels
    return np.where(alpha == 0, np.nan, pixels)
