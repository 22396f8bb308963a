"""Names of files as text: what is portable comes back, in any bytes."""

from hypothesis import given
from hypothesis import strategies as st

from cuello.core.text import as_utf8, in_every, native, portable


@given(st.binary())
def test_a_name_of_any_bytes_comes_back(name: bytes) -> None:
    here = name.decode("utf-8", "surrogateescape")
    assert portable(here) == here
    assert native(portable(here)) == here


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_in_a_locale_of_ascii_is_the_same_text(text: str) -> None:
    in_ascii = text.encode().decode("ascii", "surrogateescape")
    assert portable(in_ascii) == text
    assert as_utf8(f"{in_ascii} ×") == f"{text} ×".encode()


def test_bytes_that_are_no_text_are_escapes_in_a_file() -> None:
    assert as_utf8("a\udcff.png") == b"a\\xff.png"


def test_every_string_is_changed_and_nothing_else() -> None:
    assert in_every({"a": ["b", 1, None], "c": {"d": ("e", 2.5, True)}}, str.upper) == {
        "a": ["B", 1, None], "c": {"d": ["E", 2.5, True]},
    }  # fmt: skip
