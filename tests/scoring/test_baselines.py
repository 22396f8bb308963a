"""Classical methods against slow, plain implementations, and the contract that all of them keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Resampling

from cuello.scoring.baselines import (
    BASELINES,
    BaselineSpec,
    adaptive_median,
    best_strength,
    enlargers,
    gaussian,
    median,
    run_baseline,
    unchanged,
)

every_baseline = pytest.mark.parametrize("spec", list(BASELINES), ids=lambda spec: spec.name)


def random_image(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def windows(plane: np.ndarray, side: int) -> np.ndarray:
    """The square around every pixel, edges mirrored: ``(H, W)`` to ``(H, W, side²)``."""
    padded = np.pad(plane, side // 2, mode="symmetric")
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side)).reshape(*plane.shape, -1)


def plain_adaptive_median(plane: np.ndarray, largest: int) -> np.ndarray:
    """Gonzalez and Woods' algorithm, pixel by pixel, as the book has it."""
    out = plane.copy()
    for row in range(plane.shape[0]):
        for column in range(plane.shape[1]):
            here = plane[row, column]
            for side in range(3, largest + 1, 2):
                around = windows(plane, side)[row, column]
                low, middle, high = around.min(), np.median(around), around.max()
                if low < middle < high:
                    out[row, column] = here if low < here < high else middle
                    break
            else:
                out[row, column] = middle
    return out


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 9), st.integers(3, 9), st.sampled_from([1, 3]), st.sampled_from([3, 5]))
def test_median_of_a_square_with_mirrored_edges(seed, height, width, channels, side):
    image = random_image(seed, height, width, channels)
    expected = np.stack([np.median(windows(image[:, :, k], side), axis=-1) for k in range(channels)], axis=-1)
    np.testing.assert_array_equal(median(image, side), expected)


def test_median_by_hand():
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)[:, :, None]
    # The corner's square holds 1 four times, 2 and 4 twice, 5 once; the middle's holds each number once.
    assert median(image, 3)[:, :, 0].tolist() == [[2, 3, 3], [4, 5, 6], [7, 7, 8]]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.9), st.sampled_from([3, 5, 7]))
def test_adaptive_median_is_the_books(seed, share, largest):
    image = random_image(seed, 8, 9, 1)
    hit = random_image(seed + 1, 8, 9, 1)
    noisy = np.where(hit < share / 2, 0, np.where(hit < share, 1, image)).astype(np.float32)
    expected = plain_adaptive_median(noisy[:, :, 0], largest)
    np.testing.assert_array_equal(adaptive_median(noisy, largest)[:, :, 0], expected)


def test_adaptive_median_leaves_a_clean_ramp_and_removes_an_impulse():
    ramp = np.tile(np.linspace(0.2, 0.8, 12, dtype=np.float32), (12, 1))[:, :, None]
    noisy = ramp.copy()
    noisy[5, 6] = 1
    restored = adaptive_median(noisy, 7)
    assert abs(restored[5, 6, 0] - ramp[5, 6, 0]) < 0.06
    inside = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(restored[inside], ramp[inside], atol=0.06)


def test_gaussian_is_a_separable_weighted_mean_of_each_channel():
    image = random_image(0, 7, 9, 3)
    offsets = np.arange(-4, 5)
    weights = np.exp(-0.5 * offsets**2)
    weights /= weights.sum()
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="symmetric")
    rows = np.sum([weight * padded[k : k + 7] for k, weight in enumerate(weights)], axis=0)
    both = np.sum([weight * rows[:, k : k + 9] for k, weight in enumerate(weights)], axis=0)
    np.testing.assert_allclose(gaussian(image, 1), both, atol=1e-5)


def test_doing_nothing_does_nothing():
    image = random_image(0, 4, 5, 3)
    assert unchanged(image, 0) is image


@every_baseline
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_type_range_and_input_are_kept(spec, channels):
    noisy = random_image(1, 2, channels, 17, 14)
    before = noisy.copy()
    for strength in spec.strengths:
        restored = run_baseline(spec, noisy, strength)
        assert restored.shape == noisy.shape
        assert restored.dtype == np.float32
        assert np.isfinite(restored).all()
        assert restored.min() >= 0
        assert restored.max() <= 1
    np.testing.assert_array_equal(noisy, before)


@every_baseline
@pytest.mark.parametrize("channels", [1, 3])
def test_the_smallest_image_can_be_restored(spec, channels):
    noisy = random_image(2, 1, channels, spec.smallest_side, spec.smallest_side)
    for strength in spec.strengths:
        assert np.isfinite(run_baseline(spec, noisy, strength)).all()


