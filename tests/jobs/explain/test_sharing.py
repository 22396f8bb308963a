"""Exact maps made on the machines of a Ray cluster: those of one process, to the bit, whatever becomes of a machine."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.cluster.base import TaskContext
from cuello.cluster.catalog import find_cluster
from cuello.core.errors import CuelloError, Fault, Interrupted
from cuello.core.progress import Progress
from cuello.inference.model import Model, load
from cuello.jobs.explain.exact import FEW, PART, exact_maps
from cuello.jobs.explain.explain import explain
from cuello.jobs.explain.groups import ExactElsewhere
from cuello.jobs.explain.output import Explained
from cuello.jobs.explain.settings import LEARNED, MapSettings
from cuello.jobs.explain.sharing import Sharing, make_maps, sharing_of
from cuello.runs.directory import Run


def write_photos(folder: Path, count: int, side: int = 12) -> Path:
    """Write images of which each has another size than the one before, so that each is a group."""
    random = np.random.default_rng(1)
    folder.mkdir()
    for number in range(count):
        pixels = random.integers(0, 255, (side + number // 2, side - 2 + number % 2), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return folder


def check_same(found: Explained, expected: Explained) -> None:
    assert found.names == expected.names
    assert (found.numbers, found.scores, found.methods) == (expected.numbers, expected.scores, expected.methods)
    assert all(np.array_equal(one, other) for one, other in zip(found.maps, expected.maps, strict=True))
    assert (found.failed, found.notes) == (expected.failed, expected.notes)


def test_maps_and_their_order_are_those_of_one_process_also_where_a_node_dies(
    ray_nodes: Any, add_ray_node: Callable[[], Any], run: Run, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path / "photos", 24)
    (photos / "05.png").write_bytes(b"no image")
    alone = explain(run.path, photos, tmp_path / "alone", box=4, pictures=2)
    second, told, lost = add_ray_node(), list[Progress](), list[bool]()

    def watch(event: Progress) -> None:
        told.append(event)
        if not lost and event.stage == "explaining" and event.done:
            lost.append(True)
            ray_nodes.remove_node(second, allow_graceful=False)

    address = f"ray://{ray_nodes.address}"
    far = explain(run.path, photos, tmp_path / "far", box=4, pictures=2, cluster=address, progress=watch)
    check_same(far, alone)
    assert lost
    assert len(far.failed) == 1
    assert "05.png" in far.failed[0][1]
    done = [event.done for event in told if event.stage == "explaining" and event.note is None]
    assert done[-1] == 23
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == sorted(far.written)


def test_a_stop_keeps_the_maps_that_are_there_and_the_next_call_goes_on(
    ray_nodes: Any, run: Run, tmp_path: Path
) -> None:
    photos, address = write_photos(tmp_path / "photos", 30, side=60), f"ray://{ray_nodes.address}"
    alone = explain(run.path, photos, tmp_path / "alone", box=4, pictures=0)
    stopping: list[threading.Thread] = []

    def stop_soon(event: Progress) -> None:
        if event.stage == "explaining" and event.done >= 2 and not stopping:
            stopping.append(threading.Thread(target=lambda: (time.sleep(0.05), os.kill(os.getpid(), signal.SIGINT))))
            stopping[0].start()

    with pytest.raises(Interrupted, match=r"stopped; the maps of \d+ of 30 images are in"):
        explain(run.path, photos, tmp_path / "far", box=4, pictures=0, cluster=address, progress=stop_soon)
    with np.load(tmp_path / "far/maps.npz") as saved:
        kept = len(saved["names"])
    assert 2 <= kept < 30
    again = explain(run.path, photos, tmp_path / "far", box=4, pictures=0, cluster=address, skip_existing=True)
    assert again.skipped == kept
    check_same(again, alone)


def test_what_an_image_raises_is_said_by_its_name_and_the_others_go_on(
    ray_nodes: Any, run: Run, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path / "photos", 4)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(photos / "small.png")
    alone = explain(run.path, photos, tmp_path / "alone", box=4, pictures=0)
    far = explain(run.path, photos, tmp_path / "far", box=4, pictures=0, cluster=f"ray://{ray_nodes.address}")
    check_same(far, alone)
    assert [name for name, _ in far.failed] == ["small.png"]


def test_kept_maps_are_made_on_machines_as_by_this_process(
    ray_nodes: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, classifier, settings = np.random.default_rng(2), load(run.path), MapSettings(box=4, definition=LEARNED)
    arrays = [random.integers(0, 255, (10, 9 + number // PART, 1), np.uint8) for number in range(FEW + 10)]

    def made(name: str, sharing: Sharing) -> Any:
        monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / name))
        return exact_maps(run.model_path, classifier, arrays, settings=settings, sharing=sharing)

    alone = made("alone", Sharing())
    far = made("far", sharing_of(f"ray://{ray_nodes.address}", None))
    near = made("near", Sharing(2))
    for found in (far, near):
        assert found.made == len(arrays)
        assert (found.seconds > 0).all()
        assert np.array_equal(found.predicted, alone.predicted)
        assert all(np.array_equal(one, other) for one, other in zip(found.maps, alone.maps, strict=True))
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "far"))
    assert exact_maps(run.model_path, classifier, arrays, settings=settings).made == 0


def test_an_estimator_learns_from_maps_made_on_machines_as_from_those_of_this_process(
    ray_nodes: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(name: str, **sharing: Any) -> Run:
        monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / f"cache-{name}"))
        return cuello.train(
            "explain", run.config.data, classifier=str(run.path), output=tmp_path / name, epochs=1, batch_size=8,
            device="cpu", threads=1, report=False, **sharing,
        )  # fmt: skip

    alone, far = trained("alone"), trained("far", cluster=f"ray://{ray_nodes.address}")
    assert far.model_path.read_bytes() == alone.model_path.read_bytes()
    assert list((tmp_path / "cache-far").rglob("part-*.npz"))


def test_workers_and_clusters_are_not_for_one_training_of_another_job(run: Run, tmp_path: Path) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        (
            {"job": "classify", "workers": 2},
            "that the job explain learns from; got one training of classify",
        ),
        ({"job": "explain", "workers": 2, "ranks": 2}, "are for one process, not for ranks"),
        ({"job": "explain", "cluster": "slurm"}, "makes trainings, and got exact maps"),
    ]
    for settings, words in refused:
        with pytest.raises(CuelloError, match=words):
            cuello.train(data=run.config.data, classifier=str(run.path), output=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_machine_where_the_classifier_is_another_is_a_fault(run: Run) -> None:
    begin = ExactElsewhere(str(run.path), "0" * 16, "cpu", padding=None, settings=MapSettings(), number="predicted")
    argument = {"call": "a", "begin": begin, "at_command_line": False, "arrays": []}
    with pytest.raises(Fault, match="has changed meanwhile"):
        make_maps(argument, TaskContext(None, lambda share, words: None))


def test_a_group_stops_between_two_of_its_steps(run: Run) -> None:
    model: Model = load(run.path)
    begin = ExactElsewhere(
        str(run.path), model.artefact.checksum, "cpu", padding=None, settings=MapSettings(), number="predicted"
    )
    checked: list[int] = []

    def check() -> None:
        checked.append(1)
        if len(checked) == 2:
            raise KeyboardInterrupt

    argument = {"call": "b", "begin": begin, "at_command_line": False, "arrays": [np.zeros((12, 10, 1), np.uint8)]}
    with pytest.raises(KeyboardInterrupt):
        make_maps(argument, TaskContext(None, lambda share, words: None, check))
    assert len(checked) == 2


def test_what_others_cannot_do_is_refused_in_words(run: Run, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"cluster": "slurm"}, "makes trainings, and got exact maps"),
        ({"cluster": "rai"}, "needed processes, ray"),
        ({"cluster": "ray", "workers": 0}, "workers: got 0, needed 1 or more"),
        ({"cluster": "ray", "model": "away"}, "estimates them in one pass: leave one of them out"),
        ({"overwrite": True, "skip_existing": True}, "leave one of them out"),
    ]
    for settings, words in refused:
        with pytest.raises(CuelloError, match=words):
            explain(run.path, photos, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_processes_are_workers_of_this_machine() -> None:
    assert sharing_of("processes", 3) == Sharing(3)
    assert sharing_of("ray", 3) == Sharing(cluster=find_cluster("ray", 3))
    assert sharing_of(None, None) == Sharing()
