"""DnCNN in any size."""

import pydantic
import pytest
import torch
from torch import nn

from cuello.models.geometry import measure_receptive_field
from cuello.models.residual import ResidualConfig, ResidualNetwork


@pytest.mark.parametrize(
    ("channels", "depth", "width", "numbers"),
    # first with bias; depth - 2 without, each with a batch normalisation of two numbers a channel; last with bias
    [(1, 17, 64, 556_097), (3, 20, 64, 669_379), (1, 2, 4, 9 * 4 + 4 + 9 * 4 + 1), (1, 3, 2, 20 + 36 + 4 + 19)],
)
def test_size(channels: int, depth: int, width: int, numbers: int) -> None:
    network = ResidualNetwork(ResidualConfig(channels=channels, depth=depth, width=width))
    assert sum(p.numel() for p in network.parameters()) == numbers
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) == depth
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == depth - 2


def test_training_begins_from_the_input_as_it_is() -> None:
    network = ResidualNetwork(ResidualConfig(channels=3, depth=4, width=4))
    last = network.layers[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    x = torch.rand(2, 3, 7, 9)
    assert torch.equal(network(x).image, x)


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_the_declared_receptive_field_is_the_measured_one(depth: int) -> None:
    network = ResidualNetwork(ResidualConfig(channels=1, depth=depth, width=2))
    for parameter in network.parameters():
        parameter.data.fill_(0.1)  # no ReLU swallows anything
    assert measure_receptive_field(network, 1, 1) == network.receptive_field == 2 * depth + 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 8), (13, 2)])
def test_any_size_will_do(height: int, width: int) -> None:
    network = ResidualNetwork(ResidualConfig(channels=3, depth=3, width=2)).eval()
    assert network.stride == 1
    assert network(torch.rand(1, 3, height, width)).image.shape == (1, 3, height, width)


def test_the_noise_is_taken_off() -> None:
    network = ResidualNetwork(ResidualConfig(channels=1, depth=2, width=1))
    first, last = network.layers[0], network.layers[-1]
    with torch.no_grad():
        for layer in (first, last):
            layer.weight.zero_()  # type: ignore[union-attr,operator]
            layer.weight[0, 0, 1, 1] = 0.5  # type: ignore[index]
            layer.bias.zero_()  # type: ignore[union-attr,operator]
    x = torch.tensor([[[[0.0, 0.4, 1.0]]]])
    assert network(x).image.flatten().tolist() == pytest.approx([0.0, 0.3, 0.75])  # x - x / 4


@pytest.mark.parametrize("settings", [{"depth": 1}, {"width": 0}, {"channels": 0}, {"kernel": 3}])
def test_settings_out_of_limits_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(pydantic.ValidationError):
        ResidualConfig.model_validate(settings)
