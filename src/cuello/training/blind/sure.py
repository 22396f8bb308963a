"""The error against the clean image, estimated without it, where the noise's level is known.

Source: Ramani, Blu and Unser 2008, "Monte-Carlo SURE: a black-box optimization of regularization parameters for
general denoising algorithms"; as a loss: Soltanayev and Chun 2018, "Training deep learning based denoisers without
ground truth data".
"""

import numpy as np
import torch
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.core.types import Pair, Run
from cuello.scoring.blind import spectrum
from cuello.training.blind.base import Copies, KnownNoise

NUDGE = 0.1
"""How far the image is moved to see how its restoration follows, as a share of the noise's deviation."""


def sure(copies: Copies, known: KnownNoise, random: Generator) -> Pair:
    """Estimate the squared error without the clean image: how far the network goes, and how it follows the noise.

    ``mean (f(x) - x)² + 2 σ² b · (f(x + ε b) - f(x)) / (ε n)``, b being drawn with mean 0, variance 1 and the noise's
    correlation

    Its mean is that of the squared error plus σ².
    """
    if known.level is None:
        raise CuelloError("the method sure needs the noise's level, which is not known. Use --method=neighbours.")
    images, variance, step = copies[0], known.level**2, NUDGE * known.level
    direction = alike(images, known.correlation, random)

    def loss(run: Run) -> Tensor:
        restored = run(images)
        followed = (direction * (run(images + step * direction) - restored)).flatten(1).mean(1) / step
        return (restored - images).square().flatten(1).mean(1) + 2 * variance * followed

    return Pair(images, images, known.levels(images), loss=loss)


def alike(images: Tensor, correlation: np.ndarray | None, random: Generator) -> Tensor:
    """Draw numbers of mean 0, variance 1 and a correlation between neighbours, in the shape of the images."""
    if correlation is None:
        return torch.randint(2, images.shape, generator=random).to(images) * 2 - 1
    size = (images.shape[2], images.shape[3])
    factor = torch.from_numpy(np.sqrt(spectrum(correlation, size))).float()
    drawn = torch.randn(images.shape, generator=random)
    return torch.fft.irfft2(torch.fft.rfft2(drawn) * factor, s=size).to(images)
