"""A plane of codes, decoded."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.latent.maps import main_axes

GridKind = Literal["quantiles", "plane", "components"]


@dataclass(frozen=True)
class Grid:
    """A plane of codes, decoded.

    codes: ``(rows, columns, …)``. images: ``(rows, columns, H, W, C)`` in [0, 1]. x: ``(columns,)``, y: ``(rows,)``,
    places on the plane's two axes; the first row has the largest y, so that rows lie as in a picture. kind: "quantiles"
    of the prior, "plane" of the code's own two numbers, or "components", the first two of the codes.
    """

    codes: np.ndarray
    images: np.ndarray
    x: np.ndarray
    y: np.ndarray
    kind: GridKind


def grid(model: Model, side: int = 15, codes: np.ndarray | None = None) -> Grid:
    """Decode a plane of codes, ``side`` by ``side``.

    Without ``codes``: the normal prior's quantiles, Φ⁻¹((k + ½) / side) in each number, for a code of one or two. With
    codes ``(N, …)`` of known images: evenly over the rectangle that holds them, of the code's own numbers if these are
    one or two, else of the first two principal components. A code of one number gives one row. Raises CuelloError for a
    side below 2, or more numbers than two without codes.

    Source: quantiles: Kingma and Welling 2014, appendix D.
    """
    model.check_latent()
    if side < 2:
        raise CuelloError(f"side: got {side}, needed 2 or more.")
    if codes is None:
        return prior_grid(model, side)
    known = np.asarray(codes)
    if known.ndim < 2 or len(known) < 2:
        raise CuelloError(f"got codes of shape {known.shape}, needed (N, …) with two or more.")
    rows = known.reshape(len(known), -1)
    if rows.shape[1] <= 2:
        x, *more = (np.linspace(low, high, side) for low, high in zip(rows.min(0), rows.max(0), strict=True))
        return decoded_grid(model, x, more[0] if more else np.zeros(1), plane(x, *more), "plane", known.shape[1:])
    mean, axes = main_axes(rows)
    points = (rows - mean) @ axes.T
    x, y = (np.linspace(low, high, side) for low, high in zip(points.min(0), points.max(0), strict=True))
    return decoded_grid(model, x, y, mean + plane(x, y) @ axes, "components", known.shape[1:])


def prior_grid(model: Model, side: int) -> Grid:
    """Decode the normal prior's quantiles; see ``grid``."""
    shape = model.latent_shape
    if model.prior != "normal" or shape not in ((1,), (2,)):
        raise CuelloError(
            f"the prior's quantiles need a normal prior and a code of one or two numbers; this network has the prior "
            f"{model.prior!r} and codes of shape {shape}. Give codes of known images, as in grid(model, side, codes)."
        )
    x, flat = quantiles(side), shape == (1,)
    y = np.zeros(1) if flat else x
    return decoded_grid(model, x, y, plane(x) if flat else plane(x, y), "quantiles", shape)


def quantiles(count: int) -> np.ndarray:
    """Return ``count`` numbers between which the standard normal distribution has equal shares.

    >>> quantiles(3).round(4).tolist()
    [-0.9674, 0.0, 0.9674]
    """
    return np.array([NormalDist().inv_cdf((k + 0.5) / count) for k in range(count)])


def plane(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """Return every (x, y) with the largest y first, ``(rows · columns, 2)``; without y ``(columns, 1)``."""
    if y is None:
        return x[:, None]
    across, up = np.meshgrid(x, y[::-1])
    return np.column_stack([across.ravel(), up.ravel()])


def decoded_grid(
    model: Model, x: np.ndarray, y: np.ndarray, rows: np.ndarray, kind: GridKind, shape: tuple[int, ...]
) -> Grid:
    """Decode rows of numbers ``(len(y) · len(x), numbers)`` and lay them out."""
    codes = rows.reshape(-1, *shape).astype(np.float32)
    images = model.decode(codes)
    size = len(y), len(x)
    return Grid(codes.reshape(*size, *shape), images.reshape(*size, *images.shape[1:]), x, y[::-1].copy(), kind)
