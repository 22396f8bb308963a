"""A page of sections: escaped, self-contained, tables and pictures in their order."""

import html
from pathlib import Path

import pytest

from cuello.core.errors import CuelloError
from cuello.report.page import Picture, Section, Table, write_page

NASTY = '<b>"&'


def written(tmp_path: Path, *sections: Section, verdict: str = "", environment: dict[str, object] | None = None) -> str:
    path = tmp_path / "page.html"
    write_page(path, NASTY, "below", verdict=verdict, sections=sections, environment=environment or {})
    return path.read_text()


def test_everything_is_there_and_escaped(tmp_path: Path) -> None:
    table = Table(["name", "value>"], [[NASTY, "1"], ["b", "2"]], note="a note", ours=frozenset({1}))
    picture = Picture({"light": b"day", "dark": b"night"}, alt="curves", note="beside it")
    text = written(tmp_path, Section("First", ["One.", NASTY], [table, picture]), environment={"cuello": "9.9"})
    assert text.startswith("<!doctype html>")
    assert NASTY not in text
    assert text.count(html.escape(NASTY, quote=False).replace('"', "&#34;")) == 4, "title twice, paragraph, cell"
    assert '<th class="left">name</th><th class="right">value</th>' in text
    assert '<tr class="ours"><td class="left">b</td><td class="right">2</td></tr>' in text
    assert 'src="data:image/png;base64,ZGF5"' in text
    assert 'srcset="data:image/png;base64,bmlnaHQ="' in text
    for part in ("a note", "beside it", 'alt="curves"', "Made by cuello 9.9", "<p>One.</p>"):
        assert part in text
    order = [text.index(part) for part in ("First", "One.", "value</th>", "a note", "ZGF5", "beside it")]
    assert order == sorted(order)


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    text = written(tmp_path, Section("A"))
    for part in ("http://", "https://", "<script", "<link", "url(", "@import"):
        assert part not in text


def test_a_verdict_only_where_there_is_one(tmp_path: Path) -> None:
    assert '<section class="verdict' not in written(tmp_path)
    assert '<section class="verdict plain">It is so.</section>' in written(tmp_path, verdict="It is so.")


def test_a_folded_section(tmp_path: Path) -> None:
    text = written(tmp_path, Section("Open"), Section("Closed", ["inside"], folded=True))
    assert "<h2>Open</h2>" in text
    assert "<summary>Closed</summary>" in text
    assert text.count("<details>") == 1
    assert "<details>" in written(tmp_path, environment={"cuello": "1", "cores": 2, "gpu": None})


def test_a_row_of_another_length_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="row 1 of a table has 1 cells, needed 2"):
        written(tmp_path, Section("A", parts=[Table(["a", "b"], [["1", "2"], ["3"]])]))
    assert not (tmp_path / "page.html").exists()
