"""Noise taken off in seconds: made even by a transform, taken off by the network that comes with Cuello, undone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cuello.denoising.blend import SMALLEST, Blend, Layers, smaller
from cuello.denoising.brightness import keep_brightness
from cuello.inference.model import Model
from cuello.noise_models.stabilise import restore, stabilise
from cuello.noise_models.survey import NoiseSurvey
from cuello.noise_models.whiteness import REACH, phases

Change = Callable[[np.ndarray], np.ndarray]
"""Makes values ``(H, W)`` of values, float64."""

STRONGEST = 75 / 255
"""The strongest noise that the network was trained on."""
POINT, CHANGED = 6.0, 3.0
"""Pixels that stand out from their restored surroundings by so many standard deviations are no noise, but points; they
come back as they were where the network changed them by more than noise mostly is."""
AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]) / 8
SCALES = (2, 4)
"""Sides of the squares of pixels whose means are restored too."""
CORRELATED = 0.05
"""Correlations below this are not told from 0."""


@dataclass(frozen=True)
class Transform:
    """What makes noise even, and undoes that. deviation: of the noise between, as the network is told it."""

    there: Change
    back: Change
    deviation: float


def transform_of(survey: NoiseSurvey) -> Transform:
    """Return the transform of a noise model."""
    model = survey.model
    return Transform(partial(stabilise, model=model), partial(restore, model=model), deviation_told(survey))


def take_off(
    values: np.ndarray,
    transform: Transform,
    spacing: int,
    *,
    network: Model,
    turns: bool,
    blend: Blend | None = None,
    hole: int = 1,
) -> np.ndarray:
    """Take the noise off one channel ``(H, W)`` whose values are all numbers; in its unit, float64.

    spacing: where neighbours' noise is correlated, images of every so many-th pixel, in which it hardly is, are
    restored. turns: whether the image is also restored turned and mirrored, eight times, and the mean taken. blend: how
    results of the image and of smaller ones are put together; None, and for tiny images, the image's alone. hole: side
    of the square around a pixel whose noise is not independent of its own.
    """
    even = transform.there(values)
    if blend is None or min(even.shape) < SMALLEST:
        smooth = fine_of(even, transform.deviation, spacing, network=network, turns=turns)
    else:
        smooth = blend.of(layers_of(even, transform.deviation, spacing, network=network, turns=turns, slow=blend.slow))
    smooth = transform.back(points_kept(even, smooth, transform.deviation))
    return keep_brightness(values, smooth, hole=hole)


def fine_of(even: np.ndarray, deviation: float, spacing: int, *, network: Model, turns: bool) -> np.ndarray:
    """Take noise of one standard deviation off an image ``(H, W)``."""
    smooth, change = np.empty_like(even), changing(deviation, network, turns)
    for target, part in zip(phases(smooth, spacing), phases(even, spacing), strict=True):
        target[...] = change(part)
    return without_mesh(smooth, spacing) if spacing > 1 else smooth


def layers_of(
    even: np.ndarray, deviation: float, spacing: int, *, network: Model, turns: bool, slow: float = 1.0
) -> Layers:
    """Take noise off an image ``(H, W)`` and off its smaller ones, in which no single points are."""
    fine = fine_of(even, deviation, spacing, network=network, turns=turns)
    whole = np.where(are_points(even, fine, deviation), fine, even)
    half, quarter = (
        smaller(whole, times, changing(deviation * slow / times, network, turns)) for times in SCALES
    )  # fmt: skip
    return Layers(whole, fine, half=half, quarter=quarter)


def changing(deviation: float, network: Model, turns: bool) -> Change:
    """Give what takes noise of one standard deviation off."""
    change: Change = partial(smoothed, sigma=deviation, network=network)
    return partial(mean_of_eight, change=change) if turns else change


def mean_of_eight(values: np.ndarray, change: Change) -> np.ndarray:
    """Change an image turned and mirrored in all eight ways, turn the results back, and return their mean."""
    total = np.zeros(values.shape)
    for turn in range(4):
        for step in (1, -1):
            made = change(np.ascontiguousarray(np.rot90(values, turn)[:, ::step]))
            total += np.rot90(made[:, ::step], -turn)
    return total / 8


def smoothed(even: np.ndarray, sigma: float, network: Model) -> np.ndarray:
    """Take noise of one standard deviation off, by a network that takes it off values from 0 to 1."""
    low, span = span_of(even, sigma)
    shares = ((even - low) / span).astype(np.float32)[:, :, None]
    return network.restore(shares, level=sigma / span)[:, :, 0].astype(np.float64) * span + low


def without_mesh(smooth: np.ndarray, spacing: int) -> np.ndarray:
    """Take off what images of every so many-th pixel differ by: each was restored with errors of its own.

    A pixel differs from the mean around it by detail, and by the error of its image, which its neighbours in that image
    share; so much as three by three of them share is taken off.
    """
    from scipy.ndimage import uniform_filter

    evened, apart = smooth.copy(), smooth - uniform_filter(smooth, spacing)
    for target, part in zip(phases(evened, spacing), phases(apart, spacing), strict=True):
        np.subtract(target, uniform_filter(part, 3), out=target)
    return evened


def span_of(even: np.ndarray, sigma: float) -> tuple[float, float]:
    """Give the value that stands for black, and how far white is from it: not so near that noise is too strong."""
    low, high = float(even.min()), float(even.max())
    return low, max(high - low, sigma / STRONGEST)


def points_kept(even: np.ndarray, smooth: np.ndarray, sigma: float) -> np.ndarray:
    """Give single pixels that are too far from all around them to be noise their own value back."""
    return np.where(are_points(even, smooth, sigma), even, smooth)


def are_points(even: np.ndarray, smooth: np.ndarray, sigma: float) -> np.ndarray:
    """Tell single pixels that are too far from all around them to be noise."""
    from scipy.ndimage import convolve

    stands_out = np.abs(even - convolve(smooth, AROUND, mode="nearest")) > POINT * sigma
    return stands_out & (np.abs(even - smooth) > CHANGED * sigma)


def deviation_told(survey: NoiseSurvey) -> float:
    """Say how strong white noise would be that is as strong as this noise where it is strongest: at low frequencies.

    In units of the noise's standard deviation: ``√(Σ ρ)`` over the lags that sub-sampling leaves; 1 for white noise.
    """
    left = survey.correlation[REACH % survey.spacing :: survey.spacing, REACH % survey.spacing :: survey.spacing]
    return slow_deviation(left)


def hole_of(survey: NoiseSurvey) -> int:
    """Say how wide the square around a pixel is whose noise follows its own.

    >>> from cuello.noise_models.survey import nothing
    >>> hole_of(nothing("noise-free", (0, 1)))
    1
    """
    lags = np.argwhere(np.abs(survey.correlation) > CORRELATED) - REACH
    return 1 + 2 * int(np.abs(lags).max(initial=0))


def slow_deviation(correlation: np.ndarray) -> float:
    return math.sqrt(max(1.0, float(correlation[np.abs(correlation) > CORRELATED].sum())))
