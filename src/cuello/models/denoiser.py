"""A small network for Gaussian noise that is told how strong the noise is: one model for every level."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.geometry import check_multiple
from cuello.models.limits import Depth, ImageSettings, Width
from cuello.models.reparameterised import convolution, fold_into, stack

# Configuration


class DenoiserConfig(ImageSettings):
    """Settings of a Denoiser."""

    width: Width = Field(default=40, description="channels between the convolutions")
    depth: Depth = Field(default=6, description="convolutions between the first and the last")
    folded: bool = Field(default=False, description="plain convolutions, for inference, in place of branches")


# Model


def level_of_cells(level: Tensor | None, x: Tensor) -> Tensor:
    """Return the noise's level at every cell of 2×2 pixels of ``(N, C, H, W)``, ``(N, 1, H / 2, W / 2)``.

    level: ``(N, 1, 1, 1)`` or ``(N, 1, H, W)``, CuelloError otherwise; None: 0 everywhere.
    """
    count, _, height, width = x.shape
    if level is None:
        return x.new_zeros(count, 1, height // 2, width // 2)
    if tuple(level.shape) not in ((count, 1, 1, 1), (count, 1, height, width)):
        raise CuelloError(
            f"got noise levels of shape {tuple(level.shape)}, needed ({count}, 1, 1, 1), one per image, or "
            f"({count}, 1, {height}, {width}), one per pixel."
        )
    level = level.to(x)
    if level.shape[2:] == x.shape[2:]:
        return functional.avg_pool2d(level, 2)
    return level.expand(count, 1, height // 2, width // 2)


class Denoiser(ImageNetwork):
    """Take Gaussian noise of a known level off, at half the resolution.

    ``image = x - shuffle(last(body(first(unshuffle(x), level))))``: squares of 2×2 pixels become channels, the noise's
    standard deviation joins as one more, 3×3 convolutions with PReLU (a slope a channel) follow, and channels become
    pixels again. The last convolution begins at 0: training begins from the image as it is. While training, each
    convolution is a sum of branches (see BranchedConv2d); ``folded`` gives the network of plain ones.

    config: see DenoiserConfig. Input and output image ``(N, channels, H, W)``, white being 1, H and W even (CuelloError
    otherwise), neither cut to [0, 1].

    >>> network = Denoiser(DenoiserConfig(channels=1, width=8, depth=1))
    >>> network(torch.rand(2, 1, 10, 12), torch.full((2, 1, 1, 1), 25 / 255)).image.shape
    torch.Size([2, 1, 10, 12])

    Source: Zhang, Zuo and Zhang 2018, "FFDNet: toward a fast and flexible solution for CNN-based image denoising",
    section III, with the noise as what is predicted (Zhang et al. 2017) and edge-oriented blocks (Zhang et al. 2021).
    """

    conditioning = "level"

    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.config = config
        self.channels = config.channels
        self.stride = 2
        # A cell of 2×2 sees depth + 2 cells to every side: one more pixel on the side away from the output pixel.
        self.receptive_field = 1 + 2 * (2 * (config.depth + 2) + 1)
        layers = stack(4 * config.channels + 1, config.width, depth=1 + config.depth, folded=config.folded)
        self.layers = nn.Sequential(*layers, convolution(config.width, 4 * config.channels, config.folded, zero=True))
        self.ends = ("layers.0", f"layers.{len(layers)}")

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images.

        condition: the noise's standard deviation with white as 1, ``(N, 1, 1, 1)``, or ``(N, 1, H, W)`` where it
        differs from place to place; None means 0, an image without noise.
        """
        check_multiple(x, 2)
        cells = functional.pixel_unshuffle(x, 2)  # (N, C, H, W) -> (N, 4 C, H / 2, W / 2)
        cells = torch.cat([cells, level_of_cells(condition, x).to(cells.dtype)], 1)  # -> (N, 4 C + 1, H / 2, W / 2)
        noise = self.layers(cells.contiguous(memory_format=torch.channels_last))  # -> (N, 4 C, H / 2, W / 2)
        return Output(x - functional.pixel_shuffle(noise, 2))  # -> (N, C, H, W)

    def folded(self) -> "Denoiser":
        """Return the same function with one plain convolution in place of each sum of branches."""
        plain = Denoiser(self.config.model_copy(update={"folded": True}))
        fold_into(plain, self)
        return plain
