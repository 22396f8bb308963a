"""Maps that an earlier call left: taken over where they are of the same images, made the same way; never lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cuello.core.errors import CuelloError, Interrupted
from cuello.core.progress import Progress
from cuello.jobs.explain.explain import explain
from cuello.runs.directory import Run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random, folder = np.random.default_rng(1), tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(random.integers(0, 255, (12 + number, 10), np.uint8)).save(folder / f"{number}.png")
    return folder


def maps_in(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "maps.npz") as saved:
        return {str(name): saved[f"map_{place}"] for place, name in enumerate(saved["names"])}


def stop_at(count: int) -> Callable[[Progress], None]:
    def watch(event: Progress) -> None:
        if event.stage == "explaining" and event.done >= count:
            raise KeyboardInterrupt

    return watch


def begun(run: Run, photos: Path, output: Path, **settings: Any) -> None:
    with pytest.raises(Interrupted, match="stopped; the maps of"):
        explain(run.path, photos, output, box=4, pictures=0, progress=stop_at(3), **settings)


def test_what_is_there_is_taken_over_and_the_others_are_made(run: Run, photos: Path, tmp_path: Path) -> None:
    whole = explain(run.path, photos, tmp_path / "whole", box=4, pictures=1)
    begun(run, photos, tmp_path / "out")
    there = maps_in(tmp_path / "out")
    told: list[Progress] = []
    again = explain(run.path, photos, tmp_path / "out", box=4, pictures=1, skip_existing=True, progress=told.append)
    assert 0 < again.skipped == len(there) < 6
    assert again.names == whole.names
    assert (again.scores, again.numbers, again.methods) == (whole.scores, whole.numbers, whole.methods)
    for name, one in maps_in(tmp_path / "whole").items():
        assert np.array_equal(maps_in(tmp_path / "out")[name], one)
    assert again.overlays == whole.overlays
    third = explain(run.path, photos, tmp_path / "out", box=4, pictures=1, skip_existing=True)
    assert third.skipped == 6
    assert np.isnan(third.seconds)
    assert third.names == whole.names


def test_a_stop_of_the_second_call_loses_nothing(run: Run, photos: Path, tmp_path: Path) -> None:
    explain(run.path, photos, tmp_path / "out", box=4, pictures=0)
    before = maps_in(tmp_path / "out")
    Image.fromarray(np.full((30, 30), 9, np.uint8)).save(photos / "00.png")
    with pytest.raises(Interrupted, match=r"the maps of [67] of 7 images"):
        explain(run.path, photos, tmp_path / "out", box=4, pictures=0, skip_existing=True, progress=stop_at(1))
    after = maps_in(tmp_path / "out")
    assert all(np.array_equal(after[name], one) for name, one in before.items())


def test_maps_of_changed_images_are_made_again_and_that_is_said(run: Run, photos: Path, tmp_path: Path) -> None:
    explain(run.path, photos, tmp_path / "out", box=4, pictures=0)
    Image.fromarray(np.full((13, 10), 9, np.uint8)).save(photos / "1.png")
    again = explain(run.path, photos, tmp_path / "out", box=4, pictures=0, skip_existing=True)
    assert again.skipped == 5
    assert "maps of images that have changed since are made again: 1.png" in again.notes


def test_what_was_made_otherwise_is_never_replaced_unasked(run: Run, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    explain(run.path, photos, output, box=4, pictures=0)
    before = (output / "maps.npz").read_bytes()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"box": 3}, "of another classifier, or with other settings, and is left as it is: replace it with overwrite"),
        ({"box": 4, "class_": "1"}, "with other settings"),
        ({"box": 4, "limit": 2}, "maps of 4 images that are not among these"),
    ]
    for settings, words in refused:
        with pytest.raises(CuelloError, match=words):
            explain(run.path, photos, output, pictures=0, skip_existing=True, **settings)
        assert (output / "maps.npz").read_bytes() == before
    np.savez(output / "maps.npz", maps=np.zeros((2, 3, 3)))
    with pytest.raises(CuelloError, match="does not say of which images it holds maps"):
        explain(run.path, photos, output, box=4, pictures=0, skip_existing=True)
    (output / "maps.npz").write_bytes(before[:200])
    with pytest.raises(CuelloError, match="or is damaged"):
        explain(run.path, photos, output, box=4, pictures=0, skip_existing=True)
    (output / "maps.npz").unlink()
    with pytest.raises(CuelloError, match=r"holds explain.json.* already"):
        explain(run.path, photos, output, box=4, pictures=0, skip_existing=True)
