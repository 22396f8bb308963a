"""Processes end with the one that started them, however that ends; and signals end a command as Ctrl-C does."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cuello.core.parent import GRACE_SECONDS, end_after

WaitUntil = Callable[[Callable[[], object]], None]
DEADLINE = 120.0
ENDLESS = [
    "--noise",
    "gaussian:25",
    "--model",
    "conv-8-16-8",
    "--crop",
    "16",
    "--batch-size",
    "8",
    "--epochs",
    "900000",
]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def started(*words: object, before: Callable[[], object] = lambda: None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        preexec_fn=before,  # noqa: PLW1509 (no thread of this process holds a lock that it needs)
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def epochs_in(*runs: Path) -> bool:
    return all((run / "history.jsonl").is_file() and (run / "history.jsonl").read_text("utf-8") for run in runs)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_signals_end_a_training_that_can_go_on(
    images: Path, tmp_path: Path, number: int, code: int, wait_until: WaitUntil
) -> None:
    run = tmp_path / "run"
    words = ["-m", "cuello", "train", "denoise", images, "-o", run, "--no-report", *ENDLESS]
    process = started(*words, before=lambda: [signal.signal(one, signal.SIG_DFL) for one in (1, 2, 15)])
    wait_until(lambda: epochs_in(run))
    process.send_signal(number)
    _, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == code, error
    last = error.splitlines()[-1]
    assert last.startswith("cuello: stopped; ")
    assert last.endswith(f"epochs are saved in {run}. Go on with: cuello resume {run}")


def test_what_is_ignored_stays_so_as_with_nohup(images: Path, tmp_path: Path, wait_until: WaitUntil) -> None:
    run = tmp_path / "run"
    words = ["-m", "cuello", "train", "denoise", images, "-o", run, "--no-report", *ENDLESS]
    process = started(*words, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_until(lambda: epochs_in(run))
    process.send_signal(signal.SIGHUP)
    before = (run / "history.jsonl").read_text("utf-8")
    wait_until(lambda: (run / "history.jsonl").read_text("utf-8") != before)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 143


SEVERAL = """
import sys
from pathlib import Path
from cuello.cluster.processes import Processes
from cuello.cli.console import stopped_by_signals
from cuello.work.plans import PlannedRun, run_turns

if __name__ == "__main__":
    settings = {"data": sys.argv[1], "noise": "gaussian:25", "model": "conv-8-16-8", "crop": 16, "batch_size": 8,
                "epochs": 900000, "threads": 1}
    plans = [PlannedRun(Path(sys.argv[2]) / name, settings) for name in ("one", "two")]
    with stopped_by_signals():
        run_turns(plans, Processes(2), lambda event: None)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda one: one.name)
def test_workers_end_with_their_parent(images: Path, tmp_path: Path, number: int, wait_until: WaitUntil) -> None:
    script = tmp_path / "several.py"
    script.write_text(SEVERAL, "utf-8")
    process = started(script, images, tmp_path)
    wait_until(lambda: epochs_in(tmp_path / "one", tmp_path / "two"))
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(number)
    process.communicate(timeout=DEADLINE)
    _, alive = psutil.wait_procs(children, timeout=GRACE_SECONDS + DEADLINE)
    assert not alive


def test_a_worker_that_is_ended_from_outside_is_told(images: Path, tmp_path: Path, wait_until: WaitUntil) -> None:
    script = tmp_path / "several.py"
    script.write_text(SEVERAL, "utf-8")
    process = started(script, images, tmp_path)
    wait_until(lambda: epochs_in(tmp_path / "one", tmp_path / "two"))
    children = [one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    children[0].kill()
    _, error = process.communicate(timeout=DEADLINE)
    assert "CuelloError: a process that worked was ended from outside" in error
    assert not psutil.wait_procs(children, timeout=DEADLINE)[1]


def test_makers_of_maps_end_when_their_parent_is_gone() -> None:
    code = (
        f"import time, sys; from {end_after.__module__} import end_after; end_after(sys.stdin.read); time.sleep(1000)"
    )
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen([sys.executable, "-c", code], **options) as process:
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE) == 1
