"""What version 0.1 left behind, finished and unfinished, still loads, is found and goes on."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenarios import FIXTURES, GLYPHS, MACHINE, command, working_in

import cuello

SEARCHED: dict[str, Any] = {"model": "ae:35-c2-2", "samples": 64, "batch_size": 32, "epochs": 2, **MACHINE}
RATES = {"learning_rate": [1e-3, 1e-2, 1e-1]}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A copy of the fixtures, to work in."""
    folder = Path(shutil.copytree(FIXTURES, tmp_path / "older"))
    with working_in(folder):
        yield folder


def written(pattern: str) -> dict[str, int]:
    """Return when files were last written."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(Path().glob(pattern))}


def epochs(run: str) -> int:
    return len(Path(run, "history.jsonl").read_text().splitlines())


@pytest.mark.usefixtures("place")
def test_every_network_loads_and_works() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 7, 5, 1), np.uint8)
    denoiser = cuello.load("runs/denoise")
    assert denoiser(images).shape == images.shape
    assert cuello.apply(denoiser, "images", "restored").written == [Path(f"restored/{n}.png") for n in range(6)]
    glyphs = cuello.load("runs/glyphs")
    codes = glyphs.encode(images)
    assert codes.shape == (3, 2)
    assert glyphs.decode(codes).shape == images.shape
    signs = cuello.load("runs/signs/model.safetensors")
    assert len(signs.classes) == 32
    np.save("some.npy", images)
    found = cuello.explain("runs/signs", "some.npy", "maps", model="runs/quick", check=0.5, pictures=0)
    assert np.shape(found.maps) == (3, 7, 5)
    assert found.check is not None


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", ["denoise", "glyphs", "quick"])
def test_a_run_goes_on_after_its_first_epoch(name: str) -> None:
    run = f"runs/{name}"
    before = Path(run, "history.jsonl").read_text()
    assert epochs(run) == 1
    command("resume.txt", "resume", run, "--no-report", "--quiet")
    assert epochs(run) == 2
    assert Path(run, "history.jsonl").read_text().startswith(before)


@pytest.mark.usefixtures("place")
def test_runs_are_evaluated_on_the_images_they_know() -> None:
    assert cuello.evaluate("runs/denoise", report=False, baselines=["input"]).verdict
    assert cuello.evaluate("runs/glyphs", report=False).verdict
    assert cuello.evaluate_classifier("runs/signs", report=False).verdict
    assert not cuello.compare(["runs/denoise", "runs/glyphs", "repeats"], latency=False).left_out


@pytest.mark.usefixtures("place")
def test_maps_that_are_kept_are_found() -> None:
    before = written("cache/maps/*/part-*.npz")
    assert before
    settings: dict[str, Any] = {"model": "explain-hits-cut-1", "box": 2, "epochs": 1, "batch_size": 16, **MACHINE}
    cuello.train("explain", "glyphs", classifier="runs/signs", output="runs/anew", report=False, **settings)
    assert written("cache/maps/*/part-*.npz") == before


@pytest.mark.usefixtures("place")
def test_a_search_that_was_stopped_goes_on() -> None:
    before = written("search/trials/000*/*")
    assert before
    assert epochs("search/trials/001-0.01") == 1
    found = cuello.search.search("reconstruct", "glyphs", space=RATES, output="search", **SEARCHED)
    assert [trial.state for trial in found.trials] == ["finished"] * 3
    assert written("search/trials/000*/*") == before
    with pytest.raises(cuello.CuelloError, match="holds a search with epochs = 2, now it is 3"):
        cuello.search.search("reconstruct", "glyphs", space=RATES, output="search", **{**SEARCHED, "epochs": 3})


@pytest.mark.usefixtures("place")
def test_repeats_that_were_stopped_go_on() -> None:
    begun = {f"repeats/seed-{seed}": Path(f"repeats/seed-{seed}/history.jsonl").read_text() for seed in range(3)}
    settings: dict[str, Any] = {**GLYPHS, "model": "mlp:35-3-2", "repeats": 3, "report": False}
    cuello.train_repeats("reconstruct", "glyphs", output="repeats", **settings)
    for run, before in begun.items():
        assert epochs(run) == 2
        assert Path(run, "history.jsonl").read_text().startswith(before)


@pytest.mark.usefixtures("place")
def test_a_study_s_folder_is_known() -> None:
    def stop(event: cuello.core.progress.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(cuello.CuelloError, match="holds the study 'glyphs' on 'glyphs', this is 'salt-pepper'"):
        cuello.study("salt-pepper", output="study")
    with pytest.raises(BaseException) as stopped:  # noqa: PT011
        cuello.study("glyphs", output="study", repeats=1, watch=stop, **MACHINE)
    assert type(stopped.value).__name__ in ("Interrupted", "KeyboardInterrupt")


@pytest.mark.usefixtures("place")
def test_a_file_of_settings_is_read() -> None:
    command("train.json", "train", "--config", "config.toml", "--no-report", "--json", "-o", "runs/from-config")
    assert epochs("runs/from-config") == 1
