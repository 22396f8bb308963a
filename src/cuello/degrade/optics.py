"""Blur, as of a lens out of focus."""

import pydantic
import torch
from torch import Generator, Tensor
from torch.nn import functional

from cuello.degrade.base import Degradation, Quantity, Range, quantity


def gaussian_kernels(sigma: Tensor, radius: int) -> Tensor:
    """Make normalised one-dimensional Gaussians: ``(N,)`` standard deviations in pixels to ``(N, 2 radius + 1)``."""
    offset = torch.arange(-radius, radius + 1, dtype=torch.float32, device=sigma.device)
    kernels = torch.exp(-0.5 * (offset / sigma.clamp(min=1e-4)[:, None]) ** 2)
    return kernels / kernels.sum(dim=1, keepdim=True)


def radius_of(sigma: float) -> int:
    """Return at how many pixels from its middle a Gaussian is cut off: 4σ."""
    return max(1, int(4 * sigma + 0.5))


def separable(images: Tensor, kernels: Tensor) -> Tensor:
    """Filter ``(N, C, H, W)`` along rows and columns by each image's kernel, ``(N, 2 radius + 1)``.

    Where the kernel does not lie within the image there is no result: sides become shorter by 2 radius.
    """
    count, channels, height, width = images.shape
    kernels = kernels.repeat_interleave(channels, dim=0)[:, None]  # (N C, 1, K)
    rows = images.reshape(1, count * channels, height, width)
    rows = functional.conv2d(rows, kernels[:, :, None, :], groups=count * channels)
    rows = functional.conv2d(rows, kernels[:, :, :, None], groups=count * channels)
    return rows.view(count, channels, *rows.shape[2:])


class Blur(Degradation):
    """Gaussian blur, y = x * G(σ), cut off at 4σ, edges repeated.

    Sharpening brings out what rounding left: a network for files learns from rounded images.
    """

    name = "blur"
    summary = "Gaussian blur, as of a lens out of focus"
    main = "sigma"
    sigma: Quantity = quantity(1, "standard deviation of the Gaussian", "pixels", limits=(0, 50))
    rounded: bool = pydantic.Field(default=False, description="rounded to 8 bits, as files have it")

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        radius = radius_of(self.sigma.high if isinstance(self.sigma, Range) else self.sigma)
        kernels = gaussian_kernels(values["sigma"].view(-1).to(images.device), radius)  # (N, K)
        soft = separable(functional.pad(images, (radius,) * 4, mode="replicate"), kernels)
        return soft.clamp_(0, 1).mul_(255).round_().div_(255) if self.rounded else soft
