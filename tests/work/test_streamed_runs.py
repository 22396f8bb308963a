"""Whole trainings on streamed images, stacks, HDF5 and ranges: the same weights, and the files' own units back."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image
from safetensors.numpy import load_file

import cuello
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.data import batches, windows
from cuello.inference.files import apply
from cuello.jobs.data import prepare
from cuello.runs.directory import Run
from cuello.training.observers import EpochDone, Event
from cuello.work.train import repeat_command


def same_weights(one: Run, other: Run) -> bool:
    first, second = (load_file(run.model_path) for run in (one, other))
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two images, and no fixed crops in memory."""
    monkeypatch.setattr(windows, "WINDOW_BYTES", 2 * 40 * 40 * 3)
    monkeypatch.setattr(batches, "RESIDENT_BYTES", 0)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("pairs", [False, True])
def test_the_same_weights_and_resume_in_the_other_mode(
    images: Path, tmp_path: Path, opposites: Path, small: dict[str, Any], pairs: bool
) -> None:
    if pairs:
        small |= {"noise": None, "target": str(opposites)}
    small |= {"data": images, "report": False}
    memory = cuello.train(**small, storage="memory", output=tmp_path / "memory")
    streamed = cuello.train(**small, storage="stream", output=tmp_path / "stream")
    assert same_weights(memory, streamed)
    halves = []
    for first, second in (("stream", "memory"), ("memory", "stream")):
        run = cuello.train(**{**small, "epochs": 1}, storage=first, output=tmp_path / f"{first}-first")
        halves.append(cuello.resume(run.path, epochs=2, storage=second, report=False))
    assert same_weights(*halves)


