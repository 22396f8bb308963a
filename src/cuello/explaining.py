"""Occlusion maps of files: a classifier and images in, arrays, pictures and a page out."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from cuello.bundled import located
from cuello.config import make_config
from cuello.data.batches import to_tensor
from cuello.data.catalog import open_source
from cuello.data.images import Images, load_images, parse_size
from cuello.data.levels import Levels
from cuello.data.picture import SUFFIXES
from cuello.errors import CuelloError, Interrupted, closest
from cuello.evaluation import Progress
from cuello.files import check_free, make_folder, replacing, write_bytes
from cuello.inference import load
from cuello.report.explaining_figures import Scale, Shown, overlay_picture
from cuello.report.explaining_page import SHEET, write_explanation
from cuello.report.figures import LIGHT
from cuello.runs.directory import environment, write_json
from cuello.saliency import DEFINITIONS, SCORES, occlusion_map

FILES = ("maps.npz", "explain.json", "explain.png", "explain.html", "overlays")
"""What is written."""

TOGETHER, PIXELS = 64, 2**18
"""Images, and pixels of images, whose maps are made at once, at most."""


@dataclass(frozen=True)
class Subject:
    """A classifier and what it says of itself.

    model: a module or function for `occlusion_map`. channels, size (height, width): of its images; None: any. classes:
    their names, or none. resize: what its training images were resized to, "WIDTHxHEIGHT". levels: what is black and
    white in its images' files.
    """

    model: Any
    name: str
    channels: int | None
    size: tuple[int, int] | None
    classes: tuple[str, ...] = ()
    resize: str | None = None
    levels: Levels | None = None

    def called(self, number: int) -> str:
        """Return a class' name; its number where it has none."""
        return self.classes[number] if self.classes else str(number)


