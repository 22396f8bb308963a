"""Two calls for one folder: the second is told who is at work, and loses and mixes nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cuello
from cuello.core.lock import LOCK
from cuello.runs.directory import Run

SMALL = ["--model", "mlp:35-2", "--samples", "32", "--threads", "1"]
LONG = ["--epochs", "100000"]
TRAIN = ["train", "reconstruct", "glyphs", *SMALL, *LONG, "--no-report"]
SEARCH = ["search", "reconstruct", "glyphs", *SMALL, *LONG, "--over", "learning-rate=1e-3,1e-2"]
CALLS = {
    "train": TRAIN,
    "repeats": [*TRAIN, "--repeats", "2"],
    "random": [*SEARCH, "--sampler", "random", "--trials", "2"],
}


@contextmanager
def at_work(words: list[str], folder: Path, until: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Let another process work on a folder, from when it has written a file of a kind; killed in the end."""
    with subprocess.Popen([sys.executable, "-m", "cuello", *words, "-o", str(folder), "--quiet"]) as process:
        try:
            while not list(folder.rglob(until)):
                assert process.poll() is None
                time.sleep(0.02)
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("name", ["train", "repeats", "random"])
def test_a_second_call_is_told_who_is_at_work(name: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    folder = tmp_path / "it"
    with at_work(CALLS[name], folder, "model.safetensors") as process:
        assert f"is at work there (process {process.pid} on " in refused(*CALLS[name], "-o", folder)
        run = next(folder.rglob("model.safetensors")).parent
        before = (run / "config.toml").read_bytes()
        if name != "random":
            again = [*CALLS[name], "--overwrite", "-o", folder]
            assert f"is at work there (process {process.pid} on " in refused(*again)
        assert f"is at work there (process {process.pid} on " in refused("resume", run, "--epochs", "2")
        assert (run / "config.toml").read_bytes() == before
        assert cuello.load(run).artefact.job == "reconstruct", "readers get the last whole state"
        assert cuello.compare([run], latency=False).groups
    assert (folder / LOCK).is_file(), "it was killed"
    reached = len(Run(run).history)
    cuello.resume(run, epochs=reached + 1, report=False)
    assert len(Run(run).history) == reached + 1
    assert not list(run.glob(".*"))
