"""Convolutions with nothing between them, taken as the one linear map that they are.

What a box changes goes through a convolution without its bias: the difference to the image without a box is zero
outside the box's region and stays so, and a sum of pixels gives the sum of what each pixel gives. So a run of
convolutions is worked out from the changed pixels alone, each of them times one matrix: what the run's last layer gives
for it. That matrix is the same all over the image, but for pixels so near to an edge that a layer between would look
at its padding; these have matrices of their own. The whole run then costs about as much as its changed pixels times
the joint kernel, where layer by layer each costs its whole region times its own kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from cuello.saliency.layers import Axis, LayerChain
from cuello.saliency.regions import Class, Reach, grouped

PRODUCT_COST = 1.5
"""How much longer a multiply-add of these products takes than one of a convolution: they are many and small."""

GATHER_COST = 20
"""What moving a number of a pixel costs, in multiply-adds."""

CALL_SHARE = 0.05
"""What the call for a run's pixel costs, of what the calls of a whole layer do."""

Kind = tuple[int, int]


@dataclass(frozen=True)
class Walk:
    """How a run walks along one side.

    side: pixels of what its first layer gets. lead: how far what a pixel changes begins before it. extent: how many
    pixels of the last layer it changes. low, high: pixels that are at least so far from the first and the last pixel of
    the side are all alike.
    """

    side: int
    lead: int
    extent: int
    low: int
    high: int

    @staticmethod
    def of(axes: Sequence[Axis], sides: Sequence[int]) -> "Walk":
        """Return the walk of layers with strides of 1; sides: before each and after the last.

        >>> Walk.of([Axis(3, 1, 1, 1), Axis(3, 1, 1, 1)], [9, 9, 9])
        Walk(side=9, lead=2, extent=5, low=1, high=1)
        """
        lead, after, low, high = 0, 0, 0, 0
        for number, (axis, side) in enumerate(zip(axes, sides[1:], strict=True)):
            lead, after = lead + axis.extent - 1 - axis.before, after + axis.before
            if number < len(axes) - 1:
                low, high = max(low, lead), max(high, after + sides[0] - side)
        extent = sum(axis.extent - 1 for axis in axes) + 1
        return Walk(sides[0], lead=lead, extent=extent, low=low, high=high)

    def kind(self, pixel: int) -> Kind:
        """Return what pixels that are alike have in common: how far they are from both edges, as far as it matters."""
        return min(pixel, self.low), min(self.side - 1 - pixel, self.high)

    def kinds(self) -> int:
        return len({self.kind(pixel) for pixel in range(self.side)})


