"""How good a classifier is: accuracy with its interval, what is taken for what, whether its probabilities hold."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cuello.core.progress import OnProgress, Progress, silent
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.jobs.images.evaluation import OURS
from cuello.jobs.images.methods import time_text
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.scoring.references import Reference

BINS = 15
"""Bins of confidence for the calibration error, as in Guo et al. 2017."""
MOST_CLASSES = 4
"""Classes up to which a confusion matrix fits a terminal."""
Z95 = 1.959964


@dataclass(frozen=True)
class Guesses:
    """One row of the table: a method's predicted class of every image, ``(N,)``, and milliseconds an image."""

    name: str
    label: str
    predicted: np.ndarray
    milliseconds: float


@dataclass(frozen=True)
class Bin:
    """Images whose highest probability lies in (low, high]: how many, its mean, and the share that is right."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class ClassScore:
    """A class: how many images have it and are said to; precision, recall and F1, nan where nothing can be said."""

    name: str
    images: int
    predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Classification:
    """The result for N images and K classes.

    classes: their names. truth: ``(N,)``. probabilities: the network's, ``(N, K)``. methods: the network last.
    images: the images.
    """

    classes: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray
    methods: Sequence[Guesses]
    images: EvaluatedImages

    @property
    def subjects(self) -> EvaluatedImages:
        """The old name of ``images``."""
        warnings.warn("Classification.subjects is now Classification.images.", DeprecationWarning, stacklevel=2)
        return self.images

    @property
    def ours(self) -> Guesses:
        """The network's row."""
        return self.methods[-1]

    def right(self, method: Guesses) -> int:
        """Return how many images a method gives the right class."""
        return int((method.predicted == self.truth).sum())

    def accuracy(self, method: Guesses) -> float:
        """Return the share of images that a method gives the right class, 0 to 1."""
        return self.right(method) / len(self.truth)

    @property
    def confusion(self) -> np.ndarray:
        """How many images of each class (row) the network takes for each class (column), ``(K, K)``."""
        return confusion_matrix(self.truth, self.ours.predicted, len(self.classes))

    @property
    def scores(self) -> list[ClassScore]:
        """Precision and recall of every class."""
        return class_scores(self.confusion, self.classes)

    @property
    def verdict(self) -> str:
        """Whether the network beats the best of the others, in one sentence."""
        return verdict_of(self)


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95% interval of a share of which ``right`` of ``count`` were seen.

    ``(p + z²/2n ± z sqrt(p (1 - p)/n + z²/4n²)) / (1 + z²/n)``. Source: Wilson 1927.

    >>> [round(limit, 3) for limit in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    share, z2 = right / count, Z95**2
    middle = share + z2 / (2 * count)
    half = Z95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return (middle - half) / (1 + z2 / count), (middle + half) / (1 + z2 / count)


def paired_interval(ours: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Return the difference of two accuracies on the same images and its 95% interval.

    ours, other: ``(N,)`` bool, right or not. ``d ± z sqrt(((b + c) - (b - c)²/N)) / N``, where b and c count the images
    that only one of them has right. Source: Agresti 2013, "Categorical data analysis", section 11.1.1.
    """
    count = len(ours)
    only, lost = int((ours & ~other).sum()), int((other & ~ours).sum())
    difference = (only - lost) / count
    half = Z95 * math.sqrt(max(0.0, only + lost - (only - lost) ** 2 / count)) / count
    return difference, difference - half, difference + half


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return how many images of each class (row) are taken for each class (column), ``(K, K)`` int64.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_scores(confusion: np.ndarray, classes: Sequence[str]) -> list[ClassScore]:
    """Return every class' precision (share of those said to be it that are), recall (share of it that is found), F1."""

    def share(part: float, whole: float) -> float:
        return part / whole if whole else math.nan

    found = []
    for place, name in enumerate(classes):
        right, images, predicted = confusion[place, place], confusion[place].sum(), confusion[:, place].sum()
        found.append(
            ClassScore(
                name, int(images), int(predicted), precision=float(share(right, predicted)),
                recall=float(share(right, images)), f1=float(share(2 * right, images + predicted)),
            )
        )  # fmt: skip
    return found


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Return equal bins of the highest probability, with what was promised (confidence) and what was kept (accuracy).

    Empty bins are left out. Source: Guo et al. 2017, "On calibration of modern neural networks", equations 2 and 3.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        Bin(
            one / bins,
            (one + 1) / bins,
            images=int((place == one).sum()),
            confidence=float(confidence[place == one].mean()),
            accuracy=float(right[place == one].mean()),
        )
        for one in range(bins)
        if (place == one).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error, ``Σ n_b / N |accuracy_b - confidence_b|``, 0 to 1 (Guo et al. 2017)."""
    count = sum(one.images for one in bins)
    return sum(one.images / count * abs(one.accuracy - one.confidence) for one in bins)


def evaluate_classes(
    model: Model,
    images: EvaluatedImages,
    references: Sequence[Reference] = (),
    progress: OnProgress = silent,
) -> Classification:
    """Let a classifier, and what it is measured against, say the class of every image.

    images: batches with labels, which are positions in ``model.classes``. Raises CuelloError where images do not fit.
    """
    truth, probabilities, seconds = [], [], 0.0
    others: dict[str, list[np.ndarray]] = {reference.name: [] for reference in references}
    spent = dict.fromkeys(others, 0.0)
    done = 0
    for batch in images.batches():
        start = time.perf_counter()
        scores = model.class_scores(batch.images)
        seconds += time.perf_counter() - start
        probabilities.append(torch.softmax(scores.double(), 1).numpy())
        truth.append(np.asarray(batch.labels))
        for reference in references:
            start = time.perf_counter()
            others[reference.name].append(reference.run(batch.images).numpy())
            spent[reference.name] += time.perf_counter() - start
        done += len(scores)
        progress(Progress("evaluating", done, images.count))
    found = np.concatenate(probabilities)
    methods = [
        Guesses(one.name, one.label, np.concatenate(others[one.name]), milliseconds=1000 * spent[one.name] / done)
        for one in references
    ]
    ours = Guesses(OURS, model.artefact.architecture.name, found.argmax(1), milliseconds=1000 * seconds / done)
    return Classification(
        model.classes, np.concatenate(truth), probabilities=found, methods=[*methods, ours], images=images
    )


def verdict_of(found: Classification) -> str:
    """Say in one sentence whether the network beats the best of the others, by accuracy."""
    low, high = wilson_interval(found.right(found.ours), len(found.truth))
    reached = (
        f"{found.accuracy(found.ours):.1%} of {len(found.truth):,} images right (95% interval {100 * low:.1f} to "
        f"{100 * high:.1f})"
    )
    if len(found.methods) < 2:
        return f"Nothing to compare with: {reached}."
    best = max(found.methods[:-1], key=found.right)
    right = found.ours.predicted == found.truth
    mean, least, most = paired_interval(right, best.predicted == found.truth)
    interval = f" (95% interval {100 * least:+.1f} to {100 * most:+.1f})"
    if least > 0:
        return f"Beats {best.label} by {100 * mean:.1f} points{interval}: {reached}."
    if most < 0:
        return f"Does not beat {best.label}: {-100 * mean:.1f} points worse{interval}; {reached}."
    return f"Cannot be told apart from {best.label}: {100 * mean:+.1f} points{interval}; {reached}."


def worst_mistakes(found: Classification, most: int = 12) -> list[int]:
    """Return rows of images with the wrong class, the most confident first."""
    wrong = np.flatnonzero(found.ours.predicted != found.truth)
    order = np.argsort(-found.probabilities[wrong].max(1), kind="stable")
    return [int(row) for row in wrong[order][:most]]


def result_of(found: Classification) -> Result:
    """Return the result in every form; CSV: one row an image, its place, its class, and what the network says."""

    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    likely = found.probabilities[np.arange(len(found.truth)), found.truth]
    values = {
        "verdict": found.verdict,
        "images": len(found.truth),
        "classes": list(found.classes),
        "methods": {
            method.name: {
                "label": method.label,
                "accuracy": found.accuracy(method),
                "interval": list(wilson_interval(found.right(method), len(found.truth))),
                "milliseconds_an_image": method.milliseconds,
            }
            for method in found.methods
        },
        "confusion": found.confusion.tolist(),
        "scores": {
            score.name: {
                "images": score.images,
                "precision": number(score.precision),
                "recall": number(score.recall),
                "f1": number(score.f1),
            }
            for score in found.scores
        },
        "cross_entropy": float(-np.log(np.maximum(likely, 1e-300)).mean()),
        "calibration_error": calibration_error(reliability(found.probabilities, found.truth)),
        "calibration_bins": BINS,
    }
    rows: list[list[Any]] = [["image", "top", "left", "class", "predicted", *(f"p {name}" for name in found.classes)]]
    for row, (name, place) in enumerate(zip(found.images.names, found.images.places, strict=True)):
        classes = [found.classes[int(found.truth[row])], found.classes[int(found.ours.predicted[row])]]
        rows.append([name, *place, *classes, *(f"{p:.6g}" for p in found.probabilities[row])])
    return Result(found.verdict, values, rows, shown=shown(values))


def shown(values: Mapping[str, Any]) -> list[Table | str]:
    """Return what a terminal shows of metrics.json: accuracies, classes, confusion where it fits, calibration."""
    methods = sorted(values["methods"].values(), key=lambda method: -method["accuracy"])
    accuracies = [
        [
            method["label"],
            f"{method['accuracy']:.2%}",
            " to ".join(f"{100 * limit:.1f}" for limit in method["interval"]),
            time_text(method["milliseconds_an_image"]),
        ]
        for method in methods
    ]
    names, few = values["classes"], len(values["classes"]) <= MOST_CLASSES
    classes = []
    for name, counts in zip(names, values["confusion"], strict=True):
        shares = [values["scores"][name][measure] for measure in ("precision", "recall")]
        texts = ["–" if share is None else f"{share:.1%}" for share in shares]
        classes.append([name, *texts, *(f"{count:,}" for count in counts if few)])
    where = f"{values['images']:,} images"
    return [
        Table(["method", "accuracy>", "95% interval>", "ms per image>"], accuracies, title=where),
        Table(["true class", "precision>", "recall>", *(f"as {name}>" for name in names if few)], classes),
        f"expected calibration error: {100 * values['calibration_error']:.2f} points",
        values["verdict"],
    ]
