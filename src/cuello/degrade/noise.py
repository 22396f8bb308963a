"""Noise on every pixel: Gaussian, Poisson, speckle, uniform; and the identity."""

from typing import Any

import pydantic
import torch
from torch import Generator, Tensor

from cuello.degrade.base import Degradation, Quantity, quantity

CLIP: Any = pydantic.Field(default=True, description="cut the result to [0, 1]")


def normal_like(images: Tensor, generator: Generator) -> Tensor:
    """Draw standard normal numbers in the shape of ``images``."""
    return torch.randn(images.shape, generator=generator).to(images.device)


class Gaussian(Degradation):
    """Additive white Gaussian noise, y = x + (σ/255) n with n ~ N(0, 1), drawn for every channel."""

    name = "gaussian"
    summary = "additive white Gaussian noise, as of a sensor's electronics"
    main = "sigma"
    network = "denoise-s"
    sigma: Quantity = quantity(25, "standard deviation", "grey levels out of 255", limits=(0, 255))
    clip: bool = pydantic.Field(
        default=True, description="cut the result to [0, 1], as an image file would; published tables do not"
    )

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        noisy = images + normal_like(images, generator) * (values["sigma"].to(images.device) / 255)
        return noisy.clamp_(0, 1) if self.clip else noisy

    def level(self, values: dict[str, Tensor]) -> Tensor:
        return values["sigma"] / 255


class Poisson(Degradation):
    """Photon noise, y = k / peak with k ~ Poisson(x · peak)."""

    name = "poisson"
    summary = "photon noise, as in faint light: the brighter, the noisier"
    main = "peak"
    peak: Quantity = quantity(30, "photons at full white; fewer is noisier", "photons", limits=(0.01, 1e6))
    clip: bool = CLIP

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        peak = values["peak"]
        noisy = torch.poisson(images.cpu().clamp(min=0) * peak, generator=generator).div_(peak).to(images.device)
        return noisy.clamp_(0, 1) if self.clip else noisy


class Speckle(Degradation):
    """Multiplicative noise, y = x (1 + σ n) with n ~ N(0, 1), as in radar and ultrasound."""

    name = "speckle"
    summary = "multiplicative noise, as in radar and ultrasound"
    main = "sigma"
    sigma: Quantity = quantity(0.2, "standard deviation", "share of the pixel's brightness", limits=(0, 10))
    clip: bool = CLIP

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        noisy = images * (1 + normal_like(images, generator) * values["sigma"].to(images.device))
        return noisy.clamp_(0, 1) if self.clip else noisy


class Uniform(Degradation):
    """Additive uniform noise, y = x + u with u ~ U(-width/255, width/255)."""

    name = "uniform"
    summary = "additive uniform noise, as of coarse quantisation"
    main = "width"
    width: Quantity = quantity(25, "largest change up or down", "grey levels out of 255", limits=(0, 255))
    clip: bool = CLIP

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        change = torch.rand(images.shape, generator=generator).mul_(2).sub_(1).mul_(values["width"] / 255)
        noisy = images + change.to(images.device)
        return noisy.clamp_(0, 1) if self.clip else noisy


class NoDegradation(Degradation):
    """Leaves the images as they are, y = x: for pairs, and to see what a network does to clean images."""

    name = "none"
    summary = "nothing: the image as it is"
    main = ""

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        return images.clone()
