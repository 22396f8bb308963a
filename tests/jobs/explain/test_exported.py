"""Files that `cuello export` wrote, given to `cuello explain` and `cuello latent`: they work, or why not is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuello

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
COMMON: dict[str, Any] = {"epochs": 1, "samples": 32, "report": False}
LIMITS: dict[str, Any] = {"limit": 3, "pictures": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_estimator: Callable[..., Path]) -> Path:
    """A classifier of glyphs, a network with a code, and an estimator of the classifier's maps, each exported too."""
    folder = tmp_path_factory.mktemp("exported")
    cuello.train("classify", "glyphs", output=folder / "classify", **COMMON)
    cuello.train("generate", "glyphs", output=folder / "codes", **COMMON)
    make_estimator(folder / "estimator", folder / "classify", "explain-hits", condition="number")
    for name in ("classify", "codes", "estimator"):
        cuello.export(folder / name, folder / f"{name}.onnx")
    return folder


def test_exact_maps_are_those_of_the_run(folder: Path, tmp_path: Path) -> None:
    found = cuello.explain(folder / "classify.onnx", "glyphs", tmp_path / "a", **LIMITS)
    wanted = cuello.explain(folder / "classify", "glyphs", tmp_path / "b", **LIMITS)
    assert found.classes == wanted.classes
    assert found.scores == pytest.approx(wanted.scores, abs=1e-5)
    np.testing.assert_allclose(found.maps, wanted.maps, atol=1e-5)


@pytest.mark.parametrize("classifier", ["classify", "classify.onnx"])
@pytest.mark.parametrize("estimator", ["estimator", "estimator.onnx"])
def test_an_estimator_knows_its_classifier(folder: Path, tmp_path: Path, classifier: str, estimator: str) -> None:
    found = cuello.explain(folder / classifier, "glyphs", tmp_path / "a", model=folder / estimator, **LIMITS)
    wanted = cuello.explain(folder / "classify", "glyphs", tmp_path / "b", model=folder / "estimator", **LIMITS)
    assert found.classes == wanted.classes
    np.testing.assert_allclose(found.maps, wanted.maps, atol=1e-5)


def test_an_estimator_of_another_classifier_is_refused(folder: Path, tmp_path: Path) -> None:
    cuello.train("classify", "glyphs", output=tmp_path / "other", seed=1, **COMMON)
    path = cuello.export(tmp_path / "other", tmp_path / "other.onnx").path
    with pytest.raises(cuello.CuelloError, match="learned the maps of another classifier"):
        cuello.explain(path, "glyphs", tmp_path / "maps", model=folder / "estimator", **LIMITS)


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("codes.onnx", {}, r"is not a classifier: its job is generate\. Train one"),
        ("estimator.onnx", {}, r"is not a classifier: its job is explain\. Give it with model"),
        ("codes-encoder.onnx", {}, r"is the encoder of a network with a code.*takes image.*gives code"),
        ("codes-decoder.onnx", {}, r"is the decoder of a network with a code.*takes code.*gives result"),
        ("classify.onnx", {"padding": 2}, r"padding.*got 2, but .*pads its images itself"),
        ("classify.onnx", {"model": "estimator", "check": 0.5}, r"check.*is an exported file.*Name the run"),
        ("classify.onnx", {"model": "codes.onnx"}, "is not an estimator of occlusion maps"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    folder: Path, tmp_path: Path, name: str, how: dict[str, Any], said: str
) -> None:
    given = {**how, **({"model": folder / how["model"]} if "model" in how else {})}
    with pytest.raises(cuello.CuelloError, match=said):
        cuello.explain(folder / name, "glyphs", tmp_path / "maps", **LIMITS, **given)
    assert not (tmp_path / "maps").exists()


def test_a_damaged_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes((folder / "classify.onnx").read_bytes()[:2000])
    with pytest.raises(cuello.CuelloError, match=r"cut\.onnx cannot be opened as an ONNX file"):
        cuello.explain(tmp_path / "cut.onnx", "glyphs", tmp_path / "maps", **LIMITS)


def test_codes_are_asked_of_the_run(folder: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    answer = command("latent", folder / "codes.onnx", "glyphs", "-o", tmp_path / "latent")
    assert answer.code == 2
    assert "codes.onnx is an exported file, which gives images and no codes. Name the run" in answer.error


def test_an_exported_classifier_is_evaluated(folder: Path, command: Callable[..., Any]) -> None:
    answer = command("evaluate", folder / "classify.onnx", "glyphs")
    assert answer.code == 0, answer.error
    assert "accuracy" in answer.out
