"""Files of several pictures, TIFFs aside: animations (GIF, APNG, WebP), frame by frame, and JPEGs of several (MPO)."""

import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.core.files import replacing
from cuello.data.about import PNG_HEAD, with_chunks
from cuello.data.levels import AnyRange
from cuello.data.picture import JPEG_SUFFIXES, from_pillow, opened, reading_errors, save_options
from cuello.data.stored import StoredImage, check_size, fitted, turned_upright, without_axis

ENDINGS = (".gif", ".png", ".webp", *JPEG_SUFFIXES)
ANIMATED_ENDINGS = (".png", ".webp")
"""What holds an animation without loss of colours."""
LEAST_BYTES = 26
"""A frame of an APNG takes no fewer; a file that claims more frames is damaged."""
CURSOR = threading.local()
"""The animation that a thread read last, at the frame it read: the next one is one step away."""


@dataclass(frozen=True)
class Frames:
    """The pictures of one file.

    kind: "GIF", "PNG", "WEBP", or "MPO", whose pictures are no animation. loop: how often an animation is shown, 0 for
    ever. default: the first picture is shown only where animations are not. size: width and height in pixels.
    """

    kind: str
    count: int
    loop: int
    default: bool
    size: tuple[int, int]


def frames_of(path: Path) -> Frames | None:
    """Say what a file of several pictures holds; None for one picture, TIFFs, and what cannot be read."""
    if path.suffix.lower() not in ENDINGS or not path.is_file():
        return None
    try:
        with opened(path) as image:
            about: Any = image
            if not getattr(about, "is_animated", False):
                return None
            kind, count = str(image.format), int(about.n_frames)
            if kind == "PNG" and count * LEAST_BYTES > path.stat().st_size:
                return None
            once = 1 if kind == "GIF" else 0
            default = bool(image.info.get("default_image"))
            return Frames(kind, count, int(image.info.get("loop", once)), default=default, size=image.size)
    except Exception:  # reading the file says what is wrong with it
        return None


def read_frame(path: Path, number: int, levels: AnyRange | None = None) -> tuple[StoredImage, float]:
    """Read a frame, as it is seen, and how long it is shown, in milliseconds; one after another in linear time."""
    with reading_errors(f"{path}#{number:03d}"):
        image, content = at_frame(path, number)
        check_size(image.width, image.height)
        if content.startswith(PNG_HEAD) and content[24] == 16:
            raise CuelloError(
                f"{path} is an animation of 16 bits per colour, of which only 8 would be read; save its frames."
            )
        image.load()
        picture = turned_upright(from_pillow(image))
        picture = replace(picture, about=with_chunks(picture.about, content))
        return fitted(picture, levels), float(image.info.get("duration", 0))


def at_frame(path: Path, number: int) -> tuple[Image.Image, bytes]:
    """Return Pillow's image of a file at this frame, and the file's bytes."""
    about = path.stat()
    key = (path, about.st_mtime_ns, about.st_size)
    held, image, content = getattr(CURSOR, "held", (None, None, b""))
    if held != key or image is None or image.tell() > number:
        content = path.read_bytes()
        image = opened(io.BytesIO(content))
    if image.format == "MPO" and image.tell() != number:
        image.info.clear()  # what one picture says is not true of the next
    image.seek(number)
    CURSOR.held = (key, image, content)
    return image, content


def let_go() -> None:
    """Forget the animation that this thread read last."""
    CURSOR.__dict__.clear()


def write_frames(path: Path, pictures: Sequence[StoredImage], durations: Sequence[float], frames: Frames) -> None:
    """Write pictures as one file of the kind of ``path``'s suffix, whole or not at all: an animation, or an MPO.

    durations: of every picture, in milliseconds.
    """
    suffix = path.suffix.lower()
    if frames.default and suffix != ".png":  # the first picture is no frame
        pictures, durations, frames = pictures[1:], durations[1:], replace(frames, default=False)
    images = [Image.fromarray(without_axis(pixels)) for pixels in of_one_form(pictures)]
    options = save_options(suffix, pictures[0]) | {"save_all": True, "append_images": images[1:]}
    if frames.kind == "MPO":
        for image, picture in zip(images, pictures, strict=True):
            own: Any = image
            plain = {"exif": b"", "icc_profile": None, "xmp": b"", "comment": b"", "extra": b"", "dpi": (0, 0)}
            own.encoderinfo = plain | save_options(suffix, picture)
        options["format"] = "MPO"
    else:
        options |= {"duration": list(durations[frames.default :]), "loop": frames.loop}
        options |= {"default_image": True} if frames.default else {}
    with replacing(path) as temporary:
        images[0].save(temporary, **options)


def of_one_form(pictures: Sequence[StoredImage]) -> Iterator[np.ndarray]:
    """Give pixels ``(H, W, C)`` of one C: grey where all are, with transparency where one has it."""
    colour = max(picture.pixels.shape[-1] for picture in pictures)
    for picture in pictures:
        pixels = np.repeat(picture.pixels, colour, axis=2) if picture.pixels.shape[-1] == 1 else picture.pixels
        alpha = picture.alpha
        if alpha is None and any(other.alpha is not None for other in pictures):
            alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
        yield pixels if alpha is None else np.concatenate([pixels, alpha], axis=2)
