"""The networks of the `super-resolution` source: strided convolutions around one large kernel, and their mirror."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.blocks import BatchNorm2d, BitDropout
from cuello.models.geometry import check_multiple, positive
from cuello.models.large_kernels import LargeConv2d, LargeConvTranspose2d
from cuello.models.limits import Channels, Kernel, Settings, Widths

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}

# Configuration


class StridedConfig(Settings):
    """Settings of a StridedAutoencoder; the default is the source's network of three layers."""

    channels: Channels = Field(default=4, description="channels of the images")
    filters: Widths = Field(
        default=(16, 32, 64), min_length=1, description="output channels of the encoder's convolutions"
    )
    bottom: Kernel | None = Field(
        default=32, description="side of the last convolution's kernel, which does not halve; none: 3×3, and it halves"
    )
    activation: Literal["relu", "tanh", "sigmoid"] = Field(
        default="relu", description="after every layer, before the last tanh too"
    )
    norm: bool = Field(default=False, description="batch normalisation in every layer but the last")
    dropout: float = Field(default=0, ge=0, lt=1, description="share set to 0 after every layer but the last")
    skips: bool = Field(default=False, description="the encoder's features join the decoder's of the same size")

    @property
    def stride(self) -> int:
        """The multiple that height and width must be of, in pixels: 2 for each 3×3 convolution of the encoder."""
        return 2 ** (len(self.filters) - (self.bottom is not None))


# Model


class StridedAutoencoder(ImageNetwork):
    """Halving convolutions, a large kernel at the bottom, and the same mirrored by transposed convolutions.

    ``image = (tanh(act(decode(encode(2 x - 1)))) + 1) / 2``: the encoder's 3×3 convolutions have stride 2, its last one
    (``bottom``) has neither stride nor padding. With a ReLU before the tanh, as in the source, no pixel can become
    darker than 0.5: the network cannot do what it is for.

    The source states filters, kernels and strides. Guesses: padding 1 at the 3×3 convolutions (and output padding 1 in
    their mirror, so that sizes come back), batch normalisation before and dropout after the activation, and, in the
    U-Net, strides for halving and features that join by concatenation.

    config: see StridedConfig. Input and output image ``(N, channels, H, W)`` in [0, 1], H and W multiples of ``stride``
    (CuelloError otherwise); sides below ``stride · bottom`` (the source's images have 256 pixels) are filled up by
    their last pixels and cut again. latent: ``(N, filters[-1], H / stride - bottom + 1, W / stride - bottom + 1)``.

    >>> network = StridedAutoencoder(StridedConfig(channels=3, filters=(4, 8), bottom=5))
    >>> output = network(torch.rand(1, 3, 16, 20))
    >>> output.image.shape, output.latent.shape
    (torch.Size([1, 3, 16, 20]), torch.Size([1, 8, 4, 6]))

    Source: an earlier report in Spanish on super-resolution with PyTorch, here called `super-resolution`; the U-Net:
    Ronneberger et al. 2015.
    """

    def __init__(self, config: StridedConfig):
        super().__init__()
        self.config = config
        self.channels, self.stride = config.channels, config.stride
        self.smallest = config.stride * (config.bottom or 1)
        widths = (config.channels, *config.filters)
        count = len(config.filters)
        encoder, decoder = [], []
        for index in range(count):
            outer, inner = widths[index], widths[index + 1]
            joined = 2 * inner if config.skips and index < count - 1 else inner
            if config.bottom is not None and index == count - 1:
                down = LargeConv2d(outer, inner, config.bottom)
                up = LargeConvTranspose2d(joined, outer, config.bottom)
            else:
                down = nn.Conv2d(outer, inner, 3, stride=2, padding=1)
                up = nn.ConvTranspose2d(joined, outer, 3, stride=2, padding=1, output_padding=1)
            encoder.append(self._layer(down, inner))
            decoder.insert(0, self._layer(up, outer, last=index == 0))
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)

    def _layer(self, convolution: nn.Module, width: int, last: bool = False) -> nn.Sequential:
        parts: list[nn.Module] = [convolution]
        if self.config.norm and not last:
            parts.append(BatchNorm2d(width, eps=1e-5))
        parts.append(ACTIVATIONS[self.config.activation]())
        if self.config.dropout and not last:
            parts.append(BitDropout(self.config.dropout))
        return nn.Sequential(*parts)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images and codes; ``condition`` is not used."""
        check_multiple(x, self.stride)
        height, width = x.shape[2:]
        missing = (0, positive(self.smallest - width), 0, positive(self.smallest - height))
        features = 2 * functional.pad(x, missing, mode="replicate") - 1  # (N, C, H, W) in [-1, 1]
        levels: list[Tensor] = []
        for layer in self.encoder:
            features = layer(features)  # (N, a, h, w) -> (N, b, h / 2, w / 2), the bottom -> (N, b, h - k + 1, …)
            levels.append(features)
        latent = levels.pop()
        for index, layer in enumerate(self.decoder):
            if self.config.skips and index:
                features = torch.cat([features, levels.pop()], 1)  # (N, b, h, w) -> (N, 2 b, h, w)
            features = layer(features)  # -> (N, a, 2 h, 2 w), the bottom's mirror -> (N, a, h + k - 1, …)
        return Output((torch.tanh(features)[:, :, :height, :width] + 1) / 2, latent)
