"""What a code of a few numbers is measured against: principal components of the training images, and their mean."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError

MOST_IMAGES, MOST_NUMBERS = 20_000, 16_384
"""Training images that components are fitted to, at most, and the largest image (C · H · W) they are fitted for."""


@dataclass(frozen=True)
class Reference:
    """A method fitted to the training images: its name, what a table calls it, and what it does.

    run: images ``(N, C, H, W)`` to restored ones, or, beside a classifier, to classes ``(N,)``.
    """

    name: str
    label: str
    run: Callable[[Tensor], Tensor]


def principal_components(images: np.ndarray, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the mean ``(P,)`` and the first components ``(numbers, P)``, orthonormal rows, of images ``(N, P)``.

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
    nothing = np.zeros((0, every.shape[1]))
    found = [Reference("mean", "mean image", projection(every.mean(0, dtype=np.float64), nothing))]
    if numbers < min(every.shape):
        mean, components = principal_components(every, numbers)
        label = f"PCA, {numbers} number{'s' if numbers > 1 else ''}"
        found.append(Reference("pca", label, projection(mean, components)))
    return found


def projection(mean: np.ndarray, components: np.ndarray) -> Callable[[Tensor], Tensor]:
    """Make a function that projects images on components and back, cut to [0, 1]."""
    centre, basis = torch.from_numpy(mean).float(), torch.from_numpy(components.copy()).float()

    def run(images: Tensor) -> Tensor:
        flat = images.flatten(1) - centre
        return (flat @ basis.T @ basis + centre).clamp(0, 1).view_as(images)

    return run


def logistic_regression(x: Tensor, labels: Tensor, classes: int, most_steps: int = 100) -> tuple[Tensor, Tensor]:
    """Fit weights ``(P, K)`` and biases ``(K,)`` of the linear classifier of least cross-entropy on ``x``.

    Mean cross-entropy + ``|weights|² / 2N`` is minimised by L-BFGS.

    x: ``(N, P)`` float, each column of mean 0 and deviation 1. labels: ``(N,)`` int64.
    """
    weights = torch.zeros(x.shape[1], classes, requires_grad=True)
    biases = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, biases], max_iter=most_steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weights + biases, labels)
        loss = loss + weights.square().sum() / (2 * len(x))
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach(), biases.detach()


def fit_class_references(batches: Iterable[tuple[Tensor, Tensor]], classes: Sequence[str]) -> list[Reference]:
    """Find the largest class and a logistic regression on the pixels, both of the training images.

    batches: images ``(N, C, H, W)`` and their labels ``(N,)``; the regression takes the first MOST_IMAGES at most, and
    is left out where an image has more than MOST_NUMBERS numbers.
    """
    kept, known, count = [], [], 0
    for images, labels in batches:
        known.append(labels)
        if count < MOST_IMAGES and images[0].numel() <= MOST_NUMBERS:
            kept.append(images.flatten(1))
            count += len(images)
    labels = torch.cat(known)
    largest = int(torch.bincount(labels, minlength=len(classes)).argmax())
    majority = Reference(
        "majority", f"always {classes[largest]}", lambda images: torch.full((len(images),), largest, dtype=torch.int64)
    )
    if not kept:
        return [majority]
    x = torch.cat(kept)[:MOST_IMAGES]
    size, mean, deviation = x.shape[1], x.mean(0), x.std(0).clamp(min=1e-3)
    weights, biases = logistic_regression((x - mean) / deviation, labels[: len(x)], len(classes))

    def predict(images: Tensor) -> Tensor:
        flat = images.flatten(1)
        if flat.shape[1] != size:
            raise CuelloError(f"got images of {flat.shape[1]} numbers, the logistic regression was fitted to {size}.")
        return ((flat - mean) / deviation @ weights + biases).argmax(1)

    return [majority, Reference("logistic", "logistic regression on pixels", predict)]
