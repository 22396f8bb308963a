"""Networks that are told how much noise there is: which they are, and what they are told where nobody knows."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from cuello.baselines import noise_levels

Given = TypeVar("Given")


def is_conditioned(network: nn.Module) -> bool:
    """Tell whether a network takes the noise level: ``forward(x, level=level)``."""
    return bool(getattr(network, "conditioned", False))


def estimated_level(images: Tensor) -> Tensor:
    """Estimate the standard deviation of each image's noise, the mean over its channels.

    ``σ = median |d| / 0.6745``

    images: ``(N, C, H, W)`` in [0, 1]. Returns ``(N, 1, 1, 1)`` in units of white = 1; d are the finest diagonal
    wavelet coefficients of a channel, in which edges and texture have little part.

    >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    >>> round(float(estimated_level(noisy)), 2)
    0.1

    Source: Donoho and Johnstone 1994, "Ideal spatial adaptation by wavelet shrinkage", section 4.2.
    """
    pixels = images.detach().float().permute(0, 2, 3, 1).cpu().numpy()
    means = [sum(noise_levels(image)) / image.shape[-1] for image in pixels]
    return torch.tensor(means, dtype=torch.float32, device=images.device).view(-1, 1, 1, 1)


def restored(
    forward: Callable[..., Given],
    network: nn.Module,
    x: Tensor,
    level: Tensor | None,
    condition: Tensor | None = None,
) -> Given:
    """Return what a network gives for ``x``, with the noise level, or the class, where it is one that takes it.

    forward: the network, or its compiled form. level: ``(N, 1, 1, 1)`` or ``(N, 1, H, W)``; estimated where it is None.
    condition: classes, ``(N,)``, for an estimator of occlusion maps; None for others.
    """
    if condition is not None:
        return forward(x, condition)
    if not is_conditioned(network):
        return forward(x)
    return forward(x, level=(estimated_level(x) if level is None else level).to(x.device, x.dtype))
