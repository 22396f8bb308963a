"""A network with all that is done around it as one ONNX file: pixels in the caller's units in, results out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.core.files import check_new, write_bytes
from cuello.core.version import VERSION
from cuello.degrade.level import level_at_once
from cuello.exporting.beside import TRIED, alike, answering, largest_difference, photographs
from cuello.exporting.coding import check_parts, part_facts, part_path, parts_of
from cuello.exporting.cost import Cost, measure, samples_for
from cuello.exporting.dtype import Dtype, check_typed, given_as, with_dtype
from cuello.exporting.export import Written
from cuello.exporting.graph import Graph, Mapped, Restoring, Telling, blank
from cuello.exporting.plain import check_alike, without_places
from cuello.exporting.precision import Given, Precision, reduced
from cuello.inference.model import Model
from cuello.inference.onnx import FORMAT, KEY, WHITE, onnx_missing
from cuello.jobs.explain.estimator import gives_maps
from cuello.runs.artefact import Artefact, about_of


@final
class Whole(nn.Module):
    """What ``Model.restore`` does with an image, in the caller's units: scaling, level, padding, network, cutting.

    image: ``(N, C, H, W)``, white: what stands for 1, ``(1,)``. level: the noise's standard deviation, white being 1,
    ``(1,)``; below 0: estimated, image by image.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.inner, self.stride, self.scale = Restoring(model), model.network.stride, model.scale

    def forward(self, image: Tensor, white: Tensor, level: Tensor | None = None) -> Tensor:
        x = image / white
        told = None if level is None else torch.where(level.view(1, 1, 1, 1) < 0, level_at_once(x), level)
        height, width = x.shape[2], x.shape[3]
        restored = self.inner(repeated(repeated(x, 2, self.stride), 3, self.stride), told)
        return restored[:, :, : self.scale * height, : self.scale * width] * white


