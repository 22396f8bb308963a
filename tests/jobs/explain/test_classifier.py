"""What is explained: a classifier that is opened, its class, and images that fit."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.data.images import Images
from cuello.jobs.explain.classifier import class_number, groups, open_classifier
from cuello.jobs.explain.settings import MapSettings
from cuello.saliency import onnx


@dataclass
class Value:
    name: str
    shape: list[Any]
    type: str = "tensor(float)"


class Session:
    """A stand-in for onnxruntime's: the upper left pixel and the middle one of 8×9 are the class scores."""

    def get_inputs(self) -> list[Value]:
        return [Value("x", ["n", 1, 8, 9])]

    def get_outputs(self) -> list[Value]:
        return [Value("scores", ["n", 2])]

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={})

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        x = feed["x"]
        assert x.shape[1:] == (1, 8, 9)
        return [np.stack([x[:, 0, 0, 0], 1 + x[:, 0, 4, 4]], 1)]


def test_an_onnx_file_gets_the_padding_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "open_session", lambda path, threads: Session())
    opened = open_classifier("c.onnx", padding=2)
    assert (opened.channels, opened.size, opened.padding, opened.own) == (1, (4, 5), 2, None)
    settings = MapSettings(box=1, fill="1", score="logit-drop", definition="captum")
    found = settings.maps(opened.network, torch.full((1, 1, 4, 5), 0.25), padding=opened.padding)
    expected = np.zeros((4, 5))
    expected[2, 2] = 0.25 - 1  # the pixel (4, 4) with padding is (2, 2) without it
    np.testing.assert_allclose(found.maps[0, 0].numpy(), expected, atol=1e-6)
    assert open_classifier("c.onnx").size == (8, 9)


def test_padding_that_leaves_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "open_session", lambda path, threads: Session())
    with pytest.raises(CuelloError, match=r"padding: got 4, but c\.onnx takes 9×8 pixels, padding included"):
        open_classifier(Path("c.onnx"), padding=4)
    with pytest.raises(CuelloError, match="padding: got -1, needed 0 or more"):
        open_classifier("c.onnx", padding=-1)


def test_names_go_before_numbers() -> None:
    assert [class_number(one, ["1", "2"]) for one in ("1", "0", 1, "predicted")] == [0, 0, 1, "predicted"]
    assert class_number("7", ()) == 7
    assert class_number("K\udcc3\udca4fer", ["Maus", "Käfer"]) == 1, "as a locale of ASCII alone hands it over"


def test_groups_hold_neighbours_of_one_size() -> None:
    arrays = [np.zeros((side, 10, 1), np.uint8) for side in (10, 10, 20, 10, 10, 10)]
    images = Images("x", arrays, list("abcdef"))
    assert groups(images, [0, 1, 2, 3, 4, 5], most=64, pixels=200) == [[0, 1], [2], [3, 4], [5]]
    assert groups(images, [1, 3], most=64, pixels=200) == [[1, 3]]
    assert groups(images, [0, 1, 3], most=1, pixels=200) == [[0], [1], [3]]
