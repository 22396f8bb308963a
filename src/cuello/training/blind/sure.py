"""The error against the clean image, estimated without it, where the noise's level is known.

Source: Ramani, Blu and Unser 2008, "Monte-Carlo SURE: a black-box optimization of regularization parameters for
general denoising algorithms"; as a loss: Soltanayev and Chun 2018, "Training deep learning based denoisers without
ground truth data".
"""

import torch
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.core.types import Pair, Run
from cuello.training.blind.base import Copies, KnownNoise

NUDGE = 0.1
"""How far the image is moved to see how its restoration follows, as a share of the noise's deviation."""


def sure(copies: Copies, known: KnownNoise, random: Generator) -> Pair:
    """Estimate the squared error without the clean image: how far the network goes, and how it follows the noise.

    ``mean (f(x) - x)² + 2 σ² b · (f(x + ε b) - f(x)) / (ε n)``, b being drawn with mean 0 and variance 1

    Its mean is that of the squared error plus σ².
    """
    if known.level is None:
        raise CuelloError("the method sure needs the noise's level, which is not known. Use --method=neighbours.")
    images, variance, step = copies[0], known.level**2, NUDGE * known.level
    direction = torch.randint(2, images.shape, generator=random).to(images) * 2 - 1

    def loss(run: Run) -> Tensor:
        restored = run(images)
        followed = (direction * (run(images + step * direction) - restored)).flatten(1).mean(1) / step
        return (restored - images).square().flatten(1).mean(1) + 2 * variance * followed

    return Pair(images, images, known.levels(images), loss=loss)
