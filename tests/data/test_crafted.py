"""Files that promise more than they hold, unpack to more than memory has, or point at other files: a plain error."""

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cuello.core.errors import CuelloError
from cuello.core.memory import check_unpacked
from cuello.data.sources import open_path


def npy(shape: str, kind: str = "|u1", content: bytes = b"x" * 16) -> bytes:
    """Return an ``.npy`` file with any header."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + content


def idx(shape: tuple[int, ...], content: bytes = b"x" * 16, code: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + content


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


ZEROS = b"\0" * 200_000_000
BAD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "exabytes": ("a.npy", lambda: npy("(1000000000, 1000000000)"), "promises"),
    "more than any number": ("a.npy", lambda: npy("(9223372036854775807, 9223372036854775807, 3)"), "promises"),
    "a length below 0": ("a.npy", lambda: npy("(-1, -4, 4)"), "promises|below|NumPy"),
    "objects": ("a.npy", lambda: npy("(1, 1, 2)", "|O"), "Python objects"),
    "long texts": ("a.npy", lambda: npy("(1, 4, 4)", "<U100000000"), "promises"),
    "300 axes": ("a.npy", lambda: npy("(" + "1," * 300 + ")"), "NumPy"),
    "brackets": ("a.npy", lambda: npy("(" * 3000 + ")" * 3000), "NumPy"),
    "exabytes in a zip": ("a.npz", lambda: zipped(images=npy("(1000000, 1000000, 3)")), "promises"),
    "labels in a zip": ("a.npz", lambda: zipped(images=npy("(1,4,4)"), labels=npy("(9999999999,)", "<i8")), "promises"),
    "a zip bomb": ("a.npz", lambda: zipped(images=npy("(200000, 1000)", content=ZEROS)), "unpacked"),
    "255 axes": ("a.idx", lambda: idx((1,) * 255), "255 axes"),
    "an IDX of exabytes": ("a.idx", lambda: idx((2**32 - 1,) * 4), "promises"),
    "a gzip bomb": ("a.idx.gz", lambda: gzip.compress(idx((200, 1000, 1000), ZEROS), 1), "unpacked"),
    "a gzip bomb behind": ("a.idx.gz", lambda: gzip.compress(idx((1, 4, 4), ZEROS), 1), "promises"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_promises_too_much_is_refused(tmp_path: Path, name: str) -> None:
    file, content, message = BAD[name]
    (tmp_path / file).write_bytes(content())
    with pytest.raises(CuelloError, match=message):
        open_path(tmp_path / file)


def test_what_compresses_well_and_is_small_is_read(tmp_path: Path) -> None:
    blank = np.zeros((50, 100, 100), np.uint8)  # 500,000 bytes in a few hundred
    np.savez_compressed(tmp_path / "a.npz", images=blank)
    (tmp_path / "b.idx.gz").write_bytes(gzip.compress(idx((50, 100, 100), blank.tobytes())))
    for name in ("a.npz", "b.idx.gz"):
        np.testing.assert_array_equal(open_path(tmp_path / name).read(49).pixels, blank[49, ..., None])


def test_what_counts_as_a_trap() -> None:
    check_unpacked(128 * 2**20, 1, "a")  # small
    check_unpacked(1000 * 2**20, 10 * 2**20, "a")  # 100 times
    with pytest.raises(CuelloError, match=r"from 9\.0 to 1,000 MiB"):
        check_unpacked(1000 * 2**20, 9 * 2**20, "a")
    with pytest.raises(CuelloError, match=r"of memory are free"):
        check_unpacked(2**60, 2**59, "a")


def external(file: h5py.File, folder: Path) -> None:
    (folder / "secret").write_bytes(b"secret" * 10)
    file.create_dataset("images", shape=(2, 4, 4), dtype="u1", external=[(str(folder / "secret"), 0, 32)])


def virtual(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["images"] = np.ones((2, 4, 4), np.uint8)
    layout = h5py.VirtualLayout(shape=(2, 4, 4), dtype="u1")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "images", shape=(2, 4, 4))
    file.create_virtual_dataset("images", layout)


def linked(file: h5py.File, folder: Path) -> None:
    file["images"] = h5py.ExternalLink(str(folder / "other.h5"), "/images")


def linked_labels(file: h5py.File, folder: Path) -> None:
    file["images"] = np.ones((2, 4, 4), np.uint8)
    file["labels"] = h5py.ExternalLink(str(folder / "other.h5"), "/labels")


def huge(file: h5py.File, folder: Path) -> None:
    file.create_dataset("images", shape=(10**6, 10**5, 10**5), chunks=(1, 1000, 1000), dtype="u1", compression="gzip")


def many(file: h5py.File, folder: Path) -> None:
    file.create_dataset("images", shape=(10**12, 4, 4), chunks=(1000, 4, 4), dtype="u1", compression="gzip")


def large_chunks(file: h5py.File, folder: Path) -> None:
    shape = (4, 20000, 20000)
    file.create_dataset("images", shape=shape, chunks=shape, dtype="u1", compression="gzip")


def labels_without_end(file: h5py.File, folder: Path) -> None:
    file["images"] = np.ones((2, 4, 4), np.uint8)
    file.create_dataset("labels", shape=(10**12,), chunks=(1000,), dtype="i8", compression="gzip")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (external, "other files"), (virtual, "other files"), (linked, "link to another file"),
        (linked_labels, "link"), (huge, "unpacked|memory"), (many, "1,000,000,000,000 images"),
        (large_chunks, "unpacked"), (labels_without_end, "labels of shape"),
    ],
)  # fmt: skip
def test_hdf5_that_reaches_outside_or_is_a_bomb_is_refused(
    tmp_path: Path, write: Callable[[h5py.File, Path], None], message: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write(file, tmp_path)
    with pytest.raises(CuelloError, match=message):
        open_path(tmp_path / "a.h5")


def whole_files(folder: Path) -> list[Path]:
    """Write a tiny file of each kind."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 6, 5), np.uint8)
    np.save(folder / "a.npy", pixels)
    np.savez(folder / "b.npz", images=pixels, labels=np.arange(3))
    np.savez_compressed(folder / "c.npz", images=pixels)
    (folder / "d.idx").write_bytes(idx(pixels.shape, pixels.tobytes()))
    (folder / "e.idx.gz").write_bytes(gzip.compress(idx(pixels.shape, pixels.tobytes())))
    with h5py.File(folder / "f.h5", "w") as file:
        file.create_dataset("images", data=pixels, chunks=(1, 6, 5), compression="gzip")
        file["labels"] = np.arange(3)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("place", range(6))
def test_changed_bytes_are_refused_or_read(tmp_path: Path, place: int) -> None:
    path = whole_files(tmp_path)[place]
    whole, rng = path.read_bytes(), random.Random(place)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(min(len(content), rng.choice((16, 128, 10**6))))] = rng.choice(
                (0, 255, rng.randrange(256))
            )
        path.write_bytes(bytes(content[: rng.choice((len(content), rng.randrange(1, len(content))))]))
        try:
            source = open_path(path)
            for index in range(min(4, len(source.names))):
                assert np.isfinite(source.read(index).pixels).all()
        except CuelloError:
            pass
