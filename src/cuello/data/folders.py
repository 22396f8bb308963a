"""What lies in a folder: images, what is no image by its ending, and the parts and classes that folders stand for."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cuello.core.errors import CuelloError, Fault, first_few, worded
from cuello.core.files import printable
from cuello.data.picture import FORMATS, SUFFIXES
from cuello.data.read_only import HEIC_SUFFIXES

SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "system volume information"}
"""Files and folders that operating systems leave everywhere; like hidden ones, they are not counted."""

PARTS = {
    "train": "training", "training": "training", "val": "validation", "valid": "validation",
    "validation": "validation", "dev": "validation", "eval": "validation", "test": "testing", "testing": "testing",
}  # fmt: skip
"""Folders that say what images are for, by their names in small letters."""
BESIDE_PARTS = {"set", "data", "dataset", "images", "image", "img", "imgs", "split", "seg", "x"}
"""Words that may stand beside these in a folder's name, as numbers may: train_set, train2017, 01-train, seg_train."""


def part_of(name: str) -> str | None:
    """Say what images are for by the name of a folder around them.

    >>> part_of("Train"), part_of("val2017"), part_of("training_set"), part_of("01_testset"), part_of("trainer")
    ('training', 'validation', 'training', 'testing', None)
    """
    words = [word for word in re.findall("[^\\W\\d_]+", name.lower()) if word not in BESIDE_PARTS]
    word = words[0] if len(words) == 1 else ""
    return PARTS.get(word, PARTS.get(word.removesuffix("set")))


@dataclass(frozen=True)
class Listing:
    """What lies below a folder, hidden and system files aside.

    images: sorted by path; what cannot be looked into is among them, so that reading it says why. aside: files of other
    endings. folders: all that were looked into, each once, also those that links lead to. again: links that lead to one
    of these, or above.
    """

    folder: Path
    images: list[Path]
    aside: list[Path]
    folders: list[Path]
    again: list[Path]

    def holds(self, path: Path) -> bool:
        """Tell whether what is written at ``path`` would be found by looking again."""
        seen, real = {identity(folder) for folder in self.folders}, path.resolve()
        for place in (real, *real.parents):
            if place.is_dir() and identity(place) in seen:
                below = real.relative_to(place).parts
                return not below or not is_left_out(below[0])
        return False

    def notes(self) -> list[str]:
        """Say what is not among the images, and why."""
        notes = [said_aside(self.aside, str(self.folder))] if self.aside else []
        if self.again:
            links = first_few(printable(str(path.relative_to(self.folder))) for path in self.again)
            what = "links to folders that are read already, or lie above, are not followed"
            notes.append(f"{self.folder}: {what}: {links}")
        return notes


def said_aside(files: Sequence[Path], where: str) -> str:
    """Say which files are no images by their ending."""
    kinds = Counter(printable(path.suffix.lower()) or "without ending" for path in files)
    counts = first_few((f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda one: -one[1])), 8)
    some = f"{len(files)} files in {where} are not images by their ending and were ignored"
    one = f"1 file in {where} is not an image by its ending and was ignored"
    heic = any(path.suffix.lower() in HEIC_SUFFIXES for path in files)
    remedy = "; HEIC is not read: convert such files to PNG" if heic else ""
    return f"{one if len(files) == 1 else some} ({counts}): {first_few(printable(path.name) for path in files)}{remedy}"


def check_outside(images: str | Path, output: Path) -> None:
    """Raise CuelloError where results in ``output`` would be images of the next call, if ``images`` are a folder's."""
    folder = Path(images).expanduser()
    if folder.is_dir() and list_images(folder).holds(output):
        raise inside(folder, output)


def inside(folder: Path, output: Path) -> CuelloError:
    """Say that results would lie among the images, and where else they can go."""
    whole = folder.resolve()
    return CuelloError(
        f"{output} lies in {folder}, so that the results would be images of the next call. Choose a place outside, "
        f"e.g. {whole.with_name(f'{whole.name}-results')}."
    )


def is_left_out(name: str) -> bool:
    """Know hidden files and folders, and those of operating systems, by their names."""
    return name.startswith(".") or name.lower() in SYSTEM


def identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino


def list_images(folder: Path) -> Listing:
    """List what lies below ``folder``; links to folders are followed, so that every folder is looked into once.

    A folder whose name ends like an image's and that is empty is listed as an image, so that reading it reports the
    mistake. Raises CuelloError where ``folder`` itself cannot be read.
    """
    found = Listing(folder, images=[], aside=[], folders=[], again=[])
    seen = {identity(parent) for parent in folder.resolve().parents}  # a link to one of these would bring all of it
    waiting, links = [folder], []
    while waiting or links:
        here = waiting.pop() if waiting else links.pop(0)  # real folders first: what they hold goes by its own name
        try:
            known = identity(here)
            entries = [] if known in seen else list(os.scandir(here))
        except OSError as error:
            if here == folder:
                raise Fault(f"{folder} could not be read: {error.strerror}.") from None
            found.images.append(here)
            continue
        if known in seen:
            found.again.append(here)
            continue
        seen.add(known)
        found.folders.append(here)
        for entry in entries:
            path = here / entry.name
            if is_left_out(entry.name):
                continue
            if os.path.isdir(path):
                (links if entry.is_symlink() else waiting).append(path)
            else:
                (found.images if path.suffix.lower() in SUFFIXES else found.aside).append(path)
        links.sort()
        if not entries and here != folder and here.suffix.lower() in SUFFIXES:
            found.images.append(here)
    for paths in (found.images, found.aside, found.again):
        paths.sort()
    return found


def no_image(listing: Listing) -> str:
    """Say that a folder holds no image, and what it holds instead."""
    others = listing.notes()
    what = f"; {'; '.join(others)}" if others else ""
    return f"{listing.folder} holds no image ({FORMATS}){what}."


