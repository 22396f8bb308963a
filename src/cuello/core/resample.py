"""Resizing images as MATLAB's imresize does: the low-resolution images of the literature are made so."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError

ResizeMethod = Literal["bicubic", "bilinear", "lanczos", "area", "nearest"]
Edges = Literal["mirror", "repeat"]
TIE = 1e-4
"""How much below a half, in levels, still counts as one: what single precision can be off."""


def cubic_kernel(x: np.ndarray) -> np.ndarray:
    """Return Keys' cubic with a = -1/2, zero from 2 on.

    >>> cubic_kernel(np.array([0, 0.5, 1, 1.5, 2])).tolist()
    [1.0, 0.5625, 0.0, -0.0625, 0.0]

    Source: R. G. Keys, *Cubic convolution interpolation for digital image processing*, 1981, equation 15.
    """
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def linear_kernel(x: np.ndarray) -> np.ndarray:
    """Return the triangle, zero from 1 on."""
    return np.maximum(1 - np.abs(x), 0)


def lanczos_kernel(x: np.ndarray) -> np.ndarray:
    """Return sinc(x) sinc(x / 3), zero from 3 on (C. E. Duchon, *Lanczos filtering*, 1979)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


# The kernel and how far it reaches to either side, in pixels of the input. "area" and "nearest" have none.
KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bicubic": (cubic_kernel, 2),
    "bilinear": (linear_kernel, 1),
    "lanczos": (lanczos_kernel, 3),
}


def output_side(side: int, scale: float) -> int:
    """Return ⌈scale · side⌉, but do not let 1e-9 of rounding add a pixel.

    >>> output_side(7, 0.5), output_side(255, 1 / 3), output_side(30, 1.1)
    (4, 85, 33)
    """
    return math.ceil(round(scale * side, 9))


