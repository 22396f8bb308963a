"""Images in an HDF5 file, read one by one."""

import math
import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from cuello.core.errors import CuelloError, closest, first_few
from cuello.core.memory import check_unpacked
from cuello.data.arrays import ImageSource, check_labels, check_shape, numbered
from cuello.data.levels import AnyRange, UnfitError, fit
from cuello.data.picture import StoredImage

HDF5_SUFFIXES = (".h5", ".hdf5")
LOOKED_THROUGH = 2000  # groups and data sets of a file
CHUNK_CACHE = 16 * 2**20
"""Bytes of decompressed chunks that HDF5 keeps: images of one chunk are often read one after another."""


@dataclass(frozen=True, kw_only=True)
class Hdf5Source(ImageSource):
    """The images of one data set, ``(N, H, W)`` or ``(N, H, W, C)``, of an HDF5 file that stays open.

    dataset: h5py's. levels: the values that stand for black and white, where they are not the type's full scale.
    """

    path: Path
    dataset: Any
    levels: AnyRange | None = None
    lock: Lock = field(default_factory=Lock)

    def read(self, index: int) -> StoredImage:
        try:
            with self.lock:  # HDF5 itself is made for one thread
                pixels = np.asarray(self.dataset[index])
        except (OSError, RuntimeError, KeyError, ValueError, MemoryError) as error:
            raise CuelloError(
                f"{self.name}: image {self.names[index]} could not be read ({error}). The file may be damaged; copy "
                "it again from where it came."
            ) from None
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        fourth = pixels[..., 3:] if pixels.shape[-1] == 4 else None
        pixels = pixels[..., :3]
        try:
            levels = None if self.levels is None else self.levels.settled(pixels)
            fitting = fit(pixels, f"image {self.names[index]}", levels)
        except UnfitError as error:
            raise CuelloError(f"{self.name}: {error}.") from None
        return StoredImage(
            fitting, fourth, declared=False, stored=None if levels is None else pixels.dtype, levels=levels
        )

    def path_of(self, index: int) -> Path:
        return self.path


def split_name(path: Path) -> tuple[Path, str | None]:
    """Take ``file.h5:NAME`` apart; what is no such thing comes back whole.

    >>> split_name(Path("cells.h5:raw/day1"))[1]
    'raw/day1'
    """
    file, data_set = split_text(str(path))
    return (path, None) if data_set is None else (Path(file), data_set)


def split_text(text: str) -> tuple[str, str | None]:
    """Take the text of ``file.h5:NAME`` apart, which may be a URL; what is no such thing comes back whole."""
    found = re.fullmatch(r"(.*\.(?:h5|hdf5)):(.+)", text, re.IGNORECASE | re.DOTALL)
    return (found[1], found[2]) if found else (text, None)


def hdf5_source(path: Path, data_set: str | None = None, levels: AnyRange | None = None) -> Hdf5Source:
    """Open an HDF5 file; no pixel is read yet.

    data_set: which of its data sets; by default the one called "images", or the only one of 3 or 4 axes. Labels come
    from the data set "labels" beside it, if there is one. Raises CuelloError where h5py is missing, the file is
    damaged, no data set fits, or one has the wrong shape or type.
    """
    try:
        import h5py
    except ImportError:
        raise CuelloError(
            f"{path} is HDF5, and reading that needs one more package: pip install 'cuello[data]'"
        ) from None
    try:
        file = h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE)
        dataset = chosen(file, h5py.Dataset, data_set, path=path)
        check_own(dataset, path)
        beside = labels_beside(dataset, path)
        if beside is not None:
            check_labels(beside, dataset.shape[0] if dataset.shape else 0, str(path))
        labels = np.asarray(beside[()]) if beside is not None else None
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CuelloError(
            f"{path} could not be read as HDF5: {str(error).rstrip('.')}. It may be damaged or cut short; copy it "
            "again from where it came."
        ) from None
    name = f"{path}:{dataset.name.removeprefix('/')}"
    shape = (*dataset.shape, 1) if len(dataset.shape) == 3 else dataset.shape
    check_shape(shape, name)
    kind = dataset.dtype.kind
    if kind not in "buif":
        raise CuelloError(f"{name}: got values of type {dataset.dtype}, needed whole numbers or floats.")
    if labels is not None and labels.dtype.kind not in "bui":
        raise CuelloError(f"{name}: got labels of type {labels.dtype}, needed whole numbers.")
    check_labels(labels, shape[0], name)
    numbers = labels.astype(np.int64) if labels is not None else None
    return Hdf5Source(name, numbered(shape[0]), path=path, dataset=dataset, labels=numbers, levels=levels)


def check_own(dataset: Any, path: Path) -> None:
    """Raise CuelloError where a data set's values lie in other files, or its images are larger than what is stored."""
    if dataset.external or dataset.is_virtual:
        raise CuelloError(
            f"{path}: the data set {dataset.name} lies in other files, which, for safety, are not read. Copy it into "
            "one file, e.g. with h5repack."
        )
    image = math.prod(dataset.shape[1:]) * dataset.dtype.itemsize
    chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
    check_unpacked(max(image, chunk), dataset.id.get_storage_size(), f"an image of {path}")


def labels_beside(dataset: Any, path: Path) -> Any:
    """Return the data set "labels" beside one of images, None where there is none; CuelloError for one elsewhere."""
    import h5py

    if "labels" not in list(dataset.parent):
        return None
    if not isinstance(dataset.parent.get("labels", getlink=True), h5py.HardLink):
        raise CuelloError(
            f"{path}: its labels are a link, which, for safety, is not followed. Copy them into the file."
        )
    beside = dataset.parent["labels"]
    if not isinstance(beside, h5py.Dataset) or beside == dataset:
        return None
    check_own(beside, path)
    return beside


def chosen(file: Any, kind: type, data_set: str | None, *, path: Path) -> Any:
    """Find the data set that is asked for, or that can only be meant; CuelloError that lists what is there."""
    there: dict[str, Any] = {}

    def visit(name: str, item: Any) -> bool | None:
        there.update({name: item} if isinstance(item, kind) else {})
        return True if next(visited) > LOOKED_THROUGH else None

    visited = count()
    file.visititems(visit)
    wanted = data_set.strip("/") if data_set is not None else "images"
    if wanted not in there and type(file.get(wanted, getlink=True)).__name__ == "ExternalLink":
        raise CuelloError(
            f"{path}: {wanted} is a link to another file, which, for safety, is not read. Open that file."
        )
    if wanted in there:
        return there[wanted]
    images = [item for item in there.values() if len(item.shape) in (3, 4)]
    if data_set is None and len(images) == 1:
        return images[0]
    listed = first_few((f"{name} {tuple(item.shape)}" for name, item in there.items()), 20) or "none"
    problem = "holds several data sets that may be the images." if images else "holds no images."
    if data_set is not None:
        problem = f"has no data set {data_set!r}.{closest(wanted, there)}"
    example = images[0].name.removeprefix("/") if images else "NAME"
    raise CuelloError(f"{path} {problem} Its data sets: {listed}. Name one of 3 or 4 axes, e.g. {path}:{example}")
