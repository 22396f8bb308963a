"""One page of a TIFF file, by tifffile: read with all of its bits and samples."""

import io
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from cuello.data.alpha import covered
from cuello.data.directories import SIZES, Tag, one_page
from cuello.data.exif import upright
from cuello.data.levels import AnyRange, UnfitError, fit, full_scale
from cuello.data.stored import StoredImage, check_size
from cuello.data.tiff_facts import DESCRIPTION, EXIF, ORIENTATION, WHITE_IS_ZERO, divided, facts_of_page, negated, raw

BLACK_IS_ZERO, RGB, PALETTE = 1, 2, 3
GREY_OR_RGB = (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
"""What ``photometric`` may be in a TIFF that Pillow cannot read whole."""
NONE, LZW = 1, 5
PLAIN_COMPRESSIONS = (NONE, 8, 32946)
"""None and two numbers for zlib: what tifffile reads by itself."""
PLACES = (273, 279, 324, 325)
"""Where strips and tiles lie, and how long they are."""


def decode_tiff(content: bytes, levels: AnyRange | None = None) -> StoredImage | None:
    """Decode a TIFF's first page with tifffile; None leaves it to Pillow."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages.first
            return from_tiff_page(page, levels) if is_for_tifffile(page) else None
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from None


def is_for_tifffile(page: Any) -> bool:
    """Tell a page (tifffile's TiffPage) that Pillow would not give whole, or that tifffile reads just as well.

    Pillow has 8 bits a sample, and no other samples than colours and transparency; but more kinds of compression.
    """
    if page.dtype is None or page.bitspersample < 8:
        return False
    known = page.photometric in GREY_OR_RGB or is_indexed_grey(page)
    more = page.photometric in GREY_OR_RGB and page.samplesperpixel > colours_of(page) and not declares_alpha(page)
    planar = known and page.compression == LZW and page.planarconfig == 2 and page.samplesperpixel > 1
    plain = known and page.compression in PLAIN_COMPRESSIONS
    return page.dtype.itemsize > 1 or more or planar or plain or is_indexed_grey(page)


def colours_of(page: Any) -> int:
    return 3 if page.photometric == RGB and page.samplesperpixel >= 3 else 1


def declares_alpha(page: Any) -> bool:
    """Tell whether a page has one sample beside its colours, and says that it is transparency."""
    return page.samplesperpixel == colours_of(page) + 1 and tuple(map(int, page.extrasamples)) in ((1,), (2,))


def is_indexed_grey(page: Any) -> bool:
    """Tell pixels that are measured, and shown through a table of colours, as ImageJ and OME write them."""
    return page.photometric == PALETTE and (page.parent.is_imagej or page.parent.is_ome)


def from_tiff_page(page: Any, levels: AnyRange | None = None, plane: int | None = None) -> StoredImage:
    """Take what a page of a TIFF (tifffile's TiffPage) holds; UnfitError for colours not known here.

    plane: which of several planes behind this one directory.
    """
    if not page.imagewidth or not page.imagelength:
        raise ValueError("no pixels")
    check_size(page.imagewidth, page.imagelength * page.imagedepth * -(-page.samplesperpixel // 4))
    indexed = is_indexed_grey(page)
    if page.photometric not in GREY_OR_RGB and not indexed:
        raise UnfitError(f"its colours are of kind {int(page.photometric)} (5 is CMYK); save it as RGB or grey")
    if page.dtype is None:
        raise UnfitError(f"it has samples of {page.bitspersample} bits; save it with 8 or 16 bits, or as floats")
    colours = colours_of(page)
    facts = facts_of_page(page, colours, palette=indexed)
    pixels = samples_of(page, plane)
    if plane:
        facts = facts.without_texts()
    orientation = page.tags.valueof(ORIENTATION) or 1
    if orientation in range(2, 9):
        pixels, facts = upright(pixels, orientation), facts.turned(orientation)
    at = facts.alpha_at
    alpha = None if at is None else pixels[:, :, colours + at : colours + at + 1]
    if at is not None:
        pixels = np.delete(pixels, colours + at, axis=2)
    if alpha is not None and facts.premultiplied and pixels.dtype.kind in "uf":
        pixels[:, :, :colours] = divided(pixels[:, :, :colours], alpha)
    if levels is not None:
        levels = levels.settled(pixels if alpha is None else covered(pixels, alpha))
    stored, pixels = pixels.dtype, fit(pixels, "the image", levels)
    if alpha is not None and levels is None:
        alpha = fit(alpha, "the transparency")
    pixels = negated(pixels, full_scale(pixels.dtype)) if facts.photometric == WHITE_IS_ZERO else pixels
    return StoredImage(
        pixels,
        alpha,
        mode=f"tiff-{stored}",
        icc_profile=page.tags.valueof(34675),
        dpi=facts.dpi,
        stored=None if levels is None else stored,
        levels=levels,
        extras=pixels.shape[-1] - colours,
        tiff=facts,
    )


def samples_of(page: Any, plane: int | None) -> np.ndarray:
    """Read a page's samples, or those of one of its planes, as ``(H, W, C)``."""
    if plane is not None and page.imagedepth == 1:
        file, count = page.parent.filehandle, int(np.prod(page.shape))
        file.seek(page.dataoffsets[0] + plane * count * page.dtype.itemsize)
        pixels = file.read_array(page.dtype.newbyteorder(page.parent.byteorder), count).reshape(page.shape)
    else:
        if min(len(page.dataoffsets), len(page.databytecounts)) < np.prod(page.chunked):
            raise ValueError("some of its strips or tiles are missing")
        pixels = readable(page).asarray() if page.compression == LZW else page.asarray()
        pixels = pixels.reshape(page.shape)
    axes = page.axes
    if "Z" in axes:
        pixels, axes = pixels.take(plane or 0, axis=axes.index("Z")), axes.replace("Z", "")
    if "S" not in axes:
        return pixels[:, :, None]
    return np.moveaxis(pixels, axes.index("S"), -1)


def readable(page: Any) -> Any:
    """Return an LZW page whose strips are packed as tifffile can unpack them without a further package."""
    import tifffile

    return tifffile.TiffFile(io.BytesIO(alone(page, unpack=True))).pages.first


def alone(page: Any, unpack: bool = False) -> bytes:
    """Make a file of one page (tifffile's TiffPage), so that it is read without a walk to it.

    unpack: strips or tiles packed by LZW are packed by zlib instead.
    """
    file = page.parent.filehandle
    segments = []
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        segments.append(file.read(length))
    left_out = {*PLACES, EXIF, DESCRIPTION, 330, 34853}
    tags = [raw(page, tag) for tag in page.tags if tag.code not in left_out and int(tag.dtype) in SIZES]
    tags = [tag for tag in tags if tag.kind < 16]
    order = page.parent.byteorder
    if unpack:
        lengths = segment_bytes(page)
        pairs = zip(segments, lengths, strict=True)
        segments = [zlib.compress(unpacked(segment, length), 1) for segment, length in pairs]
        kind = (8).to_bytes(2, "little" if order == "<" else "big")
        tags = [tag._replace(kind=3, count=1, content=kind) if tag.code == 259 else tag for tag in tags]
    return one_page(tags, segments, order, tiled=page.is_tiled)


def segment_bytes(page: Any) -> list[int]:
    """Count the bytes of every strip or tile of a page, unpacked."""
    contiguous = 1 if page.planarconfig == 2 else page.samplesperpixel
    if page.is_tiled:
        return [page.tilewidth * page.tilelength * contiguous * page.dtype.itemsize] * len(page.dataoffsets)
    rows = min(page.rowsperstrip, page.imagelength)
    strips = -(-page.imagelength // rows)
    row = page.imagewidth * contiguous * page.dtype.itemsize
    return [min(rows, page.imagelength - k % strips * rows) * row for k in range(len(page.dataoffsets))]


def unpacked(segment: bytes, length: int) -> bytes:
    """Unpack LZW by way of Pillow's library: as a picture of one row of ``length`` bytes."""
    if not segment:
        return bytes(length)
    about = {256: length, 257: 1, 258: 8, 259: LZW, 262: BLACK_IS_ZERO, 277: 1, 278: 1}
    tags = [Tag(code, 4, 1, content=value.to_bytes(4, "little")) for code, value in about.items()]
    with Image.open(io.BytesIO(one_page(tags, [segment], "<", tiled=False))) as image:
        return image.tobytes()


def separate(picture: StoredImage) -> list[StoredImage]:
    """Give the images that a picture holds: its colours, and every sample that is none of them as a grey one."""
    colours = picture.pixels.shape[-1] - picture.extras
    alone = [picture.pixels[:, :, k : k + 1] for k in range(colours, picture.pixels.shape[-1])]
    first = replace(picture, pixels=picture.pixels[:, :, :colours], extras=0)
    return [first, *(replace(picture, pixels=pixels, alpha=None, extras=0) for pixels in alone)]
