"""A trained network on files: one image, a folder tree, an array; nothing is overwritten without being asked."""

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cuello.core.errors import CuelloError, worded
from cuello.core.files import make_folder, replacing
from cuello.core.progress import OnProgress, Progress, listener
from cuello.data.frames import frames_of
from cuello.data.levels import Levels, RangeChoice
from cuello.data.picture import (
    JPEG_SUFFIXES,
    TIFF_SUFFIXES,
    check_held,
    lost,
    read_picture,
    write_picture,
)
from cuello.data.sources import load_numpy, numpy_errors
from cuello.data.stack import Pages, Place, pages_of, read_page
from cuello.data.stored import StoredImage
from cuello.data.tiff_write import write_pages
from cuello.inference.animations import restore_frames
from cuello.inference.arrays import SameKind, as_stack, native, restore_picture
from cuello.inference.model import Model
from cuello.inference.targets import plan, target_of_file

AS_RGB = ("CMYK", "P", "PA", "YCbCr", "LAB", "HSV")
"""Kinds of colours, in Pillow's words, that are read as RGB and written so."""


@dataclass(frozen=True)
class Applied:
    """What became of the files.

    written: the results. failed: (file, why) for each that could not be read or written. notes: what changed beside
    the pixels, one sentence each. ranges: for each file within whose own values the network worked, the range.
    """

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ranges: dict[Path, Levels] = field(default_factory=dict)


def apply(
    model: Model,
    source: str | Path,
    destination: str | Path,
    overwrite: bool = False,
    progress: OnProgress | None = None,
    level: float | None = None,
    range: str | tuple[float, float] | None = None,
) -> Applied:
    """Restore the images in ``source`` into ``destination``.

    source: an image, a folder (with its subfolders), an .npy array. destination: a file for a file, a folder for a
    folder; a folder's results keep their names. Bit depth, alpha, colour profile and EXIF data are kept; GIF becomes
    PNG, and palettes and CMYK become RGB, which ``notes`` say. Every page of a TIFF and every frame of an animation is
    restored. A file that cannot be read is listed in ``failed`` and the rest goes on.
    progress: called with events, which have the file at hand. level: standard deviation of the noise in
    every image, in units of white = 1, for a network that takes it; by default estimated, image by image. range: what
    stands for black and white, as for calling a model; estimated for each file, one range for all pages of a TIFF.
    Raises CuelloError where there is nothing to do, a result exists and ``overwrite`` is not given, or the network
    takes no such level.
    """
    tell = listener(progress, ("done", "total", "path"))
    model.check_level(level)
    choice = RangeChoice.parse(range, model.levels)
    source, destination = Path(source).expanduser(), Path(destination).expanduser()
    if source.suffix.lower() == ".npy" and source.is_file():
        return apply_to_array(model, source, destination=destination, overwrite=overwrite, level=level, choice=choice)
    jobs, notes = plan(source, destination)
    existing = [target for _, target in jobs if os.path.lexists(target)]
    if existing and not overwrite:
        raise CuelloError(
            f"{len(existing)} of {len(jobs)} results exist already, e.g. {existing[0]}. Add --overwrite=True to "
            "replace them, or choose another place."
        )
    model.check_images()
    applied = Applied(notes=notes)
    for position, (path, target) in enumerate(jobs):
        tell(Progress("restoring", position, len(jobs), path=path))
        try:
            restore_file(model, path, target=target, applied=applied, level=level, choice=choice)
            applied.written.append(target)
        except Exception as error:  # whatever one file raises, the others go on
            applied.failed.append((path, reason(path, error)))
    tell(Progress("restoring", len(jobs), len(jobs), path=source))
    applied.notes.extend(range_notes(applied.ranges, choice))
    return applied


