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
        shape, kind = prior_shape(model), "quantiles"
        axes = [quantiles(side)] * shape[0]
        rows = plane(*axes)
    else:
        codes = np.asarray(codes)
        if codes.ndim < 2 or len(codes) < 2:
            raise CuelloError(f"got codes of shape {codes.shape}, needed (N, …) with two or more.")
        known, shape = codes.reshape(len(codes), -1), codes.shape[1:]
        mean, directions, kind = 0.0, np.eye(known.shape[1], dtype=known.dtype), "plane"
        if known.shape[1] > 2:
            (mean, directions), kind = main_axes(known), "components"
        points = (known - mean) @ directions.T
        axes = [np.linspace(low, high, side) for low, high in zip(points.min(0), points.max(0), strict=True)]
        rows = mean + plane(*axes) @ directions
    x, y = axes if len(axes) == 2 else (axes[0], np.zeros(1))
    drawn = rows.reshape(-1, *shape).astype(np.float32)
    laid, images = (part.reshape(len(y), len(x), *part.shape[1:]) for part in (drawn, model.decode(drawn)))
    return Grid(laid, images, x=x, y=y[::-1].copy(), kind=kind)


def prior_shape(model: Model) -> tuple[int, ...]:
    """Give the shape of a code whose prior's quantiles fill a plane; CuelloError for any other."""
    shape = model.latent_shape
    if model.prior == "normal" and shape in ((1,), (2,)):
        return shape
    raise CuelloError(
        f"the prior's quantiles need a normal prior and a code of one or two numbers; this network has the prior "
        f"{model.prior!r} and codes of shape {shape}. Give codes of known images, as in grid(model, side, codes)."
    )


def quantiles(count: int) -> np.ndarray:
    """Give ``count`` numbers between which the standard normal distribution has equal shares.

    >>> quantiles(3).round(4).tolist()
    [-0.9674, 0.0, 0.9674]
    """
    return np.array([NormalDist().inv_cdf((k + 0.5) / count) for k in range(count)])


def plane(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """List every (x, y), the largest y first, ``(rows · columns, 2)``; without y ``(columns, 1)``."""
    if y is None:
        return x[:, None]
    across, up = np.meshgrid(x, y[::-1])
    return np.column_stack([across.ravel(), up.ravel()])
