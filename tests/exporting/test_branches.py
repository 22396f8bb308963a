"""Networks of somebody's own that cannot be ONNX graphs: what stands in the way is named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cuello
from cuello.exporting.branches import check_branches
from cuello.exporting.graph import Graph
from cuello.models.custom import CustomNetwork

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
IMAGE = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)


class Own(nn.Module):
    """A step of somebody's own, and a parameter whose value it may read: that is a constant."""

    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.step, self.weight = step, nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.item() < 0 or x.shape[2] < 1:  # neither depends on pixels
            return x
        return self.step(x) * self.weight


class Image(nn.Module):
    def __init__(self, network: CustomNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image).image


def graph(step: Callable[[Tensor], Tensor]) -> Graph:
    free: dict[str, Any] = {"image": (0, 2, 3)}
    return Graph(Image(CustomNetwork(Own(step), 1, 1, None)), {"image": IMAGE}, free)


def brighter(x: Tensor) -> Tensor:
    if x.mean() > 0.5:
        return x * 2
    return x


def scaled(x: Tensor) -> Tensor:
    return x / float(x.max())


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            brighter,
            r"test_branches\.py, line \d+, reads values of a tensor by a condition .*x\.mean\(\) > 0\.5.*torch\.where",
        ),
        (scaled, r"line \d+, reads values of a tensor by float\(\): 'return x / float\(x\.max\(\)\)'"),
        (lambda x: x / x.max().item(), r"by item\(\)"),
    ],
)
def test_a_way_that_depends_on_pixels_is_named_with_its_line(step: Callable[[Tensor], Tensor], said: str) -> None:
    with pytest.raises(cuello.CuelloError, match=said):
        graph(step).written()


def test_an_operation_that_onnx_has_not_is_named() -> None:
    with pytest.raises(cuello.CuelloError, match=r"uses the operation aten::\S+, which ONNX .* does not have\. Write"):
        graph(torch.special.i0).written()


def test_what_does_not_depend_on_pixels_is_written() -> None:
    network = graph(lambda x: torch.where(x.mean() > 0.5, 2 * x, x))
    check_branches(network.module, [IMAGE])
    assert len(network.written()) > 100
