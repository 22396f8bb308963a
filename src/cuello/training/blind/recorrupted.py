"""Two noisy images of one, where the noise's level is known: some noise is added, and the like of it taken away.

Source: Pang, Zheng, Quan and Ji 2021, "Recorrupted-to-Recorrupted: unsupervised deep learning for image denoising".
"""

import math

import torch
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.core.types import Pair, Run
from cuello.training.blind.base import Copies, KnownNoise
from cuello.training.blind.sure import alike

STRONGER = math.sqrt(2)
"""How many times as strong the noise is in what the network gets."""


def recorrupted(copies: Copies, known: KnownNoise, random: Generator) -> Pair:
    """Learn the image with noise taken away from the image with the same noise added; one run of the network.

    ``mean (f(x + z) - (x - z))²``, z being drawn like the noise: what is in ``x + z`` and in ``x - z`` of both is then
    independent, so that the mean is the squared error on images of noise √2 times as strong, plus 2 σ². The network
    is told that level, and the images' own when it is used.
    """
    if known.level is None:
        raise CuelloError(
            "the method recorrupted needs the noise's level, which is not known. Use --method=neighbours."
        )
    images = copies[0]
    if known.correlation is None:
        drawn = torch.randn(images.shape, generator=random).to(images)
    else:
        drawn = alike(images, known.correlation, random)
    seen, target = images + known.level * drawn, images - known.level * drawn
    level = known.levels(images)

    def loss(run: Run) -> Tensor:
        return (run(seen) - target).square().flatten(1).mean(1)

    return Pair(seen, target, None if level is None else STRONGER * level, loss=loss)
