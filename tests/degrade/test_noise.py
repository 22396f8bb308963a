"""Noise on every pixel: its moments, its laws and its limits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.degrade.base import Degradation, Range
from cuello.degrade.noise import Gaussian, NoDegradation, Poisson, Speckle, Uniform

seeds = st.integers(0, 2**31)
PIXELS = 100_000


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_of(degradation: Degradation, level: float, seed: int = 0) -> torch.Tensor:
    """What is added to an image of one grey level, in float64."""
    images = torch.full((1, 1, 100, PIXELS // 100), level)
    return degradation(images, random(seed)).double() - images.double()


@settings(max_examples=15, deadline=None)
@given(st.floats(1, 100), seeds)
def test_gaussian_noise_has_the_standard_deviation_asked_for(sigma, seed):
    noise = noise_of(Gaussian(sigma=sigma, clip=False), 0.5, seed) * 255 / sigma
    assert abs(noise.mean().item()) < 6 / PIXELS**0.5
    assert abs(noise.std().item() - 1) < 6 / (2 * PIXELS) ** 0.5
    within_one = (noise.abs() < 1).double().mean().item()
    assert abs(within_one - 0.6827) < 6 * (0.6827 * 0.3173 / PIXELS) ** 0.5


def test_gaussian_noise_says_its_level_in_units_of_white():
    images = torch.full((5, 1, 4, 4), 0.5)
    _, level, _ = Gaussian(sigma=Range(5, 50)).with_values(images, random(0))
    assert level is not None
    again = Gaussian(sigma=Range(5, 50), clip=False)(images, random(0))
    # the same draw: ranges come first, so that noise of the levels stated has been added
    noise = torch.randn(images.shape, generator=after_one_draw(0, (5, 1, 1, 1)))
    torch.testing.assert_close(again - images, noise * level)
    assert 5 / 255 <= level.min() < level.max() <= 50 / 255


def after_one_draw(seed: int, shape: tuple[int, ...]) -> torch.Generator:
    """A generator that has given so many uniform numbers."""
    generator = random(seed)
    torch.rand(shape, generator=generator)
    return generator


def test_gaussian_noise_scales_with_sigma_and_differs_by_channel():
    images = torch.full((2, 3, 16, 16), 0.5)
    one = Gaussian(sigma=10, clip=False)(images, random(0)) - images
    three = Gaussian(sigma=30, clip=False)(images, random(0)) - images
    torch.testing.assert_close(three, 3 * one, rtol=1e-4, atol=1e-6)
    assert not torch.equal(one[:, 0], one[:, 1])


def test_a_range_of_sigma_gives_every_image_its_own():
    images = torch.full((64, 1, 32, 32), 0.5)
    spread = (Gaussian(sigma=Range(0, 50), clip=False)(images, random(0)) - images).flatten(1).std(1) * 255
    assert spread.min() < 5
    assert spread.max() > 45
    assert spread.max() < 50 * 1.15


@settings(max_examples=15, deadline=None)
@given(st.floats(0.2, 1), st.floats(5, 1000), seeds)
def test_poisson_noise_counts_whole_photons_and_its_variance_is_its_mean(level, peak, seed):
    images = torch.full((1, 1, 100, PIXELS // 100), level)
    photons = Poisson(peak=peak, clip=False)(images, random(seed)).double() * peak
    assert (photons - photons.round()).abs().max() < 1e-3
    mean = level * peak
    assert abs(photons.mean().item() - mean) < 6 * (mean / PIXELS) ** 0.5 + 1e-4 * mean
    # The variance of a Poisson variable's sample variance is (mean + 2 mean²) / n.
    assert abs(photons.var().item() - mean) < 6 * ((mean + 2 * mean**2) / PIXELS) ** 0.5 + 1e-3 * mean


@settings(max_examples=15, deadline=None)
@given(st.floats(0.05, 5), st.floats(0.1, 1), seeds)
def test_speckle_is_in_proportion_to_the_brightness(sigma, level, seed):
    relative = noise_of(Speckle(sigma=sigma, clip=False), level, seed) / level / sigma
    assert abs(relative.mean().item()) < 6 / PIXELS**0.5
    assert abs(relative.std().item() - 1) < 6 / (2 * PIXELS) ** 0.5


@settings(max_examples=15, deadline=None)
@given(st.floats(1, 120), seeds)
def test_uniform_noise_stays_within_its_width(width, seed):
    share = noise_of(Uniform(width=width, clip=False), 0.5, seed) * 255 / width
    assert share.abs().max() <= 1 + 1e-4
    assert share.abs().max() > 0.99
    assert abs(share.mean().item()) < 6 / (3 * PIXELS) ** 0.5
    assert abs(share.var().item() - 1 / 3) < 6 * (4 / 45 / PIXELS) ** 0.5


@pytest.mark.parametrize("cls", [Poisson, Speckle])
def test_black_stays_black(cls):
    images = torch.zeros(1, 1, 8, 8)
    assert torch.equal(cls()(images, random(0)), images)


@pytest.mark.parametrize(
    ("cls", "strength"), [(Gaussian, 80.0), (Poisson, 3.0), (Speckle, 1.5), (Uniform, 120.0)], ids=str
)
def test_clipping_cuts_the_same_noise_to_the_range_of_a_file(cls, strength):
    images = torch.rand(2, 1, 32, 32, generator=random(1))
    free = cls(clip=False, **{cls.main: strength})(images, random(0))
    cut = cls(clip=True, **{cls.main: strength})(images, random(0))
    assert free.max() > 1
    assert torch.equal(cut, free.clamp(0, 1))


@pytest.mark.parametrize("cls", [Gaussian, Speckle, Uniform])
def test_no_strength_is_no_change(cls):
    images = torch.rand(1, 3, 8, 8, generator=random(1))
    assert torch.equal(cls(**{cls.main: 0})(images, random(0)), images)


def test_nothing_is_a_copy():
    images = torch.rand(1, 3, 8, 8, generator=random(1))
    same = NoDegradation()(images, random(0))
    assert torch.equal(same, images)
    assert same.data_ptr() != images.data_ptr()
