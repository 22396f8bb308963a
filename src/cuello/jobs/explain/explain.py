"""Occlusion maps of files: a classifier and images in, arrays, pictures and a page out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from cuello.core.errors import CuelloError, Interrupted
from cuello.data.batches import to_tensor
from cuello.data.catalog import open_source
from cuello.data.images import Images, load_images, parse_size
from cuello.jobs.explain.check import Check, check_share, checked
from cuello.jobs.explain.classifier import Question, Subject, class_number, fitting, groups, opened
from cuello.jobs.explain.estimator import (
    AT_ONCE,
    EXACT_AT_ONCE,
    EXACT_PIXELS,
    PIXELS,
    MapEstimator,
    asked,
    estimate,
    exact_maps_of,
    open_estimator,
)
from cuello.jobs.explain.figures import Compared, Scale, Shown
from cuello.jobs.explain.folder import Unfinished, claimed, remove_overlays
from cuello.jobs.explain.output import WORST, Explained, as_pixels, draw_overlay, save, shown_of
from cuello.jobs.explain.sheet import SHEET
from cuello.jobs.images.evaluation import Progress
from cuello.saliency import DEFINITIONS, SCORES


@dataclass(frozen=True)
class Order:
    """What is to be made. wanted: the class; kept: positions of the images; drawn: of those with an overlay."""

    subject: Subject
    estimator: MapEstimator | None
    question: Question
    wanted: str | int
    images: Images
    kept: list[int]
    drawn: set[int]
    on_error: str
    progress: Progress | None


def explain(
    classifier: str | Path,
    images: str | Path,
    output: str | Path,
    *,
    model: str | Path | None = None,
    check: float | None = None,
    seed: int = 0,
    box: int | None = None,
    stride: int | None = None,
    fill: float | str | None = None,
    sigma: float | None = None,
    padding: int | None = None,
    class_: str | int | None = None,
    definition: str | None = None,
    score: str | None = None,
    outputs: Literal["logits", "probabilities"] | None = None,
    resize: str | None = None,
    pictures: int = 100,
    on_error: Literal["stop", "skip"] = "stop",
    overwrite: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Explained:
    """Make occlusion maps of images, exact or estimated, and write them as arrays, pictures and a page.

    classifier: a run directory or model.safetensors of `cuello train classify`, or an ONNX file (extra `onnx`) that
    gives class scores before softmax, or after it (``outputs = "probabilities"``). images: a file, folder, array file
    or data set. box (3), stride (1, both pixels), fill (0), sigma (3), definition ("mean-drop"), score (the
    definition's): as in `cuello.occlusion_map`. padding: pixels of 0 put around the images for an ONNX file (0), boxes
    slide over them too; Cuello's classifiers know theirs. class_: which one, "predicted" (the default), its name, or
    its number from 0. resize: "WIDTHxHEIGHT" for the images; by default as in training. pictures: how many overlays are
    drawn, at most, spread evenly over the images. on_error: "skip" leaves out images that cannot be read or explained.
    progress: called with what is done, how much, of how much.

    model: a run directory or model.safetensors of `cuello train explain` that learned this classifier's maps; they are
    then estimated in one pass, of each image's predicted class and with the settings that it learned, which need not be
    given. check: a share of the images, 0 to 1, drawn at random with ``seed``, is explained exactly too, and compared.

    Written to the folder ``output``: maps.npz (``maps`` ``(N, H, W)`` float32, or ``map_0``, ``map_1``, … for images of
    several sizes; ``names``; ``classes``, numbers; ``class_names``; ``scores`` without a box; ``settings``, JSON),
    overlays/NAME.png, explain.png and explain.html (all at a glance), explain.json (settings, versions, every image,
    the check). Stopped by Ctrl-C, the same for the images that are finished.

    Raises CuelloError where files would be replaced without ``overwrite``, the model is no classifier, the class is
    none of its classes, images do not fit, or an estimator is none, or learned something else; Interrupted after
    Ctrl-C.

    >>> import cuello, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> run = cuello.train("classify", "glyphs", epochs=1, samples=32, output=folder + "/run", report=False)
    >>> found = explain(run.path, "glyphs", folder + "/maps", box=2, pictures=1)
    >>> len(found.maps), found.maps[0].shape
    (32, (7, 5))
    """
    if pictures < 0:
        raise CuelloError(f"pictures: got {pictures}, needed 0 or more.")
    check_check(model, check)
    subject = opened(classifier, device, padding)
    estimator = open_estimator(model, subject, device) if model is not None else None
    given = {"box": box, "stride": stride, "fill": fill, "sigma": sigma, "class_": class_, "definition": definition}
    question = asked({**given, "score": score, "outputs": outputs}, estimator)
    scale, wanted = scale_of(question, estimator is not None), class_number(question.class_, subject.classes)
    folder = Path(output).expanduser()
    with claimed(folder, overwrite) as begun:
        size = parse_size(resize or (estimator.resize if estimator else None) or subject.resize)
        source = open_source(str(images), subject.levels)
        reading = (lambda done, total: progress("reading images", done, total)) if progress else None
        loaded = load_images(source, subject.channels, size, on_error, reading)
        found = Explained(
            folder, notes=list(loaded.notes), failed=[(str(images), reason) for reason in loaded.skipped],
            scored_in_percent=not SCORES[question.watched].logits, estimator=estimator.name if estimator else None,
        )  # fmt: skip
        if size and not resize:
            found.note(f"images were resized to {size[0]}×{size[1]} pixels, as in training")
        who = "the classifier" if subject.size or estimator is None else estimator.name
        kept, failed = fitting(loaded, subject.size or (estimator.model.size if estimator else None), who, on_error)
        found.failed += failed
        order = Order(
            subject, estimator, question, wanted, loaded, kept, spread(kept, pictures), on_error, progress
        )  # fmt: skip
        settings = settings_of(str(classifier), str(images), order, check, seed)
        sheet: list[Shown] = []
        compared: list[Compared] = []
        remove_overlays(folder)
        try:
            made = make_all(order, scale, found, sheet, begun)
            if not made:
                raise CuelloError(f"no image of {images} could be explained; the first problem: {found.failed[0][1]}")
            if estimator and check is not None:
                tell = (lambda done, total: progress("checking exactly", done, total)) if progress else None
                found.check = checked(estimator, subject, loaded, made, found.maps, check, seed, tell)
                compared = worst_of(found.check, loaded, made)
        except KeyboardInterrupt:
            if not found.maps:
                raise
            save(subject.name, sheet, scale, compared, settings, found, begun)
            many = (
                f"{len(found.maps)} of {len(kept)} images are in {folder}{', unchecked' if check is not None else ''}"
            )
            raise Interrupted(f"stopped; the maps of {many}.") from None
        if len(order.drawn) < len(kept):
            found.note(
                f"overlays are drawn of {len(order.drawn)} of {len(kept)} images; of all with --pictures {len(kept)}"
            )
        save(subject.name, sheet, scale, compared, settings, found, begun)
    return found


def check_check(model: str | Path | None, check: float | None) -> None:
    """Raise CuelloError where a check is asked for that there cannot be: before the work."""
    if check is None:
        return
    if model is None:
        raise CuelloError(
            "check: exact maps need no check; it compares estimated ones with them. Give the estimator with "
            "--model, or leave check out."
        )
    check_share(check)


def scale_of(question: Question, estimated: bool) -> Scale:
    """Return what colours stand for."""
    if question.definition == "standardised-sum":
        return Scale(False, f"standardised sum{', estimated' if estimated else ''}", (0.0, 1.0))
    units = {"drop": "fall of the probability", "logit-drop": "fall of the logit"}
    combine = DEFINITIONS[question.definition].combine
    return Scale(question.watched in units, f"{combine} of the {units.get(question.watched, question.watched)}")


def settings_of(classifier: str, images: str, order: Order, check: float | None, seed: int) -> dict[str, Any]:
    """Return what is recorded of the settings."""
    question = order.question
    settings = {"classifier": classifier, "images": images, **asdict(question), "score": question.watched}
    settings["class"] = settings.pop("class_")
    settings["padding"] = order.subject.padding
    if order.estimator:
        settings["model"] = order.estimator.path
    if check is not None:
        settings |= {"check": check, "seed": seed}
    return settings


def spread(positions: Sequence[int], most: int) -> set[int]:
    """Return at most so many positions, evenly over all.

    >>> sorted(spread(range(10), 3)), spread(range(2), 5) == {0, 1}
    ([0, 4, 9], True)
    """
    return {positions[int(place)] for place in np.linspace(0, len(positions) - 1, min(most, len(positions)))}


def make_all(order: Order, scale: Scale, found: Explained, sheet: list[Shown], begun: Unfinished) -> list[int]:
    """Make the maps group by group, with overlays and what the page shows; return positions of the explained images."""
    at_a_glance = spread(order.kept, SHEET)
    made: list[int] = []
    spent = 0.0
    most = (AT_ONCE, PIXELS) if order.estimator else (EXACT_AT_ONCE, EXACT_PIXELS)
    for positions in groups(order.images, order.kept, *most):
        started = time.perf_counter()
        ready = work(order, positions, found)
        spent += time.perf_counter() - started
        made += ready
        found.seconds = spent / max(1, len(made))
        for place, position in enumerate(ready, len(found.maps) - len(ready)):
            shown = shown_of(order.images.arrays[position], found, place, scale)
            if position in at_a_glance:
                sheet.append(shown)
            if position in order.drawn:
                found.overlays.append(draw_overlay(begun, shown, scale))
    return made


def telling(order: Order, found: Explained, images: int) -> Callable[[int, int], None]:
    """Return a progress callback for boxes of a group of ``images`` images; a single image is told by its boxes."""

    def tell(done: int, total: int) -> None:
        if order.progress and len(order.kept) == 1:
            order.progress("explaining", done, total)
        elif order.progress:
            order.progress("explaining", len(found.maps) + len(found.failed) + images * done // total, len(order.kept))

    return tell


def work(order: Order, positions: Sequence[int], found: Explained) -> list[int]:
    """Add the maps of these images to ``found`` and return which they are; one that is refused is left out, or named.

    Where a group is refused its images are asked about one by one, to know which it is.
    """
    pixels = torch.cat([to_tensor(order.images.arrays[position][None]) for position in positions])
    names, tell = order.images.names, telling(order, found, len(positions))
    try:
        if order.estimator:
            estimates, method = estimate(order.estimator, order.subject, pixels), "estimated"
            maps, numbers, scores = estimates.maps, estimates.numbers, estimates.scores
            tell(1, 1)
        else:
            classes = order.wanted if isinstance(order.wanted, str) else [order.wanted]
            exact = exact_maps_of(order.subject, pixels, order.question, classes, tell)
            parts = exact.maps.float(), exact.classes, exact.scores
            maps, numbers, scores = (part[:, 0].cpu().numpy() for part in parts)
            method = exact.method
            for note in exact.notes:
                found.note(note)
    except CuelloError as error:
        if len(positions) > 1:
            return [one for position in positions for one in work(order, [position], found)]
        if order.on_error == "stop":
            raise CuelloError(f"{names[positions[0]]}: {error}") from error
        found.failed.append((names[positions[0]], str(error)))
        return []
    for place, position in enumerate(positions):
        number = int(numbers[place])
        called = order.subject.called(number)
        found.add(names[position], maps[place], called, number, float(scores[place]), method)
    return list(positions)


def worst_of(check: Check, images: Images, positions: Sequence[int]) -> list[Compared]:
    """Return the checked images whose estimates are the least like the exact maps; positions: of all maps."""
    shown = []
    for place in check.order()[:WORST]:
        array, correlation = images.arrays[positions[check.places[place]]], check.pearson.values[place]
        told = "no correlation" if np.isnan(correlation) else f"correlation {correlation:.2f}"
        below = f"{told}, MSE {check.mse.values[place]:.3g}"
        shown.append(Compared(check.names[place], as_pixels(array), check.exact[place], check.estimated[place], below))
    return shown
