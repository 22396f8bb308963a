"""Formats that are read, where the installed Pillow can, and never written; and HEIC, which is not even read."""

import struct

from PIL import features

from cuello.data.levels import UnfitError

JPEG_2000_SUFFIXES = (".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf")
AVIF_SUFFIX, HEIC_SUFFIXES = ".avif", (".heic", ".heif", ".hif")
JPEG_2000_HEADS = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""How a file begins: in boxes, or the bare code."""
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
CONFIGURATION = b"av1C"
"""The name of the box that says what each picture of an AVIF is: its colours, its transparency."""


def brands_of(content: bytes) -> set[bytes]:
    """Return what a file of boxes says it is, four letters each; nothing for other files.

    >>> brands_of(b"\\0\\0\\0\\x14ftypavif\\0\\0\\0\\0mif1....") >= {b"avif", b"mif1"}
    True
    """
    if content[4:8] != b"ftyp":
        return set()
    end = min(struct.unpack(">I", content[:4])[0], len(content), 256)
    return {content[place : place + 4] for place in range(8, end, 4)}


def check_readable(content: bytes) -> None:
    """Raise UnfitError, with the reason, for what cannot be read here, or not with all of its bits."""
    brands = brands_of(content)
    if b"avif" in brands or b"avis" in brands:
        if not features.check("avif"):
            raise UnfitError("it is AVIF, which this Pillow cannot read: pip install -U pillow, or convert it to PNG")
        if any(flags & 0x40 for flags in av1_flags(content)):
            raise UnfitError("it holds more than 8 bits per colour, of which only 8 would be read; save it as PNG")
    elif brands & HEIC_BRANDS:
        raise UnfitError("it is HEIC, which is not read: convert it to PNG, or have the camera write JPEG")
    elif content.startswith(JPEG_2000_HEADS):
        if not features.check("jpg_2000"):
            raise UnfitError("it is JPEG 2000, which this Pillow cannot read: convert it to PNG or TIFF")
        check_bits(content)


def check_bits(content: bytes) -> None:
    """Raise UnfitError for a JPEG 2000 that Pillow would cut, stretch or shift: neither 8 bits nor grey of 16."""
    start = content.find(JPEG_2000_HEADS[1])
    if start < 0 or len(content) < start + 42:
        return  # reading it says what is wrong
    (count,) = struct.unpack(">H", content[start + 40 : start + 42])
    kinds = set(content[start + 42 : start + 42 + 3 * count : 3])
    if not kinds <= {7} and not (count == 1 and kinds == {15}):
        told = ", ".join(f"{(kind & 127) + 1}{' signed' if kind & 128 else ''}" for kind in sorted(kinds))
        raise UnfitError(f"it holds values of {told} bits, which would be changed in reading; save it as PNG or TIFF")


def av1_flags(content: bytes) -> list[int]:
    """Return the flags of every picture in an AVIF: 0x40, more than 8 bits; 0x10, grey."""
    parts = content.split(CONFIGURATION)[1:]
    return [part[2] for part in parts if len(part) > 2]


def is_grey(content: bytes) -> bool:
    """Tell an AVIF without colours, which Pillow gives three equal channels."""
    flags = av1_flags(content) if b"avif" in brands_of(content) else []
    return bool(flags) and all(flag & 0x10 for flag in flags)
