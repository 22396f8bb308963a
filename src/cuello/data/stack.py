"""TIFF files of several pages: where the pages are, one of them read, all of them written."""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from cuello.core.files import replacing
from cuello.data.levels import Levels
from cuello.data.picture import (
    MAX_PIXELS,
    TIFF_COLOURS,
    TIFF_SUFFIXES,
    Picture,
    fitted,
    from_pillow,
    from_tiff_page,
    opened,
    reading_errors,
    tiff_options,
)

NEW_SUBFILE_TYPE = 254
REDUCED_OR_MASK = 0b101
PLAIN_COMPRESSIONS = (1, 8, 32946)
"""None and two numbers for zlib: what tifffile reads by itself; 8-bit pages of other kinds are left to Pillow."""


def page_offsets(path: Path) -> list[int]:
    """Return where in the file the directory of every page lies; of thumbnails and masks it does not.

    Follows the chain of directories (TIFF 6.0, section 2; BigTIFF) without reading a pixel: about ten microseconds a
    page. What is no TIFF gives an empty list; a chain that is cut short ends with a place that cannot be read.
    """
    offsets: list[int] = []
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return offsets
    try:
        with path.open("rb") as file:
            head = file.read(16)
            order = {b"II": "<", b"MM": ">"}[head[:2]]
            (version,) = struct.unpack(f"{order}H", head[2:4])
            count, entry, step = {42: ("H", "I", 12), 43: ("Q", "Q", 20)}[version]
            start = 4 if version == 42 else 8
            (offset,) = struct.unpack(f"{order}{entry}", head[start : start + struct.calcsize(f"={entry}")])
            seen = set()
            while offset and offset not in seen:
                seen.add(offset)
                kind, following = directory(file, offset, order, count, entry, step)
                offsets += [] if kind & REDUCED_OR_MASK else [offset]
                offset = following
    except struct.error:  # cut short: reading the page that should be there says so
        return [*offsets, offset] if offsets else []
    except (OSError, KeyError):
        return []
    return offsets


def directory(file: BinaryIO, offset: int, order: str, count: str, entry: str, step: int) -> tuple[int, int]:
    """Return a directory's NewSubfileType (0 where it has none) and where the next directory lies (0 for none)."""
    file.seek(offset)
    (entries,) = struct.unpack(f"{order}{count}", file.read(struct.calcsize(f"={count}")))
    first = file.read(step)  # tags are sorted, and no lower one is in use
    tag, _ = struct.unpack(f"{order}HH", first[:4])
    kind = 0
    if tag == NEW_SUBFILE_TYPE:
        (kind,) = struct.unpack(f"{order}I", first[step - struct.calcsize(f"={entry}") :][:4])
    file.seek(offset + struct.calcsize(f"={count}") + entries * step)
    (following,) = struct.unpack(f"{order}{entry}", file.read(struct.calcsize(f"={entry}")))
    return kind, following


def read_page(path: Path, number: int, offset: int, levels: Levels | None = None) -> Picture:
    """Read one page of a TIFF, and only that, however large the file; CuelloError that names it where that fails.

    number: the page's, from 0, for messages. offset: one of ``page_offsets``.
    """
    import tifffile

    with reading_errors(f"{path}#{number:03d}"), tifffile.TiffFile(path) as file:
        file.filehandle.seek(offset)
        page = tifffile.TiffPage(file, number)
        deep = page.dtype is not None and page.dtype.itemsize > 1
        plain = page.compression in PLAIN_COMPRESSIONS and page.photometric in TIFF_COLOURS and page.bitspersample == 8
        if deep or plain:
            return from_tiff_page(page, levels)
        if page.imagewidth * page.imagelength > MAX_PIXELS:
            raise Image.DecompressionBombError
        with opened(path) as image:
            image.seek(next(k for k in range(getattr(image, "n_frames", 1)) if directory_at(image, k) == offset))
            image.load()
            return fitted(from_pillow(image), levels)


def directory_at(image: Image.Image, frame: int) -> int:
    """Return where the directory of a frame lies, for an opened TIFF."""
    image.seek(frame)
    return image._frame_pos[frame]  # type: ignore[attr-defined]


def write_pages(path: Path, pictures: Iterable[Picture]) -> None:
    """Write a TIFF with a page for every picture, one after another, whole or not at all."""
    import tifffile

    with replacing(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=False) as file:
        for picture in pictures:
            parts = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha]
            pixels = np.concatenate(parts, axis=2)
            file.write(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, **tiff_options(picture))
