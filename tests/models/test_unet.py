"""The U-Net: sizes, residual learning, receptive field, refusals."""

import itertools

import pydantic
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.models.geometry import measure_receptive_field
from cuello.models.unet import DoubleConvolution, UNet, UNetConfig


def parameters(width: int, depth: int, channels: int) -> int:
    """Count by hand: 3×3 convolutions with bias down and up, one enlarging convolution a level, a last 1×1."""

    def convolution(a: int, b: int, side: int = 3) -> int:
        return a * b * side * side + b

    widths = [width * 2**level for level in range(depth + 1)]
    total, before = 0, channels
    for here in widths:
        total += convolution(before, here) + convolution(here, here)
        before = here
    for fine, coarse in itertools.pairwise(widths):
        total += convolution(coarse, fine) + convolution(2 * fine, fine) + convolution(fine, fine)
    return total + convolution(width, channels, 1)


@pytest.mark.parametrize(("width", "depth", "channels"), [(4, 1, 1), (8, 2, 3), (2, 3, 3), (3, 5, 1)])
def test_size(width: int, depth: int, channels: int) -> None:
    network = UNet(UNetConfig(channels=channels, width=width, depth=depth))
    assert sum(p.numel() for p in network.parameters()) == parameters(width, depth, channels)
    assert network.stride == 2**depth
    x = torch.rand(2, channels, 2 * network.stride, network.stride)
    output = network(x)
    assert output.image.shape == x.shape
    assert output.latent.shape == (2, width * 2**depth, 2, 1)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_training_begins_from_the_input_as_it_is(depth: int) -> None:
    network = UNet(UNetConfig(channels=3, width=4, depth=depth))
    with torch.no_grad():
        assert network.last.bias is not None
        network.last.bias.zero_()
    x = torch.rand(1, 3, 16, 24)
    assert torch.equal(network(x).image, x)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_declared_receptive_field_is_the_measured_one(depth: int) -> None:
    torch.manual_seed(0)
    network = UNet(UNetConfig(channels=1, width=2, depth=depth))
    torch.nn.init.normal_(network.last.weight)
    for parameter in network.parameters():
        parameter.data.abs_()  # no ReLU swallows anything
    with torch.no_grad():
        network.last.weight.neg_()
    assert measure_receptive_field(network, 1, network.stride) == network.receptive_field


@pytest.mark.parametrize(("shape", "axis"), [((1, 3, 18, 16), "height"), ((1, 3, 16, 17), "width")])
def test_other_sizes_are_refused_with_the_remedy(shape: tuple[int, ...], axis: str) -> None:
    with pytest.raises(CuelloError, match=rf"a {axis} of 1\d pixels: this network needs a multiple of 4. Pad .* to 20"):
        UNet(UNetConfig(channels=3, width=2, depth=2))(torch.rand(shape))


@pytest.mark.parametrize("settings", [{"depth": 0}, {"depth": 6}, {"width": 0}, {"channels": 0}, {"layers": 3}])
def test_settings_out_of_limits_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(pydantic.ValidationError):
        UNetConfig.model_validate(settings)


def test_double_convolution_by_hand() -> None:
    block = DoubleConvolution(1, 1)
    with torch.no_grad():
        for layer in (block.first, block.second):
            layer.weight.zero_()
            layer.weight[0, 0, 1, 1] = 2.0
            assert layer.bias is not None
            layer.bias.fill_(-1.0)
    x = torch.tensor([[[[0.0, 1.0, 3.0]]]])
    # 2x - 1 cut at 0: 0, 1, 5; once more: 0, 1, 9
    assert block(x).tolist() == [[[[0.0, 1.0, 9.0]]]]
