import numpy as np
import pytest
from skimage import data

from cuello.denoising.denoise import denoise, shipped
from cuello.denoising.restorer import ChannelDenoiser
from cuello.denoising.said import summary


@pytest.mark.parametrize("side", [1, 2, 4, 6, 8])
def test_a_checkerboard_with_weak_noise_stays(side: int) -> None:
    image = np.where((np.indices((64, 64)) // side).sum(0) % 2, 20.0, 80.0)
    noisy = image + np.random.default_rng(0).normal(0, 1, image.shape)
    result = denoise(noisy)
    assert abs(result.mean() - noisy.mean()) < 0.3
    assert np.sqrt(np.mean((result - image) ** 2)) < 1.5


def test_texture_that_hides_noise_stays_and_it_is_said() -> None:
    image = data.gravel()[:128, :128]
    way = ChannelDenoiser(shipped(), scores=1)
    np.testing.assert_array_equal(way.restore(image[:, :, None])[:, :, 0], image)
    assert "too much texture to tell noise from it: left as it is" in summary(way.done)


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (1, 40), (2, 2), (3, 3), (8, 8)])
def test_tiny_images_are_restored_and_scored_as_far_as_that_goes(shape: tuple[int, int]) -> None:
    way = ChannelDenoiser(shipped(), scores=1)
    image = np.random.default_rng(0).normal(100, 10, shape).astype(np.uint8)
    assert way.plane(image).shape == shape
    assert "too small to tell" in summary(way.done)


def test_a_small_image_has_the_noise_of_the_set_that_is_as_strong_as_its_own() -> None:
    """Strong noise is that of most channels; the small image has weak noise."""
    from cuello.denoising.kinds import kinds_of

    random = np.random.default_rng(0)
    large = [100 + random.normal(0, sigma, (64, 64, 1)) for sigma in (30, 30, 30, 3, 3)]
    way = ChannelDenoiser(shipped(), kinds=kinds_of(large, "quick"))
    assert len(way.kinds) == 2
    for sigma, near in ((3, 3), (30, 30), (300, 300)):
        kind, own = way.noise_of(100 + random.normal(0, sigma, (12, 12)))
        assert own == (sigma == 300)
        assert abs(kind.survey.model.deviation(100) / near - 1) < 0.5


@pytest.mark.parametrize("sigma", [0.5, 1, 2])
def test_squares_of_several_values_with_weak_noise_stay(sigma: float) -> None:
    rows, columns = np.indices((128, 128)) // 8
    image = (rows * 16 + columns) % 7 * 30 + 20.0
    noisy = image + np.random.default_rng(0).normal(0, sigma, image.shape)
    assert np.sqrt(np.mean((denoise(noisy) - image) ** 2)) < 2 * sigma


def left(image: np.ndarray) -> str:
    """Hold that an image is left as it is, and give what is said of it."""
    way = ChannelDenoiser(shipped(), scores=1)
    np.testing.assert_array_equal(way.restore(image[:, :, None])[:, :, 0], image)
    return summary(way.done)


@pytest.mark.parametrize("sigma", [0, 1])
def test_a_colour_filter_mosaic_stays_and_it_is_said(sigma: float) -> None:
    rows, columns = np.indices((128, 128)) % 2
    filters = np.where(rows + columns == 0, 0.5, np.where(rows + columns == 2, 0.7, 1.0))
    noise = np.random.default_rng(0).normal(0, sigma, filters.shape)
    image = (data.camera()[::4, ::4] * filters + noise).clip(0, 255).astype(np.uint8)
    assert left(image) == (
        "looks like a colour filter mosaic: demosaic first, or give the four planes as channels: left as it is"
    )


@pytest.mark.parametrize("sigma", [1, 5])
def test_an_ordered_dither_with_weak_noise_stays_and_it_is_said(sigma: float) -> None:
    order = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8
    image = np.where(data.camera()[::4, ::4] > np.tile(order, (32, 32)), 235.0, 20.0)
    said = left(image + np.random.default_rng(0).normal(0, sigma, image.shape))
    assert said.startswith("a pattern repeats every few pixels")
    assert said.endswith("left as it is")


@pytest.mark.parametrize("size", [128, 172])
def test_print_with_weak_noise_stays(size: int) -> None:
    image = data.text()[:size, :size].astype(float)
    noisy = image + np.random.default_rng(0).normal(0, 1, image.shape)
    assert np.sqrt(np.mean((denoise(noisy) - image) ** 2)) < 2
