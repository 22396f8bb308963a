"""Tasks in processes of their own: results, errors, processes that are ended from outside, and a stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cuello.core.errors import CuelloError
from cuello.core.files import write_text
from cuello.core.pool import Pool, TaskDone, started

Work = Callable[[int], object]


@dataclass(frozen=True)
class Squares:
    """Squares numbers; one that is fatal ends the process: the first time (a file says so), or every time."""

    fatal: int | None = None
    seen: Path | None = None

    def __call__(self) -> Work:
        def square(number: int) -> int:
            if number == self.fatal and not (self.seen and self.seen.exists()):
                if self.seen:
                    self.seen.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return number**2

        return square


class Refusing:
    def __call__(self) -> Work:
        raise CuelloError("there is no network.")


class Failing:
    def __call__(self) -> Work:
        return lambda number: 1 // number


class Ending:
    def __call__(self) -> Work:
        os._exit(3)


class Telling:
    """Tells in which process it is, and how many tasks it did before."""

    def __call__(self) -> Work:
        before: list[int] = []

        def tell(number: int) -> tuple[int, int]:
            before.append(number)
            return os.getpid(), len(before)

        return tell


def results(begin: Callable[[], Work], tasks: list[int], workers: int = 2) -> list[TaskDone[object]]:
    pool = Pool(begin, tasks, workers)
    try:
        return list(pool.results())
    finally:
        pool.stop()
        assert not psutil.Process().children(recursive=True) or all(
            "resource_tracker" in " ".join(one.cmdline()) for one in psutil.Process().children(recursive=True)
        )


def test_every_task_is_done_once_whoever_is_first() -> None:
    assert sorted(results(Squares(), [3, 4, 5, 6, 7])) == [
        (0, 9, False),
        (1, 16, False),
        (2, 25, False),
        (3, 36, False),
        (4, 49, False),
    ]
    assert results(Squares(), []) == []


def test_processes_are_begun_once_and_no_more_than_asked_for_or_needed() -> None:
    told = [one.result for one in results(Telling(), list(range(8)))]
    assert len({pid for pid, _ in told if pid != os.getpid()}) <= 2  # type: ignore[misc]
    assert max(count for _, count in told) >= 4  # type: ignore[misc]
    assert len(results(Telling(), [0], workers=64)) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_task_whose_process_is_ended_is_tried_once_more(tmp_path: Path) -> None:
    found = results(Squares(fatal=4, seen=tmp_path / "seen"), [3, 4, 5, 6])
    assert sorted(found) == [(0, 9, False), (1, 16, False), (2, 25, False), (3, 36, False)]
    assert found[-1] == (1, 16, False)  # after the others, with nothing beside it


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_ends_its_process_twice_has_no_result_and_the_others_have(workers: int) -> None:
    found = results(Squares(fatal=4), [3, 4, 5, 6], workers)
    assert sorted(found, key=lambda one: one.place) == [(0, 9, False), (1, None, True), (2, 25, False), (3, 36, False)]


def test_what_cannot_begin_says_why() -> None:
    with pytest.raises(CuelloError, match=r"there is no network\."):
        results(Refusing(), [1, 2])
    with pytest.raises(CuelloError, match=r"ended from outside before it began .exit code 3.*workers=1"):
        results(Ending(), [1, 2])


class Lasting:
    """Says that it began, waits until it is told to go on, and returns more than a pipe holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Callable[[int], bytes]:
        def last(number: int) -> bytes:
            (self.folder / "begun").touch()
            while not (self.folder / "go-on").exists():
                time.sleep(0.01)
            return bytes(number)

        return last


@pytest.mark.parametrize("size", [1, 2**22])
def test_a_process_whose_caller_is_gone_ends_without_a_word(
    tmp_path: Path, size: int, wait_until: Callable[[Callable[[], object]], None], capfd: pytest.CaptureFixture[str]
) -> None:
    member = started(Lasting(tmp_path))
    assert member.connection.recv() == ("begun", None)
    member.connection.send(size)
    wait_until((tmp_path / "begun").exists)
    member.connection.close()
    (tmp_path / "go-on").touch()
    member.process.join(60)
    assert member.process.exitcode == 0
    assert capfd.readouterr().err == ""


class Deleting:
    """Is at work where no error can be raised, while Python deletes something, and then for ever."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Work:
        begun, ended = self.folder / "begun", self.folder / "ended"

        class Slow:
            def __del__(self) -> None:
                begun.touch()
                time.sleep(60)

        def work(number: int) -> None:
            slow = Slow()
            try:
                del slow
                time.sleep(60)
            finally:
                ended.touch()

        return work


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_stop_is_not_lost_in_a_deletion_and_lets_clean_up(
    tmp_path: Path, wait_until: Callable[[Callable[[], object]], None], capfd: pytest.CaptureFixture[str]
) -> None:
    member = started(Deleting(tmp_path))
    assert member.connection.recv() == ("begun", None)
    member.connection.send(1)
    wait_until((tmp_path / "begun").exists)
    member.process.terminate()
    member.process.join(30)
    assert member.process.exitcode == 128 + signal.SIGTERM
    assert (tmp_path / "ended").exists()
    assert capfd.readouterr().err == ""


class Writing:
    """Writes a file, and takes its time to say so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Work:
        def work(number: int) -> str:
            write_text(self.folder / "result", "whole")
            time.sleep(1)
            return "written"

        return work


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_stop_hears_of_every_file_that_has_its_name(
    tmp_path: Path, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    pool: Pool[int, object] = Pool(Writing(tmp_path), [1], 1)
    pool.members.append(started(Writing(tmp_path)))
    pool.hear(pool.members[0], [])
    pool.members[0].place = 0
    pool.members[0].connection.send(1)
    wait_until((tmp_path / "result").exists)
    assert pool.stop() == [(0, "written", False)]


def test_a_stop_returns_the_result_that_the_caller_was_at() -> None:
    pool = Pool(Squares(), [3, 4], 1)
    results = pool.results()
    assert next(results) == (0, 9, False)
    assert (0, 9, False) in pool.stop()


def test_an_error_of_a_task_is_raised() -> None:
    with pytest.raises(CuelloError, match="a process of its own failed: integer division"):
        results(Failing(), [0, 0])


SCRIPT = """
from cuello.core.pool import Pool
from tests_begin import Negative

print("once")
pool = Pool(Negative(), [1, 2], 2)
print([done.result for done in sorted(pool.results())])
pool.stop()
"""


def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "tests_begin.py").write_text(
        "from operator import neg\nclass Negative:\n    def __call__(self):\n        return neg\n", "utf-8"
    )
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "once\n[-1, -2]\n"
    assert done.stderr == ""
