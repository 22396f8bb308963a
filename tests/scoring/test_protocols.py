"""Protocols: values worked by hand, and scikit-image where the definitions agree."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cuello.core.errors import CuelloError
from cuello.scoring.protocols import Protocol, ProtocolScore, luma, super_resolution, to_8_bits, whole_image


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


# Luma


def test_luma_of_the_primaries() -> None:
    colours = torch.eye(3)[:, :, None, None]
    expected = [(16 + weight) / 255 for weight in (65.481, 128.553, 24.966)]
    assert luma(colours).flatten().tolist() == pytest.approx(expected)
    greys = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    assert (255 * luma(greys)).flatten().tolist() == pytest.approx([16, 235])


def test_luma_is_scikit_images() -> None:
    images = noise(1, 3, 9, 7)
    expected = rgb2ycbcr(images[0].permute(1, 2, 0).numpy())[:, :, 0] / 255
    assert np.abs(luma(images)[0, 0].numpy() - expected).max() < 1e-12


def test_only_colour_has_luma() -> None:
    with pytest.raises(CuelloError, match="needed colour"):
        luma(noise(1, 1, 4, 4))


# Values


def test_halves_are_rounded_up() -> None:
    values = torch.tensor([-1, 0.5 / 255, 1.49 / 255, 2.5 / 255, 0.999, 7], dtype=torch.double)
    assert (to_8_bits(values) * 255).tolist() == pytest.approx([0, 1, 1, 3, 255, 255])


def test_luma_is_rounded_before_and_after() -> None:
    """Red .3 is 76.5, rounded 77 of 255; Y is 16 + 65.481 · 77 / 255 = 35.77, rounded 36: 20 levels above black's."""
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 0.3
    found = Protocol("psnr", "luma").values(red, torch.zeros(1, 3, 4, 4))
    assert found.tolist() == pytest.approx([20 * math.log10(255 / 20)])
    plain = Protocol("psnr", "luma", rounded=False).values(red, torch.zeros(1, 3, 4, 4))
    assert plain.tolist() == pytest.approx([20 * math.log10(255 / (65.481 * 0.3))], abs=1e-6)


def test_one_channel_is_luma_already() -> None:
    """Levels 102 and 51: an error of 51 of 255, a fifth, is 13.98 dB."""
    found = Protocol("psnr", "luma").values(torch.full((1, 1, 3, 3), 0.4), torch.full((1, 1, 3, 3), 0.2))
    assert found.tolist() == pytest.approx([20 * math.log10(5)])


def test_what_is_outside_of_the_range_is_cut_off() -> None:
    image, target = torch.full((1, 1, 3, 3), 1.7), torch.ones(1, 1, 3, 3)
    assert Protocol(rounded=False).values(image, target).tolist() == [100]


@pytest.mark.parametrize(("border", "expected"), [(0, 10 * math.log10(49 / 24)), (1, 100), (2, 100)])
def test_the_border_is_cut(border: int, expected: float) -> None:
    """The 24 edge pixels of 7×7 are wholly wrong."""
    image = torch.ones(1, 1, 7, 7)
    image[:, :, 1:-1, 1:-1] = 0
    found = Protocol("psnr", border=border).values(image, torch.zeros(1, 1, 7, 7))
    assert found.tolist() == pytest.approx([expected])


