"""How much there is to see in a part of an image."""

from itertools import product

import numpy as np

from cuello.data.levels import full_scale

FLAT = 1 / 255
"""Less detail than this is a flat square: its neighbouring pixels differ by less than one of 255 steps, on average."""
MOST_LINES = 64
"""Rows, and columns, along which the detail of a large part is measured, at most; spread evenly."""


def detail_of(pixels: np.ndarray) -> float:
    """Return the mean absolute difference of neighbouring pixels of ``(H, W, C)``, along rows and columns; white is 1.

    >>> detail_of(np.array([[[0], [255]], [[0], [255]]], np.uint8))
    0.5
    """
    height, width = pixels.shape[:2]
    rows = pixels[:: -(-height // MOST_LINES)].astype(np.float32)
    columns = pixels[:, :: -(-width // MOST_LINES)].astype(np.float32)
    across = np.abs(np.diff(rows, axis=1)).mean() if width > 1 else 0.0
    down = np.abs(np.diff(columns, axis=0)).mean() if height > 1 else 0.0
    return float(across + down) / 2 / full_scale(pixels.dtype)


def most_detailed(pixels: np.ndarray, side: int) -> tuple[int, int]:
    """Return top and left of the square of ``side`` pixels with the most detail, of those half a side apart."""
    room = [max(0, length - side) for length in pixels.shape[:2]]
    tops, lefts = ([*range(0, last, max(1, side // 2)), last] for last in room)
    return max(product(tops, lefts), key=lambda at: detail_of(pixels[at[0] : at[0] + side, at[1] : at[1] + side]))
