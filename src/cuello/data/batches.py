"""Crops become batches: in order, as tensors, from memory or from files that are decoded ahead."""

import copy
import math
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.memory import check_memory
from cuello.core.seeding import generator
from cuello.core.share import Rows, Share
from cuello.core.types import Batch
from cuello.data import windows
from cuello.data.ahead import ReadAhead
from cuello.data.crops import Crops, cut, detailed_crops, grid_crops, random_crops, tiles_in, whole_images
from cuello.data.images import Images
from cuello.data.levels import full_scale
from cuello.data.stream import LostError, StreamedArrays

RESIDENT_BYTES = 256 * 2**20
"""Most bytes of crops with fixed places that are kept in memory where the images themselves are streamed."""


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Turn ``(N, H, W, C)`` pixels into float32 in [0, 1], ``(N, C, H, W)``, channels last in memory."""
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


class Cut(NamedTuple):
    """Crops of a batch as stored: the batch's number, their rows, pixels ``(N, H, W, C)``, those of their targets.

    part: which of a whole batch they are, where several processes share it.
    """

    number: int
    rows: np.ndarray
    images: np.ndarray
    targets: np.ndarray | None = None
    part: Rows | None = None


def blank(arrays: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Make one black image ``(1, H, W, C)`` like those of ``arrays``."""
    form = arrays.form if isinstance(arrays, StreamedArrays) else None
    channels, dtype = (form.channels, form.dtype) if form else (arrays[0].shape[-1], arrays[0].dtype)
    return np.zeros((1, *size, channels), dtype)


