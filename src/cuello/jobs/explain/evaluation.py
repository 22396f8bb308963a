"""Estimators of occlusion maps: what they learn from, how faithful they are, and when they pay."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.files import cache_folder
from cuello.data.batches import Batches
from cuello.data.classes import aligned
from cuello.data.images import Images
from cuello.inference.bundled import located
from cuello.inference.model import Model, load
from cuello.jobs.explain.exact import FLAT, IMPORTANT_SIDE, MapQuestion, exact_maps
from cuello.jobs.images.evaluation import Progress
from cuello.models.catalog import KINDS
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.directory import available_cores
from cuello.runs.history import EpochRecord
from cuello.saliency.fidelity import MAPS, Fidelity, Measured, break_even, fidelity

ASKED = 100
"""Images whose curves of deletion and insertion are drawn: each takes some 300 answers of the classifier."""

AT_ONCE, TIMES = 100, 7
"""Images in one pass, and passes, whose median is an estimate's time."""

MEASURES = ("mse", "normalised_mse", "pearson", "spearman", "overlap")


@dataclass
class Lesson:
    """What a training of an estimator is about: the classifier, how its maps are made, and what came of it.

    path: the classifier's file. predicted: ``(N,)``, the class of each image, -1 where its map was not made; labels:
    ``(N,)``, or None where images have none that the classifier knows. seconds: of the maps, in one process.
    """

    path: Path
    classifier: Model
    question: MapQuestion
    told: str
    predicted: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    labels: np.ndarray | None = None
    seconds: np.ndarray = field(default_factory=lambda: np.empty(0))

    def completing(self, threads: int | None, progress: Progress | None) -> Callable[[Images, np.ndarray], Images]:
        """Return what adds the exact maps of those that are used to images, as targets, and what a network is told."""

        def complete(images: Images, used: np.ndarray) -> Images:
            def report(done: int, total: int) -> None:
                if progress:
                    progress("making exact maps", done, total)

            try:
                found = exact_maps(
                    self.path, self.classifier, (images.arrays[place] for place in used.tolist()), self.question,
                    workers=threads or available_cores(), progress=report,
                )  # fmt: skip
            except KeyboardInterrupt:
                raise Interrupted(
                    f"stopped; the exact maps made so far are kept in {cache_folder()}. The same command goes on."
                ) from None
            blank = np.zeros((0, 0, 1), np.float32)
            targets = [blank] * len(images)
            for place, values in zip(used.tolist(), found.maps, strict=True):
                targets[place] = values[..., None]
            self.predicted = np.full(len(images), -1, np.int64)
            self.predicted[used] = found.predicted
            self.labels, self.seconds = self.known_labels(images), found.seconds
            told = self.predicted if self.told == "prediction" else cast("np.ndarray", self.labels)
            return replace(images, targets=targets, labels=told, label_names=self.classifier.classes)

        return complete

    def known_labels(self, images: Images) -> np.ndarray | None:
        """Return the images' labels as the classifier's classes; None where they have none and none are asked for."""
        try:
            return aligned(images, self.classifier.classes).labels
        except CuelloError:
            if self.told == "label":
                raise
            return None


@dataclass(frozen=True)
class Estimation:
    """An estimator, judged on images that it did not learn from.

    names, classes: of the images, and what they are predicted to be. exact, estimated: ``(N, H, W)``. fidelity: told
    the prediction. by_label: told the labels; None where it is not told the class or there are none; wrong: how many
    labels are not what is predicted. exact_seconds, estimate_seconds: of one map. training_maps: how many it learned
    from. training_seconds: of all epochs. break_even: maps. images: shown by the page, ``(N, C, H, W)``.
    """

    names: list[str]
    classes: list[str]
    images: Tensor
    exact: np.ndarray
    estimated: np.ndarray
    fidelity: Fidelity
    by_label: Fidelity | None
    wrong: int
    asked: int
    exact_seconds: float
    estimate_seconds: float
    training_maps: int
    training_seconds: float
    break_even: float
    verdict: str


