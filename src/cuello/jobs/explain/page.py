"""report.html of an estimator of occlusion maps: how faithful, how fast, when it pays, the best and the worst."""

import math
from collections.abc import Sequence

import numpy as np

from cuello.inference.model import Model
from cuello.jobs.classify.figures import side_by_side
from cuello.jobs.explain.estimator import AT_ONCE
from cuello.jobs.explain.evaluation import CURVE_IMAGES, MEASURES, Estimation, order
from cuello.jobs.explain.settings import FLAT
from cuello.report.figures import Theme, as_png, drawing, save_both, shorten
from cuello.report.grids import image_grid
from cuello.report.page import Picture, Section, Table
from cuello.report.result import Result
from cuello.report.run_sections import curves_picture, run_sections, write_run_page
from cuello.runs.directory import Run
from cuello.saliency.fidelity import MAPS, Fidelity, Measured


def write_estimation(
    run: Run, model: Model, found: Estimation, *, result: Result, command: str, notes: Sequence[str]
) -> None:
    """Draw the figures and write figures/*.png and report.html of a run.

    result: the same in every form. command: what to type to repeat the training. notes: what else a reader should know.
    """
    curves = curves_picture(
        run, "learning", left="Loss by epoch", right="Squared error on validation",
        value=lambda record: record.validation_mse,
    )  # fmt: skip
    spread = save_both(run.figures, "correlations", lambda theme: correlations(found.fidelity.pearson.values, theme))
    examples = save_both(run.figures, "examples", lambda theme: examples_grid(found, theme))
    sections = [
        Section(
            "How faithful are the maps?",
            [*notes, f"The maps of {len(found.names):,} images, estimated in one pass, beside the exact ones."],
            [fidelity_table(found), Picture(spread, "Distribution of the correlations")],
        ),
        Section(
            "What the classifier says",
            [
                f"Pixels of {found.curve_images} images are removed, or put in, the most important ones first by each "
                "map, and the classifier is asked for the probability of its class each time. Where a map is right, "
                f"the probability falls early, or rises early. ({CURVE_IMAGES} images at most: each takes hundreds of "
                "answers.)"
            ],
            [curves_table(found)],
        ),
        Section(
            "Best and worst",
            parts=[
                Picture(
                    examples,
                    "Images, exact maps, estimated maps",
                    "Each image, its exact map, the estimated one, their difference (grey is none). Above: the maps "
                    "with the highest correlation, then those in the middle, then the lowest. Dark is what the class "
                    "depends on: with the box there, its probability falls.",
                )
            ],
        ),
        Section("When does it pay?", [paying(found)], [times_table(found)]),
        *run_sections(run, model, curves, command=command),
    ]
    subtitle = f"{model.artefact.architecture.name} · explain · {run.config.data}"
    write_run_page(run, result, subtitle, sections=sections)


def said(one: Measured, digits: int) -> str:
    if math.isnan(one.low):
        return f"{one.mean:.{digits}f}"
    return f"{one.mean:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"


def fidelity_table(found: Estimation) -> Table:
    """Tabulate every measure; two columns where the network is told a class and the labels are known."""
    columns: list[tuple[str, Fidelity]] = [("estimated>", found.fidelity)]
    if found.by_label is not None:
        columns = [("told the prediction>", found.fidelity), ("told the label>", found.by_label)]
    rows = [
        [label, *(said(getattr(one, name), 5 if "mse" in name else 3) for _, one in columns)]
        for name, label in MEASURES.items()
    ]
    rows.insert(3, ["correlation over all pixels of all maps", *(f"{one.pooled:.3f}" for _, one in columns)])
    note = (
        "Means over images and their 95% intervals (bootstrap). The most important pixels are "
        f"{found.fidelity.share:.0%} of all."
    )
    if found.fidelity.constant:
        note += (
            f" In {found.fidelity.constant:,} of {len(found.names):,} images the map is flat, spreading by {FLAT:g} of "
            "its scale at most: the class stays whatever the box hides. Correlations and the most important pixels are "
            "of the other images, squared errors of all."
        )
    if found.by_label is not None:
        note += (
            f" When explaining, the label is not known: the left column is what a user gets. The label differs from "
            f"the prediction in {found.wrong:,} of {len(found.names):,} images."
        )
    return Table(["measure", *(name for name, _ in columns)], rows, note)


def curves_table(found: Estimation) -> Table:
    rows = [
        [f"{name} map", said(found.fidelity.deletion[name], 3), said(found.fidelity.insertion[name], 3)]
        for name in MAPS
    ]
    return Table(
        ["order of the pixels", "deletion, low is good>", "insertion, high is good>"], rows,
        "Areas under the curves, 0 to 1 (Petsiuk et al. 2018, \"RISE\").",
    )  # fmt: skip


def paying(found: Estimation) -> str:
    if math.isinf(found.break_even):
        return "It does not: an estimate takes as much time as an exact map, or more."
    return (
        f"After {found.break_even:,.0f} maps the estimator has repaid making its {found.training_maps:,} training maps "
        "and its training; for fewer maps, exact ones are the better choice."
    )


def times_table(found: Estimation) -> Table:
    maps = found.training_maps * found.exact_seconds
    rows = [
        ["one exact map", f"{1e3 * found.exact_seconds:.3g} ms"],
        [f"one estimated map ({AT_ONCE} at once)", f"{1e3 * found.estimate_seconds:.3g} ms"],
        [f"{found.training_maps:,} exact maps for training", f"{maps / 60:.1f} min"],
        ["training", f"{found.training_seconds / 60:.1f} min"],
    ]
    note = "Exact maps: one process with one thread; several make them side by side. Training: with this run's threads."
    return Table(["what", "time>"], rows, note)


def correlations(values: np.ndarray, theme: Theme) -> bytes:
    known = values[np.isfinite(values)]
    with drawing(theme, 8.4, 2.4) as (figure, axes):
        low = min(0.0, float(known.min()) if len(known) else 0.0)
        axes.hist(known, bins=np.linspace(low, 1, 41).tolist(), color=theme.ours)
        axes.set(title="Images by the correlation of their estimated map with the exact one", xlabel="Pearson's r")
        return as_png(figure)


def examples_grid(found: Estimation, theme: Theme) -> bytes:
    """Draw the most faithful maps, those in the middle and the least faithful, each beside its image, two in a row."""
    r = found.fidelity.pearson.values
    ranked = [place for place in order(found) if np.isfinite(r[place])] or order(found)
    middle = max(0, len(ranked) // 2 - 1)
    rows = []
    for name, places in (("best", ranked[:2]), ("middle", ranked[middle : middle + 2]), ("worst", ranked[-2:])):
        row = []
        for place in places:
            exact, estimated = found.exact[place], found.estimated[place]
            image = side_by_side(found.images[place].permute(1, 2, 0).numpy())
            row += [
                (image, shorten(found.names[place], 16)), (exact, shorten(found.classes[place], 16)),
                (estimated, f"r = {r[place]:.3f}"), ((estimated - exact) / 2 + 0.5, ""),
            ]  # fmt: skip
        rows.append((name, row))
    return image_grid(rows, 2 * ["image", "exact", "estimated", "difference"], theme)
