"""Estimators of occlusion maps: what they learn from, how faithful they are, and when they pay."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.files import cache_folder
from cuello.core.progress import OnProgress, Progress, silent
from cuello.data.batches import Batches
from cuello.data.classes import aligned
from cuello.data.images import Images
from cuello.inference.bundled import located
from cuello.inference.model import Model
from cuello.jobs.explain.classifier import own_classifier
from cuello.jobs.explain.estimator import AT_ONCE, estimate
from cuello.jobs.explain.exact import exact_maps
from cuello.jobs.explain.settings import FLAT, IMPORTANT_SIDE, MapSettings, learned_settings
from cuello.jobs.explain.sharing import SHARING, Sharing
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import available_cores
from cuello.runs.history import EpochRecord
from cuello.saliency.fidelity import MAPS, CurveSettings, Fidelity, Measured, areas, break_even, fidelity, random_maps

CURVE_IMAGES = 100
"""Images whose curves of deletion and insertion are drawn: each takes some 300 answers of the classifier."""

TIMES = 7
"""Passes, of AT_ONCE images each, whose median is an estimate's time."""

MEASURES = {
    "mse": "squared error",
    "normalised_mse": "… standardised once more",
    "pearson": "correlation (Pearson)",
    "spearman": "correlation of ranks (Spearman)",
    "overlap": "most important pixels in common",
}


@dataclass(frozen=True)
class MapTargets:
    """What an estimator learns from, beside the images: the exact maps of a classifier.

    predicted: ``(N,)``, the class of each image, -1 where its map was not made; labels: ``(N,)``, or None where images
    have none that the classifier knows. seconds: of the maps, in one process.
    """

    classifier: Model
    settings: MapSettings
    predicted: np.ndarray
    labels: np.ndarray | None
    seconds: np.ndarray


def learned_classifier(name: str) -> tuple[Path, Model]:
    """Load the classifier whose maps are learned, with the path of its file; CuelloError where it is none."""
    if Path(name).suffix.lower() == ".onnx":
        raise CuelloError(
            f"got --classifier={name}: an estimator is built from the classifier's own layers, which Cuello knows of "
            "its own classifiers only. Exact maps of ONNX files: cuello explain."
        )
    if load_artefact(located(name)).architecture.kind == "custom":
        raise CuelloError(
            f"got --classifier={name}, which is somebody's own code: an estimator is built from the classifier's "
            "own layers, which Cuello knows of its own classifiers only. Exact maps of it: cuello explain."
        )
    return own_classifier(name)


def with_maps(
    images: Images,
    used: np.ndarray,
    classifier: tuple[Path, Model],
    *,
    config: TrainConfig,
    progress: OnProgress,
) -> tuple[Images, MapTargets]:
    """Add the exact maps of the images that are used, as targets, and the classes that a network is told, as labels."""
    (path, model), settings = classifier, learned_settings(config.model_dump())
    labels = known_labels(images, model.classes, needed=config.told == "label")
    try:
        found = exact_maps(
            path, model, (images.arrays[place] for place in used.tolist()), settings=settings,
            sharing=SHARING.get() or Sharing(config.threads or available_cores()), progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; the exact maps made so far are kept in {cache_folder()}. The same command goes on."
        ) from None
    maps = [np.zeros((0, 0, 1), np.float32)] * len(images)
    for place, values in zip(used.tolist(), found.maps, strict=True):
        maps[place] = values[..., None]
    predicted = np.full(len(images), -1, np.int64)
    predicted[used] = found.predicted
    told = labels if config.told == "label" else predicted
    images = replace(images, targets=maps, labels=told, label_names=model.classes)
    return images, MapTargets(model, settings, predicted=predicted, labels=labels, seconds=found.seconds)


def known_labels(images: Images, classes: Sequence[str], needed: bool) -> np.ndarray | None:
    """Number the images' labels as the classifier's classes; None where they have none and none are needed."""
    try:
        return aligned(images, classes).labels
    except CuelloError:
        if needed:
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
    curve_images: int
    exact_seconds: float
    estimate_seconds: float
    training_maps: int
    training_seconds: float
    break_even: float
    verdict: str


