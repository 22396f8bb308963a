"""What a code of a few numbers is measured against: principal components of the training images, and their mean."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cuello.errors import CuelloError

MOST_IMAGES, MOST_NUMBERS = 20_000, 16_384
"""Training images that components are fitted to, at most, and the largest image (C · H · W) they are fitted for."""


@dataclass(frozen=True)
class Reference:
    """A method fitted to the training images: its name, what a table calls it, and images ``(N, C, H, W)`` restored."""

    name: str
    label: str
    run: Callable[[Tensor], Tensor]


def principal_components(images: np.ndarray, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean ``(P,)`` and the first components ``(numbers, P)``, orthonormal rows, of images ``(N, P)``.

    No other linear code of so many numbers leaves a smaller squared error on these images (Eckart and Young 1936).
    Raises CuelloError where there are more numbers than images or pixels.
    """
    count, pixels = images.shape
    if not 0 < numbers <= min(count, pixels):
        raise CuelloError(f"got {numbers} components of {count} images of {pixels} numbers: needed 1 to the smaller.")
    mean = images.mean(0, dtype=np.float64)
    centred = images.astype(np.float64) - mean
    if count < pixels:  # the eigenvectors of the smaller product give those of the larger
        values, vectors = np.linalg.eigh(centred @ centred.T)
        found = vectors[:, ::-1][:, :numbers].T @ centred
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return mean, np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-9 * max(1, values[-1]))
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return mean, vectors[:, ::-1][:, :numbers].T


def fit_references(batches: Iterable[Tensor], numbers: int) -> list[Reference]:
    """Fit what a code of ``numbers`` numbers is measured against; nothing where the code is no bottleneck.

    batches: training images ``(N, C, H, W)``, of which the first MOST_IMAGES are used.
    """
    parts, count = [], 0
    for images in batches:
        if images[0].numel() > MOST_NUMBERS:
            return []
        parts.append(images.flatten(1).numpy())
        count += len(images)
        if count >= MOST_IMAGES:
            break
    every = np.concatenate(parts)[:MOST_IMAGES]
    found = [
        Reference("mean", "mean image", projection(every.mean(0, dtype=np.float64), np.zeros((0, every.shape[1]))))
    ]
    if numbers < min(every.shape):
        mean, components = principal_components(every, numbers)
        label = f"PCA, {numbers} number{'s' if numbers > 1 else ''}"
        found.append(Reference("pca", label, projection(mean, components)))
    return found


def projection(mean: np.ndarray, components: np.ndarray) -> Callable[[Tensor], Tensor]:
    """Return a function that projects images on components and back, cut to [0, 1]."""
    centre, basis = torch.from_numpy(mean).float(), torch.from_numpy(components.copy()).float()

    def run(images: Tensor) -> Tensor:
        flat = images.flatten(1) - centre
        return (flat @ basis.T @ basis + centre).clamp(0, 1).view_as(images)

    return run
