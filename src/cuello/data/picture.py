"""One image file: read with everything that must come back when the result is written."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from cuello.core.errors import CuelloError
from cuello.core.files import check_no_device, replacing
from cuello.data.about import (
    MOST_IN_MARKER,
    PNG_COLOURS,
    PNG_HEAD,
    PNG_TEXTS,
    XMP_HEAD,
    About,
    about_of,
    chunks_for_png,
    png_chunks,
    with_chunks,
)
from cuello.data.exif import EXIF_HEAD
from cuello.data.levels import AnyRange, UnfitError, fit, full_scale
from cuello.data.read_only import AVIF_SUFFIX, JPEG_2000_SUFFIXES, check_readable, is_grey
from cuello.data.stored import MAX_PIXELS, StoredImage, check_size, fitted, turned_upright, without_axis
from cuello.data.tiff import decode_tiff
from cuello.data.tiff_write import write_pages

TIFF_SUFFIXES = (".tif", ".tiff")
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
WITHOUT_ALPHA = (*JPEG_SUFFIXES, ".bmp", ".dib", ".ppm", ".pgm", ".pnm", ".pbm")
WRITTEN = {".png", ".webp", ".tga", *TIFF_SUFFIXES, *WITHOUT_ALPHA}
NAMED = {".gif", *WRITTEN}
"""Endings that a result may be named with."""
SUFFIXES = {AVIF_SUFFIX, *JPEG_2000_SUFFIXES, *NAMED}
FORMATS = "PNG, JPEG, BMP, GIF, WebP, TIFF, TGA, PPM, JPEG 2000 or AVIF"
"""``SUFFIXES`` in words."""
OPENED = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "TGA", "PPM", "JPEG2000", "AVIF")
"""Formats in Pillow's words, whatever a file's name says: others are cut to 8 bits, or start other programs."""
LONGEST_SIDES = dict.fromkeys(JPEG_SUFFIXES, 65_500) | {".webp": 16_383, ".tga": 65_535}
"""Most pixels along a side that what writes a format will write; others hold more than memory does."""
FILTERS = Lock()
"""Python's warning filters are one for all threads, and images are read by several."""


def read_picture(path: Path, levels: AnyRange | None = None) -> StoredImage:
    """Read PNG, JPEG, BMP, GIF, WebP (no animation), TIFF (first page) …, 8 or 16 bits, any colour mode.

    Grey stays grey; palettes, CMYK and other colour spaces become RGB; transparency is kept apart as ``alpha``. A
    picture that is stored on its side comes upright, and what the file says of it with it.
    levels: the values that stand for black and white, where they are not the type's full scale.
    Raises CuelloError for what is not an image, is cut short, is empty, is a folder or claims too many pixels.
    """
    if path.is_dir():
        raise CuelloError(f"{path} is a folder, not an image; give the images in it, or the folder as a whole.")
    check_no_device(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CuelloError(f"{path} could not be read: {error.strerror or error}.") from None
    if not content:
        raise CuelloError(f"{path} is empty (0 bytes). Remove it, or copy it again from where it came.")
    with reading_errors(path):
        return decode(content, path, levels)


@contextmanager
def reading_errors(path: Path | str) -> Iterator[None]:
    """Turn whatever goes wrong while an image is decoded into a CuelloError that names ``path`` and the remedy."""
    try:
        yield
    except Image.DecompressionBombError:
        raise CuelloError(
            f"{path} claims more than {MAX_PIXELS / 1e6:.0f} million pixels: it may be a decompression bomb. "
            "If it is really yours, cut it into smaller images."
        ) from None
    except UnidentifiedImageError:
        raise CuelloError(f"{path} is not an image that can be read ({FORMATS}). Convert it, or remove it.") from None
    except UnfitError as error:
        raise CuelloError(f"{path}: {error}.") from None
    except CuelloError:
        raise
    except MemoryError:
        raise CuelloError(f"{path} needs more memory than is free. Cut it into smaller images.") from None
    except Exception as error:  # decoders raise anything
        if "imagecodecs" in str(error):
            raise CuelloError(
                f"{path} is compressed in a way that needs one more package: pip install imagecodecs"
            ) from None
        raise CuelloError(
            f"{path} is damaged or cut short ({error or type(error).__name__}). Copy it again from where it came."
        ) from None


def decode(content: bytes, path: Path, levels: AnyRange | None = None) -> StoredImage:
    """Decode an image file's bytes, by whichever library keeps all of its bits."""
    if is_png_for_pypng(content):
        return fitted(turned_upright(decode_png(content)), levels)
    if path.suffix.lower() in TIFF_SUFFIXES:
        page = decode_tiff(content, levels)
        if page is not None:
            return page
    check_readable(content)
    with opened(io.BytesIO(content)) as image:
        check_size(image.width, image.height)
        if is_cut_to_8_bits(image):
            raise UnfitError(
                "it holds more than 8 bits per colour, of which only 8 would be read; save it as PNG or TIFF"
            )
        if image.format in ("GIF", "PNG", "WEBP", "AVIF") and getattr(image, "is_animated", False):
            raise UnfitError("it is an animation, and one picture is needed: take the frame you want out of it")
        image.load()
        picture = turned_upright(from_pillow(image))
        if is_grey(content):
            picture = replace(picture, pixels=picture.pixels[:, :, :1], mode="L" if picture.alpha is None else "LA")
        return fitted(replace(picture, about=with_chunks(picture.about, content)), levels)


def is_cut_to_8_bits(image: Image.Image) -> bool:
    """Tell a colour PPM of more than 8 bits: Pillow keeps them all in grey ones only."""
    tiles: list[Any] = getattr(image, "tile", []) if image.format == "PPM" and image.mode == "RGB" else []
    return any(tile[0].startswith("ppm") and tile[3][1] > 255 for tile in tiles)


def opened(file: IO[bytes] | Path) -> Image.Image:
    """Open an image with Pillow, without its warning of large ones: the error, at twice that size, stays."""
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=OPENED)


