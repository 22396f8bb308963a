"""Replicas that are equally far, trained for an epoch, validated, and stored in the states of their own."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.files import replacing
from cuello.core.types import Pair, StepResult
from cuello.data.batches import Batches
from cuello.models.autoencoder.network import Autoencoder
from cuello.runs.checkpoint import packed_checkpoint
from cuello.runs.history import EpochRecord, best_epoch
from cuello.scoring.losses import find_loss, image_measures
from cuello.training.loop import (
    State,
    add_record,
    checkpoint_of,
    epoch_record,
    is_best,
    refuse_divergence,
    save_reached,
)
from cuello.training.replicas.batched import Batched
from cuello.training.replicas.sources import Source, fed, stacked
from cuello.training.replicas.stack import VECTOR, Stack
from cuello.training.schedule import reason_to_stop
from cuello.training.session import Session

AfterStep = Callable[[int, Tensor, int], None]
"""Called with the number of a step (from 1), the sums of the loss so far ``(R,)``, and how many images they are of."""

Pairs = Callable[[], Iterator[Pair]]
"""Gives what validation is made on, batch by batch: the same every time."""

IN_BETWEEN = -1
"""A team's epoch while one is taken in: records and weights may then belong to different epochs."""


@dataclass(eq=False)
class Replica:
    """A member while it is trained. saved: epochs in its files. over: why it stopped. error: why it failed."""

    member: Session
    state: State
    saved: int
    over: str | None = None
    error: CuelloError | None = None

    @property
    def reached(self) -> int:
        """How many epochs it has been trained."""
        return len(self.state.records)

    @property
    def improved(self) -> bool:
        """Tell whether its best epoch is not in its files yet."""
        best = best_epoch(self.state.records)
        return best is not None and best.epoch > self.saved


def save_together(replicas: Sequence[Replica]) -> None:
    """Write the files of replicas that do not hold all epochs yet, or, where that fails, no checkpoint.

    All checkpoints are written before the first takes its place, so that the replicas stay equally far. A kill between
    leaves some behind; they catch up, and end with the same bits.
    """
    behind = [replica for replica in replicas if replica.saved < replica.reached]
    with ExitStack() as checkpoints:
        for replica in behind:
            temporary = checkpoints.enter_context(replacing(replica.member.run.checkpoint_path))
            temporary.write_bytes(packed_checkpoint(checkpoint_of(replica.member, replica.state)))
        for replica in behind:
            save_reached(replica.member, replica.state, replica.improved)
    for replica in behind:
        replica.saved = replica.reached


@dataclass(frozen=True)
class Sums:
    """Sums over an epoch's images, ``(R,)`` each. images: how many. seconds: how long it took, by the clock."""

    images: int
    loss: Tensor
    terms: dict[str, Tensor]
    seconds: float

    def of(self, row: int) -> StepResult:
        """Return the sums of one replica."""
        return StepResult(float(self.loss[row]), self.images, {k: float(v[row]) for k, v in self.terms.items()})


