"""An image that comes without a name: what its content says that it is."""

from cuello.core.errors import CuelloError
from cuello.data.read_only import AVIF_SUFFIX, JPEG_2000_HEADS, brands_of

MAGIC = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"\x93NUMPY": ".npy",
    b"II*\0": ".tif", b"MM\0*": ".tif", b"II+\0": ".tif", b"MM\0+": ".tif",
    JPEG_2000_HEADS[0]: ".jp2", JPEG_2000_HEADS[1]: ".j2k",
    b"P1": ".pbm", b"P4": ".pbm", b"P2": ".pgm", b"P5": ".pgm", b"P3": ".ppm", b"P6": ".ppm",
}  # fmt: skip
"""How files begin, and what such files are called."""


def ending_of(content: bytes, called: str = "standard input") -> str:
    """Know the kind of an image by its content; CuelloError for what is none.

    called: what holds it, for messages.

    >>> ending_of(b"RIFF....WEBPVP8 "), ending_of(b"P5 2 2 255 ....")
    ('.webp', '.pgm')
    """
    if not content:
        raise CuelloError(f"{called} is empty (0 bytes), needed an image.")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    if brands_of(content) & {b"avif", b"avis"}:
        return AVIF_SUFFIX
    for magic, ending in MAGIC.items():
        if content.startswith(magic):
            return ending
    raise CuelloError(f"{called} is not an image of a kind that its first bytes tell (PNG, JPEG, TIFF, WebP, BMP, "
                      "GIF, PPM, JPEG 2000, AVIF, .npy).")  # fmt: skip
