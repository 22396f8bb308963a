"""Where images come from: folders, arrays, IDX files. Each is an ImageSource."""

import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from cuello.core.errors import CuelloError, Fault, first_few
from cuello.core.files import check_no_device, printable
from cuello.core.memory import check_memory, check_unpacked
from cuello.data.arrays import ImageSource, check_labels, check_shape, numbered
from cuello.data.folders import list_images, meaning_of, no_image
from cuello.data.frames import frames_of, read_frame
from cuello.data.hdf5 import HDF5_SUFFIXES, hdf5_source, split_name
from cuello.data.levels import AnyRange, Levels, UnfitError, fit
from cuello.data.picture import SUFFIXES, StoredImage, four_channels, read_picture
from cuello.data.stack import Place, pages_of, parts_of, read_page

ARRAY_SUFFIXES = {".npy", ".npz"}


@dataclass(frozen=True, kw_only=True)
class FileSource(ImageSource):
    """Images in files: one each, or the pages of a TIFF, and what channels these have beside their colours.

    pages: by position, for the images that are one of several in a file, the number and where it lies there. frames:
    by position, for the images that are a frame of an animation, its number. levels: the values that stand for black
    and white, where they are not the type's full scale.
    """

    paths: Sequence[Path]
    pages: Mapping[int, tuple[int, Place]] = field(default_factory=dict)
    frames: Mapping[int, int] = field(default_factory=dict)
    levels: AnyRange | None = None

    def read(self, index: int) -> StoredImage:
        if index in self.frames:
            return read_frame(self.paths[index], self.frames[index], self.levels)[0]
        if index in self.pages:
            return read_page(self.paths[index], *self.pages[index], self.levels)
        return read_picture(self.paths[index], self.levels)

    def path_of(self, index: int) -> Path:
        return self.paths[index]

    def undivided(self) -> "FileSource":
        """Return the same with the channels of a page as one image again."""
        if all(place.part is None for _, place in self.pages.values()):
            return self
        kept = [k for k in range(len(self.names)) if k not in self.pages or not self.pages[k][1].part]
        pages = {
            new: (self.pages[old][0], self.pages[old][1]._replace(part=None))
            for new, old in enumerate(kept)
            if old in self.pages
        }
        part = {
            name: None if which is None else np.flatnonzero(np.isin(kept, which))
            for name, which in (("held_out", self.held_out), ("validated", self.validated))
        }
        return replace(
            self,
            names=[self.names[k] for k in kept],
            paths=[self.paths[k] for k in kept],
            labels=None if self.labels is None else self.labels[kept],
            pages=pages,
            frames={new: self.frames[old] for new, old in enumerate(kept) if old in self.frames},
            **part,
        )


@dataclass(frozen=True, kw_only=True)
class ArraySource(ImageSource):
    """Images of one size in an array ``(N, H, W, C)``, uint8, uint16, or float in [0, 1].

    fourth: ``(N, H, W, 1)``, what is taken for transparency, or None. levels: as in FileSource.
    """

    images: np.ndarray
    fourth: np.ndarray | None = None
    levels: Levels | None = None

    @property
    def in_memory(self) -> bool:
        return True

    def read(self, index: int) -> StoredImage:
        fourth = None if self.fourth is None else self.fourth[index]
        return StoredImage(self.images[index], fourth, levels=self.levels, declared=False)


@dataclass(frozen=True, kw_only=True)
class FourChannelSource(ImageSource):
    """The images of a source with their fourth channel, which is no transparency."""

    source: ImageSource

    def read(self, index: int) -> StoredImage:
        picture = self.source.read(index)
        try:
            return four_channels(picture)
        except CuelloError as error:
            raise CuelloError(f"{self.name}, {self.names[index]}: {error}") from None

    def path_of(self, index: int) -> Path | None:
        return self.source.path_of(index)


def with_four_channels(source: ImageSource) -> FourChannelSource:
    source = source.undivided() if isinstance(source, FileSource) else source
    about = {one.name: getattr(source, one.name) for one in fields(ImageSource)}
    return FourChannelSource(**about, source=source)


def folder_source(folder: Path, levels: AnyRange | None = None) -> FileSource:
    """Open every image below ``folder``, every page of a TIFF as one; class-named subfolders become labels.

    Images have labels when all of them lie in at least two subfolders of ``folder`` and none directly in it. Folders
    such as ``train``, ``val`` and ``test`` are no classes: they say what the images in them are for.
    """
    listing = list_images(folder)
    if not listing.images:
        raise Fault(no_image(listing))
    names = [printable(path.relative_to(folder).as_posix()) for path in listing.images]
    source = with_pages(str(folder), listing.images, names, levels=levels)
    meaning = meaning_of(listing, source.paths)
    classes = sorted(set(meaning.classes or ()))
    labels = None if meaning.classes is None else np.array([classes.index(one) for one in meaning.classes])
    parts = np.array(meaning.parts or [""] * len(names))
    held_out, validated = (np.flatnonzero(parts == part) for part in ("testing", "validation"))
    return replace(
        source,
        labels=labels,
        label_names=[printable(name) for name in classes] or None,
        held_out=held_out if len(held_out) else None,
        validated=validated if len(validated) else None,
        notes=[*listing.notes(), *meaning.notes, *source.notes],
    )


