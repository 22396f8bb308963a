"""Pages that stand alone: sections of text, tables and pictures in one HTML file, nothing loaded from elsewhere."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.files import write_text


@dataclass(frozen=True)
class Table:
    """A table of texts.

    columns: headings; a trailing ">" sets a column to the right. rows: one text a column. note: faint text below.
    ours: positions of the rows to highlight, from 0. title: stands above it on a terminal.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    ours: frozenset[int] = frozenset()
    title: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture for a light and for a dark page.

    themes: "light" and "dark" to PNG bytes, as ``figures.save_both`` returns them. alt: what it shows, for those who
    cannot see it. note: faint text below.
    """

    themes: Mapping[str, bytes]
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A titled card of a page; text: paragraphs without markup. folded: shown only when its title is clicked."""

    title: str
    text: Sequence[str] = ()
    parts: Sequence[Table | Picture] = ()
    folded: bool = False


def write_page(
    path: Path,
    title: str,
    subtitle: str,
    verdict: str,
    sections: Sequence[Section],
    environment: Mapping[str, Any],
) -> None:
    """Write one HTML page, whole or not at all; every text is escaped.

    verdict: one sentence in a box of its own, or "" for none. environment: as ``runs.directory.environment`` returns
    it, or {} for none. Raises CuelloError where a row of a table has more or fewer cells than columns.
    """
    for section in sections:
        for part in section.parts:
            if isinstance(part, Table):
                check_table(part)
    context = {"title": title, "subtitle": subtitle, "verdict": verdict, "sections": sections}
    write_text(path, render("page.html", **context, environment=environment, encoded=encoded))


def check_table(table: Table) -> None:
    """Raise CuelloError that names the first row whose cells do not match the columns."""
    for position, row in enumerate(table.rows):
        if len(row) != len(table.columns):
            raise CuelloError(f"row {position} of a table has {len(row)} cells, needed {len(table.columns)}: {row}.")


def render(template: str, **context: Any) -> str:
    """Fill in one of this package's templates; texts are escaped."""
    from jinja2 import Environment, FunctionLoader

    folder = resources.files("cuello.report")
    loader = FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8"))
    made = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    return made.get_template(template).render(**context).lstrip()


def encoded(themes: Mapping[str, bytes]) -> dict[str, str]:
    """Return each theme's PNG in base64."""
    return {theme: base64.b64encode(png).decode() for theme, png in themes.items()}
