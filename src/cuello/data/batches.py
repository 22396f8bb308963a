"""Positions become crops, crops become batches.

Cutting is a slice a crop (about a microsecond), the rest is one operation a batch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cuello.data.images import Images
from cuello.data.picture import full_scale
from cuello.errors import CuelloError
from cuello.seeding import generator, numpy_generator
from cuello.types import Batch


@dataclass(frozen=True)
class Crops:
    """Places to cut: for each, which image and the top left corner, ``(N, 3)`` int64; size is (height, width)."""

    places: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.places)


def whole_images(images: Images, ids: np.ndarray) -> Crops:
    """Return each image as one crop of its own size; CuelloError where the sizes differ."""
    shapes = {images.arrays[index].shape[:2] for index in ids}
    if len(shapes) > 1:
        shown = ", ".join(f"{width}×{height}" for height, width in sorted(shapes)[:3])
        raise CuelloError(
            f"the images of {images.name} have {len(shapes)} different sizes "
            f"({shown}{', …' if len(shapes) > 3 else ''}), and a batch needs one. "
            "Train on crops (--crop 64) or resize them (--resize 64)."
        )
    places = np.zeros((len(ids), 3), np.int64)
    places[:, 0] = ids
    return Crops(places, shapes.pop())


def check_crop(images: Images, ids: np.ndarray, crop: int) -> None:
    """Raise CuelloError, naming them, where images are smaller than the crop."""
    small = [images.names[int(index)] for index in ids if min(images.arrays[index].shape[:2]) < crop]
    if small:
        shown = ", ".join(small[:5]) + (", …" if len(small) > 5 else "")
        raise CuelloError(
            f"{len(small)} images of {images.name} are smaller than the crop of {crop}×{crop} pixels: {shown}. "
            "Choose a smaller --crop, or move them elsewhere."
        )


def tiles_in(images: Images, ids: np.ndarray, crop: int) -> int:
    """Return how many crops, side by side, fit into the images."""
    return sum((images.arrays[i].shape[0] // crop) * (images.arrays[i].shape[1] // crop) for i in ids)


def grid_crops(images: Images, ids: np.ndarray, crop: int, count: int | None = None) -> Crops:
    """Return crops side by side, at most ``count`` of them, then spread evenly over all."""
    check_crop(images, ids, crop)
    places = [
        (index, top, left)
        for index in ids
        for top in range(0, images.arrays[index].shape[0] - crop + 1, crop)
        for left in range(0, images.arrays[index].shape[1] - crop + 1, crop)
    ]
    chosen = np.array(places, np.int64)
    if count is not None and count < len(chosen):
        chosen = chosen[np.linspace(0, len(chosen) - 1, count).round().astype(int)]
    return Crops(chosen, (crop, crop))


def random_crops(images: Images, ids: np.ndarray, crop: int, count: int, seed: int, epoch: int = 0) -> Crops:
    """Return ``count`` crops at random places, every image as often as any other (or once more).

    The draw depends on (seed, "crops", epoch) alone, so that an epoch has the same crops whenever it is run.
    """
    check_crop(images, ids, crop)
    random = numpy_generator(seed, "crops", epoch)
    rounds = [random.permutation(ids) for _ in range(-(-count // len(ids)))]
    chosen = np.concatenate(rounds)[:count]
    sizes = np.array([images.arrays[index].shape[:2] for index in chosen])
    corners = (random.random((count, 2)) * (sizes - crop + 1)).astype(np.int64)
    return Crops(np.column_stack([chosen, corners]), (crop, crop))


def cut(arrays: Sequence[np.ndarray], crops: Crops, rows: np.ndarray) -> np.ndarray:
    """Return the crops ``rows``, ``(N, H, W, C)`` in the arrays' own type."""
    height, width = crops.size
    first = arrays[0]
    out = np.empty((len(rows), height, width, first.shape[-1]), first.dtype)
    for position, (index, top, left) in enumerate(crops.places[rows]):
        out[position] = arrays[index][top : top + height, left : left + width]
    return out


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Return ``(N, H, W, C)`` pixels as float32 in [0, 1], ``(N, C, H, W)``, channels last in memory."""
    if not pixels.flags.writeable:  # as Pillow's are; torch warns about those
        pixels = pixels.copy()
    tensor = torch.from_numpy(pixels.astype(np.int32) if pixels.dtype == np.uint16 else pixels).to(device)
    images = tensor.permute(0, 3, 1, 2)
    return images if images.dtype == torch.float32 else images.to(torch.float32).div_(full_scale(pixels.dtype))


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Turn and flip images one by one: ``turns`` ``(N,)`` 0 to 7, bit 0 left-right, bit 1 up-down, bit 2 transposed."""
    out = torch.empty_like(images)
    for turn in turns.unique().tolist():
        chosen = turns == turn
        part = images[chosen]
        part = part.flip(3) if turn & 1 else part
        part = part.flip(2) if turn & 2 else part
        out[chosen] = part.transpose(2, 3) if turn & 4 else part
    return out


