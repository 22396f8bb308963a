"""Blur against SciPy's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from cuello.degrade.base import Range
from cuello.degrade.optics import Blur, gaussian_kernels


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 8), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]), st.integers(0, 1000))
def test_blur_is_scipys_with_edges_repeated(sigma, height, width, channels, seed):
    images = torch.rand(2, channels, height, width, generator=random(seed))
    expected = gaussian_filter(images.numpy().astype(np.float64), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    np.testing.assert_allclose(Blur(sigma=sigma)(images, random()).numpy(), expected, atol=2e-5)


def test_a_kernel_by_hand():
    # Weights 1 and exp(-1/2) to either side, over their sum 1 + 2 · 0.60653 = 2.21306.
    kernel = gaussian_kernels(torch.tensor([1.0]), radius=1)
    torch.testing.assert_close(kernel, torch.tensor([[0.274069, 0.451863, 0.274069]]), atol=1e-6, rtol=0)


def test_no_blur_is_no_change():
    images = torch.rand(2, 3, 9, 7, generator=random())
    assert torch.equal(Blur(sigma=0)(images, random()), images)


@pytest.mark.parametrize("sigma", [0.5, 3, 50])
def test_one_grey_level_stays_it(sigma):
    images = torch.full((1, 3, 9, 7), 0.3)
    torch.testing.assert_close(Blur(sigma=sigma)(images, random()), images, atol=1e-5, rtol=0)


def test_every_image_of_a_batch_has_its_own_sigma():
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1
    spread = Blur(sigma=Range(0.5, 3))(point.expand(50, 1, 41, 41), random())
    offsets = (torch.arange(41) - 20.0) ** 2
    sigmas = (spread[:, 0].sum(1) * offsets).sum(1).sqrt()
    assert sigmas.min() < 0.8
    assert sigmas.max() > 2.6
    assert sigmas.max() < 3.01


def test_rounded_blur_has_the_values_of_a_file_of_8_bits() -> None:
    images = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    plain, rounded = (Blur(sigma=1.3, rounded=yes)(images, torch.Generator()) for yes in (False, True))
    assert torch.equal(rounded, (plain * 255).round() / 255)
    assert Blur(sigma=Range(0.5, 2.5), rounded=True).spec() == "blur:0.5..2.5,rounded=yes"
