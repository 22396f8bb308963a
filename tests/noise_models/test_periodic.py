import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter, uniform_filter1d
from scipy.signal import lfilter
from skimage import data

from cuello.noise_models.periodic import repeating
from cuello.noise_models.survey import survey
from cuello.noise_models.whiteness import spectra_of


def noise(side: int = 256) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(side, side))


def camera() -> np.ndarray:
    return data.camera()[::2, ::2].astype(float)


def mosaic(image: np.ndarray, first: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Keep one colour at each pixel: red at every second one of every second row, from the first; blue across."""
    result = image[:, :, 1].astype(float)
    row, column = first
    result[row::2, column::2] = image[row::2, column::2, 0]
    result[1 - row :: 2, 1 - column :: 2] = image[1 - row :: 2, 1 - column :: 2, 2]
    return result


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("first", [(0, 0), (1, 0)])
@pytest.mark.parametrize("sigma", [0, 5, 20])
def test_a_colour_filter_mosaic_is_told(name: str, first: tuple[int, int], sigma: float) -> None:
    image = mosaic(getattr(data, name)()[:256, :256], first)
    found = survey([image + sigma * noise()])
    assert found.kind == "mosaic"
    assert found.notes[0].startswith("looks like a colour filter mosaic: demosaic first")


def test_planes_of_a_mosaic_are_ordinary() -> None:
    image = mosaic(data.astronaut()) + 5 * noise(512)
    for row, column in np.ndindex(2, 2):
        found = survey([image[row::2, column::2]])
        assert found.kind == "ordinary"
        assert abs(found.model.deviation(100) / 5 - 1) < 0.2


@pytest.mark.parametrize("period", [2, 3, 4])
@pytest.mark.parametrize("sigma", [1, 5])
def test_a_pattern_that_repeats_along_diagonals_is_told(period: int, sigma: float) -> None:
    rows, columns = np.indices((256, 256))
    wave = 40 * np.cos(2 * np.pi * (rows + columns) / period)
    found = survey([camera() / 2 + wave + sigma * noise()])
    assert found.kind == "periodic"


@pytest.mark.parametrize("name", ["camera", "brick", "grass", "gravel", "page", "coins", "text"])
@pytest.mark.parametrize("sigma", [1, 20])
def test_photographs_repeat_nothing(name: str, sigma: float) -> None:
    image = getattr(data, name)()[:256, :256].astype(float)
    assert repeating(spectra_of([image + sigma * np.random.default_rng(0).normal(size=image.shape)])) is None


@pytest.mark.parametrize("scene", ["flat", "photograph"])
def test_noise_that_neighbours_share_repeats_nothing(scene: str) -> None:
    image = camera() if scene == "photograph" else np.full((256, 256), 100.0)
    white = noise()
    several = [gaussian_filter(white, width) for width in (0.5, 0.7, 1, 1.5)]
    several += [uniform_filter1d(white, 2), *(uniform_filter(white, size) for size in (2, 3, 5))]
    several += [np.kron(noise(256 // size + 1), np.ones((size, size)))[:256, :256] for size in (2, 3, 4)]
    several += [np.asarray(lfilter([1], [1, -share], white, axis=axis)) for share in (0.3, 0.6, 0.9) for axis in (0, 1)]
    for one in several:
        assert repeating(spectra_of([image + 12 * one / one.std()])) is None
