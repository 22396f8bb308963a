"""A classifier that several files of tests here explain."""

from collections.abc import Callable
from pathlib import Path

import pytest

import cuello
from cuello.runs.directory import Run


@pytest.fixture(scope="module")
def run(make_classes: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    examples = make_classes(tmp_path_factory.mktemp("data") / "light", 6)
    return cuello.train(
        "classify", examples, model="classify-s", output=tmp_path_factory.mktemp("runs") / "light", epochs=1,
        batch_size=8, device="cpu", threads=1, report=False,
    )  # fmt: skip
