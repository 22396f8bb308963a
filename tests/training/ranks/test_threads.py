"""A training in several threads is that in one to float32 rounding, and always the same bits."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.share import RANDOM
from cuello.runs.checkpoint import Checkpoint, load_checkpoint
from cuello.runs.directory import Run
from cuello.training.observers import Event, StepDone
from cuello.training.ranks import threads
from cuello.training.ranks.draws import as_default
from cuello.training.ranks.threads import Meeting, ThreadGroup

CASES: dict[str, dict[str, Any]] = {
    "norm": {"model": "conv-8-16-8", "ema": 0.9},  # with dropout; its last step has one image
    "torchs-norm": {"model": "dncnn-s", "noise": "gaussian:5..50", "augment": True},
    "streamed": {"model": "denoise-s", "noise": "gaussian:5..50", "storage": "stream"},
    "code": {"job": "generate", "noise": None, "model": "conv-vae-16", "resize": 32, "crop": None, "samples": 6},
}
SETTINGS: dict[str, Any] = {
    "job": "denoise", "noise": "salt-pepper:0.1..0.5", "crop": 16, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3,
    "warmup_epochs": 0, "schedule": "constant", "samples": 17, "validation": 0.4, "device": "cpu",
    "report": False, "progress": False, "force": True,
}  # fmt: skip
TrainIn = Callable[..., Run]


@pytest.fixture
def train_in(make_images: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainIn:
    """Train a case in so many threads, however little work a step is."""
    monkeypatch.setattr(threads, "LEAST_WORK", 0)
    images = make_images(tmp_path / "images")

    def train(name: str, count: int, **more: Any) -> Run:
        settings = {**SETTINGS, "output": tmp_path / f"{name}-{count}", **CASES[name], "threads": count, **more}
        return cuello.train(**{"data": images, **{key: value for key, value in settings.items() if value is not None}})

    return train


def checkpoint(run: Run) -> Checkpoint:
    return load_checkpoint(run.checkpoint_path)


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_threads_give_what_one_gives_to_rounding(train_in: TrainIn, name: str, count: int) -> None:
    alone, together = train_in(name, 1), train_in(name, count)
    assert (alone.environment or {}).get("ranks") is None
    assert (together.environment or {}).get("ranks") == count
    for one, other in zip(alone.history, together.history, strict=True):
        assert other.images == one.images
        assert other.loss == pytest.approx(one.loss, rel=2e-4)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=2e-4)
    wanted, found = checkpoint(alone), checkpoint(together)
    steps = len(alone.history) * 3
    for tensor, value in wanted.weights.items():
        torch.testing.assert_close(found.weights[tensor], value, rtol=1e-3, atol=0.02e-3 * steps, msg=tensor)
    for position, state in wanted.optimizer.items():
        assert torch.equal(found.optimizer[position]["step"], state["step"]), "the optimiser has made as many steps"


def test_as_many_threads_give_the_same_bits_however_often_they_are_interrupted(train_in: TrainIn) -> None:
    first, again = train_in("norm", 2), train_in("norm", 2, overwrite=True)
    assert first.path == again.path
    begun = train_in("norm", 2, epochs=1, output=first.path.with_name("begun"))
    resumed = cuello.resume(begun.path, epochs=2, report=False, progress=False)
    assert same(checkpoint(again).weights, checkpoint(resumed).weights)


def test_threads_are_as_many_as_pay(train_in: TrainIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LEAST_WORK", 1e12)
    assert (train_in("norm", 2, epochs=1).environment or {}).get("ranks") is None


def test_an_interruption_of_the_first_thread_ends_all(train_in: TrainIn) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="1 epochs are saved") as stopped:
        train_in("norm", 2, observers=[interrupt])
    assert "cuello resume" in str(stopped.value)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cuello-rank")]


def test_what_goes_wrong_in_another_thread_is_what_is_raised(
    train_in: TrainIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = threads.fit

    def failing(session: Any, *arguments: Any) -> Any:
        if session.group.rank == 1:
            raise CuelloError("this image cannot be read")
        return whole(session, *arguments)

    monkeypatch.setattr(threads, "fit", failing)
    with pytest.raises(CuelloError, match="this image cannot be read"):
        train_in("norm", 2)


def test_what_threads_tell_comes_in_their_order_and_is_summed_in_it() -> None:
    meeting = Meeting(3)
    groups = [ThreadGroup(rank, meeting) for rank in range(3)]
    values = [torch.tensor([1.0]), torch.tensor([1e-8]), torch.tensor([-1.0])]
    found: dict[int, list[Any]] = {}

    def work(group: ThreadGroup) -> None:
        sent = torch.tensor([float(group.rank + 5)])
        group.sent(sent)
        found[group.rank] = [group.told(group.rank), float(group.summed(values[group.rank])), float(sent)]

    others = [threading.Thread(target=work, args=(group,)) for group in groups[1:]]
    for other in others:
        other.start()
    work(groups[0])
    for other in others:
        other.join()
    summed = float((values[0] + values[1]) + values[2])
    assert found == {rank: [[0, 1, 2], summed, 5.0] for rank in range(3)}


def test_a_generator_stands_in_for_torchs_own() -> None:
    random = torch.Generator().manual_seed(3)
    wanted = torch.rand(4, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(0)
    with as_default(random):
        first = torch.rand(2)
    with as_default(random):
        second = torch.rand(2)
    assert torch.equal(torch.cat([first, second]), wanted)
    assert RANDOM.get() is None
