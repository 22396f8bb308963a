"""The network alone as an ONNX graph: floats in [0, 1] in and out, of every size that it takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.exporting.beside import answering
from cuello.exporting.graph import LARGEST_DIFFERENCE, Graph
from cuello.inference.model import Model
from cuello.models.base import as_output
from cuello.runs.artefact import Artefact

PLACES = ("data", "target", "classifier", "start_from")
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
    free = {"image": (0,) if model.size else (0, 2, 3), "level": (0,)}
    given: dict[str, Tensor] = dict(zip(free, example(model, 64, 1), strict=False))
    content = Graph(plain_of(model), given, free={name: free[name] for name in given}).written()
    answer = answering(content)
    for side in (64,) if model.size else (8, 48, 72):
        tried = example(model, side, 1)
        found = answer({name: one.numpy() for name, one in zip(given, tried, strict=True)})
        with torch.inference_mode():
            apart = float(np.abs(found - plain_of(model)(*tried).numpy()).max())
        check_alike(model, apart)
    return content


def check_alike(model: Model, apart: float) -> None:
    """Raise CuelloError where a file's results are too far from torch's; apart: by how much, of white."""
    if not apart <= LARGEST_DIFFERENCE:
        raise CuelloError(
            f"the network {model.artefact.architecture.name!r} gives other results as ONNX: {apart:.2g} of white "
            f"apart, at most {LARGEST_DIFFERENCE:g} are allowed. The file was not written."
        )


def example(model: Model, side: int, count: int) -> tuple[Tensor, ...]:
    """Return inputs to try a network with: noise, of a width that is another than the height."""
    stride = model.network.stride
    height = -(-side // stride) * stride
    sides = model.size or (height, height + stride)
    image = torch.rand(count, model.channels, *sides, generator=torch.Generator().manual_seed(side))
    return (image, torch.full((count, 1, 1, 1), 0.1)) if model.conditioned else (image,)


def without_places(artefact: Artefact) -> Artefact:
    """Return the artefact with the last part only of every path in its settings; itself where there is none."""
    places = {name: str(artefact.training.get(name) or "") for name in PLACES}
    named = {name: Path(place).name for name, place in places.items() if "/" in place or "\\" in place}
    return replace(artefact, training={**artefact.training, **named}) if named else artefact
