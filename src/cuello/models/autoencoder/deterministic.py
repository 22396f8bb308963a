"""Bottlenecks without chance: a narrow code, a sparse one, one that small changes of the image hardly move."""

from collections.abc import Callable, Mapping
from typing import Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, model_validator
from torch import Tensor

from cuello.models.autoencoder.base import Bottleneck, BottleneckSettings, Code
from cuello.models.autoencoder.layers import ACTIVATIONS, Activation


class PlainConfig(BottleneckSettings):
    """A code that is only narrow."""

    kind: Literal["plain"] = "plain"
    activation: Activation = Field(default="linear", description="of the code's numbers")


class Plain(Bottleneck):
    """A code that is only narrow: features as they are, or after an activation.

    >>> Plain(PlainConfig(activation="tanh")).code(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, config: PlainConfig):
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]

    def code(self, features: Tensor) -> Tensor:
        return self.activation(features)

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        return Code(self.code(features), {})


class SparseConfig(BottleneckSettings):
    """A code most of whose numbers are near 0."""

    kind: Literal["sparse"] = "sparse"
    activation: Activation = Field(default="sigmoid", description="of the code's numbers; sigmoid for kl")
    penalty: Literal["kl", "l1"] = Field(default="kl", description="how numbers away from 0 are punished")
    target: float = Field(default=0.05, gt=0, lt=1, description="kl: what each number is on average, 0 to 1")
    weight: NonNegativeFloat = Field(default=3e-4, description="of the penalty, in the unit of the loss")

    @model_validator(mode="after")
    def _has_shares(self) -> Self:
        if self.penalty == "kl" and self.activation != "sigmoid":
            raise ValueError(
                f"the penalty kl needs numbers from 0 to 1, a sigmoid, got {self.activation}: leave the activation of "
                "the code out, or take penalty=l1"
            )
        return self


class Sparse(Bottleneck):
    """A code most of whose numbers are near 0.

    kl adds λ Σ_j ρ log(ρ / r_j) + (1 - ρ) log((1 - ρ) / (1 - r_j)), in nats, with r_j the mean of number j over the
    batch and ρ the target: one scalar. l1 adds λ Σ_j |z_j| to each image.

    Source: kl: Ng 2011, "Sparse autoencoder", lecture notes CS294A, section 3; l1: Goodfellow, Bengio and Courville
    2016, "Deep learning", section 14.2.1.

    >>> bottleneck = Sparse(SparseConfig(target=0.5, weight=1))
    >>> bottleneck(torch.zeros(4, 3)).terms["sparsity"]
    tensor(0.)
    """

    def __init__(self, config: SparseConfig):
        super().__init__()
        self.config = config
        self.activation = ACTIVATIONS[config.activation]

    def code(self, features: Tensor) -> Tensor:
        return self.activation(features)

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        code = self.code(features)
        if self.config.penalty == "l1":
            return Code(code, {"sparsity": self.config.weight * code.abs().flatten(1).sum(1)})
        target, mean = self.config.target, code.mean(0).clamp(1e-6, 1 - 1e-6)  # (N, d, …) -> (d, …)
        divergence = target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()
        return Code(code, {"sparsity": self.config.weight * divergence.sum()})


class ContractiveConfig(BottleneckSettings):
    """A code that small changes of the image hardly move."""

    kind: Literal["contractive"] = "contractive"
    activation: Activation = Field(default="sigmoid", description="of the code's numbers")
    weight: NonNegativeFloat = Field(default=1e-4, description="of the penalty, in the unit of the loss")


EXACT = 8
"""Codes of at most so many numbers have the norm of their Jacobian worked out; that of others is estimated."""


class Contractive(Bottleneck):
    """A code that small changes of the image hardly move.

    Training adds λ ‖J‖², the sum of squares of the Jacobian of the code by the image's numbers, of each image. Codes of
    at most 8 numbers: exactly, one backward pass a number. Others: ‖vᵀ J‖² for one random v of ±1 an image, whose
    expectation that is. While evaluating it is left out, as weight decay is: the loss is that of the images alone, no
    gradient is needed, and the network can be exported.

    Source: Rifai et al. 2011, equation 1; estimate: Hutchinson 1990.

    >>> bottleneck = Contractive(ContractiveConfig(activation="linear", weight=1))
    >>> bottleneck.penalty(lambda x: 3 * x, torch.rand(2, 4), None)["contraction"]
    tensor([36., 36.])
    """

    draws = True

    def __init__(self, config: ContractiveConfig):
        super().__init__()
        self.config = config
        self.activation = ACTIVATIONS[config.activation]

    def code(self, features: Tensor) -> Tensor:
        return self.activation(features)

    def noise(self, features: Tensor) -> Tensor:
        return (torch.rand_like(features) < 0.5).to(features.dtype) * 2 - 1

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        return Code(self.code(features), {})

    def penalty(self, encode: Callable[[Tensor], Tensor], x: Tensor, noise: Tensor | None) -> Mapping[str, Tensor]:
        """Return the term of each image ``(N,)``; exact where noise is None."""
        codes, pull, *_ = torch.func.vjp(lambda images: encode(images).flatten(1), x)
        if noise is None or codes.shape[1] <= EXACT:
            rows = torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
        else:
            rows = noise.flatten(1)[None]
        squares = [pull(row.expand_as(codes))[0].square().flatten(1).sum(1) for row in rows]
        return {"contraction": self.config.weight * torch.stack(squares).sum(0)}
