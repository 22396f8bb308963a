"""The autoencoder: an encoder, a bottleneck, a decoder, for images of one size."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.autoencoder.bottlenecks import BOTTLENECKS, BottleneckConfig, PlainConfig
from cuello.models.autoencoder.decoders import DECODERS
from cuello.models.autoencoder.encoders import ENCODERS, DenseConfig, LayersConfig
from cuello.models.autoencoder.layers import OutputActivation, to_unit
from cuello.models.base import ImageNetwork
from cuello.models.limits import Channels, Settings, Side, Width

UNFIT_SIZE = "unfit_size"
"""Type of the error of settings that images of another size might fit."""


class AutoencoderConfig(Settings):
    """Settings of an Autoencoder.

    >>> AutoencoderConfig(height=7, width=5, code=2).shape
    (1, 7, 5)
    """

    channels: Channels = Field(default=1, description="channels of the images")
    height: Side = Field(default=28, description="of the images, in pixels")
    width: Side = Field(default=28, description="of the images, in pixels")
    code: Width = Field(default=2, description="numbers of the code; of a code in space, at each place")
    layers: LayersConfig = Field(default=DenseConfig(), description="of the encoder, and mirrored of the decoder")
    bottleneck: BottleneckConfig = Field(default=PlainConfig(), description="what stands between them")
    output: OutputActivation = Field(
        default="sigmoid", description="what brings the last layer's numbers into [0, 1]; tanh: (tanh + 1) / 2"
    )
    centred: bool = Field(default=False, description="images go in as -1 to 1 instead of 0 to 1")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images."""
        return self.channels, self.height, self.width

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of an image's code, without N."""
        return self.layers.code_shape(self.shape, self.code)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        unit = self.bottleneck.unit
        if self.code % unit:
            raise ValueError(
                f"a code of {self.code} numbers cannot be cut into groups of {unit}, as its bottleneck "
                f"({self.bottleneck.kind}) needs: take {-(-self.code // unit) * unit} numbers, or other groups"
            )
        height, width = self.layers.decoded_size(self.shape)
        if height < self.height or width < self.width:
            raise PydanticCustomError(
                UNFIT_SIZE,
                "the decoder gives {given} pixels, fewer than the images' {needed}: resize them, or leave out unpadded",
                {"given": f"{width}×{height}", "needed": f"{self.width}×{self.height}"},
            )
        return self


class Autoencoder(ImageNetwork):
    """An encoder, a bottleneck and a decoder, for images of one size.

    ``image = output(decode(bottleneck(encode(x))))``. config: see AutoencoderConfig. Input ``(N, C, H, W)`` in [0, 1]
    of the size of the configuration (CuelloError otherwise). Output: image of the same shape; latent ``(N, code)``, or
    ``(N, code, h, w)`` for codes in space; the bottleneck's loss terms.

    >>> import torch
    >>> network = Autoencoder(AutoencoderConfig(height=7, width=5, code=2))
    >>> network(torch.rand(4, 1, 7, 5)).latent.shape
    torch.Size([4, 2])
    """

    has_code = True

    def __init__(self, config: AutoencoderConfig | None = None):
        super().__init__()
        self.config = config or AutoencoderConfig()
        self.channels, self.size = self.config.channels, (self.config.height, self.config.width)
        self.bottleneck = BOTTLENECKS[self.config.bottleneck.kind](self.config.bottleneck)
        layers, shape, code = self.config.layers, self.config.shape, self.config.code
        self.encoder = ENCODERS[layers.kind](layers, shape, code * self.bottleneck.features)
        self.prior, self.has_posterior = self.bottleneck.prior, self.bottleneck.has_posterior
        self.compares = self.bottleneck.compares
        self.decoder = DECODERS[layers.kind](layers, shape, code, self.config.output)

    def features(self, x: Tensor) -> Tensor:
        """Return what the encoder makes of images, before the bottleneck."""
        if tuple(x.shape[1:]) != self.config.shape:
            channels, height, width = x.shape[1:]
            raise CuelloError(
                f"got images of {width}×{height} pixels and {channels} channels; this network takes "
                f"{self.config.width}×{self.config.height} and {self.channels}. Resize them, e.g. --resize="
                f"{self.config.width}x{self.config.height}."
            )
        return self.encoder(x * 2 - 1 if self.config.centred else x)

    def encode(self, x: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` to codes; see the class for the shapes."""
        return self.bottleneck.code(self.features(x))

    def decode(self, latent: Tensor) -> Tensor:
        """Map codes to images ``(N, C, H, W)``."""
        return to_unit(self.decoder(latent), self.config.output)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.bottleneck.posterior(self.features(x))

    def draw(self, count: int, generator: Generator, shape: tuple[int, ...]) -> Tensor:
        return self.bottleneck.draw(count, generator, shape)

    def forward(self, x: Tensor, condition: Tensor | None = None, noise: Tensor | None = None) -> Output:
        """Return reconstructed images, codes and loss terms.

        condition: for the common interface, not used. noise: what the bottleneck's ``noise`` would draw; it is drawn
        where none is given while training.
        """
        features = self.features(x)
        if not self.training:
            latent, terms = self.bottleneck(features)
        else:
            noise = self.bottleneck.noise(features) if noise is None else noise
            latent, terms = self.bottleneck(features, noise, self.epochs_passed)
            terms = {**terms, **self.bottleneck.penalty(self.encode, x, noise)}
        return Output(self.decode(latent), latent, terms)
