"""Every command that reads a folder: names in any bytes, results outside it, and a division in place of classes."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.config import make_config, read_toml, to_toml
from cuello.core.errors import CuelloError
from cuello.core.files import write_text
from cuello.runs.directory import Run

Command = Callable[..., Any]
Refused = Callable[..., str]
QUICK = ("--epochs", 1, "--samples", 8, "--device", "cpu", "--threads", 1)
NAMES = ("f\udce9.png", "two\nlines.png", 'a,"q".png', f"{'x' * 250}.png", "<b>é&.png", "\x1b[31mred.png", "plain.png")


def save(folder: Path, *names: str) -> Path:
    for level, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(level).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of images whose names are hard to write down."""
    folder = tmp_path_factory.mktemp("odd") / "fotos-\udce9"
    try:
        return save(folder, *(f"{label}/{name}" for label in ("cat", "dog") for name in NAMES))
    except OSError:
        pytest.skip("this file system takes no such names")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("classes")
    images = save(folder / "images", *(f"{label}/{k}.png" for label in ("cat", "dog") for k in range(6)))
    settings: dict[str, Any] = {"epochs": 1, "samples": 8, "device": "cpu", "threads": 1, "report": False}
    return cuello.train("classify", images, output=folder / "run", **settings)


def test_names_in_any_bytes_are_trained_on_and_gone_on_with(odd: Path, tmp_path: Path, command: Command) -> None:
    run = tmp_path / "run"
    answer = command("train", "classify", odd, "-o", run, *QUICK)
    assert answer.code == 0, answer.error
    assert command("resume", run, "--epochs", 2).code == 0
    assert len(Run(run).history) == 2
    assert Run(run).config.data == str(odd)
    json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    with (run / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1
    assert "<b>é" not in (run / "report.html").read_text(encoding="utf-8")


def test_names_in_any_bytes_are_judged_explained_and_restored(
    odd: Path, classifier: Run, trained: Run, tmp_path: Path, command: Command
) -> None:
    assert command("evaluate", classifier.path, odd).code == 0
    assert command("explain", classifier.path, odd, "-o", tmp_path / "maps", "--box", 3).code == 0
    found = json.loads((tmp_path / "maps/explain.json").read_text(encoding="utf-8"))
    assert {image["name"].partition("/")[2] for image in found["images"]} >= {"f\\udce9.png", "two\\nlines.png"}
    assert len(list((tmp_path / "maps/overlays").iterdir())) == 14
    answer = command("apply", trained.path, odd, tmp_path / "out", "--json")
    assert answer.code == 0
    assert len(json.loads(answer.out)["written"]) == 14
    assert sorted(os.listdir(tmp_path / "out/cat")) == sorted(NAMES)


def test_a_configuration_keeps_paths_in_any_bytes(tmp_path: Path) -> None:
    config = make_config({"data": "fotos-\udce9/\n", "noise": "gaussian:25"})
    write_text(tmp_path / "config.toml", to_toml(config))
    assert make_config(read_toml(tmp_path / "config.toml")) == config


def test_a_run_needs_a_name_that_is_text(images: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"run-\\udce9 has bytes in its name that are not text"):
        cuello.train("denoise", images, noise="gaussian:25", crop=16, epochs=1, output=tmp_path / "run-\udce9")


def test_no_command_writes_among_the_images_it_reads(
    classifier: Run, trained: Run, tmp_path: Path, refused: Refused
) -> None:
    source = save(tmp_path / "in", *(f"{label}/{k}.png" for label in ("cat", "dog") for k in range(4)))
    elsewhere = save(tmp_path / "noisy", *(path.relative_to(source).as_posix() for path in source.rglob("*.png")))
    before = sorted(source.rglob("*"))
    for arguments in (
        ("train", "classify", source, "-o", source / "run", *QUICK),
        ("train", "denoise", elsewhere, "--target", source, "-o", source / "cat/run", "--model", "dncnn-s", *QUICK),
        ("train", "classify", source, "-o", source / "repeats", "--repeats", 2, *QUICK),
        ("search", "classify", source, "--over", "batch-size=4,8", "-o", source / "search", *QUICK),
        ("explain", classifier.path, source, "-o", source / "maps"),
        ("evaluate", trained.path, trained.path, source, "-o", source / "matrix"),
        ("evaluate", classifier.path, classifier.path.parent),
        ("apply", trained.path, source, source / "cat"),
    ):
        assert "would be images of the next call" in refused(*arguments)
        assert sorted(source.rglob("*")) == before


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_judged(
    classifier: Run, tmp_path: Path, command: Command, refused: Refused
) -> None:
    source = save(tmp_path / "in", *(f"{label}/{k}.png" for label in ("cat", "dog") for k in range(3)))
    (source / "cat/bad.png").write_bytes(b"no image")
    training = ("train", "classify", source, "-o", tmp_path / "run", *QUICK)
    stop = ("--on-error", "stop")
    for arguments in (("evaluate", classifier.path, source), training):
        assert "bad.png is not an image" in refused(*arguments, *stop)
    for arguments in (
        ("evaluate", classifier.path / "model.safetensors", source),
        ("explain", classifier.path, source, "-o", tmp_path / "maps", "--box", 3),
        training,
        ("evaluate", tmp_path / "run"),
        ("resume", tmp_path / "run", "--epochs", 2),
        ("train", "classify", source, "-o", tmp_path / "two", "--folds", 2, "--no-report", *QUICK),
        ("search", "classify", source, "--over", "batch-size=4,8", "-o", tmp_path / "search", *QUICK),
    ):
        answer = command(*arguments)
        assert answer.code == 1, answer.error
        last = answer.error.partition("left out: ")[2]
        assert "bad.png is not an image" in last, "in the beginning"
        if arguments[0] != "explain":
            assert "1 image was left out of this work:\n  " in last.rpartition("\n\n")[2]
        assert "bad.png is not an image" in last.rpartition("\n")[0].rpartition("\n")[2], "and in the end"
    assert "bad.png is not an image" in (tmp_path / "run/report.html").read_text("utf-8")
    assert len(json.loads((tmp_path / "maps/explain.json").read_text())["images"]) == 6


def test_classes_of_one_image_are_said(tmp_path: Path, command: Command) -> None:
    source = save(tmp_path / "in", "train/a/0.png", "train/a/1.png", "train/b/2.png", "val/a/3.png")
    answer = command("train", "classify", source, "-o", tmp_path / "run", "--test", 0, "--no-report", *QUICK)
    assert answer.code == 0, answer.error
    assert "note: classes of one image alone are learned from it and never judged: b" in answer.error


def test_a_division_is_told_before_the_training_and_judged_as_one(tmp_path: Path, command: Command) -> None:
    sizes = {"train": 4, "val": 2, "test": 3}
    names = [f"{part}/{label}/{k}.png" for part, count in sizes.items() for label in "ab" for k in range(count)]
    source = save(tmp_path / "pets", *names)
    answer = command("train", "classify", source, "-o", tmp_path / "run", *QUICK)
    assert answer.code == 0, answer.error
    assert "note: the images of" in answer.error
    assert "test for testing (6), train for training (8), val for validation (4)" in answer.error
    with (tmp_path / "run/images.csv").open(encoding="utf-8", newline="") as file:
        judged = [row[0] for row in csv.reader(file)][1:]
    again = command("evaluate", tmp_path / "run", source)
    assert "18 whole images. That is all of its parts, also those for training" in again.error
    assert judged == [f"test/{label}/{k}.png" for label in "ab" for k in range(3)]
