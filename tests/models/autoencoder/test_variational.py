"""Variational, Wasserstein and InfoVAE bottlenecks: by hand, against torch.distributions and a plain double loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, distributions

from cuello.models.autoencoder.base import share
from cuello.models.autoencoder.variational import (
    Info,
    InfoConfig,
    Variational,
    VariationalConfig,
    Wasserstein,
    WassersteinConfig,
    mmd,
    normal_kl,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def term(config: VariationalConfig, features: Tensor, epochs: float | None) -> Tensor:
    return Variational(config)(features, epochs=epochs).terms["kl"]


def test_kl_by_hand() -> None:
    """μ = 2, σ² = 1 gives 2² / 2; μ = 0, σ² = e gives (e - 1 - 1) / 2; both add up."""
    features = torch.tensor([[2.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]])
    by_hand = torch.tensor([2 + (math.e - 2) / 2, 2.0])
    assert torch.allclose(Variational(VariationalConfig())(features).terms["kl"], by_hand)


@pytest.mark.parametrize("shape", [(5, 6), (5, 4, 3, 2)])
def test_kl_against_torch(shape: tuple[int, ...]) -> None:
    mean, log_variance = random(*shape).chunk(2, 1)
    posterior = distributions.Normal(mean, (log_variance / 2).exp())
    reference = distributions.kl_divergence(posterior, distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
    assert torch.allclose(normal_kl(mean, log_variance), reference, atol=1e-6)
    assert torch.allclose(term(VariationalConfig(beta=2.5), random(*shape), None), 2.5 * reference, atol=1e-5)


def test_samples_follow_the_posterior() -> None:
    features = torch.tensor([[1.0, -2.0, 0.0, math.log(9)]]).expand(20000, -1)
    noise = random(20000, 2)
    latent = Variational(VariationalConfig())(features, noise).latent
    assert torch.allclose(latent, torch.tensor([1.0, -2.0]) + torch.tensor([1.0, 3.0]) * noise, atol=1e-5)
    assert torch.allclose(latent.mean(0), torch.tensor([1.0, -2.0]), atol=0.06)
    assert torch.allclose(latent.std(0), torch.tensor([1.0, 3.0]), atol=0.06)


def test_without_noise_the_code_is_the_mean() -> None:
    features = random(3, 8)
    bottleneck = Variational(VariationalConfig())
    assert torch.equal(bottleneck(features).latent, features[:, :4])
    assert torch.equal(bottleneck.code(features), features[:, :4])


def test_extreme_features_stay_finite() -> None:
    features = torch.tensor([[0.0, 1e4], [0.0, -1e4]])
    assert torch.isfinite(Variational(VariationalConfig())(features, torch.ones(2, 1)).latent).all()
    assert torch.isfinite(term(VariationalConfig(), features, None)).all()


def test_warm_up_and_capacity_over_time() -> None:
    features = torch.tensor([[2.0, 0.0]])  # a KL of 2 nats
    warm = VariationalConfig(beta=3, warmup=4)
    assert [term(warm, features, epochs).item() for epochs in (0, 1, 4, 9)] == [0, 1.5, 6, 6]
    assert term(warm, features, None).item() == 6, "an evaluation has the full weight"
    grown = VariationalConfig(beta=3, capacity=8, growth=4)
    assert [term(grown, features, epochs).item() for epochs in (0, 1, 2, 4)] == [6, 0, 6, 18]
    assert term(grown, features, None).item() == 18
    assert share(2, 8) == 0.25


def naive_mmd(x: Tensor, y: Tensor) -> float:
    """The estimate written as the paper has it, one pair at a time."""
    count, numbers = x.shape

    def kernel(a: Tensor, b: Tensor) -> float:
        return 2 * numbers / (2 * numbers + float((a - b).square().sum()))

    total = 0.0
    for i in range(count):
        for j in range(count):
            if i != j:
                total += (kernel(x[i], x[j]) + kernel(y[i], y[j])) / (count * (count - 1))
            total -= 2 * kernel(x[i], y[j]) / count**2
    return total


@pytest.mark.parametrize("shape", [(2, 1), (7, 3), (12, 8)])
def test_mmd_against_a_double_loop(shape: tuple[int, int]) -> None:
    x, y = random(*shape, seed=1).double() * 2 + 1, random(*shape, seed=2).double()
    assert float(mmd(x, y)) == pytest.approx(naive_mmd(x, y), abs=1e-12)
    assert float(mmd(x.float(), y.float())) == pytest.approx(naive_mmd(x, y), abs=1e-5)


def test_mmd_has_no_bias_and_sees_a_difference() -> None:
    x, y = random(300, 16, 3, seed=1), random(300, 16, 3, seed=2)
    same, moved = torch.vmap(mmd)(x, y), torch.vmap(mmd)(x + 1, y)
    assert abs(float(same.mean())) < 4 * float(same.std()) / math.sqrt(300)
    assert float(moved.mean()) > float(same.mean() + 3 * same.std())


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 99))
def test_mmd_does_not_depend_on_order_or_turning(count: int, numbers: int, seed: int) -> None:
    x, y = random(count, numbers, seed=seed).double(), random(count, numbers, seed=seed + 100).double()
    turn = torch.linalg.qr(random(numbers, numbers, seed=seed + 200).double())[0]
    assert float(mmd(x.flip(0) @ turn, y @ turn)) == pytest.approx(float(mmd(x, y)), abs=1e-12)
    assert float(mmd(y, x)) == pytest.approx(float(mmd(x, y)), abs=1e-12)


def test_mmd_of_one_image_is_nothing() -> None:
    assert float(mmd(torch.ones(1, 2), torch.zeros(1, 2))) == 0


def test_equal_codes_have_a_gradient() -> None:
    codes = torch.zeros(4, 2, requires_grad=True)
    mmd(codes, random(4, 2)).backward()
    assert codes.grad is not None
    assert torch.isfinite(codes.grad).all()


def test_wasserstein_weighs_the_discrepancy() -> None:
    features, noise = random(9, 4, seed=1), random(9, 4, seed=2)
    code = Wasserstein(WassersteinConfig(weight=3))(features, noise)
    assert torch.equal(code.latent, features)
    assert torch.allclose(code.terms["mmd"], 3 * mmd(features, noise))


def test_info_is_a_variational_one_and_a_discrepancy() -> None:
    features, noise = random(9, 8, seed=1), random(9, 8, seed=2)
    code = Info(InfoConfig(alpha=0.25, weight=10))(features, noise)
    plain = Variational(VariationalConfig())(features, noise[:, :4])
    assert torch.equal(code.latent, plain.latent)
    assert torch.allclose(code.terms["kl"], 0.75 * plain.terms["kl"])
    assert torch.allclose(code.terms["mmd"], (0.25 + 10 - 1) * mmd(plain.latent, noise[:, 4:]))


def test_info_without_either_extra_is_a_variational_one() -> None:
    features, noise = random(9, 8, seed=1), random(9, 8, seed=2)
    terms = Info(InfoConfig(alpha=0, weight=1))(features, noise).terms
    assert torch.equal(terms["kl"], term(VariationalConfig(), features, None))
    assert float(terms["mmd"]) == 0


def test_a_reward_for_unlikely_codes_is_an_error() -> None:
    with pytest.raises(ValidationError, match="rewards codes unlike"):
        InfoConfig(alpha=0.5, weight=0.25)


def test_draws_are_normal() -> None:
    codes = Variational(VariationalConfig()).draw(5000, torch.Generator().manual_seed(0), (2, 3))
    assert codes.shape == (5000, 2, 3)
    assert abs(float(codes.mean())) < 0.03
    assert abs(float(codes.std()) - 1) < 0.03
