"""Images of any kind in memory, restored into the same kind: arrays, tensors, Pillow images, lists of them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cuello.core.errors import CuelloError, worded
from cuello.data.alpha import covered, where_seen
from cuello.data.batches import to_tensor
from cuello.data.levels import Levels, RangeChoice, UnfitError, ends
from cuello.data.picture import as_channels, four_channels
from cuello.data.stored import StoredImage, larger
from cuello.data.tiff import separate
from cuello.inference.narrow import Within, within_choice
from cuello.inference.pillow import as_pillow, stored
from cuello.inference.restorer import Restorer
from cuello.inference.tensors import channels_first

FULL = RangeChoice("full")


def warn(text: str, level: int) -> None:
    """Warn of something at the place that is so many calls above."""
    warnings.warn(text, stacklevel=level + 1)


@dataclass(frozen=True)
class SameKind:
    """Restores images and gives the same kind, shape and type back.

    model: the network, or what else restores. choice: which range to use. level: of the noise, in units of the type's
    white, or None. asked: whether the caller chose the range; otherwise tensors are in [0, 1], whatever range a network
    was trained with. say: takes what the caller should know, and how many calls above it is.
    """

    model: Restorer
    choice: RangeChoice
    level: float | None = None
    asked: bool = True
    say: Callable[[str, int], None] = warn

    def __call__(self, images: Any) -> Any:
        if isinstance(images, list | tuple):
            return [self(image) for image in images]
        if isinstance(images, Image.Image):
            return self.pillow(images)
        if isinstance(images, Tensor):
            return self.tensor(images)
        if isinstance(images, np.ndarray):
            return self.array(images)
        raise unknown_kind(images)

    def array(self, images: np.ndarray) -> np.ndarray:
        if images.ndim == 3 and not is_single(images) and len(images) == self.model.channels > 1:
            self.say(chw(images), 4)
        larger = self.whole(as_stack(native(images))).astype(images.dtype, copy=False)
        larger = larger[0] if is_single(images) else larger
        return larger[..., 0] if larger.ndim > images.ndim else larger

    def colours(self, stack: np.ndarray) -> int:
        """Count the channels of ``(N, H, W, C)`` that are no transparency."""
        have = stack.shape[-1]
        return have - 1 if have in (2, 4) and have != self.model.channels else have

    def seen(self, stack: np.ndarray) -> np.ndarray:
        """Return the values of ``(N, H, W, C)`` that an estimate looks at: hidden ones and transparency are none."""
        return stack if self.colours(stack) == stack.shape[-1] else without_hidden(stack)

    def ranges_of(self, stack: np.ndarray) -> list[Levels | None]:
        """Return the range of every image of ``(N, H, W, C)``: of all, where it fits; None for its type's."""
        seen = self.seen(stack)
        choice = self.choice.among([seen]) if len(stack) > 1 else self.choice
        return [choice.settled(image) for image in seen]

    def whole(self, stack: np.ndarray) -> np.ndarray:
        """Restore ``(N, H, W, C)``; transparency is kept or enlarged."""
        if stack.dtype.kind == "b" and self.choice.levels is None:
            return self.whole(stack.astype(np.uint8) * 255) > 127
        if self.choice.name == "units" and stack.dtype.kind not in "buif":
            raise CuelloError(f"got an array of {stack.dtype}, needed whole numbers or floats.")
        ranges = self.ranges_of(stack)
        if None in ranges:
            check_values(stack)
        found: list[Levels] = []
        restored = np.stack([self.one(image, levels, found) for image, levels in zip(stack, ranges, strict=True)])
        estimated = [levels for levels in (*ranges, *found) if levels is not None and levels.estimated]
        if estimated and self.choice.name is None:
            self.say(little(estimated[0]), 5)
        return restored.astype(stack.dtype, copy=False)

    def one(self, image: np.ndarray, levels: Levels | None, found: list[Levels]) -> np.ndarray:
        """Restore one image ``(H, W, C)`` within ``levels``; ranges of channels by themselves go into ``found``."""
        planes, stored = self.colours(image[None]), image.dtype
        colours, alpha = image[..., :planes], image[..., planes:]
        if levels is None:
            colours = colours.astype(np.float32) if stored.kind == "f" else colours
        else:
            try:
                colours = levels.scaled(colours, "the array")
            except UnfitError as error:
                raise CuelloError(f"{error}.") from None
        within = within_choice(self.model, levels, stored, level=self.level, choice=self.choice)
        larger = self.model.enlarge(alpha) if alpha.size else alpha
        gaps = self.model.gaps
        restored = where_seen(within, colours, alpha, larger=larger, gaps=gaps) if alpha.size else within(colours)
        restored = restored.astype(stored) if levels is None else levels.back(restored, stored)
        found.extend(within.found)
        return np.concatenate([restored, larger], axis=-1) if alpha.size else restored

    def tensor(self, images: Tensor) -> Tensor:
        stack = channels_first(images).permute(0, 2, 3, 1).cpu().numpy()
        larger = (self if self.asked else replace(self, choice=RangeChoice())).whole(stack)
        result = torch.from_numpy(larger).permute(0, 3, 1, 2).to(images)
        return result[0] if images.ndim == 3 else result

    def pillow(self, image: Image.Image) -> Image.Image:
        picture = stored(image, self.choice)
        if picture.levels is not None and picture.levels.estimated and self.choice.name is None:
            self.say(little(picture.levels), 4)
        result = restore_picture(self.model, picture, self.level, choice=self.choice)
        if result.narrow and self.choice.name is None:
            self.say(little(result.narrow[0]), 4)
        return as_pillow(result, like=image)


