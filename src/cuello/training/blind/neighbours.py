"""Two small images of one: neighbouring pixels show nearly the same, each with noise of its own.

Source: Huang, Li, Jia, Lu and Liu 2021, "Neighbor2Neighbor: self-supervised denoising from single noisy images".
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cuello.core.types import Pair, Run
from cuello.training.blind.base import Copies, KnownNoise

PULL = 1.0
"""Weight of what keeps the network from learning the difference of neighbours (γ in the source)."""
BESIDE = torch.tensor([[0, 1], [0, 2], [1, 3], [2, 3], [1, 0], [2, 0], [3, 1], [3, 2]])
"""Ways to take two pixels side by side of a cell of 2x2: places, row by row."""


def neighbours(copies: Copies, known: KnownNoise, random: Generator) -> Pair:
    """Make two images of half the size by taking two neighbours of every 2×2 cell, and learn one from the other.

    ``|f(g₁ x) - g₂ x|² + γ |f(g₁ x) - g₂ x - (g₁ f(x) - g₂ f(x))|²``
    """
    images = whole_cells(copies[0])
    one, other = drawn_cells(images, random)
    smaller, target = taken(images, one), taken(images, other)

    def loss(run: Run) -> Tensor:
        with torch.no_grad():
            whole = run(images)
        difference = run(smaller) - target
        expected = taken(whole, one) - taken(whole, other)
        return (difference.square() + PULL * (difference - expected).square()).flatten(1).mean(1)

    return Pair(images, images, known.levels(images), loss=loss)


def whole_cells(images: Tensor) -> Tensor:
    """Cut images at the bottom and right to whole squares of 4×4 pixels: halves of them have even sides too."""
    return images[:, :, : images.shape[2] // 4 * 4, : images.shape[3] // 4 * 4]


def drawn_cells(images: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """Draw two neighbours of every cell: their places in it, ``(N, 1, H / 2, W / 2)`` each."""
    count, _, height, width = images.shape
    way = torch.randint(len(BESIDE), (count, height // 2, width // 2), generator=random)
    places = BESIDE[way].to(images.device)
    return places[..., 0][:, None], places[..., 1][:, None]


def taken(images: Tensor, place: Tensor) -> Tensor:
    """Take one pixel of every cell, ``(N, C, H / 2, W / 2)``. place: see ``drawn_cells``."""
    count, channels, height, width = images.shape
    cells = functional.pixel_unshuffle(images, 2).view(count, channels, 4, height // 2, width // 2)
    return cells.gather(2, place[:, :, None].expand(-1, channels, -1, -1, -1))[:, :, 0]
