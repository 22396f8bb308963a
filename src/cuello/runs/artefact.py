"""The one file that is handed over: weights, network, degradation, metrics and version in model.safetensors."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from cuello.core.config import GIVES, Job, TrainConfig, make_config
from cuello.core.errors import CuelloError, first_few
from cuello.core.schema import Finite, Name, StoredFields, Text, checked
from cuello.models.catalog import KINDS, Architecture, build, config_of
from cuello.models.limits import AT_ONCE, Channels, Kernel, Side
from cuello.models.stabilised import Domain
from cuello.noise_models.model import NoiseModel
from cuello.runs.origin import Origin, StoredOrigin, origins_of
from cuello.runs.tensors import check_finite, check_fit, digest_of, load_tensors, save_tensors

if TYPE_CHECKING:
    from cuello.models.base import ImageNetwork

FORMAT = 1
SAVED = ("job", "noise", "training", "metrics")
"""Parts of an artefact that its file holds as they are."""
FILE_NAME = "model.safetensors"


class StoredArchitecture(StoredFields):
    """An Architecture as it is stored."""

    name: Name
    kind: Name
    settings: dict[str, Any]


class CustomSettings(StoredFields):
    """Settings of the kind "custom"."""

    reference: Text
    sha256: Name
    channels: Channels
    scale: Kernel = 1
    height: Side | None = None
    width: Side | None = None
    classes: int | None = None


class StoredNoiseModel(StoredFields):
    """The noise of a channel as it is stored; see ``noise_models.model.NoiseModel``."""

    gain: Finite
    base: Finite


class StoredArtefact(StoredFields):
    """What a model's file says beside its weights; see Artefact."""

    architecture: StoredArchitecture
    job: Job
    noise: Text | None
    training: dict[str, Any]
    metrics: dict[str, Any]
    classes: list[Text] = Field(default_factory=list)
    classifier: Name = ""
    method: Name = ""
    noise_models: list[StoredNoiseModel] = Field(default_factory=list)
    noise_correlation: list[list[Finite]] = Field(default_factory=list)
    started_from: list[StoredOrigin] = Field(default_factory=list)
    trained_on: Text = ""


