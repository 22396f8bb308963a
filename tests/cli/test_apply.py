"""`cuello apply` at the command line: places, streams, and JSON alone on stdout."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from cuello.inference.model import Model
from cuello.runs.directory import Run

MakeImages = Callable[..., Path]
Command = Callable[..., Any]
Refused = Callable[..., str]


class Streams:
    """Standard input with bytes in it, and standard output that keeps bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, given: bytes = b"", terminal: bool = False) -> None:
        self.out = io.BytesIO()
        self.terminal = terminal
        for name, buffer in (("stdin", io.BytesIO(given)), ("stdout", self.out)):
            stream = io.TextIOWrapper(buffer, write_through=True)
            monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False) if terminal else None
            monkeypatch.setattr(sys, name, stream)


def as_bytes(image: np.ndarray, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format=format, **options)
    return stream.getvalue()


def test_originals_are_replaced_only_on_purpose(
    trained: Run, tmp_path: Path, make_images: MakeImages, command: Command, refused: Refused
) -> None:
    source = make_images(tmp_path / "in", 2)
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    for place in (source, source / "out", tmp_path, source / "0.png"):
        said = refused("apply", trained.path, source if place != source / "0.png" else place, place, "--overwrite")
        assert "--in-place" in said
        assert "--overwrite" not in said
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
    answer = command("apply", trained.path, source, "--in-place")
    assert answer.code == 0
    assert "2 written: in place" in answer.out
    assert (source / "0.png.orig").read_bytes() == before["0.png"]
    assert "--skip-existing to go on" in refused("apply", trained.path, source, "--in-place")
    answer = command("apply", trained.path, source, "--in-place", "--skip-existing")
    assert "0 written, 2 existed already: in place" in answer.out
    answer = command("apply", trained.path, source, "--in-place", "--no-keep-originals", "--quiet")
    assert answer.code == 0
    assert {path.name for path in source.iterdir()} == {"0.png", "1.png", "0.png.orig", "1.png.orig"}
    assert (source / "0.png.orig").read_bytes() == before["0.png"]


def test_one_place_is_too_few(trained: Run, images: Path, refused: Refused) -> None:
    said = refused("apply", trained.path, images)
    assert f"cuello apply MODEL {images} OUT" in said
    assert "--in-place" in said


def test_a_pattern_and_several_images(trained: Run, images: Path, tmp_path: Path, command: Command) -> None:
    answer = command("apply", trained.path, f"{images}/[012].png", tmp_path / "quoted")
    assert f"3 written: {tmp_path / 'quoted'}" in answer.out
    answer = command(
        "apply", trained.path, images / "0.png", images / "1.png", tmp_path / "expanded", "--format", "tif"
    )
    assert answer.code == 0
    assert sorted(path.name for path in (tmp_path / "expanded").iterdir()) == [
        ".cuello-applied.jsonl",
        "0.tif",
        "1.tif",
    ]


def test_json_says_file_by_file_what_was_estimated_and_what_failed(tmp_path: Path, command: Command) -> None:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96] / 95
    clean = 0.2 + 0.6 * x * y
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(((clean + 0.1 * random.standard_normal(x.shape)).clip(0, 1) * 255).round().astype(np.uint8)).save(
        source / "a.png"
    )
    dark = ((clean + 0.05 * random.standard_normal(x.shape)).clip(0, 1) * 1000).round().astype(np.uint16)
    tifffile.imwrite(source / "b.tif", dark, photometric="minisblack")
    (source / "c.png").write_bytes(b"no image")
    answer = command("apply", "denoise", source, tmp_path / "out", "--json")
    assert (answer.code, answer.error) == (1, "")
    found = json.loads(answer.out)
    a, b, c = found["files"]
    assert (a["input"], a["output"]) == (str(source / "a.png"), str(tmp_path / "out" / "a.png"))
    assert (a["range"], a["reason"], a["notes"]) == (None, None, [])
    assert a["sigma"] == pytest.approx(25.5, rel=0.1)
    low, high = map(float, b["range"].split(".."))
    assert low < 200
    assert 800 < high < 1400
    assert b["sigma"] == pytest.approx(255 * 0.05 * 1000 / 65535, rel=0.15), "as --sigma takes it: of the type's white"
    assert c["output"] is None
    assert "is not an image" in c["reason"]
    assert found["skipped"] == []
    answer = command("apply", "denoise", source, tmp_path / "out", "--json", "--skip-existing")
    assert json.loads(answer.out)["skipped"] == [a["output"], b["output"]]
    answer = command("apply", "denoise", source / "a.png", tmp_path / "told.png", "--json", "--sigma", 20)
    assert json.loads(answer.out)["files"][0]["sigma"] is None


@pytest.mark.parametrize(
    ("format", "asked", "expected"),
    [("PNG", None, "PNG"), ("PPM", None, "PPM"), ("TIFF", "png", "PNG"), ("GIF", None, "PNG"), ("PNG", "webp", "WEBP")],
)
def test_an_image_goes_from_stdin_to_stdout(
    trained: Run, model: Model, tmp_path: Path, make_image: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch,
    command: Command, format: str, asked: str | None, expected: str,
) -> None:  # fmt: skip
    image = make_image(0, 20, 24)
    streams = Streams(monkeypatch, as_bytes(image, format))
    given = ["--format", asked] if asked else []
    answer = command("apply", trained.path, "-", "-", *given)
    assert answer.code == 0
    with Image.open(io.BytesIO(streams.out.getvalue())) as result:
        assert result.format == expected
        if format != "GIF":
            assert np.array_equal(np.asarray(result), model(image))
    assert answer.out == ""
    assert str(tmp_path.parent.parent) not in answer.error
    if format == "GIF":
        assert "note: stdin.gif is P and was written as RGB" in answer.error


def test_one_end_may_be_a_stream(
    trained: Run, model: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    expected = model(np.asarray(Image.open(images / "0.png")))
    Streams(monkeypatch, (images / "0.png").read_bytes())
    assert command("apply", trained.path, "-", tmp_path / "out.png", "--quiet").code == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), expected)
    streams = Streams(monkeypatch)
    assert command("apply", trained.path, images / "0.png", "-", "--quiet").code == 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(streams.out.getvalue()))), expected)


def test_mistakes_with_streams(
    trained: Run, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, command: Command
) -> None:
    for given, said in ((b"", "is empty (0 bytes)"), (b"hello", "is not an image of a kind")):
        streams = Streams(monkeypatch, given)
        assert said in refused("apply", trained.path, "-", "-")
        assert streams.out.getvalue() == b""
    assert "both go to standard output" in refused("apply", trained.path, images / "0.png", "-", "--json")
    assert "holds one image" in refused("apply", trained.path, images, "-")
    assert "one IN and one OUT" in refused("apply", trained.path, "-", images / "0.png", tmp_path)
    streams = Streams(monkeypatch, b"\x89PNG no")
    answer = command("apply", trained.path, "-", "-")
    assert answer.code == 1
    assert "failed: stdin.png is" in answer.error
    assert streams.out.getvalue() == b""
    Streams(monkeypatch, terminal=True)
    assert "is a terminal here" in refused("apply", trained.path, "-", tmp_path / "out.png")
    assert "cannot be written to a terminal" in refused("apply", trained.path, images / "0.png", "-")
    assert not list(tmp_path.iterdir())


def test_real_streams(images: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (images / "0.png").open("rb") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "cuello", "apply", "denoise", "-", "-", "--format", "tif"], check=True, stdin=file,
            capture_output=True, env=environment,
        )  # fmt: skip
    assert tifffile.imread(io.BytesIO(ended.stdout)).shape == (40, 40, 3)
