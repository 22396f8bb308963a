"""Folders carried between machines that share none, as the bytes of their files."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from cuello.core.errors import CuelloError
from cuello.core.files import as_cuello_error, make_folder, write_bytes

Stamps = dict[str, tuple[int, int]]
"""Size and time of change of files, by name."""


def stamps_of(folder: Path) -> Stamps:
    """Return the files of a folder, hidden ones aside, the one that was written last in the end."""
    found: list[tuple[int, str, int]] = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            about = path.stat()
            found.append((about.st_mtime_ns, name.as_posix(), about.st_size))
    return {name: (size, changed) for changed, name, size in sorted(found)}


def content_of(folder: Path, before: Mapping[str, tuple[int, int]] = {}) -> dict[str, bytes]:
    """Return the files of a folder that are not as they were, in the order in which they were written.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> _ = (place / "a.txt").write_text("one")
    >>> content_of(place), content_of(place, stamps_of(place))
    ({'a.txt': b'one'}, {})
    """
    try:
        changed = [name for name, stamp in stamps_of(folder).items() if before.get(name) != stamp]
        return {name: (folder / name).read_bytes() for name in changed}
    except OSError as error:
        raise as_cuello_error(error, folder) from error


def put_down(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write files to a folder, each whole or not at all, in their order; CuelloError for one that leads out."""
    for name in content:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise CuelloError(f"{name!r} is no file's name within {folder}: nothing was written.")
    for name, written in content.items():
        path = folder / name
        make_folder(path.parent)
        write_bytes(path, written)
