"""The one file that is handed over: weights, network, degradation, metrics and version in model.safetensors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.models.catalog import Architecture, build
from cuello.runs.tensors import check_fit, digest_of, load_tensors, save_tensors

if TYPE_CHECKING:
    from cuello.models.base import ImageNetwork

FORMAT = 1
SAVED = ("job", "noise", "training", "metrics")
"""Parts of an artefact that its file holds as they are."""
FILE_NAME = "model.safetensors"


@dataclass(frozen=True)
class Artefact:
    """A trained network and everything needed to use and to judge it.

    architecture: how to build the network. job, noise: what it learned to undo (a spec string, or None for pairs).
    weights: its tensors. training: the settings it was trained with. metrics: what it reached, by name. classes: what a
    classifier's scores stand for, in their order. classifier: of an estimator of occlusion maps, ``checksum`` of the
    classifier whose maps it learned.
    """

    architecture: Architecture
    job: str
    noise: str | None
    weights: Mapping[str, Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()
    classifier: str = ""

    @property
    def checksum(self) -> str:
        """What tells this network from every other: a checksum of its settings and weights, 16 hexadecimal digits."""
        about = json.dumps(dict(self.architecture.settings), sort_keys=True)
        return digest_of(self.weights, f"{self.architecture.kind} {about}")[:16]

    @property
    def channels(self) -> int:
        """Channels of the images that the network takes."""
        return self.architecture.settings["channels"]

    def network(self, allowed_code: str | None = None) -> "ImageNetwork":
        """Build the network with these weights, ready for inference.

        allowed_code: FILE.py:CLASS, needed (and run) only where the network is somebody's own code.
        """
        with torch.random.fork_rng(()):  # first weights, which are not kept, are drawn from the caller's numbers
            network = build(self.architecture, allowed_code)
        check_fit(self.weights, network.state_dict(), Path(FILE_NAME))
        network.load_state_dict(dict(self.weights))
        return network.eval()


def save_artefact(path: Path, artefact: Artefact) -> None:
    """Write the artefact to ``path``, whole or not at all."""
    about = {"architecture": asdict(artefact.architecture), **{name: getattr(artefact, name) for name in SAVED}}
    if artefact.classes:
        about["classes"] = list(artefact.classes)
    if artefact.classifier:
        about["classifier"] = artefact.classifier
    save_tensors(path, artefact.weights, about, kind="model", format=FORMAT)


def load_artefact(path: Path) -> Artefact:
    """Read ``model.safetensors``, or that of a run directory; no code in it is run.

    Raises CuelloError for anything that is not a whole, unchanged artefact of this version.
    """
    if path.is_dir():
        if not (path / FILE_NAME).is_file():
            raise CuelloError(f"{path} holds no {FILE_NAME}: no epoch of a training has ended there yet.")
        path = path / FILE_NAME
    weights, about = load_tensors(path, "model", FORMAT)
    try:
        return Artefact(
            architecture=Architecture(**about["architecture"]), weights=weights,
            classes=tuple(about.get("classes", ())), classifier=about.get("classifier", ""),
            **{name: about[name] for name in SAVED},
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise CuelloError(f"{path} lacks a part of its description ({error}); it was not written by cuello.") from None
