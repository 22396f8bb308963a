"""Shared by the tests of studies, each of which makes its study in miniature, in a folder."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def table(folder: Path) -> Callable[[str], list[list[str]]]:
    """Read a table of the study, its headings first."""
    return lambda name: list(csv.reader((folder / "tables" / f"{name}.csv").open()))