@dataclass(frozen=True)
class Explained:
    """Maps of images, and where they are written.

    names: of the images. maps: ``(H, W)`` float32 each. classes: the class of each that was explained, by name;
    numbers: by number. scores: what the classifier gives without a box. failed: (image, why) for each that was left
    out. notes: what else a user should know. written: names of files and folders in ``folder``. scored_in_percent:
    whether scores are probabilities.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    maps: list[np.ndarray] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    scored_in_percent: bool = True

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True)
class Question:
    """How maps are made; see ``explain``."""

    box: int = 3
    stride: int = 1
    fill: float | str = 0.0
    sigma: float = 3.0
    class_: str | int = "predicted"
    definition: str = "mean-drop"
    score: str | None = None
    outputs: Literal["logits", "probabilities"] = "logits"

    @property
    def watched(self) -> str:
        """The name of the score."""
        return self.score or DEFINITIONS[self.definition].score

    @property
    def scale(self) -> Scale:
        """What colours stand for."""
        if self.definition == "standardised-sum":
            return Scale(False, "standardised sum")
        units = {"drop": "fall of the probability", "logit-drop": "fall of the logit"}
        what = f"{DEFINITIONS[self.definition].combine} of the {units.get(self.watched, self.watched)}"
        return Scale(self.watched in units, what)


def explain(
    classifier: str | Path,
    images: str | Path,
    output: str | Path,
    *,
    box: int = 3,
    stride: int = 1,
    fill: float | str = 0.0,
    sigma: float = 3.0,
    class_: str | int = "predicted",
    definition: str = "mean-drop",
    score: str | None = None,
    outputs: Literal["logits", "probabilities"] = "logits",
    resize: str | None = None,
    pictures: int = 100,
    on_error: Literal["stop", "skip"] = "stop",
    overwrite: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Explained:
    """Make exact occlusion maps of images and write them as arrays, pictures and a page.

    classifier: a run directory or model.safetensors of `cuello train classify`, or an ONNX file (extra `onnx`) that
    gives class scores before softmax, or after it (``outputs = "probabilities"``). images: a file, folder, array file
    or data set. box, stride (pixels), fill, sigma, definition, score: as in `cuello.occlusion_map`. class_: which one,
    "predicted", its name, or its number from 0. resize: "WIDTHxHEIGHT" for the images; by default as in training.
    pictures: how many overlays are drawn, at most, spread evenly over the images. on_error: "skip" leaves out images
    that cannot be read or explained. progress: called with what is done, how much, of how much.

    Written to the folder ``output``: maps.npz (``maps`` ``(N, H, W)`` float32, or ``map_0``, ``map_1``, … for images of
    several sizes; ``names``; ``classes``, numbers; ``class_names``; ``scores`` without a box; ``settings``, JSON),
    overlays/NAME.png, explain.png and explain.html (all at a glance), explain.json (settings, versions, every image).
    Stopped by Ctrl-C, the same for the images that are finished.

    Raises CuelloError where files would be replaced without ``overwrite``, the model is no classifier, the class is
    none of its classes, or images do not fit; Interrupted after Ctrl-C.

    >>> import cuello, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> run = cuello.train("classify", "glyphs", epochs=1, samples=32, output=folder + "/run", report=False)
    >>> found = explain(run.path, "glyphs", folder + "/maps", box=2, pictures=1)
    >>> len(found.maps), found.maps[0].shape
    (32, (7, 5))
    """
    question = Question(box, stride, fill, sigma, class_, definition, score, outputs)
    scale = question.scale
    if pictures < 0:
        raise CuelloError(f"pictures: got {pictures}, needed 0 or more.")
    subject = opened(classifier, device)
    wanted = class_number(class_, subject.classes)
    folder = Path(output).expanduser()
    check_free(folder, FILES, overwrite)
    size = parse_size(resize or subject.resize)
    source = open_source(str(images), subject.levels)
    reading = (lambda done, total: progress("reading images", done, total)) if progress else None
    loaded = load_images(source, subject.channels, size, on_error, reading)
    found = Explained(
        folder, notes=list(loaded.notes), failed=[(str(images), reason) for reason in loaded.skipped],
        scored_in_percent=not SCORES[question.watched].logits,
    )  # fmt: skip
    if size and not resize:
        found.note(f"images were resized to {size[0]}×{size[1]} pixels, as in training")
    kept = fitting(loaded, subject, found, on_error)
    drawn = spread(kept, pictures)
    clear(folder / "overlays")
    settings = {"classifier": str(classifier), "images": str(images), **asdict(question), "score": question.watched}
    settings["class"] = settings.pop("class_")
    at_a_glance, sheet = spread(kept, SHEET), []
    try:
        for positions in groups(loaded, kept):
            ready = work(question, subject, loaded, positions, wanted, found, on_error, telling(progress, found, kept))
            for place, position in enumerate(ready, len(found.maps) - len(ready)):
                shown = shown_of(loaded.arrays[position], found, place, scale)
                if position in at_a_glance:
                    sheet.append(shown)
                if position in drawn:
                    draw_overlay(folder / "overlays", shown, scale)
    except KeyboardInterrupt:
        if not found.maps:
            raise
        save(subject, sheet, scale, settings, found)
        raise Interrupted(f"stopped; the maps of {len(found.maps)} of {len(kept)} images are in {folder}.") from None
    if not found.maps:
        raise CuelloError(f"no image of {images} could be explained; the first problem: {found.failed[0][1]}")
    if len(drawn) < len(kept):
        found.note(f"overlays are drawn of {len(drawn)} of {len(kept)} images; of all with --pictures {len(kept)}")
    save(subject, sheet, scale, settings, found)
    return found


def opened(classifier: str | Path, device: str = "cpu") -> Subject:
    """Open a classifier, Cuello's own or an ONNX file; CuelloError for anything else."""
    path = Path(classifier).expanduser()
    if path.suffix.lower() == ".onnx":
        from cuello.saliency.onnx import OnnxClassifier

        if device != "cpu":
            raise CuelloError(f"device: got {device!r}, but ONNX files run on the processor: leave it out.")
        network = OnnxClassifier(path)
        channels, height, width = (side if isinstance(side, int) else None for side in network.shape[1:])
        size = (height, width) if height is not None and width is not None else None
        return Subject(network, path.name, channels, size)
    model = load(located(classifier), None, device)
    if not model.classes:
        raise CuelloError(
            f"{classifier} is no classifier: its job is {model.artefact.job}. Train one: cuello train classify DATA."
        )
    resize = make_config(model.artefact.training).resize
    name = model.artefact.architecture.name
    return Subject(model.network, name, model.channels, model.size, model.classes, resize, model.levels)


