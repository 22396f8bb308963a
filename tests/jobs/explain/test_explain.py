"""Occlusion maps of files: the arrays are `occlusion_map`'s own, what is written, left out and refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.progress import Progress
from cuello.data.sources import array_source
from cuello.data.split import split
from cuello.jobs.explain import settings as map_settings
from cuello.jobs.explain.chosen import chosen
from cuello.jobs.explain.explain import explain
from cuello.jobs.explain.figures import Scale, Shown, overlay, views_of
from cuello.jobs.explain.folder import UNFINISHED, claimed, remove_overlays
from cuello.models.catalog import Architecture, build
from cuello.runs.artefact import Artefact, save_artefact
from cuello.runs.directory import Run

TINY: dict[str, Any] = {"epochs": 1, "batch_size": 8, "device": "cpu", "threads": 1, "report": False}


@pytest.fixture(scope="module")
def examples(make_classes: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classes(tmp_path_factory.mktemp("data") / "light", 6)


@pytest.fixture(scope="module")
def run(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A classifier of images of any size."""
    output = tmp_path_factory.mktemp("runs") / "light"
    return cuello.train("classify", examples, model="classify-s", output=output, **TINY)


@pytest.fixture(scope="module")
def fixed(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A classifier of images of 10×12 pixels only."""
    output = tmp_path_factory.mktemp("runs") / "fixed"
    return cuello.train("classify", examples, model="classify-mnist", output=output, **TINY)


def tensor_of(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.asarray(Image.open(path), np.float32) / 255)[None, None]


def test_maps_in_the_file_are_those_of_occlusion_map(run: Run, examples: Path, tmp_path: Path) -> None:
    found = explain(run.path, examples, tmp_path / "out", box=4, stride=2, fill="mean", pictures=2)
    model = cuello.load(run.path)
    paths = sorted(examples.rglob("*.png"))
    images = torch.cat([tensor_of(path) for path in paths])
    expected = cuello.occlusion_map(model.network, images, 4, stride=2, fill="mean")
    with np.load(tmp_path / "out" / "maps.npz") as arrays:
        assert arrays["maps"].dtype == np.float32
        np.testing.assert_allclose(arrays["maps"], expected.maps[:, 0].numpy(), atol=1e-6)
        assert arrays["names"].tolist() == [f"{path.parent.name}/{path.name}" for path in paths] == found.names
        assert arrays["classes"].tolist() == expected.classes[:, 0].tolist()
        assert arrays["class_names"].tolist() == [model.classes[k] for k in expected.classes[:, 0]]
        np.testing.assert_allclose(arrays["scores"], expected.scores[:, 0].numpy(), atol=1e-6)
        settings = json.loads(str(arrays["settings"]))
    assert (settings["box"], settings["stride"], settings["fill"], settings["score"]) == (4, 2, "mean", "drop")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found.written)
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == [
        "bright-00.png", "dark-05.png",
    ]  # fmt: skip
    assert "overlays are drawn of 2 of 12 images; of all with pictures=12" in found.notes
    record = json.loads((tmp_path / "out" / "explain.json").read_text())
    assert record["settings"] == settings
    assert record["environment"]["cuello"] == cuello.__version__
    assert [image["highest"] for image in record["images"]] == [float(values.max()) for values in found.maps]


def test_of_a_data_set_so_many_and_those_for_testing_first(run: Run, examples: Path, tmp_path: Path) -> None:
    names = [f"{path.parent.name}/{path.name}" for path in sorted(examples.rglob("*.png"))]
    parts = split(12, validation=0.15, test=0.35, seed=run.config.split_seed)  # as few images are divided by default
    assert (len(parts.test), len(parts.validation)) == (4, 2)
    found = explain(run.path, examples, tmp_path / "out", limit=7, pictures=0)
    order = [*parts.test.tolist(), *parts.validation.tolist(), int(parts.train[0])]
    assert found.names == [names[place] for place in order]
    said = f"7 of the 12 images of {examples} are explained, test images first, spread over the classes; "
    assert f"{said}limit=12 explains all" in found.notes
    assert json.loads((tmp_path / "out" / "explain.json").read_text())["settings"]["limit"] == 7
    with pytest.raises(CuelloError, match="limit: got 0, needed 1 or more"):
        explain(run.path, examples, tmp_path / "none", limit=0)


def test_which_images_of_a_data_set_are_chosen() -> None:
    pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    source = replace(array_source(pixels, np.arange(40)), held_out=np.arange(35, 40))
    taken = chosen(source, "digits")
    expected = [35, 36, 37, 38, 39, *range(27)]
    assert [int(taken.read(place).pixels.item()) for place in range(len(taken.names))] == expected
    assert taken.labels is not None
    assert taken.labels.tolist() == expected
    assert list(taken.notes) == [
        "32 of the 40 images of digits are explained, test images first, spread over the classes; limit=40 explains all"
    ]
    assert [int(chosen(source, "digits", limit=50).read(place).pixels.item()) for place in (0, 5, 39)] == [35, 0, 34]
    assert chosen(source, "mine.npy") is source
    plain = replace(source, held_out=None)
    assert "are explained, spread over the classes; limit=40" in chosen(plain, "mine.npy", limit=2).notes[0]


def test_of_sorted_classes_some_of_each_are_chosen() -> None:
    """Ten images of each of three classes, one after the other; nine are for testing: two, four and three of them."""
    pixels, labels = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1), np.repeat([0, 1, 2], 10)
    held_out = np.array([8, 9, 11, 12, 13, 14, 27, 28, 29])
    source = replace(array_source(pixels, labels), held_out=held_out)

    def taken(source: Any, limit: int) -> list[int]:
        return [int(one.read(place).pixels.item()) for one in [chosen(source, "mine", limit=limit)]
                for place in range(limit)]  # fmt: skip

    assert taken(source, 3) == [8, 11, 27]
    assert taken(source, 5) == [8, 9, 11, 12, 27]
    assert taken(source, 12) == [*held_out, 0, 10, 20], "then the others, again of every class"
    plain = replace(source, labels=None)
    assert taken(plain, 5) == [8, 11, 13, 27, 29], "the first, the last, and what lies evenly between"
    assert "are explained, test images first, spread evenly; limit=30" in chosen(plain, "mine", limit=5).notes[0]


def test_a_class_by_name_and_images_of_several_sizes(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size in (("a", (9, 14)), ("b", (16, 8))):
        Image.fromarray(np.random.default_rng(1).integers(0, 255, size).astype(np.uint8)).save(folder / f"{name}.png")
    explain(run.path, folder, tmp_path / "out", class_="dark", score="logit-drop", pictures=0)
    model = cuello.load(run.path)
    with np.load(tmp_path / "out" / "maps.npz") as arrays:
        assert "maps" not in arrays
        for place, name in enumerate("ab"):
            expected = cuello.occlusion_map(
                model.network, tensor_of(folder / f"{name}.png"), classes=[1], score="logit-drop"
            )
            np.testing.assert_allclose(arrays[f"map_{place}"], expected.maps[0, 0].numpy(), atol=1e-6)
        assert arrays["class_names"].tolist() == ["dark", "dark"]


def test_images_of_another_size_are_refused_or_left_out(
    fixed: Run, examples: Path, make_classes: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_classes(tmp_path / "images", 2)
    Image.new("L", (14, 9)).save(folder / "dark" / "wide.png")
    with pytest.raises(CuelloError, match=r"dark/wide\.png has 14×9 pixels, .* takes 10×12.*resize='10x12'.*skip"):
        explain(fixed.path, folder, tmp_path / "out", on_error="stop")
    found = explain(fixed.path, folder, tmp_path / "out", pictures=0)
    assert [name for name, _ in found.failed] == ["dark/wide.png"]
    assert len(found.maps) == 4
    with pytest.raises(CuelloError, match=r"no image fits; the first problem: wide\.png has"):
        explain(fixed.path, folder / "dark" / "wide.png", tmp_path / "none")
    resized = explain(fixed.path, folder, tmp_path / "resized", resize="10x12", pictures=0)
    assert {values.shape for values in resized.maps} == {(12, 10)}


def test_what_was_finished_is_kept_after_an_interrupt(run: Run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 8, 8), np.uint8)
    np.save(tmp_path / "many.npy", pixels)

    def stop(event: Progress) -> None:
        if event.stage == "explaining" and event.done > 64:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the maps of 64 of 70 images are in"):
        explain(run.path, tmp_path / "many.npy", tmp_path / "o", box=8, pictures=0, progress=stop)
    with np.load(tmp_path / "o" / "maps.npz") as arrays:
        assert len(arrays["maps"]) == len(arrays["names"]) == 64


def test_an_image_that_is_refused_is_named_and_the_others_go_on(
    run: Run, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tensor_of(examples / "dark" / "03.png")

    def picky(model: Any, images: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        if any(torch.equal(image[None], bad) for image in images):
            raise CuelloError("not this one.")
        return cuello.occlusion_map(model, images, *arguments, **options)

    monkeypatch.setattr(map_settings, "occlusion_map", picky)
    with pytest.raises(CuelloError, match=r"dark/03\.png: not this one"):
        explain(run.path, examples, tmp_path / "a", pictures=0, on_error="stop")
    found = explain(run.path, examples, tmp_path / "b", pictures=0)
    assert found.failed == [("dark/03.png", "not this one.")]
    assert len(found.maps) == 11


@pytest.mark.parametrize(
    ("classifier", "settings", "said"),
    [
        (None, {"class_": "drak"}, r"class_: got 'drak', needed .* bright, dark\. Did you mean 'dark'"),
        (None, {"class_": "2"}, "class_: got '2', needed 'predicted', a number from 0 to 1"),
        (None, {"box": 11}, "box: got 11 pixels of width for images of 10"),
        (None, {"check": 0.5}, "exact maps need no check"),
        ("denoise", {}, "denoise is not a classifier: its job is denoise"),
        ("c.onnx", {"device": "cuda"}, "ONNX files run on the processor"),
    ],
)
def test_mistakes(
    run: Run, examples: Path, tmp_path: Path, classifier: str | None, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(CuelloError, match=said):
        explain(classifier or run.path, examples, tmp_path / "a", **settings)


@pytest.fixture(scope="module")
def estimator(run: Run, make_estimator: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_estimator(tmp_path_factory.mktemp("runs") / "estimator", run.path, box=4, stride=2, fill="mean")


def test_maps_are_estimated_in_one_pass_and_said_to_be(
    run: Run, estimator: Path, examples: Path, tmp_path: Path
) -> None:
    found = explain(run.path, examples, tmp_path / "out", model=estimator, pictures=1)
    paths = sorted(examples.rglob("*.png"))
    images = torch.cat([tensor_of(path) for path in paths])
    shares = cuello.load(run.path).classify(images)
    with torch.no_grad():
        expected = cuello.load(estimator).network(images, shares.argmax(1)).image[:, 0].numpy()
    with np.load(tmp_path / "out" / "maps.npz") as arrays:
        np.testing.assert_allclose(arrays["maps"], expected, atol=1e-5)
        np.testing.assert_allclose(arrays["scores"], shares.max(1).values.numpy(), rtol=1e-5)
        settings = json.loads(str(arrays["settings"]))
    assert (settings["box"], settings["stride"], settings["fill"]) == (4, 2, "mean")
    assert (settings["definition"], settings["model"]) == ("standardised-sum", str(estimator))
    assert set(found.methods) == {"estimated"}
    record = json.loads((tmp_path / "out" / "explain.json").read_text())
    assert (record["estimator"], record["exact"], "check" in record) == ("explain-s", False, False)
    assert record["seconds_per_map"] > 0
    page = (tmp_path / "out" / "explain.html").read_text()
    assert "Estimated in one pass by explain-s, not exact: " in page
    assert "was not checked" in page
    with pytest.raises(CuelloError, match="box: got 3, but explain-s learned maps with box 4"):
        explain(run.path, examples, tmp_path / "no", model=estimator, box=3)
    with pytest.raises(CuelloError, match="no other's"):
        explain(run.path, examples, tmp_path / "no", model=estimator, class_="dark")


def test_a_check_is_of_the_exact_maps_and_warns(run: Run, estimator: Path, examples: Path, tmp_path: Path) -> None:
    found = explain(run.path, examples, tmp_path / "out", model=estimator, check=0.25, pictures=0)
    check = found.check
    assert check is not None
    assert len(check.names) == 3
    paths = {f"{path.parent.name}/{path.name}": path for path in examples.rglob("*.png")}
    for name, exact in zip(check.names, check.exact, strict=True):
        expected = cuello.occlusion_map(
            cuello.load(run.path).network, tensor_of(paths[name]), 4, stride=2, fill="mean",
            definition="standardised-sum",
        )  # fmt: skip
        np.testing.assert_allclose(exact, expected.maps[0, 0].numpy(), atol=1e-4)
    record = json.loads((tmp_path / "out" / "explain.json").read_text())["check"]
    assert (record["images"], record["of"], record["seed"], record["trusted"]) == (3, 12, 0, False)
    worst = int(np.argmin(check.pearson.values))
    assert record["pearson"]["worst"] == {"name": check.names[worst], "value": check.pearson.values[worst]}
    assert record["mse"]["mean"] == pytest.approx(np.mean([each["mse"] for each in record["each"]]))
    page = (tmp_path / "out" / "explain.html").read_text()
    assert "Warning: the estimates are far from the exact maps" in page
    assert "Estimated and exact" in page
    with pytest.raises(CuelloError, match=r"check: got 2, needed a share"):
        explain(run.path, examples, tmp_path / "no", model=estimator, check=2)


def test_images_must_fit_an_estimator_of_one_size(
    run: Run, examples: Path, tmp_path: Path, make_estimator: Callable[..., Path]
) -> None:
    estimator = make_estimator(tmp_path / "estimator", run.path, "explain-hits", (16, 16))
    with pytest.raises(CuelloError, match=r"has 10×12 pixels, but explain-hits takes 16×16\. .*resize='16x16'"):
        explain(run.path, examples, tmp_path / "out", model=estimator)
    found = explain(run.path, examples, tmp_path / "out", model=estimator, resize="16", pictures=0)
    assert {values.shape for values in found.maps} == {(16, 16)}


def test_what_is_estimated_is_kept_where_the_check_is_interrupted(
    run: Run, estimator: Path, examples: Path, tmp_path: Path
) -> None:
    def stop(event: Progress) -> None:
        if event.stage == "checking exactly":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"the maps of 12 of 12 images are in .*, unchecked"):
        explain(run.path, examples, tmp_path / "o", model=estimator, check=1, pictures=0, progress=stop)
    assert "check" not in json.loads((tmp_path / "o" / "explain.json").read_text())


def test_boxes_slide_over_the_padding_that_a_classifier_puts_itself(tmp_path: Path) -> None:
    settings = {"channels": 1, "height": 8, "width": 9, "classes": 2, "pad": 2, "stages": [[3], [4]]}
    architecture = Architecture("classify-tiny", "classifier", settings)
    torch.manual_seed(0)
    network = build(architecture)
    artefact = Artefact(architecture, "classify", None, network.state_dict(), classes=("a", "b"))
    save_artefact(tmp_path / "model.safetensors", artefact)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 9), np.uint8)).save(tmp_path / "i.png")
    found = explain(tmp_path, tmp_path / "i.png", tmp_path / "out", pictures=0)
    plain = build(Architecture("plain", "classifier", {**settings, "pad": 0, "height": 12, "width": 13}))
    plain.load_state_dict(network.state_dict())
    image = tensor_of(tmp_path / "i.png")
    expected = cuello.occlusion_map(plain.eval(), image, padding=2).maps[0, 0].numpy()
    np.testing.assert_allclose(found.maps[0], expected, atol=1e-6)
    without = cuello.occlusion_map(network.eval(), image).maps[0, 0].numpy()
    assert np.abs(found.maps[0] - without).max() > 1e-5, "boxes on the image alone give another map"
    with pytest.raises(CuelloError, match=r"padding: got 2, .* pads its images itself, by 2 pixels, .* leave it out"):
        explain(tmp_path, tmp_path / "i.png", tmp_path / "no", padding=2)


def test_only_overlays_of_an_earlier_call_are_deleted(run: Run, examples: Path, tmp_path: Path) -> None:
    overlays = tmp_path / "out" / "overlays"
    overlays.mkdir(parents=True)
    (overlays / "mine.png").write_bytes(b"the user's")
    (overlays / "01.png").write_bytes(b"the user's too")
    with pytest.raises(CuelloError, match="holds overlays already"):
        explain(run.path, examples / "dark" / "00.png", tmp_path / "out")
    explain(run.path, examples / "dark" / "00.png", tmp_path / "out", overwrite=True)
    with pytest.raises(CuelloError, match=r"holds maps\.npz, .*overwrite=True"):
        explain(run.path, examples / "dark" / "01.png", tmp_path / "out")
    found = explain(run.path, examples / "dark" / "01.png", tmp_path / "out", overwrite=True)
    assert sorted(path.name for path in overlays.iterdir()) == ["01-2.png", "01.png", "mine.png"]
    assert found.overlays == ["01-2.png"]
    assert (overlays / "mine.png").read_bytes() == b"the user's"
    assert (overlays / "01.png").read_bytes() == b"the user's too"


def test_a_record_cannot_make_other_files_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "overlays").mkdir()
    names = ["kept.png", "notes.txt", "overlays/a.png"]
    for name in names:
        (tmp_path / name).write_text("the user's")
    (tmp_path / "overlays" / "notes.txt").write_text("the user's")
    for listed in (["../kept.png", "notes.txt", "", 3, None, str(tmp_path / "kept.png")], "a.png", None, {"a.png": 1}):
        (tmp_path / "explain.json").write_text(json.dumps({"overlays": listed}))
        remove_overlays(tmp_path)
    (tmp_path / "explain.json").write_text("no JSON")
    remove_overlays(tmp_path)
    assert all((tmp_path / name).exists() for name in [*names, "overlays/notes.txt"])
    (tmp_path / "explain.json").write_text(json.dumps({"overlays": ["a.png", "gone.png"]}))
    remove_overlays(tmp_path)
    assert not (tmp_path / "overlays" / "a.png").exists()


def test_overlays_of_a_call_that_fails_are_taken_back(
    run: Run, make_classes: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_classes(tmp_path / "images", 2)
    Image.new("L", (5, 9)).save(folder / "dark" / "small.png")
    Image.new("L", (12, 12)).save(folder / "bright" / "02.png")  # a group by itself
    drawn: list[Path] = []

    def watch(event: Progress) -> None:
        drawn.extend((tmp_path / "o").rglob("bright-*.png"))

    with pytest.raises(CuelloError, match=r"dark/small\.png: box: got 6 pixels of width"):
        explain(run.path, folder, tmp_path / "o", box=6, on_error="stop", progress=watch)
    assert drawn
    assert not (tmp_path / "o").exists()


def test_an_overlay_is_the_image_in_grey_where_a_signed_map_is_zero() -> None:
    pixels = np.random.default_rng(0).random((4, 5, 3))
    values = np.zeros((4, 5))
    values[0, 0], values[1, 1] = 2, -1
    drawn = overlay(pixels, values, Scale(True, ""))
    still = values == 0
    np.testing.assert_allclose(drawn[still], 0.1 + 0.7 * pixels.mean(2)[still][:, None].repeat(3, 1), atol=1e-9)
    assert drawn[0, 0, 0] > drawn[0, 0, 2], "the largest fall is red"
    assert drawn[1, 1, 2] > drawn[1, 1, 0], "below zero is blue"
    half = overlay(np.zeros((1, 2, 1)), np.array([[0.2, 0.6]]), Scale(False, ""))
    np.testing.assert_allclose(
        half[0, 1], np.array([253, 231, 37]) / 255 / 2 + 0.05, atol=3e-3
    )  # viridis' yellow, half


def test_several_views_have_the_map_under_each() -> None:
    values = np.arange(6.0).reshape(2, 3)
    image, over = views_of(Shown("a", np.zeros((2, 3, 4)), values, "", ""))
    assert image.shape[:2] == over.shape == (4, 6)
    np.testing.assert_array_equal(over, np.tile(values, (2, 2)))


STUCK = """
import os, sys, time
from cuello.jobs.explain.explain import explain

replace = os.replace

def stuck(temporary, path):
    if os.path.basename(path) == sys.argv[1]:
        print("here", flush=True)
        time.sleep(600)
    replace(temporary, path)

os.replace = stuck
explain(*sys.argv[2:])
"""


@contextmanager
def writing(name: str, run: Run, images: Path, output: Path) -> Iterator[None]:
    """Let another process explain images, stuck while it writes a file of this name; killed at the end."""
    words = [sys.executable, "-c", STUCK, name, str(run.path), str(images), str(output)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["bright-01.png", "maps.npz", "explain.json"])
def test_what_a_killed_call_left_is_cleared_and_the_users_own_pictures_are_not(
    run: Run, examples: Path, tmp_path: Path, name: str
) -> None:
    images = examples / "bright" if name == "explain.json" else examples
    with writing(name, run, examples, tmp_path):
        assert list(tmp_path.rglob(f".{Path(name).stem}.*.cuello-tmp*")), "half of a file is there"
        with pytest.raises(CuelloError, match=r"cuello explain is at work there \(process .*output"):
            explain(run.path, images, tmp_path, overwrite=True)
        assert (tmp_path / "overlays" / "bright-00.png").exists(), "a call that runs loses nothing"
    mine = tmp_path / "overlays" / "mine.png"
    mine.write_bytes(b"of the user")
    with pytest.raises(CuelloError, match="overwrite"):
        explain(run.path, images, tmp_path)
    assert list(tmp_path.rglob("*.*")) == [mine]
    mine.unlink()
    mine.parent.rmdir()
    found = explain(run.path, images, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(found.written)
    assert sorted(path.name for path in (tmp_path / "overlays").iterdir()) == sorted(found.overlays)


def test_what_was_there_stays_where_a_call_that_may_replace_it_fails(tmp_path: Path) -> None:
    (tmp_path / "maps.npz").write_text("an earlier call's")
    for name in ("notes.txt", "mine.png"):
        (tmp_path / name).write_text("the user's")
    (tmp_path / UNFINISHED).write_text("notes.txt\nmine.png\n../notes.txt\noverlays\n\n")
    (tmp_path / "overlays").mkdir()

    def failing() -> None:
        with claimed(tmp_path, overwrite=True) as begun:
            for name in ("maps.npz", "explain.json"):
                begun.begin(tmp_path / name)
            (tmp_path / "explain.json").write_text("half")
            raise ValueError("fails")

    with pytest.raises(ValueError, match="fails"):
        failing()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps.npz", "mine.png", "notes.txt"]
