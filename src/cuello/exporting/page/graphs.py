"""The networks of a page as ONNX graphs: floats in [0, 1] in and out, any size that the network takes."""

import io
import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.inference.flat import REACH, mixed
from cuello.inference.model import Model
from cuello.models.base import ImageNetwork, as_output

OPSET = 17


@final
class Restoring(nn.Module):
    """What ``Model.restore`` does with a tile: the network, cut to [0, 1], and what is flat kept."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network, self.scale = model.network, model.scale
        field = model.network.receptive_field
        self.reach = min(REACH, field // 2) if model.undoes and field else 0

    def forward(self, image: Tensor, level: Tensor | None = None) -> Tensor:
        restored = as_output(self.network(image, level)).image.clamp(0, 1)
        return mixed(image, restored, self.reach, scale=self.scale) if self.reach else restored


@final
class Telling(nn.Module):
    """A classifier's probabilities."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.softmax(as_output(self.network(image, None)).image, dim=1)


@final
class Mapped(nn.Module):
    """An estimator's occlusion maps; condition: probabilities of the classes, ``(N, K)``."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        return as_output(self.network(image, condition)).image


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


@dataclass(frozen=True)
class Graph:
    """A module and what goes into it, by name: tensors whose axes in ``free`` may have any length."""

    module: nn.Module
    given: Mapping[str, Tensor]
    free: Mapping[str, Sequence[int]]

    def written(self) -> bytes:
        """Trace the module into an ONNX file; CuelloError where something in it cannot be written."""
        axes = {name: {axis: f"{name}_{axis}" for axis in free} for name, free in self.free.items()}
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            path = Path(folder) / "model.onnx"
            try:
                torch.onnx.export(
                    self.module.eval(), tuple(self.given.values()), path, input_names=list(self.given),
                    dynamic_axes=axes, opset_version=OPSET, dynamo=False,
                )  # fmt: skip
            except ImportError as error:
                raise CuelloError(f"a page needs ONNX ({error}): pip install 'cuello[onnx]'.") from None
            except (RuntimeError, TypeError, ValueError) as error:  # the exporter's own errors are RuntimeErrors
                first = str(error).strip().splitlines()[0]
                raise CuelloError(
                    f"the network cannot be written as ONNX, which a page needs: {first}. Use operations that ONNX "
                    "has (torch.onnx lists them), or cuello apply."
                ) from None
            return path.read_bytes()


def image_graph(model: Model) -> Graph:
    """Return the graph of a network that gives images."""
    given: dict[str, Any] = {"image": blank(model)}
    free: dict[str, Sequence[int]] = {"image": (0,) if model.size else (0, 2, 3)}
    if model.conditioned:
        given["level"], free["level"] = torch.full((1, 1, 1, 1), 0.1), (0,)
    return Graph(Restoring(model), given, free)


def blank(model: Model) -> Tensor:
    """Return an image, not of one colour, of the network's size, or of one that its stride divides."""
    height, width = model.size or (side := 16 * model.network.stride, side)
    return torch.linspace(0, 1, model.channels * height * width).reshape(1, model.channels, height, width)
