"""A model's file says whose it is, keeps it through resuming, and says so where nobody stated it."""

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cuello
from cuello.inference.bundled import BUNDLED
from cuello.runs.artefact import load_artefact, save_artefact
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run
from cuello.runs.rights import rights_of, training_data
from cuello.runs.tensors import read_about

STATED: dict[str, Any] = {"license": "CC-BY-4.0", "author": "Ada Lovelace; José", "citation": "10.1000/xyz"}


def stated(path: Path) -> dict[str, Any]:
    training = load_artefact(path).training
    return {name: training[name] for name in STATED if name in training}


def test_a_run_without_a_word_is_as_it_always_was(trained: Run) -> None:
    assert stated(trained.path) == {}
    assert not set(STATED) & set(read_reached(trained.checkpoint_path).settings)
    assert not any(name in trained.config_path.read_text() for name in STATED)
    assert rights_of(load_artefact(trained.path)) == {
        "licence": "not stated", "author": "not stated", "citation": "not stated",
        "training data": "images of the author's own, images",
    }  # fmt: skip


def test_a_file_keeps_on_which_images_it_learned_in_words_of_its_own(trained: Run, tmp_path: Path) -> None:
    own = load_artefact(trained.path)
    assert own.trained_on == ""
    assert rights_of(own)["training data"] == "images of the author's own, images"
    run = cuello.train(
        "denoise", "photos", model="conv-8-16-8", noise="salt-pepper:0.2", crop=16, samples=16, validation_samples=8,
        test=0, epochs=1, output=tmp_path / "run", report=False, device="cpu", threads=1,
    )  # fmt: skip
    known = load_artefact(run.path)
    assert known.trained_on == training_data("photos")
    kept = replace(known, trained_on="stars (by Ada Lovelace, CC0-1.0)")
    assert rights_of(kept)["training data"] == "stars (by Ada Lovelace, CC0-1.0)"
    save_artefact(tmp_path / "kept.safetensors", kept)
    assert load_artefact(tmp_path / "kept.safetensors").trained_on == kept.trained_on
    assert rights_of(replace(known, trained_on=""))["training data"] == training_data("photos"), "an earlier version's"


def test_what_is_stated_is_in_the_file_the_settings_and_the_report(
    images: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    run = cuello.train(data=str(images), output=tmp_path / "run", **{**small, **STATED})
    assert stated(run.path) == STATED
    assert read_about(run.model_path, "model", 1)["training"]["license"] == "CC-BY-4.0"
    assert [getattr(run.config, name) for name in STATED] == list(STATED.values())
    page = run.report_path.read_text()
    assert "Licence and data" in page
    assert "Ada Lovelace; José" in page
    assert "<span>--author</span> <span>&#39;Ada</span> <span>Lovelace;</span>" in page, (
        "the command that does it again states it too"
    )


def test_resuming_states_it_later_and_changes_no_weight(copied: Run) -> None:
    before, epochs = load_artefact(copied.path), len(copied.history)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cuello.resume(copied.path, report=False, **STATED)
    assert stated(copied.path) == STATED
    assert load_artefact(copied.path).checksum == before.checksum
    assert len(copied.history) == epochs
    assert load_artefact(copied.path).metrics == before.metrics
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cuello.resume(copied.path, report=False, epochs=epochs + 1)
    assert stated(copied.path) == STATED, "it stays when the training goes on"


def test_repeats_say_it_each(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    runs = cuello.train_repeats(
        repeats=2, data=str(images), output=tmp_path / "runs", report=False, **{**small, **STATED}
    )
    assert [stated(run.path) for run in runs] == [STATED, STATED]


def test_small_networks_trained_at_once_say_it_too(images: Path, tmp_path: Path) -> None:
    run = cuello.train(
        "reconstruct", str(images), model="mlp-32-8-2", resize=8, epochs=1, output=tmp_path / "run", report=False,
        validation=0.5, test=0, device="cpu", threads=1, **STATED,
    )  # fmt: skip
    assert stated(run.path) == STATED
    cuello.resume(run.path, report=False, license="MIT")
    assert stated(run.path) == {**STATED, "license": "MIT"}


def test_runs_that_differ_in_their_author_alone_are_repeats(
    images: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    for seed in (0, 1):
        cuello.train(
            data=str(images), output=tmp_path / f"{seed}", report=False, seed=seed, author=f"author {seed}", **small
        )
    (group,) = cuello.compare([tmp_path / "0", tmp_path / "1"]).groups
    assert [len(row.runs) for row in group.rows] == [2]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("digits", "licence: CC BY 4.0)"),
        ("open-photos", "; by Aitzol Berasategi (CC-BY-4.0), Eastman Kodak Company (released for unrestricted use), "),
        ("/home/ada/cells", "images of the author's own, cells"),
        ("python:array[60]#ab", "images handed in from Python"),
        ("", "not stated"),
    ],
)
def test_training_data_are_named_without_the_way_to_them(data: str, said: str) -> None:
    assert said in training_data(data)
    assert "/home" not in training_data(data)


@pytest.mark.parametrize("name", BUNDLED.names())
def test_ready_models_state_theirs(name: str, command: Callable[..., Any]) -> None:
    assert stated(BUNDLED[name].path) == {"license": "Apache-2.0", "author": "The authors of Cuello"}
    found = {model["name"]: model for model in json.loads(command("models", "--json").out) if model.get("ready")}
    assert found[name]["rights"]["licence"] == "Apache-2.0"
    assert "licence: Apache-2.0; author: The authors of Cuello\n" in command("models").out
    assert "author:\n    The authors of Cuello\ncitation:\n    not stated\n" in command("models", name).out


def test_a_summary_says_whose_a_model_is(trained: Run, command: Callable[..., Any]) -> None:
    assert "licence: not stated" in command("summary", trained.path).out
    assert json.loads(command("summary", trained.path, "--json").out)["rights"]["author"] == "not stated"
    assert "licence" not in command("summary", "conv-8-16-8").out
