"""What every bottleneck offers: it stands between encoder and decoder and may add to the loss.

A bottleneck takes features with the code's numbers (or what makes them) along axis 1: ``(N, F)`` from dense layers,
``(N, F, h, w)`` where the code lies in space.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from cuello.core.errors import CuelloError


class Code(NamedTuple):
    """What a bottleneck makes of features: the code that is decoded, and loss terms by name, ``(N,)`` or scalars."""

    latent: Tensor
    terms: Mapping[str, Tensor]


class BottleneckSettings(BaseModel):
    """What the settings of all bottlenecks share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def unit(self) -> int:
        """What the code's numbers must be a multiple of."""
        return 1


class Bottleneck(nn.Module, ABC):
    """What stands between encoder and decoder.

    features: how many features it takes for one number of the code. prior: the distribution that codes follow,
    "normal" for N(0, 1) each, "uniform" over a finite set, or None where it is not known. draws: whether training draws
    random numbers. has_posterior: whether an image has a distribution of codes. compares: whether terms
    compare the codes of a batch with one another.
    """

    features: int = 1
    prior: str | None = None
    draws: bool = False
    has_posterior: bool = False
    compares: bool = False

    @abstractmethod
    def code(self, features: Tensor) -> Tensor:
        """Return the code of each image, without chance: what ``encode`` gives."""

    @abstractmethod
    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        """Return code and loss terms. While training: noise, what ``noise`` drew; epochs, how many have passed.

        Without both (while evaluating) the code is that of ``code`` and terms have their full weight; a term that
        cannot do without chance takes fixed numbers.
        """

    def noise(self, features: Tensor) -> Tensor | None:
        """Draw what training needs for these features from torch's default generator; None where it needs nothing."""
        return None

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and logarithm of the variance of each image's code, where ``has_posterior``."""
        raise NotImplementedError

    def penalty(self, encode: Callable[[Tensor], Tensor], x: Tensor, noise: Tensor | None) -> Mapping[str, Tensor]:
        """Return loss terms that need the encoder itself, images to codes; asked for only while training."""
        return {}

    def draw(self, count: int, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Return ``count`` codes of ``shape`` (without N) drawn from the prior; CuelloError where there is none."""
        if self.prior != "normal":
            raise CuelloError(
                "this network's codes follow no known distribution, so none can be drawn. "
                "Train a variational one, e.g. --model=vae-200-2."
            )
        return torch.randn(count, *shape, generator=generator)


def share(epochs: float | None, whole: float) -> float:
    """Return how much of a rise over ``whole`` epochs is done, 0 to 1; all of it where no epoch is told.

    >>> share(1.0, 4.0), share(None, 4.0), share(1.0, 0.0)
    (0.25, 1.0, 1.0)
    """
    return 1.0 if not whole or epochs is None or epochs >= whole else epochs / whole
