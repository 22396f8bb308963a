"""What images are called in requests: kinds of content, endings, and what a client accepts."""

from collections.abc import Iterable

from cuello.inference.targets import ARRAY, checked_ending
from cuello.serving.refused import Refused

MEDIA = {
    ".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff", ".webp": "image/webp", ARRAY: "application/x-npy",
    ".bmp": "image/bmp", ".gif": "image/gif", ".ppm": "image/x-portable-pixmap", ".pgm": "image/x-portable-graymap",
    ".pbm": "image/x-portable-bitmap", ".tga": "image/x-tga", ".jp2": "image/jp2", ".j2k": "image/j2c",
    ".avif": "image/avif", ".zip": "application/zip", ".json": "application/json",
}  # fmt: skip
"""Kinds of content by ending."""
SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif", ".dib": ".bmp", ".pnm": ".ppm"}
"""Endings of the same format."""
GIVEN = (".png", ".jpg", ".tif", ".webp", ARRAY, ".bmp", ".ppm", ".tga")
"""Formats of results, the usual ones first."""
FORMATS = ", ".join(one[1:] for one in GIVEN)
ENDINGS = {MEDIA[ending]: ending for ending in GIVEN} | {"application/numpy": ARRAY, "image/x-ms-bmp": ".bmp"}


def asked_ending(format: str | None, accept: str, among: Iterable[str] = GIVEN) -> str | None:
    """Return the ending that a client asks for; None where any will do.

    format: goes before the header. among: what can be given. Refused with 406 where nothing of what is accepted can.

    >>> asked_ending("TIFF", "image/png"), asked_ending(None, "image/*;q=0.5, image/webp"), asked_ending(None, "*/*")
    ('.tif', '.webp', None)
    """
    can = list(among)
    known = ", ".join(one[1:] for one in can)
    if format is not None:
        ending = f".{format.lower().removeprefix('.')}"
        ending = SAME.get(ending, ending)
        if ending not in can:
            raise Refused(406, "format", f"got ?format={format}, needed one of {known}.")
        return ending if ending in (ARRAY, ".json") else checked_ending(ending)
    wanted = accepted(accept)
    for media in wanted:
        if media in ("*/*", "image/*", "application/*", "application/zip", "multipart/mixed"):
            return None
        if (ending := ENDINGS.get(media) or (".json" if media == MEDIA[".json"] else None)) in can:
            return ending
    if not wanted:
        return None
    kinds = ", ".join(MEDIA[one] for one in can)
    raise Refused(406, "format", f"got Accept: {accept[:200]}, needed one of {kinds}, or */*; or say ?format=png.")


def accepted(header: str) -> list[str]:
    """List the kinds of content of an Accept header, what is liked best first.

    >>> accepted("image/png;q=0.1, image/webp, text/html;q=0")
    ['image/webp', 'image/png']
    """
    liked = []
    for part in filter(str.strip, header.split(",")):
        media, *settings = (one.strip().lower() for one in part.split(";"))
        quality = next((one[2:] for one in settings if one.startswith("q=")), "1")
        try:
            liked.append((float(quality), media))
        except ValueError:
            liked.append((1.0, media))
    return [media for quality, media in sorted(liked, key=lambda one: -one[0]) if quality > 0]
