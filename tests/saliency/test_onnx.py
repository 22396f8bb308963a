"""With a stand-in for onnxruntime's session: the package itself is an extra and not needed here."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.saliency import occlusion_map
from cuello.saliency.onnx import OnnxClassifier


@dataclass
class Value:
    name: str
    shape: list[Any]
    type: str = "tensor(float)"


@dataclass
class Session:
    """Mean and largest value of an image as class scores; remembers the batches."""

    inputs: list[Value]
    batches: list[int] = field(default_factory=list)

    def get_inputs(self) -> list[Value]:
        return self.inputs

    def get_outputs(self) -> list[Value]:
        return [Value("scores", ["n", 2])]

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert names == ["scores"]
        pixels = feed["x"]
        wanted = self.inputs[0].shape[0]
        if isinstance(wanted, int) and wanted != len(pixels):
            raise RuntimeError("Got invalid dimensions for input")
        self.batches.append(len(pixels))
        flat = pixels.reshape(len(pixels), -1)
        return [np.stack([flat.mean(1), flat.max(1)], 1)]


def function(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x.flatten(1).mean(1), x.flatten(1).amax(1)], 1)


@pytest.mark.parametrize(("first", "batches"), [("n", {5}), (None, {5}), (1, {1}), (2, {2})])
def test_a_file_is_a_function_whatever_batch_it_fixes(first: Any, batches: set[int]) -> None:
    session = Session([Value("x", [first, 1, 6, 6])])
    x = torch.rand(5, 1, 6, 6)
    torch.testing.assert_close(OnnxClassifier("c.onnx", session)(x), function(x))
    assert set(session.batches) == batches


def test_maps_of_a_file_are_those_of_the_function() -> None:
    session = Session([Value("x", [1, 1, 6, "w"], "tensor(double)")])
    images = torch.rand(2, 1, 6, 6)
    found = occlusion_map(OnnxClassifier("c.onnx", session), images, 2, classes=[0, 1])
    torch.testing.assert_close(found.maps, occlusion_map(function, images, 2, classes=[0, 1]).maps, atol=1e-6, rtol=0)
    assert found.method == "batches"


def test_images_that_the_file_does_not_take_are_refused() -> None:
    classifier = OnnxClassifier("c.onnx", Session([Value("x", ["n", 3, 6, 6])]))
    with pytest.raises(CuelloError, match=r"got channels 1 .* takes 3"):
        classifier(torch.rand(1, 1, 6, 6))


@pytest.mark.parametrize(
    "inputs",
    [[], [Value("x", ["n", 36])], [Value("x", ["n", 1, 6, 6], "tensor(uint8)")], [Value("x", [1] * 4)] * 2],
)
def test_files_that_are_no_classifier_are_refused(inputs: list[Value]) -> None:
    with pytest.raises(CuelloError, match="needed one input"):
        OnnxClassifier("c.onnx", Session(inputs))


def test_without_onnxruntime_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "c.onnx").touch()
    with pytest.raises(CuelloError, match=r"pip install 'cuello\[onnx\]'"):
        occlusion_map(tmp_path / "c.onnx", torch.rand(1, 1, 6, 6))
