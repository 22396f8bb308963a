"""The convolutional denoising autoencoders of the `salt-pepper` source: 3x3 convolutions around a max-pooled middle."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.blocks import BatchNorm2d, BitDropout, Conv2d, NormConv2d, UpsampleConv2d
from cuello.models.geometry import check_multiple
from cuello.models.limits import ImageSettings, Widths

# Blocks


class Encoder(nn.Module):
    """Convolutions with ELU, halving the image between two of them.

    channels: of the images. filters: output channels of each convolution.
    Input ``(N, channels, H, W)``; output ``(N, filters[-1], H / s, W / s)``, ``s = 2 ** (len(filters) - 1)``.

    >>> Encoder(3, (8, 16))(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2, 16, 32, 32])
    """

    def __init__(self, channels: int, filters: tuple[int, ...]):
        super().__init__()
        self.first = NormConv2d(channels, filters[0], 3)
        self.others = nn.ModuleList(Conv2d(a, b, 3) for a, b in pairwise(filters))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)  # (N, channels, H, W) -> (N, filters[0], H, W)
        for convolution in self.others:
            # ELU is monotone, so pooling first gives the same for a quarter of the exponentials.
            x = functional.elu_(functional.max_pool2d(x, 2))  # (N, a, h, w) -> (N, a, h / 2, w / 2)
            x = convolution(x)  # (N, a, h, w) -> (N, b, h, w)
        return functional.elu_(x)  # in place: its backward pass then needs no exponentials


class Decoder(nn.Module):
    """Dropout, enlarging convolutions with ELU, batch normalisation, a last convolution and a sigmoid.

    filters: those of the code and then of each enlarging convolution. channels: of the images. dropout: share
    of the code set to 0 while training. Input ``(N, filters[0], h, w)``; output
    ``(N, channels, s · h, s · w)`` with ``s = 2 ** (len(filters) - 1)``.

    >>> Decoder((16, 8), 3, 0.2)(torch.rand(2, 16, 32, 32)).shape
    torch.Size([2, 3, 64, 64])
    """

    def __init__(self, filters: tuple[int, ...], channels: int, dropout: float):
        super().__init__()
        self.dropout = BitDropout(dropout)
        self.enlarging = nn.ModuleList(UpsampleConv2d(a, b, 3) for a, b in pairwise(filters))
        self.last = NormConv2d(filters[-1], channels, 3)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.dropout(latent)
        for convolution in self.enlarging:
            x = functional.elu_(convolution(x))  # (N, a, h, w) -> (N, b, 2 h, 2 w)
        return torch.sigmoid_(self.last(x))  # (N, filters[-1], H, W) -> (N, channels, H, W)


# Configuration


class ConvolutionalConfig(ImageSettings):
    """Settings of a ConvolutionalAutoencoder; the default is the network that the source chose.

    >>> ConvolutionalConfig(filters=(32, 64, 128, 64, 32)).stride
    4
    """

    filters: Widths = Field(
        default=(8, 16, 8),
        description="output channels of the hidden convolutions: an odd number of them, or none",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.2, description="share of the code set to 0 while training, 0 to below 1"
    )

    @field_validator("filters")
    @classmethod
    def _has_a_middle(cls, filters: tuple[int, ...]) -> tuple[int, ...]:
        if filters and len(filters) % 2 == 0:
            raise ValueError(
                f"{len(filters)} hidden convolutions {filters} have no middle one: give an odd number of"
                " filters (as 8, 16, 8), or none."
            )
        return filters

    @property
    def stride(self) -> int:
        """The multiple that height and width must be of, in pixels: 2 for each max-pooling."""
        return 2 ** (len(self.filters) // 2)


# Model


class ConvolutionalAutoencoder(ImageNetwork):
    """A convolutional autoencoder with a bottleneck in space: the source's denoiser and its kin.

    ``image = sigmoid(conv(norm(decode(dropout(encode(norm(x)))))))``: for k hidden filters, the first
    (k + 1) / 2 convolutions encode, with a max-pooling by 2 between two of them, and the others decode, each
    after a nearest-neighbour enlargement by 2; every hidden one is followed by an ELU. One or no hidden
    filter: no pooling.

    The source states filters, parameter counts and, for the chosen network, the order of layers. Guesses:
    that its siblings pool and enlarge by the same rule, where their dropout is (after the middle ELU), that
    no filter at all still means two batch normalisations (the count of 96 says so), and the running averages'
    momentum (see BatchNorm2d). Weights start as Keras' do: Glorot uniform, zero bias.

    config: see ConvolutionalConfig. Input: ``(N, channels, H, W)`` in [0, 1], H and W multiples of ``stride``
    (CuelloError otherwise). Output: image of the same shape; latent
    ``(N, filters[k // 2], H / stride, W / stride)``, the middle ELU's output before dropout (with no hidden
    filter, the normalised input).

    >>> network = ConvolutionalAutoencoder(ConvolutionalConfig())
    >>> sum(parameter.numel() for parameter in network.parameters())
    2793
    >>> output = network(torch.rand(2, 3, 64, 64))
    >>> output.image.shape, output.latent.shape
    (torch.Size([2, 3, 64, 64]), torch.Size([2, 16, 32, 32]))

    Source: an earlier report in Spanish on denoising colour images with Keras, here called `salt-pepper`.
    """

    has_code = True

    def __init__(self, config: ConvolutionalConfig | None = None):
        super().__init__()
        self.config = config or ConvolutionalConfig()
        self.channels, self.stride = self.config.channels, self.config.stride
        filters, middle = self.config.filters, len(self.config.filters) // 2
        self.encoder = Encoder(self.channels, filters[: middle + 1]) if filters else BatchNorm2d(self.channels)
        self.decoder = Decoder(
            filters[middle:] or (self.channels,), self.channels, self.config.dropout if filters else 0.0
        )

    @property
    def receptive_field(self) -> int:
        """Side, in pixels, of the square centred on an output pixel outside of which no input changes it.

        It holds in evaluation mode and for every position of the pixel in the stride grid; it is the smallest
        such odd number.

        >>> ConvolutionalAutoencoder(ConvolutionalConfig()).receptive_field
        13
        """
        radius = 0
        for position in range(self.stride):
            first, last = position - 1, position + 1  # reached through the last convolution
            for _ in range(len(self.config.filters) // 2):  # back through convolution and enlargement
                first, last = (first - 1) // 2, (last + 1) // 2
            for _ in range(len(self.config.filters) // 2):  # back through convolution and max-pooling
                first, last = 2 * (first - 1), 2 * (last + 1) + 1
            if self.config.filters:
                first, last = first - 1, last + 1  # the first convolution
            radius = max(radius, position - first, last - position)
        return 2 * radius + 1

    def encode(self, x: Tensor) -> Tensor:
        """Map images ``(N, channels, H, W)`` to codes ``(N, filters[k // 2], H / stride, W / stride)``."""
        check_multiple(x, self.stride)
        return self.encoder(x.contiguous(memory_format=torch.channels_last))  # the layout of all layers

    def decode(self, latent: Tensor) -> Tensor:
        """Map codes ``(N, filters[k // 2], H / stride, W / stride)`` to images ``(N, channels, H, W)``."""
        return self.decoder(latent)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images and codes; ``condition`` is there for the common interface and not used."""
        latent = self.encode(x)
        return Output(self.decode(latent), latent)
