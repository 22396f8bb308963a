import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data

from cuello.core.errors import CuelloError
from cuello.noise_models.survey import survey


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return data.camera()[::2, ::2].astype(float)


def noisy(image: np.ndarray, gain: float = 2, read: float = 4, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return gain * random.poisson(image / gain) + random.normal(0, read, image.shape)


def test_white_noise_is_white(photograph: np.ndarray) -> None:
    found = survey([noisy(photograph)])
    assert (found.kind, found.spacing, found.white, found.temporal) == ("ordinary", 1, True, False)
    assert found.correlation.shape == (9, 9)
    assert found.correlation[4, 4] == 1
    assert np.abs(np.delete(found.correlation.ravel(), 40)).max() < 0.15
    assert not len(found.hot)
    assert not len(found.dead)


def test_noise_shared_with_neighbours_is_found_with_its_whole_variance(photograph: np.ndarray) -> None:
    noise = gaussian_filter(np.random.default_rng(0).normal(size=photograph.shape), 1)
    found = survey([photograph + 15 * noise / noise.std()])
    assert found.spacing >= 3
    assert abs(found.correlation[4, 5] - np.exp(-1 / 4)) < 0.15
    assert abs(found.model.deviation(100) / 15 - 1) < 0.2


@pytest.mark.parametrize("name", ["gravel", "grass", "coins", "chelsea", "page", "text"])
@pytest.mark.parametrize("sigma", [2, 8])
def test_texture_is_not_taken_for_noise_that_neighbours_share(name: str, sigma: float) -> None:
    image = getattr(data, name)()
    image = (image[:, :, 1] if image.ndim == 3 else image)[:172, :192].astype(float)
    found = survey([image + np.random.default_rng(0).normal(0, sigma, image.shape)])
    assert found.white
    assert found.correlation.sum() < 2
    assert found.model.deviation(128) < 3.5 * sigma


def test_frames_of_a_still_scene_are_measured_against_each_other(photograph: np.ndarray) -> None:
    found = survey([noisy(photograph, seed=seed) for seed in range(3)], frames=True)
    assert found.temporal
    assert found.spacing == 1
    assert abs(found.model.gain / 2 - 1) < 0.05
    assert abs(found.model.read / 4 - 1) < 0.25


def test_a_scene_that_moves_is_not_measured_so(photograph: np.ndarray) -> None:
    found = survey([noisy(np.roll(photograph, 3 * seed, 1), seed=seed) for seed in range(3)], frames=True)
    assert not found.temporal
    assert "moves" in found.notes[0]
    assert abs(found.model.deviation(100) / np.sqrt(216) - 1) < 0.1


def test_equal_frames_are_no_measure(photograph: np.ndarray) -> None:
    image = noisy(photograph)
    found = survey([image, image], frames=True)
    assert not found.temporal
    assert found.notes == ("noise was measured in each image by itself: all frames are equal",)


def test_borders_without_values_do_not_matter(photograph: np.ndarray) -> None:
    image = noisy(photograph)
    image[:20] = np.nan
    found = survey([image])
    assert abs(found.model.deviation(100) / np.sqrt(216) - 1) < 0.1


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("binary", np.indices((64, 64)).sum(0) % 2 * 255),
        ("label", np.kron(np.arange(16).reshape(4, 4), np.ones((16, 16), int)) * 7 % 11),
        ("noise-free", np.round(np.add.outer(np.linspace(0, 90, 64), np.linspace(0, 99, 64))).astype(np.uint8)),
        ("noise-free", np.full((32, 32), 0.5)),
    ],
)
def test_images_without_noise_are_known(kind: str, image: np.ndarray) -> None:
    found = survey([image])
    assert found.kind == kind
    assert found.model.read == found.model.gain == 0
    assert found.curve is None


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(CuelloError, match="got no image"):
        survey([])
    with pytest.raises(CuelloError, match="needed numbers \\(H, W\\)"):
        survey([np.zeros((4, 4, 3))])
    with pytest.raises(CuelloError, match="without a single finite value"):
        survey([np.full((32, 32), np.nan)])


def test_noise_that_no_line_fits_is_said_with_what_was_tried(photograph: np.ndarray) -> None:
    random = np.random.default_rng(0)
    ramp = np.linspace(10, 250, 256) + np.zeros((256, 1))
    found = survey([ramp * (1 + 0.2 * random.normal(size=ramp.shape))])
    assert found.curve is not None
    assert found.fits == (found.curve.misfit <= 0.25)
    falling = survey([ramp + (25 - ramp / 10.5) ** 1.5 * random.normal(size=ramp.shape)])
    assert not falling.fits
    assert "no line fits" in " ".join(falling.notes)
    assert "Tried: a constant" in " ".join(falling.notes)
    assert survey([noisy(photograph)]).fits


