"""Where the results of files go: seen before any work, and refused where one would be lost or mistaken for an image."""

import glob
import os
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cuello.core.errors import CuelloError
from cuello.core.files import existing_parent
from cuello.core.spoken import spoken
from cuello.data.folders import Listing, identity, list_images, no_image, said_aside
from cuello.data.picture import NAMED, SUFFIXES, WRITTEN, written_path
from cuello.data.remote.address import is_url
from cuello.data.remote.fetch import fetched

Place = str | Path
ARRAY = ".npy"
IN_PLACE = ", or, to replace the images themselves, --in-place=True, which keeps each original as NAME.orig"


class FileJob(NamedTuple):
    """A file, and where its result goes."""

    path: Path
    target: Path


@dataclass(frozen=True)
class FoundFiles:
    """What is to be restored.

    files: each with its name below the folder of results. listings: of the folders among what was named. single: one
    file was named, whose result may be given a name. notes: what was left aside.
    """

    files: dict[Path, Path] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    single: bool = False
    notes: list[str] = field(default_factory=list)


def find(sources: Sequence[Place]) -> FoundFiles:
    """Find the files that are named: by themselves, by their folder, or by a pattern such as ``scans/*.png``.

    Of several names, a folder's keeps its own in front of what lies in it, and files of other endings are left aside.
    Raises CuelloError where there is nothing of a name, or no image.
    """
    named = {os.path.abspath(path): (path, name) for source in sources for path, name in expanded(source)}
    several = len(named) > 1
    found = FoundFiles(single=not several and not any(path.is_dir() for path, _ in named.values()))
    aside: list[Path] = []
    for path, name in named.values():
        if path.is_dir():
            listing = list_images(path)
            if not listing.images and not several:
                raise CuelloError(no_image(listing))
            found.listings.append(listing)
            found.notes.extend(listing.notes())
            front = Path(path.resolve().name) if several else Path()
            found.files.update({image: front / image.relative_to(path) for image in listing.images})
        elif several and path.suffix.lower() not in (*SUFFIXES, ARRAY):
            aside.append(path)
        else:
            found.files.setdefault(path, name)
    if aside:
        found.notes.append(said_aside(aside, "what was named"))
    if not found.files:
        raise CuelloError(f"there is no image among {', '.join(map(str, sources))}; {'; '.join(found.notes)}.")
    return found


def expanded(source: Place) -> list[tuple[Path, Path]]:
    """Return what a name, a URL or a pattern stands for, each with its name below the pattern's folder."""
    path = fetched(source) if is_url(source) else Path(source).expanduser()
    if os.path.lexists(path):
        return [(path, Path(path.name))]
    if not glob.has_magic(str(path)):
        raise CuelloError(f"there is no file or folder {path}.")
    folder = path.parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    if not matches:
        raise CuelloError(f"there is no file or folder {path}, and none that this pattern stands for.")
    return [(match, match.relative_to(folder)) for match in matches if match != folder]


def plan(found: FoundFiles, destination: Place, format: str | None = None) -> list[FileJob]:
    """Say where the result of every file goes.

    format: an ending for all results, but of arrays; by default each keeps its own. Raises CuelloError where a result
    cannot be there, or an image would be replaced.
    """
    ending, folder = checked_ending(format), Path(destination).expanduser()
    if found.single:
        ((path, _),) = found.files.items()
        target = target_of_file(path, destination, endings={ARRAY} if path.suffix.lower() == ARRAY else NAMED)
        named = target.name != path.name
        if ending and named and target.suffix.lower() != ending:
            raise CuelloError(f"{target}: got another ending than --format={ending[1:]}. Leave --format out.")
        jobs = (
            [FileJob(path, written_path(target))] if named else placed({path: Path(path.name)}, target.parent, ending)
        )
        if named and jobs[0].target != target:
            found.notes.append(
                f"a GIF holds 256 colours, too few for a result: {target} was written as {jobs[0].target.name}"
            )
    else:
        check_folder(destination)
        check_outside(found, folder)
        jobs = placed(found.files, folder, ending)
    check_distinct(jobs, folder)
    check_originals(jobs, found, folder)
    check_apart(jobs, found)
    return jobs


def placed(files: dict[Path, Path], folder: Path, ending: str | None) -> list[FileJob]:
    """Put results into a folder, under the names of their files."""
    arrays = [path for path in files if path.suffix.lower() == ARRAY]
    return [
        FileJob(path, written_path(folder / (name if ending is None or path in arrays else name.with_suffix(ending))))
        for path, name in files.items()
    ]


def checked_ending(format: str | None) -> str | None:
    """Turn a format's name into an ending; CuelloError for one that is not known.

    >>> checked_ending("PNG"), checked_ending(".tif")
    ('.png', '.tif')
    """
    if format is None:
        return None
    ending = f".{format.lower().removeprefix('.')}"
    if ending not in WRITTEN:
        known = ", ".join(sorted(one[1:] for one in WRITTEN))
        raise CuelloError(f"--format: got {format!r}, needed one of {known}.")
    return ending


