"""Some of many, spread evenly."""

import numpy as np


def spread_evenly(count: int, most: int) -> np.ndarray:
    """Choose at most ``most`` of the positions below ``count``, the first and the last among them.

    >>> spread_evenly(10, 4).tolist(), spread_evenly(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))
