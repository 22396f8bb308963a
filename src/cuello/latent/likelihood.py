"""How likely a variational autoencoder finds images: the evidence lower bound, and an estimate of log p(x)."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.models.autoencoder.variational import normal_kl
from cuello.models.base import ImageNetwork
from cuello.scoring.losses import find_loss

NUMBERS_AT_ONCE = 2**20
"""Numbers of decoded images that are held at a time; the decoder's hidden layers take a multiple of that."""

LIKELIHOODS = ("bernoulli", "gaussian")


def elbo(network: ImageNetwork, images: Tensor, loss: str, seed: int, samples: int = 1) -> Tensor:
    """Compute the evidence lower bound of each image in nats, E_q[log p(x | z)] - KL(q(z | x) || N(0, 1)).

    The expectation is a mean over draws of z from q(z | x); KL is exact and has the weight 1, whatever the training's.

    network: a variational Autoencoder. images: ``(N, C, H, W)`` in [0, 1], of the network's size; to ``(N,)`` float64.
    loss: the likelihood p(x | z), bernoulli or gaussian:SIGMA. seed: of the draws; those of an image depend on it and
    on the image's place in the stack alone. samples: draws for each image. Raises CuelloError for other networks,
    losses, images and numbers of samples.

    Source: Kingma and Welling 2014, equation 3.

    >>> from cuello.models.catalog import architecture_of, build
    >>> network = build(architecture_of("vae:35-20-2", channels=1, size=(7, 5)))
    >>> elbo(network, torch.ones(3, 1, 7, 5), "bernoulli", seed=0).shape
    torch.Size([3])
    """
    found = [drawn.likelihood.mean(1) - drawn.kl for drawn in draws(network, images, loss, samples=samples, seed=seed)]
    return torch.cat(found).to(images.device)


def log_likelihood(network: ImageNetwork, images: Tensor, loss: str, samples: int, seed: int) -> Tensor:
    """Compute the importance-weighted estimate of log p(x) of each image in nats, log 1/K Σ p(x | z) p(z) / q(z | x).

    The sum is over K draws of z from q(z | x). The estimate's expectation is the evidence lower bound for K = 1, never
    falls as K grows, and nears log p(x) from below.

    samples: K, thousands for a number to be reported. The rest: see `elbo`. Memory does not grow with N.

    Source: Burda, Grosse and Salakhutdinov 2016, equation 8.

    >>> from cuello.models.catalog import architecture_of, build
    >>> network = build(architecture_of("vae:35-20-2", channels=1, size=(7, 5)))
    >>> log_likelihood(network, torch.ones(3, 1, 7, 5), "bernoulli", samples=50, seed=0).shape
    torch.Size([3])
    """
    found = [
        (drawn.likelihood + drawn.ratio).logsumexp(1) - math.log(samples)
        for drawn in draws(network, images, loss, samples=samples, seed=seed)
    ]
    return torch.cat(found).to(images.device)


class Draws(NamedTuple):
    """What K draws of z from q(z | x) say of a few images, in nats, float64.

    likelihood: log p(x | z), ``(n, K)``. ratio: log p(z) - log q(z | x), ``(n, K)``. kl: KL(q(z | x) || p(z)),
    ``(n,)``.
    """

    likelihood: Tensor
    ratio: Tensor
    kl: Tensor


@torch.no_grad()
def draws(network: ImageNetwork, images: Tensor, loss: str, samples: int, seed: int) -> Iterator[Draws]:
    """Yield the draws of a few images at a time, in order; CuelloError where `elbo` says so."""
    distance = check(network, images, loss, samples=samples)
    rows = max(1, NUMBERS_AT_ONCE // images[0].numel())
    together = max(1, rows // samples)
    device = next(network.parameters()).device
    for start in range(0, len(images), together):
        x = images[start : start + together].to(device)  # (n, C, H, W)
        mean, log_variance = network.posterior(x)  # (n, d, …) each
        randoms = [generator(seed, "likelihood", index=start + place) for place in range(len(x))]
        noise = torch.stack([torch.randn(samples, *mean.shape[1:], generator=random) for random in randoms]).to(mean)
        codes = mean[:, None] + (log_variance / 2).exp()[:, None] * noise
        places = torch.arange(len(x), device=device).repeat_interleave(samples)
        parts = zip(codes.flatten(0, 1).split(rows), places.split(rows), strict=True)
        likelihood = [-distance(network.decode(part), x[chosen]) for part, chosen in parts]
        # Both densities' constants cancel; z = μ + σ ε makes ((z - μ) / σ)² the square of the noise.
        ratio = (noise.double().square() - codes.double().square()).flatten(2).sum(2) / 2
        ratio = ratio + log_variance.double().flatten(1).sum(1)[:, None] / 2
        kl = normal_kl(mean.double(), log_variance.double())
        yield Draws(torch.cat(likelihood).double().view(len(x), samples), ratio, kl)


def check(network: ImageNetwork, images: Tensor, loss: str, samples: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Find the negative log-likelihood of images that a loss stands for; CuelloError for what `elbo` cannot take."""
    if not network.has_posterior:
        raise CuelloError(
            f"{type(network).__name__}: got a network without a distribution of codes for each image, needed a "
            "variational autoencoder, e.g. --model=vae-200-2."
        )
    spec = find_loss(loss)
    if spec.name not in LIKELIHOODS:
        raise CuelloError(f"the loss {loss!r} is not a likelihood of an image, needed bernoulli or gaussian:SIGMA.")
    if samples < 1:
        raise CuelloError(f"--samples: got {samples}, needed 1 or more.")
    if images.ndim != 4 or len(images) == 0:
        raise CuelloError(f"got images of shape {tuple(images.shape)}, needed (N, C, H, W) with one image or more.")
    return spec.function
