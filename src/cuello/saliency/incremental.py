"""Occluded copies of an image evaluated where they differ from it only, layer by layer.

A box changes a small region of the input, and of every layer after it a region that grows slowly. Each layer is worked
out on that region alone; what surrounds it comes from the image without a box, whose layers are kept. Regions of one
size are a batch, whatever box and image they belong to. The result is the plain one, rounding aside.
"""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cuello.core.threads import MOST_THREADS, torch_divided
from cuello.saliency.boxes import Boxes, Spans
from cuello.saliency.layers import Axis, Layer, LayerChain, Operation
from cuello.saliency.linear import Ends, LinearRun, Planner, RegionPlan
from cuello.saliency.regions import Class, Reach, reach

REGION_BYTES = 16 * 2**20
"""Bytes of a batch's largest layer: half of a common last cache level. Smaller ones mean more calls, at a cost each."""

CLEAN_BYTES = 64 * 2**20
"""Bytes of the layers without a box that are kept at once; one image's at least."""

CALL_WORK = 1.5e7
"""What a layer's calls for one more group cost beside arithmetic, in multiply-adds: about 0.4 ms of a core."""

MOST_IMAGES = 256
"""Images at once: more would only make the batches of a class longer."""


@dataclass(frozen=True)
class Clean:
    """A layer of the images without a box, padding in place: one row a pixel, ``(N H W, C)``.

    size: (H, W) with the padding. top, left: pixels of padding in front.
    """

    rows: Tensor
    size: tuple[int, int]
    top: int = 0
    left: int = 0


@dataclass(frozen=True)
class Items:
    """Which regions are in a batch. image, row, column, channel: ``(B,)``; row and column count in their class."""

    image: Tensor
    row: Tensor
    column: Tensor
    channel: Tensor

    def part(self, start: int, count: int) -> "Items":
        here = slice(start, start + count)
        return Items(*(one[here] for one in (self.image, self.row, self.column, self.channel)))


def pixels_first(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).contiguous()


def kept(x: Tensor, layer: Layer | None = None, after: tuple[int, int] = (0, 0)) -> Clean:
    """Keep images ``(N, C, H, W)`` as rows, padded as a layer that gives ``after`` (H, W) of them asks for."""
    top, left = 0, 0
    if layer is not None:
        axes, sides = (layer.rows, layer.columns), (x.shape[2], x.shape[3])
        (top, bottom), (left, right) = (
            (axis.before, max(0, (count - 1) * axis.stride + axis.extent - axis.before - side))
            for axis, side, count in zip(axes, sides, after, strict=True)
        )
        x = functional.pad(x, [left, right, top, bottom], value=layer.outside)
    return Clean(pixels_first(x).view(-1, x.shape[1]), (x.shape[2], x.shape[3]), top=top, left=left)


def applied(operations: tuple[Operation, ...], x: Tensor) -> Tensor:
    for operation in operations:
        x = operation(x)
    return x


def clean_layers(
    chain: LayerChain, images: Tensor, runs: Sequence[LinearRun] = ()
) -> tuple[list[Clean], dict[int, Clean]]:
    """Return what every layer gets, and what the tail gets, for images without a box; and what each run's last gives.

    That is before the elementwise layers behind it, by its level.
    """
    x, found, given = images, [], {}
    ends = {run.last for run in runs}
    for level, (layer, after) in enumerate(zip(chain.layers, chain.sizes[1:], strict=True)):
        found.append(kept(x, layer, after))
        x = layer.whole(x)
        if level + 1 in ends:
            given[level + 1] = kept(x.clone())  # the layers behind may work in place
        x = applied(layer.then, x)
    return [*found, kept(x)], given


@dataclass(frozen=True)
class Side:
    """Along one side, where the windows of a class begin in a padded layer, and where regions lie in those windows.

    windows: ``(P, length)``, the pixels that each window has. inner: ``(P, h)``, the places of the region in its
    window. at: the first of these, where it is the same for all and every region fits, else None. fits: ``(P, h)``,
    which places are in the window, or None where all are.
    """

    windows: Tensor
    inner: Tensor
    at: int | None
    fits: Tensor | None