@dataclass(frozen=True)
class LinearRun:
    """Layers ``first`` to ``last - 1`` of a chain, as one linear map. channels: before, and after.

    matrices: found so far; see ``matrix``.
    """

    chain: LayerChain
    first: int
    last: int
    rows: Walk
    columns: Walk
    channels: tuple[int, int]
    matrices: dict[tuple[Kind, Kind], Tensor] = field(default_factory=dict, compare=False)

    @staticmethod
    def of(chain: LayerChain, first: int, last: int, *, channels: int) -> "LinearRun":
        """Return the run of these layers; channels: of what the first gets."""
        layers, sizes = chain.layers[first:last], chain.sizes[first : last + 1]
        rows = Walk.of([layer.rows for layer in layers], [size[0] for size in sizes])
        columns = Walk.of([layer.columns for layer in layers], [size[1] for size in sizes])
        both = (channels, layers[-1].channels)
        return LinearRun(chain, first, last, rows=rows, columns=columns, channels=both)

    def work(self) -> float:
        """Count multiply-adds of a changed pixel."""
        return float(self.rows.extent * self.columns.extent * self.channels[0] * self.channels[1])

    def preparation(self) -> float:
        """Count multiply-adds that finding all matrices takes, about."""
        layers = self.chain.layers[self.first : self.last]
        height, width, total = 1, 1, 0.0
        for layer in layers:
            height, width = height + layer.rows.extent - 1, width + layer.columns.extent - 1
            total += height * width * layer.work
        return total * self.channels[0] * self.rows.kinds() * self.columns.kinds()

    def matrix(self, row: int, column: int, like: Tensor) -> Tensor:
        """Return what the run gives for 1 in each channel of one pixel, ``(rows, C, columns · K)``.

        row, column: of the pixel. rows, columns: of what it changes, beginning ``lead`` before it; those that lie
        outside the image, of no use to anybody, are there too. like: any tensor of the type and device.
        """
        key = self.rows.kind(row), self.columns.kind(column)
        if key not in self.matrices:
            self.matrices[key] = self.response(row, column, like)
        return self.matrices[key]

    def response(self, row: int, column: int, like: Tensor) -> Tensor:
        """Return ``matrix``, worked out: layer by layer, cut at the edges of each but the last."""
        channels = self.channels[0]
        x = torch.eye(channels, dtype=like.dtype, device=like.device).view(channels, channels, 1, 1)
        top, left = row, column
        for number in range(self.first, self.last):
            layer, (height, width) = self.chain.layers[number], self.chain.sizes[number + 1]
            assert layer.spread is not None
            x = layer.spread(x)
            top += layer.rows.before - layer.rows.extent + 1
            left += layer.columns.before - layer.columns.extent + 1
            if number < self.last - 1:
                x = x[:, :, max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
                top, left = max(top, 0), max(left, 0)
                if x.numel() == 0:
                    return like.new_zeros(self.rows.extent, channels, self.columns.extent * self.channels[1])
        whole = x.new_zeros(self.rows.extent, channels, self.columns.extent, self.channels[1])
        down, right = top - (row - self.rows.lead), left - (column - self.columns.lead)
        whole[down : down + x.shape[2], :, right : right + x.shape[3]] = x.permute(2, 0, 3, 1)
        return whole.flatten(2)

    def add(self, result: Tensor, difference: Tensor, rows: "Ends", columns: "Ends") -> None:
        """Add to the last layer's regions, ``(B, H, W, K)``, what differences, ``(B, h, w, C)``, make there.

        rows, columns: where both begin. Regions that begin elsewhere may be among them, where they have one
        ``signature``.
        """
        count, height, width, wide = result.shape
        for i in range(difference.shape[1]):
            top = rows.before + i - self.rows.lead - rows.after
            upper, lower = max(0, -top), min(self.rows.extent, height - top)
            if upper >= lower:
                continue
            for j in range(difference.shape[2]):
                left = columns.before + j - self.columns.lead - columns.after
                near, far = max(0, -left), min(self.columns.extent, width - left)
                if near >= far:
                    continue
                matrix = self.matrix(rows.before + i, columns.before + j, difference)
                to = result.as_strided(
                    (lower - upper, count, (far - near) * wide),
                    (width * wide, height * width * wide, 1),
                    result.storage_offset() + ((top + upper) * width + left + near) * wide,
                )
                pixel = difference[:, i, j].expand(lower - upper, -1, -1)
                to.baddbmm_(pixel, matrix[upper:lower, :, near * wide : far * wide])


@dataclass(frozen=True)
class Ends:
    """Where regions begin along one side: before: at the run's first level; after: at its last."""

    before: int
    after: int


def signatures(one: Class, run: LinearRun, walk: Walk) -> list[tuple[int, int, int]]:
    """Find, for each region of a class, what those that go through a run together must share along one side."""
    length = one.lengths[run.first]
    ends = zip(one.starts[run.first].tolist(), one.starts[run.last].tolist(), strict=True)
    return [(min(start, walk.low), min(walk.side - start - length, walk.high), later - start) for start, later in ends]


def split(classes: Sequence[Class], runs: Sequence[LinearRun], side: int) -> list[Class]:
    """Split classes so that regions of one can go through every run together; side: 0 rows, 1 columns."""
    if not runs:
        return list(classes)
    found = []
    for one in classes:
        parts: dict[tuple[tuple[int, int, int], ...], list[int]] = {}
        shared = (signatures(one, run, (run.rows, run.columns)[side]) for run in runs)
        for member, key in enumerate(zip(*shared, strict=True)):
            parts.setdefault(key, []).append(member)
        found += [Class(one.members[part], one.starts[:, part], one.lengths) for part in parts.values()]
    return found


def linear_runs(chain: LayerChain, channels: int) -> list[LinearRun]:
    """Find runs of convolutions with strides of 1, as long as can be; the last may have elementwise layers behind."""
    found, first = [], 0
    while first < len(chain.layers):
        last = first
        while last < len(chain.layers) and chain.layers[last].spread is not None:
            last += 1
            if chain.layers[last - 1].then:
                break
        if last > first:
            before = chain.layers[first - 1].channels if first else channels
            found.append(LinearRun.of(chain, first, last, channels=before))
        first = max(last, first + 1)
    return found


@dataclass(frozen=True)
class RegionPlan:
    """How boxes are worked on: the layers that are taken together, and the classes of rows and of columns.

    cost: of as many images as are worked on at once, in multiply-adds.
    """

    runs: tuple[LinearRun, ...]
    rows: list[Class]
    columns: list[Class]
    cost: float


@dataclass(frozen=True)
class Planner:
    """What a plan depends on.

    channels: of the images. images: worked on at once (each channel counts where they are covered apart). times: how
    often. overhead: what the calls of a layer cost for one class more, in multiply-adds.
    """

    chain: LayerChain
    channels: int
    rows: Reach
    columns: Reach
    images: int
    times: float
    overhead: float

    def best(self) -> RegionPlan:
        """Return the cheapest plan that taking one run after the other finds.

        Boxes are grouped anew only for the runs that are found so: grouping takes a millisecond or more.
        """
        plain = self.grouped(())
        best = self.split(plain, ())
        for run in linear_runs(self.chain, self.channels):
            tried = self.split(plain, (*best.runs, run))
            best = tried if tried.cost < best.cost else best
        return self.split(self.grouped(best.runs), best.runs) if best.runs else best

    def grouped(self, runs: tuple[LinearRun, ...]) -> tuple[list[Class], list[Class]]:
        overhead = self.overhead * self.calls(runs)
        return grouped(self.rows, self.columns, self.work(runs), images=self.images, overhead=overhead)

    def split(self, classes: tuple[list[Class], list[Class]], runs: tuple[LinearRun, ...]) -> RegionPlan:
        """Return the plan with these runs and these classes, split where the runs ask for it."""
        tall, wide = (split(found, runs, side) for side, found in enumerate(classes))
        totals = [
            np.sum([len(one.members) * np.array(one.lengths, float) for one in found], 0) for found in (tall, wide)
        ]
        moving = self.images * float(totals[0] * totals[1] @ np.array(self.work(runs)))
        calling = self.overhead * self.calls(runs) * len(tall) * len(wide)
        preparing = sum(run.preparation() for run in runs) / self.times
        return RegionPlan(runs, tall, wide, cost=moving + calling + preparing)

    def work(self, runs: tuple[LinearRun, ...]) -> list[float]:
        """Count multiply-adds of a pixel at each level, the input's first."""
        before = [self.channels, *(layer.channels for layer in self.chain.layers)]
        work = [0.0]
        work += [layer.work + GATHER_COST * wide for layer, wide in zip(self.chain.layers, before, strict=False)]
        for run in runs:
            work[run.first] += run.work() * PRODUCT_COST
            work[run.first + 1 : run.last + 1] = [0.0] * (run.last - run.first - 1) + [GATHER_COST * run.channels[1]]
        return work

    def calls(self, runs: tuple[LinearRun, ...]) -> float:
        """Count the layers' calls that a class takes."""
        calls = float(len(self.chain.layers))
        for run in runs:
            sides = (np.mean(side.ends[run.first] - side.starts[run.first]) for side in (self.rows, self.columns))
            calls += 1 - (run.last - run.first) + CALL_SHARE * float(np.prod(list(sides)))
        return calls
