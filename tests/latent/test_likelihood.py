"""Likelihoods of variational autoencoders, against a linear one whose log p(x) is known exactly."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, distributions

from cuello.core.errors import CuelloError
from cuello.latent import likelihood
from cuello.latent.likelihood import elbo, log_likelihood
from cuello.models.autoencoder.network import Autoencoder, AutoencoderConfig
from cuello.models.catalog import architecture_of, build

SIGMA = 0.3


@pytest.fixture
def linear() -> Autoencoder:
    """Decoder W z + b, encoder some other linear map: p(x) = N(b, W Wᵀ + σ² I)."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "height": 2, "width": 3, "code": 2, "output": "linear",
        "layers": {"hidden": (), "kind": "dense"}, "bottleneck": {"kind": "variational"},
    }  # fmt: skip
    network = Autoencoder(AutoencoderConfig.model_validate(settings)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return network


def images(count: int = 5) -> Tensor:
    return torch.rand(count, 1, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def decoder_of(network: Autoencoder) -> tuple[Tensor, Tensor]:
    layer: Any = network.decoder.layers[0]  # type: ignore[index]
    return layer.weight.detach(), layer.bias.detach()


def exact(network: Autoencoder, x: Tensor) -> Tensor:
    weight, bias = decoder_of(network)
    covariance = weight @ weight.T + SIGMA**2 * torch.eye(6, dtype=torch.float64)
    return distributions.MultivariateNormal(bias, covariance).log_prob(x.flatten(1))


def give_the_exact_posterior(network: Autoencoder) -> None:
    """Make the encoder's mean that of p(z | x), and its variance that of p(z | x), whose matrix is made diagonal."""
    with torch.no_grad():
        layer: Any = network.decoder.layers[0]  # type: ignore[index]
        layer.weight.copy_(torch.linalg.qr(layer.weight)[0] * torch.tensor([0.7, 0.4]))  # columns at right angles
        precision = torch.eye(2, dtype=torch.float64) + layer.weight.T @ layer.weight / SIGMA**2
        encoder: Any = network.encoder.layers[0]  # type: ignore[index]
        encoder.weight[:2] = torch.linalg.inv(precision) @ layer.weight.T / SIGMA**2
        encoder.bias[:2] = -encoder.weight[:2] @ layer.bias
        encoder.weight[2:] = 0
        encoder.bias[2:] = -precision.diagonal().log()


def test_the_estimate_nears_the_exact_likelihood(linear: Autoencoder) -> None:
    x = images()
    found = log_likelihood(linear, x, f"gaussian:{SIGMA}", samples=20000, seed=0)
    assert found.dtype == torch.float64
    assert torch.allclose(found, exact(linear, x), atol=0.05)


def test_with_the_exact_posterior_every_draw_says_the_likelihood(linear: Autoencoder) -> None:
    give_the_exact_posterior(linear)
    x = images()
    assert torch.allclose(log_likelihood(linear, x, f"gaussian:{SIGMA}", samples=1, seed=3), exact(linear, x))
    assert torch.allclose(log_likelihood(linear, x, f"gaussian:{SIGMA}", samples=7, seed=4), exact(linear, x))
    assert torch.allclose(elbo(linear, x, f"gaussian:{SIGMA}", seed=5, samples=20000), exact(linear, x), atol=0.05)


def test_the_bound_is_the_exact_expectation(linear: Autoencoder) -> None:
    """E[(x - W z - b)²] and KL of a linear network, written out."""
    x = images()
    weight, bias = decoder_of(linear)
    mean, log_variance = linear.features(x).detach().chunk(2, 1)
    error = (x.flatten(1) - mean @ weight.T - bias).square().sum(1) + log_variance.exp() @ weight.square().sum(0)
    reconstruction = -error / (2 * SIGMA**2) - 6 / 2 * math.log(2 * math.pi * SIGMA**2)
    kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
    found = elbo(linear, x, f"gaussian:{SIGMA}", seed=0, samples=40000)
    assert torch.allclose(found, reconstruction - kl, rtol=0.02)


def test_more_draws_raise_the_estimate_from_the_bound_to_the_likelihood(linear: Autoencoder) -> None:
    x = images(1)
    many = x.expand(3000, -1, -1, -1)  # 3,000 estimates of one image
    bound = float(elbo(linear, x, f"gaussian:{SIGMA}", seed=0, samples=20000))
    means = [float(log_likelihood(linear, many, f"gaussian:{SIGMA}", samples=k, seed=k).mean()) for k in (1, 3, 10, 50)]
    assert means[0] == pytest.approx(bound, abs=0.1 * abs(bound))
    assert means == sorted(means)
    assert means[-1] <= float(exact(linear, x)) + 0.02
    assert bound < means[1]


def test_the_bound_is_at_most_the_estimate() -> None:
    torch.manual_seed(0)
    network = build(architecture_of("vae:35-20-2", 1, (7, 5)))
    x = torch.rand(20, 1, 7, 5).round()
    bound = elbo(network, x, "bernoulli", seed=0, samples=300)
    assert (bound <= log_likelihood(network, x, "bernoulli", samples=300, seed=0) + 1e-9).all()


def test_the_bound_is_the_training_loss_negated() -> None:
    """One draw with its noise; β and warm-up are of the training only."""
    torch.manual_seed(0)
    network: Any = build(architecture_of("vae:35-20-2,beta=9", 1, (7, 5)))
    x = torch.rand(1, 1, 7, 5).round()
    noise = torch.randn(1, 1, 2, generator=likelihood.generator(4, "likelihood", index=0))[0]
    output = network.train()(x, noise=noise)
    loss = likelihood.find_loss("bernoulli").function(output.image, x) + output.terms["kl"] / 9
    assert float(elbo(network, x, "bernoulli", seed=4)) == pytest.approx(-float(loss.detach()), rel=1e-5)


@pytest.mark.parametrize("at_once", [1, 40, 35 * 7, 2**20])
def test_parts_make_no_difference(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    torch.manual_seed(0)
    network = build(architecture_of("infovae:c2-2", 1, (7, 5)))
    x = torch.rand(4, 1, 7, 5)
    whole = log_likelihood(network, x, "gaussian:0.2", samples=6, seed=0), elbo(network, x, "gaussian:0.2", 0, 6)
    monkeypatch.setattr(likelihood, "NUMBERS_AT_ONCE", at_once)
    parts = log_likelihood(network, x, "gaussian:0.2", samples=6, seed=0), elbo(network, x, "gaussian:0.2", 0, 6)
    assert all(torch.allclose(a, b, rtol=1e-5) for a, b in zip(whole, parts, strict=True))
    assert not torch.equal(whole[0], log_likelihood(network, x, "gaussian:0.2", samples=6, seed=1))


def test_unlikely_images_give_finite_numbers() -> None:
    torch.manual_seed(0)
    network = build(architecture_of("vae:784-20-2", 1))
    x = torch.ones(2, 1, 28, 28)
    assert (log_likelihood(network, x, "gaussian:0.001", samples=5, seed=0) < -1e7).all()
    assert torch.isfinite(log_likelihood(network, x, "gaussian:0.001", samples=5, seed=0)).all()


def test_a_code_in_space() -> None:
    torch.manual_seed(0)
    network = build(architecture_of("vae:c2-c2", 1, (8, 8)))
    x = torch.rand(3, 1, 8, 8)
    assert (elbo(network, x, "bernoulli", 0, 200) <= log_likelihood(network, x, "bernoulli", 200, 0)).all()


@pytest.mark.parametrize(
    ("name", "loss", "samples", "shape", "message"),
    [
        ("mlp:35-20-2", "bernoulli", 1, (1, 1, 7, 5), "needed a variational autoencoder"),
        ("conv-8-16-8", "bernoulli", 1, (1, 1, 8, 8), "needed a variational autoencoder"),
        ("vae:35-20-2", "mse", 1, (1, 1, 7, 5), "'mse' is not a likelihood"),
        ("vae:35-20-2", "gaussian:x", 1, (1, 1, 7, 5), "a number above 0"),
        ("vae:35-20-2", "bernoulli", 0, (1, 1, 7, 5), "samples: got 0"),
        ("vae:35-20-2", "bernoulli", 1, (1, 1, 5, 7), "takes 5×7"),
        ("vae:35-20-2", "bernoulli", 1, (0, 1, 7, 5), "one image or more"),
        ("vae:35-20-2", "bernoulli", 1, (1, 7, 5), "one image or more"),
    ],
)
def test_what_has_no_likelihood(name: str, loss: str, samples: int, shape: tuple[int, ...], message: str) -> None:
    network = build(architecture_of(name, 1, (7, 5)))
    with pytest.raises(CuelloError, match=message):
        elbo(network, torch.zeros(shape), loss, 0, samples)
