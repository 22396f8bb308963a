"""Bottlenecks whose codes are from a finite set: entries of a codebook that is learned, or rounded numbers."""

from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn
from torch.nn import functional

from cuello.models.autoencoder.base import Bottleneck, BottleneckSettings, Code
from cuello.models.autoencoder.layers import SPLIT
from cuello.models.limits import Width

Levels = Annotated[tuple[Annotated[int, Field(ge=2, le=65536)], ...], Field(min_length=1, max_length=64)]


class VectorConfig(BottleneckSettings):
    """Groups of the code's numbers become the nearest entry of a codebook."""

    kind: Literal["vector"] = "vector"
    entries: Width = Field(default=256, description="of the codebook")
    width: Width = Field(default=4, description="numbers of an entry; the code's are a multiple of it")
    commitment: NonNegativeFloat = Field(default=0.25, description="how strongly features are drawn to their entry")
    weight: NonNegativeFloat = Field(default=1.0, description="of both terms, in the unit of the loss")

    @property
    def unit(self) -> int:
        return self.width


class VectorQuantised(Bottleneck):
    """Vector quantisation: each group of ``width`` neighbouring numbers (along axis 1) becomes its nearest entry.

    Gradients pass through as if nothing had been done. Training and evaluation add λ ‖sg(z) - e‖² and
    λ β ‖z - sg(e)‖², the mean over an image's groups, which move entries to features and features to entries; sg stops
    the gradient. Codes drawn from the prior are entries, all as likely.

    Source: van den Oord et al. 2017, equations 1 to 3.

    >>> bottleneck = VectorQuantised(VectorConfig(entries=16, width=3))
    >>> bottleneck.code(torch.randn(2, 6, 5, 5)).shape
    torch.Size([2, 6, 5, 5])
    """

    prior = "uniform"

    def __init__(self, config: VectorConfig):
        super().__init__()
        self.config = config
        # Near 0, where features begin too: all entries find features then, and none is left behind for good.
        self.codebook = nn.Parameter(torch.empty(config.entries, config.width).uniform_(-1, 1) / config.entries)

    def nearest(self, features: Tensor) -> Tensor:
        """Return the number of the entry nearest to each group: ``(N, d, …)`` to ``(N, d / width, …)`` int64."""
        groups = features.detach().unflatten(1, (-1, self.config.width)).movedim(2, features.ndim)
        entries = self.codebook.detach()
        return (entries.square().sum(1) - 2 * groups @ entries.T).argmin(-1)  # but for ‖z‖², the same for all

    def look_up(self, entries: Tensor) -> Tensor:
        """Return the codes that numbers of entries stand for: ``(N, g, …)`` int64 to ``(N, g · width, …)``."""
        return functional.embedding(entries, self.codebook).movedim(entries.ndim, 2).flatten(1, 2)

    def code(self, features: Tensor) -> Tensor:
        return self.look_up(self.nearest(features))

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        code = self.code(features)
        terms = {
            "codebook": self.config.weight * self._apart(features.detach(), code),
            "commitment": self.config.weight * self.config.commitment * self._apart(features, code.detach()),
        }
        return Code(passed_through(code, features), terms)

    def draw(self, count: int, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        numbers, *places = shape
        entries = torch.randint(
            self.config.entries, (count, numbers // self.config.width, *places), generator=generator
        )
        return self.look_up(entries.to(self.codebook.device)).detach()

    def _apart(self, features: Tensor, code: Tensor) -> Tensor:
        """Return the squared distance of groups and entries, the mean over groups: to ``(N,)``."""
        return (features - code).square().flatten(1).mean(1) * self.config.width


class ScalarConfig(BottleneckSettings):
    """Each number of the code is rounded to one of a few levels."""

    kind: Literal["scalar"] = "scalar"
    levels: Annotated[tuple[Annotated[int, Field(ge=2, le=65536)], ...], Field(min_length=1, max_length=64), SPLIT] = (
        Field(
            default=(5,),
            description="2 or more for each number of the code, as 8-5-5-5; repeated where the code has more numbers",
        )
    )

    @property
    def unit(self) -> int:
        return len(self.levels)


class ScalarQuantised(Bottleneck):
    """Finite scalar quantisation: each number is bounded by tanh and rounded to L levels, evenly spaced over [-1, 1].

    ``z -> 2 round((L - 1) (tanh(z) + 1) / 2) / (L - 1) - 1``. Gradients pass through the rounding. There is nothing to
    learn and no loss term. Codes drawn from the prior are levels, all as likely.

    Source: Mentzer et al. 2024, section 3.1. For an even number of levels the paper moves them by half a step so that 0
    is one of them; here they lie evenly about 0.

    >>> bottleneck = ScalarQuantised(ScalarConfig(levels=(2, 3)))
    >>> bottleneck.code(torch.tensor([[0.1, 0.1], [-5.0, 5.0]]))
    tensor([[ 1.,  0.],
            [-1.,  1.]])
    """

    prior = "uniform"
    steps: Tensor

    def __init__(self, config: ScalarConfig):
        super().__init__()
        self.config = config
        self.register_buffer("steps", torch.tensor([level - 1.0 for level in config.levels]), persistent=False)

    def code(self, features: Tensor) -> Tensor:
        return self._rounded(torch.tanh(features))

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        bounded = torch.tanh(features)
        return Code(passed_through(self._rounded(bounded), bounded), {})

    def draw(self, count: int, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        unit = torch.rand(count, *shape, generator=generator).to(self.steps.device)
        steps = self._steps(unit)
        return (unit * (steps + 1)).floor().minimum(steps) / steps * 2 - 1

    def _steps(self, like: Tensor) -> Tensor:
        """Return one less than the levels of each number, in a shape that meets ``(N, d, …)``."""
        numbers = like.shape[1]
        return self.steps.repeat(numbers // len(self.steps)).view(-1, *[1] * (like.ndim - 2)).to(like.dtype)

    def _rounded(self, bounded: Tensor) -> Tensor:
        steps = self._steps(bounded)
        return ((bounded + 1) / 2 * steps).round() / steps * 2 - 1


def passed_through(value: Tensor, gradient: Tensor) -> Tensor:
    """Return ``value``, exactly, with the gradient going to ``gradient`` instead (Bengio et al. 2013)."""
    return value.detach() + (gradient - gradient.detach())
