"""ESPCN: convolutions at low resolution, and channels shuffled into pixels at the end."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.limits import ImageSettings, Width

# Configuration


class EspcnConfig(ImageSettings):
    """Settings of an Espcn; the paper's widths are 64 and 32."""

    scale: int = Field(default=2, ge=2, le=8, description="how many times larger the sides become")
    first: Width = Field(default=64, description="channels after the first convolution")
    second: Width = Field(default=32, description="channels after the second")


# Model


class Espcn(ImageNetwork):
    """Convolutions of 5×5, 3×3 and 3×3 with tanh between them, then a pixel shuffle.

    ``image = shuffle(conv3(tanh(conv2(tanh(conv1(x))))))``

    config: see EspcnConfig. Input ``(N, channels, H, W)``, any size; output image ``(N, channels, s · H, s · W)``.
    receptive_field counts pixels of the input. The paper trains one channel, luma.

    >>> network = Espcn(EspcnConfig(channels=1, scale=3))
    >>> sum(parameter.numel() for parameter in network.parameters())
    22729

    Source: Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", equations 1 to 4 and section 4.2 (tanh in place of ReLU).
    """

    def __init__(self, config: EspcnConfig):
        super().__init__()
        self.config = config
        self.channels, self.scale = config.channels, config.scale
        self.ends = ("layers.0", "layers.4")
        self.receptive_field = 9  # 2 + 1 + 1 pixels to every side
        self.layers = nn.Sequential(
            nn.Conv2d(config.channels, config.first, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(config.first, config.second, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(config.second, config.channels * config.scale**2, 3, padding=1),
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return enlarged images; ``condition`` is not used."""
        phases = self.layers(x.contiguous(memory_format=torch.channels_last))  # (N, C, H, W) -> (N, C · s², H, W)
        return Output(functional.pixel_shuffle(phases, self.scale))  # -> (N, C, s · H, s · W)
