"""cuello latent: what it prints, what it writes, what it refuses."""

import json
import re
import sys
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


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of any length, so that what is looked for stands in one."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on unlabelled grey images of 6×6."""
    folder = tmp_path_factory.mktemp("latent")
    np.save(folder / "grey.npy", np.random.default_rng(0).random((20, 6, 6), dtype=np.float32))
    settings: dict[str, Any] = {"epochs": 1, "device": "cpu", "threads": 1, "report": False, "test": 0.5}
    return cuello.train("reconstruct", folder / "grey.npy", model="mlp:36-4", output=folder / "run", **settings)


@pytest.mark.usefixtures("undrawn_latent")
def test_it_says_what_it_wrote_and_where(run: Run, tmp_path: Path, command: Command) -> None:
    answer = command("latent", run.path, "-o", tmp_path / "out", "--samples", 4, "--steps", 3, "--quiet")
    assert answer.code == 0, answer.error
    lines = answer.out.splitlines()
    assert lines[0] == "codes of 4 numbers, of 10 images"
    assert re.fullmatch(
        r"map: first two principal components of the code's 4 numbers, \d+% of their variance", lines[1]
    )
    assert lines[-1] == f"report: {tmp_path / 'out' / 'latent.html'}"
    assert "written: map.png, grid.png" in answer.out
    with np.load(tmp_path / "out" / "latent.npz") as found:
        assert found["sample_codes"].shape == (4, 4)
        assert found["interpolation_codes"].shape == (5, 3, 4)
    assert "holds latent.html" in command("latent", run.path, "-o", tmp_path / "out", "--method", "pca").error
    assert command("latent", run.path, "-o", tmp_path / "out", "--overwrite", "--method", "pca", "--quiet").code == 0


@pytest.mark.usefixtures("undrawn_latent")
def test_json_is_all_that_is_printed(run: Run, tmp_path: Path, command: Command) -> None:
    data = run.config.data
    answer = command(
        "latent", run.path, data, "-o", tmp_path, "--json", "--method", "pca", "--from", "03", "--to", "04"
    )
    assert (answer.code, answer.error) == (0, "")
    found = json.loads(answer.out)
    assert (found["images"], found["of"], found["numbers"]) == (20, 20, 4)
    assert set(found["written"]) == {path.name for path in tmp_path.iterdir()}
    with np.load(tmp_path / "latent.npz") as arrays:
        assert arrays["interpolation_ends"].tolist() == [[3, 4]]


@pytest.mark.usefixtures("undrawn_latent")
def test_what_cannot_be_read_is_named_and_the_rest_is_looked_at(run: Run, tmp_path: Path, command: Command) -> None:
    (tmp_path / "in").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 6), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    answer = command("latent", run.path, tmp_path / "in", "-o", tmp_path / "out", "--method", "pca", "--quiet")
    assert answer.code == 1
    assert "codes of 4 numbers, of 6 images" in answer.out
    assert "left out: " in answer.out
    assert "bad.png is not an image" in answer.out
    assert "bad.png is not an image" in (tmp_path / "out" / "latent.html").read_text(encoding="utf-8")


def test_mistakes(run: Run, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    out = ["-o", tmp_path / "out", "--quiet"]
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "pip install scikit-learn" in refused("latent", run.path, "--method", "tsne", *out)
    out += ["--method", "pca"]
    assert "have no labels to draw" in refused("latent", run.path, "--labels", *out)
    assert "both its ends" in refused("latent", run.path, "--to", "a", *out)
    said = refused("latent", run.path, "--from", "a", "--to", "b", *out)
    assert "no image (or label) called 'a' among the test images" in said
    assert "steps: got 1" in refused("latent", run.path, "--steps", 1, *out)
    assert "this network takes 6×6 alone" in refused("latent", run.path, "glyphs", *out)
    assert "there is no file" in refused("latent", tmp_path / "none", *out)
    assert not list((tmp_path / "out").glob("*"))


def test_a_network_without_a_code(images: Path, small: dict[str, Any], tmp_path: Path, refused: Refused) -> None:
    cuello.train(data=images, output=tmp_path / "run", report=False, **{**small, "model": "unet-s", "epochs": 1})
    assert "'unet-s' has no code in its middle" in refused("latent", tmp_path / "run")
    assert not (tmp_path / "run" / "latent").exists()


def test_the_help_teaches(command: Command) -> None:
    answer = command("latent", "--help")
    for part in ("cuello latent runs/glyphs", "invented.png", "--method", "--labels", "cuello.latent"):
        assert part in answer.out
