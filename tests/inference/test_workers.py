"""Files of one call shared among processes: the same results in the same order, whatever becomes of one file."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from applied_results import coming_between, contents
from PIL import Image

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.pool import TaskDone
from cuello.core.progress import Progress
from cuello.inference import files, sharing
from cuello.inference.files import AppliedFile, apply
from cuello.inference.model import Model
from cuello.inference.sharing import worker_count
from cuello.inference.targets import FileJob

WaitUntil = Callable[[Callable[[], object]], None]
MakeImages = Callable[..., Path]
DEADLINE = 120.0


def test_results_and_their_order_do_not_depend_on_the_number_of_workers(
    saved: Model, tmp_path: Path, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_images(tmp_path / "in", 5)
    make_images(tmp_path / "in" / "deep", 2, height=70, width=90)
    (source / "0.png").write_bytes(b"no image")
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) // 2).save(source / "dark.png")
    told: list[Progress] = []
    found = {}
    monkeypatch.chdir(tmp_path)
    for workers in (1, 2):
        found[workers] = apply(saved, "in", str(workers), workers=workers, progress=told.append)
    ours = [dataclasses.replace(one, output=None) for one in found[1].files]
    assert contents(tmp_path / "2") == contents(tmp_path / "1")
    assert [dataclasses.replace(one, output=None) for one in found[2].files] == ours
    assert [Path(path).relative_to("2") for path in found[2].written] == [
        Path(path).relative_to("1") for path in found[1].written
    ]
    assert found[2].failed == found[1].failed
    assert found[2].ranges == found[1].ranges
    assert [Path(path).name for path, _ in found[2].failed] == ["0.png"]
    assert len(found[2].ranges) == 1
    assert [(event.done, event.total) for event in told] == [(done, 8) for done in range(9)] * 2
    assert all(event.path is not None for event in told)


@pytest.mark.parametrize("settings", [{"workers": 1}, {"workers": 1, "skip_existing": True}, {"workers": 2}])
def test_what_somebody_else_writes_meanwhile_stays_and_the_same_is_as_good(
    saved: Model, images: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    apply(saved, images, tmp_path / "alone", workers=1)
    out = tmp_path / "out"
    come_between = coming_between(out, tmp_path / "alone")
    applied = apply(saved, images, out, progress=come_between, **settings)
    (failed,) = applied.failed
    assert Path(failed[0]).name == "3.png"
    assert "3.png was written by somebody else meanwhile, and is left as it is. Move it, or add overwrite" in failed[1]
    assert contents(out) == contents(tmp_path / "alone") | {"3.png": b"somebody else's"}
    assert len(applied.written) == 5
    again = apply(saved, images, out, skip_existing=True, workers=1)
    assert (len(again.skipped), again.written) == (6, [])
    assert apply(saved, images, out, overwrite=True, progress=come_between, workers=1).failed == []
    assert contents(out) == contents(tmp_path / "alone")


def test_images_are_replaced_in_place_by_workers_too(saved: Model, tmp_path: Path, make_images: MakeImages) -> None:
    for name in ("one", "two"):
        make_images(tmp_path / name, 3)
        apply(saved, tmp_path / name, in_place=True, workers=1 + (name == "two"))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(path.name for path in (tmp_path / "two").iterdir())[:2] == ["0.png", "0.png.orig"]


def test_a_network_that_comes_with_the_package_gives_the_same_bits_with_more_threads(
    tmp_path: Path, make_images: MakeImages
) -> None:
    model, source = cuello.load("denoise"), make_images(tmp_path / "in", 2, height=90, width=70)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            apply(model, source, tmp_path / str(count), workers=1)
    finally:
        torch.set_num_threads(threads)
    apply(model, source, tmp_path / "shared", workers=2)
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "shared")


def test_messages_are_in_the_words_of_the_command_line(
    saved: Model, command: Any, tmp_path: Path, make_images: MakeImages
) -> None:
    source = make_images(tmp_path / "in", 2)
    for name in ("0.png", "1.png"):
        Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) // 2).save(source / name)
    answer = command("apply", saved.path, source, tmp_path / "out", "--workers", "2")
    assert answer.code == 0
    assert "--range full leaves that out" in answer.out


def test_less_than_one_worker_is_refused(saved: Model, images: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="workers: got 0, needed 1 or more"):
        apply(saved, images, tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()


def test_a_network_that_no_file_holds_stays_in_this_process(
    saved: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "Pool", None)
    changed = cuello.load(saved.path or "")
    with torch.no_grad():
        next(iter(changed.network.parameters())).mul_(2)
    for number, (model, why) in enumerate(
        [(dataclasses.replace(saved, path=None), "the network is in no file"), (changed, "either was changed")]
    ):
        applied = apply(model, images, tmp_path / str(number), workers=2)
        assert len(applied.written) == 6
        assert applied.notes[0].startswith("workers=2: one process did all, since the network is")
        assert why in applied.notes[0]


def test_a_network_that_changes_meanwhile_is_not_used(saved: Model, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="holds another network than the one that was to be used"):
        sharing.same_model(Path("denoise"), "cpu", sharing.print_of(saved))


def job_of(path: Path) -> FileJob:
    return FileJob(path, path.with_suffix(".out.png"))


def test_few_small_files_stay_in_this_process_and_many_are_shared(
    saved: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(*names: str, model: Model = saved) -> int:
        return worker_count(model, [job_of(tmp_path / name) for name in names], None)[0]

    Image.new("L", (100, 100)).save(tmp_path / "small.png")
    Image.new("L", (5000, 5000)).save(tmp_path / "large.png")  # 25 million pixels
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(sharing, "available_cores", lambda: 4)
    monkeypatch.setattr(sharing, "free_memory", lambda: 8 * 2**30)
    assert chosen("small.png") == chosen("large.png") == chosen("large.png", "small.png") == 1
    assert chosen("large.png", "large.png") == 2  # no more than files
    assert chosen(*["large.png"] * 9) == chosen(*["small.png"] * 5000) == 4
    assert chosen(*["absent.png"] * 9) == 1
    assert chosen(*["large.png"] * 9, model=dataclasses.replace(saved, path=None)) == 1
    monkeypatch.setattr(sharing, "free_memory", lambda: int(2.1e9))
    assert chosen(*["large.png"] * 9) == 2  # each is taken to need 1 GB
    monkeypatch.setattr(sharing, "free_memory", lambda: 2**29)
    assert chosen(*["large.png"] * 9) == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # --threads 1, OMP_NUM_THREADS=1
    assert chosen(*["large.png"] * 9) == 1


def test_a_file_that_ends_its_process_is_named_and_the_others_go_on(
    saved: Model, tmp_path: Path, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LostPool:
        """Gives results as a pool does of which a process was ended twice at one file."""

        def __init__(self, begin: Any, jobs: Any, workers: int) -> None:
            self.begin, self.jobs = begin, jobs

        def results(self) -> Any:
            restore = self.begin()
            for place in (2, 0, 1):
                yield TaskDone(place, None if place == 1 else restore(self.jobs[place]), place == 1)

        def stop(self) -> list[Any]:
            return []

    monkeypatch.setattr(files, "Pool", LostPool)
    applied = apply(saved, make_images(tmp_path / "in", 3), tmp_path / "out", workers=2)
    assert [Path(path).name for path in applied.written] == ["0.png", "2.png"]
    ((path, why),) = applied.failed
    assert Path(path).name == "1.png"
    assert "1.png could not be restored: the process at it was ended from outside" in why


SCRIPT = """
import sys
import cuello
applied = cuello.apply(cuello.load(sys.argv[1]), sys.argv[2], sys.argv[3], workers=2)
print(len(applied.written), len(applied.failed))
"""


def started(*words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_plain_script_may_share_files(saved: Model, images: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    process = started(tmp_path / "script.py", saved.path, images, tmp_path / "out")
    out, error = process.communicate(timeout=DEADLINE)
    assert (out, error) == ("6 0\n", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("whom", ["group", "worker"])
def test_a_stop_leaves_whole_files_and_a_lost_worker_none_undone(
    saved: Model, tmp_path: Path, make_images: MakeImages, whom: str, wait_until: WaitUntil
) -> None:
    source, out = make_images(tmp_path / "in", 80, height=300, width=300), tmp_path / "out"
    process = started("-m", "cuello", "apply", saved.path, source, out, "--workers", "2", "--quiet")
    wait_until(lambda: len(list(out.glob("[0-9]*.png"))) >= 2)
    children = psutil.Process(process.pid).children(recursive=True)
    if whom == "worker":
        workers = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        workers[0].kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
    said, error = process.communicate(timeout=DEADLINE)
    done = sorted(out.glob("[0-9]*.png"))
    for path in done:
        Image.open(path).load()
    assert not psutil.wait_procs(children, timeout=DEADLINE)[1]
    assert not list(out.glob("*cuello-tmp*")) or whom == "worker"
    if whom == "worker":
        assert process.returncode == 0, error
        assert said == f"80 written: {out}\n"
        assert len(done) == 80
        return
    if len(done) == 80:  # a machine may be so slow to see it that all is done
        assert process.returncode == 0, error
        return
    assert process.returncode == 130
    assert error.strip().splitlines() == [
        f"cuello: stopped: {len(done)} written, each whole, and {80 - len(done)} left to do. The same call with "
        "--skip-existing goes on."
    ]


def test_a_stop_counts_what_was_on_its_way(
    saved: Model, tmp_path: Path, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedPool:
        def __init__(self, begin: Any, jobs: Any, workers: int) -> None:
            self.jobs = jobs

        def results(self) -> Any:
            yield TaskDone(3, AppliedFile(*self.jobs[3]))
            raise KeyboardInterrupt

        def stop(self) -> list[Any]:
            return [TaskDone(1, AppliedFile(*self.jobs[1]))]

    monkeypatch.setattr(files, "Pool", StoppedPool)
    with pytest.raises(Interrupted, match="stopped: 2 written, each whole, and 2 left to do"):
        apply(saved, make_images(tmp_path / "in", 4), tmp_path / "out", workers=2)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.usefixtures("plain_handlers")
def test_a_stop_right_after_a_result_has_its_name_counts_it(
    saved: Model, tmp_path: Path, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, source, out = files.write_picture, make_images(tmp_path / "in", 4), tmp_path / "out"

    def write_and_stop(path: Path, *about: Any) -> None:
        write(path, *about)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_picture", write_and_stop)
        with pytest.raises(Interrupted, match="stopped: 1 written, each whole, and 3"):
            apply(saved, source, out, workers=1)
    again = apply(saved, source, out, skip_existing=True, workers=1)
    assert (len(again.skipped), len(again.written)) == (1, 3)
