"""What was measured, written as the noise that trainings and sweeps take."""

import math

import numpy as np

from cuello.core.errors import CuelloError
from cuello.noise_models.model import NoiseModel

WIDEST = 10.0
"""Standard deviation of the widest kernel, in pixels."""


def camera_spec(
    model: NoiseModel, range: tuple[float, float], neighbour: float = 0.0, stripes: tuple[float, float] = (0.0, 0.0)
) -> str:
    """Write a noise model as the spec string of the noise ``camera``.

    range: values that are black and white in training. neighbour: correlation of a pixel's noise with that of the next
    one, 0 to below 1; below 0 counts as 0. stripes: standard deviation of what whole rows, and whole columns, have in
    common, in the values' unit. A base below 0 becomes the offset from which photons are counted.

    >>> camera_spec(NoiseModel(gain=2, base=-200), (0, 255))
    'camera:2,read=0,offset=100'
    """
    low, high = range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise CuelloError(f"got the range {low}..{high}, needed black below white.")
    unit = 255 / (high - low)
    gain, base = model.gain * unit, (model.base + model.gain * low) * unit**2
    settings = {
        "read": math.sqrt(max(base, 0)),
        "offset": -base / gain if base < 0 else 0.0,
        "correlated": kernel_width(neighbour),
        "rows": stripes[0] * unit,
        "columns": stripes[1] * unit,
    }
    parts = [f"{name}={value:.6g}" for name, value in settings.items() if value or name == "read"]
    return f"camera:{','.join([f'{gain:.6g}', *parts])}"


def kernel_width(neighbour: float) -> float:
    """Find the standard deviation, in pixels, of the Gaussian that gives white noise a correlation of neighbours."""
    from scipy.optimize import brentq

    if not neighbour < 1:
        raise CuelloError(f"got a correlation of {neighbour} between neighbours, needed one below 1.")
    if neighbour < 1e-3:
        return 0.0
    if neighbour >= shared(WIDEST):
        return WIDEST
    return float(brentq(lambda width: shared(width) - neighbour, 0.1, WIDEST, xtol=1e-4))  # pyright: ignore


def shared(width: float) -> float:
    """Give the correlation of neighbours in white noise that a Gaussian, cut off at four times its width, filtered."""
    kernel = np.exp(-0.5 * (np.arange(-int(4 * width + 0.5), int(4 * width + 0.5) + 1) / width) ** 2)
    return float((kernel[1:] * kernel[:-1]).sum() / (kernel**2).sum())
