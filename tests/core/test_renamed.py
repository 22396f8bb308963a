"""Old names of modules: they work for a version, and say the new name."""

import importlib
import sys
import warnings

import pytest

from cuello.core.renamed import MODULES


@pytest.mark.parametrize(("old", "new"), MODULES.items())
def test_an_old_name_is_the_module_of_the_new_one(old: str, new: str) -> None:
    sys.modules.pop(f"cuello.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"cuello\.{old} is now cuello\.{new}"):
        found = importlib.import_module(f"cuello.{old}")
    assert found is importlib.import_module(f"cuello.{new}")
    assert found.__name__ == f"cuello.{new}"


def test_what_was_shown_to_users_is_there_under_both_names() -> None:
    import cuello

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        load = importlib.import_module("cuello.inference").load
        output = importlib.import_module("cuello.types").Output
    assert (output, load) == (cuello.Output, cuello.load)


def test_other_names_are_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("cuello.nonsense")
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        importlib.import_module("cuello.inference").nonsense  # noqa: B018
