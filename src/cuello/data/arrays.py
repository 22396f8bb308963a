"""What sources of images have in common, wherever these are stored: shape, labels, names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cuello.core.errors import CuelloError
from cuello.data.picture import StoredImage

MOST_IMAGES = 2**24


@dataclass(frozen=True)
class ImageSource:
    """Images by position, and what is known about each: the base of every source.

    name: what a message calls the whole. names: one stable name an image. labels: one whole number an image, or None;
    label_names: what the numbers stand for. held_out, validated: positions that the data set itself keeps for testing
    and for validation, or None.
    notes: what a user should know about how the images were found.
    """

    name: str
    names: Sequence[str]
    labels: np.ndarray | None = None
    label_names: Sequence[str] | None = None
    held_out: np.ndarray | None = None
    notes: Sequence[str] = ()
    validated: np.ndarray | None = None

    @property
    def in_memory(self) -> bool:
        """Whether the pixels are in memory already."""
        return False

    def read(self, index: int) -> StoredImage:
        """Read image ``index``; CuelloError, naming it, where that is not possible."""
        raise NotImplementedError

    def path_of(self, index: int) -> Path | None:
        """Name the file that holds image ``index``; None for what is in memory."""
        return None


def check_shape(shape: Sequence[int], name: str) -> None:
    """Raise CuelloError unless ``shape`` is ``(N, H, W, C)`` with C of 1, 3 or 4 and nothing of it is zero."""
    if len(shape) != 4 or shape[-1] not in (1, 3, 4):
        first = len(shape) == 4 and shape[1] in (1, 3, 4)
        remedy = (
            "If the channels come first, use array.transpose(0, 2, 3, 1)."
            if first or len(shape) != 4
            else "Networks see one grey image, three colours, or four channels at once: of another number give each "
            "channel as a grey image of its own, array[..., 0]."
        )
        raise CuelloError(
            f"{name}: got an array of shape {tuple(shape)}, needed (N, H, W) or (N, H, W, C) with C of 1, 3 or 4. "
            f"{remedy}"
        )
    if shape[0] > MOST_IMAGES:
        raise CuelloError(f"{name}: got {shape[0]:,} images, at most {MOST_IMAGES:,} are possible. Divide them.")
    if 0 in shape:
        raise CuelloError(
            f"{name}: got an empty array of shape {tuple(shape)}, needed at least one image and one pixel."
        )


def check_labels(labels: np.ndarray | None, count: int, name: str) -> None:
    """Raise CuelloError unless there is one label an image, or none at all."""
    if labels is not None and labels.shape != (count,):
        raise CuelloError(f"{name}: got labels of shape {labels.shape} for {count} images, needed one each.")


def numbered(count: int) -> list[str]:
    """Name ``count`` images that have no names, so that they sort in their order.

    >>> numbered(11)[-2:]
    ['09', '10']
    """
    digits = len(str(count - 1))
    return [f"{index:0{digits}d}" for index in range(count)]


def named_labels(labels: np.ndarray | None, names: Sequence[str] | None) -> tuple[np.ndarray | None, list[str]]:
    """Turn labels into positions in the list of those that occur, and give that list's names.

    >>> named_labels(np.array([7, 3, 7]), None)
    (array([1, 0, 1]), ['3', '7'])
    """
    if labels is None:
        return None, []
    values, positions = np.unique(labels, return_inverse=True)
    if names is None or values.min() < 0 or values.max() >= len(names):
        return positions, [str(value) for value in values]
    return positions, [str(names[value]) for value in values]
