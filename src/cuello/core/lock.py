"""Who is at work in a folder: one call at a time, and a second one is told who."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from cuello.core.errors import Fault
from cuello.core.files import as_cuello_error, check_here, make_folder
from cuello.core.owner import Owner, this_process

LOCK = ".cuello-lock"
"""The file in a folder that says who is at work there; removed in the end."""
WAIT, AGAIN = 2.0, 0.05
"""Seconds for which a second comer waits, and between two looks."""


@dataclass(frozen=True)
class AtWork:
    """Who is at work, on what, and since when, by the clock."""

    owner: Owner
    doing: str
    since: str


@contextmanager
def kept(folder: Path, doing: str, *, seconds: float = WAIT, remedy: str = "", closed: bool = False) -> Iterator[None]:
    """Keep a folder to this call for the time of the block; it is made where there is none.

    The lock of a process that has ended is taken over. doing: what is said to others. seconds: how long to wait for
    another. remedy: what else can be done then. closed: without an open file, for many folders at once: the lock is
    then told from a left-over one by its owner alone. Raises Fault, which names who is at work.
    """
    new = not folder.exists()
    path, end = make_folder(folder) / LOCK, time.monotonic() + seconds
    while (file := taken(path, doing)) is None:
        if time.monotonic() > end:
            raise Fault(sentence(folder, at_work(path), remedy))
        time.sleep(AGAIN)
    if closed:
        file.close()
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
            if new:
                folder.rmdir()  # where nothing came of it; one that is not empty stays
        file.close()


@contextmanager
def all_kept(folders: Sequence[Path], doing: str) -> Iterator[None]:
    """Keep many folders for the time of the block."""
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(kept(folder, doing, closed=True))
        yield


def wait_until_free(folder: Path, seconds: float = WAIT) -> None:
    """Wait until nobody is at work in a folder; Fault that names who still is after so many seconds.

    CuelloError where the folder is a URL.
    """
    check_here(folder)
    if (folder / LOCK).is_file():
        with kept(folder, "cuello", seconds=seconds):
            pass


def is_unused(folder: Path) -> bool:
    """Tell whether nothing is there, or a folder with nothing in it but its lock."""
    return not folder.exists() or (folder.is_dir() and all(found.name == LOCK for found in folder.iterdir()))


def taken(path: Path, doing: str) -> IO[str] | None:
    """Write down in a lock that this process is at work, and return it, open; None where another one is."""
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (whoever takes it closes it)
    except OSError as error:
        raise as_cuello_error(error, path) from error
    free = locked(file)
    other = at_work(path)
    if free is None and other is not None:  # no locks here: what is written must do
        free = other.owner.has_ended
    if free is False or not is_same(file, path) or (other and other.owner.is_here and not other.owner.has_ended):
        file.close()
        return None
    file.truncate(0)
    now = AtWork(this_process(), doing, time.strftime("%Y-%m-%d %H:%M:%S"))
    file.write(json.dumps(asdict(now)))
    file.flush()
    return file


def locked(file: IO[str]) -> bool | None:
    """Lock an open file and tell whether that went well; None where this system or disk has no locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def is_same(file: IO[str], path: Path) -> bool:
    """Tell whether an open file is still the one of that name, and not one that was removed before it was locked."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def at_work(path: Path) -> AtWork | None:
    """Return who a lock says is at work; None where it says nothing yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return AtWork(Owner(**found["owner"]), str(found["doing"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sentence(folder: Path, other: AtWork | None, remedy: str) -> str:
    """Say who is at work in a folder, and what to do."""
    if other is None:
        return f"another process is at work in {folder}. Wait for it, or stop it{remedy}."
    who = f"process {other.owner.pid} on {other.owner.host}, since {other.since}"
    gone = "" if other.owner.is_here else f" If it is not there any more, remove {folder / LOCK}."
    return f"{folder}: {other.doing} is at work there ({who}). Wait for it, or stop it{remedy}.{gone}"
