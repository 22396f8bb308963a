"""One page of a TIFF file, by tifffile: read with all of its bits, and what is needed to write it."""

import io
from typing import Any

import numpy as np

from cuello.data.levels import AnyRange, UnfitError, fit, full_scale
from cuello.data.stored import StoredImage, check_size, turned_upright

TIFF_COLOURS = (0, 1, 2)
"""What ``photometric`` may be in a TIFF of more than 8 bits: grey with white or black as 0, or RGB."""


def decode_deep_tiff(content: bytes, levels: AnyRange | None = None) -> StoredImage | None:
    """Decode a TIFF's first page with tifffile where it holds more than 8 bits; None leaves it to Pillow."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages.first
            deep = page.dtype is not None and page.dtype.itemsize > 1
            return from_tiff_page(page, levels) if deep else None
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from None


def from_tiff_page(page: Any, levels: AnyRange | None = None) -> StoredImage:
    """Take what a page of a TIFF (tifffile's TiffPage) holds; UnfitError for colours not known here."""
    check_size(page.imagewidth, page.imagelength)
    if page.photometric not in TIFF_COLOURS:
        raise UnfitError(f"its colours are of kind {int(page.photometric)} (5 is CMYK); save it as RGB or grey")
    pixels = page.asarray()
    profile = page.tags.valueof(34675)  # the ICC profile's tag
    dpi = page.get_resolution("inch") if 282 in page.tags else None  # the tag XResolution
    white_is_zero = page.photometric == 0 and 262 in page.tags  # the tag PhotometricInterpretation
    pixels = pixels[:, :, None] if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1) if page.axes[0] == "S" else pixels
    if pixels.shape[-1] not in (1, 2, 3, 4):
        raise UnfitError(f"it has {pixels.shape[-1]} channels; needed 1 to 4")
    colours = pixels.shape[-1] - 1 if pixels.shape[-1] in (2, 4) else pixels.shape[-1]
    alpha = pixels[:, :, colours:] if colours != pixels.shape[-1] else None
    stored, levels = pixels.dtype, None if levels is None else levels.settled(pixels[:, :, :colours])
    pixels = fit(pixels[:, :, :colours], "the image", levels)
    if alpha is not None and levels is None:
        alpha = fit(alpha, "the transparency")
    if white_is_zero:
        pixels = full_scale(pixels.dtype) - pixels
    about: dict[str, Any] = {"mode": f"tiff-{stored}", "icc_profile": profile, "dpi": dpi}
    picture = StoredImage(pixels, alpha, stored=None if levels is None else stored, levels=levels, **about)
    return turned_upright(picture, page.tags.valueof(274) or 1)


def tiff_options(picture: StoredImage) -> dict[str, Any]:
    """Give what tifffile needs beside the pixels to write a page: kind of colours, profile, resolution."""
    return {
        "photometric": "minisblack" if picture.pixels.shape[-1] == 1 else "rgb",
        "extrasamples": ["unassalpha"] if picture.alpha is not None else None,
        "planarconfig": "contig" if picture.alpha is not None or picture.pixels.shape[-1] > 1 else None,
        "compression": "zlib",
        "iccprofile": picture.icc_profile,
        "resolution": picture.dpi,
        "metadata": None,
    }
