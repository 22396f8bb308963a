"""One training in several threads of this process, each with its share of every step's images.

Threads that work on the same operation wait for one another some hundred times a step, by spinning: beside one busy
process that takes most of their time. These each do a whole step on a part of the batch, and meet a few times.
"""

import copy
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cuello.core.errors import Elsewhere
from cuello.core.own import own_kind
from cuello.core.share import RANDOM
from cuello.core.threads import MOST_THREADS, torch_divided
from cuello.models.summary import summarise
from cuello.runs.history import EpochRecord
from cuello.training.loop import fit
from cuello.training.observers import Observer
from cuello.training.ranks.together import Ranks
from cuello.training.session import Session

LEAST_WORK = 5e7
"""Multiply-adds of a step's forward pass below which dividing it costs more than it gains."""
LEAST_IMAGES = 2
"""Images of a step for each, at least."""


class Meeting:
    """Where threads meet, and what each left there: in turn in one of two rows, since none is two ahead of another."""

    def __init__(self, ranks: int):
        self.barrier, self.stop = threading.Barrier(ranks), threading.Event()
        self.left: list[list[Any]] = [[None] * ranks, [None] * ranks]


class ThreadGroup(Ranks):
    """The ranks of a training, of which this thread is one."""

    def __init__(self, rank: int, meeting: Meeting):
        super().__init__(rank, meeting.barrier.parties, meeting.stop)
        self.meeting, self.turn = meeting, 0

    def told(self, value: Any) -> list[Any]:
        """Return what every rank says, in their order."""
        left = self.meeting.left[self.turn % 2]
        self.turn += 1
        left[self.rank] = value
        try:
            self.meeting.barrier.wait()
        except threading.BrokenBarrierError:
            raise Elsewhere("another thread of this training has ended") from None
        return list(left)

    def gathered(self, values: Tensor) -> list[Tensor]:
        """Return what every rank has, in their order: not copies."""
        return self.told(values)

    def sent(self, values: Tensor) -> None:
        """Replace a tensor by that of rank 0, in place."""
        whole = self.told(values.detach())[0]
        if self.rank:
            values.detach().copy_(whole)
        self.told(None)  # rank 0 changes it only when all have it


def threads_of(session: Session, device: torch.device) -> int:
    """Return in how many threads a training is made; 1 where it would be no faster, or cannot be divided."""
    config, network = session.config, session.network
    ranks = min(torch.get_num_threads(), MOST_THREADS, config.batch_size // LEAST_IMAGES, session.training.count)
    if device.type != "cpu" or config.compile or network.compares or ranks < 2:
        return 1
    if own_kind(config.model_dump()) is not None:  # may not be made for several threads
        return 1
    height, width = session.training.size
    pixels = height * width / network.scale**2 * min(config.batch_size, session.training.count)
    work = pixels * summarise(network, network.channels).multiply_adds_a_pixel
    return ranks if work >= LEAST_WORK else 1


def fit_in_threads(
    session: Session, device: torch.device, observers: Sequence[Observer] = (), *, ranks: int
) -> list[EpochRecord]:
    """Do what ``fit`` does in so many threads: the same function to float32's rounding, the same bits for as many.

    Each thread has a network of its own, and the same weights after every step. Raises what the first of them raises.
    """
    meeting = Meeting(ranks)
    sessions = [divided(session, ThreadGroup(rank, meeting)) for rank in range(ranks)]

    def work(own: Session) -> list[EpochRecord]:
        before = RANDOM.set(torch.Generator())
        try:
            return fit(own, device, observers if own is sessions[0] else ())
        except BaseException:
            meeting.barrier.abort()
            raise
        finally:
            RANDOM.reset(before)

    with torch_divided(ranks), ThreadPoolExecutor(ranks - 1, thread_name_prefix="cuello-rank") as pool:
        others = [pool.submit(work, own) for own in sessions[1:]]
        try:
            return work(sessions[0])
        except Elsewhere:
            for other in others:
                error = other.exception()
                if error is not None and not isinstance(error, Elsewhere):
                    raise error from None
            raise


def divided(session: Session, group: ThreadGroup) -> Session:
    """Return what a thread takes of a training: its share of the batches, and a network."""
    training, validation = session.training.shared(group.share), session.validation.shared(group.share)
    network = copy.deepcopy(session.network) if group.rank else session.network
    return replace(session, network=network, training=training, validation=validation, group=group)
