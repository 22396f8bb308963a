"""A network that `cuello export` wrote as an ONNX file, run by ONNX Runtime in the place of torch."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from cuello.core.errors import CuelloError, first_line
from cuello.core.files import as_cuello_error
from cuello.core.schema import Name, StoredFields, checked, read_json
from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.limits import MOST_STRIDE, Channels, Side
from cuello.runs.artefact import Artefact, StoredArtefact, as_artefact

SUFFIX = ".onnx"
KEY = "cuello"
"""Where in a file's metadata Cuello says what the network is."""
FORMAT = 1
WHITE = {"uint8": 255, "uint16": 65535}
"""What stands for white in images of each type."""
FINER = 0.02
"""Of a level: what is further from the next level was no image of that type; float32 rounding is not."""
SMALLEST = torch.finfo(torch.float32).tiny


class StoredFacts(StoredFields):
    """What must be known to run a file in tiles, and whose network it is."""

    format: Literal[1]
    channels: Channels
    size: list[Side] | None = Field(min_length=2, max_length=2)
    scale: int = Field(ge=1, le=64)
    stride: int = Field(ge=1, le=MOST_STRIDE)
    receptive_field: int | None = Field(ge=1)
    conditioning: Literal["level", "class"] | None
    dtype: Literal["float32", "uint8", "uint16"] = "float32"
    checksum: Name = ""
    artefact: StoredArtefact


