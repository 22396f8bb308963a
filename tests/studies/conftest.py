"""Shared by the tests of studies: each makes its study in miniature, in a ``folder``, and looks at what lies there."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cuello.core.config import TrainConfig
from cuello.studies.base import StudyPlan
from cuello.work.train import resolve


@pytest.fixture
def configs() -> Callable[..., dict[str, TrainConfig]]:
    """Complete the settings of a study's plans on a data set, each once."""

    def complete(plans: Sequence[StudyPlan], data: str) -> dict[str, TrainConfig]:
        assert len({plan.name for plan in plans}) == len(plans)
        return {plan.name: resolve({"data": data, **plan.settings}) for plan in plans}

    return complete


@pytest.fixture
def table(folder: Path) -> Callable[[str], list[list[str]]]:
    """Read a table of the study, its headings first."""
    return lambda name: list(csv.reader((folder / "tables" / f"{name}.csv").open()))


@pytest.fixture
def page(folder: Path) -> str:
    """Read the report, which stands alone."""
    text = (folder / "report.html").read_text()
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text), "nothing is loaded from elsewhere"
    return text


@pytest.fixture
def figures(folder: Path) -> set[str]:
    """Name the pictures that were kept, none of which is empty."""
    assert all(path.stat().st_size > 5000 for path in (folder / "figures").iterdir())
    return {path.stem for path in (folder / "figures").iterdir()}
