"""Which way up a picture is, by its EXIF data or XMP: pixels are turned upright once, and the tags then say so.

EXIF data are changed in place, value by value, so that whatever else they hold stays as it was (maker's notes break
where they are moved).
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

EXIF_HEAD = b"Exif\0\0"
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, EXIF_DIRECTORY = 0x0112, 0x011A, 0x011B, 0x8769
WIDTHS, HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
WHOLE = {1: "B", 3: "H", 4: "I"}
"""Types of whole numbers that fit into an entry itself: byte, short, long."""
RATIONAL = 5
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>\s*))([0-9])""")


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn ``(H, W, C)`` pixels that are stored with an EXIF or TIFF orientation (1 to 8) the way they are to be seen.

    Other numbers mean nothing and change nothing.

    >>> upright(np.array([[[1], [2], [3]]]), 6)[..., 0].tolist()  # the first row becomes the right column
    [[1], [2], [3]]
    """
    if 5 <= orientation <= 8:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def orientation_of(exif: bytes | None, xmp: bytes | None = None) -> int:
    """Read the orientation, 1 to 8: from the EXIF data, else from XMP; 1 where neither says."""
    found = [entry.value for entry in entries(exif or b"") if entry.tag == ORIENTATION]
    if not found:
        found = [int(match[2]) for match in XMP_ORIENTATION.finditer(xmp or b"")]
    return found[0] if found and 1 <= found[0] <= 8 else 1


def upright_exif(exif: bytes, width: int, height: int) -> bytes:
    """Say in EXIF data that the picture is upright and ``width`` × ``height`` pixels, where they say anything of it.

    A thumbnail, which lies as the picture lay, is no longer pointed to.
    """
    changed = bytearray(resized_exif(exif, width, height))
    for entry in entries(exif):
        if entry.tag == ORIENTATION:
            entry.put(changed, 1)
    for place, order in thumbnail_pointer(exif):
        struct.pack_into(f"{order}I", changed, place, 0)
    return bytes(changed)


def upright_xmp(xmp: bytes) -> bytes:
    """Say in XMP that the picture is upright, where it says which way up it is."""
    return XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def resized_exif(exif: bytes, width: int, height: int, scale: int = 1) -> bytes:
    """Say in EXIF data that the picture has ``width`` × ``height`` pixels, ``scale`` times as many an inch."""
    changed = bytearray(exif)
    for entry in entries(exif):
        if entry.tag in WIDTHS + HEIGHTS:
            entry.put(changed, width if entry.tag in WIDTHS else height)
        elif entry.tag in (X_RESOLUTION, Y_RESOLUTION) and entry.kind == RATIONAL and scale != 1:
            place = entry.start + entry.value
            above, below = struct.unpack_from(f"{entry.order}II", exif, place)
            fits = above * scale < 2**32
            pair = (above * scale, below) if fits else (above, max(1, below // scale))
            struct.pack_into(f"{entry.order}II", changed, place, *pair)
    return bytes(changed)


class Entry(NamedTuple):
    """An entry of a directory: tag, type, value (of others than whole numbers: where it lies), where it is written."""

    tag: int
    kind: int
    value: int
    place: int
    order: str
    start: int

    def put(self, exif: bytearray, value: int) -> None:
        """Write another whole number; one too large for the entry's type makes it a long."""
        kind = self.kind if value < 256 ** struct.calcsize(WHOLE[self.kind]) else 4
        struct.pack_into(f"{self.order}HI", exif, self.place + 2, kind, 1)
        exif[self.place + 8 : self.place + 12] = struct.pack(f"{self.order}{WHOLE[kind]}", value).ljust(4, b"\0")


def entries(exif: bytes) -> Iterator[Entry]:
    """Go through the entries of EXIF data that this module knows; what is damaged has none."""
    try:
        start, order, first = head(exif)
        found = list(directory(exif, start, order, offset=first))
        for pointer in [entry.value for entry in found if entry.tag == EXIF_DIRECTORY]:
            found += directory(exif, start, order, offset=pointer)
        known = (ORIENTATION, X_RESOLUTION, Y_RESOLUTION, *WIDTHS, *HEIGHTS)
        for entry in found:
            inside = entry.kind == RATIONAL and start + entry.value + 8 <= len(exif)
            if entry.tag in known and (entry.kind in WHOLE or inside):
                yield entry
    except (struct.error, KeyError):
        return


def head(exif: bytes) -> tuple[int, str, int]:
    """Return where the TIFF structure of EXIF data starts, its byte order, and where its first directory lies."""
    start = 6 if exif.startswith(EXIF_HEAD) else 0
    order = {b"II": "<", b"MM": ">"}[exif[start : start + 2]]
    return start, order, struct.unpack_from(f"{order}I", exif, start + 4)[0]


def directory(exif: bytes, start: int, order: str, offset: int) -> Iterator[Entry]:
    (count,) = struct.unpack_from(f"{order}H", exif, start + offset)
    for place in range(start + offset + 2, start + offset + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from(f"{order}HHII", exif, place)
        if number == 1:
            whole = WHOLE.get(kind)
            yield Entry(
                tag,
                kind,
                struct.unpack_from(f"{order}{whole}", exif, place + 8)[0] if whole else value,
                place=place,
                order=order,
                start=start,
            )


def thumbnail_pointer(exif: bytes) -> Iterator[tuple[int, str]]:
    """Say where the place of the second directory, the thumbnail's, is written."""
    try:
        start, order, offset = head(exif)
        (count,) = struct.unpack_from(f"{order}H", exif, start + offset)
    except (struct.error, KeyError):
        return
    place = start + offset + 2 + 12 * count
    if place + 4 <= len(exif):
        yield place, order
