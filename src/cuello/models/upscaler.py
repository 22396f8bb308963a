"""A small network that enlarges images: bicubic interpolation and what a stack of 3×3 convolutions adds to it."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.enlarging import BicubicUpscale
from cuello.models.limits import Depth, ImageSettings, Width
from cuello.models.reparameterised import convolution, fold_into, stack

# Configuration


class UpscalerConfig(ImageSettings):
    """Settings of an Upscaler."""

    scale: int = Field(default=2, ge=2, le=8, description="how many times larger the sides become")
    width: Width = Field(default=16, description="channels between the convolutions")
    depth: Depth = Field(default=8, description="convolutions between the first and the last")
    folded: bool = Field(default=False, description="plain convolutions, for inference, in place of branches")


# Model


class Upscaler(ImageNetwork):
    """Enlarge images by what convolutions at low resolution add to bicubic interpolation.

    ``image = shuffle(bicubic(x) + last(body(first(x))))``: every convolution is 3×3, hidden ones are followed by a
    PReLU with a slope a channel, and ``shuffle`` places s² channels as s×s pixels. The last convolution begins at 0,
    so that training begins from bicubic interpolation. While training, each convolution is a sum of branches (see
    BranchedConv2d); ``folded`` gives the network of plain convolutions that computes the same.

    config: see UpscalerConfig. Input ``(N, channels, H, W)`` in [0, 1], any size; output image
    ``(N, channels, s · H, s · W)``. receptive_field counts pixels of the input.

    >>> network = Upscaler(UpscalerConfig(channels=1, scale=3, width=8, depth=2))
    >>> network(torch.rand(1, 1, 10, 12)).image.shape
    torch.Size([1, 1, 30, 36])
    >>> sum(parameter.numel() for parameter in network.folded().parameters())
    1929

    Source: enlarging at the end by shuffled channels, Shi et al. 2016, section 3.2; a stack of edge-oriented blocks,
    Zhang, Zeng and Zhang 2021; learning the difference to bicubic interpolation, Kim et al. 2016 (VDSR), section 3.2.
    """

    def __init__(self, config: UpscalerConfig):
        super().__init__()
        self.config = config
        self.channels, self.scale = config.channels, config.scale
        self.receptive_field = 1 + 2 * max(config.depth + 2, 2)  # each convolution one pixel, bicubic two
        given = config.channels * config.scale**2
        layers = stack(config.channels, config.width, depth=1 + config.depth, folded=config.folded)
        self.layers = nn.Sequential(*layers, convolution(config.width, given, config.folded, zero=True))
        self.ends = ("layers.0", f"layers.{len(layers)}")
        self.bicubic = BicubicUpscale(config.scale)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return enlarged images; ``condition`` is not used."""
        added = self.layers(x.contiguous(memory_format=torch.channels_last))  # (N, C, H, W) -> (N, C · s², H, W)
        return Output(functional.pixel_shuffle(self.bicubic(x) + added, self.scale))  # -> (N, C, s · H, s · W)

    def folded(self) -> "Upscaler":
        """Return the same function with one plain convolution in place of each sum of branches."""
        plain = Upscaler(self.config.model_copy(update={"folded": True}))
        fold_into(plain, self)
        return plain
