"""Signals that end a process raise an error in it, once, wherever in the program they come."""

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from cuello.core.files import write_text
from cuello.core.signals import ENDING_SIGNALS, raised_by_signals, undisturbed, undisturbed_once_named

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
    pytest.mark.usefixtures("plain_handlers"),
]

MINUTE = 6000  # of steps of a hundredth of a second


def last(happen: Callable[[int], None], number: int) -> None:
    """Let something happen and go on for a minute, so that a test fails, and ends, where nothing comes of it."""
    happen(number)
    for _ in range(MINUTE):
        time.sleep(0.01)


class Dying:
    """Is sent a signal while Python deletes it, where no error can be raised."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)
        time.sleep(0)


def in_deletion(number: int) -> None:
    kept = Dying(number)
    del kept


def in_a_weak_reference(number: int) -> None:
    kept = threading.Event()
    reference = weakref.ref(kept, lambda reference: os.kill(os.getpid(), number))
    del kept
    assert reference() is None


def in_the_open(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING_SIGNALS, ids=lambda one: one.name)
@pytest.mark.parametrize("happen", [in_the_open, in_deletion, in_a_weak_reference])
def test_an_error_is_raised_wherever_a_signal_comes(
    number: int, happen: Callable[[int], None], capfd: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(one) for one in (*ENDING_SIGNALS, signal.SIGALRM)]
    with raised_by_signals(lambda number: SystemExit(128 + number)) as came, pytest.raises(SystemExit) as raised:
        last(happen, number)
    assert raised.value.code == 128 + number
    assert came == [number]
    assert capfd.readouterr().err == ""
    assert [signal.getsignal(one) for one in (*ENDING_SIGNALS, signal.SIGALRM)] == before


@pytest.mark.parametrize("happen", [in_deletion, in_a_weak_reference])
def test_ctrl_c_is_not_lost_either(happen: Callable[[int], None], capfd: pytest.CaptureFixture[str]) -> None:
    with raised_by_signals(SystemExit), pytest.raises(KeyboardInterrupt):
        last(happen, signal.SIGINT)
    assert capfd.readouterr().err == ""


def test_a_second_signal_does_not_disturb_the_end() -> None:
    cleaned = []

    def work(number: int) -> None:
        try:
            last(in_the_open, number)
        finally:
            in_the_open(signal.SIGHUP)
            time.sleep(0.05)
            cleaned.append("all")

    with raised_by_signals(SystemExit) as came, pytest.raises(SystemExit):
        work(signal.SIGTERM)
    assert cleaned == ["all"]
    assert came == [signal.SIGTERM, signal.SIGHUP]


def test_a_second_signal_that_comes_at_once_takes_nothing_from_the_first() -> None:
    def error(number: int) -> SystemExit:
        if number == signal.SIGTERM:
            in_the_open(signal.SIGHUP)
        return SystemExit(number)

    with raised_by_signals(error) as came, pytest.raises(SystemExit):
        last(in_the_open, signal.SIGTERM)
    assert came == [signal.SIGTERM, signal.SIGHUP]


def test_ctrl_c_is_listed_and_raises_every_time() -> None:
    with raised_by_signals(SystemExit) as came:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                in_the_open(signal.SIGINT)
    assert came == [signal.SIGINT] * 2
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_what_is_ignored_or_handled_already_stays_so() -> None:
    seen: list[int] = []
    before = [
        signal.signal(signal.SIGHUP, signal.SIG_IGN),
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number)),
    ]
    try:
        with raised_by_signals(SystemExit) as came:
            for number in (signal.SIGHUP, signal.SIGTERM):
                os.kill(os.getpid(), number)
        assert came == []
        assert seen == [signal.SIGTERM]
    finally:
        for number, handler in zip((signal.SIGHUP, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def test_other_errors_that_python_only_prints_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __del__(self) -> None:
            raise ValueError("a fault of somebody's")

    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(str(unraisable.exc_value)))
    with raised_by_signals(SystemExit):
        Failing()
    assert told == ["a fault of somebody's"]


def test_a_signal_waits_for_the_end_of_a_block() -> None:
    done = []

    def work() -> None:
        with undisturbed():
            in_the_open(signal.SIGINT)
            in_the_open(signal.SIGTERM)
            done.append("noted")
        done.append("too late")

    with raised_by_signals(SystemExit) as came, pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["noted"]
    assert came == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_signal_waits_from_the_moment_on_when_a_file_has_its_name(tmp_path: Path) -> None:
    done = []

    def work(early: bool) -> None:
        with undisturbed_once_named():
            if early:
                last(in_the_open, signal.SIGINT)
            write_text(tmp_path / "result", "whole")
            in_the_open(signal.SIGINT)
            done.append("told")
        done.append("too late")

    for early in (True, False):
        with pytest.raises(KeyboardInterrupt):
            work(early)
    assert done == ["told"]
    write_text(tmp_path / "other", "outside of any block")
    with pytest.raises(KeyboardInterrupt):
        last(in_the_open, signal.SIGINT)