def from_pillow(image: Image.Image) -> StoredImage:
    """Take what a Pillow image holds; 32-bit values stay as they are."""
    mode, about = image.mode, image.info
    extras: dict[str, Any] = {"icc_profile": about.get("icc_profile"), "exif": exif_of(image)}
    extras |= {"dpi": resolution_of(image), "about": about_of(image), "mode": mode}
    if mode.startswith("I;16"):
        pixels = np.asarray(image).astype(np.uint16)[:, :, None]
        hidden = about.get("transparency")
        alpha = None if hidden is None else np.where(pixels == hidden, 0, 65535).astype(np.uint16)
        return StoredImage(pixels, alpha, **extras)
    if mode == "I":
        levels = np.asarray(image)
        small = levels.min() >= 0 and levels.max() <= 65535
        return StoredImage((levels.astype(np.uint16) if small else levels)[:, :, None], **extras)
    if mode == "F":
        return StoredImage(np.asarray(image)[:, :, None], **extras)
    if mode in ("LA", "La") or (mode in ("1", "L") and "transparency" in about):
        both = np.asarray(image.convert("LA"))
        return StoredImage(both[:, :, :1], both[:, :, 1:], **extras)
    if mode in ("1", "L"):
        return StoredImage(np.asarray(image.convert("L"))[:, :, None], **extras)
    if mode == "LAB":
        raise UnfitError("its colours are stored as LAB; save it as RGB")
    if mode == "CMYK":
        image, extras["icc_profile"] = rgb_of_inks(image)
    if image.has_transparency_data:
        both = np.asarray(image.convert("RGBA"))
        return StoredImage(both[:, :, :3], both[:, :, 3:], **extras)
    return StoredImage(np.asarray(image.convert("RGB")), **extras)


