"""Runs trained at once: which are found, that each is what it would be by itself, what happens when one stops."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.owner import this_process
from cuello.runs.artefact import load_artefact
from cuello.runs.checkpoint import load_checkpoint, read_reached
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.training.observers import EpochDone, Event
from cuello.work import train as workflow
from cuello.work.at_once import AtOnce, batches_at_once
from cuello.work.plans import PlannedRun, run_turns
from cuello.work.repeats import train_many
from cuello.work.train import train_or_resume

TINY: dict[str, Any] = {
    "job": "reconstruct", "data": "glyphs", "model": "mlp:35-8-2", "batch_size": 32, "samples": 96, "epochs": 3,
    "schedule": "constant", "learning_rate": 1e-2, "threads": 1,
}  # fmt: skip
CONVOLUTIONAL = {"model": "ae:35-c4-2"}


def variants(folder: Path, *own: dict[str, Any]) -> tuple[list[Path], list[dict[str, Any]]]:
    return [folder / str(place) for place in range(len(own))], [{**TINY, **one} for one in own]


def found(folder: Path, *own: dict[str, Any], **options: Any) -> list[AtOnce]:
    paths, settings = variants(folder, *own)
    return list(batches_at_once([Run(path) for path in paths], settings, **{"report": False, **options}))


def stop_after(epoch: int) -> Callable[[Event], None]:
    def observe(event: Event) -> None:
        if isinstance(event, EpochDone) and event.record.epoch == epoch:
            raise KeyboardInterrupt

    return observe


def no_training(event: Event) -> None:
    raise AssertionError(f"a finished run was trained again: {event}")


def assert_same(run: Run, other: Run) -> None:
    """Compare weights and losses, to the bit, and everything that was written of the settings."""
    one, two = load_artefact(run.path), load_artefact(other.path)
    assert set(one.weights) == set(two.weights)
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in two.weights)
    kept = [load_checkpoint(found.checkpoint_path) for found in (run, other)]
    assert all(torch.equal(kept[0].weights[name], kept[1].weights[name]) for name in kept[1].weights)
    histories = [[replace(record, seconds=0, training_seconds=0) for record in found.history] for found in (run, other)]
    assert histories[0] == histories[1]
    assert (one.architecture, one.training, one.noise) == (two.architecture, two.training, two.noise)
    assert sorted(path.name for path in run.path.iterdir()) == sorted(path.name for path in other.path.iterdir())


# What is found


def test_those_that_differ_in_training_only_are_batches_at_once(tmp_path: Path) -> None:
    batches = found(
        tmp_path, {"seed": 0}, CONVOLUTIONAL, {"seed": 1}, {"model": "mlp:35-9-2"}, {"learning_rate": 1e-3},
        {"model": "mlp:35-9-2", "seed": 4}, {**CONVOLUTIONAL, "seed": 1}, {"loss": "bce"}, {"max_minutes": 1.0},
    )  # fmt: skip
    assert sorted(sorted(batch.places) for batch in batches) == [[0, 2, 4], [3, 5]]


def test_a_mistake_in_one_is_left_to_whoever_trains_it(tmp_path: Path) -> None:
    wrong = [{"model": "mlp:36-2"}, {"epochs": -1}, {"noise": "invert:3"}, {"model": "mpl-20-2"}]
    batches = found(tmp_path, {"seed": 0}, *wrong, {"seed": 1})
    assert [batch.places for batch in batches] == [(0, 5)]
    with pytest.raises(CuelloError, match="images of 36 numbers"):
        train_many(*variants(tmp_path, {"seed": 0}, wrong[0], {"seed": 1}), report=False)


def test_finished_ones_and_occupied_places_are_not_found(tmp_path: Path) -> None:
    paths, settings = variants(tmp_path, {"seed": 0}, {"seed": 1}, {"seed": 2}, {"seed": 3})
    train_or_resume(paths[1], settings[1], report=False)
    paths[3].mkdir()
    (paths[3] / "notes.txt").write_text("mine")
    assert [batch.places for batch in found(tmp_path, *settings)] == [(0, 2)]
    assert [sorted(batch.places) for batch in found(tmp_path, *settings, report=True)] == [[0, 1, 2]]


def test_the_reason_is_said_where_they_come_close(tmp_path: Path) -> None:
    said: list[str] = []
    large = {"model": "mlp:35-2000-2", "batch_size": 512, "samples": 512}
    assert found(tmp_path, large, {**large, "seed": 1}, say=said.append) == []
    assert said == ["networks of this size are as fast one after another"]


def test_images_are_read_once_and_not_for_networks_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []
    read = cuello.jobs.data.read_images

    def count(config: Any, *rest: Any) -> Any:
        reads.append(config.model)
        return read(config, *rest)

    monkeypatch.setattr(cuello.jobs.data, "read_images", count)
    found(tmp_path, {"seed": 0}, {"seed": 1}, CONVOLUTIONAL, {**CONVOLUTIONAL, "seed": 1})
    assert reads == ["mlp:35-8-2"]


# That each is what it would be


def test_many_runs_are_what_each_would_be(tmp_path: Path) -> None:
    own = [{"seed": 0}, CONVOLUTIONAL, {"seed": 1}, {"seed": 0, "optimizer": "sgd", "learning_rate": 0.1}]
    paths, settings = variants(tmp_path / "many", *own)
    told: list[tuple[str, float, float]] = []
    runs = train_many(
        paths, settings, report=True, progress=lambda event: told.append((event.stage, event.done, event.total))
    )
    for run, one in zip(runs, settings, strict=True):
        alone = train_or_resume(tmp_path / f"alone-{run.path.name}", one, report=True)
        assert_same(run, alone)
        for name, row in alone.metrics["methods"].items():
            assert run.metrics["methods"][name]["mse"] == row["mse"], name
        assert run.report_path.is_file()
    together = [json.loads(run.environment_path.read_text()).get("trained_at_once") for run in runs]
    assert together == [3, None, 3, 3]
    assert ("trained 3 runs at once", 3, 3) in told
    before = [run.checkpoint_path.stat().st_mtime_ns for run in runs]
    train_many(paths, settings, report=True, observers=[no_training])
    assert [run.checkpoint_path.stat().st_mtime_ns for run in runs] == before


def test_repeats_stopped_on_the_way_go_on(tmp_path: Path) -> None:
    common = {**TINY, "repeats": 3, "output": tmp_path / "repeats", "report": False}
    with pytest.raises(Interrupted, match=r"stopped while training 3 repeats at once.*The same command goes on"):
        cuello.train_repeats(**common, observers=[stop_after(2)])
    assert [len(Run(tmp_path / "repeats" / f"seed-{seed}").history) for seed in range(3)] == [2, 2, 2]
    starts: list[Event] = []
    runs = cuello.train_repeats(**common, observers=[starts.append])
    assert sum(isinstance(event, EpochDone) for event in starts) == 1, "one epoch was left"
    for seed, run in enumerate(runs):
        assert_same(run, train_or_resume(tmp_path / f"alone-{seed}", {**TINY, "seed": seed}, report=False))
    assert (tmp_path / "repeats" / "compare.html").is_file()


def test_leftovers_of_a_kill_are_cleared(tmp_path: Path) -> None:
    paths, settings = variants(tmp_path, {"seed": 0}, {"seed": 1})
    train_many(paths, [{**one, "epochs": 3} for one in settings], report=False)
    ended = replace(this_process(), pid=2**22 + 1).mark
    (paths[0] / f".model.{ended}-1234abcd.cuello-tmp.safetensors").write_bytes(b"half")
    (paths[0] / "model.safetensors").unlink()
    (paths[1] / "history.jsonl").unlink()
    (paths[1] / "config.toml").unlink()
    (paths[1] / "environment.json").write_text("half {")
    kept = [(path / "last.safetensors").read_bytes() for path in paths]
    runs = train_many(paths, settings, report=False)
    assert [len(run.history) for run in runs] == [3, 3]
    assert [load_artefact(path).metrics["epoch"] for path in paths] == [best.epoch for best in map(best_of, runs)]
    assert [json.loads(run.environment_path.read_text())["trained_at_once"] for run in runs] == [2, 2]
    assert [(path / "last.safetensors").read_bytes() for path in paths] == kept
    assert not list(paths[0].glob(".*"))


def best_of(run: Run) -> EpochRecord:
    return min(run.history, key=lambda record: record.validation_loss)


def test_a_checkpoint_that_is_gone_is_said(tmp_path: Path) -> None:
    paths, settings = variants(tmp_path, {"seed": 0}, {"seed": 1})
    train_many(paths, settings, report=False)
    (paths[1] / "last.safetensors").unlink()
    before = (paths[1] / "model.safetensors").read_bytes()
    with pytest.raises(CuelloError, match=r"1/last.safetensors is gone.*Bring the file back, or move"):
        train_many(paths, settings, report=False)
    assert (paths[1] / "model.safetensors").read_bytes() == before


KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def kill(event, arguments):
    global left
    if event == "os.rename" and str(arguments[1]).endswith("last.safetensors"):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
sys.addaudithook(kill)
from cuello.__main__ import main
main()
"""
"""A command line that is killed when it is about to put a checkpoint in its place, after so many others."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return cuello.train_repeats(**TINY, repeats=4, output=tmp_path_factory.mktemp("series") / "whole", report=False)


@pytest.mark.parametrize(("checkpoints", "epochs"), [(2, [0, 0, None, None]), (5, [0, 0, 0, 3]), (6, [0, 0, 3, 3])])
def test_a_kill_between_checkpoints_changes_no_bit(
    tmp_path: Path, undisturbed: list[Run], checkpoints: int, epochs: list[int | None]
) -> None:
    """First each writes how it begins, then all their last epoch."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items() if name not in ("job", "data")]
    command = ["train", TINY["job"], TINY["data"], *flags, "--repeats=4", "--no-report", "--output=repeats"]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(checkpoints), *command], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    runs = [Run(tmp_path / "repeats" / f"seed-{seed}") for seed in range(4)]
    found = [run.checkpoint_path for run in runs]
    assert [len(read_reached(path).records) if path.exists() else None for path in found] == epochs
    cuello.train_repeats(**TINY, repeats=4, output=tmp_path / "repeats", report=False)
    for run, expected in zip(runs, undisturbed, strict=True):
        assert_same(run, expected)


