"""Where the results of files go: seen before any work, and refused where one would be lost or mistaken for an image."""

import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.core.files import existing_parent
from cuello.data.folders import inside, list_images, no_image
from cuello.data.picture import SUFFIXES, written_path

Jobs = list[tuple[Path, Path]]


def plan(source: Path, destination: Path) -> tuple[Jobs, list[str]]:
    """Return (file, where its result goes) for every image, and notes on what is left aside.

    Raises CuelloError where that cannot be.
    """
    if not source.is_dir():
        if not source.exists():
            raise CuelloError(f"there is no file or folder {source}.")
        return [(source, written_path(target_of_file(source, destination, SUFFIXES)))], []
    listing = list_images(source)
    if not listing.images:
        raise CuelloError(no_image(listing))
    if destination.is_file() or (not destination.exists() and destination.suffix.lower() in SUFFIXES):
        raise CuelloError(f"{destination} is a file; a folder of images needs a folder for its results.")
    if listing.holds(destination):
        raise inside(source, destination)
    jobs = [(path, written_path(destination / path.relative_to(source))) for path in listing.images]
    check_distinct(jobs, destination)
    return jobs, listing.notes()


def target_of_file(source: Path, destination: Path, endings: Collection[str]) -> Path:
    """Say where the result of one file goes: into a folder that exists or has no ending, or to a file of that name.

    Raises CuelloError for an ending that is not among ``endings``.
    """
    ending = destination.suffix.lower()
    if destination.is_dir() or not ending:
        return destination / source.name
    if ending not in endings:
        raise CuelloError(
            f"{destination}: got the ending {ending}, needed one of {', '.join(sorted(endings))} for a file. If "
            "it is to be a folder, make it first."
        )
    return destination


def check_distinct(jobs: Sequence[tuple[Path, Path]], destination: Path) -> None:
    """Raise CuelloError that names two files whose results would be one file."""
    seen: dict[str, tuple[Path, Path]] = {}
    for path, target in jobs:
        key = unicodedata.normalize("NFC", str(target)).casefold()
        other, same = seen.setdefault(key, (path, target))
        if other != path and (same == target or not tells_case(destination)):
            raise CuelloError(f"{other} and {path} would both become {target}; rename one of them.")


def tells_case(folder: Path) -> bool:
    """Tell whether names in a folder, which need not exist yet, may differ by capital and small letters alone."""
    real = existing_parent(folder)
    other = Path(str(real).swapcase())
    return not (other != real and other.exists() and other.samefile(real))
