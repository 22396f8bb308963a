"""The checkpoint decides: what is beside it is made again, and nothing is begun anew without a word."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cuello
from cuello.core.errors import CuelloError, Fault
from cuello.core.files import as_cuello_error
from cuello.runs.directory import Run
from cuello.search.trials import read_trials
from cuello.training.observers import EpochDone, Event
from cuello.work import plans
from cuello.work.train import is_finished, train_or_resume

KEPT = ("history.jsonl", "model.safetensors", "last.safetensors")
FILES = ("history.jsonl", "model.safetensors", "environment.json")


def broken(path: Path, how: str) -> None:
    """Do to a file what happens to files."""
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "no text":
        path.write_bytes(b"\xff\xfe\x00" + content[3:])
    else:
        path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("how", ["gone", "empty", "no text", "half"])
@pytest.mark.parametrize("name", FILES)
def test_what_is_gone_or_damaged_is_made_again(copied: Run, name: str, how: str) -> None:
    before, where = {one: (copied.path / one).read_bytes() for one in KEPT}, copied.environment
    broken(copied.path / name, how)
    assert not is_finished(copied, copied.config, report=False)
    cuello.resume(copied.path, report=False)
    assert {one: (copied.path / one).read_bytes() for one in KEPT} == before
    assert copied.environment == where
    assert is_finished(copied, copied.config, report=True)


def test_a_history_of_other_epochs_is_made_again(copied: Run) -> None:
    before = copied.history_path.read_text()
    copied.history_path.write_text(before.splitlines()[0] + "\n")
    assert not is_finished(copied, copied.config, report=False)
    cuello.resume(copied.path, report=False)
    assert copied.history_path.read_text() == before


@pytest.mark.parametrize("name", ["metrics.json", "report.html"])
def test_an_evaluation_is_made_again(copied: Run, name: str, images: Path, small: dict[str, Any]) -> None:
    before = copied.metrics["verdict"]
    (copied.path / name).unlink()
    train_or_resume(copied.path, {"job": "denoise", "data": images, **small}, report=True, sweep=(0.1, 0.4))
    assert copied.metrics["verdict"] == before
    assert copied.report_path.is_file()


@pytest.mark.parametrize("others", [(), ("model.safetensors",), ("history.jsonl",)])
def test_a_checkpoint_that_is_gone_is_said(copied: Run, refused: Callable[..., str], others: tuple[str, ...]) -> None:
    for name in ("last.safetensors", *others):
        (copied.path / name).unlink()
    message = refused("resume", copied.path)
    assert f"{copied.checkpoint_path} is gone" in message
    assert f"move {copied.path} away to train anew" in message
    assert not copied.checkpoint_path.exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_begins(copied: Run) -> None:
    for found in copied.path.iterdir():
        if found.name != "config.toml":
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    assert len(cuello.resume(copied.path, report=False).history) == 2


# A fault that passes


SEARCH: dict[str, Any] = {
    "model": "ae:35-c2-2", "samples": 32, "epochs": 2, "threads": 1, "space": {"learning_rate": [1e-3, 1e-2]},
}  # fmt: skip


def test_a_full_disk_is_no_trials_result(tmp_path: Path) -> None:
    epochs = 0

    def fills(event: Event) -> None:
        nonlocal epochs
        epochs += isinstance(event, EpochDone)
        if epochs == 3:
            raise as_cuello_error(OSError(errno.ENOSPC, "No space left on device"), tmp_path / "last.safetensors")

    with pytest.raises(Fault, match="no space left"):
        cuello.search.search("reconstruct", "glyphs", output=tmp_path / "s", observers=[fills], **SEARCH)
    found = cuello.search.search("reconstruct", "glyphs", output=tmp_path / "s", **SEARCH)
    assert [trial.state for trial in found.trials] == ["finished", "finished"]
    assert [trial.reached.epochs for trial in found.trials if trial.reached] == [2, 2]


def test_images_that_are_away_are_no_trials_result(tmp_path: Path, images: Path, small: dict[str, Any]) -> None:
    folder = Path(shutil.copytree(images, tmp_path / "images"))
    del small["learning_rate"]
    common: dict[str, Any] = {**small, "space": {"learning_rate": [1e-3, 1e-2]}, "output": tmp_path / "s"}

    def unplugged(event: Event) -> None:
        if isinstance(event, EpochDone) and folder.is_dir():
            folder.rename(tmp_path / "away")

    with pytest.raises(Fault, match="there is no file, folder or data set"):
        cuello.search.search("denoise", folder, observers=[unplugged], **common)
    (tmp_path / "away").rename(folder)
    found = cuello.search.search("denoise", folder, **common)
    assert [trial.state for trial in found.trials] == ["finished", "finished"]


def test_only_mistakes_are_a_trainings_own() -> None:
    assert plans.is_failure(CuelloError("its loss is nan"))
    assert not plans.is_failure(Fault("no space left"))
    assert read_trials(Path("nowhere"), {}) == {}