def restore_picture(
    model: Restorer, picture: StoredImage, level: float | None = None, choice: RangeChoice = FULL
) -> StoredImage:
    """Restore a picture's colours, and every channel that is none of them by itself; transparency is enlarged only.

    choice: with which the picture was read.
    """
    given = four_channels(picture) if model.channels == 4 else picture
    alpha = None if given.alpha is None else model.enlarge(given.alpha)
    parts = separate(given)
    levels = given.levels if given.stored is not None else None
    stored = given.stored or given.pixels.dtype
    within = within_choice(model, levels, stored, level=level, choice=choice, parts=len(parts))
    restored = [restored_pixels(within, one, larger=alpha) for one in parts]
    pixels = np.concatenate(restored, axis=2)
    if model.channels == 4 and picture.alpha is not None:  # files keep a fourth channel where they keep transparency
        pixels, alpha = pixels[..., :3], pixels[..., 3:]
    return larger(replace(picture, pixels=pixels, alpha=alpha, narrow=tuple(within.found)), model.scale)


def restored_pixels(within: Within, given: StoredImage, larger: np.ndarray | None) -> np.ndarray:
    """Restore pixels, and bring them back to the file's own units and type where a range was used.

    larger: the transparency of the result, if any.
    """
    if given.alpha is None or larger is None:
        pixels = within(given.pixels)
    else:
        pixels = where_seen(within, given.pixels, given.alpha, larger=larger, gaps=within.model.gaps)
    return pixels if within.levels is None else within.levels.back(pixels, within.stored)


def without_hidden(stack: np.ndarray) -> np.ndarray:
    """Give the colours of ``(N, H, W, C)`` with transparency as the last channel, what it hides covered."""
    return np.stack([covered(image[..., :-1], image[..., -1:]) for image in stack])


def little(levels: Levels) -> str:
    """Say which range was estimated, and how to do without."""
    return worded(
        f"the values fill less than a tenth of their type's range: restored within {levels}, estimated from them. "
        "--range=full turns that off; --range=LOW..HIGH sets the range"
    )


