"""Fewer pixels: images made smaller, or smaller and large again."""

from typing import cast

import pydantic
import torch
from torch import Generator, Tensor

from cuello.core.resample import Edges, ResizeMethod, resize
from cuello.degrade.base import Degradation, Quantity, quantity

FACTORS = 2, 8
"""By how many times sides may become smaller."""


class Down(Degradation):
    """Fewer pixels, y = (x * k)↓factor: MATLAB's imresize by 1 / factor, cut to [0, 1] and rounded to 8 bits.

    ``(N, C, H, W)`` becomes ``(N, C, ⌈H / factor⌉, ⌈W / factor⌉)``. Published low-resolution test images are made so;
    those of Set5 with ``edges=repeat``.
    """

    name = "down"
    summary = "fewer pixels: a smaller image, to be upscaled"
    main = "factor"
    network = "up-s"
    factor: Quantity = quantity(
        2, "how many times smaller each side becomes", "times", limits=FACTORS, whole=True, ranged=False
    )
    method: ResizeMethod = pydantic.Field(default="bicubic", description="how the image is made smaller")
    edges: Edges = pydantic.Field(
        default="mirror", description="what lies beyond the image: itself, or its last pixels"
    )
    round: bool = pydantic.Field(default=True, description="round the small image to 8 bits, as a file would")

    @property
    def scale(self) -> int:
        return int(cast("float", self.factor))  # never a range

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        small = resize(images, scale=1 / self.scale, method=self.method, edges=self.edges, eight_bits=self.round)
        return small.clamp_(0, 1)


class Resize(Degradation):
    """Fewer pixels, and the old size again, both by MATLAB's imresize: what enlarging has lost is to be restored.

    The small image, ``⌈side / factor⌉`` pixels per side, and the result are cut to [0, 1] and rounded to 8 bits.
    """

    name = "resize"
    summary = "made smaller and enlarged again to the old size"
    main = "factor"
    factor: Quantity = quantity(
        2, "how many times smaller each side becomes meanwhile", "times", limits=FACTORS, whole=True
    )
    method: ResizeMethod = pydantic.Field(default="bicubic", description="how the image is made smaller and larger")
    round: bool = pydantic.Field(default=True, description="round both images to 8 bits, as files would")

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        height, width = images.shape[2:]
        factors = values["factor"].view(-1)
        out = torch.empty_like(images)
        for factor in factors.unique().tolist():
            chosen = (factors == factor).to(images.device)
            small = resize(images[chosen], scale=1 / factor, method=self.method, eight_bits=self.round).clamp_(0, 1)
            out[chosen] = resize(small, (height, width), method=self.method, eight_bits=self.round).clamp_(0, 1)
        return out
