"""Whatever comes in: any unit, gaps, transparency, single rows, types that are no numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.errors import CuelloError

RANDOM = np.random.default_rng(0)
CLEAN = 120 + 60 * np.sin(np.arange(128) / 9) + np.zeros((128, 1))
NOISY = RANDOM.normal(CLEAN, 3 + CLEAN / 20)


def rmse(image: np.ndarray, clean: np.ndarray) -> float:
    return float(np.sqrt(np.mean((image.astype(float) - clean) ** 2)))


@pytest.mark.parametrize("power", [-300, -100, 100, 300])
def test_the_unit_of_the_values_does_not_matter(power: int) -> None:
    unit = 2.0**power
    np.testing.assert_allclose(cuello.denoise(NOISY * unit) / unit, cuello.denoise(NOISY), rtol=1e-4)


def test_a_large_offset_costs_no_digits() -> None:
    restored = cuello.denoise(NOISY + 1e9)
    assert rmse(restored - 1e9, CLEAN) < rmse(NOISY, CLEAN) / 2


def test_infinite_values_are_gaps_like_nan_and_both_stay() -> None:
    gaps = NOISY.copy()
    gaps[:9], gaps[:, -5:], gaps[50, 50] = np.nan, np.inf, -np.inf
    restored = cuello.denoise(gaps)
    known = np.isfinite(gaps)
    assert np.array_equal(restored[~known], gaps[~known], equal_nan=True)
    assert rmse(restored[known], CLEAN[np.nonzero(known)]) < rmse(NOISY, CLEAN) / 2


def test_what_transparency_hides_is_no_measure_of_the_noise(tmp_path: Path) -> None:
    """A third hidden: the rest is restored as well as without it, and hidden pixels come back as they were."""
    alpha = np.full(NOISY.shape, 255, np.uint8)
    alpha[:, :45] = 0
    pixels = NOISY.round().clip(0, 255).astype(np.uint8)
    pixels[:, :45] = 7
    seen = alpha > 0
    both = np.dstack([pixels, alpha])
    restored = cuello.denoise(both)
    Image.fromarray(both, "LA").save(tmp_path / "noisy.png")
    cuello.denoise(tmp_path / "noisy.png", tmp_path / "clean.png")
    of_file = np.asarray(Image.open(tmp_path / "clean.png"))
    for found in (restored, of_file):
        assert np.array_equal(found[..., 1], alpha)
        assert (found[..., 0][~seen] == 7).all()
        assert rmse(found[..., 0][seen], CLEAN[np.nonzero(seen)]) < rmse(pixels[seen], CLEAN[np.nonzero(seen)]) / 2.5


@pytest.mark.parametrize("shape", [(1, 300), (300, 1)])
def test_one_row_has_noise_too(shape: tuple[int, int]) -> None:
    clean = 100 + 50 * np.sin(np.arange(300) / 30).reshape(shape)
    noisy = clean + np.random.default_rng(1).normal(0, 8, shape)
    restored = cuello.denoise(noisy)
    assert rmse(restored, clean) < 0.8 * rmse(noisy, clean)


@pytest.mark.parametrize("values", [NOISY + 1j, NOISY.astype(str), NOISY.astype("M8[s]"), NOISY.astype(object)])
def test_what_are_no_numbers_is_refused_without_a_word_of_ranges(values: np.ndarray) -> None:
    with pytest.raises(CuelloError, match=r"got an array of .*, needed whole numbers or floats\.$"):
        cuello.denoise(values)


def test_values_whose_squares_are_no_numbers_are_refused() -> None:
    with pytest.raises(CuelloError, match=r"needed 1e\+100 at most: divide them first"):
        cuello.denoise(NOISY * 1e200)
