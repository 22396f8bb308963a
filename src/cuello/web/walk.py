"""A walk over the codes of an autoencoder: known images on a plane, and what is decoded between them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cuello.inference.model import Model, load
from cuello.latent.images import own_images
from cuello.latent.maps import main_axes

MOST = 600
"""Known images on the plane, at most."""


@dataclass(frozen=True)
class CodePlane:
    """A plane of codes.

    points: ``(N, 2)``, where known images lie. mean, axes: a point's code is ``mean + point @ axes``. shape: of a code.
    labels: of each image its name, or "". about: what the plane is, in words.
    """

    model: Model
    points: np.ndarray
    mean: np.ndarray
    axes: np.ndarray
    shape: tuple[int, ...]
    labels: list[str]
    images: np.ndarray
    about: str

    def decoded(self, x: float, y: float) -> np.ndarray:
        """Decode the place (x, y) of the plane: ``(H, W, C)`` of 8 bits."""
        code = self.mean + np.array([x, y])[: len(self.axes)] @ self.axes
        image = self.model.decode(code.reshape(1, *self.shape).astype(np.float32))[0]
        return (255 * image).round().astype(np.uint8)

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The corners of the plane that is shown: all points, and a tenth around them."""
        low, high = self.points.min(0), self.points.max(0)
        room = np.maximum((high - low) / 10, 1e-3)
        return low - room, high + room


def walk_of(model: Model, images: np.ndarray, labels: list[str]) -> CodePlane:
    """Lay the codes of images ``(N, H, W, C)`` on a plane: of their own two numbers, or of principal components."""
    codes = np.asarray(model.encode(images))
    rows = codes.reshape(len(codes), -1).astype(np.float64)
    numbers = rows.shape[1]
    if numbers > 2:
        mean, axes = main_axes(rows)
        about = f"principal components of the code's {numbers:,} numbers"
    else:
        mean, axes = np.zeros(numbers), np.eye(numbers)
        about = "the code's two numbers" if numbers == 2 else "the code's one number"
    points = (rows - mean) @ axes.T
    if points.shape[1] == 1:
        points = np.column_stack([points, np.zeros(len(points))])
    return CodePlane(model, points, mean, axes=axes, shape=codes.shape[1:], labels=labels, images=images, about=about)


@lru_cache(maxsize=2)
def open_walk(path: Path, changed: float) -> CodePlane:
    """Read a run's model and its own images; changed: when the model was written, so that a new one is read again."""
    known = own_images(path, MOST)
    labels = [known.label(place) for place in range(len(known))]
    return walk_of(load(path), known.images, labels)
