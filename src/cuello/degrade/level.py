"""How strong the noise of an image is, estimated from the image itself."""

import warnings

import numpy as np
import torch
from torch import Tensor


def noise_levels(image: np.ndarray) -> list[float]:
    """Estimate the standard deviation of each channel's noise; 0 where a channel is black."""
    with warnings.catch_warnings():
        from skimage.restoration import estimate_sigma  # what it loads adds filters of its own

        warnings.simplefilter("ignore", RuntimeWarning)  # a black channel gives the mean of nothing
        warnings.simplefilter("ignore", UserWarning)  # one or two pixels across are taken for forgotten channels
        levels = np.atleast_1d(np.asarray(estimate_sigma(image, channel_axis=-1)))
    return [float(level) for level in np.nan_to_num(levels)]


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
