"""The settings of a run are those it was trained with, whatever became of config.toml."""

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import cuello
from cuello.core.config import CHANGEABLE, TrainConfig, make_config
from cuello.core.errors import CuelloError
from cuello.runs.checkpoint import load_checkpoint, save_checkpoint
from cuello.runs.directory import Run
from cuello.runs.settings import PLACES, settings_in_training, trained_config

OTHERS = {
    "job": "'classify'", "target": "'clean'", "channels": "1", "crop": "24", "crops": "'fixed'", "samples": "8",
    "validation_samples": "4", "resize": "'32x32'", "augment": "true", "validation": "0.5", "test": "0.3", "fold":
    "'1/3'", "split_seed": "3", "range": "'0..255'", "noise": "'gaussian:25'", "scale": "2",
    "box": "5", "stride": "2", "fill": "'mean'", "told": "'label'", "only": "'a'", "loss": "'l1'", "model":
    "'unet-s'", "batch_size": "3", "optimizer": "'sgd'", "learning_rate": "0.5", "momentum": "0.5", "nesterov":
    "true", "weight_decay": "0.1", "schedule": "'constant'", "warmup_epochs": "1.0", "plateau_patience": "1",
    "plateau_factor": "0.1", "clip": "1.0", "ema": "0.9", "seed": "7", "precision": "'bf16'", "compile": "true",
    "latent": "4", "hidden": "'64'", "filters": "'8'", "activation": "'relu'", "dropout": "0.1", "force": "true",
    "method": "'sure'", "noisy_target": "true", "start_from": "'denoise'",
}  # fmt: skip
"""Another value for every setting that may not change, as TOML has it."""


def edited(run: Run, name: str, value: str) -> Run:
    """Change a line of a run's config.toml, or add it."""
    lines = [line for line in run.config_path.read_text().splitlines() if not line.startswith(f"{name} = ")]
    run.config_path.write_text("\n".join([*lines, f"{name} = {value}", ""]))
    return run


def test_every_setting_that_may_not_change_is_tried() -> None:
    assert {*OTHERS, *CHANGEABLE, *PLACES, "target"} == set(TrainConfig.model_fields)


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in PLACES])
def test_an_edited_setting_is_named_with_both_values(copied: Run, name: str) -> None:
    before = getattr(copied.config, name)
    edited(copied, name, OTHERS[name])
    now = getattr(copied.config, name)
    assert now != before
    with pytest.raises(CuelloError) as error:
        trained_config(copied)
    assert f": {name} = {now!r} (trained with {before!r})." in str(error.value)


def test_all_changes_are_named_and_nothing_is_touched(copied: Run, refused: Callable[..., str]) -> None:
    edited(edited(copied, "split_seed", "3"), "loss", "'l1'")
    weights = copied.checkpoint_path.read_bytes(), copied.model_path.read_bytes()
    message = refused("resume", copied.path, "--epochs", 3)
    assert "loss = 'l1' (trained with 'mse')" in message
    assert "split_seed = 3 (trained with 0)" in message
    assert f"cuello train --config {copied.config_path} -o ANOTHER" in message
    assert "was changed after its training began" in refused("evaluate", copied.path)
    with pytest.raises(CuelloError, match=r"was changed after its training began"):
        cuello.compare([copied.path])
    assert (copied.checkpoint_path.read_bytes(), copied.model_path.read_bytes()) == weights


def test_what_may_change_is_said_and_used(copied: Run) -> None:
    edited(copied, "epochs", "3")
    with pytest.warns(UserWarning, match=r"goes on with epochs = 3 \(so far 2\)"):
        run = cuello.resume(copied.path, report=False)
    assert len(run.history) == 3
    assert settings_in_training(run) == run.config


def test_another_number_of_threads_is_said_to_round_differently(copied: Run) -> None:
    said = r"goes on with threads = 2 \(so far 1\). Another number of threads rounds differently"
    with pytest.warns(UserWarning, match=said):
        cuello.resume(copied.path, report=False, epochs=3, threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cuello.resume(copied.path, report=False, epochs=4)


def test_a_folder_of_images_that_moved_is_the_same_one(copied: Run, images: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(images, tmp_path / "moved")
    edited(copied, "data", f"'{moved}'")
    with pytest.warns(UserWarning, match=rf"goes on with data = '{moved}' \(so far '{images}'\)"):
        run = cuello.resume(copied.path, report=False, epochs=3)
    assert len(run.history) == 3


def test_other_images_are_not_the_same(copied: Run, make_images: Callable[..., Path], tmp_path: Path) -> None:
    edited(copied, "data", f"'{make_images(tmp_path / 'others', count=7)}'")
    with pytest.raises(CuelloError, match=r"was changed after its training began: data = '.*others' \(trained with"):
        cuello.resume(copied.path, epochs=3)


def test_the_file_is_made_again_from_the_checkpoint(copied: Run) -> None:
    before = copied.config_path.read_text()
    copied.config_path.unlink()
    assert trained_config(copied) == make_config(load_checkpoint(copied.checkpoint_path).settings)
    assert cuello.resume(copied.path, report=False).config_path.read_text() == before


def without_settings(run: Run) -> None:
    """Make a checkpoint as the version before wrote it."""
    save_checkpoint(run.checkpoint_path, replace(load_checkpoint(run.checkpoint_path), settings={}, environment={}))


def test_an_older_checkpoint_goes_on(copied: Run) -> None:
    without_settings(copied)
    assert len(cuello.resume(copied.path, report=False, epochs=3).history) == 3


def test_beside_an_older_checkpoint_the_best_weights_know_the_settings(copied: Run) -> None:
    without_settings(copied)
    with pytest.raises(CuelloError, match=r"seed = 7 \(trained with 0\)"):
        trained_config(edited(copied, "seed", "7"))
    copied.model_path.unlink()
    assert trained_config(copied).seed == 7
