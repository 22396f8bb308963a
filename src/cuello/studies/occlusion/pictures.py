"""The pictures: what the classifier takes for what, curves, and the best and worst maps."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from cuello.inference.model import Model
from cuello.jobs.classify.figures import confusion_picture
from cuello.jobs.explain.figures import Scale
from cuello.report.figures import Theme
from cuello.report.grids import Series, image_grid, lines
from cuello.report.page import Picture
from cuello.runs.history import EpochRecord
from cuello.studies.base import Outcome
from cuello.studies.occlusion.measures import MIXED, Findings, Part, maps_of, squared_errors
from cuello.studies.occlusion.plans import CUTS, OURS, cut_plan
from cuello.studies.occlusion.tables import labels_of

SHOWN = 3
"""Best and worst examples, each so many; the source shows two."""


def confusion(outcome: Outcome, findings: Findings) -> Picture:
    """Draw the classifier's confusion matrix."""
    return outcome.picture(
        "confusion", lambda theme: confusion_picture(findings.classified, theme),
        "Confusion matrix of the classifier on test images",
    )  # fmt: skip


def series_of(history: Sequence[EpochRecord], label: str, name: str, role: str = "other") -> Series:
    """Return a value of a history by epoch."""
    return Series(label, [one.epoch for one in history], [getattr(one, name) for one in history], role=role)


def cut_curves(outcome: Outcome) -> Picture:
    """Draw the losses of experiment 3 by epoch."""
    series = [
        series_of(
            outcome.runs[cut_plan(cut)][0].history, f"{cut if cut == 'whole' else f'cut at {cut}'}, {label}", name
        )
        for cut in CUTS
        for label, name in (("training", "loss"), ("validation", "validation_loss"))
    ]
    title = "Binary cross-entropy by epoch, the network cut at its poolings"
    return outcome.picture(
        "cuts", lambda theme: lines(series, theme, title=title, up="loss, nats"), title,
        "Cross-entropy does not fall to 0: maps between 0 and 1 have an entropy of their own.",
    )  # fmt: skip


def error_curves(outcome: Outcome) -> Picture:
    """Draw the validation MSE of all networks trained on mixed images by epoch, first seed."""
    series = [
        series_of(outcome.runs[plan][0].history, label, "validation_mse", "ours" if plan == OURS else "other")
        for plan, label in labels_of(list(outcome.runs)).items()
    ]
    title = "Validation MSE by epoch"
    return outcome.picture(
        "errors", lambda theme: lines(series, theme, title=title, up="MSE"), title,
        "First seed; networks that are told the label are told it here too.",
    )  # fmt: skip


def coloured(values: np.ndarray) -> np.ndarray:
    """Return a map ``(H, W)`` in [0, 1] in colours, ``(H, W, 3)``: dark where the class needs the pixels."""
    import matplotlib

    return matplotlib.colormaps[Scale(False, "").colours](values)[..., :3]


def examples(outcome: Outcome, findings: Findings, plans: Mapping[str, str]) -> list[Picture]:
    """Draw the validation images whose maps come out best and worst: image, exact map, estimate.

    plans: by plan, what it is called.
    """
    part = findings.subjects[MIXED].validation
    found = []
    for plan, label in plans.items():
        model = findings.models[plan][0]
        errors = squared_errors(model, part, part.predicted)
        order = np.argsort(errors, kind="stable")
        rows = list(dict.fromkeys([*order[:SHOWN].tolist(), *order[-SHOWN:].tolist()]))
        alt = f"{label}: the validation images whose maps come out best and worst"
        name = "best-and-worst-ours" if plan == OURS else "best-and-worst"
        grid = partial(example_grid, part, model, rows, errors[rows], list(findings.classified.classes))
        note = (
            f"{label[0].upper()}{label[1:]}, told the prediction; the {SHOWN} best and the {SHOWN} worst of "
            f"{len(errors):,} validation images. Under an image what it is and what the classifier takes it for; under "
            "an estimate its MSE. Maps from 0, dark, where the classifier loses most of its probability, to 1."
        )
        found.append(outcome.picture(name, grid, alt, note))
    return found


def example_grid(
    part: Part, model: Model, rows: Sequence[int], errors: np.ndarray, classes: Sequence[str], theme: Theme
) -> bytes:
    """Draw a column an image."""
    chosen = list(rows)
    estimated = maps_of(model, part, part.predicted)[chosen]
    images = part.images[chosen].permute(0, 2, 3, 1).numpy()
    said = [
        classes[true] if true == taken else f"{classes[true]}, taken for {classes[taken]}"
        for true, taken in zip(part.labels[chosen].tolist(), part.predicted[chosen].tolist(), strict=True)
    ]
    shown = [
        ("image", list(zip(images, said, strict=True))),
        ("exact", [(coloured(values), "") for values in part.exact[chosen]]),
        ("estimate", [(coloured(values), f"{error:.4f}") for values, error in zip(estimated, errors, strict=True)]),
    ]
    half = len(chosen) // 2
    headings = ["best" if place < half else "worst" for place in range(len(chosen))]
    return image_grid(shown, headings, theme)
