import numpy as np
import pytest
from skimage import data

from cuello.core.errors import CuelloError
from cuello.noise_models.estimate import estimate_noise


def spoiled(image: np.ndarray, gain: float, read: float) -> np.ndarray:
    random = np.random.default_rng(1)
    counted = gain * random.poisson(image / gain) if gain else image
    return counted + random.normal(0, read, image.shape)


@pytest.mark.parametrize(("gain", "read"), [(0.2, 5), (1, 2), (5, 20), (15, 10), (0, 20)])
def test_gain_and_noise_are_found_on_photographs(gain: float, read: float) -> None:
    """Photographs that come with scikit-image, which have texture and little noise of their own."""
    images = [spoiled(image.astype(float), gain, read) for image in (data.camera(), data.coffee()[..., 1])]
    model = estimate_noise(images).model
    np.testing.assert_allclose(model.deviation(100), np.sqrt(100 * gain + read**2), rtol=0.05)
    if gain >= 1:
        assert abs(model.gain / gain - 1) < 0.1


@pytest.mark.parametrize("factor", [1 / 255, 16, 257])
def test_another_unit_scales_the_model(factor: float) -> None:
    image = spoiled(data.camera()[:256, :256].astype(float), 2, 4)
    one, other = estimate_noise([image]).model, estimate_noise([image * factor - 7]).model
    np.testing.assert_allclose(other.gain, one.gain * factor, rtol=1e-2)
    np.testing.assert_allclose(other.variance(100 * factor - 7), one.variance(100) * factor**2, rtol=1e-2)


def test_what_is_cut_off_counts_as_no_noise() -> None:
    """Half of the image is white and cut: the noise of the other half is found all the same."""
    image = np.repeat([[60.0], [250.0]], 128, 0) * np.ones((1, 256))
    noisy = np.clip(np.random.default_rng(0).normal(image, 12), 0, 255)
    assert abs(estimate_noise([noisy]).model.deviation(60) / 12 - 1) < 0.05


def test_an_image_without_noise_has_none() -> None:
    assert estimate_noise([np.tile(np.arange(64.0), (64, 1))]).model.deviation(30) < 1e-3


def test_too_little_to_go_by() -> None:
    for shape, side in (((15, 400), 15), ((1, 8), 1), ((8, 1), 1), ((3, 3), 3)):
        with pytest.raises(CuelloError, match=f"shorter side is {side} pixels at most, needed 16 .* larger images"):
            estimate_noise([np.random.default_rng(0).normal(size=shape)])


def test_counts_of_photons_are_not_cut_off_at_none() -> None:
    """Mostly zeros, which are counts: the variance is the mean, times the step from count to count."""
    image = np.linspace(0.05, 4, 128) + np.zeros((128, 1))
    counts = np.random.default_rng(0).poisson(image)
    for values in (counts.astype(np.uint16), counts * 0.5):
        model = estimate_noise([values]).model
        step = float(values[counts == 1][0])
        assert abs(model.gain / step - 1) < 0.1
        assert abs(model.variance(0.2 * step) / (0.2 * step**2) - 1) < 0.3


def test_small_images_are_enough() -> None:
    noisy = np.random.default_rng(0).normal(100, 5, (24, 24))
    assert abs(estimate_noise([noisy]).model.deviation(100) / 5 - 1) < 0.1


def test_mostly_no_photon_is_enough() -> None:
    """Every block has zeros: all would be cut off, were they no counts."""
    image = np.linspace(0.3, 1.2, 128) + np.zeros((128, 1))
    model = estimate_noise([np.random.default_rng(0).poisson(image).astype(np.uint8)]).model
    assert abs(model.gain - 1) < 0.15


def test_saturated_and_missing_values_are_said() -> None:
    random = np.random.default_rng(0)
    for lost in (255.0, np.nan):
        image = np.where(random.random((64, 64)) < 0.9, lost, random.normal(100, 5, (64, 64)))
        with pytest.raises(CuelloError, match="exposed otherwise"):
            estimate_noise([image])


@pytest.mark.parametrize("side", [48, 64, 128])
@pytest.mark.parametrize("level", [8.0, 247.0])
def test_small_images_that_noise_pushes_over_an_end(side: int, level: float) -> None:
    """Nearly every block has pixels that are cut off: by how many they are, the whole noise is known."""
    image = level + np.linspace(-6, 6, side) + np.zeros((side, 1))
    noisy = np.random.default_rng(0).normal(image, 12).clip(0, 255)
    assert abs(estimate_noise([noisy]).model.deviation(level) / 12 - 1) < 0.15


def test_a_photograph_of_few_blocks_that_are_whole() -> None:
    """Strong noise on a dark photograph: of blocks some pixels apart too few are without a pixel that is cut off."""
    image = data.camera().astype(float) / 4
    noisy = spoiled(image, 15, 20).clip(0, 255).round()
    assert abs(estimate_noise([noisy]).model.deviation(50) / np.sqrt(50 * 15 + 400) - 1) < 0.15
