"""Cross-validation: every image is tested once, and the table is that of the runs, by hand."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.core.errors import CuelloError
from cuello.runs.directory import Run
from cuello.training.observers import Event, Started
from cuello.work.folds import folds_result

SMALL: dict[str, Any] = {
    "noise": "salt-pepper:0.3", "model": "conv-single", "crop": 8, "samples": 8, "validation_samples": 2, "epochs": 1,
    "device": "cpu", "threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def folds(images: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three folds of six images; not to be changed."""
    return cuello.train_folds(data=images, folds=3, output=tmp_path_factory.mktemp("folds") / "three", **SMALL)


def test_every_image_is_tested_once_by_a_run_that_did_not_train_on_it(folds: list[Run], images: Path) -> None:
    assert [run.path.name for run in folds] == ["fold-1", "fold-2", "fold-3"]
    assert [run.config.fold for run in folds] == ["1/3", "2/3", "3/3"]
    tested = [{row["image"] for row in csv.DictReader(run.images_path.open())} for run in folds]
    assert [len(names) for names in tested] == [2, 2, 2]
    assert set.union(*tested) == {path.name for path in images.iterdir()}


def test_the_table_is_that_of_the_runs(folds: list[Run]) -> None:
    found = folds_result(folds)
    ours = [run.metrics["methods"]["network"]["psnr"] for run in folds]
    others = [
        max(row["psnr"] for name, row in run.metrics["methods"].items() if name not in ("network", "input"))
        for run in folds
    ]
    gains = [one - other for one, other in zip(ours, others, strict=True)]
    assert [row["psnr"] for row in found.values["folds"]] == ours
    assert [row["gain"] for row in found.values["folds"]] == pytest.approx(gains)
    assert [row["tested"] for row in found.values["folds"]] == [2, 2, 2]
    assert found.values["mean"]["psnr"] == pytest.approx(fmean(ours))
    assert found.values["deviation"]["gain"] == pytest.approx(stdev(gains))
    better = sum(gain > 0 for gain in gains)
    assert found.verdict == (
        f"Evaluation PSNR {fmean(ours):.2f} ± {stdev(ours):.2f} dB over 3 folds; gain over the best other method of "
        f"each {fmean(gains):+.2f} ± {stdev(gains):.2f} dB, better in {better} of 3."
    )
    folder = folds[0].path.parent
    assert {path.name for path in folder.iterdir()} == {"fold-1", "fold-2", "fold-3", "folds.html", "folds.csv"}
    rows = list(csv.DictReader((folder / "folds.csv").open()))
    assert [float(row["psnr"]) for row in rows] == ours
    assert found.verdict in (folder / "folds.html").read_text()


def test_the_same_call_goes_on_and_other_settings_are_refused(
    folds: list[Run], images: Path, command: Callable[..., Any]
) -> None:
    folder = folds[0].path.parent

    def no_training(event: Event) -> None:
        assert not isinstance(event, Started)

    again = cuello.train_folds(data=images, folds=3, output=folder, observers=[no_training], **SMALL)
    assert [run.path for run in again] == [run.path for run in folds]
    with pytest.raises(CuelloError, match=r"fold-1 was trained with fold = '1/3', now it is '1/2'"):
        cuello.train_folds(data=images, folds=2, output=folder, **SMALL)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    said = command("train", "denoise", images, *flags, "--folds", 3, "-o", folder, "--json", "--quiet").out
    assert json.loads(said) == json.loads(folds_result(folds).json)
    table = command("train", "denoise", images, *flags, "--folds", 3, "-o", folder, "--quiet").out
    assert "mean" in table
    assert "over 3 folds" in table


def test_folds_without_a_report_show_what_validation_reached(images: Path, tmp_path: Path) -> None:
    runs = cuello.train_folds(data=images, folds=2, output=tmp_path / "two", report=False, **SMALL)
    found = folds_result(runs)
    assert found.values["scores_of"] == "validation"
    assert [row["psnr"] for row in found.values["folds"]] == [run.history[0].validation_psnr for run in runs]
    assert found.values["folds"][0]["gain"] is None


def test_folds_of_binary_images_go_by_wrong_pixels(tmp_path: Path) -> None:
    np.save(tmp_path / "dots.npy", (np.random.default_rng(0).random((9, 7, 5)) > 0.5).astype(np.uint8) * 255)
    given = {"model": "mlp:35-4", "epochs": 1, "device": "cpu", "threads": 1}
    runs = cuello.train_folds("reconstruct", tmp_path / "dots.npy", folds=3, output=tmp_path / "three", **given)
    found = folds_result(runs)
    wrong = [run.metrics["methods"]["network"]["wrong"] for run in runs]
    assert [row["wrong"] for row in found.values["folds"]] == wrong
    assert found.verdict.startswith(f"Evaluation wrong pixels {fmean(wrong):.2f}")
    best = [
        min(row["wrong"] for name, row in run.metrics["methods"].items() if name not in ("network", "input"))
        for run in runs
    ]
    gains = [other - one for one, other in zip(wrong, best, strict=True)]
    assert found.values["mean"]["gain"] == pytest.approx(fmean(gains)), "fewer is better"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, r"folds: got 1, needed 2 or more"),
        ({"folds": 7}, r"got 7 folds of 6 images"),
        ({"folds": 3, "fold": "1/3"}, r"got fold='1/3' and folds=3, which makes every fold|got --fold=1/3 and"),
        ({"folds": 3, "test": 0.2}, r"got fold='1/3'.*test=0.2 is a share|--fold=1/3.*--test=0.2 is a share"),
    ],
)
def test_mistakes(images: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        cuello.train_folds(data=images, output=tmp_path / "run", **{**SMALL, **options})
    assert not list(tmp_path.glob("run/fold-*"))


def test_sets_that_are_divided_already_are_refused(images: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "data" / part).mkdir(parents=True)
        for path in images.iterdir():
            (tmp_path / "data" / part / f"{part}-{path.name}").write_bytes(path.read_bytes())
    with pytest.raises(CuelloError, match=r"keeps images of its own for testing"):
        cuello.train_folds(data=tmp_path / "data", folds=3, output=tmp_path / "run", **SMALL)
    with pytest.raises(CuelloError, match=r"glyphs is trained on and tested whole"):
        cuello.train_folds("reconstruct", "glyphs", folds=3, output=tmp_path / "run", model="mlp:35-2")


@pytest.mark.parametrize("fold", ["0/3", "4/3", "1/1", "2", "a/b", "-1/3", "1/3/5", ""])
def test_a_fold_is_one_of_several(fold: str) -> None:
    with pytest.raises(CuelloError, match=r"fold.*needed which part of how many"):
        cuello.train("denoise", "photos", noise="gaussian:25", fold=fold)


def test_repeats_and_folds_are_not_made_at_once(refused: Callable[..., str], tmp_path: Path) -> None:
    folds = ("train", "denoise", "photos", "--noise", "gaussian:25", "--folds", 3, "-o", tmp_path / "run")
    assert "leave out --repeats" in refused(*folds, "--repeats", 2)
    assert "not --folds" in refused(*folds, "--track", "tensorboard")
