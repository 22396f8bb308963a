"""Codes as points of a plane, and which are near which."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
import torch

from cuello.core.caller import caller_kept
from cuello.core.errors import CuelloError, unknown
from cuello.inference.model import Model
from cuello.scoring.references import principal_components

Method = Literal["pca", "tsne", "umap"]

PACKAGES = {"tsne": ("sklearn", "scikit-learn"), "umap": ("umap", "umap-learn")}
"""By method, the module it needs and the package to install for it."""
ROWS = 256
"""Rows of distances that are worked out at once."""


@dataclass(frozen=True)
class Projection:
    """Codes as points of a plane, ``(N, 2)`` float64.

    method: None where the codes are such points themselves. share: of the variance that pca keeps, 0 to 1, else None.
    """

    points: np.ndarray
    method: Method | None
    share: float | None = None


@dataclass(frozen=True)
class Neighbours:
    """The nearest images by their codes, nearest first.

    positions: ``(Q, k)`` int64, which of the images. distances: ``(Q, k)``, Euclidean, between codes.
    """

    positions: np.ndarray
    distances: np.ndarray


@caller_kept()
def project(codes: np.ndarray, method: Method | None = None, seed: int = 0) -> Projection:
    """Bring codes of any number of numbers to points of a plane.

    codes: ``(N, …)``, N of 3 or more, two numbers or more each. method: "pca", the first two principal components;
    "tsne", from scikit-learn, or "umap", from umap-learn, where they are installed: both keep neighbours together, but
    distances and the sizes of gaps mean little; None: codes of two numbers stay as they are, others go by "pca". seed:
    of tsne and umap. Raises CuelloError for other methods and shapes, and where the package is missing.

    Sources: t-SNE: van der Maaten and Hinton 2008; UMAP: McInnes et al. 2018.

    >>> found = project(np.array([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0], [0.0, 6.0, 8.0]]))
    >>> found.method, found.share, found.points.round(6).tolist()[0]
    ('pca', 1.0, [-5.0, 0.0])
    """
    if method is not None:
        check_method(method)
    if codes.ndim < 2 or len(codes) < 3 or codes[0].size < 2:
        raise CuelloError(
            f"got codes of shape {codes.shape}, needed three or more, of two numbers or more: others need no map."
        )
    rows = codes.reshape(len(codes), -1).astype(np.float64)
    if method is None and rows.shape[1] == 2:
        return Projection(rows, None)
    method = method or "pca"
    if method == "pca":
        mean, axes = main_axes(rows)
        points = (rows - mean) @ axes.T
        whole = float(((rows - mean) ** 2).sum())
        return Projection(points, method, float((points**2).sum()) / whole if whole else 1.0)
    if method == "tsne":
        tsne = import_module("sklearn.manifold").TSNE
        tool = tsne(2, perplexity=min(30.0, (len(rows) - 1) / 3), init="pca", random_state=seed)
    else:
        umap = import_module("umap").UMAP
        start = "spectral" if len(rows) > 10 else "random"  # fewer have too few eigenvectors
        tool = umap(n_components=2, n_neighbors=min(15, len(rows) - 1), init=start, random_state=seed, n_jobs=1)
    return Projection(np.asarray(tool.fit_transform(rows.astype(np.float32)), np.float64), method)


def check_method(method: str) -> None:
    """Raise CuelloError for a method that there is not, or whose package is not installed."""
    if method not in get_args(Method):
        raise unknown("method", method, get_args(Method))
    module, package = PACKAGES.get(method, ("", ""))
    if module and find_spec(module) is None:
        raise CuelloError(
            f"the method {method!r} needs {package}, which is not installed: pip install {package}, or "
            "'cuello[latent]' for both. Or take pca."
        )


def main_axes(rows: np.ndarray, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Find the mean ``(P,)`` and the first principal axes ``(count, P)`` of ``(N, P)`` numbers.

    Each axis is turned so that its largest number is positive: the same on every machine.
    """
    mean, axes = principal_components(rows, count)
    largest = axes[np.arange(count), np.abs(axes).argmax(1)]
    return mean, axes * np.where(largest < 0, -1.0, 1.0)[:, None]


def neighbours(model: Model, images: Any, queries: Any, k: int = 5) -> Neighbours:
    """Find the ``k`` images whose codes are nearest to each query's.

    images, queries: as ``encode`` takes them; k: 1 to the number of images. A query that is one of the images finds
    itself, at distance 0 but for rounding. Raises CuelloError for another k.
    """
    return nearest(model.encode(images), model.encode(queries), k)


def nearest(codes: np.ndarray, queries: np.ndarray, k: int) -> Neighbours:
    """Find the ``k`` codes nearest to each query, ``(N, …)`` and ``(Q, …)``; equally near ones in their order.

    >>> nearest(np.array([[0.0], [5.0], [1.0]]), np.array([[2.0]]), 2).positions.tolist()
    [[2, 0]]
    """
    if not 1 <= k <= len(codes):
        raise CuelloError(f"k: got {k}, needed 1 to {len(codes)}, the number of images.")
    rows, asked = (torch.as_tensor(part).double().flatten(1) for part in (codes, queries))
    positions, distances = [], []
    for part in asked.split(ROWS):
        apart = torch.cdist(part, rows, compute_mode="donot_use_mm_for_euclid_dist")  # exact, unlike its products
        values, order = apart.sort(dim=1, stable=True)
        positions.append(order[:, :k].clone())
        distances.append(values[:, :k].clone())
    return Neighbours(torch.cat(positions).numpy(), torch.cat(distances).numpy())
