"""A training that is killed, stopped or out of disk goes on and ends with the same bits as one that never was.

Real processes are killed at random moments: a few started with ``python -m cuello``, many more forked from a process
that has done the slow imports already.
"""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import cuello
from cuello.core import files
from cuello.core.errors import CuelloError
from cuello.core.owner import this_process
from cuello.runs.checkpoint import load_checkpoint
from cuello.runs.directory import Run
from cuello.runs.history import best_epoch, read_history
from cuello.training.observers import EpochDone, Event, StepDone

HARD: dict[str, Any] = {
    "noise": "salt-pepper:0.1..0.5+gaussian:5..30",
    "model": "conv-8-16-8",  # has dropout
    "crop": 16,
    "validation": 0.2,
    "test": 0.15,
    "crops": "random",
    "augment": True,
    "batch_size": 4,
    "epochs": 30,
    "ema": 0.9,
    "learning_rate": 0.02,
    "schedule": "plateau",
    "plateau_patience": 1,
    "patience": 4,
    "min_delta": 0.002,
    "device": "cpu",
    "threads": 1,
}
"""All that could be lost on the way: dropout, average, crops, turns, ranges, a schedule and a stop that look back."""

DEADLINE = 120.0


def flags(settings: dict[str, Any]) -> list[str]:
    """Return settings as flags of the command line."""
    written = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        written += [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
    return written


def contents(path: Path) -> dict[str, Any]:
    """Return every tensor's type, shape and bytes, and what the file says beside them, without the times."""
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["cuello"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for record in metadata.get("records", []):
        del record["seconds"], record["training_seconds"]
    bits = {name: (t.dtype, t.shape, t.contiguous().view(-1).view(torch.uint8).tolist()) for name, t in tensors.items()}
    return {"metadata": metadata, "bits": bits}


def assert_same(run: Path, reference: Path) -> None:
    """Compare two finished runs: every tensor bit for bit, every number of the history but the times."""
    for name in ("model.safetensors", "last.safetensors"):
        found, expected = contents(run / name), contents(reference / name)
        assert set(found["bits"]) == set(expected["bits"])
        differ = [key for key, value in expected["bits"].items() if found["bits"][key] != value]
        assert not differ, f"{name}: other bits in {differ}"
        assert found["metadata"] == expected["metadata"]
    histories = [
        [(r.epoch, r.loss, r.validation_loss, r.validation_psnr, r.learning_rate, r.images) for r in read_history(path)]
        for path in (run / "history.jsonl", reference / "history.jsonl")
    ]
    assert histories[0] == histories[1]
    assert not list(run.glob(".*")), "nothing half written is left"


@pytest.fixture(scope="module")
def reference(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the hard settings that nothing interrupted."""
    path = tmp_path_factory.mktemp("reference") / "run"
    run = cuello.train(data=images, output=path, report=False, **HARD)
    best = best_epoch(run.history)
    assert best is not None
    assert 8 <= len(run.history) < 30, "early stopping has to end it for the tests to mean something"
    assert best.epoch < len(run.history)
    assert len({record.learning_rate for record in run.history}) > 1, "and the plateau schedule has to act"
    return path


# Real processes


def hear_ctrl_c() -> None:
    """Take SIGINT again in a new process: where the tests run in the background, a shell made them ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cuello", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 (no thread of this process holds a lock that it needs)
    )


def lines_in(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.is_file() else 0


def wait_for_epochs(process: "subprocess.Popen[str]", history: Path, epochs: int) -> None:
    """Wait until so many epochs are in the history."""
    end = time.monotonic() + DEADLINE
    while lines_in(history) < epochs:
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() < end, "no epoch ended in time"
        time.sleep(0.002)


def test_killed_processes_go_on_to_the_same_bits(images: Path, tmp_path: Path, reference: Path) -> None:
    common = ["--no-report", "--quiet"]
    for attempt in range(5):  # a training so small can end before the signal comes; once it must not
        path = tmp_path / f"run-{attempt}"
        process = start("train", "denoise", images, "-o", path, *common, *flags(HARD))
        killed = 0
        for epochs in (1, 4):
            wait_for_epochs(process, path / "history.jsonl", epochs)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert process.returncode in (0, -signal.SIGKILL)
            killed += process.returncode == -signal.SIGKILL
            process = start("resume", path, *common)
        _, error = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, error
        assert_same(path, reference)
        if killed:
            return
    pytest.fail("it was always quicker than the signal")


FORKING = """
import os, sys
from cuello.cli import main
answers = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
try:
    main(sys.argv[1:])  # what is imported late is imported before the forks
except SystemExit:
    pass
os.dup2(answers, 1)
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.stdin = open(os.devnull)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        main(line.rstrip("\\n").split("\\t"))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forker:
    """Starts commands in forked processes: real ones, without seconds of imports each."""

    def __init__(self, warm_up: list[object]) -> None:
        arguments = [sys.executable, "-c", FORKING, *map(str, warm_up)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def run(self, arguments: list[object], kill_after: Callable[[], None] | None = None) -> int:
        """Run a command; with ``kill_after``, kill it when that returns. Returns the exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\t".join(map(str, arguments)) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            kill_after()
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself a moment ago
                os.kill(child, signal.SIGKILL)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def forker(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    path = tmp_path_factory.mktemp("warm") / "run"
    short = flags({**HARD, "epochs": 1})
    forked = Forker(["train", "denoise", images, "-o", path, "--no-report", "--quiet", *short])
    yield forked
    assert forked.process.stdin is not None
    forked.process.stdin.close()
    assert forked.process.wait(DEADLINE) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_many_kills_at_random_moments(images: Path, tmp_path: Path, reference: Path, forker: Forker) -> None:
    """Small networks save as long as they train here, so many kills fall into a write."""
    chance = random.Random(12)
    path, kills = tmp_path / "run", 0  # a training so small can end before the signal: then again from the start
    history = path / "history.jsonl"
    train: list[object] = ["train", "denoise", images, "-o", path, "--no-report", "--quiet", *flags(HARD)]
    resume: list[object] = ["resume", path, "--no-report", "--quiet"]
    for _ in range(12):
        before = lines_in(history)

        def moment(before: int = before) -> None:
            """Wait for one more epoch, at most a second, and a little longer."""
            end = time.monotonic() + 1
            while lines_in(history) <= before and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.03))

        begun = (path / "config.toml").is_file()
        if not begun and path.exists():
            shutil.rmtree(path)
        code = forker.run(resume if begun else train, moment)
        assert code in (0, -signal.SIGKILL)
        kills += code == -signal.SIGKILL
        if code == 0:
            assert_same(path, reference)
            shutil.rmtree(path)
    assert kills >= 2, "too few to mean something"
    assert forker.run(resume if (path / "config.toml").is_file() else train) == 0
    assert_same(path, reference)


def test_ctrl_c_says_how_to_go_on(images: Path, tmp_path: Path, small: dict[str, Any]) -> None:
    path = tmp_path / "run"
    settings: dict[str, Any] = small | {"epochs": 5000, "ema": 0.9, "schedule": "constant"}  # far more than it gets to
    process = start("train", "denoise", images, "-o", path, "--no-report", *flags(settings))
    wait_for_epochs(process, path / "history.jsonl", 2)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, error
    assert "Traceback" not in error + out
    last = error.strip().splitlines()[-1]
    assert last.startswith("cuello: stopped; ")
    assert last.endswith(f"epochs are saved in {path}. Go on with: cuello resume {path}")
    saved = int(last.split()[2])
    assert 2 <= saved < 5000
    cuello.resume(path, report=False, epochs=saved + 3)
    settings["epochs"] = saved + 3
    straight = cuello.train(data=images, output=tmp_path / "straight", report=False, **settings)
    for name in ("model.safetensors", "last.safetensors"):  # the settings beside them say 5000 where the best is older
        assert contents(path / name)["bits"] == contents(straight.path / name)["bits"]


# In this process


class Halt(Exception):
    """Stops a training from an observer."""


@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (1, 2), (2, 1), (5, 3), (8, 1)])
def test_an_observer_that_raises_at_a_step(
    images: Path, tmp_path: Path, reference: Path, epoch: int, step: int
) -> None:
    def halt(event: Event) -> None:
        if isinstance(event, StepDone) and (event.epoch, event.step) == (epoch, step):
            raise Halt

    path = tmp_path / "run"
    with pytest.raises(Halt):
        cuello.train(data=images, output=path, report=False, observers=[halt], **HARD)
    assert len(load_checkpoint(path / "last.safetensors").records) == epoch - 1
    cuello.resume(path, report=False)
    assert_same(path, reference)


