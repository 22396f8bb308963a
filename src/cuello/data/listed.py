"""Files of known data sets: their names, checksums and addresses, whose they are, and what is made of some of them."""

import contextlib
import gzip
import hashlib
import io
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from cuello.core.errors import CuelloError, Fault
from cuello.core.files import replacing
from cuello.core.memory import UNPACKED_FREELY


@dataclass(frozen=True)
class Original:
    """A photograph that is made smaller here: its SHA-256 as its source serves it, and the size of what is made."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set: its name, its SHA-256, its address.

    sha256: of its content; unpacked, if it is a .gz; of its pixels (8 bits, RGB, row by row), if it is made here.
    packed: the SHA-256 of the .gz as its source serves it; None where ``sha256`` is already the file's own.
    original: what the address gives, where the file is made of it here; None elsewhere.
    author, licence: whose it is and how it may be used, where that is not the same for the whole data set.
    """

    name: str
    sha256: str
    url: str
    packed: str | None = None
    original: Original | None = None
    author: str = ""
    licence: str = ""


def checksum_table(name: str, base: str = "") -> Callable[[], list[RemoteFile]]:
    """Give a reader of ``checksums/NAME.txt``: a line a file, its name, SHA-256 (/ packed) and path below ``base``."""

    def read() -> list[RemoteFile]:
        files = []
        for line in table_text(f"{name}.txt").splitlines():
            file, checksums, path = line.split(" ", 2)
            sha256, _, packed = checksums.partition("/")
            files.append(RemoteFile(file, sha256, f"{base}/{path}" if base else "", packed=packed or None))
        return files

    return read


def photographers_table(name: str) -> Callable[[], list[RemoteFile]]:
    """Give a reader of ``checksums/NAME.toml``, which says of each photograph whose it is; in order of their names."""

    def read() -> list[RemoteFile]:
        files = []
        for one in tomllib.loads(table_text(f"{name}.toml"))["photographer"]:
            rights = {"author": one["author"], "licence": one["licence"]}
            for file, sha256, path, *original in [*one.get("files", []), *one.get("made", [])]:
                made = Original(*original) if original else None
                files.append(RemoteFile(file, sha256, f"{one['address']}/{path}", original=made, **rights))
        return sorted(files, key=lambda file: file.name)

    return read


def table_text(name: str) -> str:
    return resources.files("cuello.data").joinpath("checksums", name).read_text("utf-8")


def unpacked(content: bytes) -> bytes:
    """Return what gzip packed, as far as it is no larger than any file of the catalogue."""
    with gzip.open(io.BytesIO(content)) as file:
        return file.read(UNPACKED_FREELY)


def checked(path: Path, file: RemoteFile) -> Path:
    """Give ``path`` back if its content has the right checksum; CuelloError otherwise."""
    digest = digest_of(path.read_bytes(), file)
    if digest != file.sha256:
        raise CuelloError(
            f"{path} is not the file it should be: its checksum is {digest[:12]}…, needed {file.sha256[:12]}…. "
            "Remove it, so that it is fetched again."
        )
    return path


def digest_of(content: bytes, file: RemoteFile) -> str:
    """Return the SHA-256 of what counts of a file's content: what is packed in it, its pixels, or all of it."""
    if content[:2] == b"\x1f\x8b":
        with contextlib.suppress(OSError, EOFError, zlib.error):  # damaged: its checksum will say so
            content = unpacked(content)
    if file.original is not None:
        content = pixels_of(content, file.original) or content
    return hashlib.sha256(content).hexdigest()


def pixels_of(content: bytes, original: Original) -> bytes | None:
    """Return the pixels of a picture, 8 bits, RGB, row by row; None where it is none of the size it should be."""
    from PIL import Image

    with contextlib.suppress(OSError, SyntaxError, ValueError), Image.open(io.BytesIO(content)) as picture:
        if picture.mode == "RGB" and picture.size == (original.width, original.height):
            return picture.tobytes()
    return None


def made_smaller(source: Path, file: RemoteFile, path: Path) -> Path:
    """Write the photograph ``source`` to ``path``, a PNG, as small as ``file`` says; what lies there already is kept.

    Lanczos' kernel in Pillow's whole numbers: every machine whose JPEG decoder is exact makes the same pixels. Raises
    Fault where this one does not.
    """
    from PIL import Image

    assert file.original is not None
    if path.is_file() and digest_of(path.read_bytes(), file) == file.sha256:
        return path
    with Image.open(source) as picture:
        size = (file.original.width, file.original.height)
        small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    if hashlib.sha256(small.tobytes()).hexdigest() != file.sha256:
        raise Fault(
            f"{file.name} comes out of {source} with other pixels than it should: this Python's Pillow reads JPEG, or "
            "makes it smaller, in another way. Install Pillow anew, or put the file into a folder open-photos/ and set "
            "CUELLO_DATA to the folder above it."
        )
    with replacing(path) as temporary:
        small.save(temporary, "PNG")
    return path
