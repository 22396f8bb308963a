"""A trained network on files: one image, a folder tree, an array; nothing is overwritten without being asked."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from cuello.core.errors import CuelloError, Interrupted, first_few, worded
from cuello.core.files import make_folder, only_new, replacing
from cuello.core.pool import Pool
from cuello.core.progress import OnProgress, Progress, hearing, listener
from cuello.core.signals import undisturbed, undisturbed_once_named
from cuello.core.spoken import spoken
from cuello.data.frames import frames_of
from cuello.data.levels import Levels, RangeChoice
from cuello.data.picture import (
    JPEG_SUFFIXES,
    TIFF_SUFFIXES,
    check_held,
    lost,
    read_picture,
    write_picture,
    written_path,
)
from cuello.data.remote.address import address_of, is_url
from cuello.data.remote.send import Outbox, outbox_for
from cuello.data.remote.stores import NotAllowed
from cuello.data.sources import load_numpy, numpy_errors
from cuello.data.stack import Pages, pages_of, read_page
from cuello.data.stack import Place as PageAt
from cuello.data.stored import StoredImage
from cuello.data.tiff_write import write_pages
from cuello.inference.animations import restore_frames
from cuello.inference.arrays import SameKind, as_stack, little, native, restore_picture
from cuello.inference.estimates import estimates
from cuello.inference.model import Model
from cuello.inference.originals import original_of, replaced, was_replaced
from cuello.inference.record import MadeResult, OpenRecord, Recorder, recorder, sorted_out
from cuello.inference.restorer import Restorer
from cuello.inference.sharing import device_of, print_of, same_model, worker_count
from cuello.inference.targets import ARRAY, FileJob, FoundFiles, Place, find, plan

if TYPE_CHECKING:
    from cuello.cluster.pool import ClusterPool

A = TypeVar("A", bound="Applied")

AS_RGB = ("CMYK", "P", "PA", "YCbCr", "LAB", "HSV")
"""Kinds of colours, in Pillow's words, that are read as RGB and written so."""


