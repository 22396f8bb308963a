"""A training in several ranks is that of one process to float32 rounding, and always the same bits."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cuello
from cuello.runs.checkpoint import load_checkpoint
from cuello.runs.directory import Run

CASES: dict[str, dict[str, Any]] = {
    "norm": {"model": "conv-8-16-8", "clip": 1.0, "ema": 0.9},  # with dropout; its last step has one image
    "streamed": {"model": "conv-8-16-8", "storage": "stream"},
    "torchs-norm": {"model": "dncnn-s", "noise": "gaussian:5..50", "augment": True},
    "plain": {"model": "denoise-s", "noise": "speckle:0.2", "loss": "l1", "samples": 9},
    "photons": {"job": "upscale", "model": "up-s", "noise": "down:2 + poisson:20", "crop": 16, "samples": 9},
    "code": {"job": "generate", "noise": None, "model": "vae:192-2", "resize": 8, "crop": None, "samples": 3},
    "blind": {"model": "denoise-s", "noise": None, "method": "neighbours", "samples": 9},
    "classes": {"job": "classify", "noise": None, "model": "classify-s", "resize": 16, "crop": None, "samples": 9},
}
SETTINGS: dict[str, Any] = {
    "noise": "salt-pepper:0.1..0.5", "crop": 16, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3,
    "warmup_epochs": 0, "schedule": "constant", "samples": 17, "validation": 0.4, "device": "cpu", "threads": 1,
    "report": False, "progress": False, "force": True,
}  # fmt: skip
AGAIN = ("norm", "torchs-norm", "photons")
"""Those that are trained twice in two ranks."""


def asked(name: str, images: Path, output: Path, **more: Any) -> dict[str, Any]:
    settings = {**SETTINGS, "data": str(images), **CASES[name], "output": str(output), **more}
    return {key: value for key, value in settings.items() if value is not None}


@pytest.fixture(scope="module")
def folder(
    make_images: Callable[..., Path], in_ranks: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Trainings of all cases in 1, 2 and 3 ranks; some twice, and one interrupted after its first epoch."""
    runs = tmp_path_factory.mktemp("runs")
    classes = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for name in ("one", "other"):
        for path in make_images(classes / name).iterdir():
            noisy = np.asarray(Image.open(path)) + random.normal(0, 12, (40, 40, 3))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    for ranks in (2, 3):
        calls = [("train", asked(name, classes, runs / f"{name}-{ranks}")) for name in CASES]
        if ranks == 2:
            calls += [("train", asked(name, classes, runs / f"{name}-again")) for name in AGAIN]
            calls += [("train", asked("norm", classes, runs / "resumed", epochs=1))]
            calls += [("train", asked("norm", classes, runs / "begun", epochs=1))]
            calls += [("resume", {"path": str(runs / "resumed"), "epochs": 2, "report": False, "progress": False})]
        assert in_ranks(ranks, calls) == [[""] * len(calls)] * ranks
    for name in CASES:
        cuello.train(**asked(name, classes, runs / f"{name}-1"))
    return runs


def weights(path: Path) -> Mapping[str, torch.Tensor]:
    return load_checkpoint(Run(path).checkpoint_path).weights


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_ranks_give_what_one_process_gives_to_rounding(folder: Path, name: str, ranks: int) -> None:
    alone, together = folder / f"{name}-1", folder / f"{name}-{ranks}"
    for one, other in zip(Run(alone).history, Run(together).history, strict=True):
        assert other.images == one.images
        assert other.loss == pytest.approx(one.loss, rel=2e-4)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=2e-4)
    wanted, found = weights(alone), weights(together)
    moved = 1e-3 * 6  # what steps of this learning rate can move a weight
    for tensor_name, tensor in wanted.items():
        torch.testing.assert_close(found[tensor_name], tensor, rtol=1e-3, atol=0.02 * moved, msg=tensor_name)


@pytest.mark.parametrize("name", AGAIN)
def test_as_many_ranks_give_the_same_bits(folder: Path, name: str) -> None:
    assert same(folder / f"{name}-2", folder / f"{name}-again")


def test_as_many_ranks_go_on_with_the_same_bits(folder: Path) -> None:
    assert same(folder / "norm-2", folder / "resumed")


def test_another_number_of_ranks_goes_on_with_a_word(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "begun", tmp_path / "run")
    with pytest.warns(UserWarning, match=r"goes on in 1 ranks \(so far 2\)"):
        run = cuello.resume(tmp_path / "run", epochs=2, report=False)
    wanted = weights(folder / "norm-1")
    for name, tensor in weights(run.path).items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-3, atol=1e-4)


def test_the_number_of_ranks_is_noted(folder: Path) -> None:
    assert [(Run(folder / f"norm-{ranks}").environment or {}).get("ranks") for ranks in (1, 2, 3)] == [None, 2, 3]