def test_one_that_diverges_is_told_in_the_end(tmp_path: Path) -> None:
    wild = {"optimizer": "sgd", "learning_rate": 1e38, "model": "mlp:35-2,output=linear"}
    calm = {"model": wild["model"]}
    paths, settings = variants(tmp_path, calm, wild, {**calm, "seed": 1}, {**CONVOLUTIONAL, "epochs": 1})
    with pytest.raises(CuelloError, match=r"1: the training diverged.*1 of 3 diverged; the others are trained"):
        train_many(paths, settings, report=True)
    assert [(path / "report.html").is_file() for path in paths] == [True, False, True, True]


def test_settings_of_finished_runs_are_checked(tmp_path: Path) -> None:
    paths, settings = variants(tmp_path, {"seed": 0}, {"seed": 1})
    train_many(paths, settings, report=False)
    with pytest.raises(CuelloError, match="epochs"):
        train_many(paths, [{**one, "epochs": 9} for one in settings], report=False)
    with pytest.raises(ValueError, match="2 paths and 1 settings"):
        train_many(paths, settings[:1])


def test_a_study_trains_them_at_once_and_the_others_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[str] = []

    def count(path: Path, *given: Any, **options: Any) -> Run:
        alone.append(path.name)
        return workflow.train_or_resume(path, *given, **options)

    monkeypatch.setattr("cuello.work.plans.train_or_resume", count)
    paths, settings = variants(tmp_path, {"seed": 0}, CONVOLUTIONAL, {"seed": 1})
    told: list[tuple[str, float]] = []
    plans = [PlannedRun(path, one, path.name) for path, one in zip(paths, settings, strict=True)]
    run_turns(plans, None, lambda event: told.append((event.stage, event.share)))
    assert alone == ["1"]
    assert [len(Run(path).history) for path in paths] == [3, 3, 3]
    assert any("2 at once epoch 3 of 3" in words for words, _ in told)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_other_data_are_not_mixed(tmp_path: Path) -> None:
    other = tmp_path / "other.npy"
    np.save(other, np.random.default_rng(0).integers(0, 256, (12, 7, 5), dtype=np.uint8))
    batches = found(tmp_path, {"seed": 0}, {"data": str(other)}, {"seed": 1}, {"data": str(other), "seed": 1})
    assert sorted(tuple(batch.places) for batch in batches) == [(0, 2), (1, 3)]
