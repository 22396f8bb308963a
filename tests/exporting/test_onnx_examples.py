"""The programs in examples/ that run an exported file without Cuello."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cuello

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=["float32", "uint8", "uint16"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "denoise.onnx"
    cuello.export("denoise", path, dtype=request.param)
    return path


def written(folder: Path, pixels: np.ndarray, name: str) -> tuple[Path, np.ndarray]:
    """Write an image of the network's channels; return where, and what Cuello makes of it."""
    model = cuello.load("denoise")
    image = np.ascontiguousarray(pixels[:, :, : model.channels])
    Image.fromarray(image if model.channels == 3 else image[:, :, 0]).save(folder / name)
    return folder / name, model.restore(image).astype(int)


def apart(path: Path, expected: np.ndarray) -> int:
    return int(np.abs(np.asarray(Image.open(path)).reshape(expected.shape).astype(int) - expected).max())


def test_python_restores_as_cuello_does(exported: Path, tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    source, expected = written(tmp_path, make_image(0, 45, 37), "in.png")
    program = [sys.executable, str(EXAMPLES / "onnx_run.py"), str(exported), str(source), str(tmp_path / "out.png")]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert apart(tmp_path / "out.png", expected) <= 1


def test_javascript_restores_as_cuello_does(
    exported: Path, tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    source, expected = written(tmp_path, make_image(0, 45, 37), "in.ppm")
    program = [node, str(EXAMPLES / "onnx_run.mjs"), str(exported), str(source), str(tmp_path / "out.ppm")]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    if done.stderr.startswith("found none of"):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert apart(tmp_path / "out.ppm", expected) <= 1