@final
class Scaled(nn.Module):
    """A module of images in [0, 1], of images whose white is ``white``."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: Tensor, white: Tensor, *more: Tensor) -> Tensor:
        return self.inner(image / white, *more)


def repeated(x: Tensor, axis: int, stride: int) -> Tensor:
    """Repeat the last pixel along an axis until its length is a multiple of the stride."""
    if stride == 1:
        return x
    length = x.shape[axis]
    places = torch.arange((length + stride - 1) // stride * stride, device=x.device)
    return x.index_select(axis, torch.minimum(places, torch.zeros_like(places) + (length - 1)))


def graph_of(model: Model) -> tuple[Graph, dict[str, float]]:
    """Return the graph of a network, and the inputs that may be left out with what they then are."""
    free = (0,) if model.size else (0, 2, 3)
    given: dict[str, Any] = {"image": blank(model), "white": torch.ones(1)}
    axes: dict[str, Any] = {"image": free}
    usual = {"white": 1.0}
    if model.classes:
        module: nn.Module = Scaled(Telling(model.network))
    elif gives_maps(model):
        module = Scaled(Mapped(model.network))
        if model.network.conditioning == "class":
            given["condition"], axes["condition"] = alike(model), (0,)
    else:
        module = Whole(model)
        if model.conditioned:
            given["level"], usual["level"] = torch.full((1,), -1.0), -1.0
    return Graph(module, given, axes), usual


def tried(model: Model) -> tuple[bytes, float]:
    """Return a network as one ONNX file with all that is done around it, and the largest difference to torch, of white.

    Inputs: ``image`` ``(N, C, H, W)`` float32 in units in which ``white`` (1 where it is left out) is white, and
    ``level`` (estimated where it is left out or below 0) for networks that are told the noise's standard deviation,
    white being 1; ``condition``, the classes' probabilities, for occlusion maps. Output: ``result``. Its metadata say
    so as JSON, under ``cuello``. Raises CuelloError where a package is missing or the network cannot be written so.
    """
    made = FullGraph.of(model)
    return made.content, made.apart


@dataclass(frozen=True)
class FullGraph:
    """A network's graph in float32, what goes into it, the file made of it, and its distance to torch's results."""

    graph: Graph
    usual: Mapping[str, float]
    bare: bytes
    content: bytes
    apart: float

    @classmethod
    def of(cls, model: Model) -> "FullGraph":
        try:
            import onnxruntime  # noqa: F401
        except ImportError as error:
            raise onnx_missing(error) from None
        graph, usual = graph_of(model)
        bare = graph.written()
        content = finished(bare, usual, facts(model))
        apart = largest_difference(model, content)
        check_alike(model, apart)
        return cls(graph, usual, bare, content, apart)

    @property
    def beside(self) -> Given:
        """What goes in beside the image."""
        return {name: one.numpy() for name, one in self.graph.given.items() if name != "image"}

    def reduced(self, model: Model, precision: Precision) -> tuple[bytes, list[str], Cost]:
        """Return the bare graph in another precision, what should be known of it, and what it costs."""
        samples = samples_for(model)
        calibration = [{**self.beside, "image": sample.image} for sample in samples.calibration]
        bare, notes = reduced(self.bare, precision, calibration)
        return (
            bare,
            notes,
            measure(samples, precision, full=answering(self.bare), less=answering(bare), given=self.beside),
        )

    def typed(self, model: Model, bare: bytes, *, dtype: Dtype, about: Mapping[str, Any]) -> bytes:
        """Return the file of a bare graph, whose images are of a type; CuelloError where it gives something else."""
        if dtype == "float32":
            return finished(bare, self.usual, {**facts(model), **about})
        takes = f"image: {dtype} (N, C, H, W), white being {WHITE[dtype]}"
        told = {**facts(model), **about, "dtype": dtype, "input": takes}
        made = with_dtype(bare, dtype, gives_images(model))
        content = finished(made, {name: one for name, one in self.usual.items() if name != "white"}, told)
        height, width = model.size or TRIED[0]
        image = photographs(1, height, width, channels=model.channels).transpose(0, 3, 1, 2)
        image = (image * WHITE[dtype]).round().astype(np.float32) / WHITE[dtype]
        given = {**self.beside, "image": np.ascontiguousarray(image, np.float32)}
        check_typed(answering(content)(given_as(given, dtype)), answering(bare)(given), dtype)
        return content


def gives_images(model: Model) -> bool:
    """Whether what comes out is in the unit of what goes in."""
    return not model.classes and not gives_maps(model)


def finished(bare: bytes, usual: Mapping[str, float], about: Mapping[str, Any]) -> bytes:
    """Return a graph with what it says of itself, and with inputs that may be left out: then they are as ``usual``."""
    import onnx

    made = onnx.load_model_from_string(bare)
    made.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array([value], np.float32), name) for name, value in usual.items()
    )
    onnx.helper.set_model_props(made, {KEY: json.dumps(about)})
    onnx.checker.check_model(made)
    return made.SerializeToString()


def facts(model: Model) -> dict[str, Any]:
    """Say what a program must know that runs the file."""
    about, told = model.artefact, model.network.conditioning
    return {
        "format": FORMAT, "version": VERSION,
        "job": about.job, "network": about.architecture.name, "noise": about.noise,
        "channels": model.channels, "size": model.size, "scale": model.scale, "stride": model.network.stride,
        "receptive_field": model.network.receptive_field, "conditioning": None if told == "strength" else told,
        "classes": list(about.classes), "dtype": "float32", "checksum": about.checksum,
        "license": about.training.get("license"), "author": about.training.get("author"),
        "input": "image: float32 (N, C, H, W); white: what stands for white, 1 where it is left out",
        "artefact": about_of(nameless(about)),
    }  # fmt: skip


def nameless(artefact: Artefact) -> Artefact:
    """Return the artefact without the ways to images and code on its author's machine."""
    about, architecture = without_places(artefact), artefact.architecture
    if "reference" not in architecture.settings:
        return about
    settings = {**architecture.settings, "reference": architecture.name}
    return replace(about, architecture=replace(architecture, settings=settings))


