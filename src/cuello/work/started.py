"""Trainings that begin with the weights of a trained network: which one, what fits, and what is kept of it."""

from dataclasses import replace
from pathlib import Path

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import may_run
from cuello.core.progress import OnProgress, Progress, silent
from cuello.inference.bundled import SUFFIX as MODEL_SUFFIX
from cuello.inference.bundled import located
from cuello.inference.hub import is_on_hub
from cuello.inference.onnx import SUFFIX
from cuello.jobs.networks import Chosen
from cuello.models.base import ImageNetwork
from cuello.models.catalog import Architecture
from cuello.models.takeover import take_over
from cuello.runs.artefact import FILE_NAME, Artefact, load_artefact
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run
from cuello.runs.origin import Origin
from cuello.runs.rights import rights_of

CUSTOM = "custom"
"""The kind of networks that are somebody's own code."""
DIVISION = ("validation", "test", "split_seed", "fold")
"""Settings that say which images a network does not learn from."""
UNTOLD = ("folded", "sha256")
"""Settings of an architecture that are of no interest where it is told."""


def started_from(place: str) -> Artefact:
    """Read the trained network that a training starts from; CuelloError where there is none, or only its graph."""
    path = located(place)
    if path.suffix.lower() == SUFFIX and path.is_file():
        raise CuelloError(
            f"--start-from={place}: an exported file holds no weights that can be trained on. Name the run that it was "
            "written from, or its model.safetensors."
        )
    return load_artefact(path)


def name_of(place: str) -> str:
    """Return what a trained network is called where others read it: without the way to it on this machine.

    >>> name_of("denoise"), name_of("runs/first"), name_of("runs/first/model.safetensors")
    ('denoise', 'first', 'first')
    """
    if is_on_hub(place):
        return place
    path = Path(place).expanduser().resolve()
    path = path.parent if path.name == FILE_NAME else path
    return path.stem if path.suffix == MODEL_SUFFIX else path.name


def network_of(place: str) -> Chosen:
    """Choose the network that a training starts from; CuelloError where it is code that the caller did not name."""
    about = started_from(place).architecture
    if about.kind != CUSTOM:
        return Chosen(about.name, f"that of {name_of(place)}, which the training starts from")
    reference = str(about.settings["reference"])
    if not may_run("network", reference):
        raise CuelloError(
            f"the network of {place} is somebody's own code ({reference}), and code is run only if you name it: add "
            f"--model={reference} with the path where you have that file."
        )
    return Chosen(reference, f"that of {name_of(place)}, which the training starts from")


def begun_with(
    made: tuple[ImageNetwork, Artefact], config: TrainConfig, run: Run | None = None, *, tell: OnProgress = silent
) -> tuple[ImageNetwork, Artefact]:
    """Give a new network the weights of the one that the configuration names, and note down which that was.

    run: one that goes on: its checkpoint has the weights, and says where they are from, so that the trained network is
    not needed any more. tell: told in one line what was taken over. Raises CuelloError where nothing fits.
    """
    if config.start_from is None:
        return made
    network, artefact = made
    if run is not None and run.checkpoint_path.is_file():
        return network, replace(artefact, started_from=read_reached(run.checkpoint_path).started_from)
    theirs, name = started_from(config.start_from), name_of(config.start_from)
    taken = None
    if (kind := theirs.architecture.kind) == artefact.architecture.kind:
        check_classifier(theirs, artefact, config.start_from)
        taken = take_over(network, theirs.weights, theirs.network() if kind != CUSTOM else None)
    if taken is None:
        raise CuelloError(
            f"no weights of {config.start_from}, whose network is {in_words(theirs.architecture)}, fit the network "
            f"{in_words(artefact.architecture)}. Leave --model out to train that of {name} further, or --start-from to "
            "begin anew."
        )
    said = "; ".join([taken.sentence(name), *may_have_seen(theirs, config)])
    tell(Progress("reading images", 1, 1, note=f"training starts with {said}"))
    origin = origin_of(theirs, name, said)
    return network, replace(artefact, started_from=(origin, *theirs.started_from))


def may_have_seen(theirs: Artefact, config: TrainConfig) -> list[str]:
    """Say it where a trained network may have learned from images that the new one is judged by."""
    same = [theirs.training.get(name) == getattr(config, name) for name in DIVISION]
    if theirs.training.get("data") != config.data or all(same):
        return []
    return [
        "it was trained on the same images, divided otherwise: it may have seen those that the new one is judged by"
    ]


def origin_of(theirs: Artefact, name: str, taken: str) -> Origin:
    """Return what is kept of a trained network that another one began with."""
    rights = rights_of(theirs)
    return Origin(
        name, theirs.architecture.name, theirs.checksum, taken=taken, licence=rights["licence"],
        author=rights["author"], citation=rights["citation"], data=rights["training data"],
    )  # fmt: skip


def check_classifier(theirs: Artefact, ours: Artefact, place: str) -> None:
    """Raise CuelloError for an estimator of another classifier's maps, whose layers the new one must not have."""
    if theirs.classifier != ours.classifier:
        raise CuelloError(
            f"--start-from={place}: it learned the maps of another classifier (checksum "
            f"{theirs.classifier}, this one has {ours.classifier}). Name an estimator of the "
            "same classifier, or leave --start-from out."
        )


def in_words(architecture: Architecture) -> str:
    """Say an architecture with its settings.

    >>> in_words(Architecture("up-s", "upscaler", {"channels": 1, "scale": 2, "folded": True}))
    "'up-s' (upscaler, channels 1, scale 2)"
    """
    shown = {name: value for name, value in architecture.settings.items() if name not in UNTOLD}
    said = ", ".join([architecture.kind, *(f"{name} {value}" for name, value in shown.items())])
    return f"{architecture.name!r} ({said})"
