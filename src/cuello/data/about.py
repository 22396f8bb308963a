"""What an image file says beside its pixels, resolution and colours' profile: what of it goes on to which format."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from cuello.data.exif import upright_xmp

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
PNG_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
PNG_OF_FRAMES = (b"acTL", b"fcTL", b"fdAT")
PNG_HANDLED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"pHYs", b"eXIf", *PNG_OF_FRAMES)
"""What is written anew, if at all."""
INDEXED = 3
"""The colour type of a PNG whose pixels are numbers of a table of colours."""
SET_APART = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0")
"""Texts of a PNG that are kept as XMP or EXIF data, since they may say which way up the picture is."""
MOST_IN_MARKER = 65_533
"""Most bytes that a segment of a JPEG holds."""
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
XMP_REST = b"http://ns.adobe.com/xmp/extension/\0"


@dataclass(frozen=True)
class About:
    """What else a file said.

    xmp: as it was in the file. comment: of a JPEG, a GIF or a PNG. chunks: of a PNG, (name, content) of colours, texts
    and what else stays true of other pixels; gone: names of its others, which are not kept. segments: of a JPEG,
    written as they were: IPTC data and the rest of long XMP.
    """

    xmp: bytes | None = None
    comment: bytes | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    segments: bytes = b""
    gone: tuple[bytes, ...] = ()

    @property
    def texts(self) -> bool:
        return any(name in PNG_TEXTS for name, _ in self.chunks)

    @property
    def own_gamma(self) -> bool:
        """Whether a PNG says of its colours what a reader of another format would not take for granted."""
        names = [name for name, _ in self.chunks]
        return b"sRGB" not in names and any(name in PNG_COLOURS for name in names)

    def upright(self) -> "About":
        return self if self.xmp is None else replace(self, xmp=upright_xmp(self.xmp))


NOTHING = About()


def about_of(image: Image.Image) -> About:
    """Take what Pillow's image says of itself, chunks of a PNG aside."""
    xmp, comment = image.info.get("xmp"), image.info.get("comment")
    segments = b"".join(
        b"\xff" + bytes([0xE0 + int(name[3:])]) + struct.pack(">H", len(content) + 2) + content
        for name, content in getattr(image, "applist", [])
        if name == "APP13" or (name == "APP1" and content.startswith(XMP_REST))
    )
    return About(as_bytes(xmp), as_bytes(comment), segments=segments)


def as_bytes(text: Any) -> bytes | None:
    return text.encode(errors="replace") if isinstance(text, str) else text if isinstance(text, bytes) else None


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Go through a PNG's chunks: (name, content)."""
    place = len(PNG_HEAD) if content.startswith(PNG_HEAD) else len(content)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length


def with_chunks(about: About, content: bytes) -> About:
    """Add the chunks of a PNG that its result has as well, and the names of those that it has not."""
    kept, gone = [], []
    colours = content[25] if content.startswith(PNG_HEAD) and len(content) > 25 else None
    for name, data in png_chunks(content):
        if name in PNG_HANDLED or (name in PNG_TEXTS and data.startswith(SET_APART)):
            continue
        fits = name == b"bKGD" and colours != INDEXED and content[24] >= 8
        if name in PNG_COLOURS or name in PNG_TEXTS or fits or (is_private(name) and name[3:].islower()):
            kept.append((name, data))
        else:
            gone.append(name)
    return replace(about, chunks=tuple(kept), gone=tuple(dict.fromkeys(gone)))


def is_private(name: bytes) -> bool:
    return name[1:2].islower() and name not in PNG_OF_FRAMES


def chunks_for_png(about: About) -> list[tuple[bytes, bytes]]:
    """Give the chunks that say in a PNG what was said: those it had, XMP, and a JPEG's or GIF's comment."""
    chunks = list(about.chunks)
    if about.xmp is not None:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + about.xmp))
    if about.comment is not None and not about.texts:
        chunks.append((b"iTXt", b"Comment\0\0\0\0\0" + about.comment.decode("utf-8", errors="replace").encode()))
    return chunks