class Batches:
    """The batches of one part of the data, epoch by epoch, each a function of (seed, epoch) alone.

    images: all images; ids: those of this part. crop: side in pixels, or None for whole images. fresh: draw new
    crops each epoch. count: crops an epoch. shuffle: a new order each epoch. augment: flips and right-angle turns.
    """

    def __init__(
        self,
        images: Images,
        ids: np.ndarray,
        *,
        batch_size: int,
        crop: int | None = None,
        layout: str = "grid",
        count: int | None = None,
        seed: int = 0,
        shuffle: bool = False,
        augment: bool = False,
    ):
        self.images, self.ids, self.batch_size, self.seed = images, ids, batch_size, seed
        self.shuffle, self.augment = shuffle, augment
        self.fresh = crop is not None and layout == "random"
        if crop is None:
            self.crops = whole_images(images, ids)
        elif layout == "grid":
            self.crops = grid_crops(images, ids, crop, count)
        else:
            self.crops = random_crops(images, ids, crop, count or tiles_in(images, ids, crop), seed)
        every = np.arange(len(self.crops))
        self.resident = None if self.fresh else cut(images.arrays, self.crops, every)
        paired = images.targets is not None and not self.fresh
        self.resident_targets = (
            cut(images.targets, self.crops, every) if images.targets is not None and paired else None
        )

    @property
    def count(self) -> int:
        """How many crops an epoch has."""
        return len(self.crops)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a crop in pixels."""
        return self.crops.size

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)

    def epoch(self, epoch: int = 0, device: torch.device | str = "cpu") -> Iterator[Batch]:
        """Yield the batches of an epoch; ``ids`` of a Batch are positions in this epoch's crops."""
        crops = self.crops
        if self.fresh:
            crops = random_crops(self.images, self.ids, crops.size[0], self.count, self.seed, epoch)
        order = np.arange(self.count)
        if self.shuffle:
            order = numpy_generator(self.seed, "order", epoch).permutation(self.count)
        for position, start in enumerate(range(0, self.count, self.batch_size)):
            rows = order[start : start + self.batch_size]
            images = to_tensor(self._take(self.images.arrays, self.resident, crops, rows), device)
            targets = None
            if self.images.targets is not None:
                targets = to_tensor(self._take(self.images.targets, self.resident_targets, crops, rows), device)
            if self.augment:
                square = images.shape[2] == images.shape[3]
                turns = torch.randint(
                    8 if square else 4,
                    (len(rows),),
                    generator=generator(self.seed, "augment", epoch, position),
                )
                images = turned(images, turns)
                targets = turned(targets, turns) if targets is not None else None
            yield Batch(images, torch.from_numpy(rows), targets)

    def describe(self, row: int) -> tuple[str, int, int]:
        """Return the image name, top and left (pixels) of crop ``row``."""
        index, top, left = (int(value) for value in self.crops.places[row])
        return self.images.names[index], top, left

    @staticmethod
    def _take(arrays: Sequence[np.ndarray], resident: np.ndarray | None, crops: Crops, rows: np.ndarray) -> np.ndarray:
        return cut(arrays, crops, rows) if resident is None else resident[rows]
