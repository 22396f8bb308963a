"""What a machine says of itself before work begins there: versions, data, and whether it shares a folder."""

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from cuello.core.version import VERSION

WHOLE_BYTES = 64 * 2**20
"""Files up to this size are compared by their content, larger ones and those of a folder by name and size."""
REMEDIES = {
    "cuello": "install the same there: pip install cuello=={0}", "python": "start it with Python {0}",
    "torch": "install the same there: pip install torch=={0}", "ray": "install the same there: pip install ray=={0}",
}  # fmt: skip


class PathListing(NamedTuple):
    """What a path holds: how many files, their bytes together, and a checksum; files: -1 where nothing is there."""

    files: int
    size: int
    checksum: str

    def __str__(self) -> str:
        return "nothing" if self.files < 0 else f"{self.files:,} file{'s' * (self.files != 1)}, {self.size:,} bytes"


@dataclass(frozen=True)
class Survey:
    """What was found on a machine. versions: by name. data: by path. shares: whether it sees the caller's folder."""

    versions: Mapping[str, str]
    data: Mapping[str, PathListing]
    shares: bool = True


def surveyed(reads: Sequence[str], marker: str | None = None, token: str = "") -> Survey:
    """Look at this machine. marker: a file that the caller has written ``token`` to, in the folder of the work."""
    shares = False
    if marker is not None:
        try:
            shares = Path(marker).read_text("utf-8") == token
        except (OSError, ValueError):
            shares = False
    return Survey(versions(), {path: listing(Path(path)) for path in reads}, shares)


def versions() -> dict[str, str]:
    """Return the versions that must be the same everywhere, so that results do not depend on the machine."""
    found = {"cuello": VERSION, "python": platform.python_version()}
    for name in ("torch", "ray"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def listing(path: Path) -> PathListing:
    """Say what a path holds: of a folder names and sizes, of a file, up to 64 MiB, its content."""
    try:
        if path.is_dir():
            rows = sorted(entries(path, ""))
            digest = hashlib.blake2b(digest_size=16)
            for name, size in rows:
                digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
            return PathListing(len(rows), sum(size for _, size in rows), digest.hexdigest())
        size = path.stat().st_size
        content = path.read_bytes() if size <= WHOLE_BYTES else b""
        return PathListing(1, size, hashlib.blake2b(content, digest_size=16).hexdigest())
    except OSError:
        return PathListing(-1, 0, "")


def entries(folder: Path, before: str) -> Iterator[tuple[str, int]]:
    """Yield name and size of every file below a folder, hidden ones aside."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from entries(Path(entry.path), f"{before}{entry.name}/")
            else:
                yield f"{before}{entry.name}", entry.stat().st_size


def differences(here: Survey, there: Survey, node: str) -> list[str]:
    """Say in sentences what a machine has not as this one has it, and what to do.

    >>> empty = Survey({"torch": "2.9.0"}, {})
    >>> differences(empty, Survey({"torch": "2.8.0"}, {}), "gpu-3")
    ['gpu-3 has torch 2.8.0, needed 2.9.0 as here: install the same there: pip install torch==2.9.0.']
    """
    found = [
        f"{node} has {name} {there.versions.get(name, 'none')}, needed {own} as here: {REMEDIES[name].format(own)}."
        for name, own in here.versions.items()
        if there.versions.get(name) != own
    ]
    for path, own in here.data.items():
        other = there.data[path]
        if other.files < 0:
            found.append(
                f"{node} does not have {path}: copy it there, to the same place, or share it with all machines."
            )
        elif other != own:
            content = " with other content" if str(other) == str(own) else ""
            found.append(
                f"{node} has another {path} ({other}{content}; here {own}): copy it there anew, or share it with all "
                "machines."
            )
    return found