@pytest.mark.usefixtures("narrow")
def test_a_streamed_run_is_evaluated_and_reported(images: Path, tmp_path: Path, small: dict[str, Any]) -> None:
    runs = [
        cuello.train(data=images, storage=storage, output=tmp_path / storage, report=False, **small)
        for storage in ("memory", "stream")
    ]
    scores = [cuello.evaluate(run.path, baselines=["input"]) for run in runs]
    assert scores[0].ours.mean("psnr") == scores[1].ours.mean("psnr")
    assert runs[0].images_path.read_text() == runs[1].images_path.read_text()


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_fingerprints_agree_whatever_was_guessed(
    tmp_path: Path, make_images: Callable[..., Path], storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One colour image among grey ones that the sample does not show takes a second pass."""
    folder = make_images(tmp_path, 5, channels=1)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(folder / "1-colour.png")
    known = prepare(TrainConfig(data=str(folder), crop=16)).fingerprint
    monkeypatch.setattr("cuello.data.stream.SAMPLE", 1)
    prepared = prepare(TrainConfig(data=str(folder), crop=16, storage=storage))  # type: ignore[arg-type]
    assert prepared.images.streamed == (storage == "stream")
    assert prepared.fingerprint == known


class Remover:
    """Removes an image after the first epoch."""

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochDone):
            self.path.unlink(missing_ok=True)


def test_a_file_that_goes_while_training(
    tmp_path: Path, make_images: Callable[..., Path], small: dict[str, Any]
) -> None:
    folder = make_images(tmp_path / "data")
    config = TrainConfig(data=str(folder), crop=16)
    prepared = prepare(config)
    name = prepared.images.names[int(prepared.split.train[0])]
    content = (folder / name).read_bytes()
    about = (folder / name).stat()
    small |= {"data": folder, "storage": "stream", "epochs": 3, "observers": [Remover(folder / name)]}
    with pytest.raises(CuelloError, match=rf"{name} changed during the training .*`cuello resume RUN`"):
        cuello.train(**small, output=tmp_path / "stop", report=False, on_error="stop")
    assert len(Run(tmp_path / "stop").history) == 1
    (folder / name).write_bytes(content)
    whole = cuello.train(**{**small, "observers": []}, output=tmp_path / "whole", report=False)
    assert same_weights(cuello.resume(tmp_path / "stop", report=False), whole)
    assert about.st_size == len(content)
    with pytest.warns(UserWarning, match=rf"{name} changed during the training") as told:
        run = cuello.train(**small, output=tmp_path / "skip")
    assert len([one for one in told if name in str(one.message)]) == 1
    assert [record.images for record in run.history] == [12, 8, 8]
    report = run.report_path.read_text()
    assert f"{name} changed during the training" in report
    assert "stay in their files" in report


def test_a_stack_of_12_bits_from_training_to_its_own_units(tmp_path: Path, small: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    stack = random.integers(0, 4096, (6, 24, 24), np.int16, endpoint=False)
    tifffile.imwrite(tmp_path / "cells.tif", stack, photometric="minisblack")
    small |= {"data": tmp_path / "cells.tif", "epochs": 1, "report": False}
    with pytest.raises(CuelloError, match=r"int16.*range='0\.\.4095'"):
        cuello.train(**small, output=tmp_path / "none")
    run = cuello.train(**small, range="0..4095", output=tmp_path / "run")
    assert "--range 0..4095" in repeat_command(run)
    model = cuello.load(run.model_path)
    assert model.levels is not None
    restored = model(stack)
    assert restored.dtype == np.int16
    assert restored.shape == stack.shape
    assert 0 <= restored.min() <= restored.max() <= 4095
    assert restored.max() > 300, "in the file's own units"
    applied = apply(model, tmp_path / "cells.tif", tmp_path / "out.tif")
    assert not applied.failed
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), restored)
    assert tifffile.imread(tmp_path / "out.tif").dtype == np.int16
    np.testing.assert_allclose(model(stack.astype(np.float64)), restored, atol=0.51)
    with pytest.raises(CuelloError, match=r"holds values from 0 to 5000, outside the range 0\.\.4095"):
        model(np.array([[0, 5000]] * 9, np.int16))
    evaluation = cuello.evaluate(run.path, tmp_path / "cells.tif", baselines=["input"], report=False)
    assert evaluation.ours.mean("psnr") > 3
    assert not apply(model, tmp_path / "cells.tif", tmp_path / "one.png").written


def test_hdf5_streams_and_pairs_share_the_range(tmp_path: Path, small: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        for name in ("noisy", "clean"):
            file[name] = random.uniform(-1000, 3000, (6, 20, 20)).astype(np.float32)
    where = {name: f"{tmp_path / 'data.h5'}:{name}" for name in ("noisy", "clean")}
    small |= {"data": where["noisy"], "target": where["clean"], "noise": None, "range": "-1000..3000"}
    runs = [
        cuello.train(**small, storage=storage, output=tmp_path / storage, report=storage == "stream")
        for storage in ("memory", "stream")
    ]
    assert same_weights(*runs)


@pytest.mark.parametrize("pages", [2, 3])
def test_apply_restores_every_page(
    model: Any, tmp_path: Path, make_image: Callable[..., np.ndarray], pages: int
) -> None:
    stack = np.stack([make_image(number) for number in range(pages)])
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in/a.tif", stack, photometric="rgb")
    applied = apply(model, tmp_path / "in", tmp_path / "out")
    assert not applied.failed
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out/a.tif"), model(stack))


def test_a_range_for_a_known_data_set_is_refused() -> None:
    with pytest.raises(CuelloError, match=r"range='0\.\.9' for 'photos'.*leave it out"):
        prepare(TrainConfig(data="photos", range="0..9", crop=16))


def test_a_wrong_range_is_refused_before_anything_is_read(tmp_path: Path, small: dict[str, Any]) -> None:
    with pytest.raises(CuelloError, match=r"range: got '9\.\.0', needed LOW\.\.HIGH"):
        cuello.train(data=tmp_path, range="9..0", output=tmp_path / "run", **small)


def test_a_negative_range_on_the_command_line(refused: Callable[..., str], tmp_path: Path) -> None:
    told = refused("train", "denoise", tmp_path, "--noise", "gaussian:5", "--range", "-1000..3000")
    assert "holds no image" in told


def test_warnings_of_large_images_stay_away_with_several_threads(images: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(TrainConfig(data=str(images), crop=16, storage="stream"))