class Batches:
    """The batches of one part of the data, epoch by epoch, each a function of (seed, epoch) alone.

    images: all images; ids: those of this part. crop: side in pixels (of the targets, where they are larger; a multiple
    of their scale), or None for whole images. layout: "random" draws new crops each epoch, "fixed" once, "detailed"
    once and where there is something to see, "grid" puts them side by side. count: crops per epoch. shuffle: a new
    order each epoch, window by window (``data/windows.py``); not where every batch holds every whole image equally
    often. augment: flips and right-angle turns. labelled: batches bring the images' labels along.

    Streamed images give the same batches, to the bit, as images in memory: background threads decode them in the order
    in which they are first used, at most a window ahead. Where errors are to be skipped, the crops of an image whose
    file changed are left out; otherwise that is a CuelloError.

    share: the part of every batch that is given, where several processes share it (see ``shared``).
    """

    share: Share | None = None

    # More than seven parameters: how crops are cut and in which order they come, of which most callers name a few.
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
        labelled: bool = False,
    ):
        self.images, self.ids, self.batch_size, self.seed = images, ids, batch_size, seed
        self.labels = images.labels if labelled else None
        self.shuffle, self.augment = shuffle, augment
        self.fresh = crop is not None and layout == "random"
        self.scattered = crop is not None and layout != "grid"
        self.detailed = crop is not None and layout == "detailed"
        crop = None if crop is None else crop // images.scale
        check_memory(100 * (count or 0), f"{count or 0:,} crops per epoch need", "Choose fewer --samples.")
        if crop is None:
            self.crops = whole_images(images, ids, count)
        elif layout == "grid":
            self.crops = grid_crops(images, ids, crop, count=count)
        else:
            place = detailed_crops if layout == "detailed" else random_crops
            self.crops = place(images, ids, crop, count=count or tiles_in(images, ids, crop), seed=seed)
        self._check_memory()
        self.even = crop is None and (batch_size % len(ids) == 0 or self.count <= batch_size)
        self.full: dict[str, tuple[Tensor, Tensor | None]] = {}
        self.resident: Cut | None = None
        if not self.fresh and images.streamed:
            self._keep_streamed()
        elif not self.fresh:
            every, larger = np.arange(len(self.crops)), self.crops.enlarged(images.scale)
            targets = cut(images.targets, larger, every) if images.targets is not None else None
            self.resident = Cut(0, every, cut(images.arrays, self.crops, every), targets=targets)

    def _check_memory(self) -> None:
        """Raise CuelloError, with the number, where a batch, or the crops that are kept, would not fit into memory."""
        pixels = self.crops.size[0] * self.crops.size[1] * self.images.channels
        pixels *= 1 if self.images.targets is None else 1 + self.images.scale**2
        shape = f"{self.crops.size[1]}×{self.crops.size[0]} pixels"
        batch = min(self.batch_size, self.count)
        remedy = "Choose a smaller --batch-size, --crop or --resize."
        check_memory(8 * batch * pixels, f"a batch of {batch:,} images of {shape} needs", remedy)
        if not (self.fresh or self.images.streamed):
            kept = self.count * pixels * self.images.dtype.itemsize
            remedy = "Choose fewer --samples or --validation-samples, or a smaller --crop."
            check_memory(kept, f"{self.count:,} crops of {shape} need", remedy)

    @property
    def count(self) -> int:
        return len(self.crops)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a crop in pixels: of the target, where that is larger."""
        return self.crops.enlarged(self.images.scale).size

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)

    def epoch(self, epoch: int = 0, device: torch.device | str = "cpu") -> Generator[Batch]:
        """Yield the batches of an epoch; ``ids`` of a Batch are positions in this epoch's crops.

        Raises CuelloError where the file of a streamed image changed, or where none of them is left.
        """
        crops = self.crops
        if self.fresh:
            crops = random_crops(self.images, self.ids, crops.size[0], count=self.count, seed=self.seed, epoch=epoch)
        given = 0
        with closing(self._cuts(crops, epoch)) as cuts:
            for number, rows, pixels, clean, part in cuts:
                given += 1
                images, targets = self._tensors(pixels, clean, device, whole=part.whole if part else len(rows))
                if self.augment:
                    square = images.shape[2] == images.shape[3]
                    random = generator(self.seed, "augment", epoch, index=number)
                    turns = torch.randint(8 if square else 4, (part.whole if part else len(rows),), generator=random)
                    turns = turns[part.start : part.start + len(rows)] if part else turns
                    images = turned(images, turns)
                    targets = turned(targets, turns) if targets is not None else None
                labels = None
                if self.labels is not None:
                    labels = torch.from_numpy(self.labels[crops.places[rows, 0]]).to(device)
                yield Batch(images, torch.from_numpy(rows), targets, labels=labels, rows=part)
        if not given:
            raise self.nothing_left()

    def _tensors(
        self, pixels: np.ndarray, clean: np.ndarray | None, device: torch.device | str, *, whole: int
    ) -> tuple[Tensor, Tensor | None]:
        """Turn a batch and its targets into tensors; made once where all batches, of ``whole`` images, are alike."""
        alike = self.even and self.resident is not None and whole == self.batch_size
        if alike and str(device) in self.full:
            return self.full[str(device)]
        made = to_tensor(pixels, device), to_tensor(clean, device) if clean is not None else None
        if alike:
            self.full[str(device)] = made
        return made

    def describe(self, row: int) -> tuple[str, int, int]:
        """Name the image of crop ``row``, and its top and left (pixels, of the target where that is larger)."""
        index, top, left = (int(value) for value in self.crops.places[row])
        return self.images.names[index], self.images.scale * top, self.images.scale * left

    def rows(self, epoch: int) -> list[np.ndarray]:
        """Give the rows of each batch of an epoch, of crops with fixed places."""
        order = np.arange(self.count)
        if self.shuffle and not self.even:
            order = np.concatenate(
                windows.shuffled(self.crops.places[:, 0], self.images.costs, seed=self.seed, epoch=epoch)
            )
        return [order[start : start + self.batch_size] for start in range(0, self.count, self.batch_size)]

    def take(self, rows: np.ndarray, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor | None]:
        """Take crops that are kept in memory, in the order of ``rows``, and their targets, as ``epoch`` does."""
        if self.resident is None:
            raise ValueError("these crops are not kept in memory: go through epoch()")
        targets = self.resident.targets
        images = to_tensor(self.resident.images[rows], device)
        return images, to_tensor(targets[rows], device) if targets is not None else None

    def with_seed(self, seed: int) -> "Batches":
        """Give the same crops in the order of another seed; ValueError where their places depend on the seed."""
        if self.scattered:
            raise ValueError("the places of these crops depend on the seed")
        other = copy.copy(self)
        other.seed = seed
        return other

    def shared(self, share: Share) -> "Batches":
        """Give a process its share of every batch; where that is nothing, a black image stands in (``Batch.rows``)."""
        if self.share is not None:
            raise ValueError("these batches are shared out already")
        other = copy.copy(self)
        other.share, other.full = share, {}
        return other

    def _own(self, rows: np.ndarray) -> tuple[np.ndarray, Rows | None]:
        """Give the rows of a batch that are this process's own, and which of the batch they are."""
        if self.share is None:
            return rows, None
        part = self.share.of(len(rows))
        return rows[part.slice], part

    def _stand_in(self, number: int, part: Rows | None) -> Cut:
        """Give a black image in the place of none, so that a network can be run, and wait, with the others'."""
        arrays, clean = self.images.arrays, self.images.targets
        sizes = [crops.size for crops in self._places(self.crops)]
        black, *larger = (
            blank(of, size) for of, size in zip((arrays, clean), sizes, strict=False) if of is not None
        )  # fmt: skip
        none = part._replace(count=0) if part is not None else None
        return Cut(number, np.zeros(1, np.int64), black, targets=larger[0] if larger else None, part=none)

    def _cuts(self, crops: Crops, epoch: int) -> Generator[Cut]:
        """Yield the crops of an epoch, a batch at a time, from wherever they are."""
        if self.resident is not None:
            images, clean = self.resident.images, self.resident.targets
            for number, every in enumerate(self.rows(epoch)):
                rows, part = self._own(every)
                if not len(rows):
                    yield self._stand_in(number, part)
                    continue
                targets = clean[rows] if clean is not None else None
                yield Cut(number, rows, images[rows], targets=targets, part=part)
            return
        chosen = crops.places[:, 0]
        if self.shuffle and not self.even:
            order = windows.shuffled(chosen, self.images.costs, seed=self.seed, epoch=epoch)
        else:
            order = windows.plain(chosen, self.images.costs) if self.images.streamed else [np.arange(self.count)]
        if self.images.streamed:
            yield from self._stream(crops, order)
            return
        rows_in_order = np.concatenate(order)
        clean, larger = self.images.targets, crops.enlarged(self.images.scale)
        for number, start in enumerate(range(0, self.count, self.batch_size)):
            rows, part = self._own(rows_in_order[start : start + self.batch_size])
            if not len(rows):
                yield self._stand_in(number, part)
                continue
            targets = cut(clean, larger, rows) if clean is not None else None
            yield Cut(number, rows, cut(self.images.arrays, crops, rows), targets=targets, part=part)

    def _keep_streamed(self) -> None:
        """Cut crops that never move, image by image, and keep them if they are few; those of lost images go."""
        count, channels, dtype = self.count, self.images.channels, self.images.dtype
        sizes = [crops.size for crops in self._places(self.crops)]
        if sum(height * width for height, width in sizes) * count * channels * dtype.itemsize > RESIDENT_BYTES:
            return
        kept = [np.empty((count, *size, channels), dtype) for size in sizes]
        found = np.zeros(count, bool)
        for _, rows, *cuts in self._stream(self.crops, [np.argsort(self.crops.places[:, 0], kind="stable")]):
            found[rows] = True
            for whole, part in zip(kept, cuts, strict=False):  # without targets there is one whole less
                whole[rows] = part
        if not found.any():
            raise self.nothing_left()
        self.crops = Crops(self.crops.places[found], self.crops.size)
        kept = [whole[found] for whole in kept] if not found.all() else kept
        self.resident = Cut(0, np.arange(self.count), *kept)

    def _stream(self, crops: Crops, order: list[np.ndarray]) -> Generator[Cut]:
        """Yield the crops, windows of rows one after another, each image decoded before its first use in a window.

        An image is dropped after its last use there. Crops of images that are lost are left out. Where batches are
        shared, only the images of this share are read.
        """
        whole = np.concatenate(order)
        begins = range(0, len(whole), self.batch_size)
        batches = [self._own(whole[start : start + self.batch_size]) for start in begins]
        if self.share is not None:
            mine = np.zeros(len(crops), bool)
            mine[np.concatenate([rows for rows, _ in batches])] = True
            order = [kept for rows in order if len(kept := rows[mine[rows]])]
        if not order:
            yield from (self._stand_in(number, part) for number, (_, part) in enumerate(batches))
            return
        visits = windows.visits(crops.places[:, 0], order)
        costs = self.images.costs[visits.image].tolist()
        leaving = np.argsort(visits.last, kind="stable").tolist()
        ends = np.sort(visits.last).tolist()
        gone = 0
        rows_in_order = np.concatenate(order)
        places = crops.places[rows_in_order]
        places[:, 0] = visits.of
        parts = [part for part in (self.images.arrays, self.images.targets) if part is not None]
        held: list[dict[int, np.ndarray]] = [{} for _ in parts]

        def read(visit: int) -> list[np.ndarray]:
            return [part[int(visits.image[visit])] for part in parts]

        with ReadAhead(read, costs, 2 * windows.WINDOW_BYTES) as reader:
            stop = 0
            for number, (own, part) in enumerate(batches):
                start, stop = stop, stop + len(own)
                if start == stop:
                    yield self._stand_in(number, part)
                    continue
                for visit in range(reader.taken, int(visits.of[start:stop].max()) + 1):
                    try:
                        for kept, pixels in zip(held, reader.take(), strict=True):
                            kept[visit] = pixels
                    except LostError as error:
                        if not isinstance(self.images.arrays, StreamedArrays):
                            raise
                        self.images.arrays.lose(int(visits.image[visit]), error)
                there = np.array([visit in held[0] for visit in visits.of[start:stop].tolist()])
                here = self._places(Crops(places[start:stop][there], crops.size))
                cuts = [cut(*images, slice(None)) for images in zip(held, here, strict=True)] if there.any() else []
                while gone < len(ends) and ends[gone] < stop:
                    for kept in held:
                        kept.pop(leaving[gone], None)
                    reader.release(leaving[gone])
                    gone += 1
                if cuts:
                    found = part._replace(count=int(there.sum())) if part is not None else None
                    targets = cuts[1] if len(cuts) > 1 else None
                    yield Cut(number, own[there], cuts[0], targets=targets, part=found)
                elif part is not None:
                    yield self._stand_in(number, part)

    def _places(self, crops: Crops) -> list[Crops]:
        """Place crops in the images, and in their targets where they have them."""
        return [crops] if self.images.targets is None else [crops, crops.enlarged(self.images.scale)]

    def nothing_left(self) -> CuelloError:
        """Say that no image can be read any more."""
        return CuelloError(
            f"not one image of {self.images.name} can be read any more. The run is kept: once the files are back, go "
            "on with `cuello resume RUN`."
        )
