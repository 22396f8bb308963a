"""What was taken away: noise passes, at the stated rate of false alarms; each kind of structure is noticed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from cuello.core.errors import CuelloError
from cuello.noise_models.model import NoiseModel
from cuello.scoring.blind import coloured
from cuello.scoring.residual import check_residual

ALONG = np.array([[0.0, 0, 0], [0.4, 1, 0.4], [0, 0, 0]])


def scene(side: int = 192) -> np.ndarray:
    """Waves, and squares with sharp edges."""
    y, x = np.mgrid[:side, :side]
    squares = 60.0 * ((x // 12 + y // 12) % 2) * (x > side // 2)
    return 80 + 30 * np.sin(x / 16) + 20 * np.cos(y / 12) + squares


def failed(*given: object, **more: object) -> set[str]:
    return {check.name for check in check_residual(*given, **more).checks if not check.passed}  # type: ignore[arg-type]


@pytest.mark.parametrize(("gain", "read"), [(0, 15), (3, 4), (20, 2)])
def test_noise_is_hardly_ever_complained_of(gain: float, read: float) -> None:
    random, clean = np.random.default_rng(1), scene()
    alarms = 0
    for _ in range(40):
        noisy = (gain * random.poisson(clean / gain) if gain else clean) + random.normal(0, read, clean.shape)
        alarms += not check_residual(noisy, clean, NoiseModel(gain, read**2)).is_noise
    assert alarms <= 2  # at 1%: more in fewer than one of a hundred such tests


@pytest.mark.parametrize("spots", [0.0, 300.0])
@pytest.mark.parametrize("correlation", [None, ALONG])
def test_flat_places_are_not_divided_by_the_noise_that_is_left_in_them(
    spots: float, correlation: np.ndarray | None
) -> None:
    y, x = np.mgrid[:256, :256]
    around = [np.exp(-((y - at) ** 2 + (x - at) ** 2) / 800) for at in (60, 190)]
    clean = 1000 + spots * np.sum(around, axis=0)
    for seed in range(5):
        noise = 20 * coloured(clean.shape, correlation, seed=seed)
        result = clean + gaussian_filter(noise, 8)  # slow noise is left, as a good restoration leaves it
        failures = failed(clean + noise, result, NoiseModel(0, 400), correlation=correlation)
        assert "brightness" not in failures
        assert "brightness" in failed(clean + noise, result + 4, NoiseModel(0, 400), correlation=correlation)


def test_a_blur_takes_structure_along_edges() -> None:
    noisy = scene() + np.random.default_rng(0).normal(0, 15, (192, 192))
    found = check_residual(noisy, gaussian_filter(noisy, 4), NoiseModel(0, 225))
    assert not found.is_noise
    assert {"edges", "variance", "neighbours"} <= {check.name for check in found.checks if not check.passed}
    assert "along edges" in found.sentence


def test_brightness_that_is_lost_is_noticed_and_nothing_else() -> None:
    clean = scene()
    noisy = clean + np.random.default_rng(0).normal(0, 15, clean.shape)
    assert failed(noisy, clean - 2.5, NoiseModel(0, 225)) == {"brightness"}


def test_more_variance_than_the_model_has_at_some_brightness_is_noticed() -> None:
    clean = scene()
    noisy = clean + np.random.default_rng(0).normal(size=clean.shape) * np.where(clean > 140, 20, 15)
    assert "variance" in failed(noisy, clean, NoiseModel(0, 225))
    assert "variance" not in failed(noisy, clean, NoiseModel(0, 400))


def test_neighbours_are_compared_with_what_noise_is_like() -> None:
    clean = scene()
    noisy = clean + 15 * coloured(clean.shape, ALONG, seed=3)
    assert failed(noisy, clean, NoiseModel(0, 225), correlation=ALONG) == set()
    assert failed(noisy, clean, NoiseModel(0, 225)) == {"neighbours"}


def test_what_is_left_is_said() -> None:
    clean = scene()
    noisy = clean + np.random.default_rng(0).normal(0, 15, clean.shape)
    found = check_residual(noisy, clean + (noisy - clean) / 2, NoiseModel(0, 225))  # half of it: a quarter of variance
    assert found.taken == pytest.approx(0.25, rel=0.03)
    assert found.sentence == "What was taken away looks like noise, but 75% of the noise's variance is left."


def test_values_that_are_cut_off_or_missing_do_not_count() -> None:
    clean = scene()
    noisy = np.minimum(clean + np.random.default_rng(0).normal(0, 15, clean.shape), 150)
    noisy[:5] = np.nan
    value = check_residual(noisy, clean, NoiseModel(0, 225)).taken
    kept = np.isfinite(noisy) & (noisy < 150)
    assert value == pytest.approx(np.mean((noisy - clean)[kept] ** 2) / 225)


def test_channels_have_their_own_noise() -> None:
    clean = np.stack([scene()] * 2, axis=-1)
    noisy = clean + np.random.default_rng(0).normal(size=clean.shape) * [5, 20]
    assert check_residual(noisy, clean, [NoiseModel(0, 25), NoiseModel(0, 400)]).is_noise
    assert not check_residual(noisy, clean, NoiseModel(0, 150)).is_noise


def test_small_images_say_nothing_and_wrong_shapes_are_refused() -> None:
    small = np.zeros((20, 20))
    assert "too small" in check_residual(small, small, NoiseModel(0, 1)).sentence
    with pytest.raises(CuelloError, match="needed the same shape"):
        check_residual(small, uniform_filter(small, 3)[1:], NoiseModel(0, 1))
