"""cuello compare, and --repeats of cuello train: tables, files, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cuello.runs.directory import Run

Command = Callable[..., Any]
Refused = Callable[..., str]

TINY = ["--noise", "gaussian:25", "--model", "conv-8-16-8", "--crop", 16, "--epochs", 1, "--threads", 1, "--device",
        "cpu", "--no-report"]  # fmt: skip


def test_a_table_readable_at_100_columns(
    trained: Run, series: Path, command: Command, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    answer = command("compare", trained.path, series, "--quiet", "--no-latency")
    assert answer.code == 0, answer.error
    lines = answer.out.splitlines()
    tables = lines[: next(place for place, line in enumerate(lines) if "the lowest validation loss" in line)]
    assert max(map(len, tables)) <= 100, "sentences may be longer, tables not"
    best = min(record.validation_loss for record in trained.history)
    row = next(line for line in lines if line.startswith("trained"))
    assert f"{best:.5f}" in row
    assert any(line.startswith("series") and "±" in line for line in lines)
    assert "2,793" in answer.out
    assert "Too few repeats" in answer.out
    assert list(tmp_path.iterdir()) == [], "nothing is written unasked"


def test_json_is_all_that_is_printed(trained: Run, command: Command) -> None:
    answer = command("compare", trained.path, "--json", "--epoch", 1)
    assert (answer.code, answer.error) == (0, "")
    (group,) = json.loads(answer.out)["groups"]
    run = group["rows"][0]["runs"][0]
    assert run["validation_loss"] == trained.history[0].validation_loss
    assert run["latency_ms"] > 0


def test_junk_is_named_and_the_exit_code_is_1(trained: Run, tmp_path: Path, command: Command) -> None:
    (tmp_path / "junk").mkdir()
    answer = command("compare", trained.path, tmp_path / "junk", "--quiet", "--no-latency")
    assert answer.code == 1
    assert "trained" in answer.out
    assert answer.error.startswith(f"left out: {tmp_path / 'junk'}: ")
    assert "holds no config.toml" in answer.error


def test_mistakes(trained: Run, tmp_path: Path, refused: Refused) -> None:
    assert "name at least one run" in refused("compare")
    assert "the longest run has 2" in refused("compare", trained.path, "--epoch", 9)
    (tmp_path / "a.csv").write_text("mine")
    assert "exists already: replace it with --overwrite" in refused(
        "compare", trained.path, "--csv", tmp_path / "a.csv"
    )
    assert "holds no earlier comparison" in refused("compare", trained.path, "-o", tmp_path, "--no-latency")


def test_files(trained: Run, tmp_path: Path, command: Command) -> None:
    answer = command(
        "compare", trained.path, "-o", tmp_path / "out", "--csv", tmp_path / "new" / "a.csv", "--html",
        tmp_path / "a.html", "--no-latency", "--quiet",
    )  # fmt: skip
    assert answer.code == 0, answer.error
    assert f"written: {tmp_path / 'out' / 'compare.html'}" in answer.out
    assert (tmp_path / "new" / "a.csv").read_text() == (tmp_path / "out" / "compare.csv").read_text()
    assert (tmp_path / "a.html").read_text() == (tmp_path / "out" / "compare.html").read_text()
    assert (tmp_path / "out" / "figures" / "losses.png").is_file()


def test_repeats_are_trained_kept_and_compared(images: Path, tmp_path: Path, command: Command) -> None:
    arguments = ["train", "denoise", images, *TINY, "--repeats", 2, "-o", tmp_path / "two"]
    answer = command(*arguments)
    assert answer.code == 0, answer.error
    assert "validation, 2 repeats: MSE 0." in answer.out
    assert f"comparison: {tmp_path / 'two' / 'compare.html'}" in answer.out
    first = (tmp_path / "two" / "seed-1" / "last.safetensors").stat().st_mtime_ns
    answer = command(*arguments, "--json")
    assert (answer.code, answer.error) == (0, "")
    found = json.loads(answer.out)
    assert found["validation_mse"]["count"] == 2
    assert found["runs"] == [str(tmp_path / "two" / f"seed-{seed}") for seed in (0, 1)]
    assert (tmp_path / "two" / "seed-1" / "last.safetensors").stat().st_mtime_ns == first
    assert command("compare", tmp_path / "two", "--no-latency", "--quiet").code == 0


def test_repeats_below_one(images: Path, tmp_path: Path, refused: Refused) -> None:
    said = refused("train", "denoise", images, *TINY, "--repeats", 0, "-o", tmp_path / "run")
    assert "repeats: got 0, needed 1 or more" in said
    assert not (tmp_path / "run").exists()
