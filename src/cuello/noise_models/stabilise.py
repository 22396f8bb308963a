"""The transform that gives noise of every brightness the standard deviation 1, and the way back."""

import numpy as np

from cuello.noise_models.model import NoiseModel


def stabilise(values: np.ndarray, model: NoiseModel) -> np.ndarray:
    """Transform values so that their noise has a standard deviation near 1 everywhere (generalised Anscombe).

    ``2 / g · √max(g x + 3/8 g² + b, 0)``; without gain ``x / √b``.

    values: any shape and numeric type, in the model's unit. model: with noise, its gain or its base above 0. Returns
    float64 of the same shape; increasing in the values.

    >>> stabilise(np.array([0.0, 6.0]), NoiseModel(gain=0, base=4)).tolist()
    [0.0, 3.0]

    Source: Starck, Murtagh and Bijaoui 1998, "Image processing and data analysis: the multiscale approach", section 2.
    """
    x, gain = np.asarray(values, np.float64), model.gain
    if gain == 0:
        return x / np.sqrt(model.base)
    return 2 / gain * np.sqrt(np.maximum(gain * x + 0.375 * gain**2 + model.base, 0))


def restore(stabilised: np.ndarray, model: NoiseModel) -> np.ndarray:
    """Return from stabilised to expected values, without the bias of the plain algebraic inverse.

    ``x = g (D²/4 + √(3/2)/4 D⁻¹ - 11/8 D⁻² + 5/8 √(3/2) D⁻³ - 1/8) - b/g``, the closed form of the exact unbiased
    inverse: it maps the mean of stabilised noisy values to the expected value. Below D = √(3/2), where the transform
    of no count lies, expected values are the darkest that the model has.

    stabilised: what ``stabilise`` gave, its noise taken off. Returns float64 in the model's unit.

    >>> restore(np.array([0.0, 3.0]), NoiseModel(gain=0, base=4)).tolist()
    [0.0, 6.0]

    Source: Mäkitalo and Foi 2013, "Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian
    noise", equation 10.
    """
    gain = model.gain
    if gain == 0:
        return np.asarray(stabilised, np.float64) * np.sqrt(model.base)
    root = np.sqrt(1.5)
    d = np.maximum(np.asarray(stabilised, np.float64), root)
    photons = d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 / 8 * root / d**3 - 1 / 8
    return gain * np.maximum(photons, 0) - model.base / gain
