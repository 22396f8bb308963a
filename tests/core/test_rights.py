"""Licences by their SPDX names, authors, citations."""

import pytest

from cuello.core.config import make_config
from cuello.core.errors import CuelloError
from cuello.core.rights import authors_of, doi_of


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("mit", "MIT"),
        (" apache-2.0 ", "Apache-2.0"),
        ("mit or gpl-3.0-or-later", "MIT OR GPL-3.0-or-later"),
        ("LicenseRef-own", "LicenseRef-own"),
        (None, None),
    ],
)
def test_a_licence_is_kept_as_spdx_writes_it(typed: str | None, kept: str | None) -> None:
    assert make_config({"license": typed}).license == kept


@pytest.mark.parametrize(
    ("typed", "near"), [("Apache 2.0", "(did you mean 'Apache-2.0'?)"), ("CC BY 4.0", "'CC-BY-4.0'"), ("free", "MIT")]
)
def test_what_is_no_licence_is_refused_with_the_nearest(typed: str, near: str) -> None:
    with pytest.raises(CuelloError) as caught:
        make_config({"license": typed})
    message = str(caught.value)
    assert message.startswith(f"license: got {typed!r}, needed the SPDX identifier of a licence")
    assert near in message
    assert "LicenseRef-NAME for one of your own" in message


@pytest.mark.parametrize("author", ["", "  ", "Ada\nLovelace", "a\x00", "a" * 10_001])
def test_an_author_is_one_line_of_text(author: str) -> None:
    with pytest.raises(CuelloError, match="needed text of 1 to 10,000 letters in one line"):
        make_config({"author": author})


def test_a_citation_may_have_several_lines() -> None:
    bibtex = "@misc{x,\n  title = {Ünïcode}\n}"
    assert make_config({"citation": f"\n{bibtex}\n"}).citation == bibtex


def test_authors_and_dois_are_found() -> None:
    assert authors_of("Ada Lovelace; Charles Babbage;") == ["Ada Lovelace", "Charles Babbage"]
    assert doi_of("Lovelace (1843). https://doi.org/10.1000/xyz-1.") == "10.1000/xyz-1"
    assert doi_of("@misc{x, doi = {10.5281/zenodo.123}, year = 2026}") == "10.5281/zenodo.123"
    assert doi_of("Lovelace, Notes, 1843") is None
