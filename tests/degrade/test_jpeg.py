"""JPEG artefacts against Pillow's encoder, used directly."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from cuello.core.errors import CuelloError
from cuello.degrade.base import Range
from cuello.degrade.jpeg import Jpeg


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def colour() -> np.ndarray:
    """A piece of a photograph, ``(H, W, 3)`` uint8, of odd size."""
    return data.astronaut()[40:171, 180:291]


def as_images(*pixels: np.ndarray) -> torch.Tensor:
    return torch.stack([torch.from_numpy(image.copy()).permute(2, 0, 1) / 255 for image in pixels])


def through_pillow(pixels: np.ndarray, **options) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize(("chroma", "subsampling"), [("half", 2), ("full", 0)])
@pytest.mark.parametrize("quality", [5, 30, 95])
def test_colour_is_what_the_encoder_makes_of_it(colour, quality, chroma, subsampling):
    expected = through_pillow(colour, quality=quality, subsampling=subsampling)
    degraded = Jpeg(quality=quality, chroma=chroma)(as_images(colour), random())
    assert torch.equal((degraded * 255).round(), as_images(expected) * 255)


def test_grey_is_what_the_encoder_makes_of_it(colour):
    grey = colour[:, :, 1]
    expected = through_pillow(grey, quality=20)
    degraded = Jpeg(quality=20)(as_images(grey[:, :, None]), random())
    assert torch.equal((degraded * 255).round(), as_images(expected[:, :, None]) * 255)


def test_lower_quality_is_worse(colour):
    images = as_images(colour)
    errors = [(Jpeg(quality=quality)(images, random()) - images).square().mean() for quality in (100, 60, 20, 1)]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1] / 10


def test_every_image_of_a_batch_has_its_own_quality(colour):
    images = as_images(*[colour] * 24)
    errors = (Jpeg(quality=Range(1, 100))(images, random()) - images).square().flatten(1).mean(1)
    assert errors.max() > 10 * errors.min()


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(CuelloError, match="got images of 4 channels, needed 1 or 3"):
        Jpeg()(torch.zeros(1, 4, 8, 8), random())
