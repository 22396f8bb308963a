"""FSRCNN: shrink the channels, map, expand them, and enlarge by a transposed convolution."""

from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.blocks import PReLU
from cuello.models.limits import Depth, ImageSettings, Width

# Configuration


class FsrcnnConfig(ImageSettings):
    """Settings of an Fsrcnn; the default is the paper's FSRCNN(56, 12, 4)."""

    scale: int = Field(default=2, ge=2, le=8, description="how many times larger the sides become")
    features: Width = Field(default=56, description="channels after the first convolution (d)")
    shrunk: Width = Field(default=12, description="channels while mapping (s)")
    mappings: Depth = Field(default=4, description="3×3 convolutions that map (m)")


# Model


class Fsrcnn(ImageNetwork):
    """Feature extraction, shrinking, mapping, expanding, deconvolution: FSRCNN(d, s, m).

    ``Conv(5, d, 1) - Conv(1, s, d) - m × Conv(3, s, s) - Conv(1, d, s) - DeConv(9, 1, d)``, each convolution followed
    by a PReLU with a slope a channel. Weights begin as the paper's: He's normal ones, the deconvolution's near 0
    (standard deviation .001).

    config: see FsrcnnConfig. Input ``(N, channels, H, W)``, any size; output image ``(N, channels, s · H, s · W)``.
    receptive_field counts pixels of the input. The paper trains one channel, luma, and counts 12,464 kernel weights;
    biases and slopes are 345 more.

    >>> network = Fsrcnn(FsrcnnConfig(channels=1))
    >>> sum(parameter.numel() for parameter in network.parameters() if parameter.ndim == 4)
    12464

    Source: Dong, Loy and Tang 2016, "Accelerating the super-resolution convolutional neural network", section 3.
    """

    def __init__(self, config: FsrcnnConfig):
        super().__init__()
        self.config = config
        self.channels, self.scale = config.channels, config.scale
        # The 9×9 kernel reaches 4 output pixels to either side of one at place 0 to s - 1 within its input pixel.
        enlarging = max(4 // config.scale, (config.scale + 3) // config.scale)
        self.receptive_field = 1 + 2 * (2 + config.mappings + enlarging)
        widths = [config.channels, config.features, *[config.shrunk] * (config.mappings + 1), config.features]
        kernels = [5, 1, *[3] * config.mappings, 1]
        layers: list[nn.Module] = []
        for inputs, outputs, kernel in zip(widths, widths[1:], kernels, strict=False):
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), PReLU(outputs)]
        deconvolution = nn.ConvTranspose2d(
            config.features, config.channels, 9, stride=config.scale, padding=4, output_padding=config.scale - 1
        )
        self.layers = nn.Sequential(*layers, deconvolution)
        self.ends = ("layers.0", f"layers.{len(layers)}")
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)  # 0.25: a PReLU's first slope
                nn.init.zeros_(cast("Tensor", layer.bias))
        nn.init.normal_(deconvolution.weight, std=1e-3)
        nn.init.zeros_(cast("Tensor", deconvolution.bias))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return enlarged images; ``condition`` is not used."""
        # (N, C, H, W) -> (N, C, s · H, s · W)
        return Output(self.layers(x.contiguous(memory_format=torch.channels_last)))
