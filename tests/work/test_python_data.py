"""Trainings on images that were handed in from Python: the same bits as from files, and never other images unsaid."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import cuello
from cuello.core.errors import CuelloError, Fault
from cuello.runs.directory import Run

SEVERAL: dict[str, Any] = {
    "job": "reconstruct",
    "model": "mlp:35-4",
    "epochs": 1,
    "device": "cpu",
    "threads": 1,
    "report": False,
}


@pytest.fixture(scope="module")
def pixels(make_image: Callable[..., np.ndarray]) -> np.ndarray:
    """The six images of the folder ``images``."""
    return np.stack([make_image(number) for number in range(6)])


@pytest.fixture
def dots() -> np.ndarray:
    return (np.random.default_rng(0).random((20, 7, 5)) > 0.5) * np.uint8(255)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.model_path)


def same(one: Run, other: Run) -> bool:
    here, there = weights(one), weights(other)
    return here.keys() == there.keys() and all(torch.equal(here[name], there[name]) for name in here)


@pytest.mark.parametrize(
    "made",
    [
        lambda array: array,
        lambda array: torch.from_numpy(array).permute(0, 3, 1, 2),
        lambda array: [Image.fromarray(one) for one in array],
        lambda array: [(one, 0) for one in array],
    ],
    ids=["array", "tensor", "Pillow", "items"],
)
def test_the_same_images_train_the_same_bits_however_they_come(
    made: Callable[[np.ndarray], Any], pixels: np.ndarray, trained: Run, small: dict[str, Any], tmp_path: Path
) -> None:
    run = cuello.train(data=made(pixels), output=tmp_path / "run", report=False, **small)
    assert same(run, trained)
    assert run.config.data.startswith("python:")


def test_an_array_is_what_its_file_is(dots: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "dots.npy", dots)
    by_file = cuello.train(data=tmp_path / "dots.npy", output=tmp_path / "file", **SEVERAL)
    by_array = cuello.train(data=dots, output=tmp_path / "array", **SEVERAL)
    assert same(by_file, by_array)
    # a run may go on with its images at another place, if they are the same to the last pixel
    with pytest.warns(UserWarning, match="goes on with data = 'python:array"):
        moved = cuello.resume(by_file, data=dots, epochs=2, report=False)
    assert same(moved, cuello.resume(by_array, data=dots, epochs=2, report=False))
    np.save(tmp_path / "others.npy", dots[::-1])
    third = cuello.train(data=tmp_path / "dots.npy", output=tmp_path / "third", **SEVERAL)
    with pytest.raises(CuelloError, match="third are not those it was trained on"):
        cuello.resume(third, data=tmp_path / "others.npy", epochs=3)
    assert third.config.data == str(tmp_path / "dots.npy")


def test_a_run_goes_on_with_the_same_images_alone(dots: np.ndarray, tmp_path: Path) -> None:
    whole = cuello.train(data=dots, output=tmp_path / "whole", **{**SEVERAL, "epochs": 3})
    run = cuello.train(data=dots, output=tmp_path / "run", **SEVERAL)
    with pytest.raises(Fault, match=r"handed in from Python.*Hand in the same ones again.*cuello\.resume\(run"):
        cuello.resume(run, epochs=3)
    with pytest.raises(Fault, match=r"needed the images python:array\[20\]#\w+, got python:array\[20\]#"):
        cuello.resume(run, data=255 - dots, epochs=3)
    with pytest.raises(Fault, match=r"got python:array\[19\]#"):
        cuello.evaluate(run, data=dots[:19])
    with pytest.raises(Fault, match="handed in from Python"):
        cuello.evaluate(run)
    gone_on = cuello.resume(run, data=[Image.fromarray(one) for one in dots], epochs=3, report=False)
    assert same(gone_on, whole)
    assert gone_on.config.data == whole.config.data


def test_own_test_images_and_others(pixels: np.ndarray, trained: Run, small: dict[str, Any], tmp_path: Path) -> None:
    run = cuello.train(data=pixels, output=tmp_path / "run", report=False, **small)
    own = cuello.evaluate(run, data=list(pixels))
    known = cuello.evaluate(trained, report=False)
    assert [method.mean("psnr") for method in own.methods] == [method.mean("psnr") for method in known.methods]
    whole = cuello.evaluate(run, pixels[:2], report=False)
    assert whole.images.names == ["0", "1"]
    page = re.sub("</?span>", "", run.report_path.read_text("utf-8"))
    assert "cuello.train(&#39;denoise&#39;, images, crop=16" in page
    assert "cuello train denoise" not in page


def test_the_command_line_says_what_is_needed(dots: np.ndarray, refused: Callable[..., str], tmp_path: Path) -> None:
    run = cuello.train(data=dots, output=tmp_path / "run", **SEVERAL)
    said = refused("resume", run.path, "--epochs", 2)
    assert f"the images {run.config.data} were handed in from Python, and no file holds them" in said


def test_labels_beside_images_make_classes(dots: np.ndarray, tmp_path: Path) -> None:
    learn: dict[str, Any] = {"epochs": 1, "device": "cpu", "threads": 1, "report": False}
    names = ["odd" if k % 2 else "even" for k in range(20)]
    run = cuello.train("classify", dots, labels=names, output=tmp_path / "run", **learn)
    assert cuello.load(run).classes == ("even", "odd")
    judged = cuello.evaluate(run, dots, labels=names, report=False)
    assert judged.truth.tolist() == [0, 1] * 10
    alike = cuello.evaluate_classifier(run, dots, labels=names[::-1], report=False)
    assert alike.truth.tolist() == [1, 0] * 10
    with pytest.raises(CuelloError, match=r"array\[20\] has images without labels.*from Python, labels"):
        cuello.train("classify", dots, output=tmp_path / "other", **learn)
    with pytest.raises(CuelloError, match="are not those it was trained on"):
        cuello.resume(run, data=dots, labels=names[::-1], epochs=2)


def test_pairs(pixels: np.ndarray, small: dict[str, Any], tmp_path: Path) -> None:
    settings = {name: value for name, value in small.items() if name != "noise"}
    darker = pixels // 2
    run = cuello.train(data=darker, target=torch.from_numpy(pixels).permute(0, 3, 1, 2), output=tmp_path / "run",
                       report=False, **settings)  # fmt: skip
    assert run.config.target is not None
    assert run.config.target.startswith("python:tensor[6]")
    with pytest.raises(Fault, match="needed the images python:tensor"):
        cuello.resume(run, data=darker, epochs=3)
    assert len(cuello.resume(run, data=darker, target=list(pixels), epochs=3).history) == 3
    assert cuello.evaluate(run, darker, target=pixels, report=False).images.count == 6


def test_repeats_and_searches(dots: np.ndarray, tmp_path: Path) -> None:
    runs = cuello.train_repeats(data=dots, repeats=2, output=tmp_path / "repeats", **SEVERAL)
    again = cuello.train_repeats(data=dots, repeats=2, output=tmp_path / "repeats", **SEVERAL)
    assert [run.config.data for run in runs] == [run.config.data for run in again]
    others = {name: value for name, value in SEVERAL.items() if name != "report"}
    found = cuello.search.search(data=dots, space={"learning_rate": [1e-3, 1e-2]}, output=tmp_path / "search", **others)
    assert len(found.trials) == 2
    with pytest.raises(CuelloError, match="runs find their files by themselves"):
        cuello.evaluate_runs(runs, data=tmp_path)


def test_paths_wherever_a_path_may_stand(images: Path, opposites: Path, small: dict[str, Any], tmp_path: Path) -> None:
    settings = {name: value for name, value in small.items() if name != "noise"}
    run = cuello.train(data=images, target=opposites, output=tmp_path / "run", report=False, **settings)
    assert (run.config.data, run.config.target) == (str(images), str(opposites))
    assert cuello.evaluate(run, images, target=opposites, report=False).images.count == 6
    assert cuello.load(run).artefact.checksum == cuello.load(run.path).artefact.checksum
