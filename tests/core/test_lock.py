"""One call at a time in a folder: a second one is told who, and what a dead one left is taken over."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cuello.core.errors import Fault
from cuello.core.lock import LOCK, AtWork, all_kept, at_work, is_unused, kept, wait_until_free
from cuello.core.owner import Owner, this_process

WORK = """
import sys
from pathlib import Path
from cuello.core.lock import all_kept, kept
folder = Path(sys.argv[1])
with kept(folder, "cuello train") if sys.argv[2] == "one" else all_kept([folder, folder / "b"], "cuello train"):
    print("at work", flush=True)
    input()
"""


@contextmanager
def working(folder: Path, how: str = "one") -> Iterator["subprocess.Popen[bytes]"]:
    """Let another process keep a folder; killed in the end, if it has not ended."""
    with subprocess.Popen([sys.executable, "-c", WORK, str(folder), how], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def left(path: Path, owner: Owner) -> Path:
    """Write a lock that another one left."""
    path.mkdir(exist_ok=True)
    (path / LOCK).write_text(json.dumps(asdict(AtWork(owner, "cuello search", "2026-01-02 03:04:05"))))
    return path


@pytest.mark.parametrize("how", ["one", "many"])
def test_a_second_comer_is_told_who_is_at_work(tmp_path: Path, how: str) -> None:
    with working(tmp_path, how) as process:
        told = rf"cuello train is at work there \(process {process.pid} on .*, since 20.*Wait for it, or stop it, or so"
        with pytest.raises(Fault, match=told), kept(tmp_path, "cuello train", seconds=0, remedy=", or so"):
            pass
        with pytest.raises(Fault, match="is at work there"):
            wait_until_free(tmp_path, seconds=0)
        process.communicate(b"\n")
        assert process.returncode == 0
    assert is_unused(tmp_path)
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize("how", ["one", "many"])
def test_a_killed_owners_lock_is_taken_over(tmp_path: Path, how: str) -> None:
    with working(tmp_path, how):
        pass
    assert (tmp_path / LOCK).is_file()
    with kept(tmp_path, "cuello resume", seconds=0):
        other = at_work(tmp_path / LOCK)
        assert other is not None
        assert (other.owner, other.doing) == (this_process(), "cuello resume")
    assert not (tmp_path / LOCK).exists()


def test_who_waits_gets_it(tmp_path: Path) -> None:
    with working(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        with kept(tmp_path, "cuello train", seconds=60):
            pass


def test_threads_of_one_process_are_told_apart(tmp_path: Path) -> None:
    with kept(tmp_path, "cuello train"), pytest.raises(Fault, match="is at work"), kept(tmp_path, "x", seconds=0):
        pass


@pytest.fixture
def lockless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without locks."""
    monkeypatch.setattr("cuello.core.lock.locked", lambda file: None)


@pytest.mark.usefixtures("lockless")
def test_without_locks_of_the_system_what_is_written_does(tmp_path: Path) -> None:
    with kept(left(tmp_path, replace(this_process(), pid=2**22 + 1)), "cuello train", seconds=0):
        pass
    with (
        pytest.raises(Fault, match=r"on elsewhere, since 2026-01-02 .* If it is not there any more, remove .*lock"),
        kept(left(tmp_path, Owner("elsewhere", 1, 2)), "cuello train", seconds=0),
    ):
        pass
    assert (tmp_path / LOCK).exists()


@pytest.mark.parametrize("content", ["", "half {", "[]", '{"owner": 3}'])
def test_half_a_lock_is_nobodys(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with kept(tmp_path, "cuello train", seconds=0):
        pass


def test_a_folder_that_nothing_came_of_goes_and_another_stays(tmp_path: Path) -> None:
    with kept(tmp_path / "new", "cuello train"):
        pass
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    with all_kept([tmp_path / "mine", tmp_path / "full"], "cuello train"):
        (tmp_path / "full" / "a").touch()
    assert sorted(os.listdir(tmp_path)) == ["full", "mine"]