@dataclass(frozen=True)
class AppliedFile:
    """What became of one file.

    input, output: of a file at a URL, the URL. output: where its result is; None where there is none, and reason says
    why. range: within which the network worked,
    where that was estimated. level: of the noise, estimated, as ``apply`` takes it; the mean over pages. notes: what
    changed beside the pixels. made: what is written down of it for later calls.
    """

    input: Place
    output: Place | None
    reason: str | None = None
    range: Levels | None = None
    level: float | None = None
    notes: Sequence[str] = ()
    made: MadeResult | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Applied:
    """What became of the files.

    written: the results. failed: (file, why) for each that could not be read or written. notes: what changed beside
    the pixels, one sentence each. ranges: for each file within whose own values the network worked, the range. skipped:
    results that were there already. files: all of it file by file, those that were skipped aside.
    """

    written: list[Place] = field(default_factory=list)
    failed: list[tuple[Place, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ranges: dict[Place, Levels] = field(default_factory=dict)
    skipped: list[Place] = field(default_factory=list)
    files: list[AppliedFile] = field(default_factory=list, compare=False)

    def add(self, one: AppliedFile) -> None:
        """Add what became of a file."""
        self.files.append(one)
        self.notes.extend(one.notes)
        if one.output is not None:
            self.written.append(one.output)
        else:
            self.failed.append((one.input, one.reason or ""))
        if one.range is not None:
            self.ranges[one.input] = one.range


@dataclass
class Noted:
    """What is noted while a file is restored.

    notes: what changed beside the pixels. range: estimated from its values. levels: of the noise, estimated.
    """

    notes: list[str] = field(default_factory=list)
    range: Levels | None = None
    levels: list[float] = field(default_factory=list)

    def see(self, result: StoredImage) -> None:
        """Note the ranges of a result, where they were estimated."""
        for levels in (result.levels, *result.narrow):
            self.within(levels)

    def within(self, levels: Levels | None) -> None:
        if levels is not None and levels.estimated:
            self.range = levels


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello apply`.
def apply(
    model: Model,
    source: Place | Sequence[Place],
    destination: Place | None = None,
    overwrite: bool = False,
    progress: OnProgress | bool | None = None,
    level: float | None = None,
    range: str | tuple[float, float] | None = None,
    *,
    in_place: bool = False,
    keep_originals: bool = True,
    skip_existing: bool = False,
    format: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
) -> Applied:
    """Restore the images in ``source`` into ``destination``.

    source: an image, a folder (with its subfolders), an .npy array, a pattern such as ``"scans/*.png"``, the URL of one
    of these (``s3://``, ``gs://``, ``https://``, ``memory://``; extra ``remote``), or several. destination: a file for
    a file, a folder for a folder or several files; a folder's results keep their names; or a URL, but of https.
    Bit depth, alpha, colour profile and EXIF data are kept; GIF becomes PNG, and palettes and CMYK become RGB, which
    ``notes`` say. Every page of a TIFF and every frame of an animation is restored. A file that cannot be read is
    listed in ``failed`` and the rest goes on.
    progress: called with events, which have the file at hand. level: standard deviation of the noise in
    every image, in units of white = 1, for a network that takes it; by default estimated, image by image. range: what
    stands for black and white, as for calling a model; estimated for each file, one range for all pages of a TIFF.
    in_place: without a destination, replace the images themselves; each original is kept as NAME.orig beside its
    result, unless ``keep_originals`` is False, and an image that has one is not replaced a second time. skip_existing:
    leave results that exist (images that were replaced) as they are, and go on with the others; in a folder, where it
    was written down what they were made of, those made otherwise are made again, unless somebody changed them. format:
    an ending for all results, e.g. "png"; by default each keeps its own. workers: processes that share the files, of
    one thread each; by default as many as torch may use threads, where there is enough to do and memory for them, else
    this process alone with its threads. Results and their order are the same. cluster: where several files are
    restored: "processes", as by default; "ray" or "ray://HOST:PORT", by groups on the machines of a Ray cluster (extra
    ``cluster``), which all see images, model and ``destination``; ``workers`` is then how many groups at once.
    Results are written whole or not at all, whenever the work ends.
    Raises CuelloError where there is nothing to do, a result exists and neither ``overwrite`` nor ``skip_existing`` is
    given, a result would replace an image that is read, or lie among them, or the network takes no such level.
    """
    tell = listener(progress, ("done", "total", "path"))
    model.check_level(level)
    far = None
    if cluster is not None:
        from cuello.inference.clustered import cluster_for_files  # which is made of this module

        far = cluster_for_files(cluster, model, workers=workers, places=[*sources_of(source), destination])
    choice = RangeChoice.parse(range, model.levels)
    with hearing(tell):
        work = files_to_do(
            source, destination, overwrite=overwrite, in_place=in_place, keep_originals=keep_originals,
            skip_existing=skip_existing, format=format,
        )  # fmt: skip
    if not (work.found.single or in_place or work.outbox or destination is None):
        folder = Path(destination).expanduser()
        work = recorded(work, recorder(folder, model.artefact, level=level, choice=choice))
    if any(path.suffix.lower() != ARRAY for path, _ in work.jobs):
        model.check_images()
    about = partial(elsewhere, model, work, level=level, choice=choice)
    if far is not None:
        from cuello.inference.clustered import pool_on

        applied = go_through_apart(work, pool_on(far, about(), work, destination=destination, tell=tell), tell=tell)
    else:
        count, notes = worker_count(model, work.jobs, workers)
        work.applied.notes.extend(notes)
        if count > 1:
            applied = go_through_apart(work, Pool(about(), work.jobs, count), tell=tell)
        else:
            applied = go_through(work, partial(restore_file, model, level=level, choice=choice), tell=tell)
    applied.notes.extend(range_notes(applied.ranges, choice))
    return retold(applied, spoken)


def sources_of(source: Place | Sequence[Place]) -> list[Place]:
    return [source] if isinstance(source, str | Path) else list(source)


@dataclass(frozen=True)
class FilesToDo:
    """Files to restore: those that were found, the jobs that are left, and what is to be said already.

    keep_originals: whether an image that is replaced stays beside its result; None where none is replaced. outbox: what
    stands for the destination, where that is a URL. done: files that are skipped, their results being there. maker:
    says what is written down of results, where anything is. overwrite: whether results may replace what has their name.
    """

    found: FoundFiles
    jobs: Sequence[FileJob]
    applied: Applied
    keep_originals: bool | None
    outbox: Outbox | None = None
    done: Sequence[FileJob] = ()
    maker: Recorder | None = None
    overwrite: bool = False


def files_to_do(
    source: Place | Sequence[Place],
    destination: Place | None,
    *,
    overwrite: bool = False,
    in_place: bool = False,
    keep_originals: bool = True,
    skip_existing: bool = False,
    format: str | None = None,
) -> FilesToDo:
    """Say which files are restored, and where their results go; CuelloError as of ``apply``, before any work."""
    sources = sources_of(source)
    outbox = None
    if in_place:
        refuse_beside(destination, sources, overwrite=overwrite, format=format)
        found = find(sources)
        jobs = [FileJob(path, path) for path in found.files]
    else:
        destination = named(destination, keep_originals)
        if is_url(destination):
            outbox = outbox_for(destination)
        found = find(sources)
        jobs = plan(found, outbox.place if outbox else destination, format)
    applied, replacing = Applied(notes=found.notes), keep_originals if in_place else None
    every, done = jobs, list[FileJob]()
    if not overwrite:
        jobs = left_to_do(jobs, applied, replacing, skip=skip_existing, outbox=outbox)
        left = set(jobs)
        done = [job for job in every if job not in left]
    elif skip_existing:
        raise CuelloError("got --overwrite=True and --skip-existing=True: leave one of them out.")
    return FilesToDo(found, jobs, applied, keep_originals=replacing, outbox=outbox, done=done, overwrite=overwrite)


def recorded(work: FilesToDo, maker: Recorder) -> FilesToDo:
    """Let results be written down, and do those again that were made otherwise, and are as they were made."""
    found = sorted_out(work.done, maker)
    work.applied.skipped[:] = [job.target for job in found.finished]
    work.applied.notes.extend(found.notes)
    again = [job for job in work.done if job.target in found.again]
    order = {path: place for place, path in enumerate(work.found.files)}
    jobs = sorted([*work.jobs, *again], key=lambda job: order[job.path])
    return replace(work, jobs=jobs, maker=replace(maker, replaces=found.again))


class Restore(Protocol):
    """Restores one file into another."""

    def __call__(self, path: Path, target: Path, *, noted: "Noted") -> None: ...


def go_through(work: FilesToDo, restore: Restore, *, tell: OnProgress) -> Applied:
    """Restore one file after another; one that fails is listed, and the others go on.

    Raises Interrupted where it is stopped (Ctrl-C): what was written is whole, and the others can be done later.
    """
    jobs, applied = work.jobs, work.applied
    with writing_down(work) as written_down:
        for position, job in enumerate(jobs):
            tell(Progress("restoring", position, len(jobs), path=job.path))
            try:
                with nullcontext() if work.outbox else undisturbed_once_named():
                    one = restored_file(
                        job, restore, keep_originals=work.keep_originals, single=work.found.single, maker=work.maker,
                        overwrite=work.overwrite,
                    )  # fmt: skip
                    one = delivered(one, work.outbox)
                    written_down(one)
                    applied.add(one)
            except KeyboardInterrupt:
                raise stopped(work) from None
    tell(Progress("restoring", len(jobs), len(jobs), path=next(iter(work.found.files))))
    return applied


@contextmanager
def writing_down(work: FilesToDo) -> Iterator[Callable[[AppliedFile], None]]:
    """Give what writes down what became of a file; what went wrong with that is noted in the end."""
    if work.maker is None:
        yield lambda one: None
        return
    record = OpenRecord(work.maker.folder)
    try:
        yield lambda one: record.add(one.made)
    finally:
        record.close()
    if record.trouble is not None:
        work.applied.notes.append(record.trouble)


def go_through_apart(
    work: FilesToDo, pool: "Pool[FileJob, AppliedFile] | ClusterPool[AppliedFile]", *, tell: OnProgress
) -> Applied:
    """Do the same in processes, here or on other machines.

    What became of the files is listed in their order, whichever was first.
    """
    jobs, found = work.jobs, dict[int, AppliedFile]()
    if not jobs:
        return work.applied
    with writing_down(work) as written_down:
        try:
            tell(Progress("restoring", 0, len(jobs), path=jobs[0].path))
            for place, one, _ in pool.results():
                path = jobs[place].path
                sent = delivered(one or AppliedFile(path, None, ended(path)), work.outbox)
                with undisturbed():
                    found[place] = sent
                    written_down(sent)
                tell(Progress("restoring", len(found), len(jobs), path=path))
        except KeyboardInterrupt:
            late = {
                place: one
                for place, one, _ in pool.stop()
                if one is not None and work.outbox is None and place not in found
            }
            for one in late.values():
                written_down(one)
            add_in_order(work, found | late)
            raise stopped(work) from None
        finally:
            pool.stop()
    add_in_order(work, found)
    return work.applied


def add_in_order(work: FilesToDo, found: Mapping[int, AppliedFile]) -> None:
    for place in sorted(found):
        work.applied.add(found[place])


def restored_file(
    job: FileJob,
    restore: Restore,
    *,
    keep_originals: bool | None,
    single: bool,
    maker: Recorder | None = None,
    overwrite: bool = False,
) -> AppliedFile:
    """Restore a file and say what became of it; only a single array's error is raised.

    keep_originals, overwrite: as of FilesToDo. maker: says what is to be written down of it. A result that somebody
    else has put there meanwhile stays; one of the same content, as a process may leave that was ended, is as good.
    """
    (path, target), noted, in_place = job, Noted(), keep_originals is not None
    new = not (in_place or overwrite or (maker is not None and target in maker.replaces))
    try:
        before = None if maker is None else maker.before(job)
        with (
            estimates() as noted.levels,
            replaced(path, bool(keep_originals)) if in_place else nullcontext(),
            only_new(target if new else None),
        ):
            restore(path, target, noted=noted)
        made = None if maker is None or before is None else maker.made(job, before)
        level = mean(noted.levels)
        return AppliedFile(path, target, range=noted.range, level=level, notes=noted.notes, made=made)
    except Exception as error:  # whatever one file raises, the others go on
        if single and path.suffix.lower() == ARRAY:
            raise
        return AppliedFile(path, None, reason(path, error), notes=noted.notes)


def delivered(one: AppliedFile, outbox: Outbox | None) -> AppliedFile:
    """Send a result where it belongs, if that is a URL, and say what became of it."""
    if outbox is None or one.output is None:
        return one
    try:
        outbox.send(Path(one.output))
    except NotAllowed:  # nor would the store take another
        raise
    except Exception as error:
        return replace(one, output=None, reason=reason(Path(one.input), error))
    return one


@dataclass(frozen=True)
class RestoreElsewhere:
    """What another process needs to restore files: the model's file and fingerprint, where it runs, the settings."""

    path: Path
    device: str
    fingerprint: str
    level: float | None
    choice: RangeChoice
    keep_originals: bool | None
    maker: Recorder | None
    overwrite: bool = False

    def __call__(self) -> Callable[[FileJob], AppliedFile]:
        """Load the model, and return what restores a file, with one thread."""
        torch.set_num_threads(1)
        model = same_model(self.path, self.device, self.fingerprint)
        restore = partial(restore_file, model, level=self.level, choice=self.choice)
        return partial(
            restored_file, restore=restore, keep_originals=self.keep_originals, single=False, maker=self.maker,
            overwrite=self.overwrite,
        )  # fmt: skip


def elsewhere(model: Model, work: FilesToDo, *, level: float | None, choice: RangeChoice) -> RestoreElsewhere:
    """Say what other processes need to restore files as this one would."""
    if model.path is None:
        raise CuelloError("the network is in no file, so that no other process can load it. Use --workers=1.")
    return RestoreElsewhere(
        model.path.absolute(), str(device_of(model)), print_of(model), level=level, choice=choice,
        keep_originals=work.keep_originals, maker=work.maker, overwrite=work.overwrite,
    )  # fmt: skip


def stopped(work: FilesToDo) -> Interrupted:
    """Say how many files were written whole when the work was stopped, and how to go on."""
    done, left = len(work.applied.written), len(work.jobs) - len(work.applied.files)
    if work.keep_originals is False:
        how = "Which ones were replaced is not known to the next call: restore the others by name."
    else:
        how = "The same call with --skip-existing=True goes on." if done or work.applied.skipped else "Start again."
    return Interrupted(f"stopped: {done} written, each whole, and {left} left to do. {how}")


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def refuse_beside(destination: Place | None, sources: Sequence[Place], *, overwrite: bool, format: str | None) -> None:
    """Raise CuelloError for what makes no sense where images are replaced."""
    if remote := [one for one in (*sources, *([destination] if destination else [])) if is_url(one)]:
        raise CuelloError(
            f"got {address_of(remote[0])} and --in-place=True, which replaces images of this machine alone: name a "
            "place for the results."
        )
    if destination is not None and not (len(sources) == 1 and Path(destination) == Path(sources[0])):
        raise CuelloError(f"got {destination} and --in-place=True, which writes nowhere else: leave one of them out.")
    folders = [one for one in sources if Path(one).expanduser().is_dir()]
    if folders and len({os.path.abspath(Path(one).expanduser()) for one in sources}) > 1:
        raise CuelloError(
            f"got {first_few(map(str, sources))} and --in-place=True, which replaces the images of one folder: name "
            f"{folders[0]} alone, or leave out --in-place if the last is where the results go."
        )
    if overwrite:
        raise CuelloError("got --overwrite=True and --in-place=True, which replaces the images: leave --overwrite out.")
    if format is not None:
        raise CuelloError("got --format and --in-place=True, where every image keeps its own: leave one of them out.")


def named(destination: Place | None, keep_originals: bool) -> Place:
    """Return where results go; CuelloError where that is not said."""
    if destination is None:
        raise CuelloError("where do the results go? Name a file or folder, or replace the images: --in-place=True.")
    if not keep_originals:
        raise CuelloError("got --keep-originals=False without --in-place: no original is touched. Leave it out.")
    return destination


def retold(applied: A, say: Callable[[str], str]) -> A:
    """Tell of places by other names, in all that is said of the files."""

    def called(path: Place) -> Place:
        name = say(str(path))
        return name if is_url(name) else Path(name)

    files = [
        replace(
            one, input=called(one.input), output=one.output and called(one.output),
            reason=one.reason and say(one.reason), notes=list(map(say, one.notes)),
        )
        for one in applied.files
    ]  # fmt: skip
    return replace(
        applied, files=files, written=list(map(called, applied.written)), skipped=list(map(called, applied.skipped)),
        failed=[(called(path), say(why)) for path, why in applied.failed], notes=list(map(say, applied.notes)),
        ranges={called(path): levels for path, levels in applied.ranges.items()},
    )  # fmt: skip


def left_to_do(
    jobs: Sequence[FileJob],
    applied: Applied,
    keep_originals: bool | None,
    *,
    skip: bool,
    outbox: Outbox | None = None,
) -> list[FileJob]:
    """Return the jobs without those that were done before, which are skipped or refused.

    keep_originals: None where images are not replaced. outbox: where results go to a URL.
    """
    if outbox is not None:
        there = outbox.there([job.target for job in jobs])
        done = [job for job in jobs if job.target in there]
    elif keep_originals is None:
        done = [job for job in jobs if os.path.lexists(job.target)]
    else:
        done = [job for job in jobs if was_replaced(job.path)] if keep_originals else []
    if skip:
        applied.skipped.extend(target for _, target in done)
        were_done = set(done)
        return [job for job in jobs if job not in were_done]
    if not done:
        return list(jobs)
    first, one = done[0].target, len(jobs) == 1
    if keep_originals is not None:
        which = f"{first} was" if one else f"{len(done)} of {len(jobs)} images were"
        on = "" if one else "Add --skip-existing=True to go on with the others. "
        raise CuelloError(
            f"{which} replaced before, as {original_of(first)} shows, and would be restored twice. {on}To restore them "
            "again, move the originals back."
        )
    if one:
        raise CuelloError(f"{first} exists already. Add --overwrite=True to replace it, or choose another place.")
    raise CuelloError(
        f"{len(done)} of {len(jobs)} results exist already, e.g. {first}. Add --overwrite=True to replace them, "
        "--skip-existing=True to go on with the others, or choose another place."
    )


def reason(path: Path, error: Exception) -> str:
    """Say why a file failed."""
    if isinstance(error, CuelloError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"{path} needs more memory than is free. Cut it into smaller images."
    return f"{path} could not be restored ({type(error).__name__}: {error})."


def ended(path: Path) -> str:
    """Say that a file's process, or its machine, was ended more than once."""
    return (
        f"{path} could not be restored: the process at it was ended from outside, time and again, perhaps because "
        "memory ran out. Cut it into smaller images."
    )


def range_notes(ranges: Mapping[Place, Levels], choice: RangeChoice) -> list[str]:
    """Say in a sentence within which ranges, estimated from the values, images were restored."""
    if not ranges:
        return []
    path, levels = next(iter(ranges.items()))
    name = Path(path).name
    one = f"{name}, {levels}" if len(ranges) == 1 else f"{len(ranges)} images, e.g. {name}, {levels}"
    if choice.name == "auto":
        return [f"range estimated from the values, image by image: {one}"]
    return [worded(f"values that fill less than a tenth of their type's range were scaled to their own: {one}; "
                   "--range=full leaves that out, --range=LOW..HIGH says better")]  # fmt: skip


def restore_file(
    model: Restorer, path: Path, target: Path, *, noted: Noted, level: float | None = None, choice: RangeChoice
) -> None:
    """Restore one image file, every page of a TIFF, or an array."""
    make_folder(target.parent)
    if path.suffix.lower() == ARRAY:
        restore_array(model, path, target, noted=noted, level=level, choice=choice)
        return
    if written_path(target) != target:
        raise CuelloError(
            f"{path}: a GIF holds 256 colours, too few for a result. Name a folder: it becomes PNG there."
        )
    frames = frames_of(path)
    if frames is not None and frames.kind == "MPO" and target.suffix.lower() not in JPEG_SUFFIXES:
        noted.notes.append(f"{path} holds {frames.count} pictures (MPO), of which {target.name} holds the first")
    elif frames is not None:
        notes, results = restore_frames(model, path, target, frames=frames, level=level, choice=choice)
        noted.notes.extend(notes)
        for result in results:
            noted.see(result)
        return
    pages = pages_of(path)
    if len(pages.places) > 1 and target.suffix.lower() not in TIFF_SUFFIXES:
        raise CuelloError(
            f"{path} holds {len(pages.places)} pages, and {target.suffix} holds one: name the result .tif."
        )
    noted.notes.extend(pages.notes)
    if pages.places and target.suffix.lower() in TIFF_SUFFIXES:
        restore_pages(model, path, target, pages=pages, noted=noted, level=level, choice=choice)
        return
    picture = (
        read_page(path, 0, pages.places[0], levels=choice, only=True) if pages.places else read_picture(path, choice)
    )
    check_held(target, picture, scale=model.scale)
    result = restore_picture(model, picture, level, choice=choice)
    write_picture(target, result)
    noted.see(result)
    noted.notes.extend(changes(path, target, picture))
    if path.suffix.lower() != target.suffix.lower() == written_path(path).suffix.lower():  # not as it was asked
        noted.notes.append(f"{path} was written as {target.name}")


def changes(path: Path, target: Path, picture: StoredImage) -> list[str]:
    """Say what of a file is otherwise, or not at all, in the file of its result."""
    notes = [f"{path} is {picture.mode} and was written as RGB{by(picture)}"] if picture.mode in AS_RGB else []
    if missing := lost(target.suffix, picture):
        notes.append(f"{target} lacks these parts of {path}: {', '.join(missing)}")
    return notes


def by(picture: StoredImage) -> str:
    """Say how four inks became RGB."""
    if picture.mode != "CMYK":
        return ""
    if picture.icc_profile:
        return " (sRGB, by its colour profile)"
    return " by (255 - ink) (255 - black) / 255, since it has no colour profile that can be used"


def restore_pages(
    model: Restorer, path: Path, target: Path, *, pages: Pages, noted: Noted, level: float | None, choice: RangeChoice
) -> None:
    """Restore every page of a TIFF, one after another."""
    only = len(pages.places) == 1
    levels = choice if only else choice_of_pages(path, pages.places, choice)
    changed: dict[str, None] = {}  # in order

    def restored(number: int, place: PageAt) -> StoredImage:
        page = read_page(path, number, place, levels=levels, only=only)
        if pages.moved and page.tiff is not None:
            page = replace(page, tiff=page.tiff.renumbered(pages.moved))
        result = restore_picture(model, page, level, choice=choice)
        changed.update(dict.fromkeys(changes(path, target, result)))
        noted.see(result)
        return result

    pictures = (restored(number, place) for number, place in enumerate(pages.places))
    write_pages(target, pictures, form=pages.form, size=pages.size * model.scale**2)
    noted.notes.extend(changed)


PAGES_LOOKED_AT = 9
"""Pages of a stack that an estimate of its range looks at, spread evenly."""


def choice_of_pages(path: Path, offsets: Sequence[PageAt], choice: RangeChoice) -> RangeChoice:
    """Return the choice for each page of a TIFF: one range for all, estimated from some of them, for all it fits."""
    if not choice.guesses:
        return choice
    numbers = sorted({round(k * (len(offsets) - 1) / (PAGES_LOOKED_AT - 1)) for k in range(PAGES_LOOKED_AT)})
    pages = [read_page(path, number, offsets[number], levels=RangeChoice("auto")) for number in numbers]
    return choice.among([some_values(page) for page in pages])


def some_values(page: StoredImage) -> np.ndarray:
    """Return up to some 100,000 values of a page, as they are in the file."""
    step = max(1, math.isqrt(page.pixels.size // 100_000))
    pixels = page.pixels[::step, ::step].ravel()
    return pixels if page.levels is None or page.stored is None else page.levels.back(pixels, page.stored)


def restore_array(
    model: Restorer, path: Path, target: Path, *, noted: Noted, level: float | None, choice: RangeChoice
) -> None:
    """Restore the images of an .npy file into another of the same axes and type."""
    with numpy_errors(path):
        images = load_numpy(path)
    said: list[str] = []
    same = SameKind(model, choice, level=level, say=lambda text, _: said.append(text))
    restored = same(images)
    for levels in same.ranges_of(as_stack(native(images))):
        noted.within(levels)
    if choice.name is None and noted.range is not None:  # said for all files at once
        said = [one for one in said if one != little(noted.range)]
    noted.notes.extend(said)
    with replacing(target) as temporary, open(temporary, "wb") as stream:
        np.save(stream, restored)