@dataclass(frozen=True)
class Artefact:
    """A trained network and everything needed to use and to judge it.

    architecture: how to build the network. job, noise: what it learned to undo (a spec string, or None for pairs).
    weights: its tensors. training: the settings it was trained with. metrics: what it reached, by name. classes: what a
    classifier's scores stand for, in their order. classifier: of an estimator of occlusion maps, ``checksum`` of the
    classifier whose maps it learned. method: how it learned from noisy images alone, "" where it had clean ones.
    noise_models: the noise that it learned to take off, one of each channel, white being 1: what it sees are images
    whose noise was made even with these (``models/stabilised``). None of them: it sees images as they are.
    noise_correlation: of that noise with the pixels around, rows of odd number and length, 1 in the middle; none of
    them: each pixel has noise of its own. started_from: the trained network whose weights it began with, then the one
    that that began with, and so on; none: it began with random weights. trained_on: its training images and whose they
    are, in words (``runs/rights``), of the catalogue's that others made; "" elsewhere, and in earlier versions' files.
    """

    architecture: Architecture
    job: str
    noise: str | None
    weights: Mapping[str, Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()
    classifier: str = ""
    method: str = ""
    noise_models: Sequence[NoiseModel] = ()
    noise_correlation: Sequence[Sequence[float]] = ()
    started_from: Sequence[Origin] = ()
    trained_on: str = ""

    @property
    def checksum(self) -> str:
        """What tells this network from every other: a checksum of its settings and weights, 16 hexadecimal digits."""
        about = json.dumps(dict(self.architecture.settings), sort_keys=True)
        return digest_of(self.weights, f"{self.architecture.kind} {about}")[:16]

    @property
    def channels(self) -> int:
        """Channels of the images that the network takes."""
        return self.architecture.settings["channels"]

    def network(self, named: Any = None) -> "ImageNetwork":
        """Build the network with these weights, ready for inference.

        named: FILE.py:CLASS, a registered name or the class itself, needed only where the network is somebody's own.
        """
        with torch.random.fork_rng(()):  # first weights, which are not kept, are drawn from the caller's numbers
            stored = 4 * sum(tensor.numel() for tensor in self.weights.values())
            network = build(self.architecture, named, most=AT_ONCE + 2 * stored)
        check_fit(self.weights, network.state_dict(), Path(FILE_NAME))
        network.load_state_dict(dict(self.weights))
        return network.eval()


def save_artefact(path: Path, artefact: Artefact) -> None:
    """Write the artefact to ``path``, whole or not at all."""
    save_tensors(path, artefact.weights, about_of(artefact), kind="model", format=FORMAT)


def about_of(artefact: Artefact) -> dict[str, Any]:
    """Return what a file says of a network beside its weights, as JSON holds it; see StoredArtefact."""
    about = {"architecture": asdict(artefact.architecture), **{name: getattr(artefact, name) for name in SAVED}}
    if artefact.classes:
        about["classes"] = list(artefact.classes)
    if artefact.classifier:
        about["classifier"] = artefact.classifier
    if artefact.method:
        about["method"] = artefact.method
    if artefact.noise_models:
        about["noise_models"] = [asdict(model) for model in artefact.noise_models]
    if artefact.noise_correlation:
        about["noise_correlation"] = [list(row) for row in artefact.noise_correlation]
    if artefact.started_from:
        about["started_from"] = [asdict(origin) for origin in artefact.started_from]
    if artefact.trained_on:
        about["trained_on"] = artefact.trained_on
    return about


def load_artefact(path: Path) -> Artefact:
    """Read ``model.safetensors``, or that of a run directory; no code in it is run.

    Raises CuelloError for anything that is not a whole, unchanged artefact of this version.
    """
    if path.is_dir():
        if not (path / FILE_NAME).is_file():
            raise no_model(path)
        path = path / FILE_NAME
    weights, about = load_tensors(path, "model", FORMAT)
    found = checked(StoredArtefact, about, path)
    check_finite(weights, path)
    return as_artefact(found, weights, path)


def as_artefact(found: StoredArtefact, weights: Mapping[str, Tensor], path: Path) -> Artefact:
    """Return what a file holds as an Artefact; CuelloError where its parts do not fit."""
    architecture = Architecture(**dict(found.architecture))
    check_architecture(architecture, found, path)
    models = noise_models_of(found, architecture, path)
    return Artefact(
        architecture, found.job, found.noise, weights=weights, training=training_of(found, path), metrics=found.metrics,
        classes=tuple(found.classes), classifier=found.classifier, method=found.method, noise_models=models,
        noise_correlation=found.noise_correlation,
        started_from=origins_of(found.started_from), trained_on=found.trained_on,
    )  # fmt: skip


def runs_inside(folder: Path) -> list[Path]:
    """Return the runs that lie in a folder that is none itself, such as repeats; an empty list for anything else."""
    if not folder.is_dir() or (folder / "config.toml").is_file() or (folder / FILE_NAME).is_file():
        return []
    return sorted(path.parent for path in folder.glob(f"*/{FILE_NAME}"))


def no_model(folder: Path) -> CuelloError:
    """Say that a folder holds no model, and, where it is one of several runs, which these are."""
    inside = runs_inside(folder)
    if not inside:
        return CuelloError(f"{folder} holds no {FILE_NAME}: no epoch of a training has ended there yet.")
    if len(inside) == 1:
        return CuelloError(f"{folder} is not a run but holds one: name {inside[0]}.")
    return CuelloError(
        f"{folder} is not a run but holds {len(inside)}: {first_few(path.name for path in inside)}. Name one, e.g. "
        f"{inside[0]}; side by side: cuello compare {folder}"
    )


def check_architecture(architecture: Architecture, found: StoredArtefact, path: Path) -> None:
    """Raise CuelloError where the network's settings are not this version's, or it cannot do its job."""
    if architecture.kind == "custom":
        own = checked(CustomSettings, architecture.settings, path)
        if (own.classes or 0) != len(found.classes) or bool(own.classes) != (GIVES[found.job] == "classes"):
            raise CuelloError(
                f"{path} is damaged: the network and its {len(found.classes)} names of classes do not fit."
            )
        if (own.height is None) != (own.width is None):
            raise CuelloError(f"{path} is damaged: it says one side of its images and not the other.")
        return
    kind, config = KINDS[architecture.kind], config_of(architecture)
    if getattr(config, "channels", None) != architecture.settings.get("channels"):
        raise CuelloError(f"{path} lacks a part of its description ('channels'); it was not written by cuello.")
    if kind.gives != GIVES[found.job]:
        raise CuelloError(
            f"{path} is damaged: a network of kind {architecture.kind!r} cannot do the job {found.job!r}."
        )
    if len(found.classes) != (getattr(config, "classes", 0) if kind.gives == "classes" else 0):
        raise CuelloError(f"{path} is damaged: the network and its {len(found.classes)} names of classes do not fit.")


def noise_models_of(found: StoredArtefact, architecture: Architecture, path: Path) -> tuple[NoiseModel, ...]:
    """Return the noise that a network was trained for; CuelloError where that is none, or not of its channels."""
    channels = architecture.settings.get("channels")
    sides = {len(row) for row in found.noise_correlation} | {len(found.noise_correlation) or 1}
    if len(sides) > 2 or any(side % 2 == 0 for side in sides):
        raise CuelloError(f"{path} is damaged: the correlation of its noise is no table of odd sides.")
    if found.noise_models and len(found.noise_models) != channels:
        raise CuelloError(
            f"{path} is damaged: noise of {len(found.noise_models)} channels, the network has {channels}."
        )
    try:
        models = tuple(NoiseModel(one.gain, one.base) for one in found.noise_models)
        if models and not 0 < Domain(models).level < math.inf:
            raise CuelloError("its noise is none")
    except (CuelloError, ZeroDivisionError, OverflowError) as error:
        raise CuelloError(f"{path} is damaged: in the noise that it was trained for, {error}") from None
    return models


def training_of(found: StoredArtefact, path: Path) -> dict[str, Any]:
    """Return the settings of the training; CuelloError for a value that none of them has. Others are left alone."""
    known = {name: value for name, value in found.training.items() if name in TrainConfig.model_fields}
    try:
        values = make_config(known).model_dump()
    except CuelloError as error:
        raise CuelloError(f"{path}: in the settings of its training, {error}") from None
    return {name: values.get(name, value) for name, value in found.training.items()}
