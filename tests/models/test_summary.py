"""What a network consists of, against numbers worked by hand."""

import pytest
import torch
from torch import Tensor, nn

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.convolutional import ConvolutionalAutoencoder, ConvolutionalConfig
from cuello.models.summary import count, summarise


class Two(ImageNetwork):
    """A convolution of 3×3, one of 1×1 that is frozen, and a batch normalisation."""

    channels = 3
    stride = 4
    receptive_field = 3

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(8, 3, 1, bias=False).requires_grad_(False)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        return Output(self.norm(self.head(self.body(x))))


def test_layers_by_hand() -> None:
    summary = summarise(Two(), 3, (8, 12))
    rows = {layer.path: layer for layer in summary.layers}
    assert list(rows) == ["body.0", "body.1", "head", "norm"]
    first, head, norm = rows["body.0"], rows["head"], rows["norm"]
    assert (first.kind, first.shape, first.trainable, first.frozen) == ("Conv2d", (8, 8, 12), 3 * 8 * 9 + 8, 0)
    assert first.multiply_adds == 3 * 8 * 9 * 96
    assert (head.trainable, head.frozen, head.multiply_adds) == (0, 24, 24 * 96)
    assert (norm.trainable, norm.frozen) == (6, 3 + 3 + 1), "running mean, variance and count"
    assert (summary.trainable, summary.frozen) == (224 + 6, 24 + 7)
    assert summary.multiply_adds == (216 + 24) * 96
    assert summary.multiply_adds_a_pixel == 240
    assert (summary.stride, summary.receptive_field) == (4, 3)


def test_sizes_are_brought_to_the_stride() -> None:
    assert summarise(Two(), 3, (9, 12)).size == (12, 12)


def test_the_network_is_left_as_it_was() -> None:
    network = Two().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    summarise(network, 3)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_failing_network_is_left_without_hooks_too() -> None:
    network = Two().train()
    network.channels = 1
    with pytest.raises(RuntimeError):
        summarise(network, 1)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_the_sources_denoiser() -> None:
    summary = summarise(ConvolutionalAutoencoder(ConvolutionalConfig()), 3, (64, 64))
    assert summary.trainable == 2793
    assert summary.receptive_field == 13
    assert sum(layer.trainable for layer in summary.layers) == 2793


def test_count_with_and_without_inner_modules() -> None:
    assert count(Two()) == (230, 31)
    assert count(Two(), recurse=False) == (0, 0)
    assert count(nn.BatchNorm2d(3), recurse=False) == (6, 7)
