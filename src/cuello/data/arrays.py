"""What arrays of images have in common, wherever they are stored: their shape, their labels, their names."""

from collections.abc import Sequence

import numpy as np

from cuello.errors import CuelloError


def check_shape(shape: Sequence[int], name: str) -> None:
    """Raise CuelloError unless ``shape`` is ``(N, H, W, C)`` with C of 1, 3 or 4 and nothing of it is zero."""
    if len(shape) != 4 or shape[-1] not in (1, 3, 4):
        raise CuelloError(
            f"{name}: got an array of shape {tuple(shape)}, needed (N, H, W) or (N, H, W, C) with C of 1, 3 or 4. "
            "If the channels come first, use array.transpose(0, 2, 3, 1)."
        )
    if 0 in shape:
        raise CuelloError(
            f"{name}: got an empty array of shape {tuple(shape)}, needed at least one image and one pixel."
        )


def check_labels(labels: np.ndarray | None, count: int, name: str) -> None:
    """Raise CuelloError unless there is one label an image, or none at all."""
    if labels is not None and labels.shape != (count,):
        raise CuelloError(f"{name}: got labels of shape {labels.shape} for {count} images, needed one each.")


def numbered(count: int) -> list[str]:
    """Return names for ``count`` images that have none, which sort in their order.

    >>> numbered(11)[-2:]
    ['09', '10']
    """
    digits = len(str(count - 1))
    return [f"{index:0{digits}d}" for index in range(count)]
