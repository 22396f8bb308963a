"""How much noise a pixel has at each brightness."""

import math
from dataclasses import dataclass

import numpy as np

from cuello.core.errors import CuelloError


@dataclass(frozen=True)
class NoiseModel:
    """Poisson and Gaussian noise: the variance of a pixel of expected value x is ``gain · x + base``.

    gain: values a photon (or electron) counts for, 0 where the noise does not depend on brightness; in the values'
    unit. base: variance at the value 0, in the unit squared: what reading adds, less the gain times the value that no
    light gives. It may be below 0, where that offset is large.

    >>> model = NoiseModel(gain=2, base=9)
    >>> float(model.deviation(0)), float(model.deviation(20)), model.read
    (3.0, 7.0, 3.0)

    Source: Foi, Trimeche, Katkovnik and Egiazarian 2008, "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data", equations 1 to 5.
    """

    gain: float
    base: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.gain) and math.isfinite(self.base) and self.gain >= 0):
            raise CuelloError(
                f"got a gain of {self.gain} and a base of {self.base}, needed numbers, the gain 0 or more."
            )
        if self.gain == 0 and self.base < 0:
            raise CuelloError(f"got a base of {self.base} with a gain of 0, needed 0 or more: no variance is below 0.")

    @property
    def read(self) -> float:
        """Standard deviation of the noise at the value 0; 0 where the model has none there."""
        return math.sqrt(max(self.base, 0.0))

    @property
    def darkest(self) -> float:
        """The value at which the model's variance is 0; -infinity where the noise is the same everywhere."""
        return -self.base / self.gain if self.gain else -math.inf

    def variance(self, values: "np.ndarray | float") -> np.ndarray:
        """Give the variance at each expected value, in the unit squared, 0 below ``darkest``."""
        return np.maximum(self.gain * np.asarray(values, np.float64) + self.base, 0)

    def deviation(self, values: "np.ndarray | float") -> np.ndarray:
        """Give the standard deviation at each expected value, in the values' unit."""
        return np.sqrt(self.variance(values))


def apart(one: NoiseModel, other: NoiseModel, at: np.ndarray, least: float = np.finfo(float).tiny) -> float:
    """Tell how far the variances of two models are apart: the logarithm of their ratio, the median over brightness.

    at: the brightness, any shape, in the models' unit. least: variance, in the unit squared, below which none counts.

    >>> round(apart(NoiseModel(gain=0, base=4), NoiseModel(gain=0, base=2), np.array([0.0, 9.0])), 3)  # log 2
    0.693
    """
    mine, theirs = (np.log(np.maximum(model.variance(at), least)) for model in (one, other))
    return float(np.median(np.abs(mine - theirs)))
