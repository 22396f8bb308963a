"""Batch normalisation with a last batch of one image: by the running averages, and said where there is no other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cuello
from cuello.core.errors import CuelloError
from cuello.data.batches import Batches
from cuello.data.images import Images
from cuello.training.norms import lone_images


def batches(count: int, batch_size: int) -> Batches:
    arrays = [np.zeros((4, 4, 1), np.uint8)] * count
    return Batches(
        Images("flat", arrays, [str(number) for number in range(count)]), np.arange(count), batch_size=batch_size
    )


def test_an_image_alone_is_normalised_by_the_running_averages_and_leaves_them() -> None:
    norm = nn.BatchNorm1d(1, eps=1e-9, momentum=0.5)
    with lone_images(norm, batches(3, 2)):
        pair = norm(torch.tensor([[1.0], [5.0]]))  # mean 3, variance 4, unbiased 8
        alone = norm(torch.tensor([[7.5]]))  # averages: mean 1.5, variance (1 + 8) / 2 = 4.5
        again = norm(torch.tensor([[1.0], [5.0]]))
    torch.testing.assert_close(pair.detach(), torch.tensor([[-1.0], [1.0]]))
    torch.testing.assert_close(alone.detach(), torch.tensor([[6 / 4.5**0.5]]))
    torch.testing.assert_close(again.detach(), pair.detach())
    torch.testing.assert_close(norm.running_mean, torch.tensor([2.25]))  # of the two pairs alone
    torch.testing.assert_close(norm.running_var, torch.tensor([6.25]))
    assert norm.training
    assert not norm._forward_pre_hooks


def test_one_image_of_several_pixels_is_a_batch_like_any_other() -> None:
    norm, plain = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    x = torch.rand(1, 2, 3, 3)
    with lone_images(norm, batches(3, 2)):
        given = norm(x)
    assert torch.equal(given, plain(x))


def test_a_frozen_layer_stays_frozen() -> None:
    network = nn.Sequential(nn.BatchNorm1d(1), nn.BatchNorm1d(1).eval())
    with lone_images(network, batches(3, 2)):
        network(torch.rand(1, 1))
    assert [layer.training for layer in network] == [True, False]


@pytest.mark.parametrize(("count", "batch_size", "averages"), [(3, 1, True), (1, 2, True), (3, 2, False)])
def test_without_averages_of_larger_batches_it_is_an_error(count: int, batch_size: int, averages: bool) -> None:
    layer = nn.BatchNorm1d(1, track_running_stats=averages)
    with lone_images(layer, batches(count, batch_size)), pytest.raises(CuelloError, match=f"batch_size={batch_size}"):
        layer(torch.rand(1, 1))


def test_a_classifier_trains_on_one_image_more_than_its_batches_hold(tmp_path: Path) -> None:
    run = cuello.train(
        "classify", "glyphs", samples=9, batch_size=8, epochs=1, output=tmp_path / "run", report=False, threads=1
    )
    assert [record.images for record in run.history] == [9]
