"""Tasks on a Ray cluster of several nodes, all on this machine."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cluster_tasks import double, fail, wait_for_stop

from cuello.cluster.base import ClusterTask
from cuello.cluster.catalog import find_cluster
from cuello.cluster.ray import Mark
from cuello.core.progress import Progress
from cuello.runs.directory import Run
from cuello.work.plans import PlannedRun, run_turns
from cuello.work.train import train

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'cuello[cluster]'")
EPOCHS = 25
SETTINGS: dict[str, Any] = {
    "noise": "gaussian:25", "model": "conv-8-16-8", "crop": 32, "batch_size": 8, "epochs": EPOCHS, "threads": 1,
    "device": "cpu",
}  # fmt: skip


@pytest.fixture
def found(ray_nodes: Any) -> Any:
    return find_cluster(f"ray://{ray_nodes.address}")


def test_every_task_ends_with_what_it_gave_or_raised_and_where(found: Any) -> None:
    told: list[tuple[int, float, str]] = []
    tasks = [ClusterTask(double, 4), ClusterTask(fail, "x"), ClusterTask(double, 5)]
    endings = sorted(found.run(tasks, folder=None, tell=lambda *one: told.append(one)), key=lambda one: one.place)
    assert [ending.result for ending in endings] == [8, None, 10]
    assert str(endings[1].error).startswith("node ")
    assert str(endings[1].error).endswith(": got 'x', needed a number.")
    assert {(0, 0.0, ""), (2, 0.0, "")} <= set(told)


def test_relative_names_are_the_caller_s(found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with closing(found.run([ClusterTask(wait_for_stop, "here", folder=Path("here/a"))], folder=tmp_path)) as endings:
        assert stopped_after(endings, tmp_path / "here/begun-a")
    assert (tmp_path / "here/stopped-a").exists(), "it was told to stop, and did, before the call ended"
    assert [one.name for one in tmp_path.iterdir()] == ["here"], "nothing is left that marked the folder"


def stopped_after(endings: Any, sign: Path) -> bool:
    """Listen for endings until a file is there; a thread would do, but Ctrl-C comes to the main one."""
    import signal

    def look(*about: Any) -> None:
        if sign.exists():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        next(endings)
    except KeyboardInterrupt:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "not shared"])
def test_a_node_that_dies_costs_a_training_its_last_epoch_and_no_bit(
    ray_nodes: Any,
    add_ray_node: Callable[[], Any],
    found: Any,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared: bool,
) -> None:
    alone = train("denoise", images, output=tmp_path / "alone", report=False, **SETTINGS)
    if not shared:

        @contextmanager
        def unseen(folder: Path) -> Iterator[Mark]:
            yield Mark(str(tmp_path / "unseen"), "token")

        monkeypatch.setattr("cuello.cluster.ray.marked", unseen)
    second = add_ray_node()
    plans = [PlannedRun(tmp_path / name, {"data": str(images), **SETTINGS}, name) for name in ("one", "two")]
    said: list[str] = []
    killed: list[bool] = []

    def watch(event: Progress) -> None:
        said.extend([event.note] if event.note else [])
        if not killed and all((plan.path / "history.jsonl").is_file() for plan in plans):
            killed.append(True)
            ray_nodes.remove_node(second, allow_graceful=False)

    run_turns(plans, found, watch)
    if any("it goes on elsewhere from what was saved last" in note for note in said):  # or all were done before
        assert killed
    assert any("does not share the folder of the work" in note or "do not share" in note for note in said) != shared
    for plan in plans:
        run = Run(plan.path)
        assert [record.epoch for record in run.history] == list(range(1, EPOCHS + 1))
        assert run.model_path.read_bytes() == alone.model_path.read_bytes()