def rgb_of_inks(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Turn CMYK into sRGB by the image's own profile, or by Pillow's plain formula where it has none that can be used.

    Returns sRGB's profile with the first, None with the second.
    """
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if profile:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        with suppress(ImageCms.PyCMSError, OSError):
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, inks, srgb, outputMode="RGB")
            if converted is not None:
                return converted, srgb.tobytes()
    return image.convert("RGB"), None


def exif_of(image: Image.Image) -> bytes | None:
    """Take the EXIF data of Pillow's image; some PNGs have them as text, in hexadecimal after three lines."""
    exif = image.info.get("exif")
    for key in ("Raw profile type exif", "Raw profile type APP1"):
        if exif is None and key in image.info:
            with suppress(ValueError):
                exif = bytes.fromhex("".join(str(image.info[key]).split("\n")[3:]))
    return exif


def resolution_of(image: Image.Image) -> tuple[float, float] | None:
    """Take the resolution of Pillow's image, where it is one."""
    with suppress(LookupError, TypeError, ValueError, ZeroDivisionError):
        across, down = (float(value) for value in image.info["dpi"])
        if 0 < across < math.inf and 0 < down < math.inf:
            return across, down
    return None


def is_png_for_pypng(content: bytes) -> bool:
    """Tell a PNG that Pillow would cut to 8 bits, or of which it would mistake the transparent colour.

    The first are 16 bits deep and not plain grey (colour type 0); the others grey of 2, 4 or 16 bits with a tRNS chunk.
    """
    if not content.startswith(PNG_HEAD) or len(content) < 26:
        return False
    bits, colours = content[24], content[25]
    if bits == 16 and colours != 0:
        return True
    return colours == 0 and bits in (2, 4, 16) and any(name == b"tRNS" for name, _ in png_chunks(content))


def decode_png(content: bytes) -> StoredImage:
    """Decode a PNG with pypng, which keeps all bits; grey of fewer bits becomes 8, a transparent colour alpha."""
    import png

    try:
        width, height, rows, about = png.Reader(bytes=content).read()
        check_size(width, height)
        planes, bits = about["planes"], about["bitdepth"]
        pixels = np.vstack([np.asarray(row, dtype=np.uint16) for row in rows]).reshape(height, width, planes)
    except png.Error as error:
        raise ValueError(str(error)) from None
    white, kind = (65535, np.uint16) if bits == 16 else (255, np.uint8)
    with opened(io.BytesIO(content)) as image:  # header only
        extras = {"icc_profile": image.info.get("icc_profile"), "exif": exif_of(image), "dpi": resolution_of(image)}
        told = with_chunks(about_of(image), content)
    colours = planes - 1 if about["alpha"] else planes
    alpha = pixels[:, :, colours:] if about["alpha"] else None
    if "transparent" in about:
        hidden = (pixels == np.ravel(about["transparent"])).all(axis=2, keepdims=True)
        alpha = np.where(hidden, 0, white)
    mode = f"{'L' if colours == 1 else 'RGB'}{'' if alpha is None else 'A'}{';16' if bits == 16 else ''}"
    pixels = (pixels[:, :, :colours] * (white // (2**bits - 1))).astype(kind)
    return StoredImage(pixels, None if alpha is None else alpha.astype(kind), mode=mode, about=told, **extras)


def written_path(path: Path) -> Path:
    """Say where a restored image can be written: GIF has only 256 colours, and other formats are read only.

    >>> written_path(Path("a.gif")).name, written_path(Path("a.jp2")).name
    ('a.png', 'a.png')
    """
    return path.with_suffix(".png") if path.suffix.lower() in SUFFIXES - WRITTEN else path


def write_picture(path: Path, picture: StoredImage) -> None:
    """Write ``picture`` in the format of ``path``'s suffix, whole or not at all.

    Bit depth and alpha go with it, and what else the format holds (``HOLDS``; ``lost`` names the rest). JPEG is
    written at quality 95 without chroma subsampling, WebP without loss. A JPEG cannot hold alpha: CuelloError.
    """
    suffix = path.suffix.lower()
    if suffix not in NAMED:
        raise CuelloError(f"{path}: no image format has the ending {suffix or '(none)'!r}; use .png, .jpg or .tif.")
    pixels = picture.with_alpha
    check_held(path, picture)
    if suffix in TIFF_SUFFIXES:
        write_pages(path, [picture], form=picture.tiff.form if picture.tiff else None, size=pixels.nbytes)
        return
    with replacing(path) as temporary:
        if pixels.dtype == np.uint16 and suffix == ".png":
            write_16_bit_png(temporary, pixels, picture)
        else:
            image = Image.fromarray(without_axis(pixels))
            if picture.mode == "1" and image.mode == "L":
                image = image.point([0] * 128 + [255] * 128, mode="1")  # two levels stay two levels
            image.save(temporary, **save_options(suffix, picture))


def check_held(path: Path, picture: StoredImage, scale: int = 1) -> None:
    """Raise CuelloError where the format of ``path`` cannot hold ``picture``, ``scale`` times as large."""
    suffix = path.suffix.lower()
    height, width, planes = picture.pixels.shape
    check_sides(path, (scale * height, scale * width))
    check_exif(path, picture.exif)
    if suffix in TIFF_SUFFIXES:
        return
    if picture.extras:
        raise CuelloError(
            f"{path}: {suffix} holds grey or colours, perhaps with transparency, and the image has {picture.extras} "
            f"more channel{'s' if picture.extras > 1 else ''}; use .tif."
        )
    kind = picture.stored or picture.pixels.dtype
    deep = kind == np.uint16 and (suffix == ".png" or (suffix == ".pgm" and planes == 1))
    if kind != np.uint8 and not deep:
        bits, other = ("8 or 16 bits", ".tif") if suffix == ".png" else ("8 bits per channel only", ".png or .tif")
        raise CuelloError(f"{path}: {suffix} holds {bits}, and the image has {kind}; use {other}.")
    if suffix in WITHOUT_ALPHA and picture.alpha is not None:
        raise CuelloError(f"{path}: {suffix} cannot hold transparency; use .png.")


def check_sides(path: Path, size: tuple[int, int]) -> None:
    """Raise CuelloError where the format of ``path`` cannot hold an image of this height and width."""
    suffix, (height, width) = path.suffix.lower(), size
    longest = LONGEST_SIDES.get(suffix)
    if longest is not None and max(size) > longest:
        raise CuelloError(
            f"{path}: {suffix} holds at most {longest:,} pixels along a side, and the result has {width:,}×"
            f"{height:,}; use .png or .tif."
        )


def check_exif(path: Path, exif: bytes | None) -> None:
    """Raise CuelloError where the format of ``path`` cannot hold as much EXIF data."""
    suffix = path.suffix.lower()
    if suffix in JPEG_SUFFIXES and exif is not None and len(exif) > MOST_IN_MARKER:
        raise CuelloError(
            f"{path}: {suffix} holds at most {MOST_IN_MARKER:,} bytes of EXIF data, and the image has {len(exif):,}; "
            "use .png or .webp."
        )


HOLDS = {
    ".png": ("colour profile", "EXIF data", "resolution", "XMP", "comment", "texts", "gamma or primaries"),
    ".webp": ("colour profile", "EXIF data", "XMP"),
    **dict.fromkeys(JPEG_SUFFIXES, ("colour profile", "EXIF data", "resolution", "XMP", "comment", "IPTC data")),
    **dict.fromkeys(TIFF_SUFFIXES, ("colour profile", "resolution")),
    **dict.fromkeys((".bmp", ".dib"), ("resolution",)),
}
"""What the formats keep beside the pixels, as far as it is written here."""


def lost(suffix: str, picture: StoredImage) -> list[str]:
    """Name what ``picture`` says beside its pixels that a file with this ending does not hold."""
    about = picture.about
    said = {
        "colour profile": picture.icc_profile,
        "EXIF data": picture.exif,
        "resolution": picture.dpi,
        "XMP": about.xmp,
        "comment": about.comment,
        "texts": about.texts,
        "gamma or primaries": about.own_gamma and not picture.icc_profile,
        "IPTC data": about.segments,
    }
    held = HOLDS.get(suffix.lower(), ())
    missing = [name for name, value in said.items() if value and name not in held]
    chunks = [name for name, _ in about.chunks if name not in (*PNG_COLOURS, *PNG_TEXTS)]
    gone = [name.decode("ascii", "replace") for name in (*about.gone, *(() if suffix.lower() == ".png" else chunks))]
    missing += [f"the PNG's {', '.join(dict.fromkeys(gone))}"] if gone else []
    if picture.tiff is not None:
        missing += picture.tiff.lost if suffix.lower() in TIFF_SUFFIXES else picture.tiff.held
    if suffix.lower() in JPEG_SUFFIXES:
        for part in too_long_for_jpeg(about):
            missing.append(
                f"{part} ({len(getattr(about, part.lower()))} bytes, a JPEG holds at most {MOST_IN_JPEG[part]})"
            )
    return missing


MOST_IN_JPEG = {"XMP": MOST_IN_MARKER - len(XMP_HEAD), "comment": MOST_IN_MARKER}
"""Most bytes that a JPEG holds of what is left out where it is longer."""


def too_long_for_jpeg(about: About) -> list[str]:
    return [part for part, most in MOST_IN_JPEG.items() if len(getattr(about, part.lower()) or b"") > most]


def save_options(suffix: str, picture: StoredImage) -> dict[str, Any]:
    """Give what Pillow's save needs for this format to keep what it holds of ``HOLDS``."""
    kept = {"icc_profile": picture.icc_profile, "exif": picture.exif, "dpi": picture.dpi}
    options = {name: value for name, value in kept.items() if value is not None}
    about = picture.about
    if suffix == ".png":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = information = PngInfo()
        for name, content in chunks_for_png(about):
            information.add(name, content)
    if suffix in JPEG_SUFFIXES:
        left_out = too_long_for_jpeg(about)
        options["xmp"] = b"" if "XMP" in left_out else about.xmp or b""
        options["comment"] = b"" if "comment" in left_out else about.comment or b""
        options["extra"] = about.segments
        if picture.exif is not None:
            options["exif"] = EXIF_HEAD + picture.exif.removeprefix(EXIF_HEAD)
        options |= {"quality": 95, "subsampling": "4:4:4"}
    if suffix == ".webp":
        options |= {"lossless": True, "exact": True, "xmp": about.xmp or b""}
    return options


def write_16_bit_png(path: Path, pixels: np.ndarray, picture: StoredImage) -> None:
    """Write a 16-bit PNG: grey with Pillow, the rest with pypng."""
    height, width, planes = pixels.shape
    if planes == 1:
        Image.fromarray(pixels.squeeze(-1)).save(path, **save_options(".png", picture))
        return
    import png

    writer = png.Writer(width, height, bitdepth=16, greyscale=planes < 3, alpha=picture.alpha is not None)
    stream = io.BytesIO()
    writer.write(stream, pixels.reshape(height, width * planes))
    first, *others = png.Reader(bytes=stream.getvalue()).chunks()
    chunks = [first, *about_chunks(picture), *others]
    with open(path, "wb") as file:
        png.write_chunks(file, chunks)


def about_chunks(picture: StoredImage) -> list[tuple[bytes, bytes]]:
    """Give the PNG chunks, which pypng does not write, for the profile, resolution and EXIF data (PNG, 11.3)."""
    chunks = []
    if picture.icc_profile:  # a name, two zero bytes, the compressed profile
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc_profile)))
    if picture.dpi:  # pixels a metre, unit 1
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in picture.dpi), 1)))
    if picture.exif:
        chunks.append((b"eXIf", picture.exif.removeprefix(EXIF_HEAD)))
    told = chunks_for_png(picture.about)
    return chunks + ([one for one in told if one[0] != b"sRGB"] if picture.icc_profile else told)


