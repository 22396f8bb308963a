"""Blur, as of a lens out of focus."""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cuello.degrade.base import Degradation, Quantity, Range, quantity


def gaussian_kernels(sigma: Tensor, radius: int) -> Tensor:
    """Make normalised one-dimensional Gaussians: ``(N,)`` standard deviations in pixels to ``(N, 2 radius + 1)``."""
    offset = torch.arange(-radius, radius + 1, dtype=torch.float32, device=sigma.device)
    kernels = torch.exp(-0.5 * (offset / sigma.clamp(min=1e-4)[:, None]) ** 2)
    return kernels / kernels.sum(dim=1, keepdim=True)


class Blur(Degradation):
    """Gaussian blur, y = x * G(σ), cut off at 4σ, edges repeated."""

    name = "blur"
    summary = "Gaussian blur, as of a lens out of focus"
    main = "sigma"
    sigma: Quantity = quantity(1, "standard deviation of the Gaussian", "pixels", limits=(0, 50))

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        count, channels, height, width = images.shape
        largest = self.sigma.high if isinstance(self.sigma, Range) else self.sigma
        radius = max(1, int(4 * largest + 0.5))
        kernels = gaussian_kernels(values["sigma"].view(-1).to(images.device), radius)  # (N, K)
        kernels = kernels.repeat_interleave(channels, dim=0)[:, None]  # (N C, 1, K)
        rows = images.reshape(1, count * channels, height, width)
        rows = functional.pad(rows, (radius,) * 4, mode="replicate")
        rows = functional.conv2d(rows, kernels[:, :, None, :], groups=count * channels)
        rows = functional.conv2d(rows, kernels[:, :, :, None], groups=count * channels)
        return rows.view(images.shape)
