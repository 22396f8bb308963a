"""Fewer pixels: images made smaller, or smaller and large again."""

from typing import ClassVar

import pydantic
import torch
from torch import Generator, Tensor

from cuello.degrade.base import Degradation, Quantity, quantity
from cuello.resample import ResizeMethod, resize

SMALLEST_FACTOR, LARGEST_FACTOR = 2, 8


def as_file(images: Tensor, rounded: bool) -> Tensor:
    """Return images cut to [0, 1] and, if asked for, rounded to 8 bits (halves up, as MATLAB does)."""
    images = images.clamp(0, 1)
    return images.mul_(255).add_(0.5).floor_().div_(255) if rounded else images


class Down(Degradation):
    """Fewer pixels, y = (x * k)↓factor: MATLAB's imresize by 1 / factor, cut to [0, 1] and rounded to 8 bits.

    ``(N, C, H, W)`` becomes ``(N, C, ⌈H / factor⌉, ⌈W / factor⌉)``. Published low-resolution test images are made so.
    """

    name: ClassVar[str] = "down"
    summary: ClassVar[str] = "fewer pixels: a smaller image, to be upscaled"
    main: ClassVar[str] = "factor"
    factor: Quantity = quantity(
        2, "how many times smaller each side becomes", "times", SMALLEST_FACTOR, LARGEST_FACTOR, True, ranged=False
    )
    method: ResizeMethod = pydantic.Field(default="bicubic", description="how the image is made smaller")
    round: bool = pydantic.Field(default=True, description="round the small image to 8 bits, as a file would")

    @property
    def scale(self) -> int:
        return int(self.factor)  # type: ignore[arg-type]  # never a range

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        return as_file(resize(images, scale=1 / self.scale, method=self.method), self.round)


class Resize(Degradation):
    """Fewer pixels, and the old size again, both by MATLAB's imresize: what enlarging has lost is to be restored.

    The small image, ``⌈side / factor⌉`` pixels a side, and the result are cut to [0, 1] and rounded to 8 bits.
    """

    name: ClassVar[str] = "resize"
    summary: ClassVar[str] = "made smaller and enlarged again to the old size"
    main: ClassVar[str] = "factor"
    factor: Quantity = quantity(
        2, "how many times smaller each side becomes meanwhile", "times", SMALLEST_FACTOR, LARGEST_FACTOR, True
    )
    method: ResizeMethod = pydantic.Field(default="bicubic", description="how the image is made smaller and larger")
    round: bool = pydantic.Field(default=True, description="round both images to 8 bits, as files would")

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        height, width = images.shape[2:]
        factors = values["factor"].view(-1)
        out = torch.empty_like(images)
        for factor in factors.unique().tolist():
            chosen = (factors == factor).to(images.device)
            small = as_file(resize(images[chosen], scale=1 / factor, method=self.method), self.round)
            out[chosen] = as_file(resize(small, (height, width), method=self.method), self.round)
        return out
