"""What is flat stays as it came, whatever a network makes of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cuello.inference.flat import FLAT, OWN_ERROR, keep_flat
from cuello.inference.model import load

READY = ("denoise", "upscale-x2", "upscale-x4")


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("value", [0, 1, 300, 40_000, 65_535])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (33, 47)])
def test_a_flat_frame_keeps_its_value(name: str, value: int, shape: tuple[int, int]) -> None:
    model = load(name)
    result = model(np.full(shape, value, np.uint16))
    assert result.shape == (model.scale * shape[0], model.scale * shape[1])
    assert (result == value).all()


@pytest.mark.parametrize("name", READY)
def test_black_stays_black_beside_a_picture(name: str) -> None:
    model = load(name)
    image = np.zeros((64, 96, 3), np.uint16)
    image[:, 48:] = np.random.default_rng(0).integers(0, 65_536, (4, 3, 3)).repeat(16, 0).repeat(16, 1)
    result = model(image)
    assert (result[:, : model.scale * 36] == 0).all()
    assert result[:, model.scale * 60 :].std() > 1000


def test_what_varies_is_the_networks() -> None:
    x = torch.rand(1, 2, 30, 40)
    made = (x + 0.01).clamp(0, 1)
    assert torch.equal(keep_flat(x, made, 8), made)


def test_between_flat_and_not_the_change_grows_with_the_span() -> None:
    x = torch.full((1, 1, 41, 41), 0.5)
    x[0, 0, 20, 20] += FLAT / 4
    result = keep_flat(x, x + 0.04, 8)
    assert result[0, 0, 20, 20] == pytest.approx(0.5 + FLAT / 4 + 0.01, abs=1e-6)  # a quarter of the change
    assert result[0, 0, 28, 28] == pytest.approx(0.51, abs=1e-6)  # as far as eight pixels, corners among them
    assert torch.equal(result[0, 0, 29:], x[0, 0, 29:])


def test_a_large_change_of_a_flat_part_is_what_the_network_was_trained_for() -> None:
    hole = torch.zeros(1, 1, 30, 30)
    filled = hole + 2 * OWN_ERROR
    assert torch.equal(keep_flat(hole, filled, 8), filled)


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), reach=st.integers(0, 9), seed=st.integers(0, 99),
    patch=st.integers(1, 30),
)  # fmt: skip
def test_flat_pixels_are_those_whose_whole_neighbourhood_is(
    height: int, width: int, reach: int, seed: int, patch: int
) -> None:
    random = np.random.default_rng(seed)
    x = random.random((height, width)).round(1).astype(np.float32)
    x[:patch, :patch] = 0.5
    made = np.abs(x - 0.01)
    expected = made.copy()
    for row in range(height):
        for column in range(width):
            around = x[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
            if reach and around.max() == around.min():
                expected[row, column] = x[row, column]
    result = keep_flat(torch.from_numpy(x)[None, None], torch.from_numpy(made)[None, None], reach)
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-7)
