"""What surrounds every command: consoles of few signs, notes, terminals that are gone."""

import io
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cuello.cli import app
from cuello.cli.console import leave_terminals, plain_warnings, show_what_can_be_shown
from cuello.runs.directory import Run

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale in which everything but ASCII is bytes."""


def written(text: str, encoding: str) -> bytes:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show_what_can_be_shown(stream, None)
    stream.write(text)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("3×3, 1 ± 2, 5–6 …", "ascii", b"3x3, 1 +/- 2, 5-6 ..."),
        ("3×3 ± – σ", "utf-8", "3×3 ± – σ".encode()),
        ("3×3 – σ", "cp1252", b"3\xd73 \x96 sigma"),
        ("\u4e2d.png", "ascii", b"?.png"),
        ("fotos-\udcc3\udcbc \udcff", "ascii", b"fotos-\xc3\xbc \xff"),
        ("\udcff.png", "utf-8", b"\xff.png"),
    ],
)
def test_what_a_console_cannot_show_is_said_in_ascii(text: str, encoding: str, expected: bytes) -> None:
    assert written(text, encoding) == expected


def test_warnings_are_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(), plain_warnings():
        warnings.simplefilter("always")
        sys.stderr.write(warnings.formatwarning("it goes on", UserWarning, "somewhere.py", 3))
    assert capsys.readouterr().err == "note: it goes on\n"
    assert "somewhere.py" in warnings.formatwarning("it goes on", UserWarning, "somewhere.py", 3)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs terminals")
def test_words_for_a_terminal_that_is_gone_go_nowhere() -> None:
    mine, terminal = os.openpty()
    os.write(terminal, b"there")
    leave_terminals([terminal])
    assert os.read(mine, 5) == b"there", "one that is there is left alone"
    os.close(mine)
    with pytest.raises(OSError, match=r"Input/output"):
        os.write(terminal, b"gone")
    leave_terminals([terminal])
    os.write(terminal, b"gone")
    os.close(terminal)


def cuello(*words: object, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a process of its own, in a locale."""
    return subprocess.run(
        [sys.executable, "-m", "cuello", *map(str, words)],
        capture_output=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.skipif(os.name != "posix", reason="locales of POSIX")
def test_a_run_is_the_same_in_every_locale(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fotos-ü"
    folder.mkdir()
    for path in sorted(images.glob("*.png"))[:4]:
        (folder / f"bild-ä{path.name}").write_bytes(path.read_bytes())
    flags = ["--noise", "gaussian:25", "--model", "conv-8-16-8", "--crop", 16, "--threads", 1, "--quiet"]
    unicode, models = {"LC_ALL": "C.UTF-8"}, []
    for first, second in ((unicode, ASCII), (ASCII, unicode)):
        run = Run(tmp_path / f"lauf-ö-{len(models)}")
        one = cuello("train", "denoise", folder, "-o", run.path, "--epochs", 1, "--no-report", *flags, **first)
        assert one.returncode == 0, one.stderr
        other = cuello("resume", run.path, "--epochs", 2, "--quiet", **second)
        assert (other.returncode, other.stderr) == (0, b"")
        assert "fotos-ü" in run.config_path.read_text("utf-8")
        assert "bild-ä" in run.images_path.read_text("utf-8")
        assert (b"3x3" if second is ASCII else "3×3".encode()) in other.stdout
        models.append(run.model_path.read_bytes())
    assert models[0] == models[1]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.usefixtures("plain_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_stop_is_one_also_where_a_library_makes_an_error_of_its_own_of_it(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def call(words: list[str]) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        except KeyboardInterrupt as stop:  # as pydantic does where a class is made
            raise TypeError("no such schema") from stop

    monkeypatch.setattr(app, "call", call)
    answer = command("models")
    assert (answer.code, answer.out, answer.error) == (128 + number, "", "cuello: stopped\n")


def test_a_fault_of_ours_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(words: list[str]) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(app, "call", call)
    with pytest.raises(TypeError, match="ours"):
        app.main(["models"])
