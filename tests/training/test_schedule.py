"""The learning rate and when to stop, against values worked by hand."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.runs.history import EpochRecord
from cuello.training.schedule import (
    SCHEDULES,
    epochs_without_improvement,
    learning_rate,
    plateau,
    reason_to_stop,
)


def history(*losses: float, seconds: float = 1.0) -> list[EpochRecord]:
    return [
        EpochRecord(epoch, loss, loss, loss, 20.0, 1e-3, seconds, seconds, 10) for epoch, loss in enumerate(losses, 1)
    ]


def test_constant_stays() -> None:
    config = TrainConfig(schedule="constant", learning_rate=0.25, epochs=3)
    assert {learning_rate(config, step, 5, []) for step in range(15)} == {0.25}


def test_cosine_falls_from_the_rate_to_nearly_nothing() -> None:
    config = TrainConfig(schedule="cosine", learning_rate=2.0, epochs=2)
    rates = [learning_rate(config, step, 2, []) for step in range(4)]
    assert rates == pytest.approx([2.0, 1 + math.cos(math.pi / 4), 1.0, 1 + math.cos(3 * math.pi / 4)])
    assert learning_rate(config, 4, 2, []) == pytest.approx(0)
    assert learning_rate(config, 400, 2, []) == pytest.approx(0), "beyond the end it stays there"


def test_the_warm_up_rises_in_a_line_and_the_schedule_takes_what_is_left() -> None:
    config = TrainConfig(schedule="cosine", learning_rate=1.0, epochs=3, warmup_epochs=1)
    rates = [learning_rate(config, step, 4, []) for step in range(9)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == pytest.approx(1.0)
    assert rates[8] == pytest.approx(0.5), "half of the eight steps that are left"


def test_a_fraction_of_an_epoch_can_warm_up() -> None:
    config = TrainConfig(schedule="constant", learning_rate=1.0, warmup_epochs=0.5)
    assert [learning_rate(config, step, 4, []) for step in range(3)] == pytest.approx([0.5, 1.0, 1.0])
    config = TrainConfig(schedule="constant", learning_rate=1.0, warmup_epochs=0.1)
    assert learning_rate(config, 0, 4, []) == 1.0


def test_a_warm_up_longer_than_the_training_is_no_error() -> None:
    config = TrainConfig(schedule="cosine", epochs=1, warmup_epochs=5, learning_rate=1.0)
    assert [learning_rate(config, step, 2, []) for step in (0, 1)] == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("losses", "factor"),
    [
        ((), 1.0),
        ((1.0, 0.9, 0.8), 1.0),
        ((1.0, 1.0), 1.0),
        ((1.0, 1.0, 1.0), 0.1),
        ((1.0, 1.0, 1.0, 0.5, 0.6), 0.1),
        ((1.0, 1.0, 1.0, 1.0, 1.0), 0.01),
        ((1.0, 0.95, 0.91), 0.1),
    ],
)
def test_plateau_by_hand(losses: tuple[float, ...], factor: float) -> None:
    config = TrainConfig(schedule="plateau", plateau_patience=2, plateau_factor=0.1, min_delta=0.1)
    assert plateau(config, 0.5, history(*losses)) == pytest.approx(factor)


@given(st.lists(st.floats(0, 10), max_size=20), st.sampled_from(["constant", "cosine", "plateau"]), st.integers(0, 200))
def test_every_rate_is_between_nothing_and_the_highest(losses: list[float], schedule: str, step: int) -> None:
    config = TrainConfig(schedule=schedule, learning_rate=0.5, epochs=20, warmup_epochs=1.5, plateau_patience=1)
    assert 0 <= learning_rate(config, step, 10, history(*losses)) <= 0.5


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20), st.integers(1, 5))
def test_plateau_is_a_function_of_the_history_that_never_rises(losses: list[float], patience: int) -> None:
    config = TrainConfig(schedule="plateau", plateau_patience=patience)
    factors = [plateau(config, 0, history(*losses[:count])) for count in range(len(losses) + 1)]
    assert factors == sorted(factors, reverse=True)
    assert all(later in (earlier, earlier * 0.5) for earlier, later in itertools.pairwise(factors))


def test_an_unknown_schedule_names_the_nearest() -> None:
    with pytest.raises(CuelloError, match=r"no schedule called 'cosin'. Did you mean 'cosine'"):
        SCHEDULES["cosin"]


@pytest.mark.parametrize(
    ("losses", "waited"),
    [((), 0), ((1,), 0), ((1, 2, 3), 2), ((3, 2, 2.5, 1), 0), ((1, 0.95, 0.9, 0.95), 1), ((1, 0.95), 1)],
)
def test_epochs_without_improvement_by_hand(losses: tuple[float, ...], waited: int) -> None:
    assert epochs_without_improvement(TrainConfig(min_delta=0.06), history(*losses)) == waited


def test_small_gains_add_up_to_an_improvement() -> None:
    config = TrainConfig(min_delta=0.1)
    assert epochs_without_improvement(config, history(1.0, 0.95, 0.89)) == 0


def test_reasons_to_stop() -> None:
    config = TrainConfig(epochs=5, patience=2, max_minutes=1)
    assert reason_to_stop(config, history(1.0, 2.0)) is None
    assert reason_to_stop(config, history(5, 4, 3, 2, 1)) == "all epochs done"
    assert reason_to_stop(config, history(1.0, 2.0, 2.0)) == "no improvement in 2 epochs"
    assert reason_to_stop(config, history(1.0, 0.5, seconds=30)) == "1 minutes are over"
    assert reason_to_stop(config, history(1.0, 0.5, seconds=29)) is None
    assert reason_to_stop(TrainConfig(epochs=9), history(1, 2, 3, 4, 5, seconds=1e9)) is None
