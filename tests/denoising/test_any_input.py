"""Whatever comes in: any unit, gaps, transparency, single rows, types that are no numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import cuello
from cuello.core.errors import CuelloError
from cuello.denoising.said import phrase

RANDOM = np.random.default_rng(0)
CLEAN = 120 + 60 * np.sin(np.arange(128) / 9) + np.zeros((128, 1))
NOISY = RANDOM.normal(CLEAN, 3 + CLEAN / 20)


def write_image(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(values).save(path)


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


@pytest.mark.parametrize("hidden", [slice(0, 40), slice(64, None)])
def test_what_was_filled_makes_no_result_look_better(tmp_path: Path, hidden: slice) -> None:
    gaps = NOISY.astype(np.float32)
    gaps[:, hidden] = np.nan
    write_image(tmp_path / "gaps.tif", gaps)
    score = cuello.denoise(tmp_path / "gaps.tif", tmp_path / "clean.tif").channels[0][0].score
    seen = np.isfinite(gaps)
    restored = np.asarray(Image.open(tmp_path / "clean.tif"))[seen]
    truth = rmse(restored, CLEAN[seen]) / rmse(NOISY[seen], CLEAN[seen])
    assert abs(score.left - truth) < 2 * score.left_error
    assert 0.85 < score.checks.taken < 1.15


def test_an_image_without_a_number_among_captures_is_said_and_disturbs_nothing(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    random = np.random.default_rng(3)
    for number in range(3):
        write_image(tmp_path / "noisy" / f"{number}.tif", random.normal(CLEAN, 8).astype(np.float32))
    write_image(tmp_path / "noisy" / "1.tif", np.full(CLEAN.shape, np.nan, np.float32))
    found = cuello.denoise(tmp_path / "noisy", tmp_path / "clean")
    assert [phrase(planes[0]).startswith("quick") for planes in found.channels] == [True, False, True]
    assert phrase(found.channels[1][0]) == "no noise found: left as it is, it has no value that is a number"
    assert not recwarn.list
    assert not found.notes


@pytest.mark.parametrize("paper", [255, 0])
def test_pages_cut_off_nearly_everywhere_are_left_as_they_are(tmp_path: Path, paper: int) -> None:
    page = Image.new("L", (192, 192), paper)
    for line in range(13):
        ImageDraw.Draw(page).text((4, 4 + 14 * line), f"The quick brown fox, line {line}", fill=255 - paper)
    page.save(tmp_path / "text.png")
    found = cuello.denoise(tmp_path / "text.png", tmp_path / "clean.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "clean.png")), np.asarray(page))
    assert "no noise found: left as it is" in phrase(found.channels[0][0])
    assert "darkest or brightest value there is" in phrase(found.channels[0][0])


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