class Team:
    """Replicas that have all reached the same epoch, in one stack, a row each.

    replicas: those that share an optimiser beside each other.
    """

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        self.replicas = list(replicas)
        self.device, self.epoch = device, self.replicas[0].reached
        members = [replica.member for replica in self.replicas]
        self.loss = find_loss(members[0].config.loss).function
        self.network = cast("Autoencoder", members[0].network)
        states, configs = [replica.state for replica in self.replicas], [member.config for member in members]
        idle = idle_rows([members[0].training, members[0].validation])
        self.stack = Stack(states, configs, idle)
        self.batched = Batched(self.network, self.stack.parameters, self.stack.gradients)
        self.steps = len(members[0].training)
        keys = [(member.config.seed, member.config.noise) for member in members]
        first = {key: members[keys.index(key)] for key in keys}
        self.sources = [Source(member.task, member.training, member.config.seed) for member in first.values()]
        keys += [keys[-1]] * idle
        self.of = [list(first).index(key) for key in keys]
        self.noises = [noise for _, noise in keys]

    def train(self, after_step: AfterStep | None = None) -> Sums:
        """Train for one epoch."""
        start = time.perf_counter()
        self.network.train()
        first_step, images = self.epoch * self.steps, 0
        sums = torch.zeros(len(self.of), device=self.device)
        steps = fed(self.sources, self.of, self.network, epoch=self.epoch + 1, device=self.device)
        for step, (x, target, noise) in enumerate(steps):
            self.network.epochs_passed = self.epoch + step / self.steps
            losses = self.batched.descend(x, target, noise, loss=self.loss)
            self.stack.update(self.stack.rates(first_step + step, self.steps), first_step + step)
            sums += losses.sum(1)
            images += x.shape[1]
            if after_step is not None:
                after_step(step + 1, sums[: len(self.replicas)], images)
        return Sums(images, sums, {}, seconds=time.perf_counter() - start)

    @torch.no_grad()
    def validate(self, pairs: Mapping[str | None, Pairs]) -> Sums:
        """Return the sums of the loss and of what is measured over the validation pairs of each noise."""
        start = time.perf_counter()
        self.network.eval()
        images, sums = 0, dict[str, Tensor]()
        stack = self.stack
        batched = Batched(self.network, stack.average, stack.gradients) if stack.average else self.batched
        noises = list(dict.fromkeys(self.noises))
        rows = torch.tensor([noises.index(noise) for noise in self.noises], device=self.device)
        for given in zip(*(pairs[noise]() for noise in noises), strict=True):
            x = stacked([pair.x for pair in given])
            target = given[0].target[None]  # the same, whatever the noise
            image, losses = batched.evaluate(x if len(x) == 1 else x[rows], target, self.loss)
            found = image_measures(image.flatten(0, 1), target.expand(image.shape).flatten(0, 1))
            each = {"loss": losses} | {name: values.view(losses.shape) for name, values in found.items()}
            for name, total in zip(each, torch.stack(list(each.values())).sum(2).double(), strict=True):
                sums[name] = sums[name] + total if name in sums else total
            images += target.shape[1]
        return Sums(images, sums.pop("loss"), sums, seconds=time.perf_counter() - start)

    def records(self, trained: Sums, checked: Sums, share: int) -> list[EpochRecord]:
        """Return the epoch's record for each replica; share: how many replicas the seconds are shared by."""
        rates = self.stack.rates((self.epoch + 1) * self.steps - 1, self.steps)
        times = {"seconds": (trained.seconds + checked.seconds) / share, "training_seconds": trained.seconds / share}
        return [
            epoch_record(self.epoch + 1, trained.of(row), checked.of(row), rate=rate, **times)
            for row, rate in enumerate(rates)
        ]

    def take_in(self, records: Sequence[EpochRecord]) -> bool:
        """Add an epoch to all replicas and tell whether one of them is better than ever.

        One whose loss is no longer a number keeps what it had before, and is over.
        """
        improved = []
        for row, (replica, record) in enumerate(zip(self.replicas, records, strict=True)):
            if is_best(replica.state.records, record):
                improved.append(row)
            try:
                refuse_divergence(record, replica.member.config)
            except CuelloError as error:
                self.stack.store([row])
                replica.error, replica.over = error, "diverged"
                save_together([replica])
        reached, self.epoch = self.epoch + 1, IN_BETWEEN
        self.stack.keep(improved)
        for replica, record in zip(self.replicas, records, strict=True):
            if replica.error is None:
                add_record(replica.state.records, record)
                replica.over = reason_to_stop(replica.member.config, replica.state.records)
        self.epoch = reached
        return bool(improved)

    def store(self) -> list[Replica]:
        """Store what the replicas have become in their own states, and return them.

        Those that failed keep what they had; and none is stored where an epoch was just being taken in.
        """
        rows = [row for row, replica in enumerate(self.replicas) if replica.reached == self.epoch]
        self.stack.store(rows)
        return [self.replicas[row] for row in rows]


def idle_rows(parts: Sequence[Batches]) -> int:
    """Return how many rows are to be trained beside the replicas, for nothing. parts: what is trained and validated on.

    A tensor's last few numbers, where they fill no vector, may be rounded differently. They must belong to no replica,
    or its result would depend on how many there are. Where vectors are always full no such rows are needed.
    """
    sizes = {size for part in parts for size in (min(part.batch_size, part.count), part.count % part.batch_size)}
    return -(-VECTOR // min(sizes - {0})) if any(size % VECTOR for size in sizes) else 0
