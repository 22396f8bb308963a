"""A network with a code as two more ONNX files: images to codes, and codes to images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.exporting.graph import LARGEST_DIFFERENCE, Graph, blank
from cuello.inference.model import Model
from cuello.models.base import ImageNetwork

PARTS = ("encoder", "decoder")


@final
class ImageEncoder(nn.Module):
    """Images whose white is ``white`` to codes without chance, and, where there is one, their log-variance."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, white: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = image / white
        return self.network.posterior(x) if self.network.has_posterior else self.network.encode(x)


@final
class CodeDecoder(nn.Module):
    """Codes to images, cut to [0, white]."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, code: Tensor, white: Tensor) -> Tensor:
        return self.network.decode(code).clamp(0, 1) * white


def parts_of(model: Model) -> dict[str, Graph]:
    """Return the graphs of encoder and decoder; none of a network without a code, or that undoes something."""
    if not model.network.has_code or model.undoes:
        return {}
    image, white = blank(model), torch.ones(1)
    with torch.inference_mode():
        code = model.network.encode(image)
    code = torch.linspace(-1, 1, code.numel()).reshape(code.shape)
    whole = (0,) if model.size else (0, 2, 3)
    gives = ("code", "log_variance") if model.network.has_posterior else ("code",)
    return {
        "encoder": Graph(ImageEncoder(model.network), {"image": image, "white": white}, {"image": whole}, gives=gives),
        "decoder": Graph(
            CodeDecoder(model.network), {"code": code, "white": white}, {"code": whole if code.ndim == 4 else (0,)}
        ),
    }


def part_path(path: Path, part: str) -> Path:
    """Return where a part lies beside the whole network's file.

    >>> part_path(Path("faces.onnx"), "decoder").name
    'faces-decoder.onnx'
    """
    return path.with_name(f"{path.stem}-{part}{path.suffix}")


def part_facts(about: Mapping[str, Any], model: Model, part: str, *, graph: Graph) -> dict[str, Any]:
    """Say what a program must know that runs a part: facts of the whole, without what only the whole has."""
    names = ("format", "version", "job", "network", "channels", "size", "stride", "license", "author", "dtype")
    code = model.latent_shape or [None if one is None else int(one) for one in model.code_in_space]
    image = "image: (N, C, H, W); white: what stands for white, 1 where it is left out"
    gives = "code: (N, ...), without chance"
    if len(graph.gives) > 1:
        gives += "; log_variance: logarithm of the variance of each number"
    takes = {"encoder": (image, gives), "decoder": ("code: (N, ...); white", "result: (N, C, H, W)")}[part]
    return {
        **{name: about[name] for name in names}, "part": part, "code": list(code), "prior": model.prior,
        "input": takes[0], "output": takes[1],
    }  # fmt: skip


def check_parts(model: Model, images: np.ndarray, *, codes: np.ndarray, decoded: np.ndarray) -> None:
    """Raise CuelloError where files of the parts do not give what torch does.

    images: ``(N, C, H, W)`` in [0, 1]. codes: what the encoder's file gives for them. decoded: what the decoder's does
    for these codes.
    """
    x = torch.from_numpy(images)
    with torch.inference_mode():
        wanted = model.network.encode(x).numpy()
        larger = model.network.decode(torch.from_numpy(codes)).clamp(0, 1).numpy()
    found = {
        "encoder": float((np.abs(codes - wanted) / np.maximum(1, np.abs(wanted))).max()),
        "decoder": float(np.abs(decoded - larger).max()),
    }
    for part, apart in found.items():
        if not apart <= LARGEST_DIFFERENCE:
            raise CuelloError(
                f"the {part} gives other results as ONNX: {apart:.2g} apart, at most {LARGEST_DIFFERENCE:g} are "
                "allowed. Nothing was written."
            )
