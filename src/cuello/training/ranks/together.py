"""What the ranks of a training do as one, be they processes or threads."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cuello.core.share import Rows, Share


class Ranks(ABC):
    """The ranks of a training, as one of them sees them.

    share: of every batch. standing_in: whether this rank has no image of the present batch, so that what it works out
    counts nothing. stop: set where the training is to end after the present step.
    """

    standing_in: bool = False

    def __init__(self, rank: int, ranks: int, stop: threading.Event):
        self.rank, self.ranks, self.stop = rank, ranks, stop
        self.share = Share(rank, ranks)

    @abstractmethod
    def gathered(self, values: Tensor) -> list[Tensor]:
        """Return what every rank has, in their order: tensors of one shape and type."""

    @abstractmethod
    def told(self, value: Any) -> list[Any]:
        """Return what every rank says, in their order: anything that is JSON."""

    @abstractmethod
    def sent(self, values: Tensor) -> None:
        """Replace a tensor by that of rank 0, in place."""

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum of what all ranks have, ``(N,)``: added by their number, so always the same bits."""
        return added(self.gathered(values))

    def first(self, value: Any) -> Any:
        """Return what rank 0 says."""
        return self.told(value if self.rank == 0 else None)[0]

    def begins(self, rows: Rows, lossy: bool) -> bool:
        """Begin a step with these rows; False where no rank has an image. lossy: whether images can be lost."""
        self.standing_in = rows.count == 0
        return not lossy or any(int(one) for one in self.gathered(torch.tensor(rows.count)))

    def counted(self, values: Tensor) -> Tensor:
        """Return what this rank worked out; nothing where it had no image to work on."""
        return torch.zeros_like(values) if self.standing_in else values


def added(parts: Sequence[Tensor]) -> Tensor:
    """Add in order."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total
