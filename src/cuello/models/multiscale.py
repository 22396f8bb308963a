"""A small network that restores images at several resolutions, told how strong their noise is or not."""

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.blocks import PReLU
from cuello.models.denoiser import level_of_cells
from cuello.models.geometry import check_multiple
from cuello.models.limits import ImageSettings, Width
from cuello.models.reparameterised import convolution, fold_into, stack

# Configuration

Layers = Annotated[int, Field(ge=1, le=256)]
"""Convolutions in a row."""


class MultiScaleConfig(ImageSettings):
    """Settings of a MultiScale."""

    widths: tuple[Width, ...] = Field(
        default=(32, 48), min_length=1, max_length=5, description="channels at half the resolution, a quarter, …"
    )
    depths: tuple[Layers, ...] = Field(
        default=(2, 2), description="convolutions before what is coarser and again after it; the coarsest: in all"
    )
    told: bool = Field(default=True, description="whether it is told the standard deviation of the noise")
    hinted: bool = Field(default=False, description="whether it may be told how strong the fault is, in place of that")
    folded: bool = Field(default=False, description="plain convolutions, for inference, in place of branches")

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.widths) != len(self.depths):
            raise ValueError(f"got {len(self.widths)} widths and {len(self.depths)} depths, needed as many of both")
        if self.told and self.hinted:
            raise ValueError("got told and hinted, needed one of them at most: one number is told")
        return self


# Blocks


class Resolution(nn.Module):
    """Convolutions at one resolution, around all that is coarser.

    ``y = tail(h + up(coarser(down(h))))`` with ``h = head(x)``: ``down`` makes a cell of 2×2, ``up`` 2×2 of a cell. The
    coarsest one is ``tail(x)`` alone.

    Input ``(N, inputs, H, W)``, output ``(N, widths[0], H, W)``; H and W multiples of 2 a resolution below.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], depths: tuple[int, ...], folded: bool):
        super().__init__()
        width, depth, coarsest = widths[0], depths[0], len(widths) == 1
        self.head = nn.Sequential(*stack(inputs, width, depth=0 if coarsest else depth, folded=folded))
        self.tail = nn.Sequential(*stack(inputs if coarsest else width, width, depth=depth, folded=folded))
        self.depth = depth
        if not coarsest:
            self.down = nn.Sequential(nn.Conv2d(width, widths[1], 2, stride=2), PReLU(widths[1]))
            self.coarser = Resolution(widths[1], widths[1:], depths=depths[1:], folded=folded)
            self.up = nn.ConvTranspose2d(widths[1], width, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)  # (N, inputs, H, W) -> (N, w, H, W)
        if hasattr(self, "coarser"):
            x = x + self.up(self.coarser(self.down(x)))  # (N, w, H, W) -> (N, w', H / 2, W / 2) -> (N, w, H, W)
        return self.tail(x)

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last cell of the input that the cells ``first`` to ``last`` of a row depend on."""
        first, last = first - self.depth, last + self.depth  # tail
        if not hasattr(self, "coarser"):
            return first, last
        low, high = self.coarser.reach(first // 2, last // 2)
        return min(first, 2 * low) - self.depth, max(last, 2 * high + 1) + self.depth  # head


# Model


class MultiScale(ImageNetwork):
    """Take noise, or other faults, off an image: at half the resolution, and at coarser ones inside.

    ``image = x - shuffle(last(body(unshuffle(x), level)))``: squares of 2×2 pixels become channels, the noise's
    standard deviation joins as one more where the network is told it (or the strength of its fault, 0 where nobody
    knows it), Resolution follows, and channels become pixels again. The last convolution begins at 0: training begins
    from the image as it is. While training, each 3×3 convolution is a sum of branches (see BranchedConv2d); ``folded``
    gives the network of plain ones.

    config: see MultiScaleConfig. Input and output image ``(N, channels, H, W)``, white being 1, H and W multiples of
    ``stride`` (CuelloError otherwise), neither cut to [0, 1].

    >>> network = MultiScale(MultiScaleConfig(channels=1, widths=(8, 8), depths=(1, 1)))
    >>> network(torch.rand(2, 1, 12, 16), torch.full((2, 1, 1, 1), 25 / 255)).image.shape
    torch.Size([2, 1, 12, 16])

    Source: a U-Net (Ronneberger et al. 2015) that adds where it joins (Zhang et al. 2021, "Plug-and-play image
    restoration with deep denoiser prior", section 3.1, told the level likewise), of edge-oriented blocks (Zhang, Zeng
    and Zhang 2021), at half the resolution (FFDNet, Zhang, Zuo and Zhang 2018).
    """

    def __init__(self, config: MultiScaleConfig):
        super().__init__()
        self.config = config
        self.channels = config.channels
        self.stride = 2 ** len(config.widths)
        self.conditioning = "level" if config.told else "strength" if config.hinted else None
        given = 4 * config.channels + int(self.conditioning is not None)
        self.body = Resolution(given, config.widths, depths=config.depths, folded=config.folded)
        self.last = convolution(config.widths[0], 4 * config.channels, config.folded, zero=True)
        self.ends = ("body.head.0" if len(config.widths) > 1 else "body.tail.0", "last")
        self.receptive_field = self._receptive_field()

    def _receptive_field(self) -> int:
        """Return the side, in pixels, of the square around an output pixel on which it depends."""
        radius = 0
        for pixel in range(self.stride):
            cell = pixel // 2
            first, last = self.body.reach(cell - 1, cell + 1)  # the last convolution
            radius = max(radius, pixel - 2 * first, 2 * last + 1 - pixel)
        return 2 * radius + 1

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images.

        condition: where the network is told it, the noise's standard deviation with white as 1, ``(N, 1, 1, 1)``, or
        ``(N, 1, H, W)`` where it differs from place to place; None means 0, an image without noise. Where it may be
        told the strength of its fault, that, likewise; None means 0, not told.
        """
        check_multiple(x, self.stride)
        cells = functional.pixel_unshuffle(x, 2)  # (N, C, H, W) -> (N, 4 C, H / 2, W / 2)
        if self.conditioning is not None:
            cells = torch.cat([cells, level_of_cells(condition, x).to(cells.dtype)], 1)  # -> (N, 4 C + 1, …)
        fault = self.last(self.body(cells.contiguous(memory_format=torch.channels_last)))  # -> (N, 4 C, H / 2, W / 2)
        return Output(x - functional.pixel_shuffle(fault, 2))  # -> (N, C, H, W)

    def folded(self) -> "MultiScale":
        """Return the same function with one plain convolution in place of each sum of branches."""
        plain = MultiScale(self.config.model_copy(update={"folded": True}))
        fold_into(plain, self)
        return plain
