"""A model that other processes can load, and what several files of tests here share."""

import sys
from pathlib import Path

import pytest

import cuello
from cuello.inference.model import Model

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def saved(model: Model) -> Model:
    assert model.path is not None
    return cuello.load(model.path)
