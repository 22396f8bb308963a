"""Encoders: images ``(N, C, H, W)`` to features, from which a bottleneck makes the code; and their settings."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor, nn
from torch.nn import functional

from cuello.models.autoencoder.layers import ACTIVATIONS, SPLIT, Activation, dense, started
from cuello.models.blocks import BitDropout, Conv2d
from cuello.models.limits import Kernel, Settings, Widths

Shape = tuple[int, int, int]
"""Channels, height and width of the images."""


class LayersSettings(Settings):
    """What layers of both kinds have. Without dropout it is not written down, so that older versions read it too."""

    dropout: float = Field(
        default=0, ge=0, lt=1,
        description="share of what goes into every layer but the first that is set to 0 while training",
    )  # fmt: skip

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = write(self)
        return found if self.dropout else {name: value for name, value in found.items() if name != "dropout"}


class DenseConfig(LayersSettings):
    """Dense layers: the widths of the hidden ones, from the image inwards (a decoder has them mirrored)."""

    kind: Literal["dense"] = "dense"
    hidden: Widths = Field(default=(20,), description="numbers of each hidden layer")
    activation: Activation = Field(default="tanh", description="after every hidden layer")

    def code_shape(self, shape: Shape, code: int) -> tuple[int, ...]:
        """Return the shape of an image's code, without N."""
        return (code,)

    def decoded_size(self, shape: Shape) -> tuple[int, int]:
        """Return height and width of what a decoder gives."""
        return shape[1:]


class ConvConfig(LayersSettings):
    """Convolutions that halve the sides (rounded up), then dense layers, or a code in space (decoders: mirrored).

    >>> ConvConfig(filters=(16, 8), space=True).code_shape((1, 28, 28), 8)
    (8, 4, 4)
    """

    kind: Literal["conv"] = "conv"
    filters: Widths = Field(
        default=(16, 32), description="of each convolution; in space, one more gives the code's numbers"
    )
    hidden: Widths = Field(default=(), description="numbers of each dense layer before the code")
    space: bool = Field(default=False, description="the code is numbers at every place of the smallest picture")
    activation: Activation = Field(default="elu", description="after every hidden layer")
    weights: Literal["he", "glorot"] = Field(
        default="he", description="how convolutions before rectifiers start: He's way, or Glorot's as in Keras"
    )
    kernel: Kernel = Field(default=3, description="side of the convolutions' kernels, odd, in pixels")
    halving: Literal["pooling", "stride"] = Field(
        default="pooling", description="how a convolution halves the sides: max-pooling after it, or a stride of 2"
    )
    unpadded: Annotated[Widths, SPLIT] = Field(
        default=(), description="which of the decoder's convolutions, from 1, have no zeros around their input"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"a kernel of {self.kernel} pixels cannot be centred: take {self.kernel + 1}")
        if self.space and self.hidden:
            raise ValueError("a code in space has no dense layers before it: leave them out")
        if not self.space and not self.filters:
            raise ValueError("there is no convolution: name its filters, or take dense layers")
        if self.unpadded and max(self.unpadded) > len(self.enlargements):
            raise ValueError(f"the decoder has {len(self.enlargements)} convolutions, no number {max(self.unpadded)}")
        return self

    @property
    def enlargements(self) -> list[bool]:
        """For each of the decoder's convolutions: whether its input is enlarged by 2; a code in space is not."""
        return [*[False] * self.space, *[True] * (len(self.filters) + self.space)]

    def started(self, convolutions: Sequence[nn.Module], last: str | None) -> list[nn.Module]:
        """Give convolutions their first weights; last: what follows the last one, None for the hidden activation."""
        follows = [self.activation] * (len(convolutions) - 1) + [last or self.activation]
        return [
            started(layer, "linear" if self.weights == "glorot" else activation)
            for layer, activation in zip(convolutions, follows, strict=True)
        ]

    def grid(self, shape: Shape) -> tuple[int, int]:
        """Return height and width of the smallest picture."""
        height, width = shape[1:]
        for _ in range(len(self.filters) + self.space):
            height, width = -(-height // 2), -(-width // 2)
        return height, width

    def code_shape(self, shape: Shape, code: int) -> tuple[int, ...]:
        """Return the shape of an image's code, without N."""
        return (code, *self.grid(shape)) if self.space else (code,)

    def decoded_size(self, shape: Shape) -> tuple[int, int]:
        """Return height and width of what a decoder gives, before its excess is cut off."""
        height, width = self.grid(shape)
        for position, enlarged in enumerate(self.enlargements, 1):
            cut = self.kernel - 1 if position in self.unpadded else 0
            height, width = (side * (1 + enlarged) - cut for side in (height, width))
        return height, width


class DenseEncoder(nn.Module):
    """Dense layers, ``(N, C, H, W)`` to ``(N, features)``; none of them activates the last.

    shape: C, H, W of the images.

    >>> DenseEncoder(DenseConfig(), (1, 7, 5), 2)(torch.rand(3, 1, 7, 5)).shape
    torch.Size([3, 2])
    """

    def __init__(self, config: DenseConfig, shape: Shape, features: int):
        super().__init__()
        self.activation, self.dropout = ACTIVATIONS[config.activation], BitDropout(config.dropout)
        pixels = shape[0] * shape[1] * shape[2]
        self.layers = nn.ModuleList(dense([pixels, *config.hidden, features], config.activation, "linear"))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)  # (N, C, H, W) -> (N, C · H · W)
        for layer in self.layers[:-1]:
            x = self.dropout(self.activation(layer(x)))
        return self.layers[-1](x)


