"""Bottlenecks whose codes follow N(0, 1): by a distribution for every image, or by comparing samples of both."""

from typing import Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, model_validator
from torch import Tensor

from cuello.core.seeding import numpy_generator
from cuello.models.autoencoder.base import Bottleneck, BottleneckSettings, Code, share


class VariationalConfig(BottleneckSettings):
    """A normal distribution for every image, drawn towards N(0, 1)."""

    kind: Literal["variational"] = "variational"
    beta: NonNegativeFloat = Field(default=1.0, description="weight of the Kullback-Leibler divergence")
    warmup: NonNegativeFloat = Field(default=0.0, description="epochs in which that weight rises from 0")
    capacity: NonNegativeFloat = Field(default=0.0, description="nats the divergence is drawn to instead of 0")
    growth: NonNegativeFloat = Field(default=0.0, description="epochs in which the capacity rises from 0")


class Variational(Bottleneck):
    """The bottleneck of a variational autoencoder: features are means and logarithms of variances.

    Training draws z = μ + σ ε and adds β KL(N(μ, σ²) || N(0, 1)) in nats, or β |KL - C| with a capacity C that grows.
    β = 1 with a likelihood as the loss is the negative evidence lower bound. The code of ``encode`` is μ.

    Source: Kingma and Welling 2014, appendix B; β: Higgins et al. 2017, equation 4; its warm-up: Sønderby et al. 2016;
    capacity: Burgess et al. 2018, equation 8.

    >>> bottleneck = Variational(VariationalConfig())
    >>> bottleneck(torch.zeros(2, 6)).terms["kl"]
    tensor([0., 0.])
    """

    features = 2
    prior = "normal"
    has_posterior = True
    draws = True

    def __init__(self, config: VariationalConfig):
        super().__init__()
        self.config = config

    def code(self, features: Tensor) -> Tensor:
        return features.chunk(2, 1)[0]  # (N, 2 d, …) -> (N, d, …)

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of variances, ``(N, d, …)`` each; the latter kept within ±20."""
        mean, log_variance = features.chunk(2, 1)
        return mean, log_variance.clamp(-20, 20)

    def noise(self, features: Tensor) -> Tensor:
        return torch.randn_like(features.chunk(2, 1)[0])

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        mean, log_variance = self.posterior(features)
        latent = mean if noise is None else mean + (log_variance / 2).exp() * noise
        kl = normal_kl(mean, log_variance)
        if self.config.capacity:
            kl = (kl - self.config.capacity * share(epochs, self.config.growth)).abs()
        return Code(latent, {"kl": self.config.beta * share(epochs, self.config.warmup) * kl})


class WassersteinConfig(BottleneckSettings):
    """Codes that, all together, are drawn towards N(0, 1)."""

    kind: Literal["wasserstein"] = "wasserstein"
    weight: NonNegativeFloat = Field(
        default=0.1,
        description="of the discrepancy, in the unit of the loss; the paper's 10 is for the sum over an image's P "
        "numbers, 10 / P for their mean",
    )


class Wasserstein(Bottleneck):
    """The bottleneck of a Wasserstein autoencoder: a plain code, and λ MMD²(codes of the batch, N(0, 1)).

    Evaluation compares with fixed samples of N(0, 1).

    Source: Tolstikhin et al. 2018, algorithm 2.

    >>> Wasserstein(WassersteinConfig())(torch.zeros(8, 2)).terms["mmd"] > 0
    tensor(True)
    """

    prior = "normal"
    draws = True
    compares = True

    def __init__(self, config: WassersteinConfig):
        super().__init__()
        self.config = config

    def code(self, features: Tensor) -> Tensor:
        return features

    def noise(self, features: Tensor) -> Tensor:
        return torch.randn_like(features)

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        normal = fixed_normal(features) if noise is None else noise
        return Code(features, {"mmd": self.config.weight * mmd(features.flatten(1), normal.flatten(1))})


class InfoConfig(BottleneckSettings):
    """A normal distribution for every image, whose sum over images is drawn towards N(0, 1)."""

    kind: Literal["info"] = "info"
    alpha: float = Field(default=0.0, le=1, description="weight of what the code tells of the image; 0 as in a VAE")
    weight: NonNegativeFloat = Field(default=500.0, description="λ: of the codes' distribution, 1 - alpha or more")

    @model_validator(mode="after")
    def _is_no_reward(self) -> Self:
        if self.weight < 1 - self.alpha:
            raise ValueError(f"a weight of {self.weight:g} rewards codes unlike N(0, 1): take 1 - alpha or more")
        return self


class Info(Bottleneck):
    """The bottleneck of an InfoVAE: (1 - α) KL(N(μ, σ²) || N(0, 1)) + (α + λ - 1) MMD²(samples of the batch, N(0, 1)).

    KL of each image, in nats; MMD one scalar. α = 0, λ = 1 is a variational autoencoder; α = 1 leaves only MMD.
    Evaluation takes fixed samples for MMD, and μ as the code.

    Source: Zhao et al. 2019, equation 6, with the maximum mean discrepancy as its divergence.

    >>> sorted(Info(InfoConfig())(torch.zeros(8, 6)).terms)
    ['kl', 'mmd']
    """

    features = 2
    prior = "normal"
    has_posterior = True
    draws = True
    compares = True

    def __init__(self, config: InfoConfig):
        super().__init__()
        self.config = config
        self.variational = Variational(VariationalConfig(beta=1 - config.alpha))

    def code(self, features: Tensor) -> Tensor:
        return self.variational.code(features)

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.variational.posterior(features)

    def noise(self, features: Tensor) -> Tensor:
        return torch.randn_like(features)  # one half for the codes, one for N(0, 1)

    def forward(self, features: Tensor, noise: Tensor | None = None, epochs: float | None = None) -> Code:
        drawn, normal = (fixed_normal(features) if noise is None else noise).chunk(2, 1)
        samples, terms = self.variational(features, drawn, epochs)
        weight = self.config.alpha + self.config.weight - 1
        terms = {**terms, "mmd": weight * mmd(samples.flatten(1), normal.flatten(1))}
        return Code(self.code(features) if noise is None else samples, terms)


def normal_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) || N(0, 1)) of each image in nats, Σ (μ² + σ² - 1 - log σ²) / 2: ``(N, d, …)`` to ``(N,)``.

    Source: Kingma and Welling 2014, appendix B.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1) / 2


def mmd(codes: Tensor, normal: Tensor) -> Tensor:
    """Return the squared maximum mean discrepancy of codes and samples of N(0, 1), ``(N, d)`` each, without bias.

    Mean of k(z, z') and of k(e, e') over pairs of different rows, minus twice that of k(z, e) over all pairs, with the
    inverse multiquadratic kernel k(a, b) = C / (C + ‖a - b‖²), C = 2 d. A scalar; below 0 by chance; 0 for one row.

    Source: Tolstikhin et al. 2018, algorithm 2 and section 4.

    >>> round(mmd(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [1.0]])).item(), 4)  # 1 + 1 - 2 · 2 / 3
    0.6667
    """
    count, numbers = codes.shape
    if count == 1:
        return codes.sum() * 0
    pairs = count * (count - 1)
    within = [(inverse_multiquadratic(x, x, 2 * numbers), pairs) for x in (codes, normal)]
    across = inverse_multiquadratic(codes, normal, 2 * numbers)
    return sum(((k.sum() - k.diagonal().sum()) / n for k, n in within), -2 * across.mean())


def inverse_multiquadratic(x: Tensor, y: Tensor, scale: float) -> Tensor:
    """Return C / (C + ‖x - y‖²) for all pairs of rows: ``(N, d)`` and ``(M, d)`` to ``(N, M)``."""
    apart = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    return scale / (scale + apart.clamp_min(0))


def fixed_normal(like: Tensor) -> Tensor:
    """Return numbers drawn from N(0, 1), of the shape of ``like``, always the same."""
    # Not torch's: under vmap that draws anew for every replica.
    drawn = numpy_generator(0, "fixed normal").standard_normal(tuple(like.shape), dtype="float32")
    return torch.from_numpy(drawn).to(device=like.device, dtype=like.dtype)
