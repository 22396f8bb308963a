"""What every network offers to those who train and use it."""

from typing import Literal

import torch
from torch import Generator, Tensor, nn

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.degrade.level import estimated_level


class ImageNetwork(nn.Module):
    """A network whose input is images, ``(N, C, H, W)`` in [0, 1].

    channels: C. stride: the multiple, in pixels, that height and width must be of. receptive_field: side, in pixels, of
    the square centred on an output pixel outside of which no input changes it; None: the whole image. scale: how many
    times larger the sides of the result are; the receptive field counts pixels of the input. size: height and width of
    the only images that it takes; None: any.

    conditioning: what ``forward`` is told as ``condition``: "level", the standard deviation of the Gaussian noise with
    white as 1, ``(N, 1, 1, 1)`` or ``(N, 1, H, W)``; "strength", how strong another fault is, ``(N, 1, 1, 1)``, as
    ``Degradation.place`` says it, 0 where that is not known; "class", ``(N,)``; None: nothing.
    epochs_passed: how many, told while it trains, for losses that warm up.

    keeps_flat: whether what is flat in an image comes back as it was without anybody's help.

    has_code: whether ``encode`` and ``decode`` can be called. prior: the distribution that codes follow, "normal" or
    "uniform", None where it is not known. has_posterior: whether each image has a distribution of codes.
    compares: whether loss terms compare the images of a batch with one another, which then is not divided among ranks.
    ends: names of the convolutions that see and that give the image's channels, each channel's numbers one after
    another, then what belongs to none; "" where there is no such layer.

    ``forward(x, condition)`` gives an Output; a classifier, scores before softmax, ``(N, K)``.
    """

    channels: int
    stride: int = 1
    receptive_field: int | None = None
    scale: int = 1
    size: tuple[int, int] | None = None
    conditioning: Literal["level", "strength", "class"] | None = None
    epochs_passed: float = 0.0
    keeps_flat: bool = False
    has_code: bool = False
    prior: str | None = None
    has_posterior: bool = False
    compares: bool = False
    ends: tuple[str, str] = ("", "")

    def condition(
        self,
        x: Tensor,
        level: Tensor | None = None,
        classes: Tensor | None = None,
        *,
        strength: Tensor | None = None,
    ) -> Tensor | None:
        """Choose what the network is told beside images: noise's level, estimated where it is None, or another."""
        if self.conditioning == "strength":
            return None if strength is None else strength.to(x.device, x.dtype)
        if self.conditioning == "level":
            return (estimated_level(x) if level is None else level).to(x.device, x.dtype)
        return classes if self.conditioning == "class" else None

    def folded(self) -> "ImageNetwork":
        """Give the same function in as few layers as can be, for inference."""
        return self

    def unpadded(self) -> "tuple[ImageNetwork, int]":
        """Give the same function of images that are padded already, and the pixels that it pads by itself."""
        return self, 0

    def encode(self, x: Tensor) -> Tensor:
        """Map images to codes."""
        raise NotImplementedError

    def decode(self, latent: Tensor) -> Tensor:
        """Map codes to images."""
        raise NotImplementedError

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and logarithm of the variance of each image's code."""
        raise NotImplementedError

    def draw(self, count: int, generator: Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw codes of a shape (without N) from the prior; CuelloError where there is none to draw from."""
        if self.prior != "normal":
            raise CuelloError(f"there is no way to draw from the prior {self.prior!r} of this network. Give codes=….")
        return torch.randn(count, *shape, generator=generator)


def as_output(result: Output | Tensor) -> Output:
    """Take what a network gives as an Output: an image alone, or a classifier's scores, become its image."""
    return result if isinstance(result, Output) else Output(result)
