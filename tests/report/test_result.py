"""A result in each of its forms."""

import json
from pathlib import Path

import pytest

from cuello.cli.render import print_result
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.directory import Run

FOUND = Result(
    "It holds.",
    {"mean": 0.1, "each": [1, None]},
    [["name", "value"], ['a "b", c', 0.25], ["d", None]],
    ["before", Table(["name", "value>"], [["a", "1"]], title="Two"), Table(["n"], [["b"]]), "It holds.", "note: so"],
)


def test_what_is_saved_is_what_is_said(tmp_path: Path) -> None:
    run = Run(tmp_path)
    FOUND.save(run)
    assert run.metrics == FOUND.values
    assert run.metrics_path.read_text() == FOUND.json + "\n"
    assert json.loads(FOUND.json) == FOUND.values
    assert run.images_path.read_bytes() == b'name,value\n"a ""b"", c",0.25\nd,\n'


def test_tables_stand_apart_and_sentences_together(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(FOUND)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == ["before", "", "Two"]
    assert lines[-3:] == ["", "It holds.", "note: so"]
    assert lines.count("") == 3
    print_result(FOUND, json=True)
    assert capsys.readouterr().out == FOUND.json + "\n"
