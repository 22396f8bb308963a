"""Plain, sparse and contractive bottlenecks, by hand and against torch's own Jacobian."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from cuello.models.autoencoder.deterministic import EXACT, Plain, PlainConfig, Sparse, SparseConfig
from cuello.models.autoencoder.network import Autoencoder, AutoencoderConfig


def contractive(code: int, **layers: object) -> Autoencoder:
    torch.manual_seed(0)
    settings = {"height": 4, "width": 3, "code": code, "layers": layers or {"kind": "dense", "hidden": [6]}}
    network = Autoencoder(
        AutoencoderConfig.model_validate({**settings, "bottleneck": {"kind": "contractive", "weight": 0.5}})
    )
    return network.double()


def norms(network: Autoencoder, x: Tensor) -> Tensor:
    """The squared norm of each image's Jacobian, as torch works it out."""
    found = []
    for image in x:
        jacobian = torch.autograd.functional.jacobian(lambda one: network.encode(one[None]), image)
        found.append(jacobian.square().sum())  # type: ignore[union-attr]
    return torch.stack(found)


def test_a_plain_code_is_activated() -> None:
    features = torch.tensor([[-1.0, 2.0]])
    assert torch.equal(Plain(PlainConfig()).code(features), features)
    assert torch.equal(Plain(PlainConfig(activation="relu"))(features).latent, torch.tensor([[0.0, 2.0]]))


def test_sparsity_by_hand() -> None:
    """Means of 1/2 and 1/4 where 1/4 is wanted: log(1/2) / 4 + log(3/2) · 3/4, and nothing."""
    wanted = torch.tensor([[0.25, 0.25], [0.75, 0.25]])
    features = torch.logit(wanted)
    terms = Sparse(SparseConfig(target=0.25, weight=2))(features).terms
    assert float(terms["sparsity"]) == pytest.approx(2 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5)), abs=1e-6)


def test_sparsity_of_the_target_is_least() -> None:
    def penalty(mean: float) -> float:
        return float(Sparse(SparseConfig(target=0.2))(torch.logit(torch.full((3, 2), mean))).terms["sparsity"])

    assert penalty(0.2) == pytest.approx(0, abs=1e-7)
    assert penalty(0.1) > penalty(0.15) > 0 < penalty(0.3) < penalty(0.5)


def test_absolute_values_by_hand() -> None:
    bottleneck = Sparse(SparseConfig(penalty="l1", activation="linear", weight=0.5))
    assert bottleneck(torch.tensor([[1.0, -2.0], [0.0, 0.5]])).terms["sparsity"].tolist() == [1.5, 0.25]


def test_numbers_beyond_shares_have_no_divergence() -> None:
    with pytest.raises(ValidationError, match="penalty=l1"):
        SparseConfig(activation="relu")
    assert torch.isfinite(Sparse(SparseConfig())(torch.full((3, 2), -200.0)).terms["sparsity"])


@pytest.mark.parametrize("layers", [{}, {"kind": "conv", "filters": [2], "activation": "elu"}])
def test_contraction_against_torchs_jacobian(layers: dict[str, object]) -> None:
    network = contractive(EXACT, **layers)
    x = torch.rand(3, 1, 4, 3, dtype=torch.float64)
    terms = network.train()(x).terms
    assert torch.allclose(terms["contraction"], 0.5 * norms(network, x))


def test_contraction_of_a_code_in_space() -> None:
    network = contractive(2, kind="conv", filters=[], space=True)
    x = torch.rand(2, 1, 4, 3, dtype=torch.float64)
    assert network.encode(x).shape == (2, 2, 2, 2)
    assert torch.allclose(network.train()(x).terms["contraction"], 0.5 * norms(network, x))


def test_contraction_has_the_gradient_of_the_norm() -> None:
    network = contractive(2)
    x = torch.rand(3, 1, 4, 3, dtype=torch.float64)
    network.train()(x).terms["contraction"].sum().backward()
    weight = network.encoder.layers[0].weight  # type: ignore[index,union-attr]
    step = 1e-6
    with torch.no_grad():
        weight[1, 2] += step
    above = float(0.5 * norms(network, x).sum())
    with torch.no_grad():
        weight[1, 2] -= 2 * step
    below = float(0.5 * norms(network, x).sum())
    assert float(weight.grad[1, 2]) == pytest.approx((above - below) / (2 * step), rel=1e-5)  # type: ignore[index]


def test_the_estimate_is_right_on_average() -> None:
    network = contractive(EXACT + 4)
    x = torch.rand(2, 1, 4, 3, dtype=torch.float64)
    torch.manual_seed(1)
    found = network.train()(x.repeat_interleave(1000, 0)).terms["contraction"].detach().view(2, 1000)
    error = found.std(1) / math.sqrt(1000)
    assert ((found.mean(1) - 0.5 * norms(network, x)).abs() < 4 * error).all()
    assert (error > 0).all()


def test_noise_is_of_ones() -> None:
    network = contractive(20)
    noise = network.bottleneck.noise(torch.zeros(50, 20))
    assert noise is not None
    assert noise.unique().tolist() == [-1, 1]
    assert abs(float(noise.mean())) < 0.1


def test_evaluation_leaves_the_contraction_out() -> None:
    network = contractive(2).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 1, 4, 3, dtype=torch.float64)).terms == {}
