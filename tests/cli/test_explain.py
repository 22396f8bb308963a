"""cuello explain: what it prints and writes, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.runs.directory import Run

Command = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A classifier of the 32 glyphs of 5×7 pixels."""
    settings: dict[str, Any] = {"epochs": 1, "samples": 32, "device": "cpu", "threads": 1, "report": False}
    return cuello.train("classify", "glyphs", output=tmp_path_factory.mktemp("explain") / "run", **settings)


def test_it_says_what_it_wrote_and_where(run: Run, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "out"
    answer = command("explain", run.path, "glyphs", "-o", out, "--box", 2, "--class", "a", "--pictures", 1, "--quiet")
    assert answer.code == 0, answer.error
    lines = answer.out.splitlines()
    assert lines[0] == f"maps of 32 images: {out / 'maps.npz'}"
    assert lines[-1] == f"report: {out / 'explain.html'}"
    assert {path.name for path in out.iterdir()} == {
        "maps.npz", "explain.json", "explain.png", "explain.html", "overlays",
    }  # fmt: skip
    with np.load(out / "maps.npz") as found:
        assert found["maps"].shape == (32, 7, 5)
        assert set(found["class_names"]) == {"a"}
    assert "--overwrite" in command("explain", run.path, "glyphs", "-o", out).error


def test_json_is_all_that_is_printed_and_what_is_left_out_is_told(run: Run, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (5, 7), 200).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"no image")
    arguments = [run.path, folder, "-o", tmp_path / "out", "--fill", "0.5", "--json", "--pictures", 0]
    answer = command("explain", *arguments, "--on-error", "skip")
    assert (answer.code, answer.error) == (1, "")
    found = json.loads(answer.out)
    assert [image["name"] for image in found["images"]] == ["good.png"]
    assert "bad.png" in found["failed"][0]["problem"]


def test_mistakes(run: Run, tmp_path: Path, refused: Refused) -> None:
    start = ["explain", run.path, "glyphs", "-o", tmp_path / "out"]
    assert "fill: got 'grey', needed a number, mean or blur" in refused(*start, "--fill", "grey")
    assert "needed 1 to 3, so that no pixel is left out" in refused(*start, "--stride", 4)
    assert "class: got 'zebra'" in refused(*start, "--class", "zebra")
    assert "leave it out" in refused(*start, "--padding", 1)


def test_estimated_maps_are_said_to_be_and_checked(
    run: Run, tmp_path: Path, command: Command, make_estimator: Callable[..., Path]
) -> None:
    estimator = make_estimator(tmp_path / "estimator", run.path, box=2)
    start = ["explain", run.path, "glyphs", "-o", tmp_path / "out", "--model", estimator, "--pictures", 0]
    answer = command(*start, "--check", 0.1, "--box", 2, "--quiet")
    assert answer.code == 0, answer.error
    lines = answer.out.splitlines()
    assert lines[1].startswith("estimated in one pass by explain-s, not exact: ")
    assert lines[2] == "checked exactly: 3 of 32 images (seed 0)"
    assert [line.split(":")[0] for line in lines[3:6]] == [
        "MSE after normalisation", "Pearson correlation", "Spearman correlation",
    ]  # fmt: skip
    assert " if exact, " in lines[6]


def test_help_teaches_with_examples(command: Command) -> None:
    shown = command("explain", "--help").out
    assert shown.count("cuello explain ") >= 3
    assert "--model runs/estimator --check 0.01" in shown
    assert "maps.npz" in shown
