"""Occluded copies of an image evaluated where they differ from it only, layer by layer.

A box changes a small region of the input, and of every layer after it a region that grows slowly. Each layer is worked
out on that region alone; what surrounds it comes from the image without a box, whose layers are kept. Regions of one
size are a batch, whatever box and image they belong to. The result is the plain one, rounding aside.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cuello.saliency.boxes import Boxes
from cuello.saliency.layers import Chain, Layer, Operation
from cuello.saliency.regions import Class, grouped, reach

REGION_BYTES = 4 * 2**20
"""Bytes of a batch's largest layer: what stays in a processor's cache while the next layer reads it."""

CLEAN_BYTES = 64 * 2**20
"""Bytes of the layers without a box that are kept at once; one image's at least."""

CALL_WORK = 4e6
"""What calling a layer costs beside its arithmetic, in multiply-adds: about 0.1 ms of a core."""

MOST_IMAGES = 64
"""Images at once: more would only make the batches of a class longer."""


@dataclass(frozen=True)
class Clean:
    """A layer of the images without a box: one row a pixel, ``(N H W + 1, C)``; the last row is the padding."""

    rows: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class Items:
    """Which regions are in a batch. image, row, column, channel: ``(B,)``; row and column count in their class."""

    image: Tensor
    row: Tensor
    column: Tensor
    channel: Tensor

    def part(self, start: int, count: int) -> "Items":
        """Return some of them."""
        here = slice(start, start + count)
        return Items(self.image[here], self.row[here], self.column[here], self.channel[here])


def pixels_first(x: Tensor) -> Tensor:
    """Return ``(N, C, H, W)`` as ``(N, H, W, C)``, contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def kept(x: Tensor, outside: float) -> Clean:
    """Return images ``(N, C, H, W)`` as rows, and the padding's row."""
    rows = pixels_first(x).view(-1, x.shape[1])
    return Clean(torch.cat([rows, rows.new_full((1, x.shape[1]), outside)]), (x.shape[2], x.shape[3]))


def applied(operations: tuple[Operation, ...], x: Tensor) -> Tensor:
    """Return x after one operation after the other."""
    for operation in operations:
        x = operation(x)
    return x


def clean_layers(chain: Chain, images: Tensor) -> list[Clean]:
    """Return what every layer gets, and what the tail gets, for images without a box."""
    x, found = images, []
    for layer in chain.layers:
        found.append(kept(x, layer.outside))
        x = applied(layer.then, layer.whole(x))
    return [*found, kept(x, 0.0)]


