"""Pillow images of every mode, restored into the same mode, or the one that is stated here."""

import warnings
from typing import Any

import numpy as np
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.levels import AnyRange, UnfitError
from cuello.data.picture import from_pillow
from cuello.data.stored import StoredImage, fitted, turned_upright, without_axis

KEPT_MODES = ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "I", "F")
"""Modes that come back; those of 16 bits, which begin with I;16, do too. Others become RGB or RGBA."""
OF_THE_FILE = ("transparency", "loop", "duration", "background", "timestamp", "progression", "progressive", "adobe")
"""What Pillow says of an image that is no longer so of the result."""


def stored(image: Image.Image, levels: AnyRange | None) -> StoredImage:
    """Take a Pillow image as a file's is taken: upright, every bit; CuelloError for what cannot be used."""
    if 0 in image.size:
        raise CuelloError(f"got an empty Pillow image, {image.width}×{image.height} pixels.")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format == "MPO":
        warnings.warn(f"the image holds {frames} pictures, of which the one at hand is used", stacklevel=6)
    elif frames > 1:
        raise CuelloError(
            f"got a Pillow image of {frames} frames. Give one, image.copy(), or all of them: "
            "[frame.copy() for frame in PIL.ImageSequence.Iterator(image)]."
        )
    try:
        image.load()
        return fitted(turned_upright(from_pillow(image)), levels)
    except UnfitError as error:
        raise CuelloError(f"got a Pillow image of mode {image.mode}: {error}.") from None


def as_pillow(picture: StoredImage, like: Image.Image) -> Image.Image:
    """Make a Pillow image of a result, in the mode of the image that it came from where that is one of KEPT_MODES."""
    pixels, mode = picture.with_alpha, like.mode
    if mode.startswith("I;16") and picture.alpha is None:
        order = ">u2" if mode == "I;16B" else "<u2"
        image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.astype(order).tobytes())
    elif mode in ("I", "F"):
        image = Image.fromarray(without_axis(pixels).astype(np.int32 if mode == "I" else np.float32))
    elif pixels.dtype == np.uint16:
        raise CuelloError(
            "got a 16-bit Pillow image with a transparent colour, which Pillow cannot hold: give an array."
        )
    else:
        image = Image.fromarray(without_axis(pixels))
    if mode == "1" and image.mode == "L":
        image = image.point([0] * 128 + [255] * 128, mode="1")
    if mode in ("La", "RGBa"):
        image = image.convert(mode)
    image.info = info_of(picture, like)
    return image


def info_of(picture: StoredImage, like: Image.Image) -> dict[str | tuple[int, int], Any]:
    """Give what Pillow is to say of the result: what it said of the image, upright and in its size."""
    plain = {key: value for key, value in like.info.items() if key not in OF_THE_FILE and "jfif" not in str(key)}
    own = {"icc_profile": picture.icc_profile, "exif": picture.exif, "dpi": picture.dpi, "xmp": picture.about.xmp}
    if picture.about.xmp is not None and "XML:com.adobe.xmp" in plain:
        own["XML:com.adobe.xmp"] = picture.about.xmp.decode("utf-8", errors="replace")
    kept = {key: value for key, value in plain.items() if key not in own and not str(key).startswith("Raw profile")}
    return kept | {key: value for key, value in own.items() if value is not None}
