"""Writing files so that a crash, a full disk or Ctrl-C never leaves half of one."""

import errno
import filecmp
import os
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from cuello.core.errors import CuelloError, Fault
from cuello.core.owner import Owner, this_process
from cuello.core.signals import named
from cuello.core.text import as_utf8, portable

TEMPORARY = re.compile(
    r"\..*\.(?P<pid>\d+)-(?P<start>\d+)-(?P<machine>[0-9a-f]{8})-[0-9a-f]{8}\.cuello-tmp.*", re.DOTALL
)
"""What everything temporary is called, and nothing else is: whose it is, and a draw."""
DAY = 86400
"""After so many seconds what another machine left half done is no longer being written."""
NEW: ContextVar[Path | None] = ContextVar("NEW", default=None)
"""A file that was not there when the work began, and replaces none that has come since."""
SWEPT: set[str] = set()
"""Folders in which this process has looked for what a killed one left."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well it is flushed to disk and renamed to ``path``.

    When the block fails the temporary file is removed and ``path`` is as it was. The temporary name keeps the
    suffix, because image writers choose their format by it. A full disk or a missing permission becomes a
    CuelloError that says so. Within ``only_new`` nothing is replaced that is not the same.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole or not at all", "utf-8")
    >>> target.read_text("utf-8")
    'whole or not at all'
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise CuelloError(f"{path} is a pipe or a device, which no file may replace. Choose another place.")
    sweep_once(path.parent)
    temporary = path.with_name(temporary_name(path.stem, path.suffix))
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        named()
        if NEW.get() == path:
            put_new(temporary, path)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise as_cuello_error(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def only_new(path: Path | None) -> Iterator[None]:
    """Let ``replacing`` put no file in the place of another, for the time of the block; path: whose, None for none."""
    before = NEW.set(path)
    try:
        yield
    finally:
        NEW.reset(before)


def put_new(temporary: Path, path: Path) -> None:
    """Give a finished file its name, unless another has it: the same is as good, and CuelloError for any other."""
    try:
        os.link(temporary, path)  # which replaces nothing, whenever another comes
        return
    except FileExistsError:
        there = True
    except OSError:  # the file system knows no second names
        there = os.path.lexists(path)
    if not there:
        os.replace(temporary, path)
    elif path.is_symlink() or not path.is_file() or not filecmp.cmp(temporary, path, shallow=False):
        raise CuelloError(
            f"{path} was written by somebody else meanwhile, and is left as it is. Move it, or add --overwrite=True."
        )


def temporary_name(stem: str, suffix: str = "") -> str:
    """Return a name for something temporary of this process."""
    return f".{stem[:40]}.{this_process().mark}-{uuid.uuid4().hex[:8]}.cuello-tmp{suffix}"


@contextmanager
def temporary_folder(parent: Path, stem: str) -> Iterator[Path]:
    """Give a folder for the time of the block; what a kill leaves of it goes with the next call that writes there."""
    sweep_once(parent)
    folder = parent / temporary_name(stem)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_once(folder: Path) -> None:
    """Remove what killed processes left in a folder, the first time that this process writes there."""
    place = os.path.abspath(folder)
    if place not in SWEPT:
        SWEPT.add(place)
        remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what `replacing` and `temporary_folder` made in a folder for processes that have ended since."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if is_left_over(entry)]
    except OSError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
            continue
        with suppress(OSError):
            os.unlink(entry.path)


def is_left_over(entry: "os.DirEntry[str]") -> bool:
    """Tell whether something is temporary and its owner has ended."""
    name = TEMPORARY.fullmatch(entry.name)
    if name is None:
        return False
    here = this_process().host
    owner = Owner(here, int(name["pid"]), int(name["start"]))
    if owner.mark.endswith(name["machine"]):
        return owner.has_ended
    try:
        return entry.stat(follow_symlinks=False).st_mtime < time.time() - DAY
    except OSError:
        return False


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` as UTF-8, whole or not at all."""
    write_bytes(path, as_utf8(content))


def printable(name: str) -> str:
    """Write a file's name so that all programs can show it: line ends and bytes that are no text become escapes.

    >>> printable("two\\nlines.png")
    'two\\\\nlines.png'
    """
    name = portable(name)
    if name.isprintable():
        return name
    return "".join(ascii(one)[1:-1] if unicodedata.category(one) in ("Cc", "Cs") else one for one in name)


def check_no_device(path: Path) -> None:
    """Raise CuelloError for a pipe or a device, of which reading may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise CuelloError(f"{path} is not a plain file (but a pipe or a device). Copy its contents into a file.")


def check_here(path: Path) -> None:
    """Raise CuelloError for a URL, where only a place on this machine will do; a path has lost one of its strokes."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", path.as_posix())
    if found is not None and not os.path.lexists(path.parts[0]):
        url = re.sub(":/+", "://", path.as_posix(), count=1)
        raise CuelloError(
            f"{url} is a URL, and needed is a place on this machine: runs, networks and reports are read and written "
            "here alone. Copy them with the tools of the store."
        )


def check_free(folder: Path, names: Iterable[str], overwrite: bool = False) -> None:
    """Raise CuelloError where files of these names would be replaced, or ``folder`` cannot be one: before the work.

    The folder is made where it does not exist yet.
    """
    check_here(folder)
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise CuelloError(
            f"{folder} holds {', '.join(there)} already: replace with --overwrite=True, or choose another place with "
            "--output."
        )
    make_folder(folder)


def check_new(file: Path | None, overwrite: bool = False) -> None:
    """Raise CuelloError where a file that was asked for exists and may not be replaced: before the work."""
    if file is not None:
        check_here(file)
    if file is not None and file.exists() and not overwrite:
        raise CuelloError(f"{file} exists already: replace it with --overwrite=True, or choose another name.")


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents where they do not exist yet; CuelloError where that is not possible."""
    check_here(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_cuello_error(error, path) from error
    return path


def as_cuello_error(error: OSError, path: Path) -> Fault:
    """Say in the user's terms what the operating system refused for ``path``, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(existing_parent(path)).free / 1e6
        return Fault(
            f"no space left for {path} ({free:.1f} MB free on that disk). Free some space, or choose another place; "
            "whatever was saved before is intact."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Fault(f"no permission to write {path}. Choose a place of your own, or change its permissions.")
    if error.errno == errno.ENOENT and not path.parent.exists():
        return Fault(
            f"{path} could not be written: {error.strerror}. There is no folder {path.parent}, or no longer, and it is "
            "not made again: bring it back, or choose another place."
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return Fault(f"{path} cannot be a folder: a file is in the way. Move that file, or choose another place.")
    return Fault(f"{path} could not be written: {error.strerror or error}.")


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above ``path`` that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def cache_folder() -> Path:
    """Return where things are kept that can be made again: CUELLO_CACHE, or ~/.cache/cuello."""
    return Path(os.environ.get("CUELLO_CACHE") or "~/.cache/cuello").expanduser()
