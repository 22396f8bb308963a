"""The share of a batch that one process or thread of several works on."""

from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Generator


class Rows(NamedTuple):
    """Rows of a whole batch: ``count`` of ``whole``, from ``start`` on. None of them: a stand-in is in their place."""

    start: int
    count: int
    whole: int

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.count)


class Share(NamedTuple):
    """Which of ``ranks`` processes this one is, from 0.

    >>> [Share(rank, 3).of(8).slice for rank in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """

    rank: int
    ranks: int

    def of(self, whole: int) -> Rows:
        """Return the rows of a batch that are this rank's: one after another, as many for each as can be."""
        start, end = self.rank * whole // self.ranks, (self.rank + 1) * whole // self.ranks
        return Rows(start, end - start, whole)


ROWS: ContextVar[Rows | None] = ContextVar("ROWS", default=None)
"""Which rows of a whole batch the network is given, for layers that draw numbers; None: all of them."""
RANDOM: "ContextVar[Generator | None]" = ContextVar("RANDOM", default=None)
"""What layers draw from, in a thread that has its own generator; None: torch's default one."""
DRAWING = Lock()
"""Held by the thread that seeds torch's default generator, or gives it another's state, and draws from it."""
