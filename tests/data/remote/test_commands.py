"""Whole commands over URLs: what they find, what they keep, and what they never keep."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cuello
from cuello.cli import main
from cuello.core.errors import CuelloError
from cuello.core.progress import Progress
from cuello.data.remote.cache import size_of_cache

Png = Callable[..., bytes]
BUCKET = "s3://photos-bucket"


@pytest.fixture
def photos(s3: Any, own_place: Path, make_png: Png) -> str:
    for path in s3.find("photos-bucket"):
        s3.rm(path)
    for kind in ("cat", "dog"):
        s3.pipe({f"photos-bucket/in/{kind}/{k}.png": make_png(k + (kind == "dog") * 9, side=32) for k in range(4)})
        s3.pipe({f"photos-bucket/clean/{kind}/{k}.png": make_png(50 + k, side=32) for k in range(4)})
    return f"{BUCKET}/in"


FLAGS = ["--model", "conv-8-16-8", "--crop", "16", "--epochs", "1", "--batch-size", "8", "--threads", "1", "--quiet"]


def words_in(folder: Path) -> str:
    """Return all text, and all bytes as text, that a run holds."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def test_train_resume_and_evaluate(
    photos: str, command: Callable[..., Any], refused: Callable[..., str], tmp_path: Path, s3: Any, make_png: Png,
    own_place: Path,
) -> None:  # fmt: skip
    run = tmp_path / "run"
    trained = command("train", "denoise", photos, "--target", f"{BUCKET}/clean", "-o", run, "--no-report", *FLAGS)
    assert trained.code == 0, trained.error
    config = (run / "config.toml").read_text("utf-8")
    assert f'data = "{photos}"' in config
    assert f'target = "{BUCKET}/clean"' in config
    assert "nothing" not in config, "the secret key"
    everything = words_in(run)
    assert str(own_place) not in everything
    assert own_place.name + "/remote" not in everything
    assert command("resume", run, "--epochs", "2", "--quiet", "--no-report").code == 0
    assert command("evaluate", run, "--baselines", "input", "--quiet").code == 0
    s3.pipe("photos-bucket/in/cat/1.png", make_png(77, side=32))
    assert "are not those it was trained on" in refused("evaluate", run, "--quiet")
    assert "images" in refused("resume", run, "--epochs", "3", "--quiet")


def test_classes_and_their_maps(
    photos: str, command: Callable[..., Any], refused: Callable[..., str], tmp_path: Path, own_place: Path
) -> None:
    run, maps = tmp_path / "pets", tmp_path / "maps"
    trained = command(
        "train", "classify", photos, "-o", run, "--epochs", "1", "--threads", "1", "--quiet", "--no-report"
    )
    assert trained.code == 0, trained.error
    assert "needed is a place on this machine" in refused("explain", run, f"{photos}/cat", "-o", f"{BUCKET}/maps")
    explained = command("explain", run, f"{photos}/cat", "-o", maps, "--limit", "1", "--box", "9", "--quiet")
    assert explained.code == 0, explained.error
    record = json.loads((maps / "explain.json").read_text("utf-8"))
    assert f"{photos}/cat" in json.dumps(record)
    assert str(own_place) not in words_in(maps)


def test_apply_and_noise(photos: str, trained: Any, command: Callable[..., Any], s3: Any, own_place: Path) -> None:
    applied = command("apply", trained.path, photos, f"{BUCKET}/out", "--json")
    assert applied.code == 0, applied.error
    found = json.loads(applied.out)
    assert found["written"][0] == f"{BUCKET}/out/cat/0.png"
    assert found["files"][0]["input"] == f"{photos}/cat/0.png"
    assert str(own_place) not in applied.out
    assert len(s3.find("photos-bucket/out")) == 8
    again = command("apply", trained.path, photos, f"{BUCKET}/out", "--skip-existing")
    assert "0 written, 8 existed already" in again.out
    measured = command("noise", photos, "--json")
    assert measured.code in (0, 2)
    assert str(own_place) not in measured.out + measured.error


def test_an_image_at_a_url_to_standard_output_and_back(
    photos: str, trained: Any, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str],
    command: Callable[..., Any], own_place: Path,
) -> None:  # fmt: skip
    class Stream:
        def __init__(self, content: bytes = b"") -> None:
            self.buffer = io.BytesIO(content)

        def isatty(self) -> bool:
            return False

        def write(self, _: str) -> None: ...
        def flush(self) -> None: ...

    out = Stream()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as stop:
            main(["apply", str(trained.path), f"{photos}/cat/0.png", "-"])
        assert stop.value.code == 0
    assert out.buffer.getvalue().startswith(b"\x89PNG")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Stream(s3.cat("photos-bucket/in/cat/0.png")))
        sent = command("apply", trained.path, "-", f"{BUCKET}/piped/a.png")
    assert sent.out == f"1 written: {BUCKET}/piped/a.png\n"
    assert s3.cat("photos-bucket/piped/a.png") == out.buffer.getvalue()
    assert f"{photos} is a folder, and standard output holds one image" in refused("apply", trained.path, photos, "-")


