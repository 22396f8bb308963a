"""What noise has beside single pixels: stripes, JPEG's blocks, values cut off; and images that have none."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from cuello.noise_models.estimate import finite

Kind = Literal["ordinary", "noise-free", "textured", "mosaic", "periodic", "binary", "label"]

MIDDLE, LOOKED_AT = 1024, 300_000
"""Side of the part of an image, and its values, that are looked at where all would take long."""
PILED = 3.0
"""The lowest or highest value is cut off where so many times as many pixels have it as have values next to it."""
CHANCE = 0.03
"""Steps that are larger by a smaller share are chance."""
PLATEAUS, EDGES = 0.8, 0.6
"""Share of equal neighbours, and of steps with plateaus on either side, from which an image is one of labels."""


def framed(image: np.ndarray) -> np.ndarray:
    """Give the middle of an image, beginning at multiples of 8, without rows and columns that hold no number."""
    rows, columns = (slice((start := max(0, side - MIDDLE) // 16 * 8), start + MIDDLE) for side in image.shape)
    part = image[rows, columns]
    known = np.isfinite(part)
    if known.all():
        return part.astype(np.float64)
    return np.where(known, part, np.nan)[known.any(1)][:, known.any(0)].astype(np.float64)


def kind_of(images: Sequence[np.ndarray]) -> Kind:
    """Tell images of two values and of labels from others; whether there is noise is another question."""
    distinct = [count_of(image) for image in images]
    if max(distinct) == 1:
        return "noise-free"
    if max(distinct) == 2:
        return "binary"
    return "label" if all(is_label(image) for image in images) else "ordinary"


def count_of(image: np.ndarray) -> int:
    """Count the different values of an image, those of a large one that some of its pixels have if they have many."""
    values = finite(image)
    some = len(np.unique(values[:: max(1, values.size // LOOKED_AT)]))
    return some if some > 2 else len(np.unique(values))


def is_label(image: np.ndarray) -> bool:
    """Tell whether an image of whole numbers is made of plateaus, with hard steps between them."""
    values = framed(image)
    if not np.array_equal(np.round(finite(values)), finite(values)):
        return False
    rows = values[:, 3:], values[:, 2:-1], values[:, 1:-2], values[:, :-3]
    steps = rows[1] != rows[2]
    if not steps.any() or 1 - steps.mean() < PLATEAUS:
        return False
    hard = (rows[0] == rows[1]) & (rows[2] == rows[3])
    return bool(hard[steps].mean() > EDGES)


def clipped(images: Sequence[np.ndarray]) -> tuple[float, float]:
    """Give the shares of pixels that are cut off at the lowest and at the highest value of all images."""
    values = np.concatenate([finite(image)[:: max(1, image.size // LOOKED_AT)] for image in images])
    counts = np.unique(values, return_counts=True)[1]
    shares = []
    for end in (counts, counts[::-1]):
        beside = end[1:4].mean() if len(end) > 1 else 0
        shares.append(float(end[0] / len(values)) if end[0] > max(PILED * beside, 8) else 0.0)
    return shares[0], shares[1]


def stripes(images: Sequence[np.ndarray]) -> tuple[float, float]:
    """Measure the standard deviation of what whole rows, and whole columns, have in common beside their neighbours.

    A row's deviation from the rows beside it is taken in its left and in its right half; what both share is the row's.
    """
    rows = np.sqrt(np.mean([row_variance(framed(image)) for image in images]))
    columns = np.sqrt(np.mean([row_variance(framed(image).T) for image in images]))
    return float(rows), float(columns)


def row_variance(image: np.ndarray) -> float:
    """Estimate the variance of rows' own offsets; robust to a scene's edges, which few rows have."""
    if min(image.shape) < 8:
        return 0.0
    beside = image[1:-1] - (image[:-2] + image[2:]) / 2
    half = image.shape[1] // 2
    with np.errstate(all="ignore"):
        left, right = trimmed_means(beside[:, :half]), trimmed_means(beside[:, half:])
    known = np.isfinite(left) & np.isfinite(right)
    if known.sum() < 8:
        return 0.0
    both, apart = (left + right)[known] / 2, (left - right)[known] / 2
    shared = spread(both) ** 2 - spread(apart) ** 2
    return max(shared, 0.0) / 1.5


def trimmed_means(rows: np.ndarray) -> np.ndarray:
    """Give each row's mean without its lowest and highest tenth."""
    ordered = np.sort(rows, 1)
    known = np.isfinite(rows).sum(1)
    if (known == rows.shape[1]).all():
        cut = rows.shape[1] // 10
        return ordered[:, cut : rows.shape[1] - cut].mean(1)
    return np.nanmedian(rows, 1)


def spread(values: np.ndarray) -> float:
    """Give a standard deviation that outliers do not move."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def jpeg_blocks(images: Sequence[np.ndarray]) -> float:
    """Measure by which share steps across borders of 8x8 blocks are larger than those inside; 0 without such blocks."""
    found = [share for image in images for share in (block_share(image), block_share(image.T)) if np.isfinite(share)]
    return max(float(np.mean(found)), 0.0) if found else 0.0


def block_share(image: np.ndarray) -> float:
    """Compare steps into columns that are multiples of 8 with the others."""
    if min(image.shape) < 32:
        return np.nan
    values = framed(image)
    steps = np.abs(np.diff(values))
    steps = steps[np.isfinite(steps).all(1)]
    if len(steps) < 16:
        return np.nan
    columns = np.minimum(steps, 4 * np.median(steps) + 1e-12).mean(0)
    place = (np.arange(len(columns)) + 1) % 8  # of the pixel right of the step
    means = np.array([columns[place == phase].mean() for phase in range(8)])
    others = means[1:]
    middle = max(float(others.mean()), np.finfo(float).tiny)
    excess = float(means[0]) / middle - 1
    return excess if excess > max(3 * float(others.std()) / middle, CHANCE) else 0.0
