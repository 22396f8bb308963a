"""TIFF files: where the pages and planes are, one of them read, all of them written."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cuello.data.directories import Directory, TiffForm, walk
from cuello.data.levels import Levels, RangeChoice
from cuello.data.picture import TIFF_SUFFIXES, fitted, from_pillow, opened, reading_errors
from cuello.data.stored import StoredImage, check_size
from cuello.data.tiff import (
    alone,
    colours_of,
    from_tiff_page,
    is_for_tifffile,
    separate,
)
from cuello.data.tiff_facts import facts_of_page

NEW_SUBFILE_TYPE, SUB_DIRECTORIES = 254, 330
REDUCED_OR_MASK = 0b101


class Place(NamedTuple):
    """Where an image is in a TIFF: its directory, which plane behind that (None: the only one), which of its channels.

    part: 0 for the colours, 1 and more for samples that are none; None for all of them.
    """

    offset: int
    plane: int | None = None
    part: int | None = None


class Pages(NamedTuple):
    """The pages of a file: how it is written, where its images are, bytes of their pixels, and what is passed over.

    mixed: some may have channels that are neither colours nor transparency. moved: new numbers of the pages that are
    kept, where what is passed over lies before some of them.
    """

    form: TiffForm
    places: Sequence[Place]
    size: int
    notes: Sequence[str]
    mixed: bool = False
    moved: Mapping[int, int] = {}


def page_offsets(path: Path) -> list[Place]:
    """Find where in the file every page and plane lies; of thumbnails and masks it does not.

    Follows the chain of directories without reading a pixel: some ten microseconds a page. What is no TIFF gives an
    empty list; a chain that is cut short ends with a place that cannot be read.
    """
    return list(pages_of(path).places)


def pages_of(path: Path) -> Pages:
    """Find the pages and planes of a file; see ``page_offsets``."""
    if path.suffix.lower() not in TIFF_SUFFIXES or not path.is_file():
        return Pages(TiffForm(), [], size=0, notes=[])
    form, size, smaller, mixed = TiffForm(), 0, 0, False
    places: list[Place] = []
    moved: dict[int, int] = {}
    page = None
    for number, page in enumerate(walk(path)):
        form = page.form
        if page.number(NEW_SUBFILE_TYPE) & REDUCED_OR_MASK:
            smaller += 1
            continue
        moved[number] = len(places)
        places.append(Place(page.offset))
        size += pixel_bytes(page)
        smaller += page.entries[SUB_DIRECTORIES].count if SUB_DIRECTORIES in page.entries else 0
        mixed = mixed or page.number(277, 1) > (3 if page.number(262) == 2 else 1)
    if len(places) == 1 and page is not None and page.entries and (planes := planes_of(path)) > 1:
        places = [Place(places[0].offset, plane) for plane in range(planes)]
        size *= planes if page.number(32997, 1) == 1 else 1
    copies = "1 smaller copy or mask" if smaller == 1 else f"{smaller} smaller copies or masks"
    notes = [f"{copies} in {path} left out"] if smaller else []
    shifted = moved if any(old != new for old, new in moved.items()) else {}
    return Pages(form, places, size=size, notes=notes, mixed=mixed, moved=shifted)


def pixel_bytes(page: Directory) -> int:
    """Count the bytes of a page's pixels, unpacked; bits that do not lie in the entry itself are taken for 16."""
    bits = max(8, page.number(258, 16))
    depth = page.number(32997, 1)
    return page.number(256) * page.number(257) * depth * page.number(277, 1) * bits // 8


def planes_of(path: Path) -> int:
    """Count the planes behind a file's only directory, as ImageJ, tifffile and MetaMorph write them."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            if page.imagedepth > 1:
                return page.imagedepth if page.imagedepth <= file.filehandle.size else 1
            series = file.series[0]
            whole = page.compression == 1 and page.dtype is not None and page.bitspersample == 8 * page.dtype.itemsize
            one = page.nbytes
            if not whole or not one or series.dataoffset is None or series.is_multifile:
                return 1
            there = (file.filehandle.size - page.dataoffsets[0]) // one
            return max(1, series.nbytes // one) if series.nbytes // one <= there else 1
    except Exception:  # reading the page says what is wrong
        return 1


def parts_of(path: Path, pages: Pages) -> list[Place]:
    """Give every sample that is neither colour nor transparency a place of its own, as it is an image of its own."""
    import tifffile

    found: list[Place] = []
    counts: dict[int, int] = {}
    with tifffile.TiffFile(path) as file:
        for place in pages.places:
            if place.offset not in counts:
                counts[place.offset] = parts_of_page(page_at(file, place.offset))
            parts = range(counts[place.offset])
            found += [place._replace(part=part) for part in parts] if len(parts) > 1 else [place]
    return found


def parts_of_page(page: Any) -> int:
    """Count the images that a page's samples are; all of them are one where Pillow reads it."""
    if not is_for_tifffile(page):
        return 1
    colours = colours_of(page)
    extras = facts_of_page(page, colours).extras
    return 1 + len(extras) - (1 in extras or 2 in extras)


def page_at(file: Any, offset: int, number: int = 0) -> Any:
    """Open the page whose directory lies at ``offset`` in tifffile's TiffFile."""
    import tifffile

    file.filehandle.seek(offset)
    return tifffile.TiffPage(file, number)


def read_page(
    path: Path, number: int, offset: Place | int, levels: Levels | RangeChoice | None = None, only: bool = False
) -> StoredImage:
    """Read one page of a TIFF, and only that, however large the file; CuelloError that names it where that fails.

    number: the page's, from 0, for messages; only: there is no other. offset: one of ``page_offsets``.
    """
    import tifffile

    place = offset if isinstance(offset, Place) else Place(offset)
    with reading_errors(path if only else f"{path}#{number:03d}"), tifffile.TiffFile(path) as file:
        page = page_at(file, place.offset, number)
        picture = from_tiff_page(page, levels, place.plane) if is_for_tifffile(page) else from_page(page, levels)
        return picture if place.part is None else separate(picture)[place.part]


def from_page(page: Any, levels: Levels | RangeChoice | None) -> StoredImage:
    """Read a page (tifffile's TiffPage) with Pillow, by itself."""
    check_size(page.imagewidth, page.imagelength)
    with opened(io.BytesIO(alone(page))) as image:
        image.load()  # upright, too
        picture = from_pillow(image)
    facts = facts_of_page(page, page.samplesperpixel)
    orientation = page.tags.valueof(274) or 1
    facts = facts.turned(orientation) if orientation in range(2, 9) else facts
    grey = picture.pixels.shape[-1] == 1
    facts = facts.plain(alpha=picture.alpha is not None, grey=grey, dtype=picture.pixels.dtype)
    return fitted(replace(picture, tiff=facts, dpi=facts.dpi, exif=None), levels)