def windows(clean: Clean, image: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Return ``(B, height, width, C)``: what the images without a box have from (top, left) on, ``(B,)`` each."""
    rows = top[:, None] + torch.arange(height, device=top.device)
    columns = left[:, None] + torch.arange(width, device=top.device)
    all_rows, all_columns = clean.size
    index = (image[:, None] * all_rows + rows)[:, :, None] * all_columns + columns[:, None, :]
    row_in, column_in = (rows >= 0) & (rows < all_rows), (columns >= 0) & (columns < all_columns)
    if not (row_in.all() and column_in.all()):
        index = index.masked_fill_(~(row_in[:, :, None] & column_in[:, None, :]), len(clean.rows) - 1)
    return clean.rows.index_select(0, index.view(-1)).view(len(image), height, width, -1)


def paste(windows: Tensor, regions: Tensor, down: Tensor, right: Tensor) -> None:
    """Write regions ``(B, h, w, C)`` into windows ``(B, H, W, C)`` at rows ``down`` and columns ``right``, ``(B,)``.

    What would lie outside a window is left out.
    """
    count, height, width, channels = windows.shape
    rows = down[:, None] + torch.arange(regions.shape[1], device=down.device)
    columns = right[:, None] + torch.arange(regions.shape[2], device=down.device)
    bounds = torch.stack([down.aminmax().min, down.aminmax().max, right.aminmax().min, right.aminmax().max]).tolist()
    inside = bounds[0] >= 0 and bounds[2] >= 0 and bounds[1] + regions.shape[1] <= height
    inside = inside and bounds[3] + regions.shape[2] <= width
    if inside and bounds[0] == bounds[1] and bounds[2] == bounds[3]:
        top, left = bounds[0], bounds[2]
        windows[:, top : top + regions.shape[1], left : left + regions.shape[2]] = regions
        return
    first = torch.arange(count, device=down.device)[:, None] * height
    index = ((first + rows)[:, :, None] * width + columns[:, None, :]).view(-1)
    values = regions.reshape(-1, channels)
    if not inside:
        row_in, column_in = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
        chosen = (row_in[:, :, None] & column_in[:, None, :]).view(-1).nonzero().view(-1)
        index, values = index[chosen], values[chosen]
    windows.view(-1, channels).index_copy_(0, index, values)


def run_layer(layer: Layer, clean: Clean, regions: Tensor, items: Items, starts: "Starts", level: int) -> Tensor:
    """Return the regions after a layer, ``(B, h', w', C')``, of those before it, ``(B, h, w, C)``."""
    (top, left), (down, right) = starts.of(items, level), starts.of(items, level + 1)
    down = down * layer.rows.stride - layer.rows.before
    right = right * layer.columns.stride - layer.columns.before
    (height, width) = starts.lengths(level + 1)
    found = windows(
        clean, items.image, down, right,
        (height - 1) * layer.rows.stride + layer.rows.extent,
        (width - 1) * layer.columns.stride + layer.columns.extent,
    )  # fmt: skip
    paste(found, regions, top - down, left - right)
    return pixels_first(applied(layer.then, layer.local(found.permute(0, 3, 1, 2))))


@dataclass(frozen=True)
class Starts:
    """Where the regions of a class of rows and a class of columns begin at every level."""

    rows: Class
    columns: Class

    def of(self, items: Items, level: int) -> tuple[Tensor, Tensor]:
        """Return top and left of each item's region, ``(B,)`` each."""
        return self.rows.starts[level][items.row], self.columns.starts[level][items.column]

    def lengths(self, level: int) -> tuple[int, int]:
        """Return height and width of the regions."""
        return self.rows.lengths[level], self.columns.lengths[level]


@dataclass(frozen=True)
class Incremental:
    """A chain of layers and boxes, ready to be evaluated.

    apart: whether a box covers one channel at a time. batch: regions at once; None: as many as REGION_BYTES hold.
    """

    chain: Chain
    boxes: Boxes
    apart: bool
    batch: int | None

    def outputs(self, images: Tensor, fills: Tensor, progress: Callable[[int], None]) -> Tensor:
        """Return what the network says with each box, ``(N, P, Q, C or 1, K)``.

        images, fills: ``(N, C, H, W)``, what they are and what boxes show. progress: called with boxes done since.
        """
        numbers = sum(h * w for h, w in self.chain.sizes) * images.shape[1] * 16  # a guess at the channels
        at_once = max(1, min(MOST_IMAGES, CLEAN_BYTES // (4 * numbers)))
        found = [
            self.some(images[start : start + at_once], fills[start : start + at_once], progress)
            for start in range(0, len(images), at_once)
        ]
        return torch.cat(found)

    def chosen(self, image: Tensor, fill: Tensor, numbers: Tensor) -> Tensor:
        """Return what the network says of one image, ``(1, C, H, W)``, with some boxes, ``(B, K)``.

        numbers: box by box, channel by channel where apart. Each is worked out by itself: for checking.
        """
        channels = image.shape[1] if self.apart else 1
        found = []
        for number in numbers.tolist():
            box, channel = divmod(number, channels)
            row, column = divmod(box, len(self.boxes.columns))
            alone = Boxes(self.boxes.rows.only(row), self.boxes.columns.only(column))
            says = Incremental(self.chain, alone, self.apart, 1).some(image, fill, lambda count: None)
            found.append(says[:, 0, 0, channel])
        return torch.cat(found)

    def some(self, images: Tensor, fills: Tensor, progress: Callable[[int], None]) -> Tensor:
        """Return ``outputs`` of as many images as are kept at once."""
        layers, sizes = self.chain.layers, self.chain.sizes
        images, fills = applied(self.chain.first, images.clone()), applied(self.chain.first, fills.clone())
        clean = clean_layers(self.chain, images)
        channels = images.shape[1] if self.apart else 1
        rows = reach(self.boxes.rows, [layer.rows for layer in layers], [size[0] for size in sizes])
        columns = reach(self.boxes.columns, [layer.columns for layer in layers], [size[1] for size in sizes])
        work = [layer.work + 20 * one.rows.shape[1] for layer, one in zip(layers, clean, strict=False)]
        classes = grouped(rows, columns, work, len(images) * channels, CALL_WORK * len(layers))
        filled, found = kept(fills, 0.0), None
        for row_class in classes[0]:
            for column_class in classes[1]:
                starts = Starts(row_class, column_class)
                items = every_item(len(images), starts, channels, images.device)
                at_once = self.batch or fitting(self.chain, clean, starts)
                for start in range(0, len(items.image), at_once):
                    part = items.part(start, at_once)
                    says = self.batch_of(part, starts, clean, filled)
                    if found is None:
                        shape = (len(images), len(self.boxes.rows), len(self.boxes.columns), channels, says.shape[1])
                        found = says.new_empty(shape)
                    places = (part.image, row_class.members[part.row], column_class.members[part.column], part.channel)
                    found[places] = says
                    progress(len(part.image))
        assert found is not None  # there is always a box
        return found

    def batch_of(self, items: Items, starts: Starts, clean: list[Clean], filled: Clean) -> Tensor:
        """Return what the network says of some regions, ``(B, K)``."""
        regions = self.covered(items, starts, clean[0], filled)
        for level, layer in enumerate(self.chain.layers):
            regions = run_layer(layer, clean[level], regions, items, starts, level)
        last = len(self.chain.layers)
        nothing = torch.zeros_like(items.image)
        whole = windows(clean[last], items.image, nothing, nothing, *clean[last].size)
        paste(whole, regions, *starts.of(items, last))
        return self.chain.tail(whole.permute(0, 3, 1, 2))

    def covered(self, items: Items, starts: Starts, clean: Clean, filled: Clean) -> Tensor:
        """Return the input's regions with their boxes, ``(B, h, w, C)``."""
        (top, left), (height, width) = starts.of(items, 0), starts.lengths(0)
        inside = windows(filled, items.image, top, left, height, width)
        whole = windows(clean, items.image, top, left, height, width)
        under = torch.ones(len(top), height, width, 1, dtype=torch.bool, device=top.device)
        sides = (
            (self.boxes.rows, starts.rows.members[items.row], top, height, (-1, height, 1, 1)),
            (self.boxes.columns, starts.columns.members[items.column], left, width, (-1, 1, width, 1)),
        )
        for spans, members, first, length, shape in sides:
            pixels = first[:, None] + torch.arange(length, device=first.device)
            start, end = (torch.tensor(ends, device=first.device)[members, None] for ends in (spans.starts, spans.ends))
            under = under & ((pixels >= start) & (pixels < end)).view(shape)
        if self.apart:
            one = items.channel[:, None] == torch.arange(whole.shape[3], device=top.device)
            under = under & one[:, None, None, :]
        return torch.where(under, inside, whole)


def every_item(images: int, starts: Starts, channels: int, device: torch.device) -> Items:
    """Return every region of two classes, image by image."""
    rows, columns = len(starts.rows.members), len(starts.columns.members)
    number = torch.arange(images * rows * columns * channels, device=device)
    number, channel = number // channels, number % channels
    return Items(number // (rows * columns), number // columns % rows, number % columns, channel)


def fitting(chain: Chain, clean: list[Clean], starts: Starts) -> int:
    """Return how many regions of these classes are worked on at once: see REGION_BYTES."""
    most = clean[-1].rows.shape[1] * chain.sizes[-1][0] * chain.sizes[-1][1]
    for level, layer in enumerate(chain.layers):
        height, width = starts.lengths(level + 1)
        area = (height * layer.rows.stride + layer.rows.extent) * (width * layer.columns.stride + layer.columns.extent)
        most = max(most, area * clean[level].rows.shape[1], height * width * clean[level + 1].rows.shape[1])
    return max(1, REGION_BYTES // (most * clean[0].rows.element_size()))
