"""Commands of `cuello`, as they are shown and as they are run: lists of words, never a shell."""

import asyncio
import json
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from cuello.core.errors import CuelloError
from cuello.core.files import as_cuello_error, make_folder, write_text
from cuello.core.owner import UNKNOWN, Owner, start_of

FOLDER = ".cuello-web"
"""Beside the runs: of each that was started from the page what was typed, which process it is, and what it said."""


@dataclass(frozen=True)
class CommandLine:
    """A command line, without `cuello` itself.

    >>> str(CommandLine(["apply", "denoise", "my scan.png", "clean.png"]))
    "cuello apply denoise 'my scan.png' clean.png"
    """

    words: Sequence[str]

    def __str__(self) -> str:
        return " ".join(self.quoted)

    @property
    def quoted(self) -> list[str]:
        """Its words as a shell reads them, `cuello` first."""
        return [shlex.quote(word) for word in ("cuello", *self.words)]

    @property
    def arguments(self) -> list[str]:
        """What is started: this Python, and nothing of the same name in the folder where it is."""
        return [sys.executable, "-P", "-m", "cuello", *self.words]


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code, standard output and standard error."""

    code: int
    out: str
    error: str

    @property
    def problem(self) -> str:
        """What went wrong, in the command's own words; "" where nothing did."""
        if self.code == 0 or (self.code == 1 and self.out.lstrip().startswith("{")):  # what failed is in the answer
            return ""
        said = [line for line in self.error.splitlines() if line.strip()]
        told = [line.removeprefix("cuello: ") for line in said if line.startswith("cuello: ")]
        return (told or said or [f"it ended with the exit code {self.code}"])[-1]


@dataclass(frozen=True)
class StartedRun:
    """A run that was started from the page: its command, its process, and since when."""

    words: Sequence[str]
    owner: Owner
    since: str


async def finished(command: CommandLine) -> Done:
    """Run a command and wait for it; it ends when the waiting is cancelled, as when the page is closed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command.arguments, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        out, error = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.terminate()
        raise
    return Done(process.returncode or 0, out.decode("utf-8", "replace"), error.decode("utf-8", "replace"))


def record_path(root: Path, name: str) -> Path:
    return root / FOLDER / f"{quote(name, safe='')}.json"


def log_path(root: Path, name: str) -> Path:
    return root / FOLDER / f"{quote(name, safe='')}.log"


def start(command: CommandLine, root: Path, name: str) -> Owner:
    """Start a training in a process of its own, which goes on whatever becomes of this one.

    name: of the run, below ``root``. What it says goes to a file, so that a later server finds it again. CuelloError
    where that cannot be written: nothing is started then.
    """
    make_folder(root / FOLDER)
    try:
        log = log_path(root, name).open("wb")
    except OSError as error:
        raise as_cuello_error(error, log_path(root, name)) from None
    with log:
        process = subprocess.Popen(
            command.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    RUNNING.append(process)
    owner = Owner(platform.node(), process.pid, start_of(process.pid) or UNKNOWN)
    record = StartedRun(list(command.words), owner, time.strftime("%Y-%m-%d %H:%M:%S"))
    write_text(record_path(root, name), json.dumps(asdict(record)))
    return owner


RUNNING: list[subprocess.Popen[bytes]] = []
"""Kept so that those that have ended can be asked for their exit code: else their numbers stay taken."""


def reap() -> None:
    """Forget processes of ours that have ended."""
    RUNNING[:] = [process for process in RUNNING if process.poll() is None]


def started(root: Path, name: str) -> StartedRun | None:
    """Return how a run was started from the page; None where it was not, or nobody knows any more."""
    try:
        found = json.loads(record_path(root, name).read_text("utf-8"))
        return StartedRun([str(word) for word in found["words"]], Owner(**found["owner"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def started_names(root: Path) -> list[str]:
    """Name every run that was started from the page."""
    return [unquote(path.stem) for path in sorted((root / FOLDER).glob("*.json"))]


def said(root: Path, name: str, most: int = 20_000) -> str:
    """Return the end of what a run that was started from the page has said."""
    try:
        with log_path(root, name).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - most))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def forget(root: Path, name: str) -> None:
    """Remove what is kept of a run's start; the run itself stays. CuelloError where that must not be."""
    for path in (record_path(root, name), log_path(root, name)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise as_cuello_error(error, path) from None


def plain_name(name: str) -> str:
    """Return a run's name as it can be typed; CuelloError for one that leads elsewhere.

    >>> plain_name(" first ")
    'first'
    """
    name = name.strip()
    if not name or name.startswith((".", "-", "~")) or any(sign in name for sign in '/\\\0\n\r:*?"<>|'):
        raise CuelloError(f"got {name!r} as the name of a run, needed letters, numbers, - or _, such as first.")
    return name
