"""A trained network on files: one image, a folder tree, an array; nothing is overwritten without being asked."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.files import make_folder, replacing
from cuello.core.progress import OnProgress, Progress, listener
from cuello.data.picture import (
    SUFFIXES,
    TIFF_SUFFIXES,
    StoredImage,
    four_channels,
    read_picture,
    write_picture,
    written_path,
)
from cuello.data.sources import image_paths
from cuello.data.stack import page_offsets, read_page, write_pages
from cuello.inference.model import Model


@dataclass(frozen=True)
class Applied:
    """What became of the files.

    written: the results. failed: (file, why) for each that could not be read or written. notes: what changed beside
    the pixels, one sentence each.
    """

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def apply(
    model: Model,
    source: str | Path,
    destination: str | Path,
    overwrite: bool = False,
    progress: OnProgress | None = None,
    level: float | None = None,
) -> Applied:
    """Restore the images in ``source`` into ``destination``.

    source: an image, a folder (with its subfolders), an .npy array. destination: a file for a file, a folder for a
    folder; a folder's results keep their names. Bit depth, alpha, colour profile and EXIF data are kept; GIF becomes
    PNG, and palettes and CMYK become RGB, which ``notes`` say. Every page of a TIFF is restored. A file that
    cannot be read is listed in ``failed`` and the rest goes on.
    progress: called with events, which have the file at hand. level: standard deviation of the noise in
    every image, in units of white = 1, for a network that takes it; by default estimated, image by image.
    Raises CuelloError where there is nothing to do, a result exists and ``overwrite`` is not given, or the network
    takes no such level.
    """
    tell = listener(progress, ("done", "total", "path"))
    model.check_level(level)
    source, destination = Path(source).expanduser(), Path(destination).expanduser()
    if source.suffix.lower() == ".npy" and source.is_file():
        return apply_to_array(model, source, destination=destination, overwrite=overwrite, level=level)
    jobs = plan(source, destination)
    existing = [target for _, target in jobs if target.exists()]
    if existing and not overwrite:
        raise CuelloError(
            f"{len(existing)} of {len(jobs)} results exist already, e.g. {existing[0]}. Add --overwrite=True to "
            "replace them, or choose another place."
        )
    model.check_images()
    applied = Applied()
    for position, (path, target) in enumerate(jobs):
        tell(Progress("restoring", position, len(jobs), path=path))
        try:
            restore_file(model, path, target=target, notes=applied.notes, level=level)
            applied.written.append(target)
        except CuelloError as error:
            applied.failed.append((path, str(error)))
    tell(Progress("restoring", len(jobs), len(jobs), path=source))
    return applied


def plan(source: Path, destination: Path) -> list[tuple[Path, Path]]:
    """Return (file, where its result goes) for every image; CuelloError where that cannot be."""
    if source.is_dir():
        paths, _ = image_paths(source)
        if not paths:
            raise CuelloError(f"{source} holds no image (PNG, JPEG, BMP, GIF, WebP or TIFF).")
        if destination.is_file():
            raise CuelloError(f"{destination} is a file; a folder of images needs a folder for its results.")
        jobs = [(path, written_path(destination / path.relative_to(source))) for path in paths]
        seen: dict[Path, Path] = {}
        for path, target in jobs:
            if target in seen:
                raise CuelloError(f"{seen[target]} and {path} would both become {target}; rename one of them.")
            seen[target] = path
        return jobs
    if not source.exists():
        raise CuelloError(f"there is no file or folder {source}.")
    to_folder = destination.is_dir() or destination.suffix.lower() not in SUFFIXES
    target = destination / source.name if to_folder else destination
    return [(source, written_path(target))]


def restore_file(model: Model, path: Path, target: Path, notes: list[str], level: float | None = None) -> None:
    """Restore one image file, or every page of a TIFF; what changes beside the pixels is added to ``notes``."""
    offsets = page_offsets(path)
    make_folder(target.parent)
    if len(offsets) > 1:
        if target.suffix.lower() not in TIFF_SUFFIXES:
            raise CuelloError(
                f"{path} holds {len(offsets)} pages, and {target.suffix} holds one: name the result .tif."
            )
        pages = (read_page(path, number, offset, levels=model.levels) for number, offset in enumerate(offsets))
        write_pages(target, (restore_picture(model, page, level) for page in pages))
        return
    picture = read_picture(path, model.levels)
    write_picture(target, restore_picture(model, picture, level))
    if picture.mode in ("CMYK", "P", "PA", "YCbCr", "LAB", "HSV"):
        notes.append(f"{path} is {picture.mode} and was written as RGB")
    if target.suffix.lower() != path.suffix.lower():
        notes.append(f"{path} was written as {target.name}")


def restore_picture(model: Model, picture: StoredImage, level: float | None = None) -> StoredImage:
    """Restore a picture's pixels, and bring them back to the file's own units and type where a range was stated."""
    given = four_channels(picture) if model.channels == 4 else picture
    pixels = model.restore(given.pixels, level=level)
    alpha = None if given.alpha is None else model.enlarge(given.alpha)
    if model.levels is not None and given.stored is not None:
        pixels = model.levels.back(pixels, given.stored)
    if model.channels == 4:  # files keep a fourth channel where they keep transparency
        pixels, alpha = pixels[..., :3], pixels[..., 3:]
    return replace(picture, pixels=pixels, alpha=alpha)


def apply_to_array(
    model: Model, source: Path, destination: Path, overwrite: bool, level: float | None = None
) -> Applied:
    """Restore the images of an .npy file into another of the same axes and type."""
    target = destination / source.name if destination.is_dir() or destination.suffix.lower() != ".npy" else destination
    if target.exists() and not overwrite:
        raise CuelloError(f"{target} exists already. Add --overwrite=True to replace it, or choose another place.")
    try:
        images = np.load(source, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise CuelloError(f"{source} could not be read as NumPy's format: {error}.") from None
    restored = model(images, level)
    make_folder(target.parent)
    with replacing(target) as temporary, open(temporary, "wb") as stream:
        np.save(stream, restored)
    return Applied([target])
