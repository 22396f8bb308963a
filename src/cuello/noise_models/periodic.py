"""Patterns that repeat every few pixels, told by isolated peaks in the spectrum of what was taken for noise.

Noise has a smooth spectrum, whatever neighbours share. A colour filter mosaic, a printer's screen or interlaced rows
put power into single frequencies.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.ndimage import percentile_filter

from cuello.noise_models.whiteness import FLAT_BELOW, SIDE, frequency, heard, power

PEAK, AROUND = 4.0, 75
"""A peak is so many times this percentile of the frequencies around it."""
MUCH, MOSAIC = 0.2, 0.05
"""From this share of what counts as noise's variance, peaks are a pattern worth keeping, and those of filters too."""
ELSEWHERE = 0.05
"""A mosaic of 2x2 pixels has no more than this share of its peaks at other periods."""


def repeating(bands: Sequence[np.ndarray]) -> Literal["mosaic", "periodic"] | None:
    """Tell whether what counts as noise is a colour filter mosaic, or another pattern that repeats; else None.

    bands: spectra of blocks, see ``whiteness.spectra_of``.

    >>> from cuello.noise_models.whiteness import spectra_of
    >>> white = np.random.default_rng(0).normal(100, 5, (96, 96))
    >>> repeating(spectra_of([white])), repeating(spectra_of([white + np.tile([[0, 30], [30, 80]], (48, 48))]))
    (None, 'mosaic')
    """
    if not bands:
        return None
    spectrum = power(bands)
    excess = peaks(spectrum)
    weights = heard()
    share = (weights * excess).sum() / max((weights * spectrum).sum(), np.finfo(float).tiny)
    if share >= MOSAIC and is_mosaic(excess):
        return "mosaic"
    return "periodic" if share >= MUCH else None


def peaks(spectrum: np.ndarray) -> np.ndarray:
    """Give how far isolated peaks rise above what is around them, 0 elsewhere; a window makes them 5 places wide."""
    ring = np.ones((7, 7), bool)
    ring[1:-1, 1:-1] = False
    around = percentile_filter(spectrum, AROUND, footprint=ring, mode="wrap")
    return np.where((spectrum > PEAK * around) & (frequency() >= FLAT_BELOW), spectrum - around, 0.0)


def is_mosaic(excess: np.ndarray) -> bool:
    """Tell whether peaks stand at a period of 2 pixels along rows, columns and diagonals, as those of filters do."""
    middle = SIDE // 2
    places = [(0, middle), (middle, 0), (middle, middle)]
    near = np.zeros_like(excess, bool)
    for row, column in places:
        near[np.ix_(np.arange(row - 2, row + 3) % SIDE, np.arange(column - 2, column + 3) % SIDE)] = True
    every = all(excess[place] > 0 for place in places)
    return bool(every and excess[~near].sum() <= ELSEWHERE * excess.sum())
