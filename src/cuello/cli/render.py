"""Results for people: tables on the terminal; and for machines: JSON."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from cuello.evaluation import Evaluation
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
    from cuello.metrics import METRICS

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
