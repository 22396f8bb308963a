"""The page as people use it: in a browser, with trainings that are real, and tiny."""

import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cuello.runs.directory import Run
from cuello.web.commands import CommandLine, start
from cuello.web.state import read_state

TINY = ["--noise", "salt-pepper:0.2", "--model", "conv-8-16-8", "--crop", "16", "--threads", "1", "--device", "cpu"]


def until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.1)


def test_a_run_outlives_the_server_stops_and_goes_on(
    serve: Callable[..., Any],
    page: Any,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ended: list[int],
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path("runs")
    words = ["train", "denoise", str(images), *TINY, "--epochs", "100000", "-o", "runs/long"]
    first = serve()
    page.goto(first.address)
    page.get_by_text("No network has been trained here yet.").wait_for()
    ended.append(start(CommandLine(words), root, "long").pid)
    until(lambda: len(read_state(root, "long").records) > 1)
    page.get_by_text(re.compile(r"training, epoch \d+ of 100000")).wait_for()
    page.get_by_text("long", exact=True).click()
    page.get_by_text("Curves").wait_for()
    assert page.get_by_text("cuello train denoise").count() == 1

    first.end(signal.SIGKILL)
    known = len(read_state(root, "long").records)
    until(lambda: len(read_state(root, "long").records) > known)

    second = serve()
    page.goto(second.address)
    page.get_by_text(re.compile(r"training, epoch \d+ of 100000")).wait_for()
    page.goto(f"{second.base}/run/long")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile(r"stopped, epoch \d+ of 100000")).wait_for()
    kept = len(Run(root / "long").history)
    assert page.get_by_text("cuello resume runs/long").count() >= 1

    page.get_by_role("button", name="Go on").click()
    until(lambda: len(read_state(root, "long").records) > kept)
    owner = read_state(root, "long").owner
    assert owner is not None
    ended.append(owner.pid)
    page.get_by_role("button", name="Stop").click()
    until(lambda: read_state(root, "long").kind == "stopped")
    epochs = [record.epoch for record in Run(root / "long").history]
    assert epochs == list(range(1, len(epochs) + 1)), "no epoch was lost, none is there twice"


def test_two_servers_say_the_same_and_names_are_text(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path
) -> None:
    name = "<img src=x onerror=alert(1)>"
    shutil.copytree(trained.path, tmp_path / "runs" / name)
    said = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    for server in (serve(), serve()):
        page.goto(server.address)
        page.get_by_text(name).wait_for()
        page.get_by_text(name).click()
        page.get_by_text("Curves").wait_for()
    assert said == []
    page.goto(f"{server.base}/run/..%2f..")
    page.get_by_text("there is no run called").wait_for()