@dataclass(frozen=True)
class Meaning:
    """What the folders around images stand for.

    parts: what each image is for ("training", "validation", "testing"), or None where no folders say it. classes: the
    class of each, or None where they are not all in class folders, of which there are two or more. notes: what a user
    should know of both.
    """

    parts: list[str] | None
    classes: list[str] | None
    notes: list[str]


def meaning_of(listing: Listing, paths: Sequence[Path]) -> Meaning:
    """Read folders such as ``train/cat``, ``cat`` or ``cat/train`` around the images at ``paths``.

    Raises CuelloError where folders of parts lie beside others, so that it is not clear what those are for.
    """
    inside = [path.relative_to(listing.folder).parts for path in paths]
    level = level_of_parts(listing.folder, inside)
    parts = None if level is None else [str(part_of(names[level])) for names in inside]
    without = inside if level is None or parts is None else without_parts(inside, level, parts)
    classes = [names[0] for names in without] if all(len(names) > 1 for names in without) else None
    if classes is None or len(set(classes)) < 2:
        classes = None
    notes = [] if parts is None or level is None else about_parts(listing, [names[level] for names in inside], classes)
    if classes is not None and level is None:
        notes += about_inner(listing.folder, inside)
    if classes is not None and level is None:
        notes += about_names(set(classes))
    if classes is not None:
        notes += about_empty(listing, set(classes), level)
    return Meaning(parts, classes, notes)


def level_of_parts(folder: Path, inside: Sequence[tuple[str, ...]]) -> int | None:
    """Find at which depth folders say what images are for, 0 just below ``folder``; None where none does."""
    named = {names[0] for names in inside if len(names) > 1 and names[0].lower() in PARTS}
    others = {names[0] for names in inside} - named
    if others and len({PARTS[name.lower()] for name in named}) > 1:
        raise CuelloError(
            f"{folder} holds {', '.join(sorted(named))}, which divide images for training and testing, and beside them "
            f"{first_few(sorted(others))}, whose purpose is unclear. Move that elsewhere, or name one folder, "
            f"e.g. {folder / min(named)}."
        )
    for level in range(min(map(len, inside)) - 1):
        here = {names[level].lower() for names in inside}
        if here <= PARTS.keys() and len(here) > 1:
            return level
    for level in range(min(map(len, inside)) - 2):  # other names count where the same class folders lie within
        within: dict[str, set[str]] = {}
        for names in inside:
            within.setdefault(names[level], set()).add(names[level + 1])
        purposes = {part_of(name) for name in within}
        if None not in purposes and len(purposes) > 1 and set.intersection(*within.values()):
            return level
    return None


def without_parts(inside: Sequence[tuple[str, ...]], level: int, parts: Sequence[str]) -> list[tuple[str, ...]]:
    """Leave out the folders of parts, and what lies around them and says the same of all, or only what they say."""
    kept = [names[:level] + names[level + 1 :] for names in inside]
    for _ in range(level):
        again = all(part_of(names[0]) == part for names, part in zip(kept, parts, strict=True))
        if min(map(len, kept)) > 2 and (again or len({names[0] for names in kept}) == 1):
            kept = [names[1:] for names in kept]
    return kept


def about_parts(listing: Listing, names: Sequence[str], classes: Sequence[str] | None) -> list[str]:
    """Say which folders were taken for parts, and which classes one of these lacks."""
    counts = Counter(names)
    told = ", ".join(f"{name} for {part_of(name)} ({count})" for name, count in counts.items())
    purposes = {part_of(name) for name in counts}
    for purpose, setting in (("validation", "validation"), ("testing", "test")):
        if purpose not in purposes:
            told += worded(f"; those for {purpose} are drawn from these for training, as --{setting} says")
    notes = [f"the images of {listing.folder} are divided by their folders, which are not classes: {told}"]
    for name in counts if classes is not None else ():
        here = {one for one, part in zip(classes or (), names, strict=True) if part == name}
        missing = sorted(set(classes or ()) - here)
        if missing:
            notes.append(f"{name} in {listing.folder} has no image of the class {first_few(missing)}")
    return notes


def about_inner(folder: Path, inside: Sequence[tuple[str, ...]]) -> list[str]:
    """Say where all class folders hold folders of the same names, which may be the classes that are meant."""
    inner: dict[str, set[str]] = {}
    for names in inside:
        inner.setdefault(names[0], set()).add(names[1] if len(names) > 2 else "")
    shared = next(iter(inner.values()))
    if len(shared) < 2 or "" in shared or any(one != shared for one in inner.values()):
        return []
    return [
        f"the classes of {folder} are {first_few(sorted(inner))}; each of these folders holds folders called "
        f"{first_few(sorted(shared))}: if those are the classes, name one folder, e.g. {folder / min(inner)}"
    ]


def about_names(classes: set[str]) -> list[str]:
    """Say which classes are called like parts of a division, and yet taken for classes."""
    named = sorted(name for name in classes if re.match(r"([Tt]rain|[Tt]est|[Vv]al)([A-Z\d\W_]|$)", name))
    if len({name[:3].lower() for name in named}) < 2:
        return []
    return [f"{first_few(named)} are taken for classes; as a division they need names such as train, val and test"]


def about_empty(listing: Listing, classes: set[str], level: int | None) -> list[str]:
    """Say which class folders hold no image."""
    folders = [path.relative_to(listing.folder).parts for path in listing.folders]
    if level is not None:
        folders = [names[:level] + names[level + 1 :] for names in folders if len(names) > level]
    empty = sorted({names[0] for names in folders if len(names) == 1} - classes)
    return [f"folders in {listing.folder} that hold no image are not classes: {first_few(empty)}"] if empty else []