def lesson_of(config: TrainConfig) -> Lesson:
    """Open the classifier that a configuration names; CuelloError where it is none of Cuello's."""
    name = str(config.classifier)
    if Path(name).suffix.lower() == ".onnx":
        raise CuelloError(
            f"got --classifier {name}: an estimator is built from the classifier's own layers, which Cuello knows of "
            "its own classifiers only. Exact maps of ONNX files: cuello explain."
        )
    path = located(name)
    classifier = load(path)
    if not classifier.classes:
        raise CuelloError(
            f"{name} is no classifier: its job is {classifier.artefact.job}. Train one: cuello train classify DATA."
        )
    return Lesson(path, classifier, MapQuestion(config.box, config.stride, config.fill), config.told)


def estimate(model: Model, images: Tensor, classes: Tensor, progress: Callable[[int], None] | None = None) -> Tensor:
    """Return the maps ``(N, H, W)`` in [0, 1] that an estimator gives in one pass.

    images: ``(N, C, H, W)`` in [0, 1]. classes: ``(N,)`` int64, told to networks that take them. progress: called with
    images done since. Raises CuelloError for a network that is no estimator, or images that do not fit it.
    """
    kind = model.artefact.architecture.kind
    if kind not in KINDS or not KINDS[kind].explains:
        raise CuelloError(
            f"the network {model.artefact.architecture.name!r} gives no occlusion maps: its job is "
            f"{model.artefact.job}. Train one that does: cuello train explain IMAGES --classifier CLASSIFIER."
        )
    device, found = next(model.network.parameters()).device, []
    with torch.inference_mode():
        for part, told in zip(images.split(AT_ONCE), classes.split(AT_ONCE), strict=True):
            output = model.network(part.to(device), told.to(device))
            found.append(output.image[:, 0].float().cpu())
            if progress:
                progress(len(part))
    return torch.cat(found).clone()