def stacked(images: Any, channels: int, levels: Levels | None = None) -> Tensor:
    """Bring images of one size, of any kind, to a tensor ``(N, C, H, W)`` in [0, 1].

    channels: of a Pillow image. Raises CuelloError for other kinds, and for images of several sizes.
    """
    if isinstance(images, list | tuple):
        parts = [stacked(image, channels, levels) for image in images]
        if len({part.shape[1:] for part in parts}) != 1:
            raise CuelloError("got images of different shapes (or none), needed one for all.")
        return torch.cat(parts)
    if isinstance(images, Tensor):
        stack = channels_first(images)
        check_values(stack.cpu().numpy(), ranged=False)
        return stack.float()
    if isinstance(images, Image.Image):
        if channels == 4 and not images.has_transparency_data:
            images = images.convert("RGBA")
        picture = stored(images, levels)
        picture = four_channels(picture) if channels == 4 else as_channels(picture, channels)
        return to_tensor(picture.pixels[None])
    if not isinstance(images, np.ndarray):
        raise unknown_kind(images)
    images = native(images)
    if levels is not None:
        try:
            return to_tensor(levels.scaled(as_stack(images), "the array"))
        except UnfitError as error:
            raise CuelloError(f"{error}.") from None
    images = images.astype(np.uint8) * 255 if images.dtype.kind == "b" else images
    check_values(images, ranged=False)
    stack = as_stack(images)
    return to_tensor(stack.astype(np.float32) if stack.dtype.kind == "f" else stack)


def unknown_kind(images: Any) -> CuelloError:
    return CuelloError(
        f"got {type(images).__name__}, needed a NumPy array, a tensor, a Pillow image or a list of them."
    )


def check_values(images: np.ndarray, ranged: bool = True) -> None:
    """Raise CuelloError unless an array, or a tensor's, holds uint8, uint16, or floats in [0, 1].

    ranged: whether the caller could have stated a range.
    """
    if images.dtype.kind == "f":
        if not np.isfinite(images).all():
            raise CuelloError("the array holds NaN or infinite values; replace them first.")
        if images.size and (images.min() < 0 or images.max() > 1):
            state = f", or say what stands for black and white: --range=auto, or --range={ends(images)}"
            raise CuelloError(
                f"the array holds floats from {images.min():.10g} to {images.max():.10g}, needed 0 to 1: scale it "
                f"first{state if ranged else ''}."
            )
    elif images.dtype not in (np.uint8, np.uint16):
        state = ", or what stands for black and white: --range=auto, or --range=LOW..HIGH"
        raise CuelloError(
            f"got an array of {images.dtype}, needed uint8, uint16 or floats in [0, 1]{state if ranged else ''}."
        )


def native(images: np.ndarray) -> np.ndarray:
    """Bring an array to this machine's byte order, in one piece; CuelloError where values are masked out."""
    if np.ma.is_masked(images):
        raise CuelloError("got an array with masked values; fill them first: array.filled(0).")
    return np.ascontiguousarray(images, dtype=images.dtype.newbyteorder("="))


def chw(images: np.ndarray) -> str:
    """Say how an array was understood that may have its channels first."""
    return (
        f"got an array of shape {images.shape}, taken for {len(images)} grey images. If it is one image with its "
        "channels first, give array.transpose(1, 2, 0)."
    )


def is_single(images: np.ndarray) -> bool:
    """Tell whether an array is one image: three axes are, if the last is 1, 2, 3 or 4."""
    return images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in (1, 2, 3, 4))


def as_stack(images: np.ndarray) -> np.ndarray:
    """Bring one image or several to ``(N, H, W, C)``; three axes whose last is 1, 2, 3 or 4 are one image."""
    if images.ndim not in (2, 3, 4) or 0 in images.shape:
        raise CuelloError(f"got an array of shape {images.shape}, needed (H, W), (H, W, C), (N, H, W) or (N, H, W, C).")
    if images.ndim == 4 and images.shape[1] in (1, 3, 4) and min(images.shape[2:]) > 4:
        raise CuelloError(
            f"got an array of shape {images.shape}, whose channels seem to come first; needed (N, H, W, C): "
            "array.transpose(0, 2, 3, 1)."
        )
    stack = images[None] if is_single(images) else images
    return stack[..., None] if stack.ndim == 3 else stack
