"""`cuello evaluate` with several runs: which words are runs, what is refused, what is printed and written."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cuello
from cuello.cli.evaluate import split_words
from cuello.core.errors import CuelloError
from cuello.jobs.images.matrix_page import FILES
from cuello.runs.directory import Run
from cuello.work.evaluate import name_runs

Command = Callable[..., Any]
Refused = Callable[..., str]
FEW = ["--baselines", "input,median-3"]


@pytest.fixture(scope="module")
def runs(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three runs on the same images: trained at 0.4, at 0.1, and at 0.1 to 0.5."""
    folder = tmp_path_factory.mktemp("levels")
    settings: dict[str, Any] = {
        "model": "conv-8-16-8", "crop": 16, "epochs": 1, "samples": 8, "device": "cpu", "threads": 1, "report": False,
    }  # fmt: skip
    for name, level in (("high", "0.4"), ("low", "0.1"), ("range", "0.1..0.5")):
        cuello.train(data=images, noise=f"salt-pepper:{level}", output=folder / name, **settings)
    other = {**settings, "validation": 0.4}
    cuello.train(data=images, noise="salt-pepper:0.1", output=folder / "other-split", **other)
    cuello.train(data=images, noise="gaussian:25", output=folder / "other-noise", **settings)
    return folder


# Which words are runs


def test_words_are_told_by_what_they_are(runs: Path, images: Path) -> None:
    low, high = str(runs / "low"), str(runs / "high" / "model.safetensors")
    assert split_words([low]) == ([Path(low)], None)
    assert split_words([low, str(images)]) == ([Path(low)], str(images))
    assert split_words([low, "set12"]) == ([Path(low)], "set12")
    assert split_words([low, high, low, "set12"]) == ([Path(low), Path(high), Path(low)], "set12")
    assert split_words(["missing", low]) == ([Path("missing"), Path(low)], None), "the first is a run whatever it is"


def test_words_in_the_wrong_order(runs: Path, images: Path) -> None:
    with pytest.raises(CuelloError, match=r"got the run .*low after .*images, which is not a run.*Name all runs first"):
        split_words([str(runs / "high"), str(images), str(runs / "low")])
    with pytest.raises(CuelloError, match=r"got set5 and set12, neither of which is a run"):
        split_words([str(runs / "high"), "set5", "set12"])


def test_names_of_runs(tmp_path: Path) -> None:
    places = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "c", tmp_path / "median-3"]
    for place in places:
        place.mkdir(parents=True)
    file = places[2] / "model.safetensors"
    found = name_runs([places[0], places[1], file, places[3]])
    assert found == {str(places[0]): places[0], str(places[1]): places[1], "c": file, str(places[3]): places[3]}
    with pytest.raises(CuelloError, match="named twice"):
        name_runs([places[0], places[0]])


# What is right


def test_two_tables_with_stars(runs: Path, command: Command) -> None:
    answer = command("evaluate", runs / "high", runs / "low", runs / "range", *FEW, "--quiet")
    assert answer.code == 0, answer.error
    for part in ("MSE (lower is better)", "PSNR in dB", "0.1..0.5", "degraded input", "median 3×3", "test images"):
        assert part in answer.out
    lines = [line.split() for line in answer.out.splitlines() if line.startswith(("low", "high", "range"))]
    assert [line[:2] for line in lines] == [["low", "0.1"], ["high", "0.4"], ["range", "0.1..0.5"]] * 2
    assert sum("*" in word for word in answer.out.split() if word[0].isdigit()) == 4, "two metrics, two levels"


def test_json_and_the_numbers_of_a_single_evaluation(runs: Path, command: Command) -> None:
    several = command("evaluate", runs / "low", runs / "high", *FEW, "--sweep", "0.1,0.3", "--json")
    assert several.error == ""
    found = json.loads(several.out)
    assert found["levels"] == [0.1, 0.3]
    shutil.copytree(runs / "low", runs.parent / "low-copied", dirs_exist_ok=True)
    one = json.loads(command("evaluate", runs.parent / "low-copied", *FEW, "--sweep", "0.1,0.3", "--json").out)
    low = next(row for row in found["rows"] if row["name"] == "low")
    assert low["mse"] == {f"{level['level']:g}": pytest.approx(level["mse"]["network"]) for level in one["sweep"]}
    assert low["psnr"]["0.1"] == pytest.approx(one["methods"]["network"]["psnr"])


