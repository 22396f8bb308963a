"""`cuello start`: what is asked, what is found, and the command that it comes to."""

import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cuello.cli import app, start
from cuello.cli.app import app as commands
from cuello.data.found import look

Command = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Answer the questions as at a terminal; gives the command lines that would be run."""
    ran: list[list[str]] = []

    def answer(*lines: str) -> list[list[str]]:
        waiting = iter(lines)

        def next_line(*prompt: object) -> str:
            try:
                return next(waiting)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", next_line)
        monkeypatch.setattr(start, "at_terminal", lambda: True)
        monkeypatch.setattr(app, "call", ran.append)
        start.start()
        return ran

    return answer


def test_images_that_are_cleaned(
    answered: Callable[..., list[list[str]]], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images-clean").mkdir()
    assert answered("1", "1", "", "nowhere", f"'{images}'", "y") == [
        ["apply", "denoise", str(images), "images-clean-2"]
    ]
    shown = capsys.readouterr().out
    assert "there is no file, folder or data set 'nowhere'" in shown
    assert "6 colour images, 40×40 pixels, 8-bit" in shown
    assert "  0.png  40×40  colour  8-bit" in shown
    assert "  … and 1 more" in shown
    assert f"cuello apply denoise {images} images-clean-2" in shown


def every_way() -> list[tuple[str, str]]:
    return [(str(have), str(want)) for have, one in enumerate(start.HAVES, 1) for want in range(1, len(one.wants) + 1)]


@pytest.mark.parametrize(("have", "want"), every_way())
def test_every_way_leads_to_a_command_that_is_read(
    answered: Callable[..., list[list[str]]], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, have: str,
    want: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    places = ["denoise" if question == start.NETWORK else str(images) for question in start.HAVES[int(have) - 1].places]
    (words,) = answered(have, want, *places, "y")
    called, given, *_ = commands.parse_args(words, print_error=False, exit_on_error=False)
    assert called.__name__ == words[0]
    assert str(images) in str(given.arguments)


def test_what_a_command_is_follows_the_images(
    answered: Callable[..., list[list[str]]], tmp_path: Path, make_images: Callable[..., Path],
    make_classes: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    large = str(make_images(tmp_path / "large", count=2, height=80, width=100))
    small = str(make_images(tmp_path / "small", count=2, height=40, width=50))
    classes = str(make_classes(tmp_path / "classes"))
    for lines in (("1", "4", large), ("1", "8", large), ("2", "1", small, large), ("2", "1", small, small)):
        ran = answered(*lines, "y")
    ran = answered("3", "1", classes, "y")
    assert ran == [
        ["train", "denoise", large, "--noise", "gaussian:5..50", "--crop", "64"],
        ["train", "reconstruct", large, "--resize", "64", "--filters", "16,32,64", "--latent", "32"],
        ["train", "upscale", small, "--target", large, "--scale", "2", "--crop", "40"],
        ["train", "denoise", small, "--target", small, "--crop", "40"],
        ["train", "classify", classes],
    ]
    assert answered("1", "9", small, "n") == ran, "it is not run where that is not wanted"


def test_kinds_of_images(tmp_path: Path, make_classes: Callable[..., Path]) -> None:
    for number, values in enumerate((np.zeros((9, 12), np.uint16), np.zeros((20, 30, 3), np.uint8))):
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    found = look(str(tmp_path))
    assert found.sentence() == "2 grey and colour images, 12×9 to 30×20 pixels, 16-bit and 8-bit"
    assert found.listed == ("0.png  12×9  grey  16-bit", "1.png  30×20  colour  8-bit")
    assert (found.smallest, found.alike, found.small) == (9, False, False)
    assert look(str(make_classes(tmp_path / "classes"))).sentence() == "24 grey images, 10×12 pixels, 8-bit, 2 classes"
    assert look("glyphs").sentence() == "32 grey images, 5×7 pixels, 8-bit, 32 classes"
    np.save(tmp_path / "floats.npy", np.zeros((3, 8, 8), np.float32))
    assert look(str(tmp_path / "floats.npy")).sentence() == "3 grey images, 8×8 pixels, 32-bit floats"


def test_without_a_terminal_nothing_is_asked(command: Command, refused: Refused) -> None:
    assert "asks questions, which needs a terminal. What one can do: cuello" in refused("start")
    assert "Answer three questions" not in command().out


def test_the_end_of_input_ends_it(answered: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]) -> None:
    assert answered("1") == []
    assert capsys.readouterr().out.endswith("Nothing was done.\n")


@pytest.mark.skipif(not hasattr(os, "forkpty"), reason="needs terminals")
def test_the_bare_command_in_a_terminal_asks_and_runs(images: Path, tmp_path: Path) -> None:
    child, terminal = os.forkpty()
    if child == 0:
        os.chdir(tmp_path)
        os.execve(sys.executable, [sys.executable, "-m", "cuello"], os.environ | {"COLUMNS": "80", "TERM": "dumb"})
    os.write(terminal, f"y\n3\n2\n{images}\nn\n".encode())
    said, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline and select.select([terminal], [], [], 120)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # how Linux says that the other side is gone
            break
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert f"cuello train reconstruct {images} --latent 8" in said.decode()
    os.close(terminal)
