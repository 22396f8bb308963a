"""What images are brought to, so that they fit together: one number of channels, one type, perhaps one size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cuello.data.alpha import covered
from cuello.data.picture import StoredImage, as_channels, resized


class PictureFacts(NamedTuple):
    """What is known of a picture once its pixels are dropped: size in pixels, channels, type, transparency."""

    height: int
    width: int
    channels: int
    dtype: np.dtype
    transparent: bool


def facts_of(picture: StoredImage) -> PictureFacts:
    return PictureFacts(*picture.pixels.shape, dtype=picture.pixels.dtype, transparent=picture.alpha is not None)


@dataclass(frozen=True)
class Form:
    """The form of every image: its channels; uint8, uint16 or float32; size (width, height), or None for its own."""

    channels: int
    dtype: np.dtype
    size: tuple[int, int] | None = None

    def arranged(self, picture: StoredImage) -> np.ndarray:
        """Bring a picture's pixels to this form, ``(H, W, C)``; without its transparency and what it hides."""
        if picture.alpha is not None and picture.declared:
            picture = replace(picture, pixels=covered(picture.pixels, picture.alpha))
        pixels = to_depth(as_channels(picture, self.channels).pixels, self.dtype)
        return pixels if self.size is None else resized(pixels, self.size)


def form_of(
    facts: Sequence[PictureFacts], channels: int | None = None, size: tuple[int, int] | None = None
) -> tuple[Form, list[str]]:
    """Find the form in which pictures fit together, and notes that say what it changes.

    channels: 1, 3 or 4; by default what all pictures have, or 3 where some are grey and others not. The type is the
    widest of all.
    """
    notes = []
    grey = sum(fact.channels == 1 for fact in facts)
    wanted = channels or (facts[0].channels if len({fact.channels for fact in facts}) == 1 else 3)
    if wanted == 3 and grey:
        notes.append(f"{grey} of {len(facts)} images are grey; they were repeated to three channels")
    if wanted == 1 and grey < len(facts):
        notes.append(f"{len(facts) - grey} of {len(facts)} images are in colour; they were converted to grey (luma)")
    transparent = sum(fact.transparent for fact in facts)
    if transparent:
        notes.append(f"the transparency of {transparent} images was ignored (--channels=4 keeps a fourth channel)")
    types = {fact.dtype for fact in facts}
    widest = next(iter(types))
    if len(types) > 1:
        widest = np.dtype(np.float32) if any(kind.kind == "f" for kind in types) else np.dtype(np.uint16)
        notes.append(
            f"images of different bit depths ({', '.join(sorted(map(str, types)))}) were converted to {widest}"
        )
    return Form(wanted, widest, size), notes


def to_depth(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bring ``array`` to a wider type, white staying white: 8 bits times 257 are 16 bits."""
    if array.dtype == dtype:
        return array
    if dtype.kind == "f":
        return (array / np.iinfo(array.dtype).max).astype(np.float32)
    return array.astype(np.uint16) * 257
