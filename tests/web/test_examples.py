"""Examples of a training that is under way."""

import shutil
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import cuello
from cuello.runs.directory import Run
from cuello.web.examples import examples


def pixels_of(address: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(b64decode(address.partition(",")[2]))))


def test_images_are_shown_spoiled_restored_and_as_they_are(trained: Run) -> None:
    found = examples(trained.path, trained.config)
    assert [name for name, _ in found] == ["0.png", "2.png", "3.png", "5.png"]
    name, pictures = found[0]
    assert [said for said, _ in pictures] == ["input", "output", "original"]
    worse, better, original = (pixels_of(address) for _, address in pictures)
    np.testing.assert_array_equal(original, np.asarray(Image.open(Path(trained.config.data) / name)))
    spoiled = (worse != original).any(-1).mean()
    assert 0.05 < spoiled < 0.6, "salt and pepper, a tenth to a half of the pixels"
    expected = cuello.load(trained)(worse)
    assert np.abs(better.astype(int) - expected).max() <= 1


def test_small_inputs_classes_and_images_that_are_not_spoiled(
    make_images: Callable[..., Path], make_classes: Callable[..., Path], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"epochs": 1, "samples": 8, "report": False, "threads": 1, "device": "cpu"}
    large = make_images(tmp_path / "large", 6, height=41, width=43)
    run = cuello.train("upscale", large, scale=2, crop=16, output=tmp_path / "up", **settings)
    sizes = [pixels_of(address).shape[:2] for _, address in examples(run.path, run.config)[0][1]]
    assert sizes == [(20, 21), (40, 42), (40, 42)]
    run = cuello.train("classify", make_classes(tmp_path / "two"), output=tmp_path / "classes", **settings)
    said = [said for _, pictures in examples(run.path, run.config) for said, _ in pictures]
    assert len(said) == 4
    assert all(one.split()[0] in ("bright", "dark") and one.endswith("%") for one in said)
    run = cuello.train("reconstruct", "glyphs", model="mlp:35-16-2", output=tmp_path / "codes", **settings)
    assert [said for said, _ in examples(run.path, run.config)[0][1]] == ["input", "output"]
    shutil.rmtree(tmp_path / "large")
