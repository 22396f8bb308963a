"""The larger networks of the `salt-pepper` source: doubled convolutions, with or without dense layers in the middle."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.blocks import BatchNorm2d, BitDropout, Conv2d, NormConv2d, UpsampleConv2d
from cuello.models.geometry import check_multiple
from cuello.models.limits import ImageSettings, Width

# Blocks


class Stage(nn.Sequential):
    """Convolutions with an ELU between two of them: ``(N, a, h, w)`` to ``(N, b, h', w')``; none after the last.

    >>> Stage(Conv2d(3, 8, 3), UpsampleConv2d(8, 4, 3))(torch.rand(2, 3, 16, 16)).shape
    torch.Size([2, 4, 32, 32])
    """

    def forward(self, x: Tensor) -> Tensor:
        for position, convolution in enumerate(self):
            x = convolution(functional.elu_(x) if position else x)
        return x


class DenseCode(nn.Module):
    """Flatten, a dense layer to ``numbers``, a dense layer back: ``(N, C, h, w)`` to the same shape.

    channels, side: C, and h = w in pixels. ELU after both. Weights start as Keras' do: Glorot uniform, zero bias.

    >>> DenseCode(32, 4, 108)(torch.rand(2, 32, 4, 4)).shape
    torch.Size([2, 32, 4, 4])
    """

    def __init__(self, channels: int, side: int, numbers: int):
        super().__init__()
        self.shape = (channels, side, side)
        self.down = nn.Linear(channels * side**2, numbers)
        self.up = nn.Linear(numbers, channels * side**2)
        for layer in (self.down, self.up):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def encode(self, x: Tensor) -> Tensor:
        """Map features ``(N, C, h, w)`` to codes ``(N, numbers)``."""
        return functional.elu_(self.down(x.flatten(1)))  # (N, C · h · w) -> (N, numbers)

    def decode(self, code: Tensor) -> Tensor:
        """Map codes ``(N, numbers)`` to features ``(N, C, h, w)``."""
        features = functional.elu_(self.up(code)).unflatten(1, self.shape)  # (N, numbers) -> (N, C, h, w)
        return features.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


# Configuration


class DoubledConfig(ImageSettings):
    """Settings of a DoubledAutoencoder.

    >>> DoubledConfig().stride, DoubledConfig(code=310).stride
    (4, 64)
    """

    filters: tuple[Width, Width, Width] = Field(
        default=(32, 64, 128), description="output channels of the convolutions at full, half and quarter size"
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="share of the code set to 0 while training")
    code: Width | None = Field(
        default=None,
        description="numbers between two dense layers in the middle, for a block of `side` pixels; or none",
    )
    side: int = Field(
        default=64, ge=16, le=4096, multiple_of=16, description="side of the blocks that dense layers see, in pixels"
    )

    @property
    def stride(self) -> int:
        """The multiple that height and width must be of, in pixels."""
        return 4 if self.code is None else self.side


# Model


class DoubledAutoencoder(ImageNetwork):
    """A convolutional autoencoder with two convolutions wherever its smaller kin have one, and maybe dense layers.

    Convolutions only: filters a, a, pool, b, b, pool, c, c, up, b, b, up, a, a, last; 3x3, ELU, batch normalisation of
    the input, between the first two convolutions, and before and after the last one, then a sigmoid. With (32, 64, 128)
    that has the 426,447 trainable parameters that the source states; where its batch normalisations stand is a guess
    (the convolutions alone have 426,307, and 140 is what those four add).

    With ``code``: dense layers to ``code`` numbers and back stand in the middle. Of these networks the source says only
    "with dense layers", 138,601 parameters ("8 filters") or 1,698,057 ("more filters"), and that an epoch takes about
    as long as the chosen network's, or 3.5 times less than without the dense layer. Guesses: the same convolutions;
    poolings after the first, second, fourth and sixth and an enlargement before each hidden one of the decoder, which
    fits those times; the code's width, nearest to the counts: 108 numbers with filters (8, 16, 32), 138,347; 310
    with (32, 64, 128), 1,698,565. An image larger than ``side`` is worked on block by block, for a dense layer knows
    one size.

    config: see DoubledConfig. Input ``(N, channels, H, W)`` in [0, 1], H and W multiples of ``stride`` (CuelloError
    otherwise). Output: image of the same shape; latent ``(N, c, H / 4, W / 4)``, or with dense layers
    ``(N, code, H / side, W / side)``.

    >>> network = DoubledAutoencoder(DoubledConfig())
    >>> sum(parameter.numel() for parameter in network.parameters())
    426447
    >>> DoubledAutoencoder(DoubledConfig(filters=(8, 16, 32), code=108))(torch.rand(2, 3, 64, 128)).latent.shape
    torch.Size([2, 108, 1, 2])

    Source: an earlier report in Spanish on denoising colour images with Keras, here called `salt-pepper`.
    """

    has_code = True

    def __init__(self, config: DoubledConfig | None = None):
        super().__init__()
        self.config = config or DoubledConfig()
        self.channels, self.stride = self.config.channels, self.config.stride
        a, b, c = self.config.filters
        first, second = NormConv2d(self.channels, a, 3), NormConv2d(a, a, 3)
        third, fourth = Conv2d(a, b, 3), Conv2d(b, b, 3)
        fifth, sixth = Conv2d(b, c, 3), Conv2d(c, c, 3)
        self.dropout = BitDropout(self.config.dropout)
        if self.config.code is None:
            encoder = [Stage(first, second), Stage(third, fourth), Stage(fifth, sixth)]
            decoder = [
                Stage(UpsampleConv2d(wide, narrow, 3), Conv2d(narrow, narrow, 3)) for wide, narrow in ((c, b), (b, a))
            ]
        else:
            encoder = [Stage(first), Stage(second), Stage(third, fourth), Stage(fifth, sixth)]
            decoder = [Stage(UpsampleConv2d(wide, narrow, 3)) for wide, narrow in ((c, b), (b, b), (b, a), (a, a))]
        code = self.config.code
        self.encoder = nn.ModuleList(encoder)
        self.dense = DenseCode(c, self.config.side // 16, code) if code is not None else None
        self.decoder = nn.ModuleList(decoder)
        self.last = NormConv2d(a, self.channels, 3)
        self.final = BatchNorm2d(self.channels)

    @property
    def receptive_field(self) -> int:
        """Side, in pixels, of the square centred on an output pixel outside of which no input changes it.

        >>> DoubledAutoencoder().receptive_field
        49
        """
        if self.dense is not None:
            return 2 * self.config.side - 1  # the whole of its block, which a corner pixel sees to one side
        radius = 0
        for position in range(self.stride):
            first, last = position - 1, position + 1  # reached through the last convolution
            for _ in range(2):  # back through the second convolution, the first one and the enlargement
                first, last = (first - 2) // 2, (last + 2) // 2
            for _ in range(2):  # back through two convolutions and the max-pooling
                first, last = 2 * (first - 2), 2 * (last + 2) + 1
            radius = max(radius, position - (first - 2), last + 2 - position)
        return 2 * radius + 1

    def encode(self, x: Tensor) -> Tensor:
        """Map images to codes; see the class for the shapes."""
        check_multiple(x, self.stride)
        height, width = x.shape[2] // self.stride, x.shape[3] // self.stride
        if self.dense is not None:
            x = blocks(x, self.config.side)  # (N, C, H, W) -> (N · blocks, C, side, side)
        x = x.contiguous(memory_format=torch.channels_last)  # the layout of all layers
        x = self.encoder[0](x)
        for stage in self.encoder[1:]:  # pooled first, as ELU is monotone: a quarter of the exponentials
            x = stage(functional.elu_(functional.max_pool2d(x, 2)))  # (N, a, h, w) -> (N, b, h / 2, w / 2)
        if self.dense is None:
            return functional.elu_(x)
        code = self.dense.encode(functional.elu_(functional.max_pool2d(x, 2)))  # (N · blocks, code)
        return code.view(-1, height, width, code.shape[1]).permute(0, 3, 1, 2)  # (N, code, H / side, W / side)

    def decode(self, latent: Tensor) -> Tensor:
        """Map codes to images ``(N, channels, H, W)``."""
        x = self.dropout(latent)
        if self.dense is not None:
            x = self.dense.decode(x.permute(0, 2, 3, 1).flatten(0, 2))  # -> (N · blocks, c, side / 16, side / 16)
        for stage in self.decoder:
            x = functional.elu_(stage(x))  # (N, a, h, w) -> (N, b, 2 h, 2 w)
        image = torch.sigmoid(self.final(self.last(x)))  # (N, a, h, w) -> (N, channels, H, W)
        return image if self.dense is None else joined(image, latent.shape[2], latent.shape[3])

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return restored images and codes; ``condition`` is there for the common interface and not used."""
        latent = self.encode(x)
        return Output(self.decode(latent), latent)


def blocks(x: Tensor, side: int) -> Tensor:
    """Cut ``(N, C, H, W)`` into squares, row by row: ``(N · H / side · W / side, C, side, side)``."""
    return x.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def joined(x: Tensor, rows: int, columns: int) -> Tensor:
    """Put squares ``(N · rows · columns, C, side, side)`` together again: ``(N, C, rows · side, columns · side)``."""
    return x.unflatten(0, (-1, rows, columns)).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
