"""A model's page: what is done with images there, the graphs that do it, and what is told of the model."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cuello.core.errors import CuelloError
from cuello.exporting.beside import alike
from cuello.exporting.graph import Graph, Mapped, Telling, blank
from cuello.exporting.page.facts import PageFacts
from cuello.exporting.page.graphs import Decoding, Encoding, image_graph
from cuello.exporting.page.page import write_page
from cuello.inference.model import Model, load
from cuello.jobs.explain.estimator import gives_maps
from cuello.runs.look import job_words, score_words
from cuello.runs.rights import rights_of

WHOLE = (0, 2, 3)
"""Axes of images that may have any length."""
SPANS = {"normal": (-3.0, 3.0), "uniform": (0.0, 1.0)}
"""Codes that a map shows, by the network's prior."""


def write_model_page(model: Model, path: Path) -> None:
    """Write one HTML file in which a browser uses ``model``, without a network; whole or not at all.

    Raises CuelloError where the network cannot be written as ONNX, or this installation lacks what runs it.
    """
    facts, graphs = plan(model)
    models = {name: graph.written() for name, graph in graphs.items()}
    write_page(path, facts, models, about=told(model))


def plan(model: Model) -> tuple[PageFacts, dict[str, Graph]]:
    """Say what the page does with images, and by which graphs."""
    levels, network = model.levels, model.network
    facts = PageFacts(
        name=model.artefact.architecture.name,
        kind="image",
        words="enlarge" if model.scale > 1 else "restore",
        suffix=f"x{model.scale}" if model.scale > 1 else "restored",
        channels=model.channels,
        inputs={"image": "image"},
        scale=model.scale,
        stride=network.stride,
        reach=None if network.receptive_field is None else network.receptive_field // 2,
        size=model.size,
        conditioned=model.conditioned,
        range=levels and {"black": levels.black, "white": levels.white, "estimated": levels.estimated},
    )
    image, free = blank(model), (0,) if model.size else WHOLE
    if model.classes:
        graph = Graph(Telling(network), {"image": image}, {"image": free})
        return replace(facts, kind="classify", words="classify", classes=model.classes), {"image": graph}
    if gives_maps(model):
        return explained(model, facts, free)
    if model.size and network.has_code and (shape := model.latent_shape):
        graphs = {
            "encoder": Graph(Encoding(network), {"image": image}, {"image": (0,)}),
            "decoder": Graph(Decoding(network), {"code": torch.zeros(1, *shape)}, {"code": (0,)}),
        }
        known = {"code": shape, "code_range": SPANS.get(model.prior or "", (-3.0, 3.0))}
        return replace(facts, kind="codes", words="codes", suffix="decoded", inputs=CODES, **known), graphs
    graphs = {"image": image_graph(model)}
    inputs = {name: name for name in graphs["image"].given}
    return replace(facts, inputs=inputs), graphs


CODES = {"encoder": "image", "decoder": "code"}


def explained(model: Model, facts: PageFacts, free: tuple[int, ...]) -> tuple[PageFacts, dict[str, Graph]]:
    """Plan the page of an estimator, with its classifier where that still lies where it was.

    Classes are named only where something comes of them: a classifier's scores, or a network that is told one.
    """
    image, classifier = blank(model), classifier_of(model)
    classes = classifier.classes if classifier else ()
    given: dict[str, Any] = {"image": image}
    axes: dict[str, Any] = {"image": free}
    inputs = {"image": "image"}
    if model.network.conditioning == "class":
        told = alike(model)
        classes = classes or tuple(str(k) for k in range(told.shape[1]))
        given["condition"], axes["condition"], inputs["condition"] = told, (0,), "condition"
    graphs = {"image": Graph(Mapped(model.network), given, axes)}
    if classifier is not None:
        graphs["classifier"] = Graph(Telling(classifier.network), {"image": image}, {"image": free})
        inputs["classifier"] = "image"
    return replace(facts, kind="explain", words="explain", suffix="map", classes=classes, inputs=inputs), graphs


def classifier_of(model: Model) -> Model | None:
    """Load the classifier whose maps an estimator learned, from where it lay; None where it is no longer there."""
    place = model.artefact.training.get("classifier")
    with suppress(CuelloError):
        if place and (found := load(str(place))).artefact.checksum == model.artefact.classifier:
            return found
    return None


def told(model: Model) -> list[tuple[str, str]]:
    """Name what the page tells of the model."""
    artefact = model.artefact
    said = [
        ("Network", artefact.architecture.name),
        ("Job", job_words(artefact.job, artefact.noise)),
        ("Parameters", f"{sum(one.numel() for one in artefact.weights.values()):,}"),
        ("Validation", score_words(artefact.metrics)),
        *((name.capitalize(), text) for name, text in rights_of(artefact).items()),
        ("Checksum", artefact.checksum),
    ]
    return [(name, str(value)) for name, value in said if value]
