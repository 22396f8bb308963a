"""A small U-Net that predicts the noise and takes it off."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.blocks import UpsampleConv2d
from cuello.models.geometry import check_multiple
from cuello.models.limits import ImageSettings, Width

# Blocks


class DoubleConvolution(nn.Module):
    """Two 3×3 convolutions that keep the size, each followed by a ReLU.

    Input ``(N, in_channels, H, W)``, output ``(N, out_channels, H, W)``.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu_(self.second(functional.relu_(self.first(x))))


# Configuration


class UNetConfig(ImageSettings):
    """Settings of a UNet."""

    width: Width = Field(16, description="channels at full resolution, doubled at each halving")
    depth: int = Field(2, ge=1, le=5, description="how many times the image is halved")


# Model


class UNet(ImageNetwork):
    """A U-Net: what is seen at coarse resolution joins what is seen at fine resolution.

    ``image = x - net(x)``: the network learns the difference (residual learning), and its last convolution starts
    at zero, so that training begins from the input as it is.

    config: see UNetConfig. Input and output image: ``(N, channels, H, W)``, H and W multiples of ``stride``
    (CuelloError otherwise). latent: ``(N, width · 2^depth, H / stride, W / stride)``.

    >>> UNet(UNetConfig(width=4))(torch.rand(1, 3, 16, 24)).image.shape
    torch.Size([1, 3, 16, 24])

    Source: Ronneberger et al. 2015, without cropping and with nearest-neighbour enlargement.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        self.channels, self.stride = config.channels, 2**config.depth
        widths = [self.config.width * 2**level for level in range(self.config.depth + 1)]
        self.down = nn.ModuleList(
            DoubleConvolution(a, b) for a, b in zip([self.config.channels, *widths], widths, strict=False)
        )
        coarse_to_fine = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.enlarge = nn.ModuleList(UpsampleConv2d(a, b, 3) for a, b in coarse_to_fine)
        self.up = nn.ModuleList(DoubleConvolution(2 * b, b) for _, b in coarse_to_fine)
        self.last = nn.Conv2d(widths[0], self.config.channels, 1)
        nn.init.zeros_(self.last.weight)
        self.ends = ("down.0.first", "last")

    @property
    def receptive_field(self) -> int:
        """Side, in pixels, of the square centred on an output pixel outside of which no input changes it."""
        radius = 0
        for position in range(self.stride):
            first, last = self._decoder_reach(0, position, position)
            radius = max(radius, position - first, last - position)
        return 2 * radius + 1

    def _decoder_reach(self, level: int, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input pixel that [first, last] of the decoder's features at ``level`` need."""
        if level == self.config.depth:
            return self._encoder_reach(level, first, last)
        skip = self._encoder_reach(level, first - 2, last + 2)  # through the double convolution
        coarse = self._decoder_reach(level + 1, (first - 3) // 2, (last + 3) // 2)  # … and the enlarging one
        return min(skip[0], coarse[0]), max(skip[1], coarse[1])

    def _encoder_reach(self, level: int, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input pixel that [first, last] of the encoder's features at ``level`` need."""
        first, last = first - 2, last + 2  # through the double convolution
        return (first, last) if level == 0 else self._encoder_reach(level - 1, 2 * first, 2 * last + 1)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images and the coarsest features; ``condition`` is not used."""
        check_multiple(x, self.stride)
        noisy = x.contiguous(memory_format=torch.channels_last)  # the layout of every layer from here on
        skips = []
        features = noisy
        for level, block in enumerate(self.down):
            if level:
                features = functional.max_pool2d(features, 2)  # (N, w, h, w) -> (N, w, h / 2, w / 2)
            features = block(features)  # -> (N, width · 2^level, h, w)
            skips.append(features)
        latent = skips.pop()
        features = latent
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            features = functional.relu_(enlarge(features))  # (N, 2 w, h, w) -> (N, w, 2 h, 2 w)
            features = block(torch.cat([features, skips.pop()], 1))  # (N, 2 w, …) -> (N, w, …)
        return Output(noisy - self.last(features), latent)
