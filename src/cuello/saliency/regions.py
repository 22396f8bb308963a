"""How far a box reaches, layer by layer, and which boxes are worked on together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cuello.saliency.boxes import Spans
from cuello.saliency.layers import Axis


@dataclass(frozen=True)
class Reach:
    """What boxes change along one side: box p at level l changes ``starts[l, p]`` to ``ends[l, p] - 1``, at most.

    Level 0 is the input, level l what comes after layer l. sides: the images' at each level.
    """

    starts: np.ndarray
    ends: np.ndarray
    sides: tuple[int, ...]


@dataclass(frozen=True)
class Class:
    """Boxes whose regions have one size at every level, along one side.

    members: ``(P,)`` numbers of the spans. starts: ``(levels, P)``, where their regions begin; they lie inside the
    image. lengths: pixels at each level.
    """

    members: Tensor
    starts: Tensor
    lengths: tuple[int, ...]


def needed(axes: Sequence[Axis], sides: Sequence[int]) -> list[int]:
    """Count the pixels from 0 on that matter at each level, 1 or more: a pooling may leave out the last ones."""
    ends = [sides[-1]]
    for axis, side in zip(reversed(axes), reversed(sides[:-1]), strict=True):
        ends.append(max(1, min(side, (ends[-1] - 1) * axis.stride - axis.before + axis.extent)))
    return ends[::-1]


def reach(spans: Spans, axes: Sequence[Axis], sides: Sequence[int]) -> Reach:
    """Return what each span can change at every level.

    An output o of a layer looks at inputs o·stride − before to o·stride − before + extent − 1, so inputs s to e − 1
    change outputs ⌈(s + before − extent + 1) / stride⌉ to ⌊(e − 1 + before) / stride⌋. A region is never empty: one
    pixel more than must be is worked out anew where a box is not seen at all.
    """
    start, end = np.array(spans.starts), np.array(spans.ends)
    starts, ends = [start], [end]
    for axis, most in zip(axes, needed(axes, sides)[1:], strict=True):
        start = -((axis.extent - 1 - start - axis.before) // axis.stride)
        end = (end - 1 + axis.before) // axis.stride + 1
        start = np.clip(start, 0, most - 1)
        end = np.clip(end, start + 1, most)
        starts.append(start)
        ends.append(end)
    return Reach(np.stack(starts), np.stack(ends), tuple(sides))


def grouped(
    rows: Reach, columns: Reach, work: Sequence[float], *, images: int, overhead: float
) -> tuple[list[Class], list[Class]]:
    """Return the boxes in classes of rows and of columns; a box is in one of each.

    Few classes make large batches, many make small regions. From one class for every set of lengths on, the two whose
    union costs least are joined for as long as that saves work. work: of a pixel at each level. overhead: of running
    all layers once. images: how many share a run. All three in multiply-adds.

    The cost is ``images Σ_l work_l R_l C_l + overhead · classes``, with R_l the sum over rows of a region's height at
    level l, C_l that of widths: the two sides can be joined in turn.
    """
    lengths = [tuple(map(tuple, (side.ends - side.starts).T.tolist())) for side in (rows, columns)]
    sides = partitions(*lengths, work=tuple(images * one for one in work), overhead=overhead)
    return sides[0].classes(rows), sides[1].classes(columns)


@lru_cache(maxsize=64)
def partitions(
    rows: tuple[tuple[int, ...], ...], columns: tuple[tuple[int, ...], ...], work: tuple[float, ...], overhead: float
) -> tuple["Partition", "Partition"]:
    """Return the groups of rows and of columns; see ``grouped``. Kept, since one map after the other asks for the same.

    rows, columns: the lengths at every level of each span. work: of a pixel at each level, of all images.
    """
    weights = np.array(work)
    sides, stuck, turn = (Partition.of(np.array(rows)), Partition.of(np.array(columns))), 0, 0
    while stuck < 2:
        other = sides[1 - turn]
        joined = sides[turn].joined(weights * other.total(), overhead * len(other.counts))
        stuck = stuck + 1 if joined is None else 0
        if joined is not None:
            sides = (joined, sides[1]) if turn == 0 else (sides[0], joined)
        turn = 1 - turn
    return sides


@dataclass(frozen=True)
class Partition:
    """Spans in groups. counts: ``(G,)`` spans in each. lengths: ``(G, levels)``. group: ``(P,)``, the group of each."""

    counts: np.ndarray
    lengths: np.ndarray
    group: np.ndarray

    @staticmethod
    def of(spans: np.ndarray) -> "Partition":
        """Make one group for every set of lengths; spans: those of each, ``(P, levels)``."""
        lengths, group, counts = np.unique(spans, axis=0, return_inverse=True, return_counts=True)
        return Partition(counts, lengths, group.reshape(-1))

    def total(self) -> np.ndarray:
        return self.counts @ self.lengths

    def joined(self, price: np.ndarray, saved: float) -> "Partition | None":
        """Return the partition with the cheapest two groups in one, or None where that would cost more than it saves.

        price: of a pixel of length at each level. saved: by having one group less.
        """
        if len(self.counts) == 1:
            return None
        a, b = np.triu_indices(len(self.counts), 1)
        union = np.maximum(self.lengths[a], self.lengths[b])
        more = self.counts[a, None] * (union - self.lengths[a]) + self.counts[b, None] * (union - self.lengths[b])
        costs = more @ price
        best = int(costs.argmin())
        if costs[best] > saved:
            return None
        keep, gone = int(a[best]), int(b[best])
        counts, lengths = self.counts.copy(), self.lengths.copy()
        counts[keep] += counts[gone]
        lengths[keep] = union[best]
        group = np.where(self.group == gone, keep, self.group)
        return Partition(np.delete(counts, gone), np.delete(lengths, gone, 0), group - (group > gone))

    def classes(self, reach: Reach) -> list[Class]:
        """Make classes of the groups, regions that would leave the image moved inside."""
        found = []
        for number, lengths in enumerate(self.lengths):
            members = np.flatnonzero(self.group == number)
            most = (np.array(reach.sides) - lengths)[:, None]
            starts = np.minimum(reach.starts[:, members], most)
            found.append(Class(torch.from_numpy(members), torch.from_numpy(starts), tuple(lengths.tolist())))
        return found
