"""Networks that enlarge: sizes by the papers' counts, first results, reach."""

from typing import Any

import pydantic
import pytest
import torch
from torch import nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.resample import resize
from cuello.models.catalog import architecture_of, build
from cuello.models.enlarging import BicubicUpscale
from cuello.models.espcn import EspcnConfig
from cuello.models.fsrcnn import Fsrcnn, FsrcnnConfig
from cuello.models.named import NETWORKS
from cuello.models.upscaler import Upscaler, UpscalerConfig

UPSCALING = [spec.name for spec in NETWORKS if spec.scales != (1,)]
CONFIGS = (EspcnConfig, FsrcnnConfig, UpscalerConfig)


def make(name: str, channels: int = 1, scale: int = 2) -> Any:
    torch.manual_seed(0)
    return build(architecture_of(name, channels, scale=scale))


def numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# Counts


@pytest.mark.parametrize(("scale", "count"), [(2, 21_284), (3, 22_729), (4, 24_752)])
def test_espcn(scale: int, count: int) -> None:
    """25·64 + 64, 9·64·32 + 32, 9·32·s² + s²: the 21k of the literature at scale 2."""
    assert numbers(make("espcn", scale=scale)) == count == 1664 + 18_464 + (9 * 32 + 1) * scale**2


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fsrcnn(scale: int) -> None:
    """The paper's 12,464, whatever the scale, and a bias and (but for the last) a slope a channel."""
    network = make("fsrcnn", scale=scale)
    assert sum(p.numel() for p in network.parameters() if p.ndim == 4) == 12_464
    channels = 56 + 12 + 4 * 12 + 56
    assert numbers(network) == 12_464 + 2 * channels + 1


@pytest.mark.parametrize(
    ("name", "channels", "scale", "limit"), [("up-s", 1, 2, 25_000), ("up-s", 3, 2, 25_000), ("up-m", 1, 4, 30_000)]
)
def test_ours_are_small_once_folded(name: str, channels: int, scale: int, limit: int) -> None:
    network = make(name, channels, scale)
    config = network.config
    w, given = config.width, channels * scale**2
    expected = (9 * channels + 2) * w + config.depth * (9 * w + 2) * w + (9 * w + 1) * given  # with biases and slopes
    assert numbers(network.folded()) == expected <= limit < numbers(network)


def test_the_quick_one_is_up_s_of_plain_convolutions() -> None:
    assert numbers(make("up-quick", 3, 2)) == numbers(make("up-s", 3, 2).folded())


# What they give


@pytest.mark.parametrize("name", UPSCALING)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
def test_every_scale_gives_the_size_and_keeps_the_reach(name: str, channels: int, scale: int) -> None:
    network = make(name, channels, scale).double().eval()
    assert network.scale == scale
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.03)
    radius = network.receptive_field // 2
    side = 2 * radius + 3
    x = torch.rand(1, channels, side, side + 2, dtype=torch.double)
    changed = x.clone()
    changed[:, :, radius + 1, radius + 1] += 0.5
    with torch.no_grad():
        difference = (network(changed).image - network(x).image).abs().amax((0, 1))
    assert difference.shape == (scale * side, scale * (side + 2))
    hit = functional.max_pool2d(difference[None], scale)[0] > 1e-15
    rows, columns = hit.nonzero().T
    assert int((rows - (radius + 1)).abs().max()) == int((columns - (radius + 1)).abs().max()) == radius


@pytest.mark.parametrize("scale", [2, 3, 4, 7])
def test_training_begins_from_bicubic_enlargement(scale: int) -> None:
    network = Upscaler(UpscalerConfig(channels=2, scale=scale, width=4, depth=1))
    x = torch.rand(2, 2, 7, 9)
    expected = resize(x, scale=scale)
    edge = 2 * scale
    inside = (..., slice(edge, -edge), slice(edge, -edge))
    assert torch.allclose(network(x).image[inside], expected[inside], atol=1e-6)


def test_bicubic_edges_repeat_the_last_pixel() -> None:
    x = torch.rand(1, 1, 4, 5)
    wide = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    expected = resize(wide, scale=3)[..., 6:-6, 6:-6]
    assert torch.allclose(functional.pixel_shuffle(BicubicUpscale(3)(x), 3), expected, atol=1e-6)


def test_fsrcnn_begins_near_zero() -> None:
    network = Fsrcnn(FsrcnnConfig(channels=1, scale=3))
    assert float(network(torch.rand(1, 1, 8, 8)).image.detach().abs().max()) < 0.2


# Mistakes


def test_scales_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        CuelloError, match=r"'unet-s' gives images of the size it gets.*up-s, up-m, up-quick, espcn, fsrcnn"
    ):
        architecture_of("unet-s", 3, scale=2)
    with pytest.raises(CuelloError, match="'up-s' enlarges images, and these pairs have equal sizes"):
        architecture_of("up-s", 3, scale=1)
    with pytest.raises(CuelloError, match="2, 3, 4, 5, 6, 7, 8; got scale=9"):
        architecture_of("espcn", 3, scale=9)
    assert architecture_of("unet-s", 3, scale=1) == architecture_of("unet-s", 3)
    assert architecture_of("up-m", 3).settings["scale"] == 2


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("settings", [{"scale": 1}, {"scale": 9}, {"channels": 0}, {"kernel": 3}])
def test_settings_out_of_limits_are_refused(config: type[pydantic.BaseModel], settings: dict[str, int]) -> None:
    with pytest.raises(pydantic.ValidationError):
        config.model_validate(settings)