def seconds_of(model: Model, images: Tensor, classes: Tensor) -> float:
    """Measure the seconds of one of AT_ONCE maps in one pass: the median of several."""
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
    learned: MapTargets,
    batches: Batches,
    *,
    history: Sequence[EpochRecord],
    training_maps: int,
    progress: OnProgress = silent,
) -> Estimation:
    """Judge an estimator on a part of its data; ``learned``: the maps that it learned from.

    Curves are of CURVE_IMAGES images, evenly over all. Raises CuelloError where images do not fit.
    """
    places = batches.crops.places[:, 0]
    parts = [(batch.images, batch.targets) for batch in batches.epoch(0)]
    images = torch.cat([part for part, _ in parts]).contiguous()
    exact = torch.cat([cast("Tensor", targets) for _, targets in parts])[:, 0].numpy()
    predicted = torch.from_numpy(learned.predicted[places])
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(Progress("estimating", done, len(images)))

    estimated = estimate(model, images, predicted, progress=tell).numpy()
    chosen = np.unique(np.linspace(0, len(images) - 1, min(CURVE_IMAGES, len(images))).astype(int))
    progress(Progress("asking the classifier", 0, 1))
    maps = {"exact": exact[chosen], "estimated": estimated[chosen], "random": random_maps(exact[chosen].shape)}
    changed = areas(
        learned.classifier.network, images[chosen], maps,
        classes=predicted[chosen].tolist(),
        settings=CurveSettings(important=IMPORTANT_SIDE, fill=learned.settings.shown),
    )  # fmt: skip
    whole = replace(fidelity(exact, estimated, important=IMPORTANT_SIDE, flat=FLAT), **changed)
    labels = None if learned.labels is None else learned.labels[places]
    by_label = None
    if model.network.conditioning == "class" and labels is not None:
        by = estimate(model, images, torch.from_numpy(labels)).numpy()
        by_label = fidelity(exact, by, important=IMPORTANT_SIDE, flat=FLAT)
    progress(Progress("asking the classifier", 1, 1))
    exact_seconds, estimate_seconds = float(np.median(learned.seconds)), seconds_of(model, images, predicted)
    training_seconds = sum(record.seconds for record in history)
    pays = break_even(
        exact_seconds=exact_seconds, training_maps=training_maps, training_seconds=training_seconds,
        estimate_seconds=estimate_seconds,
    )  # fmt: skip
    return Estimation(
        names=[batches.describe(row)[0] for row in range(batches.count)],
        classes=[learned.classifier.classes[number] for number in predicted.tolist()],
        images=images,
        exact=exact,
        estimated=estimated,
        fidelity=whole,
        by_label=by_label,
        wrong=0 if labels is None else int((labels != predicted.numpy()).sum()),
        curve_images=len(chosen),
        exact_seconds=exact_seconds,
        estimate_seconds=estimate_seconds,
        training_maps=training_maps,
        training_seconds=training_seconds,
        break_even=pays,
        verdict=verdict_of(whole, exact_seconds / estimate_seconds, pays),
    )


def verdict_of(found: Fidelity, ratio: float, pays: float) -> str:
    shown = found.images - found.constant
    return (
        f"Squared error {found.mse.mean:.5f}, correlation with the exact maps {found.pearson.mean:.3f} (1 is perfect) "
        f"in the {shown:,} of {found.images:,} images whose map shows something, {found.pooled:.3f} over all pixels. A "
        f"map takes 1/{ratio:,.0f} of the time of an exact one; making the training maps and training is repaid after "
        f"{pays:,.0f} maps."
    )


def order(found: Estimation) -> list[int]:
    """Sort positions from the most faithful map to the least; constant maps last."""
    return np.argsort(-np.nan_to_num(found.fidelity.pearson.values, nan=-2.0), kind="stable").tolist()


def result_of(found: Estimation) -> Result:
    """Give the result in every form; CSV: a row an image, its name, the predicted class, and its measures."""
    told: dict[str, Any] = {}
    if found.by_label is not None:
        told = {"prediction": plain(found.fidelity), "label": plain(found.by_label)}
    values = {
        "images": len(found.names), "verdict": found.verdict, "fidelity": plain(found.fidelity), "told": told,
        "labels_that_differ_from_the_prediction": found.wrong, "images_asked": found.curve_images,
        "flat_maps": found.fidelity.constant,
        "seconds": {"exact": found.exact_seconds, "estimate": found.estimate_seconds,
                    "training": found.training_seconds, "maps": found.training_maps * found.exact_seconds},
        "training_maps": found.training_maps, "break_even": found.break_even,
    }  # fmt: skip
    rows = [["image", "class", *MEASURES]]
    for row, (name, predicted) in enumerate(zip(found.names, found.classes, strict=True)):
        rows.append([name, predicted, *(f"{getattr(found.fidelity, one).values[row]:.6g}" for one in MEASURES)])
    return Result(found.verdict, values, rows, shown=shown(values))


def shown(values: Mapping[str, Any]) -> list[Table | str]:
    names = {"prediction": "told the prediction>", "label": "told the label>", "estimated": "estimated>"}
    told = values["told"] or {"estimated": values["fidelity"]}
    rows = [[label, *(f"{one[name]['mean']:.4f}" for one in told.values())] for name, label in MEASURES.items()]
    columns = ["beside the exact maps", *(names[name] for name in told)]
    return [Table(columns, rows, title=f"{values['images']:,} images"), values["verdict"]]


def plain(found: Fidelity) -> dict[str, Any]:
    def of(one: Measured) -> dict[str, float]:
        return {name: getattr(one, name) for name in ("mean", "low", "high")}

    measures: dict[str, Any] = {name: of(getattr(found, name)) for name in MEASURES} | {"pooled": found.pooled}
    for way in ("deletion", "insertion"):
        areas: Mapping[str, Measured] = getattr(found, way)
        if areas:
            measures[way] = {name: of(areas[name]) for name in MAPS}
    return measures
