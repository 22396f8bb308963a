"""ONNX files in reduced precision: smaller, what they cost is measured, and Cuello runs them as any other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.exporting.onnx import FullGraph, answering
from cuello.exporting.precision import LAYERS, outermost, reduced

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def about(path: Path) -> dict[str, Any]:
    return json.loads({one.key: one.value for one in onnx.load(path).metadata_props}["cuello"])


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_file_is_smaller_says_its_cost_and_is_applied(
    command: Callable[..., Any], tmp_path: Path, make_image: Callable[..., np.ndarray], precision: str
) -> None:
    path = tmp_path / "larger.onnx"
    answer = command("export", "upscale-x2", str(path), "--precision", precision, "--json")
    assert answer.code == 0, answer.error
    said = json.loads(answer.out)
    assert said["bytes"] == path.stat().st_size < said["bytes_float32"]
    cost = said["precision"]
    assert cost == about(path)["precision"]
    assert cost["cost"] == cost["psnr_float32"] - cost["psnr"] < 0.5
    assert any(f"{precision} costs {cost['cost']:.2f} dB" in one for one in said["notes"])
    model, full, image = cuello.load(path), cuello.load("upscale-x2"), make_image(1, 45, 37)
    assert sum(one.numel() for one in model.artefact.weights.values()) >= 19_000
    apart = np.abs(model(image).astype(int) - full(image).astype(int))
    assert apart.mean() < 1
    assert apart.max() > (0 if precision == "int8" else -1)


def test_the_cost_is_measured_on_the_runs_own_images(trained: cuello.Run, tmp_path: Path) -> None:
    written = cuello.export(trained, tmp_path / "run.onnx", precision="int8")
    assert written.measured["precision"]["origin"] == "the run's validation images"
    assert written.measured["precision"]["psnr"] > 5


def test_classes_that_change_are_counted(
    make_classes: Callable[..., Path], small: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**small, "model": "classify-s", "crop": None}
    settings.pop("noise")
    run = cuello.train("classify", make_classes(tmp_path / "images"), output=tmp_path / "run", report=False, **settings)
    found = cuello.export(run, tmp_path / "run.onnx", precision="fp16").measured["precision"]
    assert found["changed"] == 0
    assert found["accuracy"] == found["accuracy_float32"]


def test_results_of_half_weights_are_those_of_rounded_weights() -> None:
    model = cuello.load("upscale-x2")
    made = FullGraph.of(model)
    content, _ = reduced(made.bare, "fp16", [])
    for parameter in model.network.parameters():
        parameter.data = parameter.data.half().float()
    image = np.random.default_rng(0).random((1, 1, 20, 30), np.float32)
    found = answering(content)({"image": image, "white": np.ones(1, np.float32)})
    expected = model.restore(image[0].transpose(1, 2, 0)).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_layers_at_the_ends_are_found() -> None:
    made = [
        onnx.helper.make_node("Conv", ["x", "w"], ["a"], "first"),
        onnx.helper.make_node("Relu", ["a"], ["b"], "between"),
        onnx.helper.make_node("Conv", ["b", "w"], ["c"], "middle"),
        onnx.helper.make_node("Conv", ["c", "w"], ["d"], "last"),
        onnx.helper.make_node("Conv", ["x", "w"], ["e"], "beside"),
        onnx.helper.make_node("Add", ["d", "e"], ["y"], "sum"),
    ]
    layers = [node.name for node in made if node.op_type in LAYERS]
    assert outermost(made, layers) == {"first", "last", "beside"}


def test_a_network_without_layers_is_refused() -> None:
    node = onnx.helper.make_node("Relu", ["image"], ["result"], "/network/Relu")
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in ("image", "result")]
    content = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:])).SerializeToString()
    with pytest.raises(cuello.CuelloError, match=r"no convolution or dense layer"):
        reduced(content, "int8", [])
    with pytest.raises(cuello.CuelloError, match=r"no weights to store"):
        reduced(content, "fp16", [])


@pytest.mark.parametrize(
    ("target", "flags", "said"),
    [
        ("a.html", ["--precision", "fp16"], "a page is written in float32 alone"),
        ("a.zip", ["--bioimage", "--precision", "int8"], "a BioImage.IO package is written in float32 alone"),
        ("a", ["--hub", "--precision", "int8"], "a folder for the hub is written in float32 alone"),
        ("a.onnx", ["--precision", "int4"], "'int4', needed 'float32' or 'fp16' or 'int8'"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    refused: Callable[..., str], tmp_path: Path, target: str, flags: list[str], said: str
) -> None:
    assert said in refused("export", "no-such-model", str(tmp_path / target), *flags)
