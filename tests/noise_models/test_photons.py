import numpy as np
import pytest

from cuello.noise_models.estimate import estimate_noise
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.photons import of_photons


def counted(gain: float, read: float, offset: float = 0, side: int = 160) -> np.ndarray:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    scene = 120 + 60 * np.sin(9 * x) + 50 * np.cos(7 * y * (1 + x))
    return gain * random.poisson(scene / gain) + offset + random.normal(0, read, scene.shape)


@pytest.mark.parametrize(("gain", "read"), [(5, 1), (15, 2), (30, 2), (30, 5)])
@pytest.mark.parametrize("unit", [1, 1 / 255, 16])
def test_reading_far_below_the_noise_of_photons_is_found(gain: float, read: float, unit: float) -> None:
    """The line cannot tell it: at the darkest place photons have many times the variance."""
    model = estimate_noise([counted(gain, read) * unit]).model
    assert abs(model.gain / (gain * unit) - 1) < 0.02
    assert abs(model.read / (read * unit) - 1) < 0.1


def test_what_no_light_gives_is_found_too() -> None:
    model = estimate_noise([counted(15, 2, offset=100)]).model
    np.testing.assert_allclose(model.variance(220), 15 * 120 + 4, rtol=0.06)
    assert abs(model.darkest - 100) < 6


def test_values_that_do_not_crowd_have_the_line_s_model() -> None:
    line, at = NoiseModel(2, 16), np.array([30.0, 100.0, 200.0])
    assert of_photons([counted(2, 4)], line, at) is None
    assert of_photons([np.random.default_rng(0).normal(100, 9, (90, 90))], line, at) is None
    assert of_photons([np.full((9, 9), 3.0)], line, at) is None


def test_a_comb_of_another_noise_is_not_taken() -> None:
    """The values crowd at multiples of 30, but no offset makes their noise that of the line."""
    assert of_photons([counted(30, 2)], NoiseModel(30, 454), np.array([5.0, 10.0])) is None
    assert of_photons([counted(30, 2)], NoiseModel(30, 4), np.array([5.0, 10.0])) is not None
