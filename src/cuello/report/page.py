"""Pages that stand alone: sections of text, tables and pictures in one HTML file, nothing loaded from elsewhere."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from cuello.core.errors import CuelloError
from cuello.core.files import write_text


@dataclass(frozen=True)
class Table:
    """A table of texts.

    columns: headings; a trailing ">" sets a column to the right. rows: one text a column. note: faint text below.
    ours: positions of the rows to highlight, from 0. title: stands above it on a terminal. best: cells to highlight,
    as (row, column) from 0.
    """

    kind: ClassVar = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    ours: frozenset[int] = frozenset()
    title: str = ""
    best: frozenset[tuple[int, int]] = frozenset()

    @property
    def sides(self) -> list[str]:
        """The side, "left" or "right", that each column is set to."""
        return ["right" if column.endswith(">") else "left" for column in self.columns]


@dataclass(frozen=True)
class Picture:
    """A picture for a light and for a dark page.

    themes: "light" and "dark" to PNG bytes, as ``figures.save_both`` returns them. alt: what it shows, for those who
    cannot see it. note: faint text below.
    """

    kind: ClassVar = "picture"
    themes: Mapping[str, bytes]
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and their values, one below another. note: faint text below."""

    kind: ClassVar = "facts"
    items: Sequence[tuple[str, str]]
    note: str = ""


@dataclass(frozen=True)
class Command:
    """What to type. note: faint text below."""

    kind: ClassVar = "command"
    text: str
    note: str = ""


@dataclass(frozen=True)
class Headline:
    """A headline number: what it is, its value and unit, and beside what it stands."""

    name: str
    value: str
    unit: str = ""
    others: str = ""


@dataclass(frozen=True)
class Headlines:
    """Headline numbers, side by side. note: faint text below."""

    kind: ClassVar = "headlines"
    tiles: Sequence[Headline]
    note: str = ""


Part = Table | Picture | Facts | Command | Headlines


@dataclass(frozen=True)
class Section:
    """A titled card of a page, or, without a title, parts between the cards.

    text: paragraphs without markup. folded: shown only when its title is clicked.
    """

    title: str
    text: Sequence[str] = ()
    parts: Sequence[Part] = ()
    folded: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a page says first, in a box whose edge is green where that is good news and red where it is not."""

    text: str
    good: bool | None = None

    @property
    def mood(self) -> str:
        """How the box is drawn."""
        return {None: "plain", True: "good", False: ""}[self.good]


def write_page(
    path: Path,
    title: str,
    subtitle: str,
    verdict: str | Verdict,
    sections: Sequence[Section],
    environment: Mapping[str, Any],
) -> None:
    """Write one HTML page, whole or not at all; every text is escaped.

    verdict: one sentence in a box of its own, or "" for none. environment: as ``runs.directory.environment`` gives it,
    or {} for none. Raises CuelloError where a row of a table has more or fewer cells than columns.
    """
    from jinja2 import Environment

    for section in sections:
        for part in section.parts:
            if isinstance(part, Table):
                check_table(part)
    machine = {**environment, **environment.get("packages", {})}
    facts = [(name, str(value)) for name, value in machine.items() if name != "packages" and value is not None]
    template = resources.files("cuello.report").joinpath("page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    text = page.render(
        title=title,
        subtitle=subtitle,
        verdict=Verdict(verdict) if isinstance(verdict, str) else verdict,
        sections=[*sections, *([Section("Machine", parts=[Facts(facts)], folded=True)] if environment else [])],
        version=environment.get("cuello", ""),
        encoded=encoded,
    )
    write_text(path, text.lstrip())


def check_table(table: Table) -> None:
    """Check that cells match columns; CuelloError names the first row where they do not."""
    for position, row in enumerate(table.rows):
        if len(row) != len(table.columns):
            raise CuelloError(f"row {position} of a table has {len(row)} cells, needed {len(table.columns)}: {row}.")


def encoded(themes: Mapping[str, bytes]) -> dict[str, str]:
    return {theme: base64.b64encode(png).decode() for theme, png in themes.items()}
