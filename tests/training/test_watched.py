"""One switch for what is shown of long calls: in a terminal, in a notebook, in a pipe."""

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.core.progress import OnProgress, Progress, listener
from cuello.training import watched as module
from cuello.training.display import display
from cuello.training.notebook import NotebookBar, in_notebook
from cuello.training.observers import Event, Observer, Started, StepDone, Stopped
from cuello.training.watched import watched

EVENTS: list[Event] = [Started(0, 2, 2), StepDone(1, 1, 2, 0.5), StepDone(2, 2, 2, 0.25), Stopped(2, "all epochs done")]


@watched()
def inner(count: int, progress: OnProgress | bool | None = None) -> None:
    for number in range(1, count + 1):
        listener(progress)(Progress("counting", number, count))


@watched()
def outer(*, observers: Sequence[Observer] = (), progress: OnProgress | bool | None = None) -> int:
    inner(3)
    inner(5, progress)
    for event in EVENTS:
        for observer in observers:
            observer(event)
    return len(observers)


def test_a_pipe_sees_nothing_unless_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert outer() == 0
    assert outer(progress=False) == 0
    assert capsys.readouterr() == ("", "")
    assert outer(progress=True) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "counting: 5 of 5" in shown.err
    assert "3 of 3" not in shown.err, "what a call of ours calls is a part of it"


def test_somebodys_function_hears_the_events(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Progress] = []
    assert outer(progress=heard.append) == 0
    inner(2, heard.append)
    assert [event.done for event in heard] == [1, 2, 3, 4, 5, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_observers_of_the_callers_stay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Event] = []
    monkeypatch.setattr(module, "somebody_looks", lambda: True)
    assert outer(observers=[seen.append]) == 2
    assert seen == EVENTS
    assert "counting: 5 of 5" in capsys.readouterr().err


def test_a_training_in_a_pipe_is_silent(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    dots = np.zeros((20, 7, 5), np.uint8)
    settings: dict[str, Any] = {"model": "mlp:35-2", "epochs": 1, "device": "cpu", "threads": 1, "report": False}
    cuello.train("reconstruct", dots, output=tmp_path / "a", **settings)
    assert capsys.readouterr() == ("", "")
    cuello.train("reconstruct", dots, output=tmp_path / "b", progress=True, **settings)
    assert "epoch 1/1  loss" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
def test_a_terminal_shows_bars() -> None:
    code = (
        "from cuello.training.watched import watched\nfrom cuello.core.progress import Progress\n"
        "@watched()\ndef work(progress=None):\n    progress(Progress('counting', 4, 4))\nwork()\nwork(progress=False)"
    )
    terminal, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE, check=True)
    os.close(theirs)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "4/4" in shown
    assert done.stdout == b""


@dataclass
class Cell:
    """What the output of a notebook's cell holds, and what it held."""

    pages: list[str] = field(default_factory=list)

    def update(self, page: str) -> None:
        self.pages.append(page)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A process that looks like the kernel of a notebook."""
    found = Cell()

    def show(page: str, display_id: bool) -> Cell:
        assert display_id
        found.update(page)
        return found

    shell = SimpleNamespace(kernel=object())
    parts = {
        "IPython": {}, "IPython.core": {}, "IPython.core.getipython": {"get_ipython": lambda: shell},
        "IPython.display": {"HTML": str, "display": show},
    }  # fmt: skip
    for name, content in parts.items():
        made = ModuleType(name)
        made.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, made)
    return found


def test_a_notebook_shows_bars_in_one_output(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_notebook()
    assert outer() == 1
    last = cell.pages[-1]
    assert "counting" in last
    assert "5 of 5" in last
    assert "trained 2 epochs" in last
    assert "<progress value='4' max='4'>" in last
    assert capsys.readouterr().err == ""


def test_a_notebook_shows_names_as_they_are(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    with display() as shown:
        shown.work(Progress("a <b>", 1, 2, note="some [note]"))
    assert "a &lt;b&gt;" in cell.pages[-1]
    assert capsys.readouterr().out == "note: some [note]\n"
    with display(quiet=True) as shown:
        shown.work(Progress("more", 1, 2))
    assert "more" not in cell.pages[-1]


def test_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("cuello.training.notebook.time.monotonic", lambda: now)
    bar = NotebookBar("", total=40, completed=10, started=100.0)  # ten were done before
    assert bar.left == ""
    now, bar.completed = 130.0, 20
    assert bar.left == "1:00 left"
    bar.completed = 40
    assert bar.left == ""


def test_no_kernel_is_no_notebook(monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
    monkeypatch.setattr(sys.modules["IPython.core.getipython"], "get_ipython", SimpleNamespace)
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()
