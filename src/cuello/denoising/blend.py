"""Results of an image and of smaller ones put together, by weights that captures of one scene tell.

A network that looks at few pixels cannot tell slow noise from slow changes of brightness. In images of means of 2x2 and
4x4 pixels noise is weaker, and the network looks farther; and what it took away of the image, blurred, holds little
noise. The result is the network's and weighted differences to these, by least squares against the other captures. (A
single image tells such weights too, by how results follow a little more noise; on photographs they gain nothing, and
lose much where the noise model is wrong.)

Source: Luisier, Blu and Unser 2007, "A new SURE approach to image denoising: interscale orthonormal wavelet
thresholding", for results that are a sum of several, their weights by linear equations.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST = 32
"""Side of images whose smaller ones are restored too, at least."""
NARROW, BROAD = 1.0, 2.5
"""Standard deviations, in pixels, of the blurs of what smaller images differ by."""
NEAR, FAR = 1.5, 4.0
"""The same of what was taken away."""
RIDGE = 1e-6
"""Share of the equations' size that is added to their diagonal, so that they always have an answer."""


@dataclass(frozen=True)
class Layers:
    """An image ``(H, W)`` whose noise is even, and what was made of it.

    fine: its noise taken off. half, quarter: the same of means of 2x2 and 4x4 pixels, enlarged.
    """

    even: np.ndarray
    fine: np.ndarray
    half: np.ndarray
    quarter: np.ndarray

    def directions(self) -> np.ndarray:
        """Give what may be added to the fine result, ``(K, H, W)``."""
        from scipy.ndimage import gaussian_filter

        taken, steps = self.even - self.fine, (self.half - self.fine, self.quarter - self.half)
        blurred = [gaussian_filter(step, sigma) for sigma in (NARROW, BROAD) for step in steps]
        return np.stack([*steps, *blurred, *(gaussian_filter(taken, sigma) for sigma in (NEAR, FAR))])


@dataclass(frozen=True)
class Blend:
    """How results are put together.

    weights: of the directions. slow: how much stronger noise is in means of many pixels than a network is told of
    single ones, where neighbours share noise; 1 where they do not.
    """

    weights: tuple[float, ...]
    slow: float = 1.0

    def of(self, layers: Layers) -> np.ndarray:
        """Put results together: ``fine + Σ weight · direction``, ``(H, W)``."""
        return layers.fine + np.tensordot(np.array(self.weights), layers.directions(), 1)


def smaller(even: np.ndarray, times: int, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Change the image of means of so many by so many pixels, and enlarge it again to ``(H, W)``.

    >>> smaller(np.full((5, 6), 3.0), 2, lambda values: values + 1).round(6).tolist() == [[4.0] * 6] * 5
    True
    """
    from scipy.ndimage import zoom

    height, width = even.shape
    padded = np.pad(even, ((0, -height % times), (0, -width % times)), mode="edge")
    rows, columns = (side // times for side in padded.shape)
    means = padded.reshape(rows, times, columns, times).mean((1, 3))
    return np.asarray(zoom(change(means), times, order=3, mode="nearest", grid_mode=True))[:height, :width]


def by_captures(several: Sequence[Layers]) -> tuple[float, ...]:
    """Find the weights for captures of one scene, what was made of each compared with the mean of the others."""
    total = np.sum([one.even for one in several], axis=0)
    others = [(total - one.even) / (len(several) - 1) for one in several]
    return solved([equations(one, other) for one, other in zip(several, others, strict=True)])


def equations(layers: Layers, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the normal equations of the weights that bring results nearest to a target: matrix and right side."""
    directions = layers.directions().reshape(-1, target.size)
    return directions @ directions.T, directions @ (target - layers.fine).ravel()


def solved(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, ...]:
    """Solve the equations of several images together."""
    left, right = (np.sum(part, axis=0) for part in zip(*found, strict=True))
    size = max(float(np.trace(left)) / len(left), math.ulp(0.0))
    return tuple(np.linalg.solve(left + RIDGE * size * np.eye(len(left)), right).tolist())
