"""Captures of one scene judge each other's results, and nothing else does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import cuello


def scene(shift: float = 0.0, side: int = 96) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return 340 + 130 * np.sin(9 * x + shift) + 130 * np.cos(8 * y * (1 + x))


def capture(seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scene(shift), 25).round().astype(np.uint16)


def write(folder: Path, images: list[np.ndarray]) -> Path:
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def test_captures_tell_the_true_error(tmp_path: Path, command: Callable[..., Any]) -> None:
    folder = write(tmp_path / "in", [capture(seed) for seed in range(3)])
    found = cuello.denoise(folder, tmp_path / "out", report=tmp_path / "page")
    assert found.captures.count == 3
    errors = [np.mean((np.asarray(Image.open(path)) - scene()) ** 2) for path in found.written]
    truth = np.sqrt(np.mean(errors)) / 25
    assert found.captures.left == pytest.approx(truth, abs=2 * found.captures.left_error)
    assert found.captures.left == pytest.approx(truth, rel=0.3)
    assert found.captures.gain == pytest.approx(-20 * np.log10(found.captures.left))
    page = (tmp_path / "page" / "report.html").read_text()
    assert "3 captures of one scene" in page
    blended = sum(planes[0].kind.blend is not None for planes in found.channels)
    assert ("Results put together with results of smaller images" in page) == (blended == 3)
    answer = command("denoise", folder, tmp_path / "again")
    assert "3 captures of one scene, each result judged by the other captures: error now about 0." in answer.out
    answer = command("denoise", folder, tmp_path / "third", "--json")
    assert json.loads(answer.out)["captures"]["count"] == 3


def test_pages_of_one_stack_are_captures(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([capture(seed) for seed in range(2)]))
    found = cuello.denoise(tmp_path / "a.tif", tmp_path / "b.tif")
    assert found.captures.count == 2
    assert 0.05 < found.captures.left < 0.5


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_other_scenes_and_single_images_are_none(tmp_path: Path, shift: float) -> None:
    images = [capture(0), capture(1, shift)] if shift else [capture(0)]
    found = cuello.denoise(write(tmp_path / "in", images), tmp_path / "out")
    assert found.captures is None


def test_where_originals_were_replaced_nothing_is_compared(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", [capture(seed) for seed in range(2)])
    assert cuello.denoise(folder, in_place=True).captures is None
