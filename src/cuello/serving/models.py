"""The models that are served, each by its name."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.inference.model import Model, load
from cuello.inference.onnx import SUFFIX
from cuello.inference.told import told_by
from cuello.jobs.explain.classifier import ExplainedClassifier, open_classifier
from cuello.jobs.explain.estimator import MapEstimator, gives_maps, open_estimator
from cuello.runs.rights import rights_of
from cuello.serving.asked import Give
from cuello.serving.together import Together, shared

PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
WHERE = ("model", "best", "last")
"""Names of files that say nothing: the folder's name is the model's then."""
IN_RUNS = {"map": "maps", "code": "codes", "decoded": "images of codes"}
"""What a run gives, and an ONNX file of its network does not."""


@dataclass(frozen=True)
class Served:
    """A model and its name.

    gives: what can be asked of it, what it gives unasked first. classifier: whose maps it gives, itself or the one that
    an estimator learned from. estimator: where it is one.
    """

    name: str
    model: Model
    gives: Sequence[Give]
    classifier: ExplainedClassifier | None = None
    estimator: MapEstimator | None = None

    def lacks(self, give: str) -> str:
        """Say why something else cannot be had of it, "" where its job says so."""
        path = self.model.path
        if give not in IN_RUNS or path is None or path.suffix.lower() != SUFFIX:
            return ""
        return f" An ONNX file gives no {IN_RUNS[give]}: serve the run that it was made from, or its model.safetensors."

    def about(self) -> dict[str, Any]:
        """Say as plain values what it takes and gives."""
        model = self.model
        size = model.size
        return {
            "name": self.name,
            "job": model.artefact.job,
            "network": model.artefact.architecture.name,
            "channels": model.channels,
            "size": None if size is None else {"width": size[1], "height": size[0]},
            "scale": model.scale,
            "takes_sigma": told_by(model) == "sigma",
            "takes_quality": told_by(model) == "quality",
            "range": None if model.levels is None else str(model.levels),
            "gives": list(self.gives),
            "classes": list(model.classes),
            "rights": rights_of(model.artefact),
        }


def named(places: Sequence[str | os.PathLike[str]]) -> dict[str, str]:
    """Give every model its name: NAME=PLACE, or what the place is called; CuelloError where two share one.

    >>> named(["denoise", "fast=runs/first", "runs/second/model.safetensors"])
    {'denoise': 'denoise', 'fast': 'runs/first', 'second': 'runs/second/model.safetensors'}
    """
    if not places:
        raise CuelloError("got no model to serve. Name one or more: a run directory, a file, or a ready model's name.")
    found: dict[str, str] = {}
    for place in [os.fspath(one) for one in places]:
        name, found_sign, rest = place.partition("=")
        given = bool(found_sign) and not os.path.exists(place) and not {"/", "\\", ":"} & set(name)
        where = rest if given else place
        name = name if given else name_of(where)
        if PLAIN.search(name) or not name.strip("."):
            raise CuelloError(
                f"got the name {name!r} for {where}, needed letters, digits, dots, - and _. Name it: NAME={where}"
            )
        if name in found:
            raise CuelloError(
                f"{found[name]} and {where} would both be called {name!r}. Name one of them: another-{name}={where}"
            )
        found[name] = where
    return found


def name_of(place: str) -> str:
    """Call a model what its place is called, in plain signs."""
    if place.startswith("hf://"):  # hf://OWNER/NAME@COMMIT#sha256=CHECKSUM
        place = re.split("[@#]", place)[0]
    path = Path(place).expanduser()
    stem = path.name if path.is_dir() or not path.suffix else path.stem
    if stem in ("", ".", "..") or (stem in WHERE and path.suffix):
        whole = path.resolve()
        stem = whole.name if whole.is_dir() else whole.parent.name
    return PLAIN.sub("-", stem).strip("-.") or "model"


def open_models(
    places: Mapping[str, str], together: Together, *, network: Any = None, device: str = "cpu"
) -> dict[str, Served]:
    """Load models, whose networks are run by one thread; CuelloError for one that cannot be served."""
    loaded = {name: load(place, network, device) for name, place in places.items()}
    classifiers = {name: classifier_of(model, device) for name, model in loaded.items() if model.classes}
    found: dict[str, Served] = {}
    for name, model in loaded.items():
        one = Served(name, shared(model, together), ["image"])
        if model.classes:
            whose = classifiers[name]
            one = replace(one, gives=["class", "map"] if whose else ["class"], classifier=whose)
        elif gives_maps(model):
            one = estimator_of(one, places[name], classifiers, device=device)
        elif model.network.has_code:
            one = replace(one, gives=["image", "code", "decoded"])
        found[name] = one
    return found


def classifier_of(model: Model, device: str) -> ExplainedClassifier | None:
    """Open a classifier for its maps; None where it gives none: somebody's own code, or an ONNX file.

    In an ONNX file a network pads its images itself, so that boxes would not slide over the padding: other maps.
    """
    if model.path is None or model.path.suffix.lower() == SUFFIX:
        return None
    try:
        return open_classifier(model.path, device)
    except CuelloError:
        return None


def estimator_of(
    one: Served, place: str, classifiers: Mapping[str, ExplainedClassifier | None], *, device: str
) -> Served:
    """Serve an estimator with the classifier whose maps it learned; CuelloError where that is not among the served."""
    for whose in classifiers.values():
        if whose is not None and whose.own is not None and whose.own.artefact.checksum == one.model.artefact.classifier:
            return replace(one, gives=["map"], classifier=whose, estimator=open_estimator(place, whose, device))
    raise CuelloError(
        f"{place} estimates the maps of a classifier that is not served. Name that as well, its run or "
        f"model.safetensors: cuello serve CLASSIFIER {place}"
    )
