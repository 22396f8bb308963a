"""``ranks=N``: a training in several processes of this machine, heard as if it were here, and ended with it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

import cuello
from cuello.core.errors import CuelloError, Fault, Interrupted
from cuello.core.progress import Progress
from cuello.runs.checkpoint import load_checkpoint
from cuello.runs.directory import Run
from cuello.training.observers import EpochDone, Event, Started, StepDone, Stopped

Train = Callable[..., Run]


@pytest.fixture
def train(images: Path, small: dict[str, Any], tmp_path: Path) -> Train:
    """Train a tiny network without a report; settings override the usual ones."""

    def run(ranks: int | None = 2, **settings: Any) -> Run:
        given: dict[str, Any] = {
            "data": images,
            **small,
            "samples": 17,
            "report": False,
            "output": tmp_path / "run",
            **settings,
        }
        return cuello.train(**given, ranks=ranks)

    return run


def processes() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "cuello.work.rank" in " ".join(one.cmdline())]


def test_a_training_is_heard_as_if_it_were_here(train: Train, tmp_path: Path) -> None:
    events: list[Event] = []
    told: list[Progress] = []
    run = train(observers=[events.append], progress=told.append)
    assert run == Run(tmp_path / "run")
    assert [type(event) for event in events] == [Started, *[*[StepDone] * 3, EpochDone] * 2, Stopped]
    assert [event.record for event in events if isinstance(event, EpochDone)] == run.history
    assert {event.stage for event in told} >= {"reading images"}
    assert all(isinstance(event.path, Path | None) for event in told)
    assert (run.environment or {})["ranks"] == 2
    alone = train(ranks=1, output=tmp_path / "alone")
    one, other = (load_checkpoint(each.checkpoint_path).weights for each in (run, alone))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-4)
    assert not processes()


def test_a_rank_that_is_killed_stops_the_others_and_says_how_to_go_on(train: Train, tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, EpochDone) and event.record.epoch == 2:
            processes()[-1].kill()

    words = rf"rank \d was ended from outside \(by signal 9.*\); \d+ epochs are saved in {re.escape(str(tmp_path))}/run"
    with pytest.raises(Fault, match=words + r"\. Go on with: cuello resume .*/run$"):
        train(epochs=10_000, observers=[kill])
    assert not processes()
    reached = len(Run(tmp_path / "run").history)
    assert reached >= 2
    with pytest.warns(UserWarning, match=r"goes on in 3 ranks \(so far 2\)"):
        run = cuello.resume(tmp_path / "run", epochs=reached + 1, report=False, ranks=3)
    assert len(run.history) == reached + 1
    assert (run.environment or {})["ranks"] == 3


def test_ctrl_c_stops_all(train: Train, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, EpochDone):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"stopped; \d+ epochs are saved in .*/run\. Go on with: cuello resume"):
        train(epochs=10_000, observers=[interrupt])
    assert not processes()
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")) == []


def test_what_rank_0_raises_is_raised_here(train: Train, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(CuelloError, match="bare"):
        train(data=tmp_path / "bare")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_taken_is_refused_before_any_rank_begins(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*call: Any) -> None:
        raise AssertionError("a rank was started")

    monkeypatch.setattr("cuello.work.launch.Launched.begin", begin)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letter.txt").write_text("mine")
    for ranks in (1, 2):
        told: list[Progress] = []
        with pytest.raises(CuelloError, match="exists and is not empty"):
            train(ranks=ranks, progress=told.append)
        assert not [event for event in told if event.stage == "reading images"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["letter.txt"]


def test_images_in_memory_are_not_for_several_processes(train: Train, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="are in the memory of this process, and other ranks do not see them"):
        train(data=[np.zeros((20, 20), np.uint8)] * 3)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ranks", [0, -1])
def test_less_than_one_rank_is_refused(train: Train, ranks: int) -> None:
    with pytest.raises(CuelloError, match=f"ranks: got {ranks}, needed 1 or more"):
        train(ranks=ranks)


def test_more_ranks_than_images_a_step_are_refused_before_any_begins(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(ranks=1)

    def begin(*call: Any) -> None:
        raise AssertionError("a rank was started")

    monkeypatch.setattr("cuello.work.launch.Launched.begin", begin)
    with pytest.raises(CuelloError, match="images a step are fewer than 1000 ranks"):
        train(ranks=1000, output=tmp_path / "other")
    with pytest.raises(CuelloError, match="images a step are fewer than 1000 ranks"):
        cuello.resume(run.path, epochs=9, ranks=1000)
    assert not (tmp_path / "other").exists()


def test_ranks_in_ranks_are_refused(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CuelloError, match="torchrun has started 2 ranks already"):
        train()


def test_several_trainings_in_ranks_are_refused(
    images: Path, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CuelloError, match="makes several trainings, and torchrun started 2 ranks"):
        cuello.train_repeats(data=images, repeats=2, output=tmp_path / "runs", report=False, **small)
