"""An exported ONNX file in the place of the model that it was made from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cuello
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def denoise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(cuello.export("denoise", tmp_path_factory.mktemp("onnx") / "denoise.onnx").path)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_image_comes_back_as_from_torch(denoise: Path, channels: int) -> None:
    image = np.random.default_rng(channels).random((300, 277, channels), np.float32)  # two tiles by two
    image[:40, :40] = 0.25  # flat, and kept
    for level in (None, 0.1):
        restored, expected = cuello.load(denoise)(image, level=level), cuello.load("denoise")(image, level=level)
        assert np.abs(restored - expected).max() <= 1e-5
    assert restored.dtype == expected.dtype == np.float32


def test_levels_of_a_batch_are_each_its_own(denoise: Path) -> None:
    x = torch.rand(3, cuello.load("denoise").channels, 16, 24, generator=torch.Generator().manual_seed(0))
    level = torch.tensor([0.02, 0.1, 0.2]).view(3, 1, 1, 1)
    found, expected = (cuello.load(one).restore_batch(x, level) for one in (denoise, "denoise"))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_command_writes_what_the_model_gives(
    command: Callable[..., Any], denoise: Path, tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    Image.fromarray(make_image(0, 45, 37)).save(tmp_path / "in.png")
    for name, one in (("a.png", denoise), ("b.png", "denoise")):
        assert command("apply", one, tmp_path / "in.png", tmp_path / name).code == 0
    first, second = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("a.png", "b.png"))
    assert np.abs(first - second).max() <= 1


def test_a_larger_image_comes_of_a_file_that_enlarges(tmp_path: Path) -> None:
    path = cuello.export("upscale-x2", tmp_path / "larger.onnx").path
    image = np.random.default_rng(0).random((21, 34, 3), np.float32)
    assert np.abs(cuello.load(path)(image) - cuello.load("upscale-x2")(image)).max() <= 1e-5


def test_a_classifier_tells_the_same_classes(tmp_path: Path) -> None:
    architecture = architecture_of("classify-s", 1, size=(24, 24), classes=2)
    weights = build(architecture).state_dict()
    save_artefact(tmp_path / FILE_NAME, Artefact(architecture, "classify", None, weights, classes=("cat", "dog")))
    path = cuello.export(tmp_path / FILE_NAME, tmp_path / "pets.onnx").path
    images = np.random.default_rng(0).random((5, 24, 24, 1), np.float32)
    model, plain = cuello.load(path), cuello.load(tmp_path / FILE_NAME)
    assert model.classes == ("cat", "dog")
    np.testing.assert_allclose(model.classify(images), plain.classify(images), atol=1e-5)


def test_ranges_are_known_and_the_way_to_the_images_is_not(trained: cuello.Run, tmp_path: Path) -> None:
    path = Path(cuello.export(trained, tmp_path / "model.onnx").path)
    model, plain = cuello.load(path), cuello.load(trained.path)
    assert (model.levels, model.channels, model.undoes) == (plain.levels, plain.channels, plain.undoes)
    assert str(trained.config.data) in str(plain.artefact.training["data"])
    assert str(trained.config.data).encode() not in path.read_bytes()


def test_a_damaged_file_is_refused(denoise: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(denoise.read_bytes()[:5000])
    with pytest.raises(cuello.CuelloError, match="cut short, or something else"):
        cuello.load(tmp_path / "cut.onnx")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            None,
            r"takes image, tensor\(float\) .* and gives result, .*needed: image, float32 \(N, C, H, W\), and result",
        ),
        ("{", "its description is no JSON"),
        (json.dumps({"format": 1}), r"lacks a part of its description \('channels'\)"),
    ],
)
def test_a_file_that_is_not_cuellos_is_refused_with_what_it_takes(
    denoise: Path, tmp_path: Path, said: str | None, problem: str
) -> None:
    made = onnx.load_model(denoise)
    onnx.helper.set_model_props(made, {} if said is None else {"cuello": said})
    onnx.save_model(made, tmp_path / "foreign.onnx")
    with pytest.raises(cuello.CuelloError, match=problem):
        cuello.load(tmp_path / "foreign.onnx")


def test_it_runs_on_the_processor_and_is_exported_no_second_time(denoise: Path, tmp_path: Path) -> None:
    with pytest.raises(cuello.CuelloError, match="runs on the processor"):
        cuello.load(denoise, device="cuda")
    with pytest.raises(cuello.CuelloError, match="exported network already"):
        cuello.export(denoise, tmp_path / "again.html")