@every_baseline
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_one_grey_level_stays_it(spec, level):
    flat = np.full((1, 3, 16, 16), level, np.float32)
    for strength in spec.strengths:
        np.testing.assert_allclose(run_baseline(spec, flat, strength), flat, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in BASELINES.names() if name not in ("input", "adaptive-median")])
def test_it_removes_noise_from_a_simple_picture(name):
    random = np.random.default_rng(0)
    clean = np.zeros((2, 1, 40, 40), np.float32) + 0.25
    clean[:, :, 10:30, 15:35] = 0.75
    noisy = (clean + random.normal(0, 0.1, clean.shape)).clip(0, 1).astype(np.float32)
    spec = BASELINES[name]
    restored = run_baseline(spec, noisy, best_strength(spec, noisy, clean))
    assert np.mean((restored - clean) ** 2) < 0.6 * np.mean((noisy - clean) ** 2)


def test_adaptive_median_removes_impulses_that_the_small_median_leaves():
    random = np.random.default_rng(0)
    clean = np.full((1, 1, 48, 48), 0.5, np.float32) + np.linspace(-0.2, 0.2, 48, dtype=np.float32)
    hit = random.random(clean.shape)
    noisy = np.where(hit < 0.3, 0, np.where(hit < 0.6, 1, clean)).astype(np.float32)
    errors = {
        name: np.mean((run_baseline(BASELINES[name], noisy, BASELINES[name].strengths[-1]) - clean) ** 2)
        for name in ("median-3", "adaptive-median")
    }
    assert errors["adaptive-median"] < 0.1 * errors["median-3"]


def test_the_best_strength_has_the_smallest_squared_error():
    brighter = BaselineSpec(
        "brighter", "", "", lambda image, strength: image + strength, strengths=(0.0, 0.1, 0.2, 0.3)
    )
    clean = np.full((2, 1, 4, 4), 0.5, np.float32)
    assert best_strength(brighter, clean - 0.21, clean) == 0.2
    assert best_strength(brighter, clean, clean) == 0.0


def test_results_are_cut_to_the_range_of_a_file_and_channels_come_last_inside():
    seen = []

    def record(image: np.ndarray, strength: float) -> np.ndarray:
        seen.append(image.shape)
        return image * 10 - 4

    result = run_baseline(BaselineSpec("x", "", "", record, (1.0,)), np.full((2, 3, 4, 5), 0.5, np.float32), 1.0)
    assert seen == [(4, 5, 3), (4, 5, 3)]
    assert result.shape == (2, 3, 4, 5)
    assert (result == 1).all()


@every_baseline
def test_every_entry_is_described(spec):
    assert spec.label
    assert spec.summary
    assert len(set(spec.strengths)) == len(spec.strengths) > 0


# Enlarging

scales = pytest.mark.parametrize("scale", [2, 3, 4])
every_enlarger = pytest.mark.parametrize("name", enlargers(2).names())


@scales
@every_enlarger
@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 1, 5, 8)])
def test_enlarging_gives_the_targets_size_within_the_range_of_a_file(name, scale, shape):
    small = random_image(3, *shape)
    before = small.copy()
    found = run_baseline(enlargers(scale)[name], small, 0.0)
    assert found.shape == (*shape[:2], scale * shape[2], scale * shape[3])
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    np.testing.assert_array_equal(small, before)


@every_enlarger
def test_enlarging_one_grey_level_keeps_it(name):
    np.testing.assert_allclose(
        run_baseline(enlargers(3)[name], np.full((1, 3, 4, 4), 0.3, np.float32), 0.0), 0.3, atol=1e-6
    )


def test_nearest_repeats_every_pixel():
    small = random_image(0, 1, 3, 4, 5)
    expected = small.repeat(3, axis=2).repeat(3, axis=3)
    np.testing.assert_array_equal(run_baseline(enlargers(3)["nearest"], small, 0.0), expected)


@pytest.mark.parametrize(
    ("name", "filter"),
    [("bilinear", Resampling.BILINEAR), ("bicubic", Resampling.BICUBIC), ("lanczos", Resampling.LANCZOS)],
)
def test_enlarging_is_pillows_away_from_the_edge(name, filter):
    small = random_image(0, 1, 1, 16, 18)
    expected = np.asarray(Image.fromarray(small[0, 0]).resize((36, 32), filter)).clip(0, 1)
    found = run_baseline(enlargers(2)[name], small, 0.0)[0, 0]
    inside = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)