def write_onnx(
    model: Model, path: Path, precision: Precision = "float32", dtype: Dtype = "float32", overwrite: bool = False
) -> Written:
    """Write a network's file to a path, and, of one with a code, its encoder and decoder beside it; see ``tried``.

    precision: see ``precision.reduced``; what it costs is measured, said, and written into the file. dtype: of images,
    see ``dtype.with_dtype``. overwrite: whether files of the parts may be replaced.
    """
    parts = parts_of(model)
    for part in parts:
        check_new(part_path(path, part), overwrite)
    made = FullGraph.of(model)
    notes = [f"beside torch on photographs, ONNX Runtime's results differ by {made.apart:.1g} of white at most"]
    warnings, measured, bare, about = [], {}, made.bare, {}
    if precision != "float32":
        bare, more, cost = made.reduced(model, precision)
        notes = [f"{notes[0]}, in float32", *more, cost.words]
        about = {"precision": cost.facts}
        measured = {**about, "bytes_float32": len(made.content)}
        if cost.too_much:
            other = "fp16" if precision == "int8" else "float32"
            warnings.append(f"{cost.lost}: where that matters, use --precision={other}.")
    content = made.typed(model, bare, dtype=dtype, about=about)
    files = {path: content}
    if precision != "float32":
        size = f"{len(content) / 1e3:,.0f} kB, in float32 {len(made.content) / 1e3:,.0f} kB"
        notes.append(
            size + (": so small a network does not become smaller" if len(content) >= len(made.content) else "")
        )
    if parts:
        files |= {part_path(path, part): one for part, one in parts_bytes(model, parts, precision, dtype=dtype).items()}
        notes.append("images to codes and back: " + " and ".join(part_path(path, part).name for part in parts))
    for file, one in files.items():
        write_bytes(file, one)
    return Written(tuple(notes), tuple(warnings), measured)


def parts_bytes(model: Model, parts: Mapping[str, Graph], precision: Precision, *, dtype: Dtype) -> dict[str, bytes]:
    """Return the files of encoder and decoder, tried beside torch on photographs."""
    bare = {part: graph.written() for part, graph in parts.items()}
    run, white = {part: answering(one) for part, one in bare.items()}, np.ones(1, np.float32)
    height, width = model.size or (4 * model.network.stride, 6 * model.network.stride)
    image = photographs(1, height, width, channels=model.channels)[0].transpose(2, 0, 1)
    images = np.ascontiguousarray(np.stack([image, image[:, ::-1], 1 - image]), np.float32)
    codes = run["encoder"]({"image": images, "white": white})
    check_parts(model, images, codes=codes, decoded=run["decoder"]({"code": codes, "white": white}))
    if precision != "float32":
        seen = [{"image": sample.image, "white": white} for sample in samples_for(model).calibration]
        fed = {"encoder": seen, "decoder": [{"code": run["encoder"](one), "white": white} for one in seen]}
        bare = {part: part_reduced(one, precision, fed[part]) for part, one in bare.items()}
    found, about = {}, {**facts(model), "dtype": dtype}
    usual = {"white": 1.0} if dtype == "float32" else {}
    for part, one in bare.items():
        told = {**part_facts(about, model, part, graph=parts[part]), "precision": precision}
        found[part] = finished(with_dtype(one, dtype, part == "decoder"), usual, told)
    return found


def part_reduced(bare: bytes, precision: Precision, calibration: Sequence[Given]) -> bytes:
    """Return a part's graph in another precision; as it is where none of its layers can be."""
    try:
        return reduced(bare, precision, calibration)[0]
    except CuelloError:
        return bare
