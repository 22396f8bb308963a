"""The learning rate, and when to stop: pure functions of the step and the history."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import Part, failing, places_of
from cuello.core.registry import Registry
from cuello.runs.history import EpochRecord


def constant(config: TrainConfig, progress: float, history: Sequence[EpochRecord]) -> float:
    """Always 1."""
    return 1.0


def cosine(config: TrainConfig, progress: float, history: Sequence[EpochRecord]) -> float:
    """Half a cosine from 1 to 0, (1 + cos(π progress)) / 2. Source: Loshchilov and Hutter 2017, equation 5."""
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def plateau(config: TrainConfig, progress: float, history: Sequence[EpochRecord]) -> float:
    """``plateau_factor`` to the power of how often ``plateau_patience`` epochs passed without improvement."""
    factor, best, waited = 1.0, math.inf, 0
    for record in history:
        if record.validation_loss < best - config.min_delta:
            best, waited = record.validation_loss, 0
        else:
            waited += 1
        if waited == config.plateau_patience:
            factor, waited = factor * config.plateau_factor, 0
    return factor


@dataclass(frozen=True)
class ScheduleSpec:
    """A schedule's name, one line about it, and its function: (config, progress 0 to 1, history) to a factor."""

    name: str
    summary: str
    factor: Callable[[TrainConfig, float, Sequence[EpochRecord]], float]


def own_schedule(part: Part) -> ScheduleSpec:
    """Take a function of one's own, or a class of such, as a schedule: of progress, 0 to 1, or of (config, progress,
    history), to what the learning rate is multiplied by.
    """
    inner = part.function
    alone = places_of(inner) == 1

    def factor(config: TrainConfig, progress: float, history: Sequence[EpochRecord]) -> float:
        with failing(f"the schedule {part.text}"):
            found = float(inner(progress) if alone else inner(config, progress, history))
        if not 0 <= found < math.inf:
            raise CuelloError(f"the schedule {part.text} gave {found} at progress {progress:g}, needed 0 or more.")
        return found

    return ScheduleSpec(part.text, part.summary, factor)


SCHEDULES: Registry[ScheduleSpec] = Registry(
    "schedule",
    [
        ScheduleSpec("constant", "stays as it is", constant),
        ScheduleSpec("cosine", "falls to 0 along half a cosine", cosine),
        ScheduleSpec("plateau", "falls when the validation loss no longer does", plateau),
    ],
    adopt=own_schedule,
)


def learning_rate(config: TrainConfig, step: int, steps_an_epoch: int, history: Sequence[EpochRecord]) -> float:
    """Return the learning rate of ``step`` (from 0): a linear warm-up, then the schedule over what is left.

    >>> from cuello.core.config import TrainConfig
    >>> config = TrainConfig(epochs=2, learning_rate=1.0, warmup_epochs=1, schedule="constant")
    >>> [learning_rate(config, step, 4, []) for step in (0, 1, 3, 7)]
    [0.25, 0.5, 1.0, 1.0]
    """
    warmup = config.warmup_epochs * steps_an_epoch
    if step < warmup:
        return config.learning_rate * min(1.0, (step + 1) / warmup)
    left = max(1.0, config.epochs * steps_an_epoch - warmup)
    return config.learning_rate * SCHEDULES[config.schedule].factor(config, (step - warmup) / left, history)


def epochs_without_improvement(config: TrainConfig, history: Sequence[EpochRecord]) -> int:
    """Return for how many epochs the validation loss has not fallen by more than ``min_delta``."""
    best, waited = math.inf, 0
    for record in history:
        improved = record.validation_loss < best - config.min_delta
        best, waited = (record.validation_loss, 0) if improved else (best, waited + 1)
    return waited


def reason_to_stop(config: TrainConfig, history: Sequence[EpochRecord]) -> str | None:
    """Return why the training is over after these epochs, or None if it is not."""
    if len(history) >= config.epochs:
        return "all epochs done"
    if config.patience is not None and epochs_without_improvement(config, history) >= config.patience:
        return f"no improvement in {config.patience} epochs"
    if config.max_minutes is not None and sum(record.seconds for record in history) >= 60 * config.max_minutes:
        return f"{config.max_minutes:g} minutes are over"
    return None
