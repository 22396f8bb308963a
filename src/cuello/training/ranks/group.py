"""The processes of one training: how they find one another, what they tell one another, and when one is lost."""

import json
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import torch
from torch import Tensor

from cuello.core.errors import CuelloError, Elsewhere, Fault, first_few, first_line
from cuello.training.ranks.place import RankPlace
from cuello.training.ranks.together import Ranks, added

JOIN_SECONDS, WAIT = 300, timedelta(hours=6)
"""How long ranks wait until all have come, and for one that reads or works: one that ends is noticed at once."""
LOOK_SECONDS = 3.0
"""How long a rank looks for who is lost, once one is."""
GATHERED = 2**16
"""Up to so many bytes every rank sends all that it has to all others; of more, each sums a part."""
NUMBERS = count()
"""Trainings of one process meet one after another, each under a name of its own."""

STOP = threading.Event()
"""Set where this process was asked to end: all ranks then stop after the same step."""

Result = TypeVar("Result")


class RankLost(Fault):
    """A rank has ended before the training did."""


class RankGroup(Ranks):
    """The ranks of a training, of which this process is one.

    hosts: names of their machines.
    """

    def __init__(self, place: RankPlace, store: Any):
        super().__init__(place.rank, place.ranks, STOP)
        self.place, self.store = place, store
        self.hosts: Sequence[str] = []

    def called(self, rank: int) -> str:
        """Name a rank for a message, with its machine where there are several."""
        return f"rank {rank}" + (f" on {self.hosts[rank]}" if len(set(self.hosts)) > 1 else "")

    def gathered(self, values: Tensor) -> list[Tensor]:
        """Return what every rank has, in their order: tensors of one shape and type."""
        from torch import distributed

        values = values.contiguous()
        found = [torch.empty_like(values) for _ in range(self.ranks)]
        self._watched(lambda: distributed.all_gather(found, values))
        return found

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum of what all ranks have, ``(N,)``: added by their number, so always the same bits."""
        from torch import distributed

        if self.ranks == 2 or values.numel() * values.element_size() <= GATHERED:
            return added(self.gathered(values))
        each = -(-len(values) // self.ranks)
        mine = values.new_empty(self.ranks * each)
        padded = torch.cat([values, values.new_zeros(len(mine) - len(values))])
        self._watched(lambda: distributed.all_to_all_single(mine, padded))
        return torch.cat(self.gathered(added(mine.split(each))))[: len(values)]

    def told(self, value: Any) -> list[Any]:
        """Return what every rank says, in their order: anything that is JSON."""
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [int(one) for one in self.gathered(torch.tensor(len(text)))]
        padded = torch.cat([text, text.new_zeros(max(lengths) - len(text))])
        both = zip(self.gathered(padded), lengths, strict=True)
        return [json.loads(bytes(one[:length].tolist()).decode()) for one, length in both]

    def sent(self, values: Tensor) -> None:
        """Replace a tensor by that of rank 0, in place."""
        from torch import distributed

        whole = values.detach().contiguous()
        self._watched(lambda: distributed.broadcast(whole, 0))
        values.detach().copy_(whole)

    @contextmanager
    def first_here(self) -> Iterator[None]:
        """Let one rank of each machine go through the block first: what it makes or downloads, the others find."""
        if self.place.local:
            self.told(None)
        yield
        if not self.place.local:
            self.told(None)

    def _watched(self, call: Callable[[], Result]) -> Result:
        """Call; RankLost that names who is gone where the others cannot be reached."""
        try:
            return call()
        except RuntimeError as error:
            raise self.lost(error) from error

    def lost(self, error: BaseException) -> CuelloError:
        """Return what to say where a rank is gone: its own words where it left some, and who it is."""
        end, gone, words = time.monotonic() + LOOK_SECONDS, set(range(self.ranks)), None
        try:
            self.store.set(f"here/{self.rank}", "")
            while gone and words is None and time.monotonic() < end and not STOP.is_set():
                gone -= {rank for rank in gone if self.store.check([f"here/{rank}"])}
                left = [rank for rank in range(self.ranks) if self.store.check([f"failed/{rank}"])]
                words = (left[0], self.store.get(f"failed/{left[0]}").decode()) if left else None
                time.sleep(0.05)
        except RuntimeError:  # what they met at was with rank 0, and is gone with it
            gone = {0}
        if words is not None:
            return Elsewhere(words[1]) if self.rank else CuelloError(f"{self.called(words[0])}: {words[1]}")
        if not gone:
            return Fault(f"the ranks lost one another ({first_line(error)})")
        names = first_few((self.called(rank) for rank in sorted(gone)), 5)
        lost = RankLost(f"{names} ended, or cannot be reached any more ({first_line(error)})")
        return lost if self.rank == min(set(range(self.ranks)) - gone, default=0) else Elsewhere(str(lost))

    def leave(self, error: BaseException | None) -> None:
        """Part from the others; where this rank cannot go on, leave word for them, and time to read it."""
        from torch import distributed

        STOP.clear()
        if error is not None and not isinstance(error, RankLost | Elsewhere | KeyboardInterrupt):
            others = [f"here/{rank}" for rank in range(self.ranks) if rank != self.rank]
            own = isinstance(error, CuelloError) and error.args
            said = str(error.args[0]) if own else f"{type(error).__name__}: {error}"
            with suppress(RuntimeError):
                self.store.set(f"failed/{self.rank}", said)
            with suppress(RuntimeError):
                distributed.destroy_process_group()
                end = time.monotonic() + LOOK_SECONDS
                while self.rank == 0 and time.monotonic() < end and not all(self.store.check([one]) for one in others):
                    time.sleep(0.05)
            return
        distributed.destroy_process_group()


@contextmanager
def joined(place: RankPlace | None) -> Iterator[RankGroup | None]:
    """Meet the other ranks, and part from them after the block; None where this process trains by itself.

    What goes wrong on one rank ends all, and rank 0 tells of it: the others raise Elsewhere.
    """
    if place is None:
        yield None
        return
    group = join(place)
    try:
        group.hosts = group.told(platform.node())
        yield group
    except BaseException as error:
        group.leave(error)
        if group.rank and isinstance(error, CuelloError) and not isinstance(error, RankLost | Elsewhere):
            raise Elsewhere(*error.args) from error
        raise
    group.leave(None)


def join(place: RankPlace) -> RankGroup:
    """Meet the other ranks; CuelloError where they do not come."""
    from torch import distributed

    if not distributed.is_available():
        raise CuelloError("this torch was built without torch.distributed, which several ranks need.")

    # Imported while there is a group, as optimisers do, this keeps it for ever as default arguments: its threads
    # go on, and may abort the process when it ends.
    from torch.distributed.nn import functional  # noqa: F401
    from torch.distributed.rendezvous import rendezvous

    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and distributed.is_nccl_available() else "gloo"
    waiting = timedelta(seconds=JOIN_SECONDS)
    try:
        store, _, _ = next(rendezvous(place.meeting, place.rank, place.ranks, timeout=waiting))
        store.set_timeout(waiting)
        own = distributed.distributed_c10d.PrefixStore(f"cuello/{next(NUMBERS)}", store)
        distributed.init_process_group(backend, store=own, rank=place.rank, world_size=place.ranks, timeout=WAIT)
    except (RuntimeError, ValueError, OSError) as error:
        raise CuelloError(
            f"rank {place.rank} of {place.ranks}, started by {place.started_by}, did not meet the others at "
            f"{place.meeting} ({first_line(error)}). Start all ranks within {JOIN_SECONDS} s of one another; where "
            "machines have several networks, GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME name the one to use."
        ) from None
    return RankGroup(place, own)
