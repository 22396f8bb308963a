"""Images replaced in place: each original stays beside its result, and no moment of the work is without it."""

import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.core.files import as_cuello_error, replacing

ENDING = ".orig"
"""What is put behind an image's name for its original."""


def original_of(path: Path) -> Path:
    """Say where an image's original is kept.

    >>> original_of(Path("scans/a.png")).name
    'a.png.orig'
    """
    return path.with_name(path.name + ENDING)


def was_replaced(path: Path) -> bool:
    """Tell whether an image has an original beside it that is another: it is a result.

    Where both are the same, a call ended between keeping the original and replacing the image.
    """
    kept = original_of(path)
    return os.path.lexists(kept) and not (kept.is_file() and same_content(path, kept))


def same_content(path: Path, other: Path) -> bool:
    return path.samefile(other) or filecmp.cmp(path, other, shallow=False)


@contextmanager
def replaced(path: Path, keep: bool) -> Iterator[None]:
    """Let the block replace an image; its permissions stay, and, with ``keep``, its original is beside it before.

    An original that is there already is never replaced. Where the block fails, all is as it was.
    Raises CuelloError for a link, whose image has another name.
    """
    if path.is_symlink():
        raise CuelloError(f"{path} is a link to {path.resolve()}, and is not replaced; name that image itself.")
    before, made = path.stat(), keep and keep_original(path)
    try:
        yield
    except BaseException:
        after = path.stat()
        if made and (before.st_ino, before.st_mtime_ns, before.st_size) == (
            after.st_ino, after.st_mtime_ns, after.st_size,
        ):  # fmt: skip
            original_of(path).unlink(missing_ok=True)
        raise
    with suppress(OSError):
        path.chmod(before.st_mode & 0o7777)


def keep_original(path: Path) -> bool:
    """Give an image a second name beside it, or, where the file system knows no such, a copy.

    Returns whether it was made; CuelloError where something else has that name.
    """
    kept = original_of(path)
    if os.path.lexists(kept):
        if was_replaced(path):
            raise CuelloError(f"{kept} exists already: {path} was replaced before. Move it away first.")
        return False
    try:
        os.link(path, kept)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise as_cuello_error(error, kept) from error
        with replacing(kept) as temporary:
            shutil.copy2(path, temporary)
    return True
