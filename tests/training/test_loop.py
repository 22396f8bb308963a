"""The loop: what it tells, saves, keeps as best, averages, and when it stops or refuses to go on."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import cuello
from cuello.core.errors import CuelloError
from cuello.core.types import StepResult
from cuello.jobs.catalog import task_of
from cuello.jobs.data import prepare
from cuello.runs.artefact import load_artefact
from cuello.runs.checkpoint import load_checkpoint
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, best_epoch
from cuello.training.loop import State, averaged, epoch_record, move_average
from cuello.training.observers import EpochDone, Event, Started, StepDone, Stopped
from cuello.training.steps import validate, validation_pairs

Train = Callable[..., Run]


@pytest.fixture
def train(images: Path, small: dict[str, Any], tmp_path: Path) -> Train:
    """Train a tiny network without a report; settings override the usual ones."""

    def run(name: str = "run", **settings: Any) -> Run:
        return cuello.train(data=images, output=tmp_path / name, report=False, **small | settings)

    return run


def same(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_events_come_in_order(train: Train) -> None:
    events: list[Event] = []
    run = train(observers=[events.append], epochs=2, samples=20)
    kinds = [type(event) for event in events]
    assert kinds == [Started, *[StepDone] * 3, EpochDone, *[StepDone] * 3, EpochDone, Stopped]
    assert events[0] == Started(0, 2, 3)
    steps = [(event.epoch, event.step, event.steps) for event in events if isinstance(event, StepDone)]
    assert steps == [(epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)]
    done = [event for event in events if isinstance(event, EpochDone)]
    assert [event.record for event in done] == run.history
    assert done[0].best
    assert events[-1] == Stopped(2, "all epochs done")


def test_an_epoch_is_saved_before_it_is_told(train: Train, tmp_path: Path) -> None:
    run, found = Run(tmp_path / "run"), []

    def look(event: Event) -> None:
        if isinstance(event, EpochDone):
            found.append(
                (len(run.history), len(load_checkpoint(run.checkpoint_path).records), run.model_path.is_file())
            )

    train(observers=[look], epochs=3)
    assert found == [(1, 1, True), (2, 2, True), (3, 3, True)]


def test_the_model_holds_the_weights_of_the_lowest_validation_loss(
    train: Train, images: Path, small: dict[str, Any]
) -> None:
    run = train(epochs=4, learning_rate=0.3, schedule="constant")  # steps this large jump about
    best = best_epoch(run.history)
    assert best is not None
    assert best.epoch < 4, "a test of nothing if the last epoch is the best"
    artefact = load_artefact(run.path)
    assert artefact.metrics == {
        "epoch": best.epoch, "validation_mse": best.validation_mse, "validation_psnr": best.validation_psnr,
    }  # fmt: skip
    config = run.config
    prepared = prepare(config)
    pairs = validation_pairs(task_of(config), prepared.validation, config.split_seed, torch.device("cpu"))
    network = artefact.network()
    result = validate(network, network, pairs, config, torch.device("cpu"))
    assert result.loss_sum / result.images == pytest.approx(best.validation_loss, rel=1e-6)
    kept = load_checkpoint(run.checkpoint_path)
    assert same(kept.best, artefact.weights)
    assert not same(kept.weights, kept.best)


def test_the_record_says_what_happened(train: Train) -> None:
    run = train(epochs=2, samples=20, schedule="cosine", learning_rate=0.01, warmup_epochs=0)
    first, second = run.history
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.images == second.images == 20
    assert 0 < first.training_seconds <= first.seconds
    # cosine over six steps, at the third and the last
    assert first.learning_rate == pytest.approx(0.01 * 0.75)
    assert second.learning_rate == pytest.approx(0.01 * 0.0669873, rel=1e-4)
    assert first.validation_loss == pytest.approx(first.validation_mse)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(train: Train) -> None:
    first, again, other = train("a"), train("b"), train("c", seed=1)
    weights = [load_checkpoint(run.checkpoint_path).weights for run in (first, again, other)]
    assert same(weights[0], weights[1])
    assert not same(weights[0], weights[2])
    losses = [[record.validation_loss for record in run.history] for run in (first, again)]
    assert losses[0] == losses[1]


def test_watching_changes_nothing(train: Train) -> None:
    def meddle(event: Event) -> None:
        torch.rand(5)

    watched, plain = train("a", observers=[meddle]), train("b")
    assert same(load_checkpoint(watched.checkpoint_path).weights, load_checkpoint(plain.checkpoint_path).weights)


def test_early_stopping(train: Train) -> None:
    events: list[Event] = []
    run = train(epochs=50, patience=2, min_delta=10.0, observers=[events.append])
    assert len(run.history) == 3, "the first epoch is an improvement, two more are not"
    assert events[-1] == Stopped(3, "no improvement in 2 epochs")


def test_the_time_limit_stops_after_an_epoch(train: Train) -> None:
    events: list[Event] = []
    run = train(epochs=50, max_minutes=1e-9, observers=[events.append])
    assert len(run.history) == 1
    assert events[-1] == Stopped(1, "1e-09 minutes are over")


def test_a_diverging_training_stops_with_advice_and_keeps_the_epoch_before(train: Train, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"diverged in epoch \d+.*Lower learning_rate .*clip"):
        train(model="unet-s", optimizer="sgd", learning_rate=1e30, schedule="constant", epochs=50, warmup_epochs=0)
    run = Run(tmp_path / "run")
    assert len(load_checkpoint(run.checkpoint_path).records) == len(run.history) < 50


def test_the_average_is_what_is_validated_and_handed_over(train: Train) -> None:
    run = train(epochs=1, ema=0.95)
    kept = load_checkpoint(run.checkpoint_path)
    assert set(kept.average) == set(kept.weights)
    assert not same(kept.average, kept.weights)
    assert same(kept.best, kept.average)
    assert same(load_artefact(run.path).weights, kept.average)


def test_the_average_by_hand() -> None:
    network = torch.nn.BatchNorm1d(1)
    state = State(network, torch.optim.SGD(network.parameters(), 1), {}, {}, [])
    state.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    config = cuello.TrainConfig(ema=0.5)
    with torch.no_grad():
        network.weight.fill_(11.0)
        assert network.num_batches_tracked is not None
        network.num_batches_tracked.fill_(6)
    move_average(state, config, 0)  # decay min(0.5, 1 / 10)
    assert state.average["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 11)
    move_average(state, config, 1000)  # decay 0.5
    assert state.average["weight"].item() == pytest.approx(0.5 * 10 + 0.5 * 11)
    assert state.average["num_batches_tracked"].item() == 6, "counts are copied, not averaged"
    before = dict(state.average)
    move_average(state, cuello.TrainConfig(), 0)
    assert all(state.average[name] is before[name] for name in before)


def test_averaged_gives_the_own_weights_back_even_after_an_error() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    own = network.weight.item()
    seven = {"weight": torch.full((1, 1), 7.0)}

    def fails() -> None:
        with averaged(network, seven):
            assert network.weight.item() == 7.0
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match=r"inside"):
        fails()
    assert network.weight.item() == own


def test_bf16_trains(train: Train) -> None:
    run = train(precision="bf16")
    assert all(0 < record.validation_loss < 1 for record in run.history)
    assert {tensor.dtype for tensor in load_artefact(run.path).weights.values()} == {torch.float32}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adadelta", "rmsprop", "muon"])
def test_every_optimiser_goes_on_where_it_was(train: Train, optimizer: str) -> None:
    settings = {"optimizer": optimizer, "weight_decay": 0.01, "schedule": "constant"}
    straight = train("straight", epochs=3, **settings)
    halted = train("halted", epochs=1, **settings)
    cuello.resume(halted.path, epochs=3, report=False)
    found, expected = (load_checkpoint(run.checkpoint_path) for run in (halted, straight))
    assert same(found.weights, expected.weights)
    assert all(same(found.optimizer[position], expected.optimizer[position]) for position in expected.optimizer)


def test_a_checkpoint_of_another_network_is_refused_by_name(train: Train) -> None:
    run, other = train("a"), train("b", model="unet-s")
    run.checkpoint_path.write_bytes(other.checkpoint_path.read_bytes())
    with pytest.raises(CuelloError, match=r"model = 'conv-8-16-8' \(trained with 'unet-s'\)"):
        cuello.resume(run.path, report=False)


def test_an_epochs_psnr_is_that_of_images_that_are_not_perfect() -> None:
    def record(**terms: float) -> EpochRecord:
        checked = StepResult(0.3, 4, {"mse": 0.04, "psnr": 60.0, "counted": 3, "wrong": 6, "grey": 0, **terms})
        return epoch_record(1, StepResult(0.1, 4), checked, rate=0.1, seconds=1.0, training_seconds=1.0)

    assert (record().validation_mse, record().validation_psnr, record().validation_wrong) == (0.01, 20.0, 1.5)
    assert record(grey=1).validation_wrong is None, "one image is not binary"
    assert record(psnr=0.0, counted=0).validation_psnr == 100.0, "all are perfect"
    classes = epoch_record(
        1, StepResult(0.1, 4), StepResult(0.3, 4, {"accuracy": 3}), rate=0.1, seconds=1.0, training_seconds=1.0
    )
    assert math.isnan(classes.validation_psnr)
    assert (classes.validation_accuracy, classes.validation_wrong) == (0.75, None)
