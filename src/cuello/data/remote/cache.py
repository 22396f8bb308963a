"""What was fetched, kept: each file once by URL, size and version, with the checksum of its content in its name.

``objects/AB/KEY-SHA256.ENDING`` are the files; ``trees/KEY/NAME/`` are folders as they were when they were listed, of
second names (hard links) of these files. Nothing in either is changed once it is there: a file that was changed in
its store has another key, and a folder in which anything was changed another tree.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from cuello.core.errors import CuelloError, Fault
from cuello.core.files import as_cuello_error, cache_folder, make_folder, temporary_folder
from cuello.core.spoken import speak_of
from cuello.data.remote.address import Address
from cuello.data.remote.stores import StoredFile

NAME = re.compile(r"(?P<key>[0-9a-f]{32})-(?P<sha256>[0-9a-f]{64})")
VERIFIED: dict[str, tuple[int, int, int]] = {}
"""By path, what this process has compared with its checksum: its inode, size and time."""


def remote_cache() -> Path:
    """Return the folder of all that was fetched; it may be removed at any time at which nothing uses it."""
    return (cache_folder() / "remote").resolve()


def key_of(address: Address, file: StoredFile) -> str:
    """Return what a file is known by: its URL, size and version."""
    where = file.path if address.is_web else f"{address.protocol}://{file.path}"
    return hashlib.blake2b(f"{where}\0{file.size}\0{file.version}".encode(), digest_size=16).hexdigest()


def kept_objects(keys: Iterable[str]) -> dict[str, Path]:
    """Find which files are there, by their keys; their content has not been looked at."""
    wanted = set(keys)
    found: dict[str, Path] = {}
    for shard in {key[:2] for key in wanted}:
        with suppress(OSError), os.scandir(remote_cache() / "objects" / shard) as entries:
            for entry in entries:
                name = NAME.match(entry.name)
                if name is not None and name["key"] in wanted:
                    found[name["key"]] = Path(entry.path)
    return found


def is_intact(path: Path, sha256: str | None = None) -> bool:
    """Tell whether a file still has the checksum in its name, or the one given; read once a process."""
    named = NAME.match(path.name)
    try:
        about = path.stat()
        mark = (about.st_ino, about.st_size, about.st_mtime_ns)
        if VERIFIED.get(str(path)) == mark:
            return True
        same = sha256_of(path) == (sha256 or (named and named["sha256"]))
    except OSError:
        return False
    if same:
        VERIFIED[str(path)] = mark
    return same


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def keep(fetched: Path, key: str, ending: str) -> Path:
    """Take a file that was fetched whole into the cache, and return where it is now."""
    place = remote_cache() / "objects" / key[:2] / f"{key}-{sha256_of(fetched)}{ending}"
    make_folder(place.parent)
    try:
        os.replace(fetched, place)
    except OSError as error:
        raise as_cuello_error(error, place) from None
    about = place.stat()
    VERIFIED[str(place)] = (about.st_ino, about.st_size, about.st_mtime_ns)
    return place


def unwritable(address: Address, why: CuelloError) -> Fault:
    """Say that the cache cannot be written."""
    return Fault(
        f"{address} cannot be fetched into {remote_cache()}: {why.args[0]} Set CUELLO_CACHE to a folder that can be "
        "written."
    )


def check_room(needed: int, address: Address) -> None:
    """Raise a Fault where the cache cannot be written, or its disk is too small for so many bytes."""
    try:
        with temporary_folder(make_folder(remote_cache()), "room"):
            pass
    except OSError as error:
        raise unwritable(address, as_cuello_error(error, remote_cache())) from None
    except CuelloError as error:
        raise unwritable(address, error) from None
    free = shutil.disk_usage(remote_cache()).free
    if needed > free:
        raise Fault(
            f"{address} needs {needed / 1e9:.1f} GB in {remote_cache()}, where {free / 1e9:.1f} GB are free. Remove "
            "that folder, which can be fetched again, or set CUELLO_CACHE to a folder on a larger disk."
        )


def tree_of(folder: Address, files: Mapping[str, Path | None]) -> Path:
    """Lay kept files out as they lie in their folder, and let it be spoken of by its URL.

    files: by name, the file; None for one that was not fetched, since it is no image: only its name is there.
    """
    state = hashlib.blake2b(str(folder).encode(), digest_size=16)
    for name, path in sorted(files.items()):
        state.update(f"\0{name}\0{path.name if path else ''}".encode(errors="surrogateescape"))
    whole = make_folder(remote_cache() / "trees") / state.hexdigest()
    tree = whole / (folder.name or "files")
    speak_of(tree, str(folder).rstrip("/"))
    try:
        if not whole.is_dir():
            with temporary_folder(whole.parent, "tree") as made:
                lay_out(made / tree.name, files)
                with suppress(OSError):  # somebody else was quicker
                    os.rename(made, whole)
        lay_out(tree, files)
    except OSError as error:
        raise as_cuello_error(error, tree) from None
    return tree


def lay_out(tree: Path, files: Mapping[str, Path | None]) -> None:
    """Give files their names in a tree, where these are not there or are of something else."""
    tree.mkdir(parents=True, exist_ok=True)
    for folder in {(tree / name).parent for name in files}:
        folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        target = tree / name
        if path is None:
            target.touch()
        elif not is_same(target, path):
            target.unlink(missing_ok=True)
            try:
                os.link(path, target)
            except FileExistsError:
                pass  # of somebody else, just now
            except OSError:  # no second names on this file system
                shutil.copyfile(path, target)


def is_same(target: Path, path: Path) -> bool:
    """Tell whether a file of a tree is the kept one: by another name, or as a copy that is intact."""
    try:
        if os.path.samestat(target.stat(), path.stat()):
            return True
    except OSError:
        return False
    named = NAME.match(path.name)
    return named is not None and is_intact(target, named["sha256"])


def size_of_cache() -> int:
    """Return how many bytes the kept files take."""
    total = 0
    for folder, _, names in os.walk(remote_cache() / "objects"):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(folder, name)).st_size
    return total