def test_how_large_the_cache_is(photos: str, trained: Any, command: Callable[..., Any], own_place: Path) -> None:
    assert command("noise", photos, "--json").code in (0, 2)
    files = [path for path in (own_place / "remote/objects").rglob("*") if path.is_file()]
    assert size_of_cache() == sum(path.stat().st_size for path in files) > 0
    assert f"MB of images from URLs; to free them, remove {own_place / 'remote'}" in command("doctor", "--json").out


def test_benchmark(photos: str, trained: Any, command: Callable[..., Any], tmp_path: Path, own_place: Path) -> None:
    found = command("benchmark", photos, trained.path, "--most", "2", "-o", tmp_path / "b", "--quiet")
    assert found.code == 0, found.error
    assert str(own_place) not in words_in(tmp_path / "b")


@pytest.mark.parametrize("place", [f"{BUCKET}/run", "https://host/run", "memory://run"])
def test_what_is_written_here_alone_says_so(
    photos: str, trained: Any, refused: Callable[..., str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["train", "denoise", photos, "--noise", "gaussian:25", "-o", place, *FLAGS],
        ["train", "denoise", photos, "--noise", "gaussian:25", "-o", place, "--repeats", "2", *FLAGS],
        ["noise", photos, "-o", place],
        ["denoise", photos, tmp_path / "out", "--report", place],
        ["benchmark", photos, trained.path, "-o", place],
    ):
        said = refused(*words)
        assert "is a URL, and needed is a place on this machine" in said, words
    assert list(tmp_path.iterdir()) == []


def test_a_run_at_a_url_is_no_run(refused: Callable[..., str], tmp_path: Path, photos: str) -> None:
    for words in (["apply", f"{BUCKET}/run", photos, tmp_path / "out"], ["resume", f"{BUCKET}/run"]):
        assert "is a URL, and needed is a place on this machine" in refused(*words)


def test_python_takes_the_same_texts(photos: str, s3: Any, tmp_path: Path, small: dict[str, Any]) -> None:
    run = cuello.train("denoise", photos, output=tmp_path / "run", report=False, **small)
    assert run.config.data == photos
    assert cuello.denoise(f"{photos}/cat/0.png", f"{BUCKET}/one.png").written == [f"{BUCKET}/one.png"]
    several = [f"{photos}/cat/0.png", f"{photos}/dog/1.png", f"{photos}/dog/2.png"]
    listed = cuello.train("denoise", several, output=tmp_path / "listed", report=False, **small)
    assert listed.config.data.startswith("python:list[3]#")
    with pytest.raises(CuelloError, match=r"there is no file or folder s3://photos-bucket/in/none\.png"):
        cuello.train("denoise", [*several, f"{photos}/none.png"], output=tmp_path / "other", report=False, **small)


def test_progress_of_fetching_is_told_to_whoever_listens(photos: str, tmp_path: Path, small: dict[str, Any]) -> None:
    events: list[Progress] = []
    cuello.train("denoise", photos, output=tmp_path / "run", report=False, progress=events.append, **small)
    assert [event.done for event in events if event.stage == "fetching"] == [0, 8]


def test_a_network_is_exported_to_a_url(
    photos: str, trained: Any, command: Callable[..., Any], refused: Callable[..., str], s3: Any, own_place: Path
) -> None:
    place = f"{BUCKET}/exported/small.onnx"
    sent = command("export", trained.path, place)
    assert sent.code == 0, sent.error
    assert sent.out.startswith(f"{place}: ")
    assert s3.size("photos-bucket/exported/small.onnx") > 1000
    assert f"{place} exists already" in refused("export", trained.path, place)
    assert command("export", trained.path, place, "--overwrite").code == 0
    assert "needed .onnx or .html" in refused("export", trained.path, f"{BUCKET}/exported/small.txt")
    folder = f"{BUCKET}/exported/hub"
    assert command("export", trained.path, folder, "--hub").code == 0
    assert "photos-bucket/exported/hub/model.safetensors" in s3.find("photos-bucket/exported/hub")
    assert f"{folder} exists already" in refused("export", trained.path, folder, "--hub", "--overwrite")
