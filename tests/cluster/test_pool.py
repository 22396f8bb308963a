"""Groups of small tasks: what is done is known wherever it goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cuello.cluster.base import TaskContext
from cuello.cluster.pool import do_group, read_journal
from cuello.core.errors import CuelloError, Fault

CONTEXT = TaskContext(None, lambda share, words: None)


def group(journal: Path, cwd: Path) -> dict[str, Any]:
    tasks = [[4, "a"], [5, "b"], [6, "c"]]
    return {"about": "x", "tasks": tasks, "cwd": str(cwd), "journal": str(journal), "at_command_line": False}


def added(about: Any) -> Callable[[Any], Any]:
    return lambda task: about + task


def test_a_group_goes_on_behind_what_is_done_and_gives_up_what_ended_two_machines(tmp_path: Path) -> None:
    journal = tmp_path / "0.jsonl"
    journal.write_text('\n[4]\n\n[4, "done before"]\n\n[5]\n\n[5]\n\n[6]\n\n[6, "hal', "utf-8")
    assert do_group(group(journal, tmp_path), CONTEXT, added) == [(4, "done before"), (5, None), (6, "xc")]
    assert read_journal(journal)[0] == {4: "done before", 5: None, 6: "xc"}


def test_a_group_that_stops_has_written_down_what_is_done(tmp_path: Path) -> None:
    checked: list[int] = []

    def check() -> None:
        checked.append(1)
        if len(checked) == 3:
            raise KeyboardInterrupt

    context = TaskContext(None, lambda share, words: None, check)
    with pytest.raises(KeyboardInterrupt):
        do_group(group(tmp_path / "0.jsonl", tmp_path), context, added)
    assert read_journal(tmp_path / "0.jsonl")[0] == {4: "xa", 5: "xb"}


def test_a_machine_where_work_cannot_begin_is_a_fault_so_that_another_is_tried(tmp_path: Path) -> None:
    def refuse(about: Any) -> Callable[[Any], Any]:
        raise CuelloError("the file is another.")

    with pytest.raises(Fault, match="the file is another"):
        do_group(group(tmp_path / "0.jsonl", tmp_path), CONTEXT, refuse)
    with pytest.raises(Fault, match="away, the folder of the call, is not there"):
        do_group(group(tmp_path / "0.jsonl", tmp_path / "away"), CONTEXT, added)
    with pytest.raises(Fault, match="There is no folder"):
        do_group(group(tmp_path / "gone/0.jsonl", tmp_path), CONTEXT, added)
