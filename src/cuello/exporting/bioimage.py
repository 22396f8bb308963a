"""A network as a BioImage.IO model (format 0.5): one zip for Fiji, ilastik, QuPath and others that run such models."""

import hashlib
import io
import re
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cuello.core.config import GIVES
from cuello.core.errors import CuelloError
from cuello.core.files import write_bytes
from cuello.core.rights import NOT_STATED, OWN_LICENCE, authors_of, doi_of
from cuello.core.version import VERSION
from cuello.exporting.card import Subject, card, figures_of, handed_down, subject_of
from cuello.exporting.graph import exportable
from cuello.exporting.plain import PlainGraph, plain_of, plain_onnx, without_places
from cuello.exporting.yaml import yaml_of
from cuello.inference.model import Model
from cuello.models.catalog import Architecture, build
from cuello.models.stabilised import Domain, Stabilised
from cuello.noise_models.model import NoiseModel
from cuello.runs.look import job_words

FORMAT = "0.5.4"
WHITE = 255.0
"""White of a network that was trained without a range: that of 8 bits, as most images have."""
INPUT, OUTPUT = "input", "output"
SIDE = 64
"""Least side of the images that the network is tested with."""


def network_by_name(
    name: str, kind: str, settings: dict[str, Any], noise_models: list[dict[str, float]], classifies: bool
) -> nn.Module:
    """Build a network for the weights of ``weights.pt``: what the model's description names as its architecture."""
    network = build(Architecture(name, kind, settings)).folded()
    models = tuple(NoiseModel(**one) for one in noise_models)
    return PlainGraph(Stabilised(network, Domain(models)) if models else network, classifies).eval()


def write_bioimage(model: Model, path: Path) -> list[str]:
    """Write a model's package to ``path``, and return what its author should know.

    Raises CuelloError for a network that has no place in the format: one that is told a noise level or a class.
    """
    if model.conditioned:
        raise CuelloError(
            f"the network {model.artefact.architecture.name!r} is told the noise's level beside the image, for which "
            "models of BioImage.IO have no place. Train one that is not, e.g. --model=unet-s, or take another form: "
            "cuello export RUN FOLDER --hub"
        )
    subject = subject_of(model)
    graph = plain_onnx(model)
    image = example_image(model)
    black, white = scale_of(model)
    with torch.inference_mode():
        found = exportable(plain_of(model))(torch.from_numpy((image - black) / (white - black)).float()).numpy()
    result = found if model.classes else (found * (white - black) + black).astype(np.float32)
    files = {
        "model.onnx": graph, "test_input.npy": as_npy(image), "test_output.npy": as_npy(result),
        "README.md": card(subject, usage(model), list(figures_of(subject))).encode(),
        **{f"{name}.png": content for name, content in figures_of(subject).items()},
    }  # fmt: skip
    if model.artefact.architecture.kind != "custom":
        files["weights.pt"] = as_state(model)
        files["environment.yaml"] = yaml_of(environment()).encode()
    if not model.classes:
        files["cover.png"] = cover(image, result, white=(black, white))
    files["rdf.yaml"] = yaml_of(description(subject, files)).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            package.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), files[name], zipfile.ZIP_DEFLATED)
    write_bytes(path, stream.getvalue())
    return notes_of(subject)


def scale_of(model: Model) -> tuple[float, float]:
    """Return the values that stand for black and white in the images that the package takes."""
    levels = model.levels
    return (float(levels.black), float(levels.white)) if levels is not None else (0.0, WHITE)


def example_image(model: Model) -> np.ndarray:
    """Return a photograph ``(1, C, H, W)`` float32 in the model's own values, as noisy as a network expects."""
    from skimage import data

    height, width = model.size or (sides_of(model)[0] + 2 * sides_of(model)[1],) * 2
    colour = data.astronaut().astype(np.float32) / 255
    pixels = colour[:height, 100 : 100 + width] if max(height, width) <= 400 else np.resize(colour, (height, width, 3))
    pixels = pixels if model.channels == 3 else np.repeat(pixels.mean(2, keepdims=True), model.channels, axis=2)
    noise = np.random.default_rng(0).normal(0, 0.02, pixels.shape)
    black, white = scale_of(model)
    values = (pixels + noise).clip(0, 1) * (white - black) + black
    return values.transpose(2, 0, 1)[None].astype(np.float32)


