"""Channels of images: the pixels of which that are no numbers, and some of a set, to measure its noise."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.spread import spread_evenly
from cuello.data.alpha import marked
from cuello.data.frames import frames_of, read_frame
from cuello.data.levels import RangeChoice
from cuello.data.picture import read_picture
from cuello.data.sources import load_numpy
from cuello.data.stack import pages_of, read_page
from cuello.data.stored import StoredImage
from cuello.inference.arrays import as_stack, native
from cuello.inference.targets import ARRAY

UNITS = RangeChoice("units")
"""Values as they are, in the unit that they have."""
MOST_FILES, MOST_PAGES = 12, 6
"""Files of a set, and pages of a file, that its noise is measured in, spread evenly."""


def filled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give pixels that are no numbers the value of the nearest one that is, and say where numbers were.

    >>> filled(np.array([[np.nan, 3.0, 5.0]]))
    (array([[3., 3., 5.]]), array([[False,  True,  True]]))
    """
    known = np.isfinite(values)
    if known.all() or not known.any():
        return values, known
    from scipy.ndimage import distance_transform_edt

    rows, columns = np.asarray(distance_transform_edt(~known, return_distances=False, return_indices=True))
    return values[rows, columns], known


def side_of(parts: Sequence[np.ndarray], most: int) -> int:
    """Return the side of crops that fit into every channel ``(H, W)``: even, ``most`` pixels where that fits."""
    return min(most, *(2 * (length // 2) for part in parts for length in part.shape))


def drawn_crop(part: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """Draw a square of a channel ``(H, W)``, or of several ``(H, W, N)``, turned and mirrored at random."""
    row, column = (int(random.integers(length - side + 1)) for length in part.shape[:2])
    crop = np.rot90(part[row : row + side, column : column + side], int(random.integers(4)))
    return crop[:, ::-1] if random.integers(2) else crop


def images_of_files(paths: Sequence[Path]) -> list[np.ndarray]:
    """Read some images of a set, ``(H, W, C)`` each; what cannot be read is passed over here."""
    images: list[np.ndarray] = []
    for place in spread_evenly(len(paths), MOST_FILES):
        try:
            images += images_of(paths[place])
        except (CuelloError, ValueError, OSError):  # restoring it says what is wrong
            continue
    return images


def middle_of(count: int, most: int) -> list[int]:
    """Choose up to ``most`` of ``count`` places that follow each other, from the middle.

    >>> middle_of(10, 4), middle_of(2, 4)
    ([3, 4, 5, 6], [0, 1])
    """
    start = max(0, (count - most) // 2)
    return list(range(start, min(count, start + most)))


def some_pages(count: int) -> list[int]:
    return spread_evenly(count, MOST_PAGES).tolist()


def images_of(path: Path, choose: Callable[[int], Sequence[int]] = some_pages) -> Iterator[np.ndarray]:
    """Read some of the images in a file, ``(H, W, C)`` in its unit, NaN where transparency hides them.

    choose: of how many there are, which are read.
    """
    if path.suffix.lower() == ARRAY:
        stack = as_stack(native(load_numpy(path)))
        yield from (stack[place] for place in choose(len(stack)))
        return
    if (frames := frames_of(path)) is not None:
        pictures: Iterator[StoredImage] = (read_frame(path, place, UNITS)[0] for place in choose(frames.count))
    elif places := pages_of(path).places:
        pictures = (
            read_page(path, place, places[place], levels=UNITS, only=len(places) == 1) for place in choose(len(places))
        )
    else:
        pictures = iter([read_picture(path, UNITS)])
    yield from (marked(picture.pixels, picture.alpha) for picture in pictures)
