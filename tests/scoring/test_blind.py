"""Scores without a clean image: against images whose clean one is known, and values worked by hand."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from cuello.core.errors import CuelloError
from cuello.noise_models.model import NoiseModel
from cuello.scoring.blind import (
    are_captures,
    blind_score,
    coloured,
    copy_errors,
    errors_of,
    judge,
    judge_copies,
    probed,
    single_errors,
    spectrum,
)
from cuello.scoring.classical import STRENGTHS, classical

NEIGHBOURS = np.array([[0.0, 0, 0], [0.3, 1, 0.3], [0, 0, 0]])


def scene(side: int = 128) -> np.ndarray:
    """Waves between 40 and 200."""
    y, x = np.mgrid[:side, :side] / 16
    return 120 + 40 * np.sin(x + 0.5 * y) + 40 * np.cos(1.3 * y)


def test_standard_error_of_blocks_by_hand() -> None:
    errors = np.repeat(np.repeat(np.array([[1.0, 3.0]]), 32, 0), 32, 1)  # two blocks of 1 and 3
    score = blind_score("x", [errors], peak=20, bias="")
    assert (score.mse, score.mse_error) == (2, 1)  # the standard error of 1 and 3: √2 / √2
    assert score.psnr == pytest.approx(10 * math.log10(400 / 2))
    assert score.error == pytest.approx(20 / math.log(10) / 2), "twice the standard error"


def test_of_an_error_below_zero_only_the_standard_error_is_promised() -> None:
    errors = np.repeat(np.repeat(np.array([[1.0, -3.0]]), 32, 0), 32, 1)
    score = blind_score("x", [errors], peak=20, bias="")
    assert (score.mse, score.mse_error) == (-1, 2)
    assert score.psnr == pytest.approx(10 * math.log10(400 / 2))


def test_an_image_of_one_block_has_a_standard_error() -> None:
    errors = np.repeat(np.repeat(np.array([[1.0, 3.0] * 2] * 4), 5, 0), 5, 1)  # 20 pixels a side: 16 squares of 5
    score = blind_score("x", [errors], peak=20, bias="")
    assert score.mse == 2
    assert score.mse_error == pytest.approx((16 / 15) ** 0.5 / 4)
    assert str(score) == f"x: {score.psnr:.2f} ± {score.error:.2f} dB"
    assert math.isfinite(score.error)


def test_pixels_without_a_number_are_left_out() -> None:
    errors = np.full((40, 40), 2.0)
    errors[:3] = np.nan
    assert blind_score("x", [errors], peak=255, bias="").mse == 2


@given(st.floats(0, 3), st.integers(0, 9))
def test_a_copy_gives_the_true_error_whatever_the_noise(strength: float, seed: int) -> None:
    random, clean = np.random.default_rng(seed), scene()
    one, other = (clean + 12 * coloured(clean.shape, NEIGHBOURS, seed=int(random.integers(99999))) for _ in range(2))
    result = gaussian_filter(one, strength) if strength > 0.3 else one
    (score,) = judge_copies([one, other], {"blur": [result, clean]}, peak=255)
    assert abs(score.mse - np.mean((result - clean) ** 2) / 2) < 4 * score.mse_error + 1


@pytest.mark.parametrize(("gain", "read"), [(0, 15), (2, 5), (12, 3)])
@pytest.mark.parametrize("strength", [0.7, 1.5, 6])
def test_a_single_image_gives_nearly_the_true_error(gain: float, read: float, strength: float) -> None:
    random, clean = np.random.default_rng(3), scene(192)
    noisy = (gain * random.poisson(clean / gain) if gain else clean) + random.normal(0, read, clean.shape)
    (score,) = judge([noisy], {"blur": lambda y: gaussian_filter(y, strength)}, NoiseModel(gain, read**2), peak=255)
    truth = float(np.mean((gaussian_filter(noisy, strength) - clean) ** 2))
    assert abs(score.mse - truth) < 0.02 * np.mean((noisy - clean) ** 2)
    assert abs(score.mse - truth) < 4 * score.mse_error


def stops(values: np.ndarray) -> np.ndarray:
    """Blur whole numbers a little, and all other values more, as an iteration does that stops on its own."""
    return gaussian_filter(values, 0.8 if (values == values.round()).all() else 2.5)


def of_two_ways(values: np.ndarray) -> np.ndarray:
    """Blur less where the corner's value is that of the image below."""
    return gaussian_filter(values, 2.5 if values[0, 0] == CORNER else 0.8)


CORNER = 77.25


@pytest.mark.parametrize("method", [stops, of_two_ways])
@pytest.mark.parametrize("noise", [NoiseModel(0, 225), NoiseModel(4, 9)])
def test_a_method_that_jumps_is_judged_by_what_it_did_to_the_image_itself(
    method: Callable[[np.ndarray], np.ndarray], noise: NoiseModel
) -> None:
    random, clean = np.random.default_rng(4), np.kron(random_patches(), np.ones((16, 16)))
    noisy = noise.gain * random.poisson(clean / noise.gain) if noise.gain else clean
    noisy = (noisy + random.normal(0, noise.read, clean.shape)).round()
    noisy[0, 0] = CORNER if method is of_two_ways else noisy[0, 0]
    truth = float(np.mean((method(noisy) - clean) ** 2))
    probe = probed(noisy, method, noise)
    assert probe.jump is not None
    (score,) = judge([noisy], {"": method}, noise, peak=255)
    assert abs(score.mse - truth) < 2 * score.mse_error
    assert abs(errors_of(replace(probe, jump=None), noise).mean() - truth) > 0.25 * noise.variance(clean).mean()