def side_of(one: Class, level: int, axis: Axis | None, *, before: int, side: int) -> Side:
    """Find where windows and regions of a class lie at a level.

    axis: how the layer walks there; None where the window is the whole side. before: pixels of padding in front.
    """
    if axis is None:
        first, length = torch.zeros_like(one.starts[level]), side
    else:
        first, length = one.starts[level + 1] * axis.stride, (one.lengths[level + 1] - 1) * axis.stride + axis.extent
    offset = one.starts[level] + before - first
    inner = offset[:, None] + torch.arange(one.lengths[level])
    low, high = int(offset.min()), int(offset.max())
    inside = low >= 0 and high + one.lengths[level] <= length
    fits = None if inside else (inner >= 0) & (inner < length)
    at = low if inside and low == high else None
    return Side(first[:, None] + torch.arange(length), inner, at=at, fits=fits)


def pasted(regions: Tensor, clean: Clean, items: Items, *, rows: Side, columns: Side) -> Tensor:
    """Paste regions ``(B, h, w, C)`` into windows of the layer without a box, ``(B, H, W, C)``."""
    found = looked_up(clean, items, rows=rows.windows, columns=columns.windows)
    count, height, width, channels = found.shape
    top, left = rows.at, columns.at
    if top is not None and left is not None:
        found[:, top : top + regions.shape[1], left : left + regions.shape[2]] = regions
        return found
    first = torch.arange(0, count * height * width, height * width, device=found.device)
    starts = rows.inner[items.row] * width + first[:, None]
    index = (starts[:, :, None] + columns.inner[items.column][:, None, :]).view(-1)
    values = regions.reshape(-1, channels)
    if rows.fits is not None or columns.fits is not None:
        row_in, column_in = (
            torch.ones_like(side.inner, dtype=torch.bool) if side.fits is None else side.fits
            for side in (rows, columns)
        )
        chosen = (row_in[items.row][:, :, None] & column_in[items.column][:, None, :]).view(-1).nonzero().view(-1)
        index, values = index.index_select(0, chosen), values.index_select(0, chosen)
    found.view(-1, channels).index_copy_(0, index, values)
    return found


def looked_up(clean: Clean, items: Items, *, rows: Tensor, columns: Tensor) -> Tensor:
    """Look up ``(B, h, w, C)``: the pixels of rows ``(P, h)`` and columns ``(Q, w)`` of each item's image."""
    height, width = clean.size
    first = (rows * width)[items.row] + (items.image * (height * width))[:, None]
    index = first[:, :, None] + columns[items.column][:, None, :]
    return clean.rows.index_select(0, index.view(-1)).view(*index.shape, -1)


@dataclass(frozen=True)
class Line:
    """What is needed for a class along one side.

    sides: at every level. under: ``(P, h)``, see ``under_boxes``. begins: where the first region does, at every level.
    """

    one: Class
    sides: list[Side]
    under: Tensor
    begins: tuple[int, ...]

    def pixels(self, level: int) -> Tensor:
        """Return the pixels of the regions at a level, ``(P, h)``."""
        starts = self.one.starts[level]
        return starts[:, None] + torch.arange(self.one.lengths[level], device=starts.device)


