"""How runs stand, from folders alone."""

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cuello.core.config import to_toml
from cuello.core.errors import CuelloError
from cuello.core.lock import LOCK, AtWork
from cuello.core.owner import Owner, this_process
from cuello.runs.directory import Run
from cuello.runs.history import write_history
from cuello.web.commands import CommandLine, StartedRun, log_path, plain_name, record_path, said, start, started
from cuello.web.state import RunState, forget_failed, last_words, list_runs, read_state, run_named, run_names, stop

GONE = Owner(this_process().host, 2**22 + 7, 1)


@pytest.fixture
def root(trained: Run, tmp_path: Path) -> Path:
    """A folder of runs with one finished run, `first`."""
    folder = tmp_path / "runs"
    shutil.copytree(trained.path, folder / "first")
    for name in ("metrics.json", "report.html"):
        (folder / "first" / name).unlink(missing_ok=True)
    (folder / "first" / "metrics.json").write_text(json.dumps({"verdict": "Better."}))
    return folder


def lock(path: Path, owner: Owner) -> None:
    (path / LOCK).write_text(json.dumps(asdict(AtWork(owner, "cuello train", "2026-01-01 00:00:00"))))


def cut(root: Path, epochs: int) -> Path:
    """Leave the first epochs of a run, and no evaluation."""
    run = Run(root / "first")
    write_history(run.history_path, run.history[:epochs])
    run.metrics_path.unlink(missing_ok=True)
    return run.path


def test_a_finished_run(root: Path) -> None:
    found = read_state(root, "first")
    assert (found.kind, found.words, found.verdict, found.alive) == ("finished", "finished", "Better.", False)
    assert found.progress == 1.0
    assert found.can_go_on
    assert found.score == f"{found.best.validation_psnr:.2f} dB" if found.best else ""


def test_a_run_that_was_stopped_and_one_that_is_at_work(root: Path) -> None:
    path = cut(root, 1)
    assert read_state(root, "first").words == "stopped, epoch 1 of 2"
    lock(path, this_process())
    found = read_state(root, "first")
    assert (found.words, found.alive, found.can_go_on, found.progress) == ("training, epoch 1 of 2", True, False, 0.5)
    lock(path, GONE)
    assert read_state(root, "first").kind == "stopped", "a lock that was left over says nothing"


def test_a_run_that_is_judged_and_one_that_was_not(root: Path) -> None:
    path = cut(root, 2)
    assert read_state(root, "first").words == "trained, not judged yet"
    lock(path, this_process())
    assert read_state(root, "first").words == "being judged"


def test_a_run_that_goes_on_after_its_report_is_not_finished(root: Path) -> None:
    run = Run(root / "first")
    run.config_path.write_text(to_toml(run.config.model_copy(update={"epochs": 9})))
    os.utime(run.metrics_path, (1, 1))
    assert read_state(root, "first").words == "stopped, epoch 2 of 9"


def test_a_damaged_run_says_so(root: Path) -> None:
    (root / "first" / "history.jsonl").write_text("{")
    found = read_state(root, "first")
    assert found.kind == "damaged"
    assert "cuello resume" in found.problem


def record(root: Path, name: str, owner: Owner, words: str = "") -> None:
    record_path(root, name).parent.mkdir(exist_ok=True)
    record_path(root, name).write_text(json.dumps(asdict(StartedRun(["train"], owner, ""))))
    log_path(root, name).write_text(words)


def test_runs_that_were_started_and_have_no_folder_yet(root: Path) -> None:
    record(root, "new", this_process())
    record(root, "wrong", GONE, "reading\ncuello: there is no folder 'x'.\n")
    assert [(one.name, one.kind) for one in list_runs(root)] == [
        ("new", "starting"), ("first", "finished"), ("wrong", "failed")
    ]  # fmt: skip
    assert read_state(root, "wrong").problem == "there is no folder 'x'."


