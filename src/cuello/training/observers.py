"""What a training tells those who watch it. Observers get copies: they report, they cannot steer."""

from collections.abc import Callable
from dataclasses import dataclass

from cuello.runs.history import EpochRecord


@dataclass(frozen=True)
class Started:
    """The training begins, or goes on, after ``epoch`` of ``epochs`` epochs of ``steps`` steps each."""

    epoch: int
    epochs: int
    steps: int


@dataclass(frozen=True)
class StepDone:
    """Step ``step`` of ``steps`` (from 1) of an epoch is done; loss: mean of the epoch so far."""

    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch is over and saved; best: whether its weights are the best so far."""

    record: EpochRecord
    epochs: int
    best: bool


@dataclass(frozen=True)
class Stopped:
    """The training is over; reason: why, in words."""

    epoch: int
    reason: str


Event = Started | StepDone | EpochDone | Stopped
Observer = Callable[[Event], None]
