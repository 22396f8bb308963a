"""What every method that learns from noisy images is told, and what it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Generator, Tensor

from cuello.core.types import Pair


@dataclass(frozen=True)
class KnownNoise:
    """What is known of the noise in the images that a network sees.

    level: its standard deviation, the same everywhere, with white as 1; None where it is not known. reach: how many
    pixels up and down, and left and right, a pixel's noise tells something of its neighbours'; (0, 0) for noise that is
    each pixel's own. correlation: with the pixels around, ``(2k + 1, 2m + 1)``, 1 in the middle; None for noise that is
    each pixel's own.
    """

    level: float | None = None
    reach: tuple[int, int] = (0, 0)
    correlation: np.ndarray | None = None

    def levels(self, images: Tensor) -> Tensor | None:
        """Give the level of each image, ``(N, 1, 1, 1)``; None where it is not known."""
        return None if self.level is None else images.new_full((len(images), 1, 1, 1), self.level)


Copies = tuple[Tensor, ...]
"""Noisy images ``(N, C, H, W)``: one copy of each, or two with noise of their own."""


@dataclass(frozen=True)
class BlindMethod:
    """A way to learn from noisy images.

    needs: "image": each image once; "pairs": a second noisy image of every scene; "frames": neighbouring frames of
    stacks. pair: makes of noisy images, what is known of their noise, and a generator, what a network gets, and the
    loss; its mean is the mean squared error against the clean images plus what does not depend on the network.
    label: how people and papers call it. white_only: it takes every pixel's noise for its own. told: it takes the
    noise's level.
    """

    name: str
    summary: str
    label: str
    needs: Literal["image", "pairs", "frames"]
    pair: Callable[[Copies, KnownNoise, Generator], Pair]
    white_only: bool = False
    told: bool = False
