"""Files restored on a Ray cluster: the same results in the same order, whatever becomes of a machine or a file."""

import dataclasses
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from applied_results import coming_between, contents

import cuello
from cuello.cluster.ray import Mark
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.progress import Progress
from cuello.inference import clustered
from cuello.inference.clustered import groups_of
from cuello.inference.files import apply
from cuello.inference.model import Model
from cuello.inference.record import RECORD
from cuello.inference.targets import FileJob

MakeImages = Callable[..., Path]


def test_results_and_their_order_are_those_of_one_process_also_where_a_node_dies(
    ray_nodes: Any,
    add_ray_node: Callable[[], Any],
    saved: Model,
    tmp_path: Path,
    make_images: MakeImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_images(tmp_path / "in", 20)
    (tmp_path / "in/3.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    alone = apply(saved, "in", "alone", workers=1)
    second, said, lost = add_ray_node(), list[Progress](), list[bool]()

    def watch(event: Progress) -> None:
        said.append(event)
        if not lost and event.done:
            lost.append(True)
            ray_nodes.remove_node(second, allow_graceful=False)

    far = apply(saved, "in", "far", cluster=f"ray://{ray_nodes.address}", progress=watch)
    assert contents(tmp_path / "far") == contents(tmp_path / "alone")
    strip = [dataclasses.replace(one, output=None) for one in alone.files]
    assert [dataclasses.replace(one, output=None) for one in far.files] == strip
    assert [Path(one).name for one in far.written] == [Path(one).name for one in alone.written]
    assert far.failed == alone.failed
    assert len(far.failed) == 1
    assert said[-1].done == 20
    assert not [one.name for one in (tmp_path / "far").iterdir() if one.name.endswith("cuello-tmp")]
    again = apply(saved, "in", "far", cluster=f"ray://{ray_nodes.address}", skip_existing=True)
    assert (len(again.skipped), len(again.failed), again.written) == (19, 1, [])
    for path in (tmp_path / "in").iterdir():
        path.touch()
    (tmp_path / "far/4.png").write_bytes((tmp_path / "far/4.png").read_bytes()[:90])
    healed = apply(saved, "in", "far", cluster=f"ray://{ray_nodes.address}", skip_existing=True)
    assert [Path(one).name for one in healed.written] == ["4.png"], "it was cut short, as the record knows"
    assert contents(tmp_path / "far") == contents(tmp_path / "alone")


def test_what_somebody_else_writes_meanwhile_stays(ray_nodes: Any, saved: Model, images: Path, tmp_path: Path) -> None:
    apply(saved, images, tmp_path / "alone", workers=1)
    out = tmp_path / "out"
    come_between = coming_between(out, tmp_path / "alone")
    applied = apply(saved, images, out, cluster=f"ray://{ray_nodes.address}", progress=come_between)
    assert [Path(path).name for path, _ in applied.failed] == ["3.png"]
    assert "written by somebody else meanwhile" in applied.failed[0][1]
    assert contents(out) == contents(tmp_path / "alone") | {"3.png": b"somebody else's"}
    assert len(applied.written) == 5


def test_ctrl_c_leaves_whole_results_that_the_next_call_knows(
    ray_nodes: Any, saved: Model, tmp_path: Path, make_images: MakeImages
) -> None:
    source, out = make_images(tmp_path / "in", 40, height=900, width=900), tmp_path / "out"

    def stop_soon() -> None:
        while len(list(out.glob("*.png"))) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop_soon, daemon=True)
    thread.start()
    with pytest.raises(Interrupted, match=r"stopped: (\d+) written, each whole, and .* skip_existing=True") as stopped:
        apply(saved, source, out, cluster=f"ray://{ray_nodes.address}")
    thread.join()
    written = sorted(out.glob("*.png"))
    assert str(stopped.value).startswith(f"stopped: {len(written)} written")
    assert 2 <= len(written) < 40
    assert len((out / RECORD).read_text().splitlines()) == len(written)
    applied = apply(saved, source, out, cluster=f"ray://{ray_nodes.address}", skip_existing=True)
    assert len(applied.skipped) == len(written)
    assert len(applied.written) == 40 - len(written)


def test_a_folder_that_is_not_shared_is_refused_by_the_node_s_name(
    ray_nodes: Any, saved: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unseen(folder: Path) -> Iterator[Mark]:
        yield Mark(str(folder / "unseen"), "token")

    monkeypatch.setattr("cuello.cluster.ray.marked", unseen)
    with pytest.raises(CuelloError, match=r"node .* does not share .*out, where every machine writes to"):
        apply(saved, images, tmp_path / "out", cluster=f"ray://{ray_nodes.address}")
    assert contents(tmp_path / "out") == {}


def test_what_other_machines_cannot_do_is_refused_in_words(saved: Model, images: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(images, tmp_path / "copied")
    changed = cuello.load(saved.path or "")
    with torch.no_grad():
        next(iter(changed.network.parameters())).mul_(2)
    out, given = tmp_path / "out", list[tuple[Any, ...]]()
    given.append((saved, images, out, {"cluster": "slurm"}, "makes trainings, and got files"))
    given.append((saved, images, out, {"cluster": "rai"}, "needed processes, ray"))
    given.append((saved, images, out, {"cluster": "ray", "workers": 0}, "needed 1 or more"))
    given.append((saved, "memory://in", out, {"cluster": "ray"}, "got memory://in, needed files and a folder"))
    given.append((saved, images, "memory://out", {"cluster": "ray"}, "got memory://out, needed files and a folder"))
    given.append((changed, images, out, {"cluster": "ray"}, "cannot have the network, since .* either was changed"))
    given.append((saved, copied, None, {"cluster": "ray", "in_place": True}, "might be restored twice"))
    given.append((saved, images / "0.png", out / "0.png", {"cluster": "ray"}, "several files, and got one"))
    for model, source, target, settings, words in given:
        with pytest.raises(CuelloError, match=words):
            apply(model, source, target, **settings)
    assert not out.exists()
    assert contents(copied) == contents(images)


def test_processes_are_the_workers_of_this_machine(saved: Model, images: Path, tmp_path: Path) -> None:
    applied = apply(saved, images, tmp_path / "out", cluster="processes", workers=2)
    apply(saved, images, tmp_path / "alone", workers=1)
    assert len(applied.written) == 6
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_groups_hold_files_in_their_order_by_number_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(20)]
    for path in paths:
        path.write_bytes(bytes(10))
    jobs = [FileJob(path, path) for path in paths]
    assert [len(group) for group in groups_of(jobs)] == [8, 8, 4]
    assert [place for group in groups_of(jobs) for place in group] == list(range(20))
    assert {len(group) for group in groups_of(jobs * 300)[:-1]} == {64}
    monkeypatch.setattr(clustered, "GROUP_BYTES", 25)
    assert [len(group) for group in groups_of([*jobs, FileJob(tmp_path / "away.png", tmp_path / "x.png")])][:3] == [
        2
    ] * 3
    monkeypatch.setattr(clustered, "GROUP_BYTES", 5)
    assert [len(group) for group in groups_of(jobs)] == [1] * 20