def with_pages(name: str, paths: Sequence[Path], names: Sequence[str], levels: AnyRange | None) -> FileSource:
    """Open the images in ``paths``; a TIFF's pages and an animation's frames are ``NAME#000``, ``NAME#001``, …

    So does a page with channels that are neither colours nor transparency: the colours are one image, each of them one.
    """
    images: list[tuple[str, Path]] = []
    pages: dict[int, tuple[int, Place]] = {}
    divided = 0
    frames: dict[int, int] = {}
    several: list[str] = []
    for path, own in zip(paths, names, strict=True):
        animation = frames_of(path)
        if animation is not None and animation.kind == "MPO":
            several.append(own)
        elif animation is not None:
            for number in range(animation.count):
                frames[len(images)] = number
                images.append((f"{own}#{number:0{max(3, len(str(animation.count - 1)))}d}", path))
            continue
        try:
            found = pages_of(path)
            offsets = parts_of(path, found) if found.mixed else found.places
            divided += len(offsets) > len(found.places)
        except Exception:  # reading the file says what is wrong with it
            offsets = []
        if len(offsets) < 2:
            images.append((own, path))
            continue
        digits = max(3, len(str(len(offsets) - 1)))
        for number, offset in enumerate(offsets):
            pages[len(images)] = (number, offset)
            images.append((f"{own}#{number:0{digits}d}", path))
    names, paths = [own for own, _ in images], [path for _, path in images]
    notes = []
    if divided:
        notes.append(
            f"{divided} files hold channels that are neither colours nor transparency: each is an image of its own "
            "(--channels=4 keeps four together)"
        )
    if several:
        notes.append(
            f"{len(several)} files hold several pictures (MPO), of which the first is used: {first_few(several)}"
        )
    return FileSource(name, names, notes=notes, paths=paths, pages=pages, frames=frames, levels=levels)


def array_source(
    images: np.ndarray, labels: np.ndarray | None = None, name: str = "array", levels: AnyRange | None = None
) -> ArraySource:
    """Make a source of the images in an array.

    images: ``(N, H, W)`` grey or ``(N, H, W, C)`` with C of 1, 3 or 4 (the fourth is transparency); uint8, uint16,
    bool, or floats in [0, 1]; with ``levels``, which say what stands for black and white, any whole numbers or floats.
    labels: ``(N,)`` whole numbers. Raises CuelloError for other shapes or types, NaN, infinity.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    check_shape(images.shape, name)
    fourth = images[..., 3:] if images.shape[-1] == 4 else None
    images = images[..., :3]
    if levels is None and images.dtype.kind not in "bf" and images.dtype not in (np.uint8, np.uint16):
        raise unknown_type(name, images.dtype)
    levels = None if levels is None else levels.settled(images)
    try:
        images = fit(images, "the array", levels)
    except UnfitError as error:
        raise CuelloError(f"{name}: {error}.") from None
    check_labels(labels, len(images), name)
    return ArraySource(name, numbered(len(images)), images=images, fourth=fourth, levels=levels, labels=labels)


def unknown_type(name: str, dtype: np.dtype) -> CuelloError:
    """Say that an array's values are of a type of which it is not known what stands for white."""
    return CuelloError(
        f"{name}: got values of type {dtype}, needed uint8, uint16, bool or floats in [0, 1]. "
        "Convert them, e.g. array.astype('uint8') if they are 0 to 255, or say what stands for black and white, "
        "e.g. --range=0..4095."
    )


def numpy_source(path: Path, levels: AnyRange | None = None) -> ArraySource:
    """Open the images in an ``.npy`` or ``.npz`` file; nothing in it is ever run (pickles are refused).

    An ``.npz`` gives its array ``images`` (or its only one) and ``labels`` if it has them.
    """
    with numpy_errors(path):
        content = load_numpy(path)
        if isinstance(content, np.ndarray):
            return array_source(content, name=str(path), levels=levels)
        with content:
            keys = [key for key in content.files if key != "labels"]
            if "images" not in keys and len(keys) != 1:
                raise CuelloError(
                    f"{path} holds the arrays {first_few(content.files, 20)}; call the one with the images 'images'."
                )
            images = content["images" if "images" in keys else keys[0]]
            labels = content["labels"] if "labels" in content.files else None
            return array_source(images, labels, str(path), levels=levels)


