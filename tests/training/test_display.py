"""Progress: bars on a terminal, plain lines elsewhere, nothing if quiet."""

import io

import pytest
from rich import progress as bars
from rich.console import Console

from cuello.core.progress import Progress
from cuello.runs.history import EpochRecord
from cuello.training import display as progress
from cuello.training.display import Display, bars_on, display
from cuello.training.observers import EpochDone, Event, Started, StepDone, Stopped

RECORD = EpochRecord(1, 0.25, 0.125, 0.125, 30.0, 1e-3, 2.0, 1.5, 10)
EVENTS: list[Event] = [
    Started(0, 3, 2),
    StepDone(1, 1, 2, 0.5),
    StepDone(1, 2, 2, 0.25),
    EpochDone(RECORD, 3, True),
    Stopped(1, "no improvement in 1 epochs"),
]


def plain(quiet: bool = False) -> tuple[Display, io.StringIO]:
    stream = io.StringIO()
    return Display(Console(file=stream, highlight=False, soft_wrap=True), None, quiet), stream


def test_plain_lines() -> None:
    shown, stream = plain()
    for event in EVENTS:
        shown.observe(event)
    assert stream.getvalue().splitlines() == [
        "epoch 1/3  loss 0.25000  validation 0.12500  PSNR 30.00 dB  2.0 s  best  about 4 s left",
        "stopped after epoch 1: no improvement in 1 epochs",
    ]


def test_going_on_is_said_and_a_regular_end_is_not() -> None:
    shown, stream = plain()
    shown.observe(Started(4, 9, 2))
    shown.observe(Stopped(9, "all epochs done"))
    assert stream.getvalue() == "going on after epoch 4 of 9\n"


def test_quiet_shows_nothing() -> None:
    shown, stream = plain(quiet=True)
    for event in EVENTS:
        shown.observe(event)
    shown.work(Progress("reading", 5, 5))
    shown.work(Progress("restoring", 1, 5))
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("done", "said"), [(0.06, 0), (1.94, 1), (2.9999999999, 3), (3.0, 3), (3, 3)])
def test_parts_that_are_at_work_are_counted_when_they_are_done(done: float, said: int) -> None:
    shown, stream = plain()
    shown.said = -1e9
    shown.work(Progress("repeats", done, 3))
    assert stream.getvalue() == f"repeats: {said} of 3\n"


def test_other_work_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    shown, stream = plain()
    for done in range(1, 101):
        now += 0.2
        shown.work(Progress("reading", done, 100))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "reading: 1 of 100"
    assert lines[-1] == "reading: 100 of 100"
    assert 4 <= len(lines) <= 6
    shown.work(Progress("one thing", 1, 1))
    assert stream.getvalue().splitlines() == lines


def test_bars_follow_the_training() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with bars.Progress(console=console) as bar:
        shown = Display(console, bar)
        shown.observe(Started(1, 4, 10))
        task = bar.tasks[0]
        assert (task.completed, task.total) == (10, 40)
        shown.observe(StepDone(2, 5, 10, 0.5))
        assert task.completed == 15
        assert "epoch 2  loss 0.50000" in task.description
        shown.observe(EpochDone(RECORD, 4, False))
        shown.observe(StepDone(3, 1, 10, 0.5))
        assert "validation 0.12500" in task.description
        shown.observe(Stopped(3, "1 minutes are over"))
        assert task.finished
        shown.work(Progress("evaluating", 3, 8))
        assert (bar.tasks[1].description, bar.tasks[1].completed, bar.tasks[1].total) == ("evaluating", 3, 8)
        shown.work(Progress("evaluating", 8, 8))
        assert len(bar.tasks) == 2


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with display() as shown:
        assert shown.bar is None
        shown.observe(EpochDone(RECORD, 3, True))
    captured = capsys.readouterr()
    assert captured.out == "", "standard output is for results"
    assert "epoch 1/3" in captured.err


def test_a_terminal_gets_a_bar_unless_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Console, "is_terminal", property(lambda self: True))
    with display() as shown:
        assert shown.bar is not None
    with display(quiet=True) as shown:
        assert shown.bar is None
        assert shown.quiet


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_amount_and_time_left_are_seen_however_narrow_the_terminal_is(columns: int) -> None:
    console = Console(file=io.StringIO(), width=columns, soft_wrap=True)
    now = 0.0
    bar = bars_on(console)
    bar.get_time = lambda: now  # type: ignore[method-assign]
    shown = Display(console, bar)
    shown.observe(Started(0, 3, 10000))
    shown.whole(Progress("training 3 of 14: doubled-32-64-128, salt-pepper:0.4, seed 2", 0, 1))
    shown.work(Progress("reading images", 0, 20))
    for second in range(1, 11):
        now = float(second)
        shown.observe(StepDone(1, 100 * second, 10000, 0.25))
        shown.whole(Progress("training 3 of 14: doubled-32-64-128, salt-pepper:0.4, seed 2", second, 100))
        shown.work(Progress("reading images", 2 * second, 20))
    with console.capture() as captured:
        console.print(bar.get_renderable())
    training, whole, reading = captured.get().splitlines()
    assert max(map(len, (training, whole, reading))) <= columns
    assert training.startswith("epoch 1  loss 0.2")
    assert training.split()[-3:] == ["1000/30000", "4:50", "left"], "29,000 steps at 100 a second"
    assert whole.split()[-3:] == ["10%", "1:30", "left"]
    assert reading.split()[-3:] == ["20/20", "10", "s"], "how long it took"
    assert "━" in reading
