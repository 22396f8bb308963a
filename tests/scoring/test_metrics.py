"""Metrics by hand, against torchmetrics and scikit-image, and their laws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cuello.scoring.metrics import METRICS, SSIM_WINDOW, mae, metrics_for, mse, psnr, psnr_b, ssim, wrong_pixels

seeds = st.integers(0, 2**31)
channels = st.sampled_from([1, 3])


def two_images(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """A random image with some structure, and a noisy copy."""
    random = torch.Generator().manual_seed(seed)
    image = torch.rand(shape, generator=random, dtype=dtype).cumsum(-1)
    image = image / image.amax()
    noise = torch.rand(shape, generator=random, dtype=dtype) - 0.5
    return image, (image + 0.4 * noise).clamp(0, 1)


x = torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]], [[[1.0, 1.0], [1.0, 1.0]]]])
y = torch.tensor([[[[0.5, 0.5], [0.0, 0.25]]], [[[1.0, 1.0], [1.0, 0.0]]]])


def test_values_by_hand():
    # Differences: 0.5, 0, 1, 0 and 0, 0, 0, 1.
    assert mse(x, y).tolist() == [0.3125, 0.25]
    assert mae(x, y).tolist() == [0.375, 0.25]
    torch.testing.assert_close(psnr(x, y), torch.tensor([5.0515, 6.0206]), atol=1e-4, rtol=0)
    # On the wrong side of one half, which itself counts as white: 0.0 for 0.5, 1.0 for 0.0; then 1.0 for 0.0.
    assert wrong_pixels(x, y).tolist() == [2, 1]


def test_psnr_of_a_known_difference():
    target = torch.zeros(1, 3, 4, 4)
    for difference, decibels in ((0.1, 20), (0.01, 40), (1, 0), (0, 100), (1e-6, 100)):
        assert psnr(target + difference, target).item() == pytest.approx(decibels, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(seeds, channels)
def test_psnr_is_scikit_images(seed, count):
    image, target = two_images(seed, 2, count, 13, 17)
    expected = [peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=1) for a, b in zip(image, target, strict=True)]
    np.testing.assert_allclose(psnr(image, target).numpy(), expected, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seeds, channels, st.integers(11, 30), st.integers(11, 30))
def test_ssim_is_scikit_images(seed, count, height, width):
    image, target = two_images(seed, 2, count, height, width, dtype=torch.float64)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    pairs = zip(image.numpy(), target.numpy(), strict=True)
    expected = [structural_similarity(a, b, channel_axis=0, **options) for a, b in pairs]
    np.testing.assert_allclose(ssim(image, target).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(ssim(image.float(), target.float()).numpy(), expected, atol=2e-4)


def test_ssim_is_torchmetrics_map_without_its_border():
    from torchmetrics.functional.image import structural_similarity_index_measure

    image, target = two_images(5, 3, 3, 31, 24, dtype=torch.float64)
    result = structural_similarity_index_measure(
        image, target, sigma=1.5, kernel_size=11, data_range=1.0, reduction="none", return_full_image=True
    )
    assert isinstance(result, tuple)
    whole_map = result[1]
    assert whole_map.shape == image.shape
    torch.testing.assert_close(ssim(image, target), whole_map[:, :, 5:-5, 5:-5].mean((1, 2, 3)), atol=1e-9, rtol=0)


def test_mse_and_psnr_are_torchmetrics():
    from torchmetrics.functional import mean_squared_error
    from torchmetrics.functional.image import peak_signal_noise_ratio as reference_psnr

    image, target = two_images(6, 4, 3, 12, 15)
    expected = torch.stack([mean_squared_error(a, b) for a, b in zip(image, target, strict=True)])
    torch.testing.assert_close(mse(image, target), expected)
    expected = reference_psnr(image, target, data_range=1.0, dim=(1, 2, 3), reduction="none")
    torch.testing.assert_close(psnr(image, target), expected)


def test_ssim_of_two_grey_levels_by_hand():
    # Without variance only the means count: (2 · 0.2 · 0.8 + 0.0001) / (0.04 + 0.64 + 0.0001).
    similarity = ssim(torch.full((1, 1, 11, 11), 0.2).double(), torch.full((1, 1, 11, 11), 0.8).double())
    assert similarity.item() == pytest.approx(0.3201 / 0.6801, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seeds, channels)
def test_identical_images_are_perfect_and_order_does_not_matter(seed, count):
    image, target = two_images(seed, 2, count, 12, 14)
    for spec in (spec for spec in METRICS if spec.usual):
        perfect = {"psnr": 100.0, "ssim": 1.0}.get(spec.name, 0.0)
        torch.testing.assert_close(spec.function(image, image), torch.full((2,), perfect), atol=1e-5, rtol=0)
        torch.testing.assert_close(spec.function(image, target), spec.function(target, image), atol=1e-5, rtol=1e-5)
        worse, best = spec.function(image, target), spec.function(image, image)
        assert (worse < best).all() if spec.higher_is_better else (worse >= best).all()


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_an_images_value_does_not_depend_on_its_batch(seed):
    image, target = two_images(seed, 4, 3, 16, 17)
    for spec in METRICS:
        together = spec.function(image, target)
        assert together.shape == (4,)
        assert together.dtype == torch.float32
        alone = torch.cat([spec.function(image[k : k + 1], target[k : k + 1]) for k in range(4)])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_a_step_between_two_blocks_by_hand():
    """16 of the 32 neighbours at edges differ by .1, no others: D = .005, η = 3 / log2(16), BEF = .00375."""
    image = torch.zeros(1, 1, 16, 16)
    image[..., 8:] = 0.1
    assert psnr_b(image, image).item() == pytest.approx(-10 * math.log10(0.00375), abs=1e-4)
    assert psnr_b(image.transpose(2, 3), image.transpose(2, 3)).item() == pytest.approx(24.26, abs=0.005)
    off = psnr_b(image, image + 0.05)  # and a mean squared error of .0025
    assert off.item() == pytest.approx(-10 * math.log10(0.00625), abs=1e-4)
    assert psnr_b(image.expand(2, 3, -1, -1), image.expand(2, 3, -1, -1)).tolist() == pytest.approx(
        [24.26] * 2, abs=5e-3
    )


def test_a_side_that_is_no_multiple_of_a_block_by_hand():
    """16 rows of 20: 16 differences of .1 after column 7, and 16 (20 / 8 - 1) + 20 (16 / 8 - 1) = 44 counted."""
    image = torch.zeros(1, 1, 16, 20)
    image[..., 8:] = 0.1
    assert psnr_b(image, image).item() == pytest.approx(-10 * math.log10(0.75 * 0.16 / 44), abs=1e-4)


def test_steps_within_blocks_are_no_blocks():
    image = torch.zeros(1, 1, 16, 16)
    image[..., 4:] = 0.1
    assert psnr_b(image, image).item() == 100
    assert psnr_b(image, image + 0.1).item() == pytest.approx(20, abs=1e-4)


def test_blocks_count_in_the_result_alone():
    smooth, blocky = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    blocky[..., 8:] = 0.1
    assert psnr_b(smooth, blocky).item() == pytest.approx(psnr(smooth, blocky).item(), abs=1e-4)
    assert psnr_b(blocky, smooth).item() < psnr(blocky, smooth).item() - 1


@settings(max_examples=25, deadline=None)
@given(seeds, channels)
def test_psnr_b_is_never_above_psnr(seed, count):
    image, target = two_images(seed, 2, count, 19, 25)
    assert (psnr_b(image, target) <= psnr(image, target) + 1e-5).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 0.4))
def test_psnr_falls_by_six_decibels_where_the_error_doubles(difference):
    target = torch.zeros(1, 1, 3, 3)
    lost = psnr(target + difference, target) - psnr(target + 2 * difference, target)
    assert lost.item() == pytest.approx(20 * math.log10(2), abs=1e-3)


@pytest.mark.parametrize(
    ("size", "binary", "names"),
    [((64, 64), False, ["mse", "psnr", "ssim"]), ((11, 11), False, ["mse", "psnr", "ssim"]),
     ((10, 64), False, ["mse", "psnr"]), ((7, 5), True, ["mse", "psnr", "wrong"])],
)  # fmt: skip
def test_the_metrics_that_a_size_allows(size, binary, names):
    assert [spec.name for spec in metrics_for(size, binary)] == names
    for spec in metrics_for(size, binary):
        assert spec.function(torch.zeros(1, 1, *size), torch.zeros(1, 1, *size)).isfinite().all()


def test_every_metric_says_which_way_is_better_and_how_it_is_shown():
    assert {spec.name for spec in METRICS if spec.higher_is_better} == {"psnr", "psnr-b", "ssim"}
    assert METRICS["psnr"].unit == "dB"
    assert METRICS["ssim"].smallest_side == SSIM_WINDOW == 11
    assert all(spec.summary and spec.digits > 0 for spec in METRICS)
