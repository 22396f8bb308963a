"""One image that comes by standard input, leaves by standard output, or both."""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cuello.core.errors import CuelloError
from cuello.core.files import temporary_folder
from cuello.inference.unnamed import ending_of

if TYPE_CHECKING:
    from cuello.inference.files import Applied

A = TypeVar("A", bound="Applied")
DASH = "-"


def check_streams(sources: Sequence[str], target: str | None, json: bool) -> None:
    """Raise CuelloError where - would be more than one image, be read from a terminal, or go to one, or among JSON."""
    if DASH not in (*sources, target):
        return
    if len(sources) > 1 or target is None:
        raise CuelloError("- stands for one image of standard input or output: name one IN and one OUT.")
    source = sources[0]
    if source == DASH and sys.stdin.isatty():
        raise CuelloError("- stands for standard input, which is a terminal here: add < IMAGE, or pipe one into it.")
    if target != DASH:
        return
    if json:
        raise CuelloError("the image and --json would both go to standard output: name a file for one of them.")
    if sys.stdout.isatty():
        raise CuelloError("an image cannot be written to a terminal: add > FILE, or | and a program that reads it.")
    if source != DASH and Path(source).expanduser().is_dir():
        raise a_folder(source)


def a_folder(source: str) -> CuelloError:
    return CuelloError(f"{source} is a folder, and standard output holds one image: name a folder for the results.")


def restored(
    sources: Sequence[str], target: str | None, *, in_place: bool, format: str | None, restore: Callable[..., A]
) -> A:
    """Restore files, or one image that comes from standard input, goes to standard output, or both.

    restore: takes what is read, where results go, ``in_place`` and ``format``. The places passed ``check_streams``.
    """
    if target is None or DASH not in (*sources, target):
        return restore(sources, target, in_place=in_place, format=format)
    return piped(sources[0], target, format=format, restore=lambda one, other, form: restore(one, other, format=form))


def piped(source: str, target: str, *, format: str | None, restore: Callable[[Path, "str | Path", str | None], A]) -> A:
    """Restore one image of which the source, the target or both are ``-``; it goes by files that last as long.

    restore: takes a file, its target and a format. What is said of the files in between is said of stdin and stdout.
    """
    from cuello.data.remote.address import is_url
    from cuello.data.remote.fetch import fetched
    from cuello.inference.targets import checked_ending

    with temporary_folder(Path(tempfile.gettempdir()), "cuello") as folder:
        path = fetched(source) if is_url(source) else Path(source).expanduser()
        if path.is_dir():  # at a URL
            raise a_folder(source)
        if source == DASH:
            content = sys.stdin.buffer.read()
            path = folder / f"stdin{ending_of(content)}"
            path.write_bytes(content)
        if target != DASH:
            return told_of(restore(path, target, format), folder)
        ending = (checked_ending(format) if path.suffix.lower() != ".npy" else None) or path.suffix.lower()
        applied = restore(path, folder / f"stdout{ending}", None)
        for file in applied.written:
            sys.stdout.buffer.write(Path(file).read_bytes())
        sys.stdout.buffer.flush()
        return told_of(applied, folder)


def told_of(applied: A, folder: Path) -> A:
    """Leave the temporary folder out of all that is said."""
    from cuello.inference.files import retold

    front = f"{folder}{os.sep}"
    return retold(applied, lambda text: text.replace(front, ""))