def class_number(wanted: str | int, classes: Sequence[str]) -> str | int:
    """Return "predicted", or the number of the class that is named, or whose number is given.

    A name goes before a number: of the classes 1, 2 and 3, "1" is the first. Raises CuelloError for what is neither.

    >>> class_number("dog", ["cat", "dog"]), class_number("1", ["cat", "dog"]), class_number("1", ["1", "2"])
    (1, 1, 0)
    """
    if isinstance(wanted, str) and wanted in classes:
        return list(classes).index(wanted)
    if wanted == "predicted":
        return wanted
    if str(wanted).isdecimal() and (not classes or int(wanted) < len(classes)):
        return int(wanted)
    if not classes:
        raise CuelloError(f"class: got {wanted!r}, needed 'predicted' or a class' number, from 0.")
    names = ", ".join(classes[:12]) + (", …" if len(classes) > 12 else "")
    raise CuelloError(
        f"class: got {wanted!r}, needed 'predicted', a number from 0 to {len(classes) - 1}, or one of: {names}."
        f"{closest(str(wanted), classes)}"
    )


def fitting(images: Images, subject: Subject, found: Explained, on_error: str) -> list[int]:
    """Return positions of the images that have the classifier's size; the others are an error, or left out."""
    kept = []
    for position, (height, width) in enumerate(images.sizes.tolist()):
        if subject.size is None or (height, width) == subject.size:
            kept.append(position)
            continue
        rows, columns = subject.size
        problem = (
            f"{images.names[position]} has {width}×{height} pixels, but the classifier takes {columns}×{rows}. Resize "
            f"the images: --resize {columns}x{rows}."
        )
        if on_error == "stop":
            raise CuelloError(f"{problem} To leave such images out, use --on-error skip.")
        found.failed.append((images.names[position], problem))
    if not kept:
        raise CuelloError(f"no image fits; the first problem: {found.failed[-1][1]}")
    return kept


def spread(positions: Sequence[int], most: int) -> set[int]:
    """Return at most so many positions, evenly over all.

    >>> sorted(spread(range(10), 3)), spread(range(2), 5) == {0, 1}
    ([0, 4, 9], True)
    """
    return {positions[int(place)] for place in np.linspace(0, len(positions) - 1, min(most, len(positions)))}


