"""The network alone as an ONNX graph: floats in [0, 1] in and out, of every size that it takes."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.models.base import as_output
from cuello.models.blocks import UpsampleConv2d
from cuello.runs.artefact import Artefact

LARGEST_DIFFERENCE = 1e-4
"""Of white, between ONNX Runtime and torch."""
INSTALL = "pip install 'cuello[onnx]'"
PLACES = ("data", "target", "classifier")
"""Settings of a training that may say where on its author's machine something lies."""


class PlainGraph(nn.Module):
    """A network as a function of images ``(N, C, H, W)`` in [0, 1]: an image or a map in [0, 1], or probabilities.

    A network that is told the noise's level takes it as a second input, ``(N, 1, 1, 1)``, white being 1.
    """

    def __init__(self, network: nn.Module, classifies: bool) -> None:
        super().__init__()
        self.network, self.probabilities = network, classifies

    def forward(self, image: Tensor, level: Tensor | None = None) -> Tensor:
        found = self.network(image, level) if level is not None else self.network(image)
        return found.softmax(1) if self.probabilities else as_output(found).image.clamp(0, 1)


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


def plain_of(model: Model) -> PlainGraph:
    return PlainGraph(model.network, bool(model.classes))


def check_plain(model: Model) -> None:
    """Raise CuelloError for a network that is told more than an image and the noise's level."""
    if model.network.conditioning == "class":
        raise CuelloError(
            f"the network {model.artefact.architecture.name!r} is told a class beside the image, for which the models "
            "of this format have no place. Use it with: cuello explain CLASSIFIER IMAGES --model RUN"
        )


def plain_onnx(model: Model) -> bytes:
    """Return the network as an ONNX file, which was run beside torch on sizes that it was not made with.

    Inputs: ``image``, and ``level`` where it is told the noise's level; output: ``result``. Raises CuelloError where
    the package is missing, the network has an operation that cannot be exported, or the results differ.
    """
    check_plain(model)
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise CuelloError(f"ONNX files need a package that is missing ({error}): {INSTALL}") from None
    plain = exportable(plain_of(model))
    inputs, dynamic = example(model, 64, 2), torch.export.Dim.DYNAMIC
    free = {0: dynamic} if model.size else {0: dynamic, 2: dynamic, 3: dynamic}
    try:
        with quiet():
            program = torch.onnx.export(
                plain, inputs, input_names=["image", "level"][: len(inputs)], output_names=["result"], dynamo=True,
                dynamic_shapes=(free, {0: dynamic})[: len(inputs)], verbose=False, external_data=False,
            )  # fmt: skip
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise CuelloError(
            f"the network {model.artefact.architecture.name!r} cannot be written as ONNX: {lines[-1].strip()[:300]}. A "
            "network of your own needs a forward without branches that depend on values, of operations that ONNX has."
        ) from None
    assert program is not None
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for side in (64,) if model.size else (8, 48, 72):
        tried = example(model, side, 1)
        given = {one.name: tensor.numpy() for one, tensor in zip(session.get_inputs(), tried, strict=True)}
        found = np.asarray(session.run(None, given)[0])
        with torch.inference_mode():
            apart = float(np.abs(found - plain_of(model)(*tried).numpy()).max())
        if not apart <= LARGEST_DIFFERENCE:
            raise CuelloError(
                f"the network {model.artefact.architecture.name!r} gives other results as ONNX: {apart:.2g} of white "
                f"apart, at most {LARGEST_DIFFERENCE:g} are allowed. The file was not written."
            )
    return content


def exportable(module: nn.Module) -> nn.Module:
    """Return a copy of a module in operations that ONNX knows."""
    return in_onnx_operations(copy.deepcopy(module).cpu().eval())


def in_onnx_operations(module: nn.Module) -> nn.Module:
    """Replace in a module what ONNX has no operation for."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, UpsampleConv2d):
                setattr(parent, name, Enlarging(child))
    return module


def example(model: Model, side: int, count: int) -> tuple[Tensor, ...]:
    """Return inputs to try a network with: noise, of a width that is another than the height."""
    stride = model.network.stride
    height = -(-side // stride) * stride
    sides = model.size or (height, height + stride)
    image = torch.rand(count, model.channels, *sides, generator=torch.Generator().manual_seed(side))
    return (image, torch.full((count, 1, 1, 1), 0.1)) if model.conditioned else (image,)


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


def without_places(artefact: Artefact) -> Artefact:
    """Return the artefact with the last part only of every path in its settings; itself where there is none."""
    places = {name: str(artefact.training.get(name) or "") for name in PLACES}
    named = {name: Path(place).name for name, place in places.items() if "/" in place or "\\" in place}
    return replace(artefact, training={**artefact.training, **named}) if named else artefact