def resize_matrix(
    side: int,
    given: int,
    scale: float,
    method: ResizeMethod = "bicubic",
    antialias: bool = True,
    edges: Edges = "mirror",
) -> np.ndarray:
    """Return the weights along one axis, ``(given, side)`` float64, whose rows sum to 1.

    Output pixel i has its centre at u = (i + 1/2) / scale - 1/2 in the input; input pixel j weighs k(u - j), with the
    kernel widened by 1 / scale when shrinking. Pixels outside are those inside, mirrored: 1, 0, 0, 1, 2, …, or all the
    last one (``edges``: "mirror" or "repeat").

    >>> resize_matrix(4, 2, 0.5, "area").tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    centre = (np.arange(given) + 0.5) / scale - 0.5
    if method == "nearest":
        taken = np.floor(centre + 0.5)[:, None]  # a tie goes to the later pixel
        weights = np.ones_like(taken)
    else:
        widening = max(1.0, 1 / scale) if antialias else 1.0
        reach = (0.5 / scale + 0.5) if method == "area" else KERNELS[method][1] * widening
        count = math.ceil(2 * reach) + 2
        taken = np.floor(centre - reach)[:, None] + np.arange(count)
        distance = centre[:, None] - taken
        if method == "area":  # how much of input pixel j lies within output pixel i
            half = 0.5 / scale
            weights = np.minimum(half, distance + 0.5) - np.maximum(-half, distance - 0.5)
            weights = np.maximum(weights, 0)
        else:
            weights = KERNELS[method][0](distance / widening)
        weights = weights / weights.sum(axis=1, keepdims=True)
    if edges == "repeat":
        inside = taken.astype(np.int64).clip(0, side - 1)
    else:
        inside = np.mod(taken.astype(np.int64), 2 * side)
        inside = np.where(inside < side, inside, 2 * side - 1 - inside)
    matrix = np.zeros((given, side))
    np.add.at(matrix, (np.arange(given)[:, None], inside), weights)
    return matrix


def to_levels(images: Tensor) -> Tensor:
    """Return images cut to [0, 1] and rounded to 8 bits, halves up, as MATLAB does.

    >>> (to_levels(torch.tensor([-1, 0.0019, 0.0020, 2])) * 255).tolist()
    [0.0, 0.0, 1.0, 255.0]
    """
    return images.clamp(0, 1).mul_(255).add_(0.5 + TIE).floor_().div_(255)


def resize(
    images: Tensor,
    size: tuple[int, int] | None = None,
    scale: float | None = None,
    method: ResizeMethod = "bicubic",
    antialias: bool = True,
    edges: Edges = "mirror",
    eight_bits: bool = False,
) -> Tensor:
    """Resize images as MATLAB's imresize does: y = A x Bᵀ, by default neither cut to a range nor rounded.

    images: ``(N, C, H, W)``, floating point.
    size: rows and columns of the result; or
    scale: how many times larger the sides become, above 0; a side becomes ⌈scale · side⌉.
    method: ``bicubic`` (Keys' cubic, a = -1/2), ``bilinear``, ``lanczos`` (three lobes), ``area`` (the mean over an
        output pixel's surface) or ``nearest``.
    antialias: widen the kernel by the factor when shrinking. ``area`` always covers its surface, ``nearest`` never.
    edges: beyond them images are mirrored, the edge's own pixels included ("mirror", as in today's MATLAB), or their
        last pixels are repeated ("repeat", as in older ones).
    eight_bits: cut to [0, 1] and round to 8 bits after either axis, that which shrinks more first (of equal ones, that
        of the rows), as MATLAB does with images of 8 bits. Together with "repeat" this makes the published
        low-resolution images of Set5, every pixel of them, of its high-resolution ones.

    Returns ``(N, C, ⌈scale H⌉, ⌈scale W⌉)`` of the same type, differentiable with respect to images unless rounded.
    Weights are worked out in float64.

    Raises CuelloError for images that are not floating point of four axes, for both or neither of size and scale, for
    unknown methods and edges, and for a result without pixels.

    >>> resize(torch.tensor([[[[0.0, 1.0]]]]), scale=2, method="bilinear")
    tensor([[[[0.0000, 0.2500, 0.7500, 1.0000],
              [0.0000, 0.2500, 0.7500, 1.0000]]]])

    Source: the documentation of MATLAB's imresize; the cubic is Keys' (1981).
    """
    if images.ndim != 4 or not images.is_floating_point():
        raise CuelloError(
            f"resize got {tuple(images.shape)} of {images.dtype}, needed floating-point images (N, C, H, W): divide "
            "8-bit values by 255 first."
        )
    for name, value, known in (("method", method, get_args(ResizeMethod)), ("edges", edges, get_args(Edges))):
        if value not in known:
            raise CuelloError(f"resize got the {name} {value!r}, needed one of: {', '.join(known)}.")
    if (size is None) == (scale is None):
        raise CuelloError(f"resize got size {size} and scale {scale}, needed exactly one of them.")
    sides = (int(images.shape[-2]), int(images.shape[-1]))
    if scale is not None:
        if not (math.isfinite(scale) and scale > 0):
            raise CuelloError(f"resize got the scale {scale}, needed a number above 0, e.g. 0.5 for half the size.")
        size, scales = (output_side(sides[0], scale), output_side(sides[1], scale)), (scale, scale)
    else:
        assert size is not None
        if 0 in sides:
            raise CuelloError(f"resize got images of {sides[1]}×{sides[0]} pixels, needed at least one.")
        scales = (size[0] / sides[0], size[1] / sides[1])
    if min(*sides, *size) < 1:
        raise CuelloError(
            f"resize of {sides[1]}×{sides[0]} pixels to {size[1]}×{size[0]}: both need at least one pixel."
        )
    down, across = (
        torch.from_numpy(resize_matrix(side, given, factor, method=method, antialias=antialias, edges=edges)).to(
            images.device, images.dtype
        )
        for side, given, factor in zip(sides, size, scales, strict=True)
    )
    if not eight_bits:
        return down @ (images @ across.T)
    if scales[0] <= scales[1]:
        return to_levels(to_levels(down @ images) @ across.T)
    return to_levels(down @ to_levels(images @ across.T))
