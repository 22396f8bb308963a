"""Suggestions in messages."""

import pytest

from cuello.core.errors import CuelloError, Interrupted, closest


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("salt-peper", " Did you mean 'salt-pepper'?"),
        ("gausian", " Did you mean 'gaussian'?"),
        ("blur", " Did you mean 'blur'?"),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_suggested(name, suggestion):
    assert closest(name, iter(["gaussian", "salt-pepper", "blur"])) == suggestion


def test_nothing_is_suggested_where_nothing_is_known():
    assert closest("anything", []) == ""


def test_the_users_mistakes_and_interruptions_are_apart():
    assert not issubclass(Interrupted, CuelloError)
    assert not issubclass(CuelloError, ValueError | OSError)
