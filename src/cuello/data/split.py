"""Which images are for training, validation and testing: by image, never by crop; the same every time."""

from typing import NamedTuple

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.seeding import numpy_generator

FEW_IMAGES = 30
"""Of fewer images than this more are tested: the result of two or three photographs says little of others."""


class Split(NamedTuple):
    """Positions of the images of each part, sorted; no image is in two of them."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def default_shares(count: int) -> tuple[float, float]:
    """Return the shares of so many images that are for validation and for testing where nothing else is said.

    >>> default_shares(14), default_shares(400)
    ((0.15, 0.35), (0.2, 0.15))
    """
    return (0.15, 0.35) if count < FEW_IMAGES else (0.2, 0.15)


def split(
    count: int,
    validation: float,
    test: float,
    seed: int = 0,
    held_out: np.ndarray | None = None,
    validated: np.ndarray | None = None,
    fold: tuple[int, int] | None = None,
) -> Split:
    """Divide ``count`` images at random, but always alike for the same arguments.

    validation, test: shares, 0 to 1; a share above 0 gets at least one image. held_out, validated: positions that the
    data set keeps for testing and for validation; then they are that part, and its share is not used. fold: (K, N):
    the K-th of N parts, from 1, of about one size, is for testing, so that all N test every image once; ``validation``
    is a share of the rest.
    Raises CuelloError where there are fewer images than parts.

    >>> [len(part) for part in split(10, validation=0.2, test=0.1)]
    [7, 2, 1]
    """
    kept = [part for part in (held_out, validated) if part is not None]
    free = np.setdiff1d(np.arange(count), np.concatenate(kept)) if kept else np.arange(count)
    if kept and not len(free):
        raise CuelloError(
            f"none of the {count} images is for training: the data set keeps all of them for validation or testing. "
            "Put images into its folder train."
        )
    order = numpy_generator(seed, "split").permutation(free)
    if fold is not None:
        if fold[1] > len(free):
            raise CuelloError(f"got {fold[1]} folds of {len(free)} images, needed no more folds than images.")
        held_out = order[fold[0] - 1 :: fold[1]]
        order = free = order[~np.isin(order, held_out)]
    sizes = [
        max(1, round(share * len(free))) if share > 0 and part is None else 0
        for share, part in ((validation, validated), (test, held_out))
    ]
    if sum(sizes) >= len(free):
        parts = [part for part, size in (("training", 1), ("validation", sizes[0]), ("testing", sizes[1])) if size]
        raise CuelloError(
            f"got {len(free)} image{'s' * (len(free) != 1)}, needed more than {sum(sizes)}, to have some for "
            f"{' and '.join(parts)}. Give more images, cut a large one into several files, or lower --validation or "
            "--test (--test=0 keeps none for testing)."
        )
    for_validation, for_test, for_training = np.split(order, np.cumsum(sizes))
    return Split(
        np.sort(for_training),
        np.sort(validated if validated is not None else for_validation),
        np.sort(held_out if held_out is not None else for_test),
    )
