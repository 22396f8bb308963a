"""Writing files so that a crash, a full disk or Ctrl-C never leaves half of one."""

import errno
import glob
import os
import shutil
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cuello.core.errors import CuelloError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well it is flushed to disk and renamed to ``path``.

    When the block fails the temporary file is removed and ``path`` is as it was. The temporary name keeps the
    suffix, because image writers choose their format by it. A full disk or a missing permission becomes a
    CuelloError that says so.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'
    """
    temporary = path.with_name(f".{path.stem[:40]}.{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise as_cuello_error(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def temporaries(path: Path) -> Iterator[Path]:
    """Find what kills of `replacing` left beside ``path``."""
    return path.parent.glob(f".{glob.escape(path.stem[:40])}.{'[0-9a-f]' * 8}.tmp{path.suffix}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode(errors="backslashreplace"))


def printable(name: str) -> str:
    """Write a file's name so that all programs can show it: line ends and bytes that are no text become escapes.

    >>> printable("two\\nlines.png")
    'two\\\\nlines.png'
    """
    if name.isprintable():
        return name
    return "".join(ascii(one)[1:-1] if unicodedata.category(one) in ("Cc", "Cs") else one for one in name)


def check_free(folder: Path, names: Iterable[str], overwrite: bool = False) -> None:
    """Raise CuelloError where files of these names would be replaced, or ``folder`` cannot be one: before the work.

    The folder is made where it does not exist yet.
    """
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise CuelloError(
            f"{folder} holds {', '.join(there)} already: replace with --overwrite=True, or choose another place with "
            "--output."
        )
    make_folder(folder)


def check_new(file: Path | None, overwrite: bool = False) -> None:
    """Raise CuelloError where a file that was asked for exists and may not be replaced: before the work."""
    if file is not None and file.exists() and not overwrite:
        raise CuelloError(f"{file} exists already: replace it with --overwrite=True, or choose another name.")


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents where they do not exist yet; CuelloError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_cuello_error(error, path) from error
    return path


def as_cuello_error(error: OSError, path: Path) -> CuelloError:
    """Say in the user's terms what the operating system refused for ``path``, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(existing_parent(path)).free / 1e6
        return CuelloError(
            f"no space left for {path} ({free:.1f} MB free on that disk). Free some space, or choose another place "
            "with --output; whatever was saved before is intact."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CuelloError(
            f"no permission to write {path}. Choose a place of your own with --output, or change its permissions."
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return CuelloError(f"{path} cannot be a folder: a file is in the way. Move that file, or choose another place.")
    return CuelloError(f"{path} could not be written: {error.strerror or error}.")


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above ``path`` that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def cache_folder() -> Path:
    """Return where things are kept that can be made again: CUELLO_CACHE, or ~/.cache/cuello."""
    return Path(os.environ.get("CUELLO_CACHE") or "~/.cache/cuello").expanduser()
