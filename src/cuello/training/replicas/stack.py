"""Replicas of one network, stacked: each a row of numbers, and what updates the rows.

What becomes of a row depends on its own numbers alone, to the bit, however many others there are: see ``Layout``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cuello.core.config import TrainConfig
from cuello.training.loop import State, average_share
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.schedule import learning_rate

BY_ROW = (
    "seed", "learning_rate", "schedule", "warmup_epochs", "plateau_patience", "plateau_factor", "clip", "ema", "epochs",
    "patience", "min_delta", "max_minutes", "noise", "model", "device", "threads", "storage",
)  # fmt: skip
"""Settings in which replicas may differ that share an optimiser: what they steer has a number for each row."""

VECTOR = 32
"""Numbers that torch's widest loops over elements take at a time; the last few of a tensor may round differently."""

Tensors = dict[str, Tensor]
"""By parameter's name."""


class Layout:
    """Where each parameter lies in a row of numbers.

    Rows, and parameters in them, begin at multiples of VECTOR, so that none is rounded otherwise than another for
    where it lies.
    """

    def __init__(self, like: Mapping[str, Tensor]):
        self.shapes = {name: value.shape for name, value in like.items()}
        self.gaps = {name: -shape.numel() % VECTOR for name, shape in self.shapes.items()}

    def views(self, rows: Tensor) -> Tensors:
        """Return rows ``(R, …)`` as tensors by name, ``(R, …)`` each, which share their memory."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = rows[:, start : start + shape.numel()].view(len(rows), *shape)
            start += shape.numel() + self.gaps[name]
        return found

    def parts(self, named: Mapping[str, Tensor], count: int) -> list[Tensor]:
        """Return what makes ``count`` rows where it is put side by side: those of each tensor, ``(R, …)``, and gaps."""
        found = []
        for name, gap in self.gaps.items():
            found += [named[name][:count].flatten(1), named[name].new_zeros(count, gap)]
        return found

    def rows(self, named: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Return tensors by name, of each replica, as a row each."""
        together = {name: torch.stack([one[name].detach() for one in named]) for name in self.shapes}
        return torch.cat(self.parts(together, len(named)), 1)


@dataclass(frozen=True)
class ReplicaGroup:
    """Rows that share an optimiser. values: of those rows. before: room for what they were.

    leaders: rows whose learning rates differ, maybe. rates: for each row, which of them has the same rates.
    """

    rows: slice
    optimizer: torch.optim.Optimizer
    values: nn.Parameter
    before: Tensor
    leaders: Sequence[int]
    rates: Sequence[int]


@dataclass(frozen=True)
class Kept:
    """The rows of a stack at the end of an epoch, copied. average: or None. states: of each group's optimiser."""

    weights: Tensor
    average: Tensor | None
    states: Sequence[Tensors]


