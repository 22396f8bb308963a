"""The domain of even noise: the transform of ``noise.stabilise`` in torch, and a network within it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.stabilised import Domain, Stabilised
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.stabilise import restore, stabilise


@given(gain=st.one_of(st.just(0.0), st.floats(1e-4, 0.5)), share=st.floats(-0.5, 2.0))
def test_the_transform_is_the_one_of_arrays(gain: float, share: float) -> None:
    """Counted from black, where there is noise at black."""
    model = NoiseModel(gain, gain * share if gain else abs(share) + 1e-4)
    domain = Domain((model,))
    black = float(stabilise(np.array(0.0), model)) if Domain.dark(model) >= 0 else 0.0
    values = np.linspace(-0.2, 1.2, 30)
    seen = domain.into(torch.from_numpy(values)[None, None, None])
    np.testing.assert_allclose(seen[0, 0, 0].numpy() * domain.scale + black, stabilise(values, model), atol=1e-8)
    back = domain.back(seen)[0, 0, 0].numpy()
    np.testing.assert_allclose(back, restore(stabilise(values, model), model), rtol=1e-6, atol=1e-8)


def test_noise_is_even_and_expected_values_come_back() -> None:
    model, random = NoiseModel(0.01, 0.0004), np.random.default_rng(0)
    domain = Domain((model,))
    for value in (0.1, 0.5, 0.9):
        counts = random.poisson(value / model.gain, 200_000) * model.gain
        noisy = torch.from_numpy(counts + random.normal(0, model.read, counts.shape))[None, None, None]
        seen = domain.into(noisy)
        assert seen.std().item() == pytest.approx(domain.level, rel=0.03)
        assert domain.back(seen.mean().view(1, 1, 1, 1)).item() == pytest.approx(value, rel=0.005)


def test_channels_have_one_level() -> None:
    domain = Domain((NoiseModel(0, 0.01), NoiseModel(0, 0.0001)))
    noise = torch.randn(1, 2, 100, 100, generator=torch.Generator().manual_seed(0))
    noise *= torch.tensor([0.1, 0.01]).view(1, 2, 1, 1)
    assert domain.into(noise)[0].flatten(1).std(1).tolist() == pytest.approx([domain.level] * 2, rel=0.03)
    with pytest.raises(CuelloError, match="got images of 3 channels, needed 2"):
        domain.into(torch.zeros(1, 3, 4, 4))


class Told(ImageNetwork):
    """Adds what it was told."""

    channels, conditioning = 1, "level"

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> Output:
        assert condition is not None
        return Output(x + condition)


def test_a_network_is_told_the_level_and_sees_the_domain() -> None:
    domain = Domain((NoiseModel(0, 0.01),))
    network = Stabilised(Told(), domain)
    assert network.conditioning is None
    assert domain.level == pytest.approx(0.1)
    assert network(torch.full((1, 1, 1, 1), 0.5)).image.item() == pytest.approx(0.6)