def as_channels(picture: StoredImage, channels: int) -> StoredImage:
    """Bring a picture to 1 or 3 colour channels: grey is repeated, colour becomes luma (ITU-R 601).

    Raises CuelloError for a picture of channels that are no colours, asked for in another number.
    """
    have = picture.pixels.shape[-1]
    if have == channels:
        return picture
    if have not in (1, 3):
        raise CuelloError(
            f"got images of {have} channels, which are not colours, and --channels={channels}. Leave --channels out."
        )
    if channels == 3:
        return replace(picture, pixels=np.repeat(picture.pixels, 3, axis=2))
    luma = picture.pixels @ np.array([0.299, 0.587, 0.114])
    rounded = luma if picture.pixels.dtype.kind == "f" else luma.round()
    return replace(picture, pixels=rounded.astype(picture.pixels.dtype)[:, :, None])


def four_channels(picture: StoredImage) -> StoredImage:
    """Make what was taken for transparency the fourth channel of the image; CuelloError where there is none."""
    if picture.alpha is None and picture.pixels.shape[-1] == 4:
        return replace(picture, extras=0)
    if picture.alpha is None or picture.pixels.shape[-1] != 3:
        have = picture.pixels.shape[-1] + (picture.alpha is not None)
        problem = f"got an image of {have} channel{'s' if have > 1 else ''}"
        raise CuelloError(f"{problem} and --channels=4, needed images of four channels.")
    try:
        fourth = fit(picture.alpha, "the fourth channel", picture.levels)
    except UnfitError as error:
        raise CuelloError(f"{error}.") from None
    return replace(picture, pixels=np.concatenate([picture.pixels, fourth], axis=2), alpha=None)


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring ``(H, W, C)`` pixels to ``size`` = (width, height) by Pillow's antialiased bicubic, type kept."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    if pixels.dtype == np.uint8 and pixels.shape[-1] != 4:  # Pillow would weigh colours by a fourth channel
        image = Image.fromarray(without_axis(pixels))
        return np.asarray(image.resize(size, Image.Resampling.BICUBIC)).reshape(size[1], size[0], -1)
    planes = [
        np.asarray(Image.fromarray(pixels[:, :, k].astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
        for k in range(pixels.shape[-1])
    ]
    stacked = np.stack(planes, axis=-1).clip(0, full_scale(pixels.dtype))
    return stacked.astype(pixels.dtype) if pixels.dtype.kind == "f" else stacked.round().astype(pixels.dtype)