class Stack:
    """The parameters of R replicas, by name and ``(R, …)`` each, their gradients, optimisers and averages.

    states, configs: of each replica, those that share an optimiser beside each other (see ``in_groups``). All have the
    same network, are equally far, and either all or none has a moving average. idle: so many replicas more, which are
    copies of the last one's beginning and are never updated.
    """

    def __init__(self, states: Sequence[State], configs: Sequence[TrainConfig], idle: int = 0):
        self.states, self.configs = states, configs
        networks = [dict(state.network.named_parameters()) for state in states]
        with_idle = [*networks, *[networks[-1]] * idle]
        self.layout = Layout(networks[0])
        self.weights = self.layout.rows(with_idle)
        self.parameters = self.layout.views(self.weights)
        self.gradients = {
            name: torch.zeros(value.shape, device=value.device) for name, value in self.parameters.items()
        }
        self.slopes = self.weights.new_zeros(len(states), self.weights.shape[1])
        self.parts = self.layout.parts(self.gradients, len(states))
        averages = [state.average for state in states]
        self.averages = self.layout.rows([*averages, *[averages[-1]] * idle]) if averages[0] else None
        self.average = self.layout.views(self.averages) if self.averages is not None else {}
        self.best = self.layout.rows([state.best or own for state, own in zip(states, networks, strict=True)])
        clips = [math.inf if config.clip is None else config.clip for config in configs]
        self.clips = self._column(clips) if min(clips) < math.inf else None
        self.groups = [self._group(rows) for rows in stretches([optimizer_key(config) for config in configs])]
        self.keep()

    def update(self, rates: Sequence[float], step: int) -> None:
        """Go down the gradients. rates: the learning rate of each row. step: from 0, over all epochs."""
        torch.cat(self.parts, 1, out=self.slopes)
        if self.clips is not None:
            norms = self.slopes.norm(dim=1, keepdim=True)
            self.slopes.mul_((self.clips / (norms + 1e-6)).clamp(max=1))  # as clip_grad_norm_ has it
        for group in self.groups:
            group.before.copy_(group.values.detach())
            group.optimizer.step()
            torch.lerp(group.before, group.values.detach(), self._column(rates[group.rows]), out=group.values.detach())
        if self.averages is not None:
            shares = self._column([average_share(config.ema or 0, step + 1) for config in self.configs])
            own = slice(len(self.states))
            self.averages[own].lerp_(self.weights[own], shares)

    def rates(self, step: int, steps_an_epoch: int) -> list[float]:
        """Return the learning rate of each row at ``step``, from 0 over all epochs."""
        found = []
        for group in self.groups:
            own = {
                row: learning_rate(self.configs[row], step, steps_an_epoch, history=self.states[row].records)
                for row in group.leaders
            }
            found += [own[row] for row in group.rates]
        return found

    def keep(self, improved: Sequence[int] = ()) -> None:
        """Keep a copy of everything as it is now, for ``store``; improved: rows whose weights are the best so far."""
        average = self.averages.clone() if self.averages is not None else None
        states = [copied(group.optimizer.state[group.values]) for group in self.groups]
        self.kept = Kept(self.weights.clone(), average, states)
        rows = list(improved)
        if rows:
            self.best[rows] = (self.kept.weights if average is None else average)[rows]

    def store(self, chosen: Sequence[int]) -> None:
        """Write what was kept of the chosen rows, and their best weights, into their states."""
        for group, known in zip(self.groups, self.kept.states, strict=True):
            for row in chosen:
                if group.rows.start <= row < group.rows.stop:
                    self._store(row, known, row - group.rows.start)

    def _store(self, row: int, known: Tensors, place: int) -> None:
        """Write a row into its state. known: of its group's optimiser, where it has this place."""
        state, shapes = self.states[row], self.layout.shapes
        weights = self._of(self.kept.weights, row)
        values = {
            key: self._of(value, place) if value.ndim else dict.fromkeys(shapes, value) for key, value in known.items()
        }
        for name, parameter in state.network.named_parameters():
            parameter.data.copy_(weights[name])
            state.optimizer.state[parameter] = {key: value[name].clone() for key, value in values.items()}
        state.average = copied(self._of(self.kept.average, row)) if self.kept.average is not None else {}
        state.best = copied(self._of(self.best, row)) if state.records else {}

    def _of(self, rows: Tensor, row: int) -> Tensors:
        return {name: value[0] for name, value in self.layout.views(rows[row : row + 1]).items()}

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, device=self.weights.device)[:, None]

    def _group(self, rows: slice) -> ReplicaGroup:
        """Make the optimiser of rows, and take over what their own optimisers know.

        It steps at a rate of 1, and each row then goes only its own rate's share of that way: every optimiser moves
        its values in proportion to the rate, and remembers nothing that depends on it.
        """
        values = nn.Parameter(self.weights[rows])
        values.grad = self.slopes[rows]
        optimizer = OPTIMIZERS[self.configs[rows.start].optimizer].make([values], self.configs[rows.start])
        optimizer.param_groups[0]["lr"] = 1.0
        known = [known_of(state) for state in self.states[rows]]
        for key, value in next(iter(known[0].values()), {}).items():
            of_key = [{name: own[key] for name, own in one.items()} for one in known]
            optimizer.state[values][key] = self.layout.rows(of_key) if value.ndim else value.clone()
        leaders: dict[object, int] = {}
        rates = [leaders.setdefault(rate_key(self.configs[row], row), row) for row in range(rows.start, rows.stop)]
        before = torch.empty_like(self.weights[rows])
        return ReplicaGroup(rows, optimizer, values, before=before, leaders=list(leaders.values()), rates=rates)


def in_groups(configs: Sequence[TrainConfig]) -> list[int]:
    """Return the order of rows in which those that share an optimiser are beside each other."""
    keys = [optimizer_key(config) for config in configs]
    return sorted(range(len(keys)), key=lambda row: keys.index(keys[row]))


def optimizer_key(config: TrainConfig) -> str:
    """Return what replicas have in common that share an optimiser: all settings but those of BY_ROW."""
    return repr(config.model_dump(exclude=set(BY_ROW)))


def rate_key(config: TrainConfig, row: int) -> object:
    """Return what replicas have in common whose learning rates are always the same."""
    own = row if config.schedule == "plateau" else None  # it depends on the history
    return config.learning_rate, config.schedule, config.warmup_epochs, config.epochs, own


def stretches(keys: Sequence[object]) -> list[slice]:
    """Return the stretches of equal keys beside each other.

    >>> stretches(["a", "a", "b"])
    [slice(0, 2, None), slice(2, 3, None)]
    """
    starts = [place for place in range(len(keys)) if place == 0 or keys[place] != keys[place - 1]]
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True)]


def copied(named: Mapping[str, Any]) -> Tensors:
    """Return copies of the tensors."""
    return {name: value.detach().clone() for name, value in named.items() if isinstance(value, Tensor)}


def known_of(state: State) -> dict[str, Tensors]:
    """Return what a replica's optimiser knows, by parameter's and value's name."""
    known = state.optimizer.state
    return {name: copied(known[own]) for name, own in state.network.named_parameters() if own in known}