@pytest.mark.parametrize("border", [0, 3])
@pytest.mark.parametrize("channel", ["all", "luma"])
def test_agreement_with_scikit_image(border: int, channel: str) -> None:
    image, target = noise(1, 3, 25, 31, seed=1), noise(1, 3, 25, 31, seed=2)

    def plain(x: torch.Tensor) -> np.ndarray:
        y = x[0].permute(1, 2, 0).numpy()
        y = np.floor(y * 255 + 0.5)
        if channel == "luma":
            y = np.floor(rgb2ycbcr(y / 255)[:, :, :1] + 0.5)
        return y[border : 25 - border, border : 31 - border]

    expected = peak_signal_noise_ratio(plain(target), plain(image), data_range=255)
    assert Protocol("psnr", channel, border).values(image, target).tolist() == pytest.approx([expected])  # type: ignore[arg-type]
    expected = structural_similarity(
        plain(target), plain(image), data_range=255, channel_axis=2,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert Protocol("ssim", channel, border).values(image, target).tolist() == pytest.approx([expected])  # type: ignore[arg-type]


@given(st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_an_image_is_like_itself(border: int, rounded: bool, seed: int) -> None:
    image = noise(1, 3, 17, 18, seed=seed)
    assert Protocol("psnr", "luma", border, rounded).values(image, image).tolist() == [100]
    assert Protocol("ssim", "luma", border, rounded).values(image, image).tolist() == pytest.approx([1])


# Scores


def test_a_score_has_the_mean_over_images_of_any_size() -> None:
    images = [torch.full((1, 4, 4), 0.4), torch.full((1, 9, 5), 0.2)]
    targets = [torch.full((1, 4, 4), 0.2), torch.full((1, 9, 5), 0.2)]
    score = Protocol().score(images, targets)
    assert score.values == pytest.approx((20 * math.log10(5), 100))
    assert score.mean == pytest.approx(20 * math.log10(5))  # the second image is perfect


def test_no_mean_of_psnr_takes_in_a_perfect_image() -> None:
    ours, theirs = (ProtocolScore(Protocol(), values) for values in ((30.0, 100.0, 34.0), (29.0, 31.0, math.inf)))
    assert ours.mean == 32
    assert theirs.mean == 30
    assert ours - theirs == 1  # of the first image, which alone is perfect in neither
    assert math.isnan(ProtocolScore(Protocol(), (100.0, 100.0)).mean)
    assert ProtocolScore(Protocol("ssim"), (1.0, 0.5)).mean == 0.75


def test_scores_of_one_protocol_compare() -> None:
    low, high = (ProtocolScore(super_resolution(2), (value, value + 2)) for value in (30.0, 30.5))
    assert low < high
    assert high > low
    assert not low > high
    assert high - low == pytest.approx(0.5)


@pytest.mark.parametrize(
    "other", [super_resolution(3), super_resolution(2, "ssim"), whole_image(), Protocol("psnr", "luma", 2, False)]
)
def test_scores_of_different_protocols_refuse(other: Protocol) -> None:
    one, two = ProtocolScore(super_resolution(2), (30.0,)), ProtocolScore(other, (31.0,))
    for compare in (lambda: one < two, lambda: one > two, lambda: one - two):
        with pytest.raises(CuelloError, match="measured differently and cannot be compared"):
            compare()


def test_scores_of_other_images_and_bare_numbers_refuse() -> None:
    score = ProtocolScore(Protocol(), (30.0,))
    with pytest.raises(CuelloError, match="over 1 and 2 images"):
        _ = score < ProtocolScore(Protocol(), (30.0, 31.0))
    with pytest.raises(CuelloError, match="a bare number does not say"):
        _ = score < 30.0  # type: ignore[operator]


def test_protocols_in_words() -> None:
    assert str(super_resolution(1)) == (
        "PSNR in dB on Y of YCbCr (BT.601, 16 to 235), cut to [0, 1], rounded to 8 bits, 1 pixel cut at every edge"
    )
    assert str(Protocol("ssim", rounded=False)) == "SSIM on all channels, cut to [0, 1], not rounded, edges kept"
    assert str(ProtocolScore(whole_image(), (30.0, 31.0))).startswith("30.50 (PSNR in dB on all channels")


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CuelloError, match="one shape"):
        Protocol().values(noise(1, 3, 8, 8), noise(1, 3, 8, 9))
    with pytest.raises(CuelloError, match="needed at least 15 pixels"):
        super_resolution(2, "ssim").values(noise(1, 1, 14, 20), noise(1, 1, 14, 20))
