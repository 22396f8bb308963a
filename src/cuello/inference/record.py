"""What Cuello wrote into a folder: a line for each result, so that a later call knows what is finished and its own."""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cuello.core.errors import CuelloError, worded
from cuello.core.files import as_cuello_error, make_folder
from cuello.data.levels import RangeChoice
from cuello.data.picture import read_picture
from cuello.data.sources import load_numpy
from cuello.inference.targets import ARRAY, FileJob
from cuello.runs.artefact import Artefact

RECORD = ".cuello-applied.jsonl"
"""The file in a folder of results: hidden, so that it is no image and counts as nothing of the user's."""
HEAD = 32
"""Bytes at the beginning of a result that are written down, to know what is left of it when it was cut short."""

AGAIN = {
    "model": "of another model", "settings": "with other settings", "image": "of images that have changed since",
    "cut": "cut short since",
}  # fmt: skip
"""Why results are made again, in words."""


class FileMark(NamedTuple):
    """A file as it was: bytes, time of its last change (ns), and a checksum of its content."""

    size: int
    changed: int
    digest: str


class MadeResult(NamedTuple):
    """A result: its name below the folder, what it was when it was written, how it began, and what it was made of."""

    name: str
    result: FileMark
    head: str
    image: FileMark
    model: str
    settings: str


@dataclass(frozen=True)
class Recorder:
    """Says what is written down of a result, in whichever process it was made.

    folder: of the results. model, settings: checksums of what they are made with. replaces: results that are made again
    and their marks.
    """

    folder: Path
    model: str
    settings: str
    replaces: Mapping[Path, FileMark] = field(default_factory=dict)

    def name_of(self, target: Path) -> str:
        return target.relative_to(self.folder).as_posix()

    def before(self, job: FileJob) -> os.stat_result:
        """Look at an image before it is read; CuelloError where its result, to be made again, was changed meanwhile."""
        mark = self.replaces.get(job.target)
        if mark is not None and os.path.lexists(job.target) and not holds_what_it_held(job.target, mark):
            raise CuelloError(
                f"{job.target} was changed meanwhile and is left as it is. Move it, or add --overwrite=True."
            )
        return job.path.stat()

    def made(self, job: FileJob, before: os.stat_result) -> MadeResult | None:
        """Say what a result was made of; None where its image changed while it was worked on."""
        with suppress(OSError):
            image, result = marked(job.path), marked(job.target)
            if (image.size, image.changed) == (before.st_size, before.st_mtime_ns):
                with open(job.target, "rb") as file:
                    head = file.read(HEAD).hex()
                return MadeResult(
                    self.name_of(job.target), result, head, image=image, model=self.model, settings=self.settings
                )
        return None


def recorder(folder: Path, artefact: Artefact, *, level: float | None, choice: RangeChoice) -> Recorder:
    """Make what says how results in a folder were made."""
    noise = [asdict(one) for one in artefact.noise_models]
    settings = [level, choice.name, None if choice.levels is None else [choice.levels.black, choice.levels.white]]
    return Recorder(folder, digest_of_json([artefact.checksum, noise]), digest_of_json(settings))


def digest_of_json(about: Any) -> str:
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()


def marked(path: Path) -> FileMark:
    """Look at a file and its content."""
    about = path.stat()
    with open(path, "rb") as file:
        return FileMark(about.st_size, about.st_mtime_ns, hashlib.file_digest(file, short_blake).hexdigest())


def short_blake() -> Any:
    return hashlib.blake2b(digest_size=16)


def is_as_marked(path: Path, mark: FileMark) -> bool:
    """Tell whether a file is what it was: by size and time, or, where only its time is another, by its content."""
    try:
        about = path.lstat()
        if about.st_size != mark.size or path.is_symlink():
            return False
        return about.st_mtime_ns == mark.changed or marked(path).digest == mark.digest
    except OSError:
        return False


def holds_what_it_held(path: Path, mark: FileMark) -> bool:
    """Tell whether a file's content is what it was, whatever its time says: asked before it is replaced."""
    try:
        return not path.is_symlink() and marked(path).digest == mark.digest
    except OSError:
        return False


def is_same_image(path: Path, mark: FileMark) -> bool:
    """Tell whether an image, which may be a link, is what it was; one that cannot be looked at is tried anew."""
    try:
        about = path.stat()
        return about.st_size == mark.size and (about.st_mtime_ns == mark.changed or marked(path).digest == mark.digest)
    except OSError:
        return False


