"""Pipes, devices, full disks and folders that vanish: a plain word, no traceback, no hang, nothing made again."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cuello
from cuello.core.errors import CuelloError
from cuello.core.files import write_text
from cuello.inference.model import Model
from cuello.training.observers import EpochDone

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the devices of Linux")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that nobody writes to or reads from: opening it never ends."""
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path / "pipe.png"


@pytest.mark.parametrize("device", ["/dev/zero", "a pipe"])
def test_what_never_ends_is_not_read(
    images: Path, tmp_path: Path, pipe: Path, refused: Callable[..., str], device: str
) -> None:
    odd = pipe if device == "a pipe" else Path(device)
    said = f"cuello: {odd} is not a plain file (but a pipe or a device). Copy its contents into a file."
    assert refused("apply", odd, images, tmp_path / "out") == said
    assert refused("evaluate", odd, images) == said
    assert refused("train", "--config", odd, "-o", tmp_path / "run") == said
    assert not (tmp_path / "run").exists()


def test_a_device_is_never_replaced_by_a_file(images: Path, model: Model, pipe: Path) -> None:
    found = cuello.apply(model, images / "0.png", pipe, overwrite=True)
    assert [problem for _, problem in found.failed] == [
        f"{pipe} is a pipe or a device, which no file may replace. Choose another place."
    ]
    with pytest.raises(CuelloError, match=r"/dev/null is a pipe or a device"):
        write_text(Path("/dev/null"), "")
    assert Path("/dev/null").is_char_device()
    assert pipe.is_fifo()


@pytest.mark.parametrize("words", [["models"], ["models", "--json"], ["--help"]])
def test_a_console_that_is_full_is_a_word(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cuello", *words], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"cuello: No space left on device\n"


def test_a_run_that_vanishes_while_it_is_trained_is_not_made_again(
    images: Path, tmp_path: Path, small: dict[str, Any]
) -> None:
    run = tmp_path / "run"

    def remove(event: object) -> None:
        if isinstance(event, EpochDone):
            shutil.rmtree(run)

    with pytest.raises(CuelloError, match=r"There is no folder .*run, or no longer, and it is not made again"):
        cuello.train(data=images, output=run, observers=[remove], report=False, **small)
    assert not run.exists()


def test_neither_by_a_report(images: Path, tmp_path: Path, small: dict[str, Any]) -> None:
    run = tmp_path / "run"

    def remove(event: object) -> None:
        if run.exists() and getattr(event, "stage", "").startswith("evaluat"):
            shutil.rmtree(run)

    with pytest.raises(CuelloError, match=r"There is no folder|there is no|holds no"):
        cuello.train(data=images, output=run, progress=remove, **small)
    assert not run.exists()
