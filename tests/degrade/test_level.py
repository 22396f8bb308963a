"""The level of noise that is estimated from images."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cuello.degrade import level as module
from cuello.degrade.level import estimated_level, level_at_once

GREY = 1 / 255


def scene(height: int = 120, width: int = 160) -> Tensor:
    """Return edges, a smooth sky and fine texture, grey, ``(1, 1, H, W)``, in no whole numbers."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    picture = 0.35 + 0.25 * torch.sin(3 * x + 2 * y) + 0.1 * (x > 0.6) * torch.sin(90 * x * y) + 0.15 * (y > 0.7)
    return picture.float()[None, None]


def noisy(sigma: float, seed: int = 0, picture: Tensor | None = None) -> Tensor:
    picture = scene() if picture is None else picture
    return picture + sigma * torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))


def found(images: Tensor) -> float:
    return float(estimated_level(images))


def as_bytes(images: Tensor) -> Tensor:
    return (images.clamp(0, 1) * 255).round() / 255


@given(st.floats(2 * GREY, 60 * GREY), st.integers(0, 1000))
def test_noise_is_found_beside_edges_and_texture(sigma: float, seed: int) -> None:
    assert found(noisy(sigma, seed)) == pytest.approx(sigma, rel=0.1, abs=0.3 * GREY)


@given(st.floats(2 * GREY, 60 * GREY), st.floats(1e-6, 1e5))
def test_it_is_in_the_unit_of_the_image(sigma: float, scale: float) -> None:
    image = noisy(sigma)
    assert found(scale * image) == pytest.approx(scale * found(image), rel=1e-3)


@given(st.floats(2 * GREY, 60 * GREY), st.sampled_from([-2.0, -0.3, 0.25, 3.0]))
def test_what_is_added_to_all_pixels_does_not_change_it(sigma: float, more: float) -> None:
    image = noisy(sigma)
    assert found(image + more) == pytest.approx(found(image), rel=1e-3)


@given(st.floats(2 * GREY, 60 * GREY), st.sampled_from([[2], [3], [2, 3]]), st.booleans())
def test_turned_and_mirrored_it_is_the_same(sigma: float, axes: list[int], turned: bool) -> None:
    image = noisy(sigma)
    other = image.flip(axes)
    assert found(other.transpose(2, 3) if turned else other) == pytest.approx(found(image), rel=1e-3)


@given(st.integers(0, 100))
def test_sizes_that_no_step_divides_are_nearly_the_same_mirrored(seed: int) -> None:
    image = noisy(0.1, seed, scene(91, 118))
    assert found(image.flip([2, 3])) == pytest.approx(found(image), rel=0.07)


@given(st.integers(0, 1000))
def test_more_noise_is_more(seed: int) -> None:
    levels = [found(noisy(sigma * GREY, seed)) for sigma in (0, 1, 2, 5, 10, 20, 40, 75)]
    assert levels == sorted(levels)


@pytest.mark.parametrize("sigma", [10, 25, 50])
@pytest.mark.parametrize("darker", [1, 3, 8, 1000])
def test_noise_that_is_cut_off_at_black_is_told_whole(sigma: int, darker: float) -> None:
    """At black half of the values are cut off, and a third of the variance is left."""
    level = found(as_bytes(noisy(sigma * GREY, picture=scene(256, 256) / darker)))
    assert level == pytest.approx(sigma * GREY, rel=0.15)


@pytest.mark.parametrize("channels", [1, 3])
def test_of_several_channels_it_is_the_mean(channels: int) -> None:
    sigmas = torch.tensor([0.02, 0.05, 0.11])[:channels].view(1, -1, 1, 1)
    image = scene() + sigmas * torch.randn(2, channels, 120, 160, generator=torch.Generator().manual_seed(1))
    level = estimated_level(image)
    assert level.shape == (2, 1, 1, 1)
    each = [[found(image[n : n + 1, c : c + 1]) for c in range(channels)] for n in range(2)]
    assert level.flatten().tolist() == pytest.approx([float(np.mean(one)) for one in each], rel=1e-5)


