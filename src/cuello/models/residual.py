"""A plain stack of convolutions that predicts the noise: DnCNN, in any size."""

import torch
from pydantic import Field
from torch import Tensor, nn

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.limits import ImageSettings, Width

# Configuration


class ResidualConfig(ImageSettings):
    """Settings of a ResidualNetwork; DnCNN itself has a depth of 17 (grey) or 20 (colour) and a width of 64."""

    depth: int = Field(17, ge=2, le=256, description="how many convolutions")
    width: Width = Field(64, description="channels between them")


# Model


class ResidualNetwork(ImageNetwork):
    """Convolutions of 3×3, batch normalisation and ReLU; the result is taken off the input.

    ``image = x - net(x)``

    config: see ResidualConfig. Input and output image: ``(N, channels, H, W)``, any size.

    >>> network = ResidualNetwork(ResidualConfig(channels=1))
    >>> sum(parameter.numel() for parameter in network.parameters())
    556097

    Source: Zhang et al. 2017, "Beyond a Gaussian Denoiser", section III.
    """

    def __init__(self, config: ResidualConfig):
        super().__init__()
        self.config = config
        self.channels, self.receptive_field = config.channels, 2 * config.depth + 1
        channels, width = self.config.channels, self.config.width
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(self.config.depth - 2):
            layers += [
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        last = nn.Conv2d(width, channels, 3, padding=1)
        layers.append(last)
        self.layers = nn.Sequential(*layers)
        self.ends = ("layers.0", f"layers.{len(layers) - 1}")
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # as the paper does
        nn.init.zeros_(last.weight)  # training begins from the input as it is

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images; ``condition`` is not used."""
        x = x.contiguous(memory_format=torch.channels_last)  # the layout of every layer from here on
        return Output(x - self.layers(x))  # (N, channels, H, W) -> (N, channels, H, W)
