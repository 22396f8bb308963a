"""ONNX files with all that is done around a network give what ``cuello`` gives."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cuello
from cuello.degrade.level import estimated_level
from cuello.exporting import onnx as exporting
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def untrained(folder: Path, name: str, **options: Any) -> cuello.Model:
    torch.manual_seed(3)
    architecture = architecture_of(name, 3, **options)
    network = build(architecture)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
    job = "upscale" if network.scale > 1 else "classify" if options.get("classes") else "denoise"
    classes = ("cat", "dog")[: options.get("classes", 0)]
    save_artefact(folder / FILE_NAME, Artefact(architecture, job, None, network.state_dict(), classes=classes))
    return cuello.load(folder / FILE_NAME)


NETWORKS = ("impulse-s", "conv-8-16-8", "unet-s", "espcn", "fsrcnn", "denoise-s", "up-s", "doubled-32-64-128")


@pytest.mark.parametrize("name", NETWORKS)
def test_restoring_networks_give_the_same_to_a_hundred_thousandth(tmp_path: Path, name: str) -> None:
    content, apart = exporting.tried(untrained(tmp_path, name))
    assert len(content) > 1000
    assert apart <= 1e-5


def test_a_classifier_gives_probabilities_and_names(tmp_path: Path) -> None:
    model = untrained(tmp_path, "classify-s", size=(24, 24), classes=2)
    content, apart = exporting.tried(model)
    about = {one.key: one.value for one in onnx.load_model_from_string(content).metadata_props}
    assert json.loads(about["cuello"])["classes"] == ["cat", "dog"]
    assert apart <= 1e-5


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (2, 3, 31, 40), (1, 1, 64, 33)])
def test_the_noise_is_estimated_as_ever(shape: tuple[int, ...]) -> None:
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    x[:, :, : shape[2] // 2] = 0  # details that are exactly 0 do not count
    torch.testing.assert_close(exporting.wavelet_level(x), estimated_level(x), atol=1e-6, rtol=1e-5)


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