def test_what_was_said_last() -> None:
    assert last_words("epoch 1\ncuello: stopped; 3 epochs are saved in runs/a. Go on with: cuello resume runs/a") == ""
    assert last_words("Traceback (most recent call last):\n  File\nKeyError: 'x'\n") == "KeyError: 'x'"
    assert last_words("epoch 1\nepoch 2\n") == ""
    assert last_words("Traceback (most recent call last):\n  File\nKeyboardInterrupt\n") == "", "it was stopped"


def test_names_are_those_of_runs_below_the_folder_alone(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "first", root / "series" / "seed-0")
    shutil.copytree(root / "first", tmp_path / "outside")
    assert run_names(root) == ["first", "series/seed-0"]
    assert run_named(root, "series/seed-0").name == "series/seed-0"
    for name in ("../outside", "series", "", "first/../../outside", str(tmp_path / "outside")):
        with pytest.raises(CuelloError, match="there is no run called"):
            run_named(root, name)


@pytest.mark.parametrize("name", ["", " ", "../x", "a/b", "a\\b", ".hidden", "-o", "~", "a\0b", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(CuelloError, match="as the name of a run"):
        plain_name(name)


def test_a_command_is_words_and_no_shell(tmp_path: Path) -> None:
    command = CommandLine(["apply", "x; touch gone", "$(id)", "out.png"])
    assert str(command) == "cuello apply 'x; touch gone' '$(id)' out.png"
    start(command, tmp_path, "one")
    from cuello.web.commands import RUNNING

    RUNNING[-1].wait(timeout=60)
    assert "there is no" in said(tmp_path, "one") or "touch gone" in said(tmp_path, "one")
    assert not Path("gone").exists()
    found = started(tmp_path, "one")
    assert found is not None
    assert found.words == command.words
    assert found.owner.has_ended


def test_stop_reaches_the_process_and_no_other(root: Path) -> None:
    wait = "    print('on', flush=True); time.sleep(60)"
    code = f"import time\ntry:\n{wait}\nexcept KeyboardInterrupt:\n    print('stopped')"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    from cuello.core.owner import start_of

    owner = Owner(this_process().host, process.pid, start_of(process.pid) or 0)
    stop(RunState("x", root, "training", owner=Owner(owner.host, owner.pid, owner.start + 1)))
    assert process.poll() is None, "another process that has the number now"
    stop(RunState("x", root, "training", owner=owner))
    assert process.communicate(timeout=30)[0] == "stopped\n"
    with pytest.raises(CuelloError, match="stop it there"):
        stop(RunState("x", root, "training", owner=Owner("elsewhere", 1, 1)))


def test_what_must_not_be_written_is_said_and_nothing_is_started(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cuello.web.commands import RUNNING

    record(root, "wrong", GONE)
    before, whole = list(RUNNING), Path.open

    def refusing(path: Path, mode: str = "r", *words: Any, **more: Any) -> Any:
        if "w" in mode and path.suffix == ".log":
            raise PermissionError(errno.EROFS, "Read-only file system")
        return whole(path, mode, *words, **more)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(CuelloError, match=r"no permission to write .*one\.log"):
        start(CommandLine(["--version"]), root, "one")
    assert before == RUNNING

    def kept(path: Path, **_: object) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", kept)
    with pytest.raises(CuelloError, match=r"no permission to write .*wrong\.json"):
        forget_failed(root, read_state(root, "wrong"))


def test_a_run_of_another_user_is_not_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "kill", forbidden)
    with pytest.raises(CuelloError, match="x is at work for another user of this machine"):
        stop(RunState("x", root, "training", owner=this_process()))


def test_commands_that_export(root: Path) -> None:
    from cuello.web.export import FORMS, offered

    state = read_state(root, "first")
    assert [str(form.command(state)).replace(str(root), "runs") for form in FORMS] == [
        "cuello export runs/first first.onnx",
        "cuello export runs/first first.html",
        "cuello export runs/first first --hub",
        "cuello export runs/first first.zip --bioimage",
    ]
    assert {"Web page"} <= {form.label for form in offered()}