def seconds_of(model: Model, images: Tensor, classes: Tensor) -> float:
    """Return the seconds that one of AT_ONCE maps in one pass takes, the median of several passes."""
    times = -(-AT_ONCE // len(images))
    x, told = images.repeat(times, 1, 1, 1)[:AT_ONCE], classes.repeat(times)[:AT_ONCE]
    estimate(model, x, told)
    found = []
    for _ in range(TIMES):
        start = time.perf_counter()
        estimate(model, x, told)
        found.append((time.perf_counter() - start) / AT_ONCE)
    return statistics.median(found)


def evaluate_estimator(
    model: Model,
    lesson: Lesson,
    batches: Batches,
    history: Sequence[EpochRecord],
    training_maps: int,
    progress: Progress | None = None,
) -> Estimation:
    """Judge an estimator on a part of its data; ``lesson``: what it learned from.

    Curves of deletion and insertion are of ASKED images, evenly over all. Raises CuelloError where images do not fit.
    """
    places = batches.crops.places[:, 0]
    parts = [(batch.images, batch.targets) for batch in batches.epoch(0)]
    images = torch.cat([part for part, _ in parts]).contiguous()
    exact = torch.cat([cast("Tensor", targets) for _, targets in parts])[:, 0].numpy()
    predicted = torch.from_numpy(lesson.predicted[places])
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress("estimating", done, len(images))

    estimated = estimate(model, images, predicted, tell).numpy()
    chosen = np.unique(np.linspace(0, len(images) - 1, min(ASKED, len(images))).astype(int))
    if progress:
        progress("asking the classifier", 0, 1)
    curves = fidelity(
        exact[chosen], estimated[chosen], lesson.classifier.network, images[chosen],
        classes=predicted[chosen].tolist(), important=IMPORTANT_SIDE, fill=lesson.question.filling,
    )  # fmt: skip
    whole = fidelity(exact, estimated, important=IMPORTANT_SIDE, flat=FLAT)
    whole = replace(whole, deletion=curves.deletion, insertion=curves.insertion)
    labels = None if lesson.labels is None else lesson.labels[places]
    conditioned = bool(getattr(model.network, "class_conditioned", False))
    by_label = None
    if conditioned and labels is not None:
        by = estimate(model, images, torch.from_numpy(labels)).numpy()
        by_label = fidelity(exact, by, important=IMPORTANT_SIDE, flat=FLAT)
    if progress:
        progress("asking the classifier", 1, 1)
    exact_seconds = float(np.median(lesson.seconds))
    estimate_seconds = seconds_of(model, images, predicted)
    training_seconds = sum(record.seconds for record in history)
    pays = break_even(exact_seconds, training_maps, training_seconds, estimate_seconds)
    names = [batches.describe(row)[0] for row in range(batches.count)]
    return Estimation(
        names, [lesson.classifier.classes[number] for number in predicted.tolist()], images, exact, estimated, whole,
        by_label, 0 if labels is None else int((labels != predicted.numpy()).sum()), len(chosen), exact_seconds,
        estimate_seconds, training_maps, training_seconds, pays,
        verdict_of(whole, exact_seconds / estimate_seconds, pays),
    )  # fmt: skip


def verdict_of(found: Fidelity, ratio: float, pays: float) -> str:
    """Say in a sentence or two how faithful the maps are and when they pay."""
    shown = found.images - found.constant
    return (
        f"Squared error {found.mse.mean:.5f}, correlation with the exact maps {found.pearson.mean:.3f} (1 is perfect) "
        f"in the {shown:,} of {found.images:,} images whose map shows something, {found.pooled:.3f} over all pixels. A "
        f"map takes 1/{ratio:,.0f} of the time of an exact one; making the training maps and training is repaid after "
        f"{pays:,.0f} maps."
    )


def order(found: Estimation) -> list[int]:
    """Return the images' positions, the most faithful map first; constant maps last."""
    return np.argsort(-np.nan_to_num(found.fidelity.pearson.values, nan=-2.0), kind="stable").tolist()


def result_of(found: Estimation) -> Result:
    """Return the result in every form; CSV: a row an image, its name, the predicted class, and its measures."""
    told: dict[str, Any] = {}
    if found.by_label is not None:
        told = {"prediction": plain(found.fidelity), "label": plain(found.by_label)}
    values = {
        "images": len(found.names), "verdict": found.verdict, "fidelity": plain(found.fidelity), "told": told,
        "labels_that_differ_from_the_prediction": found.wrong, "images_asked": found.asked,
        "flat_maps": found.fidelity.constant,
        "seconds": {"exact": found.exact_seconds, "estimate": found.estimate_seconds,
                    "training": found.training_seconds, "maps": found.training_maps * found.exact_seconds},
        "training_maps": found.training_maps, "break_even": found.break_even,
    }  # fmt: skip
    rows = [["image", "class", *MEASURES]]
    for row, (name, predicted) in enumerate(zip(found.names, found.classes, strict=True)):
        rows.append([name, predicted, *(f"{getattr(found.fidelity, one).values[row]:.6g}" for one in MEASURES)])
    return Result(found.verdict, values, rows, shown(values))


def shown(values: Mapping[str, Any]) -> list[Table | str]:
    """Return what a terminal shows of metrics.json: how faithful the maps are."""
    labels = {
        "mse": "squared error", "normalised_mse": "… standardised once more", "pearson": "correlation (Pearson)",
        "spearman": "correlation of ranks (Spearman)", "overlap": "most important pixels in common",
    }  # fmt: skip
    names = {"prediction": "told the prediction>", "label": "told the label>", "estimated": "estimated>"}
    told = values["told"] or {"estimated": values["fidelity"]}
    rows = [[label, *(f"{one[name]['mean']:.4f}" for one in told.values())] for name, label in labels.items()]
    columns = ["beside the exact maps", *(names[name] for name in told)]
    return [Table(columns, rows, title=f"{values['images']:,} images"), values["verdict"]]


def plain(found: Fidelity) -> dict[str, Any]:
    """Return measures by name, deletion and insertion by map too."""

    def of(one: Measured) -> dict[str, float]:
        return {"mean": one.mean, "low": one.low, "high": one.high}

    measures: dict[str, Any] = {name: of(getattr(found, name)) for name in MEASURES} | {"pooled": found.pooled}
    for way in ("deletion", "insertion"):
        areas: Mapping[str, Measured] = getattr(found, way)
        if areas:
            measures[way] = {name: of(areas[name]) for name in MAPS}
    return measures
