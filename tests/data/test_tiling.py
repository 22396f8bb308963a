"""Tiles cover every pixel once, and a network run in tiles gives what it gives for the whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from cuello.data.tiling import run_tiled, tiles_along

strides = st.sampled_from([1, 2, 4, 8])


@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 40), strides)
def test_every_pixel_is_kept_once_and_read_with_enough_around_it(length, tiles, reach, stride):
    kept = np.zeros(length, int)
    for tile in tiles_along(length, tiles * stride, reach, stride):
        kept[tile.keep_start : tile.keep_stop] += 1
        assert 0 <= tile.start <= tile.keep_start < tile.keep_stop <= tile.stop <= length
        assert tile.start <= max(tile.keep_start - reach, 0)
        assert tile.stop >= min(tile.keep_stop + reach, length)
        assert tile.start % stride == 0
        assert tile.stop % stride == 0 or tile.stop == length
        assert tile.keep_stop - tile.keep_start <= tiles * stride
    assert (kept == 1).all()


def test_tiles_by_hand():
    assert [tuple(tile) for tile in tiles_along(10, tile=4, reach=1, stride=1)] == [
        (0, 5, 0, 4),
        (3, 9, 4, 8),
        (7, 10, 8, 10),
    ]


class PoolConvolveEnlarge(nn.Module):
    """Convolution, pooling, convolution, enlargement: a small network with a stride and a known reach."""

    def __init__(self, kernel: int, stride: int, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        self.stride = stride
        self.first = nn.Conv2d(2, 3, kernel, padding="same", padding_mode="zeros")
        self.second = nn.Conv2d(3, 2, kernel, padding="same", padding_mode="zeros")
        # Either convolution reaches kernel // 2, the second on a grid coarser by the stride; pooling adds a cell.
        self.reach = kernel // 2 + (kernel // 2) * stride + stride - 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = functional.max_pool2d(self.first(x).relu(), self.stride) if self.stride > 1 else self.first(x)
        return functional.interpolate(self.second(small), scale_factor=float(self.stride))

    def on_array(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
            return self(x)[0].permute(1, 2, 0).numpy()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 3, 5, 7]), st.sampled_from([1, 2, 4]), st.integers(1, 12), st.integers(1, 12),
    st.integers(1, 6), st.integers(0, 1000),
)  # fmt: skip
def test_tiled_is_whole_for_convolutions_and_pooling(kernel, stride, rows, columns, tile, seed):
    network = PoolConvolveEnlarge(kernel, stride, seed)
    image = np.random.default_rng(seed).random((rows * stride, columns * stride, 2), dtype=np.float32)
    out = np.full_like(image, np.nan)
    result = run_tiled(network.on_array, image, out, tile=tile * stride, reach=network.reach, stride=stride)
    assert result is out
    np.testing.assert_allclose(out, network.on_array(image), atol=1e-5)


def test_too_small_a_reach_would_show():
    network = PoolConvolveEnlarge(kernel=5, stride=1, seed=0)
    image = np.random.default_rng(0).random((24, 24, 2), dtype=np.float32)
    out = run_tiled(network.on_array, image, np.empty_like(image), tile=8, reach=1, stride=1)
    assert np.abs(out - network.on_array(image)).max() > 1e-3


def test_progress_counts_tiles_to_the_last():
    image = np.zeros((10, 7, 1), np.uint8)
    calls: list[tuple[float, float]] = []
    run_tiled(
        lambda tile: tile + 1, image, np.zeros_like(image), tile=4, reach=1, stride=1,
        progress=lambda event: calls.append((event.done, event.total)),
    )  # fmt: skip
    assert calls == [(k, 6) for k in range(1, 7)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_input_is_left_as_it_is(dtype):
    image = np.arange(63).reshape(9, 7, 1).astype(dtype)
    before = image.copy()
    out = run_tiled(lambda tile: tile * 2, image, np.empty_like(image), tile=4, reach=2, stride=1)
    np.testing.assert_array_equal(out, image * 2)
    np.testing.assert_array_equal(image, before)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 4), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]), st.integers(1, 12), st.integers(1, 12),
    st.integers(1, 6),
)  # fmt: skip
def test_tiled_is_whole_where_the_result_is_larger(scale, kernel, stride, rows, columns, tile):
    network = PoolConvolveEnlarge(kernel, stride, seed=3)

    def larger(image):
        return network.on_array(image).repeat(scale, axis=0).repeat(scale, axis=1)

    image = np.random.default_rng(0).random((rows * stride, columns * stride, 2), dtype=np.float32)
    out = np.full((scale * rows * stride, scale * columns * stride, 2), np.nan, np.float32)
    run_tiled(larger, image, out, tile=tile * stride, reach=network.reach, stride=stride)
    np.testing.assert_allclose(out, larger(image), atol=1e-5)
