"""Decoders: codes to images ``(N, C, H, W)``, before the output's activation."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from cuello.models.autoencoder.encoders import ConvConfig, DenseConfig, Shape
from cuello.models.autoencoder.layers import ACTIVATIONS, dense
from cuello.models.blocks import BitDropout, Conv2d, UpsampleConv2d


class DenseDecoder(nn.Module):
    """The layers of a DenseEncoder mirrored, ``(N, numbers)`` to ``(N, C, H, W)``; none of them activates the last.

    shape: C, H, W of the images. numbers: of the code. output: the activation that follows, for the first weights.

    >>> DenseDecoder(DenseConfig(), (1, 7, 5), 2, "sigmoid")(torch.rand(3, 2)).shape
    torch.Size([3, 1, 7, 5])
    """

    def __init__(self, config: DenseConfig, shape: Shape, numbers: int, output: str):
        super().__init__()
        self.activation, self.dropout = ACTIVATIONS[config.activation], BitDropout(config.dropout)
        self.shape = shape
        pixels = shape[0] * shape[1] * shape[2]
        self.layers = nn.ModuleList(dense([numbers, *reversed(config.hidden), pixels], config.activation, output))

    def forward(self, code: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            code = self.activation(layer(self.dropout(code)))
        return self.layers[-1](self.dropout(code)).unflatten(1, self.shape)  # (N, C · H · W) -> (N, C, H, W)


class ConvDecoder(nn.Module):
    """The layers of a ConvEncoder mirrored; nothing activates the last one.

    A code in space first goes through a convolution that keeps its size. Then nearest-neighbour enlargement by 2 and a
    convolution undo each halving; rows and columns beyond the image are cut off at the end.

    shape: C, H, W of the images. numbers: of the code, at each place where it is in space. output: the activation
    that follows, for the first weights. Input ``(N, numbers)`` or ``(N, numbers, h, w)``; output ``(N, C, H, W)``.

    >>> ConvDecoder(ConvConfig(filters=(4, 8)), (1, 27, 27), 2, "sigmoid")(torch.rand(3, 2)).shape
    torch.Size([3, 1, 27, 27])
    """

    def __init__(self, config: ConvConfig, shape: Shape, numbers: int, output: str):
        super().__init__()
        self.dropout = BitDropout(config.dropout)
        self.activation, self.size, self.grid = ACTIVATIONS[config.activation], shape[1:], config.grid(shape)
        self.cut = [config.kernel // 2 * (n in config.unpadded) for n in range(1, len(config.enlargements) + 1)]
        channels, widths = [*reversed(config.filters), shape[0]], []
        if config.space:
            channels = [numbers, numbers, *channels]
        else:
            widths = [numbers, *reversed(config.hidden), channels[0] * self.grid[0] * self.grid[1]]
        self.layers = nn.ModuleList(dense(widths, config.activation, config.activation))
        convolutions = [
            (UpsampleConv2d if enlarged else Conv2d)(a, b, config.kernel)
            for (a, b), enlarged in zip(pairwise(channels), config.enlargements, strict=True)
        ]
        self.convolutions = nn.ModuleList(config.started(convolutions, last=output))

    def forward(self, code: Tensor) -> Tensor:
        for layer in self.layers:
            code = self.activation(layer(self.dropout(code)))
        x = code.unflatten(1, (-1, *self.grid)) if self.layers else code  # (N, c · h · w) -> (N, c, h, w)
        x = x.contiguous(memory_format=torch.channels_last)
        for position, (convolution, cut) in enumerate(zip(self.convolutions, self.cut, strict=True)):
            # What an activation gives is enlarged as it is, so activating at the low resolution gives the same.
            x = convolution(self.dropout(self.activation(x) if position else x))
            x = x[:, :, cut : x.shape[2] - cut, cut : x.shape[3] - cut]  # without padding there were none of these
        return x[:, :, : self.size[0], : self.size[1]]


DECODERS: dict[str, Callable[..., nn.Module]] = {"dense": DenseDecoder, "conv": ConvDecoder}
"""By the settings' kind; each takes settings, shape, the code's numbers and the output's activation."""
