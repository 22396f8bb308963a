"""Codes of somebody's images as points on axes of their own."""

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import cuello
from cuello.core.errors import CuelloError
from cuello.data.synthetic import glyphs
from cuello.inference.model import Model


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A network with codes of two numbers."""
    settings: dict[str, Any] = {"epochs": 1, "device": "cpu", "threads": 1, "report": False}
    folder = tmp_path_factory.mktemp("plot")
    return cuello.load(cuello.train("reconstruct", "glyphs", model="mlp:35-8-2", output=folder / "two", **settings))


def test_points_are_the_codes(two: Model) -> None:
    images = glyphs().images
    axes = Figure().subplots()
    assert cuello.latent.plot(two, images, [k % 2 for k in range(32)], ax=axes) is axes
    even, odd = axes.collections
    codes = two.encode(images)
    assert np.allclose(even.get_offsets(), codes[::2])
    assert np.allclose(odd.get_offsets(), codes[1::2])
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1"]
    assert axes.get_xlabel() == "first number of the code"


def test_images_of_any_kind_with_or_without_labels(two: Model) -> None:
    images = torch.from_numpy(glyphs().images).permute(0, 3, 1, 2)
    bare = cuello.latent.plot(two, list(images)).axes[0]
    assert len(bare.collections) == 1
    assert bare.get_legend() is None
    named = cuello.latent.plot(two, "glyphs").axes[0]
    assert len(named.texts) == 32, "more names than colours can tell apart stand at their points"
    assert cuello.latent.plot(two, "glyphs", most=5).axes[0].get_title() == "codes of 5 images"


def test_the_way_to_two_numbers_is_said(two: Model) -> None:
    axes = cuello.latent.plot(two, "glyphs", method="pca").axes[0]
    assert axes.get_ylabel() == "second principal component"
    assert axes.get_title() == "codes of 32 images, which hold 100% of the variance"


def test_a_network_without_a_code() -> None:
    model = cuello.load("upscale-x2")
    with pytest.raises(CuelloError, match="has no code in its middle"):
        cuello.latent.plot(model, np.zeros((3, 20, 20), np.uint8))
