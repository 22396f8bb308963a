import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.stabilise import restore, stabilise


def test_the_variance_is_a_line_and_never_below_0() -> None:
    model = NoiseModel(gain=2, base=-10)
    assert model.variance(np.array([0, 5, 6, 10])).tolist() == [0, 0, 2, 10]
    assert (model.darkest, model.read, model.deviation(13).item()) == (5, 0, 4)
    assert NoiseModel(gain=0, base=9).darkest == -np.inf


@pytest.mark.parametrize(("gain", "base"), [(-1, 0), (0, -1), (np.nan, 1), (1, np.inf)])
def test_what_is_no_noise_is_refused(gain: float, base: float) -> None:
    with pytest.raises(CuelloError, match="needed"):
        NoiseModel(gain, base)


@given(gain=st.sampled_from([0.0, 0.2, 1.0, 5.0]), read=st.floats(0.5, 20), offset=st.floats(-50, 300))
def test_stabilised_values_increase_and_come_back_on_average(gain: float, read: float, offset: float) -> None:
    """The inverse is exact for many photons: within a tenth of a standard deviation from four of them on."""
    model = NoiseModel(gain, read**2 - gain * offset)
    photons = np.array([4.0, 10, 50, 200])
    values = offset + (gain or 1) * photons
    random = np.random.default_rng(0)
    noise = random.normal(0, read, (20_000, 4))
    noisy = (offset + gain * random.poisson(photons, noise.shape) if gain else values) + noise
    even = stabilise(noisy, model)
    assert (np.diff(stabilise(np.sort(noisy[:, 0]), model)) >= 0).all()
    assert np.abs(restore(even.mean(0), model) - values).max() < 0.1 * model.deviation(values).max()
    np.testing.assert_allclose(even[:, 1:].std(0), 1, atol=0.1)


def test_without_gain_the_way_back_is_exact() -> None:
    model, values = NoiseModel(0, 25), np.array([-3.0, 0, 8])
    np.testing.assert_allclose(restore(stabilise(values, model), model), values)
