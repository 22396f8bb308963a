"""The denoiser that is told the noise's level."""

from typing import Any

import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.models.catalog import architecture_of, build
from cuello.models.denoiser import Denoiser, DenoiserConfig


def shaken(channels: int = 1) -> Denoiser:
    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig(channels=channels, width=8, depth=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


@torch.no_grad()
def run(network: Denoiser, x: torch.Tensor, level: torch.Tensor | None) -> torch.Tensor:
    return network(x, level).image


@pytest.mark.parametrize("channels", [1, 3])
def test_size(channels: int) -> None:
    """Four pixels a channel and the level in, six convolutions of 40, four pixels a channel out; biases and slopes."""
    network: Any = build(architecture_of("denoise-s", channels))
    first, body, last = (9 * (4 * channels + 1) + 2) * 40, 6 * (9 * 40 + 2) * 40, (9 * 40 + 1) * 4 * channels
    assert sum(p.numel() for p in network.folded().parameters()) == first + body + last < 100_000


def test_training_begins_from_the_image_as_it_is() -> None:
    x = torch.rand(2, 3, 6, 8)
    assert torch.equal(Denoiser(DenoiserConfig())(x, torch.full((2, 1, 1, 1), 0.1)).image, x)


def test_the_level_matters_and_each_image_has_its_own() -> None:
    network, x = shaken(), torch.rand(2, 1, 8, 6)
    low, high = (run(network, x, torch.full((2, 1, 1, 1), level)) for level in (0.1, 0.2))
    assert not torch.allclose(low, high)
    mixed = run(network, x, torch.tensor([0.1, 0.2]).view(2, 1, 1, 1))
    assert torch.allclose(mixed, torch.stack([low[0], high[1]]), atol=1e-6)


def test_no_level_is_level_zero() -> None:
    network, x = shaken(), torch.rand(2, 1, 8, 6)
    assert torch.equal(run(network, x, None), run(network, x, torch.zeros(2, 1, 1, 1)))


def test_a_map_of_one_level_is_that_level() -> None:
    network, x = shaken(3), torch.rand(2, 3, 8, 6)
    level = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1)
    assert torch.allclose(run(network, x, level), run(network, x, level.expand(2, 1, 8, 6)), atol=1e-6)


def test_a_map_may_differ_from_place_to_place() -> None:
    """Two cells beside the border between both halves see the other level: three layers of 3×3 cells, 6 pixels."""
    network, x = shaken(), torch.rand(1, 1, 8, 32)
    level = torch.full((1, 1, 8, 32), 0.1)
    level[..., 16:] = 0.3
    both = run(network, x, level)
    left, right = (run(network, x, torch.full((1, 1, 1, 1), value)) for value in (0.1, 0.3))
    assert torch.allclose(both[..., :10], left[..., :10], atol=1e-6)
    assert torch.allclose(both[..., 22:], right[..., 22:], atol=1e-6)
    assert not torch.allclose(both[..., 14:16], left[..., 14:16], atol=1e-4)


def test_a_level_of_another_shape_is_refused() -> None:
    with pytest.raises(CuelloError, match=r"needed \(2, 1, 1, 1\)"):
        shaken()(torch.rand(2, 1, 8, 6), torch.tensor(0.1))


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(CuelloError, match="multiple of 2"):
        shaken()(torch.rand(1, 1, 7, 8))


def test_folding_keeps_the_level() -> None:
    network, x = shaken(3), torch.rand(2, 3, 8, 6)
    level = torch.full((2, 1, 1, 1), 0.1)
    assert torch.equal(run(network.folded(), x, level), run(network, x, level))