def load_numpy(path: Path) -> Any:
    """Load an ``.npy`` or ``.npz`` file whose headers promise no more than it holds and memory takes."""
    if zipfile.is_zipfile(path):
        check_members(path)
    else:
        with open(path, "rb") as file:
            check_array(file, path.stat().st_size, str(path))
            check_memory(path.stat().st_size, f"{path} needs", "Give fewer images, or a folder of them.")
    return np.load(path, allow_pickle=False)


@contextmanager
def numpy_errors(path: Path) -> Iterator[None]:
    """Turn what NumPy and the zip library raise for damaged files into a Fault that names the file and the remedy."""
    try:
        yield
    except UNREADABLE as error:
        reason = f"{error}. Copy or save it again"
        if "pickle" in str(error).lower():
            reason = (
                "it is something else, or it holds Python objects, which, for safety, are not read. "
                "Save the images as one array of numbers"
            )
        raise Fault(f"{path} could not be read as NumPy's format: {reason}.") from None


UNREADABLE = (
    ValueError, OSError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error, SyntaxError,
    TokenError, TypeError, KeyError, IndexError,
)  # fmt: skip
"""What NumPy and the zip library raise for damaged files."""


def check_members(path: Path) -> None:
    """Raise CuelloError or ValueError where an ``.npz`` holds an array larger than its content, or a trap."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename in ("images.npy", "labels.npy") or len(archive.infolist()) <= 2:
                check_unpacked(member.file_size, member.compress_size, f"{path} ({member.filename})")
                with archive.open(member) as file:
                    check_array(file, member.file_size, member.filename)


def check_array(file: IO[bytes], size: int, name: str) -> None:
    """Raise ValueError where a NumPy array's header promises more than the ``size`` bytes of its file hold."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    promised = math.prod(shape) * kind.itemsize
    if kind.hasobject:
        raise ValueError(f"{name} holds pickled Python objects")
    if not 0 <= promised <= size or min(shape, default=0) < 0:
        raise ValueError(f"{name}: its header promises {promised} bytes, the file has {size}; it may be cut short")


MOST_AXES = 4
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Path) -> np.ndarray:
    """Read the array in an IDX file, MNIST's format, compressed by gzip or not.

    Layout: two zero bytes, a type code, the number of axes, each axis as a big-endian 32-bit number, then the data.
    """
    try:
        with open(path, "rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            zeros, code, axes = struct.unpack(">HBB", file.read(4))
            if zeros != 0 or code not in IDX_TYPES:
                raise ValueError("the first bytes are not IDX's")
            if not 1 <= axes <= MOST_AXES:
                raise ValueError(f"{axes} axes, needed 1 to {MOST_AXES}")
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            expected, kind = math.prod(shape), np.dtype(IDX_TYPES[code])
            size = path.stat().st_size
            if packed or expected * kind.itemsize <= size:
                check_unpacked(expected * kind.itemsize, size, str(path))
            content = file.read(min(expected * kind.itemsize, size * 2000) + 1)
        array = np.frombuffer(content, kind)
        if array.size != expected:
            raise ValueError(f"{array.size} values where the header promises {expected}; it may be cut short")
    except (OSError, ValueError, struct.error, EOFError, zlib.error) as error:
        raise CuelloError(
            f"{path} could not be read as an IDX file: {error}. Copy it again from where it came."
        ) from None
    return array.reshape(shape).astype(array.dtype.newbyteorder("="))


def is_idx_name(path: Path) -> bool:
    """Know an IDX file by its name: …-idx3-ubyte, ….idx, with or without .gz."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(("ubyte", ".idx"))


def idx_source(path: Path, levels: AnyRange | None = None) -> ArraySource:
    """Open the images in an IDX file; labels come from the ``labels-idx1`` file beside it, if there is one."""
    labels_path = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = read_idx(labels_path).astype(np.int64) if labels_path != path and labels_path.is_file() else None
    return array_source(read_idx(path), labels, str(path), levels=levels)


def open_path(path: Path, levels: AnyRange | None = None) -> ImageSource:
    """Open the images at ``path``: a folder, one image or a TIFF's pages, .npy, .npz, IDX or HDF5 (FILE.h5:NAME).

    levels: the values that stand for black and white, where they are not the type's full scale.
    """
    if path.is_dir():
        return folder_source(path, levels)
    file, data_set = split_name(path)
    if not file.exists():
        raise Fault(f"there is no file or folder {path}.")
    check_no_device(file)
    if file.suffix.lower() in HDF5_SUFFIXES:
        return hdf5_source(file, data_set, levels)
    if path.suffix.lower() in ARRAY_SUFFIXES:
        return numpy_source(path, levels)
    if is_idx_name(path):
        return idx_source(path, levels)
    if path.suffix.lower() in SUFFIXES:
        return with_pages(str(path), [path], [path.name], levels=levels)
    raise CuelloError(
        f"{path}: no kind of image file has the ending {path.suffix or '(none)'!r}. "
        "Needed: a folder, an image, .npy, .npz, .h5, or IDX (…-ubyte, …-ubyte.gz)."
    )
