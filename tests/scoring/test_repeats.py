"""Repeats: statistics against values by hand and scipy; a series that is kept, goes on, and is compared."""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.jobs import data as jobs_data
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.scoring.repeats import PairedDifference, in_words, paired_difference, spread
from cuello.training.observers import EpochDone, Event, Started
from cuello.work.repeats import reached
from cuello.work.train import train_or_resume

# Statistics


def test_spread_by_hand() -> None:
    found = spread([2, 4, 4, 4, 5, 5, 7, 9])
    assert (found.mean, found.deviation, found.count) == (5.0, pytest.approx(math.sqrt(32 / 7)), 8)
    alone = spread([3.5])
    assert (alone.mean, alone.count) == (3.5, 1)
    assert math.isnan(alone.deviation)
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_a_paired_difference_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, s = 1, t(2) = 4.302653, half a width of 4.302653 / √3."""
    found = paired_difference({5: 3.0, 6: 6.0, 7: 9.0, 8: 99.0}, {7: 6.0, 6: 4.0, 5: 2.0, 1: 0.0})
    assert (found.mean, found.count, found.ratio) == (2.0, 3, pytest.approx(18 / 12))
    assert (found.low, found.high) == (pytest.approx(2 - 2.484138, abs=1e-6), pytest.approx(2 + 2.484138, abs=1e-6))
    assert not found.told_from_zero
    assert in_words(found, "a", "b") == "cannot be told apart"


@pytest.mark.parametrize("seed", range(8))
def test_a_paired_difference_against_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(0.5, 1, 6), random.normal(0, 1, 6)
    found = paired_difference(dict(enumerate(a)), dict(enumerate(b)))
    expected = ttest_rel(a, b)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.told_from_zero is bool(expected.pvalue < 0.05)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_too_few_pairs() -> None:
    one = paired_difference({0: 1.0, 1: 2.0}, {1: 5.0, 2: 1.0})
    assert (one.mean, one.count, one.ratio) == (-3.0, 1, 0.4)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert math.isnan(one.p_value)
    assert not one.told_from_zero
    assert in_words(one, "a", "b") == "too few repeats"
    none = paired_difference({0: 1.0}, {1: 5.0})
    assert none.count == 0
    assert math.isnan(none.mean)
    assert in_words(none, "a", "b") == "too few repeats"


def test_equal_results_and_constant_differences() -> None:
    same = paired_difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert same == PairedDifference(0.0, 0.0, 0.0, 2, 1.0, 1.0)
    assert not same.told_from_zero
    shifted = paired_difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0})
    assert (shifted.low, shifted.high, shifted.p_value) == (-1.0, -1.0, 0.0)
    assert in_words(shifted, "a", "b") == "a is better"
    assert in_words(replace(shifted, mean=1.0, low=1.0, high=1.0), "a", "b") == "b is better"


# One run, made or gone on with


@pytest.fixture
def settings(images: Path, small: dict[str, Any]) -> dict[str, Any]:
    """Settings of a tiny denoising of the folder of images."""
    return {"job": "denoise", "data": images, **small}


def stop_after(epoch: int) -> Callable[[Event], None]:
    def observe(event: Event) -> None:
        if isinstance(event, EpochDone) and event.record.epoch == epoch:
            raise KeyboardInterrupt

    return observe


def no_training(event: Event) -> None:
    raise AssertionError(f"a finished run was trained again: {event}")


def test_a_run_is_made_kept_and_gone_on_with(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupted):
        train_or_resume(path, settings, report=False, observers=[stop_after(1)])
    starts: list[int] = []
    run = train_or_resume(
        path, settings, report=False, observers=[lambda e: starts.append(e.epoch) if isinstance(e, Started) else None]
    )
    assert starts == [1], "it went on after the first epoch"
    assert len(run.history) == 2
    again = train_or_resume(path, {**settings, "threads": 2, "device": "auto"}, report=False, observers=[no_training])
    assert again.path == path
    whole = cuello.train(output=tmp_path / "whole", report=False, **settings)
    expected = load_artefact(whole.path).weights
    assert all(torch.equal(tensor, expected[name]) for name, tensor in load_artefact(path).weights.items())


def test_a_finished_training_without_its_report_is_evaluated(settings: dict[str, Any], tmp_path: Path) -> None:
    run = train_or_resume(tmp_path / "run", settings, report=False)
    assert not run.metrics_path.exists()
    before = run.checkpoint_path.stat().st_mtime_ns
    train_or_resume(run.path, settings, report=True)
    assert run.report_path.is_file()
    written = run.report_path.stat().st_mtime_ns
    train_or_resume(run.path, settings, report=True, observers=[no_training])
    assert (run.checkpoint_path.stat().st_mtime_ns, run.report_path.stat().st_mtime_ns) == (before, written)


def test_a_run_killed_before_its_first_epoch_goes_on(settings: dict[str, Any], tmp_path: Path) -> None:
    run = train_or_resume(tmp_path / "run", settings, report=False)
    for name in ("last.safetensors", "model.safetensors", "history.jsonl", "environment.json"):
        (run.path / name).unlink()
    assert len(train_or_resume(run.path, settings, report=False).history) == 2


def test_other_settings_are_named(settings: dict[str, Any], tmp_path: Path) -> None:
    train_or_resume(tmp_path / "run", settings, report=False)
    with pytest.raises(CuelloError, match=r"run was trained with epochs = 2, now it is 3.*overwrite=True"):
        train_or_resume(tmp_path / "run", {**settings, "epochs": 3}, report=False)
    with pytest.raises(CuelloError, match=r"learning_rate = 0\.001, now it is 0\.1"):
        train_or_resume(tmp_path / "run", {**settings, "learning_rate": 0.1}, report=False)


def test_a_place_with_other_things_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(CuelloError, match="exists and is not empty"):
        train_or_resume(tmp_path, settings, report=False)


# A series


def test_every_repeat_has_its_seed_and_shares_the_split(series: Path, trained: Run) -> None:
    runs = [Run(path) for path in sorted(series.glob("seed-*"))]
    assert [run.path.name for run in runs] == ["seed-0", "seed-1"]
    assert [run.config.seed for run in runs] == [0, 1]
    assert runs[0].config.split_seed == runs[1].config.split_seed
    losses = [run.history[-1].validation_loss for run in runs]
    assert losses[0] != losses[1]
    assert losses[0] == trained.history[-1].validation_loss, "a repeat is the run that its seed alone would give"
    assert {path.name for path in series.iterdir()} == {"seed-0", "seed-1", "compare.html", "compare.csv", "figures"}


def test_what_was_reached(series: Path) -> None:
    runs = [Run(path) for path in sorted(series.glob("seed-*"))]
    found = reached(runs)
    best = [min(run.history, key=lambda record: record.validation_loss).validation_mse for run in runs]
    assert found["validation_mse"] == spread(best)
    assert set(found) == {"validation_mse", "validation_psnr"}, "there was no evaluation"


def test_a_killed_series_goes_on(settings: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "series"
    starts: list[int] = []

    def killed_in_the_second(event: Event) -> None:
        if isinstance(event, Started):
            starts.append(event.epoch)
        if len(starts) == 2 and isinstance(event, EpochDone):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"repeat 2 of 3; what is finished is in .*The same command goes on"):
        cuello.train_repeats(
            repeats=3, output=folder, report=False, observers=[killed_in_the_second], **{**settings, "seed": 4}
        )
    assert sorted(path.name for path in folder.iterdir()) == ["seed-4", "seed-5"]
    first = (folder / "seed-4" / "last.safetensors").stat().st_mtime_ns
    starts.clear()
    done: list[tuple[float, float]] = []
    runs = cuello.train_repeats(
        repeats=3, output=folder, report=False, **{**settings, "seed": 4},
        observers=[lambda event: starts.append(event.epoch) if isinstance(event, Started) else None],
        progress=lambda event: done.append((event.done, event.total)) if event.stage == "repeats" else None,
    )  # fmt: skip
    assert starts == [1, 0], "the second went on after its first epoch, the third began"
    assert done == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [run.path.name for run in runs] == ["seed-4", "seed-5", "seed-6"]
    assert [len(run.history) for run in runs] == [2, 2, 2]
    assert (folder / "seed-4" / "last.safetensors").stat().st_mtime_ns == first
    assert (folder / "compare.html").is_file()


def test_a_series_with_other_settings_is_refused_before_any_work(
    series: Path, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(series, tmp_path / "series"))
    monkeypatch.setattr(jobs_data, "read_images", lambda *_: pytest.fail("images were read"))
    with pytest.raises(CuelloError, match=r"seed-0 was trained with batch_size = 8, now it is 4"):
        cuello.train_repeats(repeats=3, output=copy, report=False, **{**settings, "batch_size": 4})


def test_overwrite_starts_anew_and_leaves_no_repeat_of_before(
    series: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(series, tmp_path / "series"))
    (copy / "seed-1" / "mine.txt").write_text("kept")
    changed = {**settings, "batch_size": 4, "epochs": 1}
    cuello.train_repeats(repeats=1, output=copy, report=False, overwrite=True, **changed)
    assert Run(copy / "seed-0").config.batch_size == 4
    assert [path.name for path in (copy / "seed-1").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("name", "message"), [("config.toml", "is a single run, needed a folder for repeats"), ("a.txt", "holds 'a.txt'")]
)
def test_a_folder_of_other_things_is_refused(settings: dict[str, Any], tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(CuelloError, match=message):
        cuello.train_repeats(repeats=2, output=tmp_path, report=False, overwrite=True, **settings)


def test_mistakes(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="repeats: got 0, needed 1 or more"):
        cuello.train_repeats(repeats=0, output=tmp_path / "run", **settings)
    (tmp_path / "file").write_text("")
    with pytest.raises(CuelloError, match="is a file, needed a folder"):
        cuello.train_repeats(repeats=2, output=tmp_path / "file", **settings)