def test_files_and_images_and_most(runs: Path, images: Path, tmp_path: Path, command: Command) -> None:
    files = [runs / name / "model.safetensors" for name in ("low", "high")]
    arguments = ["evaluate", *files, images, *FEW, "--most", 2, "-o", tmp_path / "matrix", "--quiet"]
    answer = command(*arguments)
    assert answer.code == 0, answer.error
    assert all((tmp_path / "matrix" / name).is_file() for name in FILES)
    assert f"report: {tmp_path / 'matrix' / 'matrix.html'}" in answer.out
    rows = list(csv.DictReader((tmp_path / "matrix" / "matrix.csv").open()))
    assert [(row["method"], row["tested"]) for row in rows[:3]] == [("low", "0.1"), ("low", "0.4"), ("high", "0.1")]
    before = (tmp_path / "matrix" / "matrix.csv").read_bytes()
    assert command(*arguments).code == 2
    assert (tmp_path / "matrix" / "matrix.csv").read_bytes() == before
    assert command(*arguments, "--overwrite").code == 0


def test_from_python(runs: Path) -> None:
    told: list[tuple[str, float, float]] = []
    matrix = cuello.evaluate_runs(
        [runs / "low", runs / "high"],
        baselines=["input"],
        progress=lambda event: told.append((event.stage, event.done, event.total)),
    )
    assert matrix.levels == (0.1, 0.4)
    assert told[-1][0] == "levels × images"
    assert told[-1][1] == told[-1][2] == 2 * matrix.protocol["images"]


# What is refused


def test_runs_that_do_not_belong_together(runs: Path, tmp_path: Path, images: Path, refused: Refused) -> None:
    low = runs / "low"
    assert "the noise of low is salt-pepper:0.1, that of other-noise is gaussian:25" in refused(
        "evaluate", low, runs / "other-noise"
    )
    message = refused("evaluate", low, runs / "other-split")
    assert "with validation = its default" in message
    assert "Name the images to evaluate on, after the runs" in message
    assert "is a file without a run" in refused("evaluate", low, runs / "high" / "model.safetensors")
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(low / "model.safetensors", bare)
    assert "has no last.safetensors" in refused("evaluate", low, bare)


def test_runs_on_other_images(runs: Path, tmp_path: Path, make_images: Callable[..., Path], refused: Refused) -> None:
    data = make_images(tmp_path / "data", count=7)
    settings = {"model": "conv-8-16-8", "crop": 16, "epochs": 1, "samples": 8, "device": "cpu", "threads": 1}
    run = cuello.train(data=data, noise="salt-pepper:0.2", output=tmp_path / "run", report=False, **settings)
    assert "were trained on different images" in refused("evaluate", runs / "low", run.path)
    copy = Run(Path(shutil.copytree(run.path, tmp_path / "copy")))
    (data / "0.png").unlink()
    assert "are not those it was trained on" in refused("evaluate", run.path, copy.path)


def test_flags_that_mean_nothing(runs: Path, tmp_path: Path, refused: Refused) -> None:
    low, high = runs / "low", runs / "high"
    assert "--noise is for one run" in refused("evaluate", low, high, "--noise", "gaussian:25")
    assert "--target is for one run" in refused("evaluate", low, high, "--target", "clean")
    assert "--output is for several runs: cuello evaluate RUN RUN" in refused("evaluate", low, "-o", tmp_path / "out")
    assert "--most is for several runs" in refused("evaluate", low, "--most", 3)
    assert "amount is 7.0, needed 0 to 1" in refused("evaluate", low, high, "--sweep", "7")
    assert "Did you mean 'median-3'?" in refused("evaluate", low, high, "--baselines", "median3")
    (tmp_path / "file").write_text("")
    assert "cannot be a folder" in refused("evaluate", low, high, "-o", tmp_path / "file")