def means_folder(destination: Place) -> bool:
    """Tell whether a place is a folder: one that exists, or whose name ends with a slash or has no ending.

    What begins with a digit is no ending: sigma0.5.
    """
    separators = tuple(filter(None, (os.sep, os.altsep)))
    path = Path(destination).expanduser()
    return path.is_dir() or str(destination).endswith(separators) or not path.suffix or path.suffix[1:2].isdigit()


def check_folder(destination: Place) -> None:
    """Raise CuelloError where the results of several files cannot go into a folder of that name."""
    path = Path(destination).expanduser()
    if path.is_file() or (not means_folder(destination) and path.suffix.lower() in SUFFIXES):
        raise CuelloError(f"{path} is a file; a folder of images needs a folder for its results.")
    if not means_folder(destination):
        raise CuelloError(
            f"{path}: got the ending {path.suffix}, needed a folder for the results of several files. If it is to be "
            f"one, write {path}{os.sep}, or make it first."
        )


def target_of_file(source: Path, destination: Place, endings: Collection[str]) -> Path:
    """Say where the result of one file goes: into a folder that exists or has no ending, or to a file of that name.

    Raises CuelloError for an ending that is not among ``endings``.
    """
    path = Path(destination).expanduser()
    ending = path.suffix.lower()
    if path.is_dir() or not ending or (means_folder(destination) and not ending[1].isdigit()):
        return path / source.name
    if ending not in endings:
        raise CuelloError(
            f"{path}: got the ending {ending}, needed one of {', '.join(sorted(endings))} for a file. If "
            "it is to be a folder, make it first."
        )
    return path


def check_outside(found: FoundFiles, destination: Path) -> None:
    """Raise CuelloError where results would lie among the images that are read, or around their folder."""
    for listing in found.listings:
        whole = listing.folder.resolve()
        outside = f"Choose a place outside, e.g. {whole.with_name(f'{whole.name}-results')}{IN_PLACE}."
        if listing.holds(destination):
            raise CuelloError(
                f"{destination} lies in {listing.folder}, so that the results would be images of the next call. "
                f"{outside}"
            )
        if destination.is_dir() and any(parent.samefile(destination) for parent in whole.parents):
            raise CuelloError(
                f"{listing.folder} lies in {destination}, so that results and images would lie in one folder. {outside}"
            )


def check_originals(jobs: Sequence[FileJob], found: FoundFiles, destination: Path) -> None:
    """Raise CuelloError where a result would replace an image that is read, by whatever name, or lie beside it."""
    read = {identity(path): path for path in found.files if path.exists()}
    root = destination.resolve()
    for parent in dict.fromkeys(target.parent for _, target in jobs):
        real = existing_parent(parent).resolve()  # elsewhere where there is a link on the way
        apart = not real.is_relative_to(root) and not root.is_relative_to(real)
        if apart and any(listing.holds(real) for listing in found.listings):
            raise CuelloError(
                f"{parent} is another name of {real}, which lies among the images, so that the results would be images "
                f"of the next call. Choose a place outside{IN_PLACE}."
            )
    for _, target in jobs:
        if target.exists() and (path := read.get(identity(target))) is not None:
            same = "is the image itself" if target == path else f"is {path} by another name"
            raise CuelloError(f"{target} {same}, which is not replaced. Choose another place{IN_PLACE}.")


def check_apart(jobs: Sequence[FileJob], found: FoundFiles) -> None:
    """Raise CuelloError where a result at a URL would replace an image that is read, or lie among them."""
    read = {spoken(str(path)) for path in found.files}
    for _, target in jobs:
        place = spoken(str(target))
        if not is_url(place):
            return
        if place in read:
            raise CuelloError(f"{place} is the image itself, which is not replaced. Choose another place.")
        for listing in found.listings:
            folder = spoken(str(listing.folder))
            if place.startswith(f"{folder}/"):
                raise CuelloError(
                    f"{place} lies in {folder}, so that the results would be images of the next call. Choose a place "
                    f"outside, e.g. {folder}-results."
                )


def check_distinct(jobs: Sequence[FileJob], destination: Path) -> None:
    """Raise CuelloError that names two files whose results would be one file."""
    seen: dict[str, FileJob] = {}
    for path, target in jobs:
        key = unicodedata.normalize("NFC", str(target)).casefold()
        other, same = seen.setdefault(key, FileJob(path, target))
        if other != path and (same == target or not tells_case(destination)):
            raise CuelloError(f"{other} and {path} would both become {target}; rename one of them.")


def tells_case(folder: Path) -> bool:
    """Tell whether names in a folder, which need not exist yet, may differ by capital and small letters alone."""
    real = existing_parent(folder)
    other = Path(str(real).swapcase())
    return not (other != real and other.exists() and other.samefile(real))
