"""TIFF files of several pages: where the pages are, one of them read, all of them written."""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from PIL import Image

from cuello.core.files import replacing
from cuello.data.levels import AnyRange
from cuello.data.picture import TIFF_SUFFIXES, from_pillow, opened, reading_errors
from cuello.data.stored import StoredImage, check_size, fitted, without_axis
from cuello.data.tiff import TIFF_COLOURS, from_tiff_page, tiff_options

NEW_SUBFILE_TYPE = 254
REDUCED_OR_MASK = 0b101
PLAIN_COMPRESSIONS = (1, 8, 32946)
"""None and two numbers for zlib: what tifffile reads by itself; 8-bit pages of other kinds are left to Pillow."""


def page_offsets(path: Path) -> list[int]:
    """Find where in the file the directory of every page lies; of thumbnails and masks it does not.

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
            form = {42: Layout(order, "H", "I", step=12), 43: Layout(order, "Q", "Q", step=20)}[version]
            (offset,) = struct.unpack_from(f"{order}{form.entry}", head, 4 if version == 42 else 8)
            seen = set()
            while offset and offset not in seen:
                seen.add(offset)
                kind, following = directory(file, offset, form)
                offsets += [] if kind & REDUCED_OR_MASK else [offset]
                offset = following
    except struct.error:  # cut short: reading the page that should be there says so
        return [*offsets, offset] if offsets else []
    except (OSError, KeyError):
        return []
    return offsets


class Layout(NamedTuple):
    """How TIFF and BigTIFF write a directory: byte order, type of its count, type of a place, bytes of an entry."""

    order: str
    count: str
    entry: str
    step: int


def directory(file: BinaryIO, offset: int, form: Layout) -> tuple[int, int]:
    """Read a directory's NewSubfileType (0 where it has none) and where the next directory lies (0 for none)."""
    count, place = (struct.Struct(form.order + kind) for kind in (form.count, form.entry))
    file.seek(offset)
    (entries,) = count.unpack(file.read(count.size))
    first = file.read(form.step)  # tags are sorted, and no lower one is in use
    tag, _ = struct.unpack_from(f"{form.order}HH", first)
    kind = struct.unpack_from(f"{form.order}I", first, form.step - place.size)[0] if tag == NEW_SUBFILE_TYPE else 0
    file.seek(offset + count.size + entries * form.step)
    (following,) = place.unpack(file.read(place.size))
    return kind, following


def read_page(path: Path, number: int, offset: int, levels: AnyRange | None = None) -> StoredImage:
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
        check_size(page.imagewidth, page.imagelength)
        with opened(path) as image:
            image.seek(next(k for k in range(getattr(image, "n_frames", 1)) if directory_at(image, k) == offset))
            image.load()
            return fitted(from_pillow(image), levels)


def directory_at(image: Image.Image, frame: int) -> int:
    image.seek(frame)
    return cast("Any", image)._frame_pos[frame]


def write_pages(path: Path, pictures: Iterable[StoredImage]) -> None:
    """Write a TIFF with a page for every picture, one after another, whole or not at all."""
    import tifffile

    with replacing(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=False) as file:
        for picture in pictures:
            file.write(without_axis(picture.with_alpha), **tiff_options(picture))
