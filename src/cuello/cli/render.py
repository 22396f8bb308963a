"""Results for people: tables on the terminal; and for machines: JSON."""

import json
import os
import sys
from collections.abc import Sequence
from textwrap import fill, shorten, wrap
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cuello.core.files import printable

if TYPE_CHECKING:
    from cuello.models.summary import Summary
    from cuello.report.page import Table as PageTable
    from cuello.report.result import Result

MOST_LEFT_OUT = 10
"""Images that are named in the end, at most; all are when they are read."""
WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def print_json(content: Any) -> None:
    """Print JSON to stdout, nothing else."""
    print(json.dumps(content, indent=2))


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, one_line: bool = False) -> None:
    """Print a table; columns whose name ends in '>' are set to the right. one_line: where the
    terminal is not narrow, leave out words at the end of the last column.

    No word is ever broken: cells go on in further lines. Where the terminal is too narrow for that, a few rows become
    columns, if they fit; else each row is a heading and a line for every column.
    """
    console = Console(highlight=False)
    heads = [column.removesuffix(">") for column in columns]
    if one_line and console.width >= WIDE:
        taken = sum(max(len(row[place]) for row in [heads, *rows]) + GAP for place in range(len(columns) - 1))
        room = max(8, console.width - taken)
        rows = [[*row[:-1], shorten(row[-1], room, placeholder=" …")] for row in rows]
    widths = widths_within(console.width, [heads, *rows])
    if widths is None and (turned := turned_within(console.width, [heads, *rows])) is not None:
        columns, rows = [turned[0][0], *(f"{name}>" for name in turned[0][1:])], turned[1:]
        heads, widths = turned[0], [max(map(cell_len, column)) for column in zip(*turned, strict=True)]
    if widths is None:
        print_records(title, heads, rows=rows, width=console.width)
        return
    if title:
        print_text(title)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column, head, width in zip(columns, heads, widths, strict=True):
        table.add_column(Text(head), justify="right" if column.endswith(">") else "left", width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


GAP, MOST_LINES, SHORT, WIDE, UNBROKEN, MOST_TURNED = 2, 5, 20, 80, 12, 4
"""Signs between two columns; lines that a cell may take before each row becomes lines of its own; the longest of those
that share one there; what is no narrow terminal; a number with its unit; rows that may become columns."""


def widths_within(room: int, rows: Sequence[Sequence[str]]) -> list[int] | None:
    """Return the widths of columns that fit into a terminal without breaking a word, None where there are none.

    The first column stays in one line, and so does a number with its unit. What is left after the longest words goes,
    sign by sign, to the column that lacks most.

    >>> widths_within(20, [["name", "what it is"], ["a-b", "one two three"]])
    [4, 13]
    >>> widths_within(12, [["name", "what it is"], ["a-b", "one two three"]])
    [4, 6]
    """
    columns = list(zip(*rows, strict=True))
    wanted = [max(map(cell_len, column)) for column in columns]
    widths = [max(max(map(cell_len, cell.split()), default=0) for cell in column) for column in columns]
    units = [
        max((cell_len(cell) for cell in column[1:] if cell_len(cell) <= UNBROKEN), default=0) for column in columns
    ]
    widths = [wanted[0], *map(max, widths[1:], units[1:])]
    left = room - GAP * (len(widths) - 1) - sum(widths)
    if left < 0:
        return None
    for _ in range(min(left, sum(wanted) - sum(widths))):
        most = max(range(len(widths)), key=lambda place: wanted[place] - widths[place])
        widths[most] += 1
    lines = [
        len(wrap(cell, width, **WHOLE_WORDS)) for row in rows for cell, width in zip(row, widths, strict=True) if width
    ]
    return None if max(lines, default=0) > MOST_LINES else widths


def turned_within(room: int, rows: Sequence[Sequence[str]]) -> list[Sequence[str]] | None:
    """Return a table with its rows as columns, without what is empty, where its lines fit; None where they do not.

    >>> turned_within(16, [["run", "error", ""], ["a", "0.25", ""], ["b", "0.5", ""]])
    [('run', 'a', 'b'), ('error', '0.25', '0.5')]
    >>> turned_within(14, [["run", "error", ""], ["a", "0.25", ""], ["b", "0.5", ""]])
    """
    turned: list[Sequence[str]] = [line for line in zip(*rows, strict=True) if any(line[1:])]
    taken = sum(max(map(cell_len, column)) + GAP for column in rows) - GAP
    nested = any(row[0] != row[0].lstrip() for row in rows)
    return None if taken > room or nested or len(rows) > MOST_TURNED + 1 else turned


def print_text(text: str) -> None:
    """Print sentences; on a terminal, lines that are too long go on below their first word, and no word is broken."""
    console = Console()
    for line in text.split("\n"):
        if not line or not (console.is_terminal or "COLUMNS" in os.environ):
            print(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        print(fill(line.lstrip(), console.width, initial_indent=indent, subsequent_indent=indent, **WHOLE_WORDS))


def print_records(title: str, heads: Sequence[str], *, rows: Sequence[Sequence[str]], width: int) -> None:
    """Print each row as its first cell, a number with what it is of, and, below it, a line for every other one."""
    if title:
        print_text(title)
    for position, (first, *others) in enumerate(rows):
        deeper = len(first) - len(first.lstrip())
        if position and not deeper:
            print()
        print(f"{heads[0]} {first}" if first.isdecimal() else first)
        indent = " " * (deeper + 2)
        for line in lines_of(heads[1:], others):
            print(fill(line, width, initial_indent=indent, subsequent_indent=f"{indent}  ", **WHOLE_WORDS))


def lines_of(heads: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Return what stands below a heading: a line for every longer cell, short ones that follow each other in one.

    >>> lines_of(["size", "error", "what it is"], ["3", "0.5", "a network of three layers"])
    ['size 3, error 0.5', 'a network of three layers']
    """
    lines, joined = [], False
    for head, cell in zip(heads, cells, strict=True):
        short = len(cell) <= SHORT
        text = cell if head in ("", "what it is") else f"{head} {cell}" if short else f"{head}: {cell}"
        if cell and short and joined:
            lines[-1] += f", {text}"
        elif cell:
            lines.append(text)
        joined = short and bool(lines)
    return lines


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
            print_text(part)
        else:
            print_rows(part.title, part.columns, part.rows)


def end_with(left_out: "Sequence[str]") -> None:
    """Say in the end, even where nothing else is shown, which images were left out and why; then exit with code 1."""
    if not left_out:
        return
    count = len(left_out)
    print(f"\n{count} image{'s were' if count > 1 else ' was'} left out of this work:", file=sys.stderr)
    for reason in left_out[:MOST_LEFT_OUT]:
        print(f"  {printable(reason)}", file=sys.stderr)
    if count > MOST_LEFT_OUT:
        print(f"  … and {count - MOST_LEFT_OUT} more", file=sys.stderr)
    sys.exit(1)


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
    columns = ["layer", "kind", "output C×H×W>", "trainable>", "frozen>", "multiply-adds>"]
    print_rows(f"{name}, image {width}×{height}", columns, rows)
    field = f"{summary.receptive_field} pixels" if summary.receptive_field else "the whole image"
    print_text(
        f"\nparameters: {summary.trainable:,} trainable, {summary.frozen:,} frozen\n"
        f"multiply-adds: {summary.multiply_adds:,} per image, {summary.multiply_adds_a_pixel:,.0f} per pixel\n"
        f"receptive field: {field}; sizes are padded to a multiple of {summary.stride}"
    )
