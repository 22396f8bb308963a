"""The noise of a camera: photons, reading, rows, and neighbours that share it."""

import pydantic
import torch
from torch import Generator, Tensor
from torch.nn import functional

from cuello.degrade.base import Degradation, Quantity, Range, quantity
from cuello.degrade.noise import normal_like
from cuello.degrade.optics import gaussian_kernels, radius_of, separable

GREY = "grey levels out of 255"
FAINTEST = 1e-6 / 255
"""A gain below this, with white as 1, is none: more photons than can be counted, and noise far below rounding."""


class Camera(Degradation):
    """Poisson and Gaussian noise, y = o + g k + read n with k ~ Poisson((x - o) / g), n ~ N(0, 1), for every channel.

    The mean is x and the variance g · (x - o) + read², everything in units of 255; no photons where x is below the
    offset o. Correlated noise is white noise filtered by a Gaussian whose squares sum to 1, and scaled, where
    brightness changes, to the variance that the pixel has without it; its autocorrelation is the kernel's. Stripes
    are one normal number for every row, and column, and add rows² and columns² to the variance.
    """

    name = "camera"
    summary = "a camera's noise: photons and reading; neighbours may share it, and rows or columns"
    main = "gain"
    gain: Quantity = quantity(1, "what a photon counts for; more is noisier", GREY, limits=(0, 255))
    read: Quantity = quantity(2, "standard deviation of what reading adds", GREY, limits=(0, 255))
    offset: Quantity = quantity(0, "the value that no light gives", GREY, limits=(0, 255))
    correlated: Quantity = quantity(
        0, "standard deviation of the kernel by which neighbours share noise", "pixels", limits=(0, 10)
    )
    rows: Quantity = quantity(0, "standard deviation of what a whole row has in common", GREY, limits=(0, 255))
    columns: Quantity = quantity(0, "the same of columns", GREY, limits=(0, 255))
    clip: bool = pydantic.Field(default=True, description="cut the result to [0, 1]")

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        grey = {name: value.to(images.device) / 255 for name, value in values.items()}
        gain, read = grey["gain"], grey["read"]
        largest = self.correlated.high if isinstance(self.correlated, Range) else self.correlated
        radius = radius_of(largest) if largest else 0
        wide = functional.pad(images, (radius,) * 4, mode="replicate") if radius else images
        light = (wide - grey["offset"]).clamp_(min=0)
        noise = photon_noise(light, gain, generator) + read * normal_like(wide, generator)
        if radius:
            kernels = gaussian_kernels(values["correlated"].view(-1).to(images.device), radius)
            noise = coloured(noise, gain * light + read**2, kernels / kernels.square().sum(1, keepdim=True).sqrt())
        stripes = grey["rows"] * normal_like(images[..., :1], generator)
        stripes = stripes + grey["columns"] * normal_like(images[..., :1, :], generator)
        noisy = images + noise + stripes
        return noisy.clamp_(0, 1) if self.clip else noisy


def photon_noise(light: Tensor, gain: Tensor, generator: Generator) -> Tensor:
    """Draw g k - light with k ~ Poisson(light / g): mean 0, variance g · light; 0 where the gain is."""
    counted = gain.clamp(min=FAINTEST).double().cpu()
    photons = torch.poisson(light.double().cpu() / counted, generator=generator)
    noise = (photons * counted).to(light.device) - light
    return torch.where(gain < FAINTEST, 0, noise).to(light.dtype)


def coloured(noise: Tensor, variance: Tensor, kernels: Tensor) -> Tensor:
    """Filter white noise by kernels ``(N, K)`` whose squares sum to 1; every pixel keeps its variance.

    noise, variance: with a margin of half a kernel on each side, which the result lacks.
    """
    margin = kernels.shape[1] // 2
    own = variance[..., margin:-margin, margin:-margin]
    mixed = separable(variance, kernels.square())  # what filtering makes of it
    return separable(noise, kernels) * (own / mixed.clamp(min=torch.finfo(mixed.dtype).tiny)).sqrt()
