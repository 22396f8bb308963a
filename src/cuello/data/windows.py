"""The order of an epoch's crops, such that only a window of the images need be in memory at a time."""

from typing import NamedTuple

import numpy as np

from cuello.core.seeding import numpy_generator

WINDOW_BYTES = 256 * 2**20
"""Most bytes of decoded images in a window (one image at least)."""


def shuffled(chosen: np.ndarray, costs: np.ndarray, seed: int, epoch: int) -> list[np.ndarray]:
    """List the rows of an epoch, every one once, in random order, window by window.

    chosen: the image of each row, ``(N,)``. costs: bytes of every image, decoded. The images are put in random order
    and cut into windows of at most WINDOW_BYTES; the rows of a window come in random order, and one window after
    another. Where all images fit into one window, this is a plain permutation of the rows.
    """
    images = np.unique(chosen)
    if costs[images].sum() > WINDOW_BYTES:
        images = numpy_generator(seed, "windows", epoch).permutation(images)
    window_of = np.zeros(len(costs), np.int64)
    window_of[images] = windows_of(costs[images])
    return [
        rows[numpy_generator(seed, "order", epoch, index=index).permutation(len(rows))]
        for index, rows in enumerate(by_window(window_of[chosen]))
    ]


def plain(chosen: np.ndarray, costs: np.ndarray) -> list[np.ndarray]:
    """List the rows of an epoch in their own order, cut wherever the images since the last cut fill a window."""
    labels = np.empty(len(chosen), np.int64)
    label, used, seen = 0, 0, set()
    for row, image in enumerate(chosen.tolist()):
        if image not in seen:
            if seen and used + costs[image] > WINDOW_BYTES:
                label, used, seen = label + 1, 0, set()
            seen.add(image)
            used += int(costs[image])
        labels[row] = label
    return by_window(labels)


def windows_of(costs: np.ndarray) -> np.ndarray:
    """Number the window of each image, in turn: a new one begins where the last would become too large."""
    labels = np.empty(len(costs), np.int64)
    label, used = 0, 0
    for position, cost in enumerate(costs.tolist()):
        if used and used + cost > WINDOW_BYTES:
            label, used = label + 1, 0
        used += cost
        labels[position] = label
    return labels


def by_window(labels: np.ndarray) -> list[np.ndarray]:
    """List the rows of each window, rows in their own order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels))[:-1])


class Visits(NamedTuple):
    """The stays of images in memory, numbered in the order in which they begin.

    of: the visit of every position in the order of rows. image: whose visit it is. last: the last position in it.
    """

    of: np.ndarray
    image: np.ndarray
    last: np.ndarray


def visits(chosen: np.ndarray, windows: list[np.ndarray]) -> Visits:
    """Find which images are needed when: in each window, an image stays from its first row to its last."""
    of, image, begun = [], [], 0
    for rows in windows:
        images, first, inverse = np.unique(chosen[rows], return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        of.append(begun + rank[inverse])
        image.append(images[order])
        begun += len(images)
    every = np.concatenate(of)
    last = np.zeros(begun, np.int64)
    np.maximum.at(last, every, np.arange(len(every)))
    return Visits(every, np.concatenate(image), last)