class OnnxNetwork(ImageNetwork):
    """A session of ONNX Runtime as a network of images in [0, 1]; its file cuts and keeps what is flat by itself."""

    keeps_flat = True
    place: torch.nn.Parameter
    checksum: str

    def __init__(self, session: Any, facts: StoredFacts) -> None:
        super().__init__()
        self.checksum = facts.checksum
        """Of the artefact that the file was written from; "" where it does not say."""
        self.session, self.classes = session, len(facts.artefact.classes)
        self.channels, self.stride, self.scale = facts.channels, facts.stride, facts.scale
        self.receptive_field, self.conditioning = facts.receptive_field, facts.conditioning
        self.dtype, self.white = np.dtype(facts.dtype), WHITE.get(facts.dtype, 1)
        self.size = (facts.size[0], facts.size[1]) if facts.size else None
        self.told = int(facts.artefact.architecture.settings.get("classes") or 0)
        self.place = torch.nn.Parameter(torch.zeros(0), requires_grad=False)  # says where the network is

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output | Tensor:
        if self.conditioning == "level" and condition is not None:
            levels = condition.expand(len(x), *condition.shape[1:]).reshape(len(x), -1)
            if levels.shape[1] != 1:
                raise CuelloError("an ONNX file takes one noise level for each image, and no map of levels.")
            if not bool((levels == levels[0]).all()):  # the file takes one for all
                parts = zip(x.split(1), levels, strict=True)
                return Output(torch.cat([self.run(part, level=level) for part, level in parts]))
            return Output(self.run(x, level=levels[0]))
        if self.conditioning == "class":
            return Output(self.run(x, condition=self.shares(x, condition)))
        found = self.run(x)
        return found.clamp(min=SMALLEST).log() if self.classes else Output(found)

    def shares(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Return the probability of each class; every one alike where nothing is told."""
        if condition is None:
            return x.new_full((len(x), self.told), 1 / self.told)
        return functional.one_hot(condition, self.told) if condition.ndim == 1 else condition

    def run(self, image: Tensor, **told: Tensor) -> Tensor:
        given = {name: one.detach().float().contiguous().numpy() for name, one in {"image": image, **told}.items()}
        if self.white > 1:
            given["image"] = self.whole(given["image"] * self.white)
        found = np.asarray(self.session.run(["result"], given)[0])
        return torch.from_numpy(found if found.dtype == np.float32 else found.astype(np.float32) / self.white)

    def whole(self, image: np.ndarray) -> np.ndarray:
        """Round an image to the type that the file takes, and warn where that leaves something out."""
        rounded = image.round()
        if np.abs(image - rounded).max(initial=0) > FINER or image.min(initial=0) < -FINER:
            warnings.warn(
                f"this file takes {self.dtype} images: what is finer, or outside of its range, was rounded. A file "
                "that keeps it: cuello export RUN NAME.onnx",
                stacklevel=2,
            )
        return rounded.clip(0, self.white).astype(self.dtype)


def onnx_network(path: Path, device: str = "cpu") -> tuple[Artefact, OnnxNetwork]:
    """Read a file that `cuello export` wrote; no other file is opened, and no code in it is run.

    Raises CuelloError where it is damaged, or another program's, with what goes into it and comes out.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise onnx_missing(error) from None
    if device != "cpu":
        raise CuelloError(
            f"{path} is an ONNX file, which runs on the processor; got --device={device}. Leave it out, or "
            "take the run."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise as_cuello_error(error, path) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said below
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        stored = onnx.load_model_from_string(content)
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime's and protobuf's own kinds, which share no class
        raise CuelloError(
            f"{path} is no ONNX file that can be run ({first_line(error)[:200]}): cut short, or something else. Copy "
            "it again, or write it anew: cuello export RUN NAME.onnx"
        ) from None
    facts = facts_of(session, path)
    return as_artefact(facts.artefact, weights_of(stored.graph), path), OnnxNetwork(session, facts).eval()


def weights_of(graph: Any) -> dict[str, Any]:
    """Return a graph's weights by name, float32, whatever they are stored as."""
    import onnx

    kinds = onnx.TensorProto
    found = {}
    for one in graph.initializer:
        integer = one.data_type in (kinds.INT8, kinds.INT32) and one.name.endswith("_quantized")
        of_scale = one.name.endswith(("_scale", "_zero_point")) or one.name in ("white", "level")
        if integer or (one.data_type in (kinds.FLOAT, kinds.FLOAT16) and not of_scale):
            found[one.name] = torch.from_numpy(onnx.numpy_helper.to_array(one).astype(np.float32))
    return found


def onnx_missing(error: ImportError) -> CuelloError:
    """Say that the extra is not installed."""
    return CuelloError(f"ONNX files need a package that is missing ({error}): pip install 'cuello[onnx]'")


def facts_of(session: Any, path: Path) -> StoredFacts:
    """Return what a file says of its network; CuelloError where Cuello did not write it."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    said = session.get_modelmeta().custom_metadata_map.get(KEY)
    if said is None:
        raise CuelloError(
            f"{path} was not written by cuello export. It takes {listed(inputs)} and gives {listed(outputs)}; needed: "
            f"image, float32 (N, C, H, W), and result, with a description under {KEY!r} in the file's metadata. Write "
            "one: cuello export RUN NAME.onnx"
        )
    whole = part_of(said)
    if whole:
        raise CuelloError(
            f"{path} is the {whole} of a network with a code, for other programs: it takes {listed(inputs)} and gives "
            f"{listed(outputs)}. Cuello takes the whole network's file, or the run: model.encode and model.decode."
        )
    try:
        facts = checked(StoredFacts, read_json(said), path)
    except (ValueError, json.JSONDecodeError) as error:
        raise CuelloError(f"{path} is damaged: its description is no JSON ({error}).") from None
    needed = {"image", *({"level": "level", "class": "condition"}[one] for one in [facts.conditioning] if one)}
    names = {one.name for one in [*inputs, *session.get_overridable_initializers()]}
    if not needed <= names or [one.name for one in outputs] != ["result"]:
        raise CuelloError(
            f"{path} is damaged: it takes {listed(inputs)} and gives {listed(outputs)}; needed: "
            f"{', '.join(sorted(needed))}, and result."
        )
    return facts


def part_of(said: str) -> str:
    """Return which part of a network a file says it is; "" where it is the whole."""
    try:
        about = read_json(said)
    except ValueError:
        return ""  # which is said by who reads it whole
    part = about.get("part") if isinstance(about, dict) else None
    return part if part in ("encoder", "decoder") else ""


def listed(ends: Sequence[Any]) -> str:
    """Name inputs or outputs with their types and shapes."""
    return ", ".join(f"{one.name}, {one.type} ({', '.join(map(str, one.shape))})" for one in ends) or "nothing"
