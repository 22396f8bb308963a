"""The restorer of several resolutions."""

from typing import Any

import pydantic
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.models.catalog import architecture_of, build
from cuello.models.geometry import measure_receptive_field
from cuello.models.multiscale import MultiScale, MultiScaleConfig


def shaken(**settings: Any) -> MultiScale:
    torch.manual_seed(0)
    network = MultiScale(MultiScaleConfig(**{"channels": 1, "widths": (8, 6), "depths": (2, 1), **settings})).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


@torch.no_grad()
def run(network: MultiScale, x: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
    return network(x, level).image


@pytest.mark.parametrize("channels", [1, 3])
def test_size(channels: int) -> None:
    """Two convolutions of 32 before and after, two of 48 inside, 2×2 down and up; biases and slopes."""
    network: Any = build(architecture_of("denoise-m", channels))
    first, last = (9 * (4 * channels + 1) + 2) * 32, (9 * 32 + 1) * 4 * channels
    outer, inner = 3 * (9 * 32 + 2) * 32, 2 * (9 * 48 + 2) * 48
    down, up = (4 * 32 + 2) * 48, 4 * 48 * 32 + 32
    assert sum(p.numel() for p in network.folded().parameters()) == first + outer + inner + down + up + last < 100_000


@pytest.mark.parametrize("name", ["denoise-m", "restore-m"])
def test_training_begins_from_the_image_as_it_is(name: str) -> None:
    x = torch.rand(2, 3, 8, 12)
    assert torch.equal(build(architecture_of(name, 3))(x, torch.full((2, 1, 1, 1), 0.1)).image, x)


@pytest.mark.parametrize(("widths", "depths"), [((8,), (2,)), ((8, 6), (1, 1)), ((4, 5, 6), (1, 2, 1))])
def test_receptive_field_is_what_is_measured(widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
    network = shaken(widths=widths, depths=depths)
    assert network.stride == 2 ** len(widths)
    assert network.receptive_field == measure_receptive_field(network, 1, network.stride)


def test_folding_keeps_the_function() -> None:
    network, x, level = shaken(channels=3), torch.rand(2, 3, 8, 12), torch.full((2, 1, 1, 1), 0.1)
    assert torch.allclose(run(network.folded(), x, level), run(network, x, level), atol=1e-6)


def test_a_network_that_is_told_minds_the_level_and_none_is_0() -> None:
    network, x = shaken(), torch.rand(2, 1, 8, 12)
    assert not torch.allclose(run(network, x), run(network, x, torch.full((2, 1, 1, 1), 0.2)))
    assert torch.equal(run(network, x), run(network, x, torch.zeros(2, 1, 1, 1)))


def test_a_network_that_is_not_told_does_without() -> None:
    network, x = shaken(told=False), torch.rand(2, 1, 8, 12)
    assert network.condition(x) is None
    assert torch.equal(run(network, x), run(network, x, torch.full((2, 1, 1, 1), 0.2)))


def test_a_network_that_may_be_told_its_faults_strength_takes_none_for_unknown() -> None:
    network, x, strength = shaken(told=False, hinted=True), torch.rand(2, 1, 8, 12), torch.full((2, 1, 1, 1), 0.4)
    assert network.condition(x, level=strength) is None
    assert torch.equal(run(network, x), run(network, x, torch.zeros(2, 1, 1, 1)))
    told = network.condition(x, strength=strength)
    assert not torch.allclose(run(network, x), run(network, x, told))
    with pytest.raises(pydantic.ValidationError, match="told and hinted"):
        shaken(hinted=True)


def test_a_level_of_another_shape_is_refused() -> None:
    with pytest.raises(CuelloError, match=r"needed \(2, 1, 1, 1\)"):
        shaken()(torch.rand(2, 1, 8, 12), torch.tensor(0.1))


def test_sizes_between_multiples_are_refused() -> None:
    with pytest.raises(CuelloError, match="multiple of 4"):
        shaken()(torch.rand(1, 1, 6, 8))


def test_as_many_depths_as_widths() -> None:
    with pytest.raises(pydantic.ValidationError, match="got 2 widths and 1 depths"):
        MultiScaleConfig(widths=(8, 8), depths=(1,))
