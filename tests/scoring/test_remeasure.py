"""The noise measured again by what a result takes away: nearer to the truth than a first estimate that is off."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from cuello.noise_models.model import NoiseModel
from cuello.scoring.blind import coloured, judge, noise_again
from cuello.scoring.remeasure import correlation_of, smooth_spectrum

NEIGHBOURS = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])


def scene(side: int = 256) -> np.ndarray:
    """Waves between 40 and 200, with an edge."""
    y, x = np.mgrid[:side, :side] / 40
    return 110 + 30 * np.sin(x + 0.5 * y) + 30 * np.cos(1.3 * y) + 20 * (x > 3)


def blur(values: np.ndarray) -> np.ndarray:
    return gaussian_filter(values, 2)


@pytest.mark.parametrize("off", [0.82, 1.0, 1.2])
@pytest.mark.parametrize("true", [NoiseModel(0, 225), NoiseModel(3, 25)])
def test_variance_is_found_whatever_the_first_estimate(true: NoiseModel, off: float) -> None:
    random, clean = np.random.default_rng(1), scene()
    noisy = (true.gain * random.poisson(clean / true.gain) if true.gain else clean) + random.normal(
        0, true.read, clean.shape
    )
    found = noise_again(noisy, blur, NoiseModel(true.gain * off, true.base * off))
    assert found.again
    assert found.correlation is None
    assert found.model.variance(clean).mean() == pytest.approx(true.variance(clean).mean(), rel=0.03)


def test_a_score_by_the_second_measurement_is_nearer() -> None:
    clean = scene()
    noisy = clean + np.random.default_rng(2).normal(0, 15, clean.shape)
    truth = float(np.mean((blur(noisy) - clean) ** 2))
    (first,) = judge([noisy], {"blur": blur}, NoiseModel(0, 1.1 * 225), peak=255)
    (second,) = judge([noisy], {"blur": blur}, NoiseModel(0, 1.1 * 225), peak=255, by="blur")
    assert abs(second.mse - truth) < 0.03 * 225 < abs(first.mse - truth)
    assert abs(second.mse - truth) < 2 * second.mse_error < 2 * first.mse_error


def test_the_errors_of_a_probe_are_those_of_noise_drawn_again() -> None:
    """The result of the method that measures is not restored again: within chance, its score is the same."""
    clean = scene()
    noisy = clean + np.random.default_rng(3).normal(0, 15, clean.shape)
    found = noise_again(noisy, blur, NoiseModel(0, 1.2 * 225))
    (once,) = judge([noisy], {"blur": blur}, NoiseModel(0, 1.2 * 225), peak=255, by="blur")
    (anew,) = judge([noisy], {"blur": blur}, found.model, peak=255)
    assert once.mse == pytest.approx(anew.mse, rel=0.01)


def test_correlation_that_neighbours_share_is_found_again() -> None:
    clean = scene()
    noisy = clean + 15 * coloured(clean.shape, NEIGHBOURS, seed=4)
    first = np.zeros((9, 9))
    first[3:6, 3:6] = np.outer([0.4, 1, 0.4], [0.4, 1, 0.4])
    found = noise_again(noisy, lambda y: gaussian_filter(y, 4), NoiseModel(0, 1.15 * 225), correlation=first)
    assert found.again
    assert found.correlation is not None
    np.testing.assert_allclose(found.correlation[3:6, 3:6], NEIGHBOURS, atol=0.05)
    assert found.model.variance(100) == pytest.approx(225, rel=0.08)


def test_shared_noise_that_seems_stronger_is_not_believed() -> None:
    """Texture can only add to what is measured: the first estimate is kept unless the second is clearly less."""
    clean, noise = scene(), NoiseModel(0, 0.97 * 225)
    noisy = clean + 15 * coloured(clean.shape, NEIGHBOURS, seed=4)
    found = noise_again(noisy, lambda y: gaussian_filter(y, 4), noise, correlation=np.pad(NEIGHBOURS, 3))
    assert not found.again
    assert found.model == noise


@pytest.mark.parametrize("case", ["small", "far off", "nothing is taken away", "reaches far"])
def test_the_first_estimate_is_kept_where_the_second_cannot_be_believed(case: str) -> None:
    clean = scene(40 if case == "small" else 256)
    noisy = clean + np.random.default_rng(5).normal(0, 15, clean.shape)
    noise = NoiseModel(0, 2 * 225 if case == "far off" else 225)
    far = np.pad(np.ones((7, 7)), 1) if case == "reaches far" else None
    wide = None if far is None else np.where(np.indices((9, 9)).sum(0) == 0, 0.5, far)
    method = (lambda y: y) if case == "nothing is taken away" else (lambda y: uniform_filter(y, 5))
    found = noise_again(noisy, method, noise, correlation=wide)
    assert not found.again
    assert found.model == noise


def test_values_that_are_cut_off_do_not_count() -> None:
    clean = scene()
    noisy = (clean + np.random.default_rng(6).normal(0, 15, clean.shape)).clip(90, None)
    found = noise_again(noisy, blur, NoiseModel(0, 1.1 * 225))
    assert found.model.variance(150) == pytest.approx(225, rel=0.06)


def test_low_frequencies_follow_from_the_others() -> None:
    rates = 2 * np.pi * np.fft.fftfreq(16)
    true = np.outer(1 + 0.6 * np.cos(rates), 1 + 0.6 * np.cos(rates))
    seen = true.copy()
    seen[np.hypot(*np.meshgrid(rates, rates)) < 2 * np.pi * 3 / 16] = 99  # texture
    found = smooth_spectrum(seen, 2)
    assert found is not None
    np.testing.assert_allclose(found, true, atol=1e-9)
    np.testing.assert_allclose(correlation_of(found)[3:6, 3:6], NEIGHBOURS, atol=1e-9)
