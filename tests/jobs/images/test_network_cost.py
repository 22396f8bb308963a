"""What a network costs: arithmetic worked by hand, and what can be timed on one core."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cuello.inference.model import Model
from cuello.inference.onnx import OnnxNetwork
from cuello.jobs.images import network_cost
from cuello.jobs.images.network_cost import cost_of
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact


def untrained(name: str, channels: int = 1, scale: int | None = None) -> Model:
    architecture = architecture_of(name, channels, scale=scale)
    network = build(architecture).eval()
    return Model(Artefact(architecture, "denoise", "gaussian:25", network.state_dict()), network)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_cost, "SIDE", 32)


def test_one_convolution_by_hand() -> None:
    """One filter of 3×3 over c channels for each of c that come out: 9 c² products a pixel."""
    for channels in (1, 3):
        cost = cost_of(untrained("conv-single", channels))
        assert cost.multiply_adds == 9 * channels**2
        assert cost.size == (32, 32)
        assert cost.milliseconds is not None
        assert cost.milliseconds > 0


def test_parameters_are_those_of_the_network() -> None:
    model = untrained("dncnn-s")
    assert cost_of(model).parameters == sum(one.numel() for one in model.network.parameters())


def test_the_number_of_threads_is_as_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        cost_of(untrained("conv-single"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_network_that_takes_the_level_is_told_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    real = Model.restore

    def restore(self: Model, image: Any, progress: Any = None, level: float | None = None) -> Any:
        told.append(level)
        return real(self, image, progress, level)

    monkeypatch.setattr(Model, "restore", restore)
    cost_of(untrained("denoise-s"))
    assert set(told) == {network_cost.LEVEL}
    told.clear()
    cost_of(untrained("dncnn-s", 3))
    assert set(told) == {None}
    assert 2 <= len(told) <= 1 + network_cost.ROUNDS


@pytest.mark.parametrize(("threads", "timed"), [(1, True), (2, False)])
def test_an_exported_file_is_timed_where_it_has_one_thread(threads: int, timed: bool) -> None:
    network = OnnxNetwork.__new__(OnnxNetwork)
    torch.nn.Module.__init__(network)
    network.session = SimpleNamespace(get_session_options=lambda: SimpleNamespace(intra_op_num_threads=threads))
    model = untrained("conv-single")
    assert network_cost.on_one_core(Model(model.artefact, network)) == timed
    assert network_cost.on_one_core(model)
