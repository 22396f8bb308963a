"""The networks of a page as ONNX graphs: floats in [0, 1] in and out, any size that the network takes."""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from cuello.exporting.graph import Graph, Restoring, blank
from cuello.inference.model import Model
from cuello.models.base import ImageNetwork


@final
class Encoding(nn.Module):
    """Images to codes."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.encode(image)


@final
class Decoding(nn.Module):
    """Codes to images, cut to [0, 1]."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, code: Tensor) -> Tensor:
        return self.network.decode(code).clamp(0, 1)


def image_graph(model: Model) -> Graph:
    """Return the graph of a network that gives images."""
    given: dict[str, Any] = {"image": blank(model)}
    free: dict[str, Sequence[int]] = {"image": (0,) if model.size else (0, 2, 3)}
    if model.conditioned:
        given["level"], free["level"] = torch.full((1, 1, 1, 1), 0.1), (0,)
    return Graph(Restoring(model), given, free)
