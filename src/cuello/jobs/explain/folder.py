"""The folder that explain writes to: what is in it, who is writing, and what a killed call left there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, final

from cuello.core.files import check_free, remove_leftovers
from cuello.core.lock import kept
from cuello.core.schema import read_json

MAPS_FILE = "maps.npz"
FILES = (MAPS_FILE, "explain.json", "explain.png", "explain.html", "overlays")
"""What is written."""

UNFINISHED = ".unfinished"
"""The names of files that a call has begun and no explain.json tells of yet, a line each."""


@final
class BegunFiles:
    """The files that a running call has begun."""

    def __init__(self, folder: Path, file: IO[str]):
        self.folder, self.file = folder, file

    def begin(self, path: Path) -> None:
        """Note a file before it is written, so that a kill leaves none unnamed; one that is there stays the user's."""
        if not path.exists():
            self.file.write(f"{path.relative_to(self.folder).as_posix()}\n")
            self.file.flush()

    def keep(self) -> None:
        """Forget the files: they are finished."""
        self.file.truncate(0)

    def remove(self) -> None:
        """Remove the files, also half of one."""
        self.file.seek(0)
        for name in self.file.read().splitlines():
            if name in FILES[:-1] or (name.startswith("overlays/") and is_overlay(name.removeprefix("overlays/"))):
                (self.folder / name).unlink(missing_ok=True)
        self.keep()
        overlays = self.folder / "overlays"
        for folder in (self.folder, overlays):
            remove_leftovers(folder)
        if overlays.is_dir() and not any(overlays.iterdir()):
            overlays.rmdir()


@contextmanager
def claimed(folder: Path, overwrite: bool, skip_existing: bool = False) -> Iterator[BegunFiles]:
    """Write to a folder alone: what a killed call left is removed before, and what this one leaves half done after.

    skip_existing: what an earlier call has finished there is no hindrance, if its maps are there.
    Raises CuelloError where another call is writing there, or files would be replaced without ``overwrite``.
    """
    remedy = ", or choose another place with --output"
    with kept(folder, "cuello explain", remedy=remedy), open(folder / UNFINISHED, "a+", encoding="utf-8") as file:
        begun = BegunFiles(folder, file)
        try:
            begun.remove()
            check_free(folder, FILES, overwrite or (skip_existing and (folder / MAPS_FILE).exists()))
            yield begun
        except BaseException:
            begun.remove()
            raise
        finally:
            with suppress(OSError):  # some systems remove no open file: it stays, and says nothing
                (folder / UNFINISHED).unlink()


def remove_overlays(folder: Path) -> None:
    """Remove the overlays that explain.json names, which may be of other images, and no other file."""
    try:
        names: Any = read_json((folder / "explain.json").read_text(encoding="utf-8"))["overlays"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and is_overlay(name):
            (folder / "overlays" / name).unlink(missing_ok=True)


def is_overlay(name: str) -> bool:
    """Tell whether a text is the plain name of a picture."""
    return Path(name).name == name and name.endswith(".png")
