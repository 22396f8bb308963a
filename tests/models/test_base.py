"""Noise levels estimated, and told only to networks that take them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import cuello
from cuello.data.images import Images
from cuello.degrade import parse
from cuello.degrade.level import estimated_level
from cuello.jobs.images.evaluated import evaluated_images
from cuello.jobs.images.evaluation import evaluate_model
from cuello.jobs.images.pairs import Task
from cuello.models.base import ImageNetwork


class Told(ImageNetwork):
    conditioning = "level"


def noisy(sigma: float, seed: int = 0, channels: int = 1, side: int = 64) -> Tensor:
    shape = (1, channels, side, side)
    return 0.5 + sigma * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(st.floats(0.01, 0.2), st.integers(0, 1000))
def test_the_noise_of_a_flat_image_is_found(sigma: float, seed: int) -> None:
    assert float(estimated_level(noisy(sigma, seed))) == pytest.approx(sigma, rel=0.15)


def test_an_edge_is_hardly_taken_for_noise() -> None:
    image = noisy(0.02)
    image[..., 20:40, 30:] += 0.4
    assert float(estimated_level(image)) == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 1)])
def test_the_smallest_images_give_a_number(size: tuple[int, int]) -> None:
    level = estimated_level(torch.rand(1, 3, *size))
    assert torch.isfinite(level).all()
    assert level >= 0


def test_a_black_image_has_no_noise() -> None:
    assert float(estimated_level(torch.zeros(1, 3, 16, 16))) == 0


def test_only_networks_that_take_a_level_are_told_it() -> None:
    x = noisy(0.1)
    assert ImageNetwork().condition(x, torch.full((1, 1, 1, 1), 0.3)) is None
    told = Told().condition(x, torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64))
    assert told is not None
    assert told.dtype == torch.float32
    assert told.tolist() == [[[[pytest.approx(0.3)]]]]
    guessed = Told().condition(x)
    assert guessed is not None
    assert torch.equal(guessed, estimated_level(x))


@pytest.mark.parametrize(("noise", "knows"), [("gaussian:20", True), ("salt-pepper:0.2", False)])
def test_an_evaluation_says_that_the_network_is_told_the_level(noise: str, knows: bool) -> None:
    images = Images("flat", [np.full((16, 16, 1), 99, np.uint8)] * 2, ["a", "b"])
    task = Task("denoise", parse(noise))
    found = evaluate_model(cuello.load("denoise"), task, evaluated_images(images), baselines=["input"])
    assert ("told" in found.protocol) == knows
