"""report.html of a classifier: accuracy beside simple methods, confusion, calibration, mistakes, curves."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from cuello.inference.model import Model
from cuello.jobs.classify.evaluation import (
    Classification,
    calibration_error,
    reliability,
    wilson_interval,
    worst_mistakes,
)
from cuello.jobs.classify.figures import (
    accuracy_of,
    confusion_picture,
    mistakes_grid,
    reliability_diagram,
    side_by_side,
)
from cuello.jobs.images.examples import middle
from cuello.jobs.images.methods import time_text
from cuello.report.figures import save_both, shorten
from cuello.report.page import Picture, Section, Table
from cuello.report.result import Result
from cuello.report.run_sections import curves_picture, run_sections, write_run_page
from cuello.runs.directory import Run


def write_classification(
    run: Run, model: Model, found: Classification, *, result: Result, command: str, notes: Sequence[str]
) -> None:
    """Draw the figures and write figures/*.png and report.html of a run.

    result: the same in every form. command: what to type to repeat the training. notes: what else a reader should know.
    """
    bins = reliability(found.probabilities, found.truth)
    curves = curves_picture(
        run, "learning", left="Cross-entropy by epoch, nats", right="Validation accuracy, %", value=accuracy_of
    )
    confusion = save_both(run.figures, "confusion", lambda theme: confusion_picture(found, theme))
    diagram = save_both(run.figures, "reliability", lambda theme: reliability_diagram(bins, theme))
    sections = [
        Section("Accuracy", notes, [methods_table(found)]),
        Section(
            "What is mistaken for what",
            parts=[
                Picture(confusion, "Confusion matrix", "Rows are the true classes, shaded by their shares."),
                scores_table(found),
            ],
        ),
        Section(
            "Can its probabilities be believed?",
            [
                f"Expected calibration error: {100 * calibration_error(bins):.2f} points. Where bars are below the "
                "dashed line the network is too confident, above it not confident enough."
            ],
            [Picture(diagram, "Reliability diagram", "Guo et al. 2017; 15 equal bins of the highest probability.")],
        ),
        mistakes_section(run, found),
        *run_sections(run, model, curves, command=command),
    ]
    subtitle = f"{model.artefact.architecture.name} · classify · {run.config.data}"
    write_run_page(run, result, subtitle, sections=sections)


def methods_table(found: Classification) -> Table:
    """Return every method's accuracy, the best first."""
    methods = sorted(found.methods, key=found.right, reverse=True)
    rows = []
    for method in methods:
        low, high = wilson_interval(found.right(method), len(found.truth))
        interval = f"{100 * low:.1f} to {100 * high:.1f}"
        wrong = f"{len(found.truth) - found.right(method):,}"
        rows.append([method.label, f"{found.accuracy(method):.2%}", interval, wrong, time_text(method.milliseconds)])
    return Table(
        ["method", "accuracy>", "95% interval>", f"wrong of {len(found.truth):,}>", "ms per image>"],
        rows,
        "Intervals: Wilson 1927. All are judged on the same images; the regression is fitted to at most 20,000 of the "
        "training images.",
        ours=frozenset({methods.index(found.ours)}),
    )


def scores_table(found: Classification) -> Table:
    """Return precision and recall of every class."""

    def percent(value: float) -> str:
        return "–" if math.isnan(value) else f"{value:.1%}"

    rows = [
        [score.name, f"{score.images:,}", percent(score.precision), percent(score.recall), percent(score.f1)]
        for score in found.scores
    ]
    return Table(
        ["class", "images>", "precision>", "recall>", "F1>"],
        rows,
        "Precision: the share of the images assigned to the class that belong to it. Recall: the share of the class's "
        "images that were found.",
    )


def mistakes_section(run: Run, found: Classification) -> Section:
    """Return the wrong answers that the network was surest of, as pictures."""
    rows = worst_mistakes(found)
    if not rows:
        return Section("Worst mistakes", ["None: every image was assigned its class."])
    images, captions = [], []
    pixels = pixels_of(found, rows)
    for row in rows:
        said, true = found.classes[int(found.ours.predicted[row])], found.classes[int(found.truth[row])]
        above = f"{shorten(said, 12)} {found.probabilities[row].max():.1%}"
        images.append(pixels[row])
        captions.append((above, f"is {shorten(true, 12)}: {shorten(found.images.names[row], 16)}"))
    views = " Views: from left to right and top to bottom." if side_by_side(images[0]) is not images[0] else ""
    grid = save_both(run.figures, "mistakes", lambda theme: mistakes_grid(images, captions, theme))
    note = f"Above: what the network says, and how sure it is; below: the true class.{views}"
    return Section("Worst mistakes", parts=[Picture(grid, "Images that the network got wrong", note)])


def pixels_of(found: Classification, rows: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the pixels of these rows, ``(H, W, C)``, large images by their middle."""
    wanted, pixels = torch.tensor(rows), {}
    for batch in found.images.batches():
        for place in torch.isin(batch.ids, wanted).nonzero().flatten().tolist():
            pixels[int(batch.ids[place])] = middle(batch.images[place : place + 1])
    return pixels