class ConvEncoder(nn.Module):
    """Convolutions that halve the sides, then dense layers or none; nothing activates the last layer.

    Max-pooling comes before the activation: the same for every activation that never falls (all but gelu), with a
    quarter of the work. Windows that reach over an odd side's edge hold what there is of them ("same").

    shape: C, H, W of the images. Input ``(N, C, H, W)``; output ``(N, features)``, or ``(N, features, h, w)`` in space.

    >>> ConvEncoder(ConvConfig(filters=(4, 8), hidden=(20,)), (1, 28, 28), 2)(torch.rand(3, 1, 28, 28)).shape
    torch.Size([3, 2])
    """

    def __init__(self, config: ConvConfig, shape: Shape, features: int):
        super().__init__()
        self.activation, self.pooled = ACTIVATIONS[config.activation], config.halving == "pooling"
        self.dropout = BitDropout(config.dropout)
        channels, (rows, columns) = [shape[0], *config.filters], config.grid(shape)
        widths = [channels[-1] * rows * columns, *config.hidden, features]
        if config.space:
            channels, widths = [*channels, features], []
        stride = 1 if self.pooled else 2
        convolutions = [Conv2d(a, b, config.kernel, stride=stride) for a, b in pairwise(channels)]
        self.convolutions = nn.ModuleList(config.started(convolutions, last="linear" if config.space else None))
        self.layers = nn.ModuleList(dense(widths, config.activation, "linear"))

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        for position, convolution in enumerate(self.convolutions):
            x = convolution(self.dropout(self.activation(x)) if position else x)
            x = functional.max_pool2d(x, 2, ceil_mode=True) if self.pooled else x  # (N, b, ⌈h / 2⌉, ⌈w / 2⌉)
        if self.layers:
            x = x.flatten(1)  # (N, c, h, w) -> (N, c · h · w)
        for layer in self.layers:
            x = layer(self.dropout(self.activation(x)))
        return x


LayersConfig = Annotated[DenseConfig | ConvConfig, Field(discriminator="kind")]
ENCODERS: dict[str, Callable[..., nn.Module]] = {"dense": DenseEncoder, "conv": ConvEncoder}
"""By the settings' kind; each takes settings, shape and features."""