def random_patches() -> np.ndarray:
    return np.random.default_rng(8).uniform(40, 200, (12, 12))


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("gaussian", 1.0),
        ("median-3", 3),
        ("median-5", 5),
        ("nlm", 0.9),
        ("wavelet", 1.0),
        *[("tv", weight) for weight in STRENGTHS["tv"]],
    ],
)
@pytest.mark.parametrize("noise", [NoiseModel(0, 225), NoiseModel(4, 9)])
def test_no_classical_method_jumps(name: str, strength: float, noise: NoiseModel) -> None:
    """Nor is one far off: on patches of one value each, in whole numbers, with noise of a known model."""
    random, clean = np.random.default_rng(9), np.kron(random_patches(), np.ones((16, 16)))
    noisy = noise.gain * random.poisson(clean / noise.gain) if noise.gain else clean
    noisy = (noisy + random.normal(0, noise.read, clean.shape)).round()
    method = classical(name, strength, noise, behind=True)
    assert probed(noisy, method, noise).jump is None
    (score,) = judge([noisy], {"": method}, noise, peak=255)
    assert abs(score.mse - np.mean((method(noisy) - clean) ** 2)) < 2 * score.mse_error


def test_correlated_noise_misleads_unless_it_is_told() -> None:
    clean = scene(192)
    noisy = clean + 15 * coloured(clean.shape, NEIGHBOURS, seed=5)
    methods = {"blur": lambda y: gaussian_filter(y, 1.0)}
    truth = float(np.mean((gaussian_filter(noisy, 1.0) - clean) ** 2))
    (told,) = judge([noisy], methods, NoiseModel(0, 225), peak=255, correlation=NEIGHBOURS)
    (untold,) = judge([noisy], methods, NoiseModel(0, 225), peak=255)
    assert told.mse == pytest.approx(truth, rel=0.1)
    assert untold.mse < truth / 2


def test_the_best_is_first_and_doing_nothing_leaves_the_noise() -> None:
    clean = scene(192)
    noisy = clean + np.random.default_rng(0).normal(0, 15, clean.shape)
    methods = {f"{s}": (lambda y, s=s: gaussian_filter(y, s)) for s in (0.5, 1.5, 9.0)} | {"none": lambda y: y}
    scores = judge([noisy], methods, NoiseModel(0, 225), peak=255)
    truth = {name: float(np.mean((method(noisy) - clean) ** 2)) for name, method in methods.items()}
    assert [score.name for score in scores] == sorted(truth, key=lambda name: truth[name])
    assert next(score for score in scores if score.name == "none").mse == pytest.approx(225)


def test_each_channel_has_its_own_noise() -> None:
    clean = np.stack([scene(96)] * 2, axis=-1)
    noisy = clean + np.random.default_rng(0).normal(size=clean.shape) * [5, 20]
    errors = single_errors(noisy, lambda y: y, [NoiseModel(0, 25), NoiseModel(0, 400)])
    assert errors.mean((0, 1)) == pytest.approx([25, 400], rel=0.05)
    with pytest.raises(CuelloError, match="3 noise models"):
        single_errors(noisy, lambda y: y, [NoiseModel(0, 25)] * 3)


def test_a_method_that_changes_the_shape_is_refused() -> None:
    with pytest.raises(CuelloError, match="needed the same shape"):
        single_errors(scene(32), lambda y: y[1:], NoiseModel(0, 1))


def test_copy_errors_by_hand() -> None:
    assert copy_errors(np.array([[10.0]]), np.array([[12.0]]), np.array([[8.0]])).item() == 4 - 8


def test_power_of_correlated_noise_by_hand() -> None:
    power = spectrum(NEIGHBOURS, (8, 8))
    assert power[0] == pytest.approx([1 + 0.6 * math.cos(math.pi * k / 4) for k in range(5)])
    with pytest.raises(CuelloError, match="odd sides"):
        spectrum(np.ones((2, 3)), (8, 8))


def test_light_that_drifts_counts_as_half_the_change_each() -> None:
    clean = scene(64)
    captures = [clean, clean + 2]  # without noise: the mean of both is 1 away from either
    (score,) = judge_copies(captures, {"none": captures}, peak=255)
    assert score.mse == 2  # (2² - 2²/2) of either


def test_one_capture_is_no_copy() -> None:
    with pytest.raises(CuelloError, match="got 1 captures"):
        judge_copies([scene(64)], {}, peak=255)


def test_captures_of_one_scene_are_told_from_others() -> None:
    random, clean = np.random.default_rng(0), scene(128)
    one, other, flat, dimmer = (x + random.normal(0, 20, clean.shape) for x in (clean, clean, 0 * clean, 0.9 * clean))
    noise = NoiseModel(0, 400)
    assert are_captures([one, other, other + 0], noise)
    assert are_captures([one, dimmer], noise)
    assert not are_captures([one, one], noise)  # the same image twice says nothing
    assert not are_captures([one, np.roll(other, 30, axis=0)], noise)
    assert not are_captures([one, flat], noise)
    assert not are_captures([flat, flat + random.normal(0, 1, flat.shape)], noise)
    assert not are_captures([one, other[1:]], noise)
    assert not are_captures([one], noise)
