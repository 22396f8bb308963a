"""The pixels of one image file and everything that must come back when the result is written."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from cuello.data.about import NOTHING, About
from cuello.data.alpha import covered
from cuello.data.exif import orientation_of, resized_exif, upright, upright_exif
from cuello.data.levels import AnyRange, Levels, fit
from cuello.data.tiff_facts import TiffFacts

MAX_PIXELS = 178_956_970
"""Most pixels a file may hold before it is taken for a decompression bomb (Pillow's own limit)."""


@dataclass(frozen=True)
class StoredImage:
    """The pixels of an image file and what else it held.

    pixels: ``(H, W, C)``, C = 1 (grey), 3 (RGB), or other views, no colours; uint8, uint16, or float32 in [0, 1].
    alpha: ``(H, W, 1)`` of the same type, or None. declared: the file says that alpha is transparency, and it is not
    only taken for it. mode: how the file stored it, in Pillow's words ("L", "CMYK", …).
    icc_profile, exif: as they were in the file, or None. dpi: dots per inch, or None. about: what else it said. stored:
    the type of the values in the file, where a stated range, levels, brought them to floats; alpha is then as it was.
    extras: how many of the last channels are no colours of the picture: each is a grey image by itself. tiff: what a
    page of a TIFF holds beside its pixels. narrow: of a result, the ranges of channels that were brought to their own.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = "RGB"
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    about: About = NOTHING
    stored: np.dtype | None = None
    levels: Levels | None = None
    declared: bool = True
    extras: int = 0
    tiff: TiffFacts | None = None
    narrow: tuple[Levels, ...] = ()

    @property
    def with_alpha(self) -> np.ndarray:
        return self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha], axis=2)


def turned_upright(picture: StoredImage, orientation: int | None = None) -> StoredImage:
    """Turn a picture that lies on its side, and let EXIF data and XMP say that it is upright.

    orientation: 1 to 8, as TIFF and EXIF number them; by default what the EXIF data, or XMP, say.
    """
    if orientation is None:
        orientation = orientation_of(picture.exif, picture.about.xmp)
    if not 2 <= orientation <= 8:
        return picture
    pixels = upright(picture.pixels, orientation)
    height, width = pixels.shape[:2]
    return replace(
        picture,
        pixels=pixels,
        alpha=None if picture.alpha is None else upright(picture.alpha, orientation),
        exif=None if picture.exif is None else upright_exif(picture.exif, width, height),
        dpi=picture.dpi if picture.dpi is None or orientation < 5 else picture.dpi[::-1],
        about=picture.about.upright(),
    )


def larger(picture: StoredImage, scale: int) -> StoredImage:
    """Let what a picture says of itself fit its pixels, which became ``scale`` times as many along each side."""
    if scale == 1:
        return picture
    height, width = picture.pixels.shape[:2]
    return replace(
        picture,
        exif=None if picture.exif is None else resized_exif(picture.exif, width, height, scale=scale),
        dpi=None if picture.dpi is None else (picture.dpi[0] * scale, picture.dpi[1] * scale),
        tiff=None if picture.tiff is None else picture.tiff.larger(scale),
    )


def check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Image.DecompressionBombError


def fitted(picture: StoredImage, levels: AnyRange | None) -> StoredImage:
    """Bring pixels to a known type: uint8, uint16, or float32 in [0, 1]."""
    seen = picture.pixels if picture.alpha is None else covered(picture.pixels, picture.alpha)
    levels = None if levels is None else levels.settled(seen)
    pixels = fit(picture.pixels, "the image", levels)
    return replace(picture, pixels=pixels, stored=None if levels is None else picture.pixels.dtype, levels=levels)


def without_axis(pixels: np.ndarray) -> np.ndarray:
    """Take ``(H, W, 1)`` to ``(H, W)``, as libraries want grey; others stay."""
    return pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels
