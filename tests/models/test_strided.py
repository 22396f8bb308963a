"""The super-resolution source's networks."""

from typing import Any

import pydantic
import pytest
import torch
from torch import nn

from cuello.core.errors import CuelloError
from cuello.models.catalog import architecture_of, build
from cuello.models.strided import StridedAutoencoder, StridedConfig


def make(name: str, channels: int = 4) -> Any:
    torch.manual_seed(0)
    return build(architecture_of(name, channels))


def numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("name", "filters"), [("strided-3", (16, 32, 64)), ("strided-4", (16, 32, 64, 128))])
def test_size(name: str, channels: int, filters: tuple[int, ...]) -> None:
    """3×3 between all but the last two widths, 32×32 there, each twice; a bias for every layer's outputs."""
    widths = (channels, *filters)
    kernels = [9] * (len(filters) - 1) + [32 * 32]
    weights = 2 * sum(k * a * b for k, a, b in zip(kernels, widths, filters, strict=False))
    assert numbers(make(name, channels)) == weights + sum(filters) + sum(widths[:-1])


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_activations_cost_nothing_and_normalisation_two_a_channel(activation: str) -> None:
    plain = numbers(make("strided-4"))
    assert numbers(make(f"strided-4-{activation}")) == plain
    assert numbers(make("strided-4-norm")) == plain + 2 * (16 + 32 + 64 + 128 + 64 + 32 + 16)


def test_unet() -> None:
    """Features join: all but the first of the mirror's layers see twice the channels."""
    down = 9 * (4 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    up = 9 * (512 * 256 + 512 * 128 + 256 * 64 + 128 * 32 + 64 * 4)
    assert numbers(make("strided-unet")) == down + up + 2 * (32 + 64 + 128 + 256) + 512 + 4


@pytest.mark.parametrize(
    ("name", "latent"),
    [("strided-3", (64, 33, 33)), ("strided-4", (128, 1, 1)), ("strided-unet", (512, 8, 8))],
)
def test_the_sources_images(name: str, latent: tuple[int, ...]) -> None:
    network = make(name).eval()
    with torch.no_grad():
        output = network(torch.rand(1, 4, 256, 256))
    assert output.image.shape == (1, 4, 256, 256)
    assert output.latent.shape == (1, *latent)


@pytest.mark.parametrize(("activation", "low", "high"), [
    ("relu", 0.5, 1.0), ("tanh", 0.1, 0.9), ("sigmoid", 0.5, 0.9),
])  # fmt: skip
def test_no_pixel_leaves_what_the_last_two_activations_allow(activation: str, low: float, high: float) -> None:
    """(tanh(a) + 1) / 2 for a from 0, from -1 to 1, and from 0 to 1; tanh(1) = .762."""
    network = StridedAutoencoder(
        StridedConfig.model_validate({"channels": 1, "filters": (4, 8), "bottom": 3, "activation": activation})
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(20)
        image = network(torch.rand(4, 1, 16, 16)).image
    assert low <= float(image.min()) < float(image.max()) <= high
    assert float(image.max() - image.min()) > 0.3


def test_small_images_are_filled_up_by_their_edge() -> None:
    network = StridedAutoencoder(StridedConfig(channels=1, filters=(4, 8), bottom=6)).eval()
    x = torch.rand(1, 1, 4, 16)
    large = torch.cat([x, x[:, :, -1:].expand(1, 1, 8, 16)], 2)
    with torch.no_grad():
        assert torch.allclose(network(x).image, network(large).image[:, :, :4], atol=1e-6)


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(CuelloError, match="multiple of 4"):
        make("strided-3")(torch.rand(1, 4, 256, 254))


@pytest.mark.parametrize("settings", [{"filters": ()}, {"activation": "elu"}, {"dropout": 1}, {"bottom": 0}])
def test_settings_out_of_limits_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        StridedConfig.model_validate(settings)
