"""Images of any kind as pictures that a browser shows."""

import io
from base64 import b64encode
from pathlib import Path

import numpy as np

SIDE, LARGEST = 128, 1600
"""Pixels along the longer side of a small picture, and of a large one."""


def shares(pixels: np.ndarray, ends: tuple[float, float] | None = None) -> np.ndarray:
    """Bring ``(H, W, C)`` pixels to 8 bits: 8 bits as they are, others from their lowest value to their highest.

    ends: the lowest and the highest of another image, which then looks alike.

    >>> shares(np.array([[[100], [200], [300]]], np.uint16)).ravel().tolist()
    [0, 128, 255]
    """
    if pixels.dtype == np.uint8:
        return pixels
    low, high = ends or ends_of(pixels)
    values = (np.nan_to_num(pixels.astype(np.float64), nan=low) - low) / ((high - low) or 1.0)
    return (255 * values.clip(0, 1)).round().astype(np.uint8)


def ends_of(pixels: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest value of an image; of no finite value 0 and 1."""
    values = pixels[np.isfinite(pixels)]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)


def png(pixels: np.ndarray, side: int = LARGEST, ends: tuple[float, float] | None = None) -> bytes:
    """Make a PNG of ``(H, W, C)`` pixels, smaller where its longer side is more than ``side``."""
    from PIL import Image

    shown = shares(pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1], ends)
    image = Image.fromarray(shown.squeeze(2) if shown.shape[2] == 1 else shown)
    if max(image.size) > side:
        image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "png")
    return stream.getvalue()


def inline(content: bytes) -> str:
    """Return a PNG as an address that holds it."""
    return f"data:image/png;base64,{b64encode(content).decode()}"


def file_pixels(path: Path) -> np.ndarray:
    """Read an image file's first page as ``(H, W, C)``; CuelloError where it is none."""
    from cuello.data.picture import read_picture

    return read_picture(path).pixels