def is_cut_short(path: Path, made: MadeResult) -> bool:
    """Tell whether a file is the beginning of a result and no more: shorter, begun alike, and no image any more."""
    try:
        if path.is_symlink() or path.stat().st_size >= made.result.size:
            return False
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    if head != bytes.fromhex(made.head)[: len(head)]:
        return False
    try:
        _ = load_numpy(path) if path.suffix.lower() == ARRAY else read_picture(path)
    except Exception:  # whatever a damaged file raises
        return True
    return False


def read_record(folder: Path, names: Collection[str]) -> dict[str, MadeResult]:
    """Read what is written down of these results, the last word on each; lines that are no such are passed over."""
    found: dict[str, MadeResult] = {}
    wanted = set(names)
    path = folder / RECORD
    if not is_own_file(path):
        return {}
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                made = as_made(line)
                if made is not None and made.name in wanted:
                    found[made.name] = made
    except OSError:
        return {}
    return found


def is_own_file(path: Path) -> bool:
    """Tell whether a record is a file or not there yet; no link to a file of somebody's, nor a pipe that waits."""
    return not os.path.lexists(path) or (path.is_file() and not path.is_symlink())


def as_made(line: str) -> MadeResult | None:
    """Read a line of a record; None for half of one, or another's."""
    try:
        name, result, head, image, model, settings = json.loads(line)
        bytes.fromhex(head)
        made = MadeResult(name, FileMark(*result), head, image=FileMark(*image), model=model, settings=settings)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (made.name, made.model, made.settings, made.result.digest, made.image.digest)
    numbers = (*made.result[:2], *made.image[:2])
    right = all(isinstance(one, str) for one in texts) and all(type(one) is int for one in numbers)
    return made if right else None


class SortedResults(NamedTuple):
    """Jobs whose results are there already: finished, to be made again (with the mark of each), and what is said."""

    finished: list[FileJob]
    again: dict[Path, FileMark]
    notes: list[str]


def sorted_out(done: Sequence[FileJob], maker: Recorder) -> SortedResults:
    """Tell finished results from those to be made again, by the record; what no record knows is finished.

    Only what is as Cuello wrote it, or the beginning of that, is made again; what somebody changed since stays.
    """
    known = read_record(maker.folder, {maker.name_of(job.target) for job in done})
    found, why, changed = SortedResults([], {}, []), Counter[str](), list[Path]()
    for job in done:
        made = known.get(maker.name_of(job.target))
        reason = None if made is None else reason_again(job, made, maker)
        if made is None or reason in (None, "changed"):
            found.finished.append(job)
            if reason == "changed":
                changed.append(job.target)
            continue
        found.again[job.target] = made.result if reason != "cut" else marked(job.target)
        why[str(reason)] += 1
    if found.again:
        reasons = ", ".join(f"{count} {AGAIN[one]}" for one, count in why.items())
        found.notes.append(f"results that were there are made again: {reasons}; e.g. {next(iter(found.again))}")
    if changed:
        found.notes.append(
            worded(
                f"results that were changed since they were made are left as they are, {len(changed)} of them, e.g. "
                f"{changed[0]}; --overwrite=True makes all anew"
            )
        )
    return found


def reason_again(job: FileJob, made: MadeResult, maker: Recorder) -> str | None:
    """Say why a result would be made again, "changed" where somebody else changed it, None where it is finished."""
    if not is_as_marked(job.target, made.result):
        return "cut" if is_cut_short(job.target, made) else "changed"
    if made.model != maker.model:
        why = "model"
    elif made.settings != maker.settings:
        why = "settings"
    else:
        why = None if is_same_image(job.path, made.image) else "image"
    return why if why is None or holds_what_it_held(job.target, made.result) else "changed"


@dataclass
class OpenRecord:
    """A record that is being written. trouble: why it cannot be, once that is known."""

    folder: Path
    file: io.FileIO | None = None
    trouble: str | None = None

    def add(self, made: MadeResult | None) -> None:
        """Write down a result, in one piece, at the end."""
        if made is None or self.trouble is not None:
            return
        path = self.folder / RECORD
        if self.file is None and not is_own_file(path):
            self.trouble = (
                f"{path} is a link, a folder or a pipe, and nothing is written into it: remove it. What is finished "
                "is known by name alone until then"
            )
            return
        try:
            if self.file is None:
                make_folder(self.folder)
                self.file = io.FileIO(path, "a+")
                if self.file.tell() and (self.file.seek(-1, os.SEEK_END), self.file.read(1))[1] != b"\n":
                    self.file.write(b"\n")  # a kill left half a line
            self.file.write(f"{json.dumps(made)}\n".encode())
        except OSError as error:
            self.trouble = worded(f"{as_cuello_error(error, path)} What is finished is then known by name alone")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
