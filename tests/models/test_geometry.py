"""Stride and receptive field, measured on networks whose geometry is known."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.geometry import check_multiple, image_of, measure_receptive_field, measure_stride


class Pooled(nn.Module):
    """Halves ``times`` times and enlarges again."""

    def __init__(self, times: int):
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Output:
        y = x
        for _ in range(self.times):
            y = functional.max_pool2d(y, 2)
        return Output(functional.interpolate(y, scale_factor=2.0**self.times))


class WholeImage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((2, 3), keepdim=True)


class Fixed(nn.Module):
    """Takes images of 32 pixels only."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32 * 32, 32 * 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(2)).view_as(x)


def convolution(side: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, side, padding="same", dilation=dilation)


@pytest.mark.parametrize(
    ("network", "stride", "field"),
    [
        (nn.Identity(), 1, 1),
        (convolution(3), 1, 3),
        (convolution(7), 1, 7),
        (convolution(3, dilation=4), 1, 9),
        (nn.Sequential(convolution(3), nn.ReLU(), convolution(5), nn.Sigmoid()), 1, 7),
        (nn.Sequential(convolution(3), nn.BatchNorm2d(1), nn.Dropout(0.5)), 1, 3),
        (Pooled(1), 2, 3),
        (Pooled(3), 8, 15),
        (convolution(65), 1, 65),
    ],
)
def test_known_geometries(network: nn.Module, stride: int, field: int) -> None:
    assert measure_stride(network, 1) == stride
    assert measure_receptive_field(network, 1, stride) == field


def test_a_network_that_sees_the_whole_image_has_no_receptive_field() -> None:
    assert measure_receptive_field(WholeImage(), 3, 1, largest=64) is None


def test_a_field_beyond_the_largest_counts_as_the_whole_image() -> None:
    assert measure_receptive_field(convolution(67), 1, 1, largest=32) is None
    assert measure_receptive_field(convolution(65), 1, 1, largest=64) == 65


def test_measuring_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(convolution(3), nn.BatchNorm2d(1)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure_stride(network, 1)
    measure_receptive_field(network, 1, 1)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        (nn.Conv2d(3, 3, 3), r"\(1, 3, 129, 129\) become|become \(1, 3, \d+, \d+\)"),
        (nn.Conv2d(3, 1, 1), r"become \(1, 1, "),
        (nn.Conv2d(1, 1, 1), "expected input"),
        (Fixed(), "shapes cannot be multiplied"),
        (nn.AvgPool2d(2), "become"),
    ],
)
def test_a_network_of_other_sizes_is_refused_with_the_remedy(network: nn.Module, problem: str) -> None:
    with pytest.raises(CuelloError, match=problem) as caught:
        measure_stride(network, 3)
    assert "padding='same'" in str(caught.value)


def test_check_multiple() -> None:
    check_multiple(torch.zeros(1, 1, 8, 12), 4)
    with pytest.raises(CuelloError, match=r"a width of 13 pixels: .* needs a multiple of 4. Pad or crop to 16"):
        check_multiple(torch.zeros(1, 1, 8, 13), 4)


class Gives(nn.Module):
    def __init__(self, result: object):
        super().__init__()
        self.result = result

    def forward(self, x: Tensor) -> object:
        return self.result


def test_image_of_takes_a_tensor_or_an_output_and_nothing_else() -> None:
    x = torch.rand(1, 1, 2, 2)
    assert image_of(Gives(x), x) is x
    assert image_of(Gives(Output(x)), x) is x
    for result in (None, (x,), {"image": x}, [x]):
        with pytest.raises(CuelloError, match=rf"Gives returned {type(result).__name__}; it needs to return a tensor"):
            image_of(Gives(result), x)
