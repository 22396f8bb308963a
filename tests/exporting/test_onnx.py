"""ONNX files with all that is done around a network give what ``cuello`` gives."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cuello
from cuello.degrade.level import estimated_level, level_at_once
from cuello.exporting import onnx as exporting
from cuello.exporting.graph import Graph

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (2, 3, 31, 40), (1, 1, 64, 33)])
def test_a_graph_estimates_the_noise_as_ever(shape: tuple[int, ...]) -> None:
    class Estimate(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return level_at_once(x)

    graph = Graph(Estimate(), {"image": torch.rand(1, shape[1], 16, 16)}, {"image": (0, 2, 3)})
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    x[:, :, : shape[2] // 4] = 0  # a black frame
    found = onnxruntime.InferenceSession(graph.written()).run(None, {"image": x.numpy()})[0]
    np.testing.assert_allclose(found, estimated_level(x).numpy(), atol=1e-6, rtol=1e-4)


def test_an_image_of_8_bits_and_a_batch_come_back_in_their_unit(
    command: Callable[..., Any], tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    path = tmp_path / "denoise.onnx"
    answer = command("export", "denoise", str(path))
    assert answer.code == 0
    assert re.search(r"results differ by [1-9]e-0[5-9] of white at most", " ".join(answer.out.split()))
    model = cuello.load("denoise")
    image = make_image(1, 45, 37, model.channels).reshape(45, 37, model.channels)
    given = np.stack([image, 255 - image]).transpose(0, 3, 1, 2).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    found = session.run(["result"], {"image": given, "white": np.array([255], np.float32)})[0]
    for restored, plain in zip(found.round().transpose(0, 2, 3, 1), (image, 255 - image), strict=True):
        assert np.abs(restored - model.restore(plain).astype(float)).max() <= 1


def test_a_file_that_gives_something_else_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "largest_difference", lambda model, content: 0.01)
    with pytest.raises(cuello.CuelloError, match=r"0\.01 of white apart"):
        exporting.write_onnx(cuello.load("upscale-x2"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