def sides_of(model: Model) -> tuple[int, int]:
    """Return the least side of images, and by how much sides may grow: multiples of the network's stride."""
    stride = model.network.stride
    least = max(SIDE, 2 * halo_of(model) + stride)
    return -(-least // stride) * stride, stride


def halo_of(model: Model) -> int:
    """Return the pixels of the input, to each side, on which a result depends: a multiple of the stride."""
    field, stride = model.network.receptive_field, model.network.stride
    return 0 if field is None or model.classes else -(-(field // 2) // stride) * stride


def description(subject: Subject, files: dict[str, bytes]) -> dict[str, Any]:
    """Return what rdf.yaml says."""
    model, about = subject.model, subject.model.artefact
    training = about.training
    author = str(training.get("author") or "")
    found: dict[str, Any] = {
        "format_version": FORMAT, "type": "model", "name": valid_name(f"Cuello {subject.name}"),
        "description": f"{job_words(about.job, about.noise)}: {about.architecture.name}"[:1000],
        "authors": [{"name": name} for name in authors_of(author)] or [{"name": NOT_STATED}],
        "documentation": "README.md",
    }  # fmt: skip
    if (licence := str(training.get("license") or "")) and " " not in licence and not licence.startswith(OWN_LICENCE):
        found["license"] = licence
    citation = str(training.get("citation") or "")
    link = re.search(r"https?://[^\s\"<>{},]+", citation)
    if doi := doi_of(citation):
        found["cite"] = [{"text": citation, "doi": doi}]
    elif link:
        found["cite"] = [{"text": citation, "url": link[0]}]
    if "cover.png" in files:
        found["covers"] = ["cover.png"]
    found["tags"] = ["cuello", about.job, about.architecture.name.partition(":")[0], "2d"]
    found["inputs"] = [input_of(model, files)]
    found["outputs"] = [output_of(model, files)]
    found["weights"] = weights_of(model, files)
    pictures = [name for name in files if name.endswith(".png") and name != "cover.png"]
    if pictures:
        found["attachments"] = [source(name, files) for name in pictures]
    found["config"] = {
        "cuello": {"version": VERSION, "training": dict(without_places(about).training), "noise": about.noise}
    }
    return found


def source(name: str, files: dict[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}


def input_of(model: Model, files: dict[str, bytes]) -> dict[str, Any]:
    """Describe the images that go in."""
    least, step = sides_of(model)
    black, white = scale_of(model)
    sizes: list[Any] = list(model.size) if model.size else [{"min": least, "step": step}] * 2
    gain = 1 / (white - black)
    return {
        "id": INPUT, "description": f"An image whose black is {black:g} and whose white is {white:g}.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": channel_names(model)},
            {"type": "space", "id": "y", "size": sizes[0]}, {"type": "space", "id": "x", "size": sizes[1]},
        ],
        "test_tensor": source("test_input.npy", files),
        "data": {"type": "float32", "range": [black, white]},
        "preprocessing": [
            {"id": "scale_linear", "kwargs": {"gain": gain, "offset": -black * gain}},
        ],
    }  # fmt: skip


def output_of(model: Model, files: dict[str, bytes]) -> dict[str, Any]:
    """Describe what comes out: an image or a map in the values of the input, or a probability for each class."""
    black, white = scale_of(model)
    if model.classes:
        return {
            "id": OUTPUT, "description": "The probability of each class.",
            "axes": [{"type": "batch"}, {"type": "channel", "channel_names": names_of_classes(model)}],
            "test_tensor": source("test_output.npy", files), "data": {"type": "float32", "range": [0.0, 1.0]},
        }  # fmt: skip
    halo = halo_of(model) * model.scale

    def space(name: str) -> dict[str, Any]:
        axis: dict[str, Any] = {"type": "space", "id": name, "size": {"tensor_id": INPUT, "axis_id": name}}
        if model.scale > 1:
            axis["scale"] = 1 / model.scale
        return {**axis, "halo": halo} if halo and not model.size else axis

    return {
        "id": OUTPUT, "description": "The result, in the values of the input.",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": channel_names(model)}, space("y"), space("x")],
        "test_tensor": source("test_output.npy", files), "data": {"type": "float32", "range": [black, white]},
        "postprocessing": [{"id": "scale_linear", "kwargs": {"gain": white - black, "offset": black}}],
    }  # fmt: skip


def channel_names(model: Model) -> list[str]:
    known = {1: ["intensity"], 3: ["red", "green", "blue"]}
    return known.get(model.channels, [f"channel{number}" for number in range(1, model.channels + 1)])


def names_of_classes(model: Model) -> list[str]:
    """Return the classes' names as the format allows them: letters, digits and low lines."""
    found = [re.sub(r"\W+", "_", name).strip("_").lower() or "class" for name in model.classes]
    found = [name if name.isidentifier() else f"class_{name}" for name in found]
    return found if len(set(found)) == len(found) else [f"class_{number}" for number in range(len(found))]


def weights_of(model: Model, files: dict[str, bytes]) -> dict[str, Any]:
    """Describe the same weights in both forms; those of a network of somebody's own are in the ONNX file alone."""
    graph: dict[str, Any] = {**source("model.onnx", files), "opset_version": opset_of(files["model.onnx"])}
    if "weights.pt" not in files:
        return {"onnx": graph}
    about = model.artefact
    kwargs = {
        **asdict(about.architecture), "noise_models": [asdict(one) for one in about.noise_models],
        "classifies": bool(model.classes),
    }  # fmt: skip
    state = {
        **source("weights.pt", files), "pytorch_version": torch.__version__.partition("+")[0],
        "architecture": {"callable": "network_by_name", "import_from": "cuello.exporting.bioimage", "kwargs": kwargs},
        "dependencies": source("environment.yaml", files),
    }  # fmt: skip
    return {"pytorch_state_dict": state, "onnx": {**graph, "parent": "pytorch_state_dict"}}


def opset_of(graph: bytes) -> int:
    import onnx

    return next(one.version for one in onnx.load_from_string(graph).opset_import if not one.domain)


def environment() -> dict[str, Any]:
    """Return the conda environment that builds the network of weights.pt."""
    torch_version = torch.__version__.partition("+")[0]
    return {
        "name": "cuello", "channels": ["conda-forge", "nodefaults"],
        "dependencies": ["python>=3.11", f"pytorch=={torch_version}", "pip", {"pip": [f"cuello=={VERSION}"]}],
    }  # fmt: skip


def as_state(model: Model) -> bytes:
    """Return the weights as torch writes them: tensors by name, and nothing else."""
    stream = io.BytesIO()
    state = plain_of(model).state_dict()
    torch.save({name: tensor.detach().cpu().clone() for name, tensor in state.items()}, stream)
    return stream.getvalue()


def as_npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


def cover(image: np.ndarray, result: np.ndarray, white: tuple[float, float]) -> bytes:
    """Draw what went in and what came out side by side."""
    from PIL import Image

    low, high = white
    both = [((one[0] - low) / (high - low)).clip(0, 1).transpose(1, 2, 0) for one in (image, result)]
    height = max(part.shape[0] for part in both)
    shown = []
    for part in both:
        rgb = part[:, :, :3] if part.shape[2] >= 3 else np.repeat(part[:, :, :1], 3, axis=2)
        picture = Image.fromarray((rgb * 255).round().astype(np.uint8))
        shown.append(picture.resize((height * picture.width // picture.height, height), Image.Resampling.NEAREST))
    page = Image.new("RGB", (sum(one.width for one in shown), height))
    page.paste(shown[0], (0, 0))
    page.paste(shown[1], (shown[0].width, 0))
    while page.width < 500:
        page = page.resize((page.width * 2, page.height * 2), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    page.save(stream, "png", optimize=True)
    return stream.getvalue()


def valid_name(name: str) -> str:
    """Return a name of the letters that the format allows.

    >>> valid_name("Cuello mlp:35-20-2,activation=relu")
    'Cuello mlp 35-20-2 activation relu'
    """
    return " ".join(re.sub(r"[^A-Za-z0-9_+() -]+", " ", name).split())[:128]


def usage(model: Model) -> list[str]:
    """Say how the package is used."""
    black, white = scale_of(model)
    return [
        "Open the package in a program that runs BioImage.IO models, such as Fiji with deepImageJ, ilastik or QuPath.",
        f"Black is {black:g} and white is {white:g}: bring images of another range to this one first, as floats, so "
        "that nothing is lost" + (" (16-bit images: divide by 257)." if (black, white) == (0.0, WHITE) else "."),
    ]


def notes_of(subject: Subject) -> list[str]:
    """Say what the package lacks."""
    training = subject.model.artefact.training
    place = subject.run.path if subject.run is not None else "RUN"
    found = []
    if missing := [name for name in ("license", "author") if not training.get(name)]:
        said = " and no ".join({"license": "licence"}.get(name, name) for name in missing)
        flags = " ".join(
            {"license": "--license Apache-2.0", "author": '--author "YOUR NAME"'}[name] for name in missing
        )
        found.append(
            f"the package states no {said}. State it, and export again: cuello resume {place} {flags} --no-report"
        )
    if GIVES[subject.model.artefact.job] == "images" and subject.model.levels is None:
        found.append("the package takes 0 for black and 255 for white; 16-bit images are divided by 257 first.")
    return [*found, *handed_down(subject.model.artefact)]
