"""The noise of a camera: its moments at each brightness, what neighbours, rows and columns share."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.seeding import generator
from cuello.degrade import parse
from cuello.degrade.base import Range
from cuello.degrade.camera import Camera
from cuello.degrade.noise import Gaussian

HEIGHT, WIDTH = 200, 500
PIXELS = HEIGHT * WIDTH


def noise_of(camera: Camera, level: float, seed: int = 0) -> torch.Tensor:
    """What is added to an image of one value of 255, in that unit and in float64, ``(H, W)``."""
    images = torch.full((1, 1, HEIGHT, WIDTH), level / 255)
    return ((camera(images, generator(seed, "camera")).double() - images.double()) * 255)[0, 0]


def kernel_of(sigma: float) -> torch.Tensor:
    offset = torch.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1).double()
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    return kernel / kernel.square().sum().sqrt()


def shared(kernel: torch.Tensor, lag: int) -> float:
    """Autocorrelation of white noise that a kernel has filtered."""
    return float((kernel[lag:] * kernel[: len(kernel) - lag]).sum()) if lag < len(kernel) else 0.0


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 30), st.floats(0, 20), st.sampled_from([0, 10, 60, 128, 250]), st.integers(0, 2**31))
def test_the_mean_is_kept_and_the_variance_is_gain_times_value_plus_read_squared(gain, read, level, seed):
    noise = noise_of(Camera(gain=gain, read=read, clip=False), level, seed)
    variance = gain * level + read**2
    assert abs(noise.mean().item()) <= 6 * math.sqrt(variance / PIXELS) + 1e-4
    # The fourth cumulant is gain³ x (Poisson) and 0 (Gaussian), so the sample variance spreads by this:
    spread = math.sqrt((gain**3 * level + 2 * variance**2) / PIXELS)
    assert abs(noise.square().mean().item() - variance) <= 6 * spread + 1e-4


def test_photons_are_counted_from_the_offset():
    camera = Camera(gain=5, read=0, offset=50, clip=False)
    noise = noise_of(camera, 90)
    photons = (noise + 40) / 5
    assert (photons - photons.round()).abs().max() < 1e-3
    assert abs(photons.mean().item() - 8) < 6 * math.sqrt(8 / PIXELS)
    assert abs(photons.var().item() - 8) < 6 * math.sqrt((8 + 2 * 64) / PIXELS)
    assert noise_of(camera, 50).abs().max() == 0
    assert noise_of(camera, 20).abs().max() == 0  # no photons below what no light gives
    dark = noise_of(Camera(gain=5, read=3, offset=50, clip=False), 20)
    assert abs(dark.var().item() - 9) < 6 * 9 * math.sqrt(2 / PIXELS)


@pytest.mark.parametrize("gain", [0, 1e-9])
def test_without_gain_it_is_gaussian_noise(gain):
    noise = noise_of(Camera(gain=gain, read=10, clip=False), 128)
    assert abs(noise.std().item() / 10 - 1) < 6 / math.sqrt(2 * PIXELS)
    fourth = (noise / 10).pow(4).mean().item()
    assert abs(fourth - 3) < 6 * math.sqrt(96 / PIXELS)


def test_very_many_photons_are_counted_too():
    noise = noise_of(Camera(gain=1e-4, read=0, clip=False), 200)
    assert abs(noise.var().item() / 0.02 - 1) < 6 * math.sqrt(2 / PIXELS) + 1e-3


@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.5, 3.0])
def test_the_autocorrelation_of_correlated_noise_is_that_of_its_kernel(sigma):
    noise = noise_of(Camera(gain=2, read=5, correlated=sigma, clip=False), 100)
    variance, kernel = 225, kernel_of(sigma)
    # The mean of n products of Gaussian values with the autocorrelation a spreads by √(2 Σ a² / n) at most.
    spread = math.sqrt(2 * sum(shared(kernel, abs(lag)) ** 2 for lag in range(-40, 41)) ** 2 / PIXELS)
    assert abs(noise.mean().item()) < 6 * math.sqrt(variance / PIXELS) * float(kernel.sum()) ** 2
    assert abs(noise.square().mean().item() / variance - 1) < 6 * spread
    for down, right in ((0, 1), (1, 0), (1, 1), (0, 2), (3, 1), (0, 6)):
        found = (noise[down:, right:] * noise[: HEIGHT - down, : WIDTH - right]).mean().item() / variance
        assert abs(found - shared(kernel, down) * shared(kernel, right)) < 6 * spread, (down, right)


def test_correlated_noise_has_its_variance_at_every_pixel_of_an_edge_and_of_the_border():
    images = torch.full((1, 1, 12, 16), 20 / 255)
    images[..., 8:] = 220 / 255
    many = images.expand(4000, 1, 12, 16).contiguous()
    noise = (Camera(gain=2, read=4, correlated=1.2, clip=False)(many, generator(3, "camera")) - many).double() * 255
    expected = 2 * images[0, 0].double() * 255 + 16
    # few photons are not quite Gaussian: a fourth cumulant of gain³ x at most
    spread = torch.sqrt((8 * images[0, 0].double() * 255 + 2 * expected**2) / 4000)
    assert ((noise.square().mean(0)[0] - expected).abs() < 6 * spread).all()
    assert (noise.mean(0)[0].abs() < 6 * (expected / 4000).sqrt()).all()


def test_a_kernel_of_no_width_leaves_noise_white():
    images = torch.full((2, 1, 40, 40), 0.4)
    free = Camera(gain=3, read=2, correlated=Range(0, 1e-3), clip=False)(images, generator(1, "camera"))
    noise = (free - images).double()[:, 0] * 255
    assert abs(noise.var().item() / (3 * 102 + 4) - 1) < 0.2
    neighbour = (noise[:, :, 1:] * noise[:, :, :-1]).mean().item() / (3 * 102 + 4)
    assert abs(neighbour) < 6 / math.sqrt(2 * 40 * 39)


@pytest.mark.parametrize(("name", "along", "across"), [("rows", -1, -2), ("columns", -2, -1)])
def test_rows_and_columns_share_a_number_that_adds_to_the_variance(name, along, across):
    images = torch.full((3, 2, 300, 300), 0.5)
    values = {"gain": 0, "read": 0, name: 6, "clip": False}
    noise = (Camera.model_validate(values)(images, generator(2, "camera")) - images).double() * 255
    one = noise.narrow(along, 0, 1)
    assert (noise - one).abs().max() < 1e-4
    assert abs(one.var().item() / 36 - 1) < 6 * math.sqrt(2 / one.numel())
    shifted = one.narrow(across, 1, 299) * one.narrow(across, 0, 299)
    assert abs(shifted.mean().item() / 36) < 6 / math.sqrt(one.numel())
    assert not torch.equal(one[0, 0], one[0, 1])
    both = (Camera.model_validate(values | {"read": 8})(images, generator(2, "camera")) - images).double() * 255
    assert abs(both.var().item() / 100 - 1) < 6 * 0.36 * math.sqrt(2 / one.numel())


def test_of_one_camera_only_the_read_noise_is_that_of_gaussian():
    spec = parse("camera:0,read=25,clip=no")
    ours = noise_of(spec, 128, 1)  # pyright: ignore[reportArgumentType]
    images = torch.full((1, 1, HEIGHT, WIDTH), 128 / 255)
    theirs = (Gaussian(sigma=25, clip=False)(images, generator(1, "camera")) - images).double()[0, 0] * 255
    levels = torch.linspace(0.01, 0.99, 25).double()
    assert (ours[:, :200].quantile(levels) - theirs[:, :200].quantile(levels)).abs().max() < 2


def test_clipping_cuts_the_same_noise_to_the_range_of_a_file():
    images = torch.rand(2, 3, 24, 24, generator=generator(4, "camera"))
    text = "camera:20,read=30,offset=5,correlated=0.8,rows=4,columns=3"
    free, cut = (parse(text + more)(images, generator(0, "camera")) for more in (",clip=no", ""))
    assert free.min() < 0
    assert free.max() > 1
    assert torch.equal(cut, free.clamp(0, 1))