@dataclass(frozen=True)
class BoxWork:
    """All that is needed for the boxes of one class of rows and one of columns.

    runs: by their first level. given: see ``clean_layers``.
    """

    chain: LayerChain
    runs: dict[int, LinearRun]
    clean: list[Clean]
    given: dict[int, Clean]
    filled: Clean
    rows: Line
    columns: Line

    def outputs(self, items: Items, apart: bool) -> Tensor:
        """Ask the network about some regions, ``(B, K)``."""
        regions, level, layers = self.covered(items, apart), 0, self.chain.layers
        while level < len(layers):
            if run := self.runs.get(level):
                found, level = self.at_once(regions, run, items), run.last
            else:
                found, level = layers[level].local(self.surrounded(regions, level, items)), level + 1
            regions = pixels_first(applied(layers[level - 1].then, found))
        return self.chain.tail(self.surrounded(regions, len(layers), items))

    def at_once(self, regions: Tensor, run: LinearRun, items: Items) -> Tensor:
        """Return what the last layer of a run gives, ``(B, K, H, W)``, of regions of what its first gets."""
        lines, clean = (self.rows, self.columns), self.clean[run.first]
        rows, columns = (
            line.pixels(run.first) + before for line, before in zip(lines, (clean.top, clean.left), strict=True)
        )
        difference = regions - looked_up(clean, items, rows=rows, columns=columns)
        rows, columns = (line.pixels(run.last) for line in lines)
        found = looked_up(self.given[run.last], items, rows=rows, columns=columns)
        ends = (Ends(line.begins[run.first], line.begins[run.last]) for line in lines)
        run.add(found, difference, *ends)
        return found.permute(0, 3, 1, 2)

    def surrounded(self, regions: Tensor, level: int, items: Items) -> Tensor:
        """Surround regions ``(B, h, w, C)`` by what a layer gets without a box, ``(B, C, H, W)``."""
        rows, columns = self.rows.sides[level], self.columns.sides[level]
        return pasted(regions, self.clean[level], items, rows=rows, columns=columns).permute(0, 3, 1, 2)

    def covered(self, items: Items, apart: bool) -> Tensor:
        """Return the input's regions with their boxes, ``(B, h, w, C)``."""
        rows, columns = (line.pixels(0) for line in (self.rows, self.columns))
        clean = self.clean[0]
        inside = looked_up(self.filled, items, rows=rows, columns=columns)
        whole = looked_up(clean, items, rows=rows + clean.top, columns=columns + clean.left)
        under = (self.rows.under[items.row][:, :, None] & self.columns.under[items.column][:, None, :])[..., None]
        if apart:
            one = items.channel[:, None] == torch.arange(whole.shape[3], device=whole.device)
            under = under & one[:, None, None, :]
        return torch.where(under, inside, whole)


def under_boxes(spans: Spans, one: Class) -> Tensor:
    """Tell which pixels of the input's regions are under their boxes, along one side, ``(P, h)``."""
    pixels = one.starts[0][:, None] + torch.arange(one.lengths[0])
    start, end = (torch.tensor(ends)[one.members, None] for ends in (spans.starts, spans.ends))
    return (pixels >= start) & (pixels < end)


