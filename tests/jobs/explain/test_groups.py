"""Exact maps shared among processes: the same maps, in the same order, and errors by name."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from cuello.cluster.ray import Ray
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.pool import TaskDone
from cuello.core.progress import Progress
from cuello.jobs.explain import groups, sharing
from cuello.jobs.explain.classifier import open_classifier
from cuello.jobs.explain.explain import explain
from cuello.jobs.explain.settings import MapSettings
from cuello.jobs.explain.sharing import Sharing, fitted
from cuello.runs.directory import Run


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of which each has another size than the one before, so that each is a group."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(1)
    for number in range(9):
        pixels = random.integers(0, 255, (12 + number // 2, 10 + number % 2), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_maps_and_their_order_do_not_depend_on_the_number_of_workers(run: Run, photos: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    alone = explain(run.path, photos, tmp_path / "1", box=4, pictures=2)
    shared = explain(run.path, photos, tmp_path / "2", box=4, pictures=2, workers=2, progress=told.append)
    assert shared.names == alone.names
    assert len(shared.names) == 9
    for one, other in zip(shared.maps, alone.maps, strict=True):
        assert np.array_equal(one, other)
    assert (shared.classes, shared.methods) == (alone.classes, alone.methods)
    assert shared.scores == alone.scores
    assert (shared.notes, len(shared.overlays)) == (alone.notes, 2)
    done = [event.done for event in told if event.stage == "explaining"]
    assert done == sorted(done)
    assert done[-1] == 9


def test_one_group_of_images_starts_no_process(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "Pool", None)
    assert len(explain(run.path, photos / "0.png", tmp_path / "one", box=4, workers=8).maps) == 1


def test_less_than_one_worker_is_refused(run: Run, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="workers: got 0, needed 1 or more"):
        explain(run.path, photos, tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()


def test_a_classifier_of_somebodys_own_stays_in_this_process(run: Run) -> None:
    opened = open_classifier(run.path)
    several = Sharing(3)
    assert fitted(several, opened, 5) == (several, None)
    assert fitted(several, opened, 2) == (Sharing(2), None)
    assert opened.own is not None
    architecture = dataclasses.replace(opened.own.artefact.architecture, kind="custom")
    own = dataclasses.replace(opened.own, artefact=dataclasses.replace(opened.own.artefact, architecture=architecture))
    found = fitted(several, dataclasses.replace(opened, own=own), 5)
    assert found == (Sharing(), "workers=3: one process made all maps, since the classifier is somebody's own code")
    with pytest.raises(CuelloError, match="cannot make the maps, since the classifier is somebody's own code"):
        fitted(Sharing(cluster=Ray()), dataclasses.replace(opened, own=own), 5)


def test_a_classifier_that_changes_meanwhile_is_not_used(run: Run) -> None:
    begin = groups.ExactElsewhere(
        str(run.path), "0" * 16, "cpu", padding=None, settings=MapSettings(), number="predicted"
    )
    with pytest.raises(CuelloError, match="has changed meanwhile"):
        begin()


class ReplayedPool:
    """Gives the results of groups as a pool does: the last one first, some lost, or stopped at one of them."""

    lost: ClassVar[set[int]] = set()
    stops_at: ClassVar[int | None] = None

    def __init__(self, begin: Any, tasks: Any, workers: int) -> None:
        self.make, self.tasks = begin(), tasks

    def results(self) -> Any:
        count = len(self.tasks)
        for place in range(count) if self.stops_at else reversed(range(count)):
            if place == self.stops_at:
                raise KeyboardInterrupt
            lost = place in self.lost
            yield TaskDone(place, None if lost else self.make(self.tasks[place]), lost)

    def stop(self) -> list[Any]:
        return []


def test_a_group_whose_process_is_ended_is_named_and_the_others_go_on(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = explain(run.path, photos, tmp_path / "all", box=4)
    monkeypatch.setattr(sharing, "Pool", type("LosingPool", (ReplayedPool,), {"lost": {1}}))
    found = explain(run.path, photos, tmp_path / "out", box=4, workers=2)
    ((name, why),) = found.failed
    assert "ended from outside, twice" in why
    assert name == alone.names[1]
    assert found.names == [one for one in alone.names if one != name]
    with pytest.raises(CuelloError, match="the process at it was ended from outside"):
        explain(run.path, photos, tmp_path / "stop", box=4, workers=2, on_error="stop")


def test_a_stop_keeps_the_maps_that_are_there(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "Pool", type("StoppedPool", (ReplayedPool,), {"stops_at": 3}))
    with pytest.raises(Interrupted, match=r"stopped; the maps of 3 of 9 images are in"):
        explain(run.path, photos, tmp_path / "out", box=4, workers=2)
    with np.load(tmp_path / "out" / "maps.npz") as saved:
        assert len(saved["names"]) == 3
