"""Every registered network and every job that it serves gives as ONNX what it gives in torch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cuello.core.config import GIVES
from cuello.exporting.beside import expected, largest_difference, photographs
from cuello.exporting.onnx import graph_of, tried
from cuello.inference.model import Model
from cuello.models.catalog import CLEAN, CODE, KINDS, Architecture, architecture_of, build, config_of, usual_channels
from cuello.models.named import NETWORKS, NetworkSpec
from cuello.models.stabilised import Domain, Stabilised
from cuello.noise_models.model import NoiseModel
from cuello.runs.artefact import Artefact

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FEW = 8
"""Filters of a layer, at most, where a network's settings name them."""
CLASSES = ("cat", "dog", "owl")
REACH = 1e-5


def tiny(architecture: Architecture) -> Architecture:
    """Return the same network with few filters, where its settings allow it."""
    settings = dict(architecture.settings)
    for name, value in architecture.settings.items():
        if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
            settings[name] = [min(one, FEW) for one in value]
        elif name == "width":
            settings[name] = value if "height" in settings else min(value, FEW)
    return replace(architecture, settings=settings)


def model_of(spec: NetworkSpec, job: str, noise: str | None) -> Model:
    """Make a network with weights drawn at random: what begins at 0 too, so that every part has a say."""
    kind = KINDS[spec.kind]
    classes = None if kind.gives == "images" else len(CLASSES)
    architecture = tiny(architecture_of(spec.name, usual_channels(spec.name), classes=classes))
    config_of(architecture)
    torch.manual_seed(0)
    network = build(architecture).eval()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.rand_like(tensor), alpha=0.2)
            elif tensor.is_floating_point() and not tensor.any():
                tensor.normal_(0, 0.05)
    about = Artefact(
        architecture, job, noise, network.state_dict(),
        classes=CLASSES if kind.classifies else (), classifier="f" * 16 if kind.explains else "",
    )  # fmt: skip
    return Model(about, network.folded().eval())


def served() -> list[Any]:
    """Name every network and the jobs that it serves.

    Jobs that give images have one graph, in which what undoes something keeps what is flat: of them, the network's own.
    """
    found = []
    for spec in NETWORKS:
        purpose = KINDS[spec.kind].purpose
        own = {CLEAN: "denoise", CODE: "reconstruct"}.get(purpose, "upscale" if spec.scales != (1,) else "denoise")
        for job, gives in GIVES.items():
            if gives == KINDS[spec.kind].gives and (gives != "images" or job == own):
                noise = {"denoise": "gaussian:25", "upscale": "downscale:2"}.get(job)
                found.append(pytest.param(spec, job, noise, id=f"{spec.name} {job}"))
    return found


@pytest.mark.parametrize(("spec", "job", "noise"), served())
def test_onnx_runtime_gives_what_torch_gives(spec: NetworkSpec, job: str, noise: str | None) -> None:
    model = model_of(spec, job, noise)
    stride = model.network.stride
    sizes = ((5, 3 * stride + 4), (2 * stride + 3, stride + 6), (17, 40))
    assert model.size or tuple(graph_of(model)[0].given["image"].shape[2:]) not in sizes
    assert np.ptp(expected(model, photographs(2, *(model.size or sizes[0]), channels=model.channels))) > 1e-3
    assert largest_difference(model, tried(model)[0], sizes, most=2) <= REACH


def test_every_registered_network_is_among_them() -> None:
    assert {param.values[0].name for param in served()} == set(NETWORKS.names())


@pytest.mark.parametrize("name", ["unet-s", "denoise-s"])
def test_a_network_within_its_noise_does_too(name: str) -> None:
    plain = model_of(NETWORKS[name], "denoise", "gaussian:25")
    noise = (NoiseModel(gain=0.01, base=1e-4),) * plain.channels
    about = replace(plain.artefact, noise_models=noise)
    model = Model(about, Stabilised(plain.network, Domain(noise)).eval())
    assert largest_difference(model, tried(model)[0], ((17, 40), (33, 19)), most=2) <= REACH
