"""Results for people: tables on the terminal; and for machines: JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from cuello.jobs.classify.evaluation import Classification
    from cuello.jobs.images.evaluation import Evaluation
    from cuello.models.summary import Summary


def print_json(content: Any) -> None:
    """Print JSON to stdout, nothing else."""
    print(json.dumps(content, indent=2))


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; columns whose name ends in '>' are set to the right."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        numeric = column.endswith(">")
        table.add_column(column.removesuffix(">"), justify="right" if numeric else "left", no_wrap=position == 0)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def print_evaluation(evaluation: "Evaluation") -> None:
    """Print the comparison, best first, the sweep, and the verdict."""
    from cuello.scoring.metrics import METRICS

    metrics = list(evaluation.ours.scores)
    rows = [
        [
            method.label,
            *(f"{method.mean(name):.{METRICS[name].digits}f}" for name in metrics),
            f"{method.milliseconds:.1f}",
        ]
        for method in sorted(evaluation.methods, key=lambda method: -method.mean("psnr"))
    ]
    where = f"{evaluation.protocol['images']} images, noise {evaluation.noise or 'their own'}"
    print_rows(where, ["method", *(f"{name.upper()}>" for name in metrics), "ms an image>"], rows)
    if evaluation.sweep:
        print()
        names = evaluation.labels
        rows = [[label, *(f"{level.psnr[name]:.2f}" for level in evaluation.sweep)] for name, label in names.items()]
        print_rows(
            "PSNR in dB by noise level",
            ["method", *(f"{level.level:g}>" for level in evaluation.sweep)],
            rows,
        )
    print()
    print(evaluation.verdict)


MOST_CLASSES = 4
"""Classes up to which a confusion matrix fits a terminal."""


def print_classification(found: Mapping[str, Any]) -> None:
    """Print what a classifier reached, as metrics.json has it: accuracies, classes, confusion, calibration, verdict."""
    rows = [
        [
            method["label"],
            f"{method['accuracy']:.2%}",
            " to ".join(f"{100 * limit:.1f}" for limit in method["interval"]),
            f"{method['milliseconds_an_image']:.2f}",
        ]
        for method in sorted(found["methods"].values(), key=lambda method: -method["accuracy"])
    ]
    print_rows(f"{found['images']:,} images", ["method", "accuracy>", "95% interval>", "ms an image>"], rows)
    print()
    names, few = found["classes"], len(found["classes"]) <= MOST_CLASSES
    columns = ["true class", "precision>", "recall>", *(f"as {name}>" for name in names if few)]
    rows = []
    for name, counts in zip(names, found["confusion"], strict=True):
        shares = [found["scores"][name][measure] for measure in ("precision", "recall")]
        shown = ["–" if share is None else f"{share:.1%}" for share in shares]
        rows.append([name, *shown, *(f"{count:,}" for count in counts if few)])
    print_rows("", columns, rows)
    print(f"\nexpected calibration error: {100 * found['calibration_error']:.2f} points")
    print(found["verdict"])


def print_estimation(found: Mapping[str, Any]) -> None:
    """Print how faithful an estimator's occlusion maps are, as metrics.json has it."""
    labels = {
        "mse": "squared error", "normalised_mse": "… standardised once more", "pearson": "correlation (Pearson)",
        "spearman": "correlation of ranks (Spearman)", "overlap": "most important pixels in common",
    }  # fmt: skip
    told = found["told"] or {"estimated": found["fidelity"]}
    names = {"prediction": "told the prediction>", "label": "told the label>", "estimated": "estimated>"}
    rows = [[label, *(f"{one[name]['mean']:.4f}" for one in told.values())] for name, label in labels.items()]
    print_rows(f"{found['images']:,} images", ["beside the exact maps", *(names[name] for name in told)], rows)
    print(found["verdict"])


def say_classification(found: "Classification", run: Path, json: bool) -> None:
    """Say what a classifier reached, for people or machines, and where its report lies."""
    from cuello.jobs.classify.evaluation import as_json

    if json:
        print_json(as_json(found))
        return
    print_classification(as_json(found))
    if run.is_dir():
        print(f"report: {run / 'report.html'}")


def print_summary(name: str, summary: "Summary") -> None:
    """Print a network's layers and totals."""
    rows = [
        [
            layer.path,
            layer.kind,
            "×".join(map(str, layer.shape)),
            f"{layer.trainable:,}",
            f"{layer.frozen:,}",
            f"{layer.multiply_adds:,}",
        ]
        for layer in summary.layers
    ]
    height, width = summary.size
    columns = ["layer", "kind", "output C×H×W>", "trainable>", "not>", "multiply-adds>"]
    print_rows(f"{name}, image {width}×{height}", columns, rows)
    field = f"{summary.receptive_field} pixels" if summary.receptive_field else "the whole image"
    print(
        f"\nparameters: {summary.trainable:,} trainable, {summary.frozen:,} not\n"
        f"multiply-adds: {summary.multiply_adds:,} an image, {summary.multiply_adds_a_pixel:,.0f} a pixel\n"
        f"receptive field: {field}; sizes are padded to a multiple of {summary.stride}"
    )