def test_impulses_are_said(photograph: np.ndarray) -> None:
    image, random = noisy(photograph), np.random.default_rng(0)
    image[random.random(image.shape) < 0.01] = 900
    found = survey([image])
    assert 0.006 < found.impulses < 0.011
    assert "stand out of all around them, as impulses do" in found.notes[0]


def test_infinite_values_and_small_images(photograph: np.ndarray) -> None:
    image = noisy(photograph)
    image[::40, ::40] = np.inf
    assert abs(survey([image]).model.deviation(100) / np.sqrt(216) - 1) < 0.1
    small = survey([np.random.default_rng(0).normal(100, 5, (20, 20))])
    assert abs(small.model.deviation(100) / 5 - 1) < 0.15
    assert "too small to tell whether neighbours share" in small.notes[0]


def test_stripes_blocks_and_cut_off_values(photograph: np.ndarray) -> None:
    random = np.random.default_rng(1)
    rows = survey([noisy(photograph) + random.normal(0, 6, (256, 1))]).stripes
    assert abs(rows[0] / 6 - 1) < 0.2
    assert rows[1] < 1
    columns = survey([(noisy(photograph) + random.normal(0, 6, (256, 1))).T]).stripes
    np.testing.assert_allclose(columns, rows[::-1], rtol=0.1, atol=0.5)
    stream = io.BytesIO()
    Image.fromarray(noisy(photograph).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=30)
    assert survey([np.asarray(Image.open(stream))]).jpeg_blocks > 0.1
    assert survey([noisy(photograph)]).jpeg_blocks < 0.02
    bright = (noisy(photograph) + 60).clip(-1000, 255)
    found = survey([bright])
    np.testing.assert_allclose(found.clipped_high, (bright == 255).mean())
    assert found.clipped_low == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_noise_shared_along_one_axis_is_found_with_its_whole_variance(axis: int) -> None:
    """White noise of deviation 12, each pixel added to the one before it, over √2: neighbours share a half."""
    white = np.random.default_rng(0).normal(0, 12, (256, 256))
    ramp = np.linspace(40, 200, 256) + np.zeros((256, 1))
    found = survey([ramp + (white + np.roll(white, 1, axis)) / np.sqrt(2)])
    assert found.spacing == 2
    assert abs(found.model.deviation(120) / 12 - 1) < 0.05
    beside, below = found.correlation[4, 5], found.correlation[5, 4]
    np.testing.assert_allclose((beside, below), (0, 0.5) if axis == 0 else (0.5, 0), atol=0.1)


def test_rows_that_share_an_offset_are_said_where_there_is_no_other_noise() -> None:
    found = survey([np.random.default_rng(0).normal(100, 12, (256, 1)) + np.zeros((1, 256))])
    assert found.kind == "noise-free"
    assert abs(found.stripes[0] / 12 - 1) < 0.15
    assert found.stripes[1] == 0
    assert "whole rows differ from those beside them" in found.notes[0]


@pytest.mark.parametrize("photons", [0.02, 0.05, 0.2])
def test_few_photons_are_photons(photons: float) -> None:
    found = survey([np.random.default_rng(0).poisson(photons, (256, 256)).astype(np.uint16)])
    assert (found.kind, found.model.gain, found.model.base, found.white) == ("ordinary", 1, 0, True)


@pytest.mark.parametrize("dark", [0.5, 1.0])
def test_photons_that_show_one_by_one_are_no_pattern(photograph: np.ndarray, dark: float) -> None:
    """Values crowd at multiples of the gain, also where a dark image has few of them."""
    found = survey([noisy(photograph * dark, gain=20, read=1)])
    assert abs(found.model.gain / 20 - 1) < 0.02
    assert not any("pattern" in note for note in found.notes)


def test_strokes_on_black_are_no_photons() -> None:
    strokes = np.kron(np.random.default_rng(0).random((64, 64)) < 0.1, np.ones((4, 4)))
    found = survey([(strokes * np.linspace(1, 9, 256).round()).astype(np.uint8)])
    assert found.kind != "ordinary" or found.model.gain != 1


@pytest.mark.parametrize("side", [1, 2, 4])
@pytest.mark.parametrize("sigma", [0.5, 2])
def test_a_checkerboard_is_a_pattern_and_what_is_around_its_levels_is_noise(side: int, sigma: float) -> None:
    image = np.where((np.indices((128, 128)) // side).sum(0) % 2, 20.0, 80.0)
    found = survey([image + np.random.default_rng(0).normal(0, sigma, image.shape)])
    assert abs(found.model.deviation(50) / sigma - 1) < 0.1
    assert "taken for a pattern" in found.notes[0]
