"""Results for people: tables on the terminal; and for machines: JSON."""

import json
from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from cuello.models.summary import Summary
    from cuello.report.page import Table as PageTable
    from cuello.report.result import Result


def print_json(content: Any) -> None:
    """Print JSON to stdout, nothing else."""
    print(json.dumps(content, indent=2))


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, one_line: bool = False) -> None:
    """Print a table; columns whose name ends in '>' are set to the right. one_line: leave out words
    at the end of the last column."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    console = Console(highlight=False)
    if one_line:
        taken = sum(max(len(row[place]) for row in [columns, *rows]) + 2 for place in range(len(columns) - 1))
        room = max(8, console.width - taken)
        rows = [[*row[:-1], shorten(row[-1], room, placeholder=" …")] for row in rows]
    for position, column in enumerate(columns):
        side = "right" if column.endswith(">") else "left"
        table.add_column(column.removesuffix(">"), justify=side, no_wrap=position == 0)
    for row in rows:
        table.add_row(*row)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_result(result: "Result", json: bool = False) -> None:
    """Print a result: its JSON, or its tables and sentences."""
    if json:
        print(result.json)
    else:
        print_shown(result.shown)


def print_shown(parts: "Sequence[PageTable | str]") -> None:
    """Print tables and sentences, a blank line before and after each table."""
    for position, part in enumerate(parts):
        if position and not (isinstance(part, str) and isinstance(parts[position - 1], str)):
            print()
        if isinstance(part, str):
            print(part)
        else:
            print_rows(part.title, part.columns, part.rows)


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
