"""Whole numbers that keep the brightness of what lies between them."""

import numpy as np

ACROSS, DOWN = 0.7548776662466927, 0.5698402909980532
"""Steps that spread over 0 to 1 most evenly in two directions: 1/ρ and 1/ρ², where ρ³ = ρ + 1.

Source: Roberts 2018, "The unreasonable effectiveness of quasirandom sequences".
"""


def in_steps(values: np.ndarray) -> np.ndarray:
    """Round values ``(H, W)`` up or down so that the mean of some neighbours is as before; whole numbers stay.

    >>> in_steps(np.full((100, 100), 0.3)).mean().round(2)
    np.float64(0.3)
    """
    rows, columns = np.ogrid[: values.shape[0], : values.shape[1]]
    return np.floor(values + (rows * DOWN + columns * ACROSS) % 1)
