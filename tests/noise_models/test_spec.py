"""What was measured becomes the noise that a training takes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.degrade import parse
from cuello.degrade.camera import Camera
from cuello.noise_models.estimate import estimate_noise
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.spec import camera_spec, kernel_width

RANGES = [(0.0, 255.0), (80.0, 600.0), (-1.5, 2.0), (0.0, 65535.0)]


@given(
    st.floats(0, 30), st.floats(0, 20), st.floats(-20, 60), st.sampled_from(RANGES)
)  # in 255ths of the range, as a camera of that range would have it
def test_the_noise_has_the_variance_of_the_model_at_every_brightness(gain, read, offset, limits):
    low, high = limits
    unit = (high - low) / 255
    base = (read * unit) ** 2 - gain * unit * (low + offset * unit)
    if gain == 0:
        base = max(base, 0.0)
    model = NoiseModel(gain * unit, base)
    camera = parse(camera_spec(model, limits))
    assert isinstance(camera, Camera)
    values = np.linspace(low, high, 50)
    light = np.maximum((values - low) / unit - camera.offset, 0)  # pyright: ignore[reportOperatorIssue]
    variance = (camera.gain * light + camera.read**2) * unit**2  # pyright: ignore[reportOperatorIssue]
    np.testing.assert_allclose(variance, model.variance(values), rtol=1e-3, atol=1e-3 * model.variance(values).max())


def test_spec_strings_name_what_is_there():
    assert camera_spec(NoiseModel(0, 100), (0, 510), stripes=(4, 2)) == "camera:0,read=5,rows=2,columns=1"
    assert camera_spec(NoiseModel(3, -75), (0, 255), neighbour=0.3) == (
        f"camera:3,read=0,offset=25,correlated={kernel_width(0.3):.6g}"
    )
    with pytest.raises(CuelloError, match=r"the range 5\.\.5"):
        camera_spec(NoiseModel(1, 0), (5, 5))


@pytest.mark.parametrize("neighbour", [0.01, 0.1, 0.3, 0.6, 0.9])
def test_the_kernel_gives_neighbours_the_correlation_asked_for(neighbour):
    images = torch.full((1, 1, 600, 600), 0.5)
    camera = Camera(gain=0, read=10, correlated=kernel_width(neighbour), clip=False)
    noise = (camera(images, generator(0, "spec")) - images).double()
    found = float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())
    spread = (1 + 4 * math.pi * kernel_width(neighbour) ** 2) / 600  # √(Σ a²) is about that many pixels
    assert abs(found - neighbour) < 4 * spread


def test_kernels_for_no_correlation_and_for_too_much_of_it():
    assert kernel_width(0) == kernel_width(-0.2) == 0
    assert kernel_width(0.9999) == 10
    with pytest.raises(CuelloError, match="needed one below 1"):
        kernel_width(1.0)


def test_what_is_measured_in_a_cameras_images_is_that_camera():
    ramp = torch.linspace(0.1, 0.9, 256).expand(2, 1, 256, 256).contiguous()
    noisy = parse("camera:2,read=6,offset=10,clip=no")(ramp, generator(1, "spec"))
    model = estimate_noise(list((noisy[:, 0] * 900 + 100).numpy())).model
    camera = parse(camera_spec(model, (100, 1000)))
    assert isinstance(camera, Camera)
    assert abs(camera.gain / 2 - 1) < 0.1  # pyright: ignore[reportOperatorIssue]
    levels = np.array([30, 128, 220])
    found = camera.gain * (levels - camera.offset) + camera.read**2  # pyright: ignore[reportOperatorIssue]
    np.testing.assert_allclose(found, 2 * (levels - 10) + 36, rtol=0.1)
