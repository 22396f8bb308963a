"""Replicas of one network, stacked: each parameter one tensor with the replicas in front; and what updates them."""

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

Tensors = dict[str, Tensor]
"""By parameter's name."""


@dataclass(frozen=True)
class ReplicaGroup:
    """Rows that share an optimiser. parameters: by name, those rows of the stack's.

    leaders: rows whose learning rates differ, maybe. rates: for each row, which of them has the same rates.
    """

    rows: slice
    optimizer: torch.optim.Optimizer
    parameters: dict[str, nn.Parameter]
    leaders: Sequence[int]
    rates: Sequence[int]


@dataclass(frozen=True)
class Kept:
    """A stack at the end of an epoch, copied. states: of each group's optimiser, by parameter's and value's name."""

    weights: Tensors
    average: Tensors
    states: Sequence[Mapping[str, Tensors]]


class Stack:
    """The parameters of R replicas, by name and ``(R, …)`` each, their gradients, optimisers and averages.

    states, configs: of each replica, those that share an optimiser beside each other (see ``in_groups``). All have the
    same network, are equally far, and either all or none has a moving average.
    """

    def __init__(self, states: Sequence[State], configs: Sequence[TrainConfig]):
        self.states, self.configs = states, configs
        networks = [dict(state.network.named_parameters()) for state in states]
        self.parameters = stacked(networks)
        self.gradients = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        self.average = stacked([state.average for state in states])
        self.best = stacked([state.best or network for state, network in zip(states, networks, strict=True)])
        clips = [float("inf") if config.clip is None else config.clip for config in configs]
        self.clips = self._column(clips) if min(clips) < float("inf") else None
        self.groups = [self._group(rows) for rows in stretches([optimizer_key(config) for config in configs])]
        self.keep()

    def update(self, rates: Sequence[float], step: int) -> None:
        """Go down the gradients. rates: the learning rate of each row. step: from 0, over all epochs."""
        if self.clips is not None:
            norms = torch.stack([value.flatten(1).norm(dim=1) for value in self.gradients.values()]).norm(dim=0)
            shares = (self.clips / (norms + 1e-6)).clamp(max=1)  # as clip_grad_norm_ has it
            for value in self.gradients.values():
                value.mul_(against(shares, value))
        for group in self.groups:
            step_at(group, rates[group.rows])
        if self.average:
            shares = self._column([average_share(config.ema or 0, step + 1) for config in self.configs])
            for name, value in self.average.items():
                value.lerp_(self.parameters[name], against(shares, value))

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
        states = [
            {name: copied(group.optimizer.state[parameter]) for name, parameter in group.parameters.items()}
            for group in self.groups
        ]
        self.kept = Kept(copied(self.parameters), copied(self.average), states)
        rows = list(improved)
        for name, value in (self.kept.average or self.kept.weights).items() if rows else ():
            self.best[name][rows] = value[rows]

    def store(self, chosen: Sequence[int]) -> None:
        """Write what was kept of the chosen rows, and their best weights, into their states."""
        for group, known in zip(self.groups, self.kept.states, strict=True):
            for row in chosen:
                if not group.rows.start <= row < group.rows.stop:
                    continue
                state, place = self.states[row], row - group.rows.start
                for name, parameter in state.network.named_parameters():
                    parameter.data.copy_(self.kept.weights[name][row])
                    own = {key: (value[place] if value.ndim else value).clone() for key, value in known[name].items()}
                    state.optimizer.state[parameter] = own
                state.average = {name: value[row].clone() for name, value in self.kept.average.items()}
                state.best = {name: value[row].clone() for name, value in self.best.items()} if state.records else {}

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, device=next(iter(self.parameters.values())).device)

    def _group(self, rows: slice) -> ReplicaGroup:
        """Make the optimiser of rows, and take over what their own optimisers know."""
        parameters = {name: nn.Parameter(value[rows]) for name, value in self.parameters.items()}
        for name, parameter in parameters.items():
            parameter.grad = self.gradients[name][rows]
        config = self.configs[rows.start]
        optimizer = OPTIMIZERS[config.optimizer].make(list(parameters.values()), config)
        known = [known_of(state) for state in self.states[rows]]
        for name, parameter in parameters.items():
            for key, value in known[0].get(name, {}).items():
                values = [one[name][key] for one in known]
                optimizer.state[parameter][key] = torch.stack(values) if value.ndim else value.clone()
        leaders: dict[object, int] = {}
        rates = [leaders.setdefault(rate_key(self.configs[row], row), row) for row in range(rows.start, rows.stop)]
        return ReplicaGroup(rows, optimizer, parameters, leaders=list(leaders.values()), rates=rates)


def step_at(group: ReplicaGroup, rates: Sequence[float]) -> None:
    """Let the optimiser step at the highest of the rates, then let each row go only its share of that way.

    Every optimiser moves the parameters in proportion to the learning rate and remembers nothing that depends on it.
    """
    highest = max(rates)
    group.optimizer.param_groups[0]["lr"] = highest
    if highest == min(rates):
        group.optimizer.step()
        return
    values = [parameter.detach() for parameter in group.parameters.values()]
    before = [value.clone() for value in values]
    group.optimizer.step()
    shares = torch.tensor([rate / highest for rate in rates], device=values[0].device)
    for start, value in zip(before, values, strict=True):
        torch.lerp(start, value, against(shares, value), out=value)


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


def stacked(named: Sequence[Mapping[str, Tensor]]) -> Tensors:
    """Return tensors of equal names as one each, ``(R, …)``."""
    return {name: torch.stack([one[name].detach() for one in named]) for name in named[0]}


def copied(named: Mapping[str, Any]) -> Tensors:
    """Return copies of the tensors."""
    return {name: value.detach().clone() for name, value in named.items() if isinstance(value, Tensor)}


def known_of(state: State) -> dict[str, Tensors]:
    """Return what a replica's optimiser knows, by parameter's and value's name."""
    known = state.optimizer.state
    return {name: copied(known[own]) for name, own in state.network.named_parameters() if own in known}


def against(column: Tensor, like: Tensor) -> Tensor:
    """Return ``(R,)`` as ``(R, 1, …)``, to meet ``(R, …)``."""
    return column.view(-1, *[1] * (like.ndim - 1))