def groups(images: Images, positions: Sequence[int]) -> list[list[int]]:
    """Return positions in their order, in groups of images of one size that are explained at once."""
    found: list[list[int]] = []
    sizes = images.sizes.tolist()
    for position in positions:
        most = max(1, min(TOGETHER, PIXELS // (sizes[position][0] * sizes[position][1])))
        if found and sizes[found[-1][0]] == sizes[position] and len(found[-1]) < most:
            found[-1].append(position)
        else:
            found.append([position])
    return found


def telling(progress: Progress | None, found: Explained, kept: Sequence[int]) -> Any:
    """Return a progress callback for boxes of a group of ``images`` images; a single image is told by its boxes."""

    def tell(done: int, total: int, images: int) -> None:
        if progress and len(kept) == 1:
            progress("explaining", done, total)
        elif progress:
            progress("explaining", len(found.maps) + len(found.failed) + images * done // total, len(kept))

    return tell


def work(
    question: Question,
    subject: Subject,
    images: Images,
    positions: Sequence[int],
    wanted: str | int,
    found: Explained,
    on_error: str,
    tell: Any,
) -> list[int]:
    """Add the maps of these images to ``found`` and return which they are; one that is refused is left out, or named.

    Where a group is refused its images are asked about one by one, to know which it is.
    """
    pixels = torch.cat([to_tensor(images.arrays[position][None]) for position in positions])
    try:
        made = occlusion_map(
            subject.model, pixels, question.box, stride=question.stride, fill=question.fill, sigma=question.sigma,
            classes=wanted if isinstance(wanted, str) else [wanted], definition=question.definition,
            score=question.score, outputs=question.outputs,
            progress=lambda done, total: tell(done, total, len(positions)),
        )  # fmt: skip
    except CuelloError as error:
        if len(positions) > 1:
            ready = []
            for position in positions:
                ready += work(question, subject, images, [position], wanted, found, on_error, tell)
            return ready
        if on_error == "stop":
            raise CuelloError(f"{images.names[positions[0]]}: {error}") from error
        found.failed.append((images.names[positions[0]], str(error)))
        return []
    for place, position in enumerate(positions):
        number = int(made.classes[place, 0])
        found.names.append(images.names[position])
        found.maps.append(made.maps[place, 0].float().cpu().numpy())
        found.numbers.append(number)
        found.classes.append(subject.called(number))
        found.scores.append(float(made.scores[place, 0]))
        found.methods.append(made.method)
    for note in made.notes:
        found.note(note)
    return list(positions)


def shown_of(array: np.ndarray, found: Explained, place: int, scale: Scale) -> Shown:
    """Return what pictures of an image need; array: ``(H, W, C)`` as it was read."""
    pixels = to_tensor(array[None])[0].permute(1, 2, 0).numpy()
    score, values = found.scores[place], found.maps[place]
    said = f"{score:.1%}" if found.scored_in_percent else f"{score:.3g}"
    low, high = scale.limits(values)
    ends = f"±{high:.2g}" if scale.diverging else f"{low:.2g} to {high:.2g}"
    return Shown(found.names[place], pixels, values, f"{found.classes[place]} {said}", ends)


def draw_overlay(folder: Path, shown: Shown, scale: Scale) -> None:
    """Write one picture, named as the image without its ending, "-" for "/"; names that are taken get a number."""
    make_folder(folder)
    plain = "".join(letter if letter.isalnum() or letter in " ._#-" else "-" for letter in shown.name).strip(". ")
    ending = Path(plain).suffix
    stem, number = (plain.removesuffix(ending) if ending.lower() in SUFFIXES else plain) or "image", 1
    while (path := folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")).exists():
        number += 1
    write_bytes(path, overlay_picture(shown, scale, LIGHT))


def clear(overlays: Path) -> None:
    """Remove the pictures of an earlier call, which may be of other images."""
    for path in overlays.glob("*.png"):
        path.unlink()


def save(subject: Subject, sheet: Sequence[Shown], scale: Scale, settings: dict[str, Any], found: Explained) -> None:
    """Write the arrays, the record and the page."""
    folder, told = found.folder, environment()
    one_size = len({values.shape for values in found.maps}) == 1
    maps = {"maps": np.stack(found.maps)} if one_size else {f"map_{k}": values for k, values in enumerate(found.maps)}
    arrays = {
        "names": np.array(found.names), "classes": np.array(found.numbers), "class_names": np.array(found.classes),
        "scores": np.array(found.scores), "settings": np.array(json.dumps(settings)),
    }  # fmt: skip
    every: dict[str, Any] = {**maps, **arrays}
    with replacing(folder / "maps.npz") as temporary:
        np.savez_compressed(temporary, **every)
    write_json(folder / "explain.json", as_json(found) | {"settings": settings, "environment": told})
    rows = [
        [name, class_, f"{score:.4g}", f"{values.min():.4g}", f"{values.max():.4g}"]
        for name, class_, score, values in zip(found.names, found.classes, found.scores, found.maps, strict=True)
    ]
    left_out = [f"left out: {problem}" for _, problem in found.failed]
    notes = [f"{len(sheet)} of {len(rows)} images are shown."] if len(sheet) < len(rows) else []
    subtitle = f"{subject.name} · {len(rows)} image{'s' if len(rows) != 1 else ''} · {settings['definition']}"
    write_explanation(
        folder, "What the classifier looks at", subtitle, sheet, scale, rows, [*notes, *found.notes, *left_out],
        settings, told,
    )  # fmt: skip
    found.written[:] = [name for name in FILES if (folder / name).exists()]


def as_json(found: Explained) -> dict[str, Any]:
    """Return the result without its maps, as plain values."""
    images = [
        {"name": name, "class": class_, "number": number, "score": score, "lowest": float(values.min()),
         "highest": float(values.max()), "method": method}
        for name, class_, number, score, values, method in zip(
            found.names, found.classes, found.numbers, found.scores, found.maps, found.methods, strict=True
        )
    ]  # fmt: skip
    failed = [{"image": name, "problem": problem} for name, problem in found.failed]
    return {"folder": str(found.folder), "images": images, "failed": failed, "notes": found.notes}
