"""Images at a URL, brought to this machine: what is there already and has not changed is not fetched again."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from cuello.core.errors import CuelloError, Fault, first_few
from cuello.core.files import make_folder, printable, temporary_folder
from cuello.core.progress import Progress, heard
from cuello.data.folders import is_left_out
from cuello.data.hdf5 import split_text
from cuello.data.picture import FORMATS, SUFFIXES
from cuello.data.remote.address import Address, address_of
from cuello.data.remote.cache import check_room, is_intact, keep, kept_objects, key_of, remote_cache, tree_of
from cuello.data.remote.stores import NotThere, StoredFile, files_in, get, look, opened

BATCH, BATCH_BYTES = 256, 256 * 2**20
"""Files, and bytes, that are fetched before they are taken into the cache: what a stop costs at most."""
ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class FoundThere:
    """What a URL names.

    folder: around all of it. tail: what was named, below the folder; "" for the folder itself. files: to be fetched.
    aside: names of files that are no images by their ending.
    """

    folder: Address
    tail: str
    files: list[StoredFile]
    aside: list[str] = field(default_factory=list)


def fetched(place: str | os.PathLike[str]) -> Path:
    """Bring what a URL names to this machine, and return where it is: a file, a folder, or a pattern below a folder.

    place: ``s3://``, ``gs://``, ``https://`` or ``memory://``; of an HDF5 file with ``:NAME`` behind it, as locally.
    In a folder only files are fetched that are images by their ending. What was fetched before is compared with its
    checksum, and fetched again where it was changed, here or there. Messages name the URL, wherever the files are.
    Raises CuelloError, or a Fault where the same may work later, in words that name nothing secret.
    """
    text, data_set = split_text(os.fspath(place))
    address = address_of(text)
    system = opened(address)
    found = found_there(system, address)
    tree = brought(system, found)
    path = tree / found.tail if found.tail else tree
    return path if data_set is None else Path(f"{path}:{data_set}")


def found_there(system: Any, address: Address) -> FoundThere:
    """Look at what a URL names; CuelloError where it is nothing that images can be in."""
    try:
        file = look(system, address)
    except NotThere:
        if not address.has_magic:
            raise
        return matching(system, address)
    if file is None or (file.page and not is_wanted(file.name)):
        return whole_folder(system, Address(address.protocol, address.place.rstrip("/")))
    if file.page:
        raise no_image_page(address)
    files = [file]
    if (labels := labels_of(file.name)) is not None:
        beside = address.folder.below(labels)
        try:
            found = look(system, beside)
        except NotThere:  # there are none
            found = None
        files += [found] if found is not None else []
    return FoundThere(address.folder, file.name, files)


def labels_of(name: str) -> str | None:
    """Say what the labels beside an IDX file of images are called; see ``sources.idx_source``."""
    other = name.replace("images", "labels").replace("idx3", "idx1")
    return other if other != name and "ubyte" in name else None


def whole_folder(system: Any, address: Address) -> FoundThere:
    """List a folder: all images in it, and what else there is."""
    listed = usable(address, files_in(system, address, is_wanted))
    files = [one for one in listed if is_wanted(one.name) and not one.page]
    if address.is_web and not files:
        raise no_image_page(address)
    return FoundThere(address, "", files, aside=others(listed, files))


def others(listed: Iterable[StoredFile], files: Iterable[StoredFile]) -> list[str]:
    """Name what is listed and will not be fetched."""
    fetched_names = {one.name for one in files}
    return [one.name for one in listed if one.name not in fetched_names]


def is_wanted(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def no_image_page(address: Address) -> CuelloError:
    return CuelloError(
        f"{address} is a web page, and neither an image ({FORMATS}) nor a list of files that links to some. Name the "
        "image's own address; of a folder, its server has to show what is in it."
    )


def matching(system: Any, address: Address) -> FoundThere:
    """List the files that a pattern may stand for; which it does is seen where they are looked for."""
    parts = address.place.split("/")
    first = next(place for place, part in enumerate(parts) if Address(address.protocol, part).has_magic)
    if first == 0:
        raise CuelloError(f"{address}: got a pattern for the bucket or host, needed its name.")
    folder, tail = Address(address.protocol, "/".join(parts[:first])), "/".join(parts[first:])
    wide = tail.replace("**/", "*").rstrip("/")
    listed = [one for one in usable(folder, files_in(system, folder, is_wanted)) if may_match(one.name, wide)]
    if not listed:
        raise CuelloError(f"there is no file or folder {address}, and none that this pattern stands for.")
    files = [one for one in listed if is_wanted(one.name) or one.name.lower().endswith(ARRAYS)]
    return FoundThere(folder, tail, files, aside=others(listed, files))


def may_match(name: str, pattern: str) -> bool:
    """Tell whether a file, or a folder around it, is one that a pattern stands for; a few more are no harm."""
    parts = name.split("/")
    return any(fnmatchcase("/".join(parts[:count]), pattern) for count in range(1, len(parts) + 1))


def usable(folder: Address, files: Iterable[StoredFile]) -> list[StoredFile]:
    """Leave out hidden files, as in every folder, and, with a note, names that no file of this machine can have."""
    shown = [one for one in files if not is_hidden(one.name)]
    around = {str(parent) for one in shown for parent in PurePosixPath(one.name).parents}
    unfit = [one for one in shown if one.name in around or not is_safe(one.name)]
    if unfit:
        names = first_few(printable(one.name) for one in unfit)
        heard()(Progress("fetching", note=f"left out: {folder} holds names that cannot be files here: {names}"))
    return [one for one in shown if one not in unfit]


def is_hidden(name: str) -> bool:
    """Know hidden and system files and folders; ``..`` is none, and is told of."""
    return any(is_left_out(part) for part in name.split("/") if part not in (".", ".."))


def is_safe(name: str) -> bool:
    """Tell whether a name leads to a place below its folder, and nowhere else, on every system.

    >>> is_safe("cats/a.png"), is_safe("../a.png"), is_safe("a//b.png"), is_safe("C:a.png")
    (True, False, False, False)
    """
    parts = name.split("/")
    return not any(part in ("", ".", "..") for part in parts) and not set(name) & set("\\:\0")


def brought(system: Any, found: FoundThere) -> Path:
    """Fetch what is not kept yet, or no longer as it was, and lay all of it out as a folder."""
    keys = {one.name: key_of(found.folder, one) for one in found.files}
    kept = kept_objects(keys.values())
    objects: dict[str, Path | None] = dict.fromkeys(found.aside)
    missing, damaged = [], []
    for one in found.files:
        path = kept.get(keys[one.name])
        if path is not None and one.version is not None and is_intact(path):
            objects[one.name] = path
            continue
        missing.append(one)
        if path is not None:
            damaged += [one.name] if one.version is not None else []
            path.unlink(missing_ok=True)
    tell = heard()
    if damaged:
        names = f"{len(damaged)} files of {found.folder} in the cache were damaged and are fetched again"
        tell(Progress("fetching", note=f"{names}: {first_few(map(printable, damaged))}"))
    check_room(sum(one.size or 0 for one in missing), found.folder)
    done = 0
    for batch in batches_of(missing):
        tell(Progress("fetching", done, len(missing)))
        objects |= fetch_batch(system, found.folder, batch, keys=keys)
        done += len(batch)
    if missing:
        tell(Progress("fetching", done, len(missing)))
    return tree_of(found.folder, objects)


def batches_of(files: Sequence[StoredFile]) -> Iterator[list[StoredFile]]:
    """Divide files into batches of few enough, and small enough."""
    batch: list[StoredFile] = []
    size = 0
    for one in files:
        if batch and (len(batch) == BATCH or size + (one.size or 0) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size or 0
    if batch:
        yield batch


def fetch_batch(system: Any, folder: Address, batch: Sequence[StoredFile], *, keys: dict[str, str]) -> dict[str, Path]:
    """Fetch files side by side under temporary names, and take each that is whole into the cache."""
    with temporary_folder(make_folder(remote_cache()), "fetch") as temporary:
        targets = [temporary / str(number) for number in range(len(batch))]
        get(system, batch, targets, address=folder if len(batch) > 1 else folder.below(batch[0].name))
        objects = {}
        for one, target in zip(batch, targets, strict=True):
            if one.size is not None and target.stat().st_size != one.size:
                raise Fault(
                    f"{folder.below(one.name)} has {target.stat().st_size} bytes and had {one.size} when it was "
                    "listed: it is being changed, or broke off. Try again."
                )
            objects[one.name] = keep(target, keys[one.name], PurePosixPath(one.name).suffix.lower()[:16])
    return objects
