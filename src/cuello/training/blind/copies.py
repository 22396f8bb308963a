"""Two noisy images of one scene: each is learned from the other.

Source: Lehtinen et al. 2018, "Noise2Noise: learning image restoration without clean data".
"""

import torch
from torch import Generator, Tensor

from cuello.core.types import Pair, Run
from cuello.training.blind.base import Copies, KnownNoise


def other_copy(copies: Copies, known: KnownNoise, random: Generator) -> Pair:
    """Learn one noisy image from the other; which from which is drawn, image by image.

    ``mean (f(x₁) - x₂)²``
    """
    one, other = copies
    swapped = (torch.randint(2, (len(one), 1, 1, 1), generator=random) == 1).to(one.device)
    seen, target = torch.where(swapped, other, one), torch.where(swapped, one, other)

    def loss(run: Run) -> Tensor:
        return (run(seen) - target).square().flatten(1).mean(1)

    return Pair(seen, target, known.levels(seen), loss=loss)
