"""The classifier that is explained: what it says of itself, its classes, and the images that fit it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cuello.core.errors import CuelloError, closest
from cuello.core.files import printable
from cuello.data.images import Images
from cuello.inference.bundled import located
from cuello.inference.model import Model, load
from cuello.inference.onnx import KEY, OnnxNetwork
from cuello.saliency.answers import Outputs


@dataclass(frozen=True)
class ExplainedClassifier:
    """A classifier and what it says of itself.

    network: a module or function for `occlusion_map`, of images with ``padding`` pixels of 0 around them. channels,
    size (height, width): of its images before that; None: any. own: the classifier as Cuello loads it, from the file
    ``path``; None for other ones. outputs: what the network gives, where that is not class scores before softmax.
    """

    network: Any
    name: str
    channels: int | None
    size: tuple[int, int] | None
    padding: int = 0
    own: Model | None = None
    path: Path = Path()
    outputs: Outputs | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.own.classes if self.own else ()

    @property
    def checksum(self) -> str:
        """Tell Cuello's own classifiers apart; an exported one has its run's, "" where its file does not say it."""
        assert self.own is not None
        network = self.own.network
        return network.checksum if isinstance(network, OnnxNetwork) else self.own.artefact.checksum

    @property
    def exported(self) -> bool:
        """Whether it is an ONNX file that Cuello wrote."""
        return self.own is not None and isinstance(self.own.network, OnnxNetwork)

    def called(self, number: int) -> str:
        """Name a class; its number where it has no name."""
        return self.classes[number] if self.classes else str(number)


def own_classifier(name: str | Path, device: str = "cpu") -> tuple[Path, Model]:
    """Load a classifier of Cuello's, with the path of its file; CuelloError for anything else."""
    path = located(name)
    model = load(path, None, device)
    if not model.classes:
        job, remedy = model.artefact.job, "Train one: cuello train classify DATA."
        if job == "explain":
            remedy = (
                "Give it with --model, after the classifier whose maps it learned: cuello explain CLASSIFIER IMAGES."
            )
        raise CuelloError(f"{name} is not a classifier: its job is {job}. {remedy}")
    return path, model


def open_classifier(classifier: str | Path, device: str = "cpu", padding: int | None = None) -> ExplainedClassifier:
    """Open a classifier, Cuello's own or an ONNX file; CuelloError for anything else.

    padding: pixels of 0 put around the images for an ONNX file; Cuello's own classifiers know theirs.
    """
    file = Path(classifier).expanduser()
    if file.suffix.lower() == ".onnx":
        return open_onnx(file, device, padding or 0)
    opened = explained_model(*own_classifier(classifier, device))
    if padding is not None:
        known = opened.padding
        does = f"pads its images itself, by {known} pixels" if known else "takes its images without padding"
        raise CuelloError(f"--padding: got {padding}, but {classifier} {does}, which is known: leave it out.")
    return opened


def explained_model(path: Path, model: Model) -> ExplainedClassifier:
    """Take a classifier of Cuello's as one to be explained; path: its file."""
    network, padding = model.network.unpadded()
    name = model.artefact.architecture.name
    return ExplainedClassifier(
        network.eval(), name, model.channels, size=model.size, padding=padding, own=model, path=path
    )


def open_onnx(path: Path, device: str, padding: int) -> ExplainedClassifier:
    """Open an ONNX file, Cuello's or another's; CuelloError where it is no classifier, or smaller than its padding."""
    from cuello.saliency.onnx import OnnxClassifier, open_session

    if device != "cpu":
        raise CuelloError(f"--device: got {device!r}, but ONNX files run on the processor: leave it out.")
    if padding < 0:
        raise CuelloError(f"--padding: got {padding}, needed 0 or more pixels.")
    session = open_session(path, torch.get_num_threads())
    if KEY in session.get_modelmeta().custom_metadata_map:
        return exported_classifier(path, padding)
    network = OnnxClassifier(path, session)
    channels, height, width = (side if isinstance(side, int) else None for side in network.shape[1:])
    size = (height - 2 * padding, width - 2 * padding) if height is not None and width is not None else None
    if size is not None and min(size) < 1:
        raise CuelloError(
            f"--padding: got {padding}, but {path} takes {width}×{height} pixels, padding included: nothing would be "
            "left of the images."
        )
    return ExplainedClassifier(network, path.name, channels, size=size, padding=padding, outputs="auto")


def exported_classifier(path: Path, padding: int) -> ExplainedClassifier:
    """Open a classifier that `cuello export` wrote, which gives probabilities; CuelloError where it is none."""
    _, model = own_classifier(path)
    if padding:
        raise CuelloError(
            f"--padding: got {padding}, but {path} was written by cuello export and pads its images itself where its "
            "network does: leave it out."
        )
    network = model.network
    assert isinstance(network, OnnxNetwork)
    return ExplainedClassifier(
        network.run, model.artefact.architecture.name, model.channels, size=model.size, own=model, path=path,
        outputs="probabilities",
    )  # fmt: skip


def class_number(wanted: str | int, classes: Sequence[str]) -> str | int:
    """Return "predicted", or the number of the class that is named, or whose number is given.

    A name goes before a number: of the classes 1, 2 and 3, "1" is the first. Raises CuelloError for what is neither.

    >>> class_number("dog", ["cat", "dog"]), class_number("1", ["cat", "dog"]), class_number("1", ["1", "2"])
    (1, 1, 0)
    """
    wanted = printable(wanted) if isinstance(wanted, str) else wanted
    if isinstance(wanted, str) and wanted in classes:
        return list(classes).index(wanted)
    if wanted == "predicted":
        return wanted
    if str(wanted).isdecimal() and (not classes or int(wanted) < len(classes)):
        return int(wanted)
    if not classes:
        raise CuelloError(f"--class_: got {wanted!r}, needed 'predicted' or a class' number, from 0.")
    names = ", ".join(classes[:12]) + (", …" if len(classes) > 12 else "")
    raise CuelloError(
        f"--class_: got {wanted!r}, needed 'predicted', a number from 0 to {len(classes) - 1}, or one of: {names}."
        f"{closest(str(wanted), classes)}"
    )


def fitting(
    images: Images, size: tuple[int, int] | None, *, who: str, on_error: str
) -> tuple[list[int], list[tuple[str, str]]]:
    """Find the positions of the images of a (height, width), and (name, problem) of the others, which may be an error.

    who: takes that size, in words, e.g. "the classifier".
    """
    kept, failed = [], []
    for position, (height, width) in enumerate(images.sizes.tolist()):
        if size is None or (height, width) == size:
            kept.append(position)
            continue
        rows, columns = size
        problem = (
            f"{images.names[position]} has {width}×{height} pixels, but {who} takes {columns}×{rows}. Resize "
            f"the images: --resize={columns}x{rows}."
        )
        if on_error == "stop":
            raise CuelloError(f"{problem} To leave such images out, use --on-error=skip.")
        failed.append((images.names[position], problem))
    if not kept:
        raise CuelloError(f"no image fits; the first problem: {failed[-1][1]}")
    return kept, failed


def groups(images: Images, positions: Sequence[int], *, most: int, pixels: int) -> list[list[int]]:
    """Divide positions, in their order, into groups of images of one size: at most so many images, and pixels."""
    found: list[list[int]] = []
    sizes = images.sizes.tolist()
    for position in positions:
        fit = max(1, min(most, pixels // (sizes[position][0] * sizes[position][1])))
        if found and sizes[found[-1][0]] == sizes[position] and len(found[-1]) < fit:
            found[-1].append(position)
        else:
            found.append([position])
    return found
