"""Tables of a study: what stands in a column is found and written in one way for every row."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cuello.comparison.page import spread_text
from cuello.report.page import Table
from cuello.scoring.repeats import Spread

Cell = str | float | Spread | None
Form = str | Callable[[float], str]
"""How numbers are written: a format specification (".2f"), or a function that gives the text."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    heading: a ">" at its end sets the column to the right. value: what a row has there; a row is what the table is made
    of, or its items where it is a tuple. A dash stands for None.
    """

    heading: str
    value: Callable[..., Cell]
    form: Form = ""


def table(
    rows: Iterable[Any], columns: Sequence[Column], note: str = "", *, ours: Collection[int] = (), more: Iterable = ()
) -> Table:
    """Fill a table; ours: positions of the rows to highlight; more: rows of ready cells below the others."""
    filled = [
        [written(one.value(*row if isinstance(row, tuple) else (row,)), one.form) for one in columns] for row in rows
    ]
    return Table([one.heading for one in columns], [*filled, *more], note=note, ours=frozenset(ours))


def written(cell: Cell, form: Form) -> str:
    """Write a cell; a mean over seeds with its deviation.

    >>> written(0.25, ".1%"), written("dncnn-s", ".1%"), written(None, ".1%"), written(Spread(2.5, 0.31, 3), ".2f")
    ('25.0%', 'dncnn-s', '–', '2.50 ±0.31')
    """
    text = form if callable(form) else lambda value: format(value, form)
    if cell is None or isinstance(cell, Spread):
        return spread_text(cell, text)
    return cell if isinstance(cell, str) else text(cell)