def reason(path: Path, error: Exception) -> str:
    """Say why a file failed."""
    if isinstance(error, CuelloError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"{path} needs more memory than is free. Cut it into smaller images."
    return f"{path} could not be restored ({type(error).__name__}: {error})."


def range_notes(ranges: Mapping[Path, Levels], choice: RangeChoice) -> list[str]:
    """Say in a sentence within which ranges, estimated from the values, images were restored."""
    if not ranges:
        return []
    path, levels = next(iter(ranges.items()))
    one = f"{path.name}, {levels}" if len(ranges) == 1 else f"{len(ranges)} images, e.g. {path.name}, {levels}"
    if choice.name == "auto":
        return [f"range estimated from the values, image by image: {one}"]
    return [worded(f"values that fill less than a tenth of their type's range were brought to their own: {one}; "
                   "--range=full leaves that out, --range=LOW..HIGH says better")]  # fmt: skip


def restore_file(
    model: Model, path: Path, target: Path, *, applied: Applied, level: float | None = None, choice: RangeChoice
) -> None:
    """Restore one image file, or every page of a TIFF; what changes beside the pixels is noted in ``applied``."""
    make_folder(target.parent)
    frames = frames_of(path)
    if frames is not None and frames.kind == "MPO" and target.suffix.lower() not in JPEG_SUFFIXES:
        applied.notes.append(f"{path} holds {frames.count} pictures (MPO), of which {target.name} holds the first")
    elif frames is not None:
        notes, results = restore_frames(model, path, target, frames=frames, level=level, choice=choice)
        applied.notes.extend(notes)
        for result in results:
            note_ranges(applied, path, result)
        return
    pages = pages_of(path)
    if len(pages.places) > 1 and target.suffix.lower() not in TIFF_SUFFIXES:
        raise CuelloError(
            f"{path} holds {len(pages.places)} pages, and {target.suffix} holds one: name the result .tif."
        )
    applied.notes.extend(pages.notes)
    if pages.places and target.suffix.lower() in TIFF_SUFFIXES:
        restore_pages(model, path, target, pages=pages, applied=applied, level=level, choice=choice)
        return
    picture = (
        read_page(path, 0, pages.places[0], levels=choice, only=True) if pages.places else read_picture(path, choice)
    )
    height, width = picture.pixels.shape[:2]
    check_held(target, (model.scale * height, model.scale * width), exif=picture.exif)
    result = restore_picture(model, picture, level, choice=choice)
    write_picture(target, result)
    note_ranges(applied, path, result)
    applied.notes.extend(changes(path, target, picture))
    if target.suffix.lower() != path.suffix.lower():
        applied.notes.append(f"{path} was written as {target.name}")


def changes(path: Path, target: Path, picture: StoredImage) -> list[str]:
    """Say what of a file is otherwise, or not at all, in the file of its result."""
    notes = [f"{path} is {picture.mode} and was written as RGB{by(picture)}"] if picture.mode in AS_RGB else []
    if missing := lost(target.suffix, picture):
        notes.append(f"{target} does not hold these of {path}: {', '.join(missing)}")
    return notes


def by(picture: StoredImage) -> str:
    """Say how four inks became RGB."""
    if picture.mode != "CMYK":
        return ""
    if picture.icc_profile:
        return " (sRGB, by its colour profile)"
    return " by (255 - ink) (255 - black) / 255, since it has no colour profile that can be used"


def restore_pages(
    model: Model, path: Path, target: Path, *, pages: Pages, applied: Applied, level: float | None, choice: RangeChoice
) -> None:
    """Restore every page of a TIFF, one after another."""
    only = len(pages.places) == 1
    levels = choice if only else choice_of_pages(path, pages.places, choice)
    changed: dict[str, None] = {}  # in order

    def restored(number: int, place: Place) -> StoredImage:
        page = read_page(path, number, place, levels=levels, only=only)
        if pages.moved and page.tiff is not None:
            page = replace(page, tiff=page.tiff.renumbered(pages.moved))
        result = restore_picture(model, page, level, choice=choice)
        changed.update(dict.fromkeys(changes(path, target, result)))
        note_ranges(applied, path, result)
        return result

    pictures = (restored(number, place) for number, place in enumerate(pages.places))
    write_pages(target, pictures, form=pages.form, size=pages.size * model.scale**2)
    applied.notes.extend(changed)


def note_ranges(applied: Applied, path: Path, result: StoredImage) -> None:
    for levels in (result.levels, *result.narrow):
        note_range(applied, path, levels)


def note_range(applied: Applied, path: Path, levels: Levels | None) -> None:
    if levels is not None and levels.estimated:
        applied.ranges[path] = levels


PAGES_LOOKED_AT = 9
"""Pages of a stack that an estimate of its range looks at, spread evenly."""


def choice_of_pages(path: Path, offsets: Sequence[Place], choice: RangeChoice) -> RangeChoice:
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


def apply_to_array(
    model: Model, source: Path, destination: Path, *, overwrite: bool, level: float | None, choice: RangeChoice
) -> Applied:
    """Restore the images of an .npy file into another of the same axes and type."""
    target = target_of_file(source, destination, endings={".npy"})
    if target.exists() and not overwrite:
        raise CuelloError(f"{target} exists already. Add --overwrite=True to replace it, or choose another place.")
    with numpy_errors(source):
        images = load_numpy(source)
    same = SameKind(model, choice, level=level)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        restored = same(images)
    applied = Applied([target], notes=[str(warning.message) for warning in caught])
    for levels in same.ranges_of(as_stack(native(images))):
        note_range(applied, source, levels)
    if choice.name == "auto":
        applied.notes.extend(range_notes(applied.ranges, choice))
    make_folder(target.parent)
    with replacing(target) as temporary, open(temporary, "wb") as stream:
        np.save(stream, restored)
    return applied
