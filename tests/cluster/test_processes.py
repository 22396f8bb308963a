"""Tasks in processes of this machine."""

import time
from contextlib import closing
from pathlib import Path

import pytest
from cluster_tasks import double, fail, wait_for_stop

from cuello.cluster.base import ClusterTask
from cuello.cluster.catalog import find_cluster
from cuello.core.errors import CuelloError, Fault


def test_every_task_ends_with_what_it_gave_or_raised() -> None:
    told: list[tuple[int, float, str]] = []
    tasks = [ClusterTask(double, 4), ClusterTask(fail, "fault"), ClusterTask(fail, "x"), ClusterTask(double, 5)]
    cluster = find_cluster("processes", workers=2)
    endings = sorted(cluster.run(tasks, folder=None, tell=lambda *one: told.append(one)), key=lambda one: one.place)
    assert [ending.result for ending in endings] == [8, None, None, 10]
    assert [type(ending.error) for ending in endings] == [type(None), Fault, CuelloError, type(None)]
    assert str(endings[2].error) == "got 'x', needed a number."
    assert {one for one in told if one[1] == 0.5} <= {(0, 0.5, "at 4"), (3, 0.5, "at 5")}


def test_tasks_stop_at_their_next_check_when_nobody_listens_any_more(tmp_path: Path) -> None:
    tasks = [
        ClusterTask(double, 1),
        ClusterTask(wait_for_stop, str(tmp_path), folder=tmp_path / "a"),
        ClusterTask(double, 2),
    ]
    with closing(find_cluster("processes", workers=2).run(tasks, folder=tmp_path)) as endings:
        next(endings)
        while not (tmp_path / "begun-a").exists():
            time.sleep(0.01)
    assert (tmp_path / "stopped-a").exists()


def test_words_that_are_no_cluster_are_told() -> None:
    with pytest.raises(CuelloError, match=r"cluster: got 'proceses', needed processes.*Did you mean 'processes'"):
        find_cluster("proceses", workers=1)
    for text in ("ray://", "ray://first", "ray://:6379", "ray://first:port"):
        with pytest.raises(CuelloError, match=f"cluster: got '{text}', needed ray, ray://auto, or ray://HOST:PORT"):
            find_cluster(text)
    with pytest.raises(CuelloError, match=r"workers.*got 0, needed 1 or more"):
        find_cluster("processes", workers=0)
