"""ONNX files whose images are whole numbers: nobody has to scale, and results are those of floats, rounded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.exporting.dtype import check_typed

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_whole_numbers_go_in_and_come_out(
    tmp_path: Path, make_image: Callable[..., np.ndarray], dtype: str, white: int, precision: str
) -> None:
    path = cuello.export("upscale-x2", tmp_path / "typed.onnx", dtype=dtype, precision=precision).path
    session = onnxruntime.InferenceSession(path)
    assert [(one.name, one.type) for one in session.get_inputs()] == [("image", f"tensor({dtype})")]
    image = make_image(1, 45, 37, channels=1).astype(dtype) * np.array(white // 255, dtype)
    found = session.run(None, {"image": image.transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0)
    assert found.dtype == dtype
    model = cuello.load("upscale-x2")
    if precision == "float32":
        assert np.abs(found.astype(float) - model.restore(image)).max() <= 1
    np.testing.assert_array_equal(cuello.load(path).restore(image), found)


def test_a_classifiers_probabilities_stay_floats(
    make_classes: Callable[..., Path], small: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**small, "model": "classify-s", "crop": None}
    settings.pop("noise")
    run = cuello.train("classify", make_classes(tmp_path / "images"), output=tmp_path / "run", report=False, **settings)
    path = cuello.export(run, tmp_path / "run.onnx", dtype="uint8").path
    image = np.random.default_rng(0).integers(0, 256, (2, 12, 10), np.uint8)
    np.testing.assert_allclose(cuello.load(path).classify(image), cuello.load(run).classify(image), atol=1e-5)


def test_the_command_writes_it_and_apply_runs_it(
    command: Callable[..., Any], tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    path, source = tmp_path / "typed.onnx", tmp_path / "in.png"
    assert command("export", "upscale-x2", str(path), "--dtype", "uint8").code == 0
    Image.fromarray(make_image(1, 45, 37)).save(source)
    assert command("apply", str(path), str(source), str(tmp_path / "out.png")).code == 0
    expected = cuello.load("upscale-x2").restore(make_image(1, 45, 37)).astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / "out.png")).astype(int) - expected).max() <= 1


def test_what_is_finer_than_the_type_is_warned_of(tmp_path: Path) -> None:
    model = cuello.load(cuello.export("upscale-x2", tmp_path / "typed.onnx", dtype="uint8").path)
    with pytest.warns(UserWarning, match="takes uint8 images"):
        model.restore(np.linspace(0, 1, 300, dtype=np.float32).reshape(15, 20, 1))


def test_a_file_that_gives_something_else_is_refused() -> None:
    floats = np.full((1, 1, 2, 2), 0.5, np.float32)
    check_typed(np.full((1, 1, 2, 2), 128, np.uint8), floats, "uint8")
    with pytest.raises(cuello.CuelloError, match=r"as uint8 the file gives other results: 3 apart"):
        check_typed(np.full((1, 1, 2, 2), 131, np.uint8), floats, "uint8")


@pytest.mark.parametrize(
    ("target", "dtype", "said"),
    [
        ("a.html", "uint8", "got --dtype uint8 for"),
        ("a.onnx", "float64", "--dtype: got 'float64', needed 'float32' or"),
    ],
)
def test_what_cannot_be_is_refused(
    refused: Callable[..., str], tmp_path: Path, target: str, dtype: str, said: str
) -> None:
    assert said in refused("export", "no-such-model", str(tmp_path / target), "--dtype", dtype)
