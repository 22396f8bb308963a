"""The images whose codes are looked at: which, how they are called, what does not fit."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.latent.images import Known, choose, find_image, named_images, named_labels, own_images, typical
from cuello.latent.view import without_common
from cuello.runs.directory import Run

TINY: dict[str, Any] = {"epochs": 1, "device": "cpu", "threads": 1, "report": False, "model": "mlp:64-3"}


def write_classes(folder: Path, count: int = 12) -> Path:
    """Write 8×8 images of two classes, b lighter than a; the pixel in the corner says which image it is."""
    for number in range(count):
        kind = "ab"[number % 2]
        (folder / kind).mkdir(parents=True, exist_ok=True)
        pixels = np.full((8, 8), 40 + 150 * (number % 2), np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(folder / kind / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def run(classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("runs") / "run"
    return cuello.train("reconstruct", classes, output=path, test=0.4, **TINY)


def corners(known: Known) -> list[int]:
    return (known.x[:, 0, 0, 0] * 255).round().int().tolist()


def test_a_runs_own_images_are_its_test_images(run: Run, classes: Path) -> None:
    known = own_images(run.path)
    assert known.what == f"test images of {classes}"
    assert len(known) == known.total == 5
    assert known.x.shape == (5, 1, 8, 8)
    assert known.images.shape == (5, 8, 8, 1)
    assert known.classes == ["a", "b"]
    for name, corner, position in zip(known.names, corners(known), range(5), strict=True):
        assert name == f"{'ab'[corner % 2]}/{corner:02d}.png"
        assert known.label(position) == "ab"[corner % 2]
    few = own_images(run.path, most=2, keep=[known.names[2]])
    assert few.names == [known.names[0], known.names[2], known.names[4]]
    assert few.total == 5


def test_without_test_images_those_of_the_validation(classes: Path, tmp_path: Path) -> None:
    cuello.train("reconstruct", classes, output=tmp_path / "run", test=0.0, **TINY)
    assert own_images(tmp_path / "run").what == f"validation images of {classes}"


def test_a_closed_set_is_looked_at_whole(tmp_path: Path) -> None:
    cuello.train("reconstruct", "glyphs", output=tmp_path / "run", **{**TINY, "model": "mlp:35-2"}, samples=64)
    known = own_images(tmp_path / "run")
    assert (len(known), known.what) == (32, "training images of glyphs")
    assert known.label(1) == "a"
    assert known.binary


def test_crops_say_where_they_are(classes: Path, tmp_path: Path) -> None:
    cuello.train("reconstruct", classes, output=tmp_path / "run", crop=4, **{**TINY, "model": "mlp:16-2"})
    known = own_images(tmp_path / "run")
    assert known.x.shape[1:] == (1, 4, 4)
    assert " at " in known.names[0]
    assert known.what.startswith("test crops")
    assert known.classes, "a crop has its image's label"


def test_images_that_changed_since(classes: Path, tmp_path: Path) -> None:
    images = Path(shutil.copytree(classes, tmp_path / "images"))
    cuello.train("reconstruct", images, output=tmp_path / "run", **TINY)
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(images / "a" / "00.png")
    with pytest.raises(CuelloError, match=r"are not those it was trained on.*cuello latent RUN IMAGES"):
        own_images(tmp_path / "run")


def test_named_images(run: Run, classes: Path, tmp_path: Path) -> None:
    model = cuello.load(run.path)
    known = named_images(model, str(classes), most=4, keep=["a/02.png"])
    assert known.names == ["a/00.png", "a/02.png", "a/08.png", "b/03.png", "b/11.png"]
    assert (known.total, known.what) == (12, f"images of {classes}")
    assert [known.label(k) for k in range(len(known))] == [name[0] for name in known.names]
    larger = tmp_path / "larger"
    larger.mkdir()
    Image.fromarray(np.zeros((9, 12), np.uint8)).save(larger / "one.png")
    with pytest.raises(CuelloError, match=r"larger are 12×9 pixels; this network takes 8×8 alone\. Resize them first"):
        named_images(model, str(larger))


def test_named_images_are_resized_as_the_runs_own(classes: Path, tmp_path: Path) -> None:
    cuello.train("reconstruct", classes, output=tmp_path / "run", resize=4, **{**TINY, "model": "mlp:16-2"})
    assert named_images(cuello.load(tmp_path / "run"), str(classes)).x.shape == (12, 1, 4, 4)


def test_images_of_several_sizes(trained: Run, images: Path, tmp_path: Path) -> None:
    shutil.copytree(images, tmp_path / "images")
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(tmp_path / "images" / "z.png")
    with pytest.raises(CuelloError, match=r"have 2 sizes \(12×8, 40×40\), needed one"):
        named_images(cuello.load(trained.path), str(tmp_path / "images"))


def test_levels_are_kept_in_range(tmp_path: Path) -> None:
    """A network with a range of its own gets its codes from the same numbers, by way of files or arrays."""
    images = np.linspace(0, 4095, 20 * 64).reshape(20, 8, 8).astype(np.uint16)
    np.save(tmp_path / "deep.npy", images)
    cuello.train("reconstruct", tmp_path / "deep.npy", output=tmp_path / "run", range="0..4095", **TINY)
    model = cuello.load(tmp_path / "run")
    known = named_images(model, str(tmp_path / "deep.npy"))
    assert float(known.x.max()) == 1.0
    assert np.allclose(model.encode(known.x).numpy(), model.encode(images), atol=1e-5)


def test_a_name_or_a_label_finds_an_image(run: Run) -> None:
    known = own_images(run.path)
    codes = np.arange(len(known) * 2.0).reshape(-1, 2)
    assert find_image(known, known.names[3], codes) == 3
    assert known.labels is not None
    assert find_image(known, "b", codes) == typical(codes, known.labels == 1)
    with pytest.raises(CuelloError, match=r"no image \(or label\) called 'c'.*The first are called .*Labels: a, b\."):
        find_image(known, "c", codes)


def test_the_typical_code_is_nearest_to_the_mean() -> None:
    codes = np.array([[0.0], [4.0], [5.0], [100.0]])
    assert typical(codes, np.array([True, True, True, False])) == 1
    assert typical(codes, np.array([False, False, False, True])) == 3


def test_labels_are_counted_from_those_that_occur() -> None:
    assert named_labels(None, ["a"]) == (None, [])
    positions, names = named_labels(np.array([2, 0, 2]), ["x", "y", "z"])
    assert (np.asarray(positions).tolist(), names) == ([1, 0, 1], ["x", "z"])
    assert named_labels(np.array([-1, 9]), ["x"])[1] == ["-1", "9"]


def test_a_choice_is_spread_evenly() -> None:
    names = [str(k) for k in range(11)]
    assert choose(names, 3, []).tolist() == [0, 5, 10]
    assert choose(names, 100, []).tolist() == list(range(11))
    assert choose(names, 2, ["0", "4"]).tolist() == [0, 4, 10]


@pytest.mark.parametrize(
    ("names", "shown"),
    [(["a/001.png", "a/012.png"], ["001", "012"]), (["x"], ["x"]), (["aa", "aaa"], ["aa", "aaa"]),
     (["61 a", "62 b"], ["61 a", "62 b"])],
)  # fmt: skip
def test_names_are_shown_without_what_all_share(names: list[str], shown: list[str]) -> None:
    assert without_common(names) == shown