@dataclass(frozen=True)
class Incremental:
    """A chain of layers and boxes, ready to be evaluated.

    apart: whether a box covers one channel at a time. batch: regions at once; None: as many as REGION_BYTES hold.
    """

    chain: LayerChain
    boxes: Boxes
    apart: bool
    batch: int | None

    def outputs(
        self,
        images: Tensor,
        fills: Tensor,
        progress: Callable[[int], None],
        check: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Return what the network says with each box, ``(N, P, Q, C or 1, K)``.

        images, fills: ``(N, C, H, W)``, what they are and what boxes show. progress: called with boxes done since.
        check: called once with the results of the first images, before the others are worked on.
        """
        found, channels = [], images.shape[1]
        at_once = min(len(images), self.images_at_once(images))
        together, times = at_once * (channels if self.apart else 1), len(images) / at_once
        rows, columns = self.reaches()
        planner = Planner(
            self.chain, channels, rows=rows, columns=columns, images=together, times=times, overhead=CALL_WORK
        )
        plan = planner.best()
        for start in range(0, len(images), at_once):
            here = slice(start, start + at_once)
            found.append(self.some(images[here], fills[here], plan, progress=progress))
            if check and start == 0:
                check(found[0])
        return torch.cat(found)

    def reaches(self) -> tuple[Reach, Reach]:
        """Work out how far boxes reach, along rows and along columns."""
        layers, sizes = self.chain.layers, self.chain.sizes
        return (
            reach(self.boxes.rows, [layer.rows for layer in layers], [size[0] for size in sizes]),
            reach(self.boxes.columns, [layer.columns for layer in layers], [size[1] for size in sizes]),
        )

    def images_at_once(self, images: Tensor) -> int:
        """Count the images whose layers are kept at once: see CLEAN_BYTES."""
        channels = (layer.channels for layer in self.chain.layers)
        areas = (height * width for height, width in self.chain.sizes[1:])
        numbers = images[0].numel() + sum(area * count for area, count in zip(areas, channels, strict=True))
        return max(1, min(MOST_IMAGES, CLEAN_BYTES // (images.element_size() * numbers)))

    def some(self, images: Tensor, fills: Tensor, plan: RegionPlan, progress: Callable[[int], None]) -> Tensor:
        """Give ``outputs`` of as many images as are kept at once."""
        images, fills = applied(self.chain.first, images.clone()), applied(self.chain.first, fills.clone())
        (clean, given), filled = clean_layers(self.chain, images, plan.runs), kept(fills)
        channels = images.shape[1] if self.apart else 1
        runs = {run.first: run for run in plan.runs}
        prepared = [
            [self.line(one, clean, axis) for one in found] for axis, found in enumerate((plan.rows, plan.columns))
        ]
        parts: list[tuple[BoxWork, Items]] = []
        for row_line in prepared[0]:
            for column_line in prepared[1]:
                work = BoxWork(self.chain, runs, clean, given=given, filled=filled, rows=row_line, columns=column_line)
                sides = (len(row_line.one.members), len(column_line.one.members))
                items = every_item(len(images), *sides, channels=channels, device=images.device)
                at_once = self.batch or fitting(self.chain, clean, rows=row_line.one, columns=column_line.one)
                parts += [(work, items.part(start, at_once)) for start in range(0, len(items.image), at_once)]
        found = None
        with closing(answered(parts, self.apart)) as answers:
            for (work, part), says in zip(parts, answers, strict=True):
                if found is None:
                    shape = (len(images), len(self.boxes.rows), len(self.boxes.columns), channels, says.shape[1])
                    found = says.new_empty(shape)
                row, column = work.rows.one.members[part.row], work.columns.one.members[part.column]
                found[part.image, row, column, part.channel] = says
                progress(len(part.image))
        assert found is not None  # there is always a box
        return found

    def line(self, one: Class, clean: list[Clean], axis: int) -> "Line":
        """Gather what is needed for a class along one side, 0 for rows and 1 for columns, where the images are."""
        spans = (self.boxes.rows, self.boxes.columns)[axis]
        walks = [*((layer.rows, layer.columns)[axis] for layer in self.chain.layers), None]
        sides = [
            side_of(one, level, walk, before=(layer.top, layer.left)[axis], side=layer.size[axis])
            for level, (walk, layer) in enumerate(zip(walks, clean, strict=True))
        ]
        begins = tuple(one.starts[:, 0].tolist())
        found = Line(one, sides, under_boxes(spans, one), begins=begins)
        device = clean[0].rows.device
        return found if device.type == "cpu" else moved(found, device)


def answered(parts: Sequence[tuple[BoxWork, Items]], apart: bool) -> Generator[Tensor]:
    """Ask the network about every part, and give what it says in their order.

    On a processor each of several threads works on a part by itself, which gives the same bits however many they are:
    regions are so small that threads that share one's operations wait for one another most of the time.
    """
    threads = min(torch.get_num_threads(), len(parts), MOST_THREADS)
    if threads == 1 or parts[0][1].image.device.type != "cpu":
        yield from (work.outputs(part, apart) for work, part in parts)
        return

    def ask(one: tuple[BoxWork, Items]) -> Tensor:
        with torch.no_grad():
            return one[0].outputs(one[1], apart)

    with torch_divided(threads), ThreadPoolExecutor(threads, thread_name_prefix="cuello-maps") as pool:
        try:
            yield from pool.map(ask, parts)
        finally:
            pool.shutdown(cancel_futures=True)


def moved(value: Any, device: torch.device) -> Any:
    """Move every tensor of tables to a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple | list):
        return type(value)(moved(one, device) for one in value)
    if isinstance(value, Side | Class | Line):
        return replace(value, **{one.name: moved(getattr(value, one.name), device) for one in fields(value)})
    return value


def every_item(images: int, rows: int, columns: int, channels: int, device: torch.device) -> Items:
    number = torch.arange(images * rows * columns * channels, device=device)
    number, channel = number // channels, number % channels
    return Items(
        image=number // (rows * columns), row=number // columns % rows, column=number % columns, channel=channel
    )


def fitting(chain: LayerChain, clean: list[Clean], *, rows: Class, columns: Class) -> int:
    """Count the regions of these classes that are worked on at once: see REGION_BYTES."""
    most = clean[-1].rows.shape[1] * chain.sizes[-1][0] * chain.sizes[-1][1]
    for level, layer in enumerate(chain.layers):
        height, width = rows.lengths[level + 1], columns.lengths[level + 1]
        area = (height * layer.rows.stride + layer.rows.extent) * (width * layer.columns.stride + layer.columns.extent)
        most = max(most, area * clean[level].rows.shape[1], height * width * clean[level + 1].rows.shape[1])
    return max(1, REGION_BYTES // (most * clean[0].rows.element_size()))
