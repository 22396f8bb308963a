"""Places in images become crops. Cutting is a slice a crop, about a microsecond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cuello.core.errors import CuelloError, first_few
from cuello.core.seeding import numpy_generator
from cuello.data.detail import FLAT, detail_of
from cuello.data.images import Images
from cuello.data.stream import LostError

TRIES, MOST_TRIES = 4, 16
"""Places of which a crop with detail is the best: so many, and more where all of them are flat, up to the second."""


@dataclass(frozen=True)
class Crops:
    """Places to cut: for each, which image and the top left corner, ``(N, 3)`` int64; size is (height, width)."""

    places: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.places)

    def enlarged(self, scale: int) -> "Crops":
        """Find the same crops in images that are ``scale`` times larger."""
        if scale == 1:
            return self
        return Crops(self.places * np.array([1, scale, scale]), (scale * self.size[0], scale * self.size[1]))


def whole_images(images: Images, ids: np.ndarray, count: int | None = None) -> Crops:
    """Take each image as one crop of its own size, or ``count`` such crops: fewer are spread evenly over the images,
    more go through them again and again.

    Raises CuelloError where the sizes differ.
    """
    shapes = {(height, width) for height, width in images.sizes[ids].tolist()}
    if len(shapes) > 1:
        shown = first_few(f"{width}×{height}" for height, width in sorted(shapes))
        raise CuelloError(
            f"the images of {images.name} have {len(shapes)} different sizes ({shown}), and a batch needs one. "
            "Train on crops (--crop=64) or resize them (--resize=64)."
        )
    count = count or len(ids)
    few = np.linspace(0, len(ids) - 1, count).round().astype(np.int64)
    places = np.zeros((count, 3), np.int64)
    places[:, 0] = ids[few] if count < len(ids) else np.resize(ids, count)
    return Crops(places, shapes.pop())


def check_crop(images: Images, ids: np.ndarray, crop: int) -> None:
    """Raise CuelloError, naming them, where images are smaller than the crop."""
    small = [images.names[int(index)] for index in ids[images.sizes[ids].min(1) < crop]]
    if small:
        large = crop * images.scale
        meant = f" (of the targets, that is {crop}×{crop} of them)" if images.scale > 1 else ""
        raise CuelloError(
            f"{len(small)} images of {images.name} are smaller than the crop of {large}×{large} pixels{meant}: "
            f"{first_few(small, 5)}. Choose a smaller --crop, or move them elsewhere."
        )


def tiles_in(images: Images, ids: np.ndarray, crop: int) -> int:
    """Count how many crops, side by side, fit into the images."""
    return int((images.sizes[ids] // crop).prod(1).sum())


def grid_crops(images: Images, ids: np.ndarray, crop: int, count: int | None = None) -> Crops:
    """Place crops side by side, at most ``count`` of them, then spread evenly over all."""
    check_crop(images, ids, crop)
    places = [
        (index, top, left)
        for index, (height, width) in zip(ids.tolist(), images.sizes[ids].tolist(), strict=True)
        for top in range(0, height - crop + 1, crop)
        for left in range(0, width - crop + 1, crop)
    ]
    chosen = np.array(places, np.int64)
    if count is not None and count < len(chosen):
        chosen = chosen[np.linspace(0, len(chosen) - 1, count).round().astype(int)]
    return Crops(chosen, (crop, crop))


def random_crops(images: Images, ids: np.ndarray, crop: int, count: int, seed: int, epoch: int = 0) -> Crops:
    """Place ``count`` crops at random, every image as often as any other (or once more).

    The draw depends on (seed, "crops", epoch) alone, so that an epoch has the same crops whenever it is run.
    """
    check_crop(images, ids, crop)
    random = numpy_generator(seed, "crops", epoch)
    rounds = [random.permutation(ids) for _ in range(-(-count // len(ids)))]
    chosen = np.concatenate(rounds)[:count]
    corners = (random.random((count, 2)) * (images.sizes[chosen] - crop + 1)).astype(np.int64)
    return Crops(np.column_stack([chosen, corners]), (crop, crop))


def detailed_crops(images: Images, ids: np.ndarray, crop: int, count: int, seed: int) -> Crops:
    """Place ``count`` crops where there is something to see, every image as often as any other (or once more).

    Each is, of TRIES places drawn at random in its image, the one with the most detail in what the image should become;
    where all are flat, more are drawn, up to MOST_TRIES. An image that is flat everywhere keeps its crops.
    """
    drawn = random_crops(images, ids, crop, count=count, seed=seed)
    clean = images.arrays if images.targets is None else images.targets
    others = numpy_generator(seed, "detail").random((count, MOST_TRIES - 1, 2))
    room = images.sizes[drawn.places[:, 0]] - crop + 1
    corners = np.concatenate([drawn.places[:, None, 1:], (others * room[:, None]).astype(np.int64)], axis=1)
    for index in np.unique(drawn.places[:, 0]).tolist():
        try:
            pixels = clean[index]
        except LostError:  # whoever cuts the crops says so
            continue
        for row in np.flatnonzero(drawn.places[:, 0] == index).tolist():
            drawn.places[row, 1:] = best_place(pixels, corners[row], crop=crop, scale=images.scale)
    return drawn


def best_place(pixels: np.ndarray, corners: np.ndarray, crop: int, scale: int) -> np.ndarray:
    """Return the corner of ``(N, 2)`` with the most detail: of the first TRIES, or, while these are flat, of more.

    pixels: of the target, ``scale`` times larger than the image of the corners and of ``crop``.
    """
    best, most, side = corners[0], -1.0, scale * crop
    for tried, corner in enumerate(corners):
        if tried >= TRIES and most >= FLAT:
            break
        top, left = scale * corner
        if (detail := detail_of(pixels[top : top + side, left : left + side])) > most:
            best, most = corner, detail
    return best


def cut(arrays: Sequence[np.ndarray] | Mapping[int, np.ndarray], crops: Crops, rows: np.ndarray | slice) -> np.ndarray:
    """Cut the crops ``rows`` (one at least), ``(N, H, W, C)`` in the arrays' own type."""
    height, width = crops.size
    places = crops.places[rows]
    first = arrays[int(places[0, 0])]
    out = np.empty((len(places), height, width, first.shape[-1]), first.dtype)
    for position, (index, top, left) in enumerate(places.tolist()):
        out[position] = arrays[index][top : top + height, left : left + width]
    return out