def letters(size: int = 256) -> np.ndarray:
    """Return lines of text, black on white, with the greys of smoothed outlines."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (size, size), 255)
    for row in range(0, size, 16):
        ImageDraw.Draw(page).text((3, row), "The quick brown fox jumps over it", 0, ImageFont.load_default(13))
    return np.asarray(page)


def bars() -> np.ndarray:
    return np.kron(np.random.default_rng(0).integers(0, 2, (40, 40)), np.ones((5, 5))) * 255


def coloured() -> np.ndarray:
    picture = np.full((128, 128), 200.0)
    picture[20:60, 30:90], picture[50:100, 60:110], picture[::16] = 90, 140, 30
    return picture


CLEAN: dict[str, Callable[[], np.ndarray]] = {
    "black": lambda: np.zeros((40, 40)),
    "white": lambda: np.full((40, 40), 255),
    "grey": lambda: np.full((40, 40), 99),
    "text": letters,
    "text on black": lambda: 255 - letters(),
    "text, dark grey on light": lambda: 30 + letters() * 0.8,
    "bars": bars,
    "coloured areas": coloured,
    "a ramp": lambda: np.linspace(20, 220, 200)[None].repeat(100, 0).round(),
    "points one apart": lambda: np.indices((64, 64)).sum(0) % 2 * 255,
    "hatching": lambda: 80 + 120 * (np.indices((64, 64)).sum(0) % 4 == 0),
    "black and a few stars": lambda: np.where(np.random.default_rng(1).random((128, 128)) < 0.001, 200, 0),
    "dots of one bit": lambda: np.random.default_rng(2).integers(0, 2, (128, 128)) * 255,
}


@pytest.mark.parametrize("name", CLEAN)
def test_what_was_drawn_has_no_noise(name: str) -> None:
    image = torch.from_numpy(CLEAN[name]().round() / 255).float()[None, None]
    assert found(image) == 0


@pytest.mark.parametrize("sigma", [10, 25])
@pytest.mark.parametrize("name", ["text", "bars", "coloured areas", "a ramp"])
def test_noise_over_what_was_drawn_is_found(name: str, sigma: int) -> None:
    image = torch.from_numpy(CLEAN[name]().round() / 255).float()[None, None]
    assert found(as_bytes(noisy(sigma * GREY, picture=image))) == pytest.approx(sigma * GREY, rel=0.15)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_a_frame_around_a_noisy_image_does_not_count(value: float) -> None:
    inner = as_bytes(noisy(15 * GREY, picture=scene(240, 320)))
    image = torch.nn.functional.pad(inner, (10, 10, 10, 10), value=round(value * 255) / 255)
    assert found(image) == pytest.approx(15 * GREY, rel=0.08)


@pytest.mark.parametrize("name", ["camera", "coins", "moon", "clock", "brick", "grass", "gravel"])
def test_a_clean_photograph_has_hardly_any(name: str) -> None:
    """Of textures that fill the image most: what is told is at most what 8 bits round away, three times."""
    from skimage import data

    image = torch.from_numpy(getattr(data, name)().astype(np.float32) / 255)[None, None]
    assert found(image) < (5 if name in ("grass", "gravel") else 1.5) * GREY


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (8, 8), (9, 30), (16, 16), (33, 40)])
def test_in_one_piece_and_in_strips_it_is_the_same(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    x[:, :, : size[0] // 3] = 0
    whole = estimated_level(x)
    assert torch.isfinite(whole).all()
    torch.testing.assert_close(level_at_once(x), whole, atol=1e-6, rtol=1e-5)
    monkeypatch.setattr(module, "AT_ONCE", 100)
    torch.testing.assert_close(estimated_level(x), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("side", [16, 24, 48])
def test_small_images_are_told_roughly(side: int) -> None:
    levels = [found(noisy(0.1, seed, torch.full((1, 1, side, side), 0.5))) for seed in range(20)]
    assert np.mean(levels) == pytest.approx(0.1, rel=0.05)
    assert np.std(levels) < 0.015


def test_the_share_of_variance_that_is_left_is_that_of_cut_normal_values() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    for end in (-2, -1, 0, 0.5):
        kept = np.maximum(values, end)
        share = torch.tensor((values <= end).mean())
        assert float(module.kept(share)) == pytest.approx(kept.var(), abs=0.01)
