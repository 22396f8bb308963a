"""A result in every form that it is given in: JSON and CSV for machines, tables, sentences and a page for people."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.core.files import write_text
from cuello.report.page import Section, Table, Verdict, write_page
from cuello.runs.directory import Run


@dataclass(frozen=True)
class Result:
    """What was measured. Every kind of evaluation has a function ``result_of`` that makes one of it.

    verdict: in words. values: everything as plain values, for JSON. rows: for CSV, the names of the columns first; an
    empty cell (None) is not known. shown: tables and sentences for a terminal, in their order. good: whether the
    verdict is good news; None where it is neither.
    """

    verdict: str
    values: Mapping[str, Any]
    rows: Sequence[Sequence[Any]]
    shown: Sequence[Table | str]
    good: bool | None = None

    @property
    def json(self) -> str:
        return json.dumps(self.values, indent=2)

    @property
    def csv(self) -> str:
        return csv_text(self.rows)

    def write_page(
        self, path: Path, title: str, *, subtitle: str, sections: Sequence[Section], environment: Mapping[str, Any]
    ) -> None:
        """Write one HTML page: the verdict first, then ``sections``, and the machine; see ``page.write_page``."""
        verdict = Verdict(self.verdict, self.good)
        write_page(path, title, subtitle, verdict=verdict, sections=sections, environment=environment)

    def save(self, run: Run) -> None:
        """Write metrics.json and images.csv of a run."""
        write_text(run.metrics_path, self.json + "\n")
        write_text(run.images_path, self.csv)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    r"""Write rows as CSV; None is an empty cell.

    >>> csv_text([["name", "value"], ["a, b", None]])
    'name,value\n"a, b",\n'
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
