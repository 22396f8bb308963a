"""Noise taken off in seconds: made even by a transform, taken off by the network that comes with Cuello."""

import math

import numpy as np

from cuello.denoising.brightness import keep_brightness
from cuello.inference.model import Model
from cuello.noise.stabilise import restore, stabilise
from cuello.noise.survey import NoiseSurvey
from cuello.noise.whiteness import REACH, phases

STRONGEST = 75 / 255
"""The strongest noise that the network was trained on."""
POINT, CHANGED = 6.0, 3.0
"""Pixels that stand out from their restored surroundings by so many standard deviations are no noise, but points; they
come back as they were where the network changed them by more than noise mostly is."""
AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]) / 8
CORRELATED = 0.05
"""Correlations below this are not told from 0."""


def quick(values: np.ndarray, survey: NoiseSurvey, network: Model) -> tuple[np.ndarray, float]:
    """Take the noise off one channel ``(H, W)``, which comes back as float64 in its unit.

    With it comes the standard deviation of what was taken off, where that of the noise is 1.

    Where neighbours' noise is correlated, images of every so many-th pixel, in which it hardly is, are restored.
    """
    even = stabilise(values, survey.model)
    smooth, sigma = np.empty_like(even), deviation_told(survey)
    for target, part in zip(phases(smooth, survey.spacing), phases(even, survey.spacing), strict=True):
        target[...] = smoothed(part, sigma, network)
    smooth = points_kept(even, smooth, sigma)
    return restore(smooth, survey.model), float(np.std(even - smooth))


def smoothed(even: np.ndarray, sigma: float, network: Model) -> np.ndarray:
    """Take noise of one standard deviation off, by a network that takes it off values from 0 to 1."""
    low, high = float(even.min()), float(even.max())
    span = max(high - low, sigma / STRONGEST)
    shares = ((even - low) / span).astype(np.float32)[:, :, None]
    return network.restore(shares, level=sigma / span)[:, :, 0].astype(np.float64) * span + low


def points_kept(even: np.ndarray, smooth: np.ndarray, sigma: float) -> np.ndarray:
    """Give single pixels that are too far from all around them to be noise their own value back."""
    from scipy.ndimage import convolve

    stands_out = np.abs(even - convolve(smooth, AROUND, mode="nearest")) > POINT * sigma
    return np.where(stands_out & (np.abs(even - smooth) > CHANGED * sigma), even, smooth)


def deviation_told(survey: NoiseSurvey) -> float:
    """Say how strong white noise would be that is as strong as this noise where it is strongest: at low frequencies.

    In units of the noise's standard deviation: ``√(Σ ρ)`` over the lags that sub-sampling leaves; 1 for white noise.
    """
    left = survey.correlation[REACH % survey.spacing :: survey.spacing, REACH % survey.spacing :: survey.spacing]
    return math.sqrt(max(1.0, float(left[np.abs(left) > CORRELATED].sum())))


def brightness_kept(values: np.ndarray, smooth: np.ndarray, known: np.ndarray, survey: NoiseSurvey) -> np.ndarray:
    return keep_brightness(values, smooth, known=known, hole=2 * survey.spacing - 1)
