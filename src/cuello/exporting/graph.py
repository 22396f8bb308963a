"""Modules as ONNX graphs of any size that they take, run beside torch before anybody gets them."""

import copy
import io
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError, first_line
from cuello.exporting.branches import check_branches
from cuello.inference.flat import REACH, mixed
from cuello.inference.model import Model
from cuello.inference.onnx import onnx_missing
from cuello.models.base import ImageNetwork, as_output
from cuello.models.blocks import UpsampleConv2d
from cuello.models.large_kernels import plainly

OPSET = 17
SIDE = 16
"""Of the image that a network of any size is written with, at least, in pixels."""
LARGEST_DIFFERENCE = 1e-4
"""Of white, between ONNX Runtime and torch."""


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
    """An estimator's occlusion maps; condition: probabilities of the classes, ``(N, K)``, where it is told them."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        return as_output(self.network(image, condition)).image


class Enlarging(nn.Module):
    """An UpsampleConv2d whose kernel is worked out already, in operations that ONNX knows."""

    kernel: Tensor
    bias: Tensor

    def __init__(self, block: UpsampleConv2d) -> None:
        super().__init__()
        scale = block.scale
        kernel = functional.pad(block.weight.detach().flip(2, 3), [scale - 1] * 4)
        kernel = functional.avg_pool2d(kernel, scale, 1, divisor_override=1).transpose(0, 1).contiguous()
        self.register_buffer("kernel", kernel)
        self.register_buffer("bias", block.bias.detach().clone())
        self.scale, self.padding = scale, block.padding

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv_transpose2d(x, self.kernel, self.bias, stride=self.scale, padding=self.padding)


@dataclass(frozen=True)
class Graph:
    """A module and what goes into it, by name: tensors whose axes in ``free`` may have any length; names of results."""

    module: nn.Module
    given: Mapping[str, Tensor]
    free: Mapping[str, Sequence[int]]
    gives: Sequence[str] = ("result",)

    def written(self) -> bytes:
        """Return the module as an ONNX file, which was run beside torch on another size than it was made with.

        Raises CuelloError where a package is missing, something cannot be written as ONNX, or the results differ.
        """
        check_branches(self.module, list(self.given.values()))
        axes = {name: {axis: f"{name}_{axis}" for axis in free} for name, free in self.free.items()}
        with tempfile.TemporaryDirectory() as folder, quiet(), redirect_stdout(io.StringIO()), plainly():
            path = Path(folder) / "model.onnx"
            try:
                torch.onnx.export(
                    exportable(self.module), tuple(self.given.values()), path, input_names=list(self.given),
                    output_names=list(self.gives), dynamic_axes=axes, opset_version=OPSET, dynamo=False,
                )  # fmt: skip
            except ImportError as error:
                raise onnx_missing(error) from None
            except (RuntimeError, TypeError, ValueError) as error:  # the exporter's own errors are RuntimeErrors
                raise unwritable(error) from None
            content = path.read_bytes()
        self.check(content)
        return content

    def check(self, content: bytes) -> None:
        """Raise CuelloError where ONNX Runtime's result is not torch's, of what is given and of more and larger."""
        try:
            import onnxruntime
        except ImportError as error:
            raise onnx_missing(error) from None
        for times in (1, 2):
            tried = {
                name: one.repeat(*(times if axis in self.free.get(name, ()) else 1 for axis in range(one.ndim)))
                for name, one in self.given.items()
            }
            with torch.inference_mode():
                result = self.module.eval()(*tried.values())
                expected = [one.numpy() for one in (result if isinstance(result, tuple) else (result,))]
            try:
                session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
                found = [
                    np.asarray(one) for one in session.run(None, {name: one.numpy() for name, one in tried.items()})
                ]
            except Exception as error:  # of onnxruntime's own kinds, which share no class
                raise unwritable(error) from None
            pairs = list(zip(found, expected, strict=True))
            same = all(one.shape == other.shape for one, other in pairs)
            apart = max(float(np.abs(one - other).max()) for one, other in pairs) if same else float("inf")
            if not apart <= LARGEST_DIFFERENCE:
                raise CuelloError(
                    f"the network gives other results as ONNX: {apart:.2g} of white apart, at most "
                    f"{LARGEST_DIFFERENCE:g} are allowed. Nothing was written."
                )


def unwritable(error: Exception) -> CuelloError:
    """Say that a network cannot be written as ONNX: which operation it was, or what was said first."""
    operation = re.search(r"operator '?([\w:.]+)", str(error))
    if operation:
        return CuelloError(
            f"the network cannot be written as ONNX: it uses the operation {operation[1]}, which ONNX (operator set "
            f"{OPSET}) does not have. Write that step in other operations (sums, products, convolutions, comparisons), "
            "or use the model through cuello apply RUN."
        )
    return CuelloError(
        f"the network cannot be written as ONNX: {first_line(error)[:300]}. A network of your own needs a "
        "forward without branches that depend on values, of operations that ONNX has."
    )


def exportable(module: nn.Module) -> nn.Module:
    """Return a copy of a module in operations that ONNX knows."""
    plain = copy.deepcopy(module).cpu().eval()
    for parent in list(plain.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, UpsampleConv2d):
                setattr(parent, name, Enlarging(child))
    return plain


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the exporter says of its own doings to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def blank(model: Model) -> Tensor:
    """Return an image, not of one colour, of the network's size, or of one that its stride divides."""
    stride = model.network.stride
    height, width = model.size or (side := max(2, -(-SIDE // stride)) * stride, side)
    return torch.linspace(0, 1, model.channels * height * width).reshape(1, model.channels, height, width)
