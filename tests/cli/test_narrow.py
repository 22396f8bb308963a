"""Every table on a narrow terminal: no line is too long, and no word is broken."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cuello.cli.render import print_rows, print_text, widths_within
from cuello.runs.directory import Run

Command = Callable[..., Any]
WHOLE = 1000


def words(text: str) -> set[str]:
    """Return all words but times, which differ from call to call."""
    return {word.strip(",:") for word in text.split() if not re.fullmatch(r"[\d.]+,?|<0.1|–", word)}


def check(command: Command, monkeypatch: pytest.MonkeyPatch, called: tuple[object, ...], columns: int) -> None:
    shown = {}
    for width in (columns, WHOLE):
        monkeypatch.setenv("COLUMNS", str(width))
        answer = command(*called)
        assert answer.code == 0, answer
        shown[width] = answer.out
    lines = [line for line in shown[columns].splitlines() if not line.startswith("again: ")]  # a command stays whole
    assert max(map(len, lines)) <= columns
    assert words(shown[columns]) - {"…", "–"} <= words(shown[WHOLE])  # –: too quick to be timed, in one of the two


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(
    "called",
    [
        ("models",), ("models", "--long"), ("datasets",), ("noises",), ("studies",), ("summary", "impulse-s"),
        ("summary", "vae:784-200-2", "--channels", "1"), ("doctor",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_lists(command: Command, monkeypatch: pytest.MonkeyPatch, called: tuple[str, ...], columns: int) -> None:
    monkeypatch.setattr("cuello.cli.doctor.sys.executable", "/python")
    monkeypatch.setenv("CUELLO_CACHE", "/cache")
    check(command, monkeypatch, called, columns)


@pytest.mark.parametrize("columns", [60, 80])
def test_results(command: Command, monkeypatch: pytest.MonkeyPatch, copied: Run, series: Path, columns: int) -> None:
    monkeypatch.chdir(copied.path.parent)
    name = copied.path.name
    for seed, other in enumerate(("one", "other")):
        shutil.copytree(series / f"seed-{seed}", other)
    for called in (
        ("evaluate", name, "--threads", 1, "--quiet"),
        ("evaluate", "one", "other", "--threads", 1, "--quiet"),
        ("compare", name, "one", "--no-latency"),
    ):
        check(command, monkeypatch, called, columns)


@pytest.mark.parametrize("columns", [60, 80])
def test_what_is_searched_measured_and_looked_into(
    command: Command, monkeypatch: pytest.MonkeyPatch, series: Path, tmp_path: Path, columns: int
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    np.save("dots.npy", (random.random((24, 7, 5)) > 0.5).astype(np.uint8) * 255)
    np.save("photos.npy", random.integers(0, 255, (5, 20, 24, 3), np.uint8))
    shutil.copytree(series, "series")
    shutil.copytree(series / "seed-0", "another")
    tiny = ("--epochs", 1, "--batch-size", 16, "--threads", 1, "--quiet")
    overs = ("--over", "learning-rate=1e-3,1e-1", "--over", "optimizer=sgd,adamw", "--over", "activation=tanh,relu")
    searched = ("search", "reconstruct", "dots.npy", "--latent", 2, "--hidden", 4, *overs, "-o", "search", *tiny)
    assert command(*searched).code == 0
    code = ("train", "reconstruct", "dots.npy", "--latent", 4, "--hidden", 8, "-o", "code", "--no-report", *tiny)
    assert command(*code).code == 0
    for called in (
        searched,
        ("benchmark", "photos.npy", "series", "another", "--noise", "salt-pepper:0.2", "--threads", 1, "--quiet"),
        ("latent", "code", "--overwrite", "--threads", 1, "--quiet"),
    ):
        check(command, monkeypatch, called, columns)


def test_a_few_wide_rows_become_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    heads, rows = (
        ["run", "of the network>", "unused", "error>"],
        [["mine", "1,763", "", "0.0671"], ["b", "4", "", "0.5"]],
    )
    monkeypatch.setenv("COLUMNS", "28")
    print_rows("two runs", heads, rows)
    assert capsys.readouterr().out == (
        "two runs\nrun               mine    b\nof the network   1,763    4\nerror           0.0671  0.5\n"
    )
    monkeypatch.setenv("COLUMNS", "26")
    print_rows("", heads, rows)
    assert capsys.readouterr().out.startswith("mine\n  of the network 1,763,\n")


def test_a_cell_goes_on_below_and_what_needs_many_lines_gets_its_own() -> None:
    rows = [["name", "what it is"], ["a", "one two three four five six"]]
    assert widths_within(40, rows) == [4, 27]
    assert widths_within(14, rows) == [4, 8]
    assert widths_within(11, rows) is None, "six lines of five signs"
    assert widths_within(8, [["name", "x"], ["a", "unbroken"]]) is None
    assert widths_within(12, [["run", "in all"], ["a", "0.07 s"]]) == [3, 6], "a number keeps its unit"
    assert widths_within(10, [["run", "in all"], ["a", "0.07 s"]]) is None


def test_sentences_go_on_at_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_text("  one two three four\n\nfive")
    assert capsys.readouterr().out == "  one two three four\n\nfive\n"
    monkeypatch.setenv("COLUMNS", "12")
    print_text("  one two three four")
    assert capsys.readouterr().out == "  one two\n  three four\n"
    monkeypatch.delenv("COLUMNS")
    print_text(long := " ".join(["word"] * 50))
    assert re.fullmatch(rf"{long}\n", capsys.readouterr().out), "a pipe gets lines as they are"
