"""Ways through a code: from one image to another, along one number, along an attribute."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from cuello.core.errors import CuelloError, unknown
from cuello.inference.model import Model
from cuello.latent.codes import Decoded, code_of

PathKind = Literal["straight", "spherical"]


def interpolate(model: Model, a: Any, b: Any, steps: int = 9, path: PathKind = "straight") -> Decoded:
    """Decode the path from one code to another, both ends included.

    straight: ``z(t) = a + t (b - a)``. spherical: the direction turns evenly from a's to b's and the length changes
    evenly from |a| to |b|, so that a path between two usual lengths does not run through unusually short codes, where a
    code of many normal numbers never is.

    a, b: an image, or a code of the shape that ``encode`` gives (with or without N = 1). steps: how many codes, 2 or
    more. Returns codes ``(steps, …)`` whose first and last are exactly a's and b's, and their images. Raises
    CuelloError for other shapes, and for a spherical path between opposite directions, where every way is as short.

    Source: spherical: Shoemake 1985 (for equal lengths); White 2016, section 2.
    """
    model.check_latent()
    if steps < 2:
        raise CuelloError(f"steps: got {steps}, needed 2 or more: both ends are among them.")
    first, last = code_of(model, a), code_of(model, b)
    if first.shape != last.shape:
        raise CuelloError(f"got codes of shapes {first.shape} and {last.shape}, needed one for both ends.")
    codes = along(first, last, np.linspace(0, 1, steps), path=path)
    return Decoded(codes, model.decode(codes))


def along(a: np.ndarray, b: np.ndarray, shares: ArrayLike, path: PathKind = "straight") -> np.ndarray:
    """Place codes on the path from a to b, ``(n, …)`` float32, at shares of it, 0 to 1; see ``interpolate``.

    >>> along(np.array([1.0, 0.0]), np.array([0.0, 3.0]), [0.0, 0.5, 1.0], "spherical").round(3).tolist()
    [[1.0, 0.0], [1.4140000343322754, 1.4140000343322754], [0.0, 3.0]]
    """
    if path not in get_args(PathKind):
        raise unknown("path", path, get_args(PathKind))
    t = np.asarray(shares, np.float64)[:, None]
    one, other = (np.asarray(end, np.float64).ravel() for end in (a, b))
    found = one + t * (other - one)
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    if path == "spherical" and min(lengths) > 0:  # from zero there is no turn, only a straight line
        angle = turn(one / lengths[0], other / lengths[1])
        if angle > np.pi - 1e-6:
            raise CuelloError(
                "the two codes point in opposite directions, so that there is no single spherical path between them. "
                "Take the straight path, or other ends."
            )
        if angle > 1e-6:
            way = np.sin((1 - t) * angle) * one / lengths[0] + np.sin(t * angle) * other / lengths[1]
            found = way / np.sin(angle) * ((1 - t) * lengths[0] + t * lengths[1])
    codes = found.reshape(-1, *np.shape(a)).astype(np.float32)
    codes[t[:, 0] == 0], codes[t[:, 0] == 1] = a, b
    return codes


def turn(a: np.ndarray, b: np.ndarray) -> float:
    """Measure the angle between two directions of length 1, 0 to π, exact for small angles too (Kahan 2006)."""
    return float(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))


def traverse(model: Model, code: Any, axis: int | np.ndarray, values: Sequence[float]) -> Decoded:
    """Decode a code with one of its numbers, or its place along a direction, changed.

    code: a code or an image. axis: position of the number in the code (laid out as one row), which takes each of
    ``values``; or a direction of the code's shape, of which so many times is added (see ``direction``). Returns codes
    ``(len(values), …)`` and images. Raises CuelloError for a number that the code has not, or a direction of another
    shape.
    """
    model.check_latent()
    start = code_of(model, code)
    amounts = np.asarray(values, np.float64)
    if isinstance(axis, np.ndarray):
        if axis.shape != start.shape:
            raise CuelloError(f"got a direction of shape {axis.shape} for a code of shape {start.shape}.")
        codes = start + amounts.reshape(-1, *[1] * start.ndim) * axis
    else:
        if not 0 <= axis < start.size:
            raise CuelloError(f"axis: got {axis}, needed 0 to {start.size - 1}: the code has {start.size} numbers.")
        rows = np.repeat(start.reshape(1, -1), len(amounts), axis=0)
        rows[:, axis] = amounts
        codes = rows.reshape(-1, *start.shape)
    codes = codes.astype(np.float32)
    return Decoded(codes, model.decode(codes))


def direction(codes: np.ndarray, labels: ArrayLike, start: Any, end: Any) -> np.ndarray:
    """Find the way from one label's mean code to another's, of the shape of a code: an attribute to ``traverse``.

    labels: ``(N,)``, one a code. Raises CuelloError where no image has one of the two.

    Source: Larsen et al. 2016, section 3.3 (attribute vectors).

    >>> direction(np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 4.0]]), [0, 0, 1], 0, 1).tolist()
    [0.0, 4.0]
    """
    every = np.asarray(labels)
    if every.shape != (len(codes),):
        raise CuelloError(f"got labels of shape {every.shape} for {len(codes)} codes, needed one each.")
    means = []
    for label in (start, end):
        chosen = every == label
        if not chosen.any():
            known = ", ".join(map(str, np.unique(every)[:12]))
            raise CuelloError(f"no image has the label {label!r}. Labels: {known}.")
        means.append(codes[chosen].mean(0, dtype=np.float64))
    return (means[1] - means[0]).astype(np.float32)