def test_every_epoch_on_its_own(images: Path, tmp_path: Path, reference: Path) -> None:
    def halt(event: Event) -> None:
        if isinstance(event, EpochDone):
            raise Halt

    path, rounds = tmp_path / "run", 0
    with pytest.raises(Halt):
        cuello.train(data=images, output=path, report=False, observers=[halt], **HARD)
    while True:
        rounds += 1
        try:
            cuello.resume(path, report=False, observers=[halt])
        except Halt:
            continue
        break
    assert rounds == len(Run(reference).history)
    assert_same(path, reference)


@pytest.fixture(scope="module")
def short(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Settings of three epochs, and such a run that nothing interrupted."""
    settings: dict[str, Any] = HARD | {"epochs": 3}
    path = tmp_path_factory.mktemp("short") / "run"
    cuello.train(data=images, output=path, report=False, **settings)
    return settings, path


@pytest.mark.parametrize("renamed", [False, True], ids=["before the rename", "after the rename"])
def test_a_kill_at_any_rename(
    images: Path, tmp_path: Path, short: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, renamed: bool
) -> None:
    """Every file of a run is renamed into place; die at each of these moments in turn."""
    settings, reference = short
    replace, number, last = os.replace, 0, 0

    def dies(source: Path, target: Path) -> None:
        nonlocal number
        number += 1
        if number == last and not renamed:
            raise SystemExit(9)
        replace(source, target)
        if number == last:
            raise SystemExit(9)

    interrupted = 0
    while True:
        number, last = 0, last + 1
        path = tmp_path / f"run-{last}"
        monkeypatch.setattr(files.os, "replace", dies)
        try:
            cuello.train(data=images, output=path, report=False, **settings)
        except SystemExit:
            interrupted += 1
        else:
            break  # died at every rename there is
        finally:
            monkeypatch.setattr(files.os, "replace", replace)
        if (path / "config.toml").is_file():
            cuello.resume(path, report=False)
        else:
            cuello.train(data=images, output=path, report=False, **settings)
        assert_same(path, reference)
    assert interrupted >= 2 + 2 + 3 * 2, "settings and environment, the beginning, and each epoch's files"


def test_leftovers_of_a_killed_write_are_swept_up(
    images: Path, tmp_path: Path, short: tuple[dict[str, Any], Path]
) -> None:
    settings, reference = short
    path = tmp_path / "run"
    cuello.train(data=images, output=path, report=False, **{**settings, "epochs": 1})
    ended = replace(this_process(), pid=2**22 + 1).mark
    (path / f".last.{ended}-1234abcd.cuello-tmp.safetensors").write_bytes(b"half")
    (path / ".notes.tmp").write_text("mine")
    cuello.resume(path, epochs=3, report=False)
    found, expected = contents(path / "last.safetensors"), contents(reference / "last.safetensors")
    assert found["bits"] == expected["bits"]
    assert [left.name for left in path.glob(".*")] == [".notes.tmp"]


def test_a_full_disk_leaves_the_epoch_before(
    images: Path,
    tmp_path: Path,
    short: tuple[dict[str, Any], Path],
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., str],
) -> None:
    settings, reference = short
    path, whole, saved = tmp_path / "run", Path.write_bytes, 0

    def fills(self: Path, content: bytes) -> int:
        nonlocal saved
        saved += self.name.startswith(".last.")
        if saved == 3:  # the beginning, epoch 1, and now epoch 2
            whole(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, content)

    monkeypatch.setattr(Path, "write_bytes", fills)
    message = refused("train", "denoise", images, "-o", path, "--no-report", "--quiet", *flags(settings))
    monkeypatch.undo()
    assert "no space left for" in message
    assert "last.safetensors" in message
    assert "Free some space" in message
    assert "whatever was saved before is intact" in message
    assert len(load_checkpoint(path / "last.safetensors").records) == 1
    assert not list(path.glob(".*"))
    cuello.resume(path, report=False)
    assert_same(path, reference)


def test_a_run_that_is_over_is_left_as_it_is(images: Path, tmp_path: Path, short: tuple[dict[str, Any], Path]) -> None:
    _, reference = short
    path = Path(shutil.copytree(reference, tmp_path / "run"))
    cuello.resume(path, report=False)
    assert_same(path, reference)


def test_a_run_can_be_made_longer(images: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = HARD | {"schedule": "constant", "patience": 50}
    path = tmp_path / "run"
    cuello.train(data=images, output=path, report=False, **{**settings, "epochs": 2})
    cuello.resume(path, epochs=4, report=False)
    straight = cuello.train(data=images, output=tmp_path / "straight", report=False, **{**settings, "epochs": 4})
    assert contents(path / "last.safetensors")["bits"] == contents(straight.path / "last.safetensors")["bits"]
    assert Run(path).config.epochs == 4


# Refusals


@pytest.mark.parametrize("change", ["a pixel", "a name", "one more"])
def test_changed_images_are_noticed(
    trained: Run, tmp_path: Path, images: Path, refused: Callable[..., str], change: str, small: dict[str, Any]
) -> None:
    folder, path = Path(shutil.copytree(images, tmp_path / "images")), tmp_path / "run"
    cuello.train(data=folder, output=path, report=False, **small)
    before = (path / "last.safetensors").read_bytes()
    if change == "a pixel":
        pixels = np.asarray(Image.open(folder / "3.png")).copy()
        pixels[7, 7, 1] ^= 1
        Image.fromarray(pixels).save(folder / "3.png")
    elif change == "a name":
        (folder / "3.png").rename(folder / "3b.png")
    else:
        shutil.copy(folder / "3.png", folder / "9.png")
    message = refused("resume", path, "--epochs", 4)
    assert "are not those it was trained on so far" in message
    assert "Bring them back, or start a new run" in message
    assert "not those it was trained on" in refused("evaluate", path)
    assert (path / "last.safetensors").read_bytes() == before


def test_changed_clean_counterparts_are_noticed(
    images: Path, opposites: Path, tmp_path: Path, small: dict[str, Any]
) -> None:
    target = opposites
    del small["noise"]
    cuello.train(data=images, target=str(target), output=tmp_path / "run", report=False, **small)
    pixels = np.asarray(Image.open(target / "3.png")).copy()
    pixels[7, 7, 1] ^= 1
    Image.fromarray(pixels).save(target / "3.png")
    with pytest.raises(CuelloError, match=r"are not those it was trained on"):
        cuello.resume(tmp_path / "run", epochs=4, report=False)


def test_other_settings_cannot_change(trained: Run) -> None:
    with pytest.raises(CuelloError, match=r"batch_size cannot change when a run goes on; what can: epochs"):
        cuello.resume(trained.path, batch_size=3)
    with pytest.raises(CuelloError, match=r"epochs: got 0, needed greater than or equal to 1"):
        cuello.resume(trained.path, epochs=0)


def test_there_has_to_be_a_run(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "is not a run directory: it holds no config.toml" in refused("resume", tmp_path)
    assert "is not a run directory" in refused("resume", tmp_path / "nowhere")


def test_a_damaged_checkpoint_is_refused(copied: Run, refused: Callable[..., str]) -> None:
    content = bytearray(copied.checkpoint_path.read_bytes())
    content[-5] ^= 1
    copied.checkpoint_path.write_bytes(content)
    assert "was changed after it was written" in refused("resume", copied.path, "--epochs", 4)
    copied.checkpoint_path.write_bytes(content[:-9])
    assert "cut short" in refused("resume", copied.path, "--epochs", 4)
