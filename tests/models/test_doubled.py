"""The doubled and dense networks against the same layers written plainly."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.models.doubled import DoubledAutoencoder, DoubledConfig, blocks, joined
from cuello.models.geometry import measure_receptive_field

SMALL = (2, 3, 4)


class Reshape(nn.Module):
    def __init__(self, *shape: int):
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


def plain(network: DoubledAutoencoder) -> nn.Sequential:
    """The layers as one would write them down, with the network's numbers in the order in which both have them."""
    a, b, c = network.config.filters
    code, side = network.config.code, network.config.side

    def convolution(first: int, second: int) -> list[nn.Module]:
        return [nn.Conv2d(first, second, 3, padding=1)]

    def unpooled(*channels: int, norm: bool = False) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for position, (first, second) in enumerate(pairwise(channels)):
            middle: list[nn.Module] = [nn.BatchNorm2d(first, eps=1e-3)] if norm and position == 0 else []
            layers += [*middle, *convolution(first, second), nn.ELU()]
        return layers

    up, pool = nn.Upsample(scale_factor=2), nn.MaxPool2d(2)
    layers: list[nn.Module] = [nn.BatchNorm2d(network.channels, eps=1e-3)]
    if code is None:
        layers += [*unpooled(network.channels, a), *unpooled(a, a, norm=True), pool, *unpooled(a, b, b), pool]
        layers += [*unpooled(b, c, c), up, *unpooled(c, b, b), up, *unpooled(b, a, a)]
    else:
        small = side // 16
        layers += [*unpooled(network.channels, a), pool, *unpooled(a, a, norm=True), pool, *unpooled(a, b, b), pool]
        layers += [*unpooled(b, c, c), pool, nn.Flatten(), nn.Linear(c * small**2, code), nn.ELU()]
        layers += [nn.Linear(code, c * small**2), nn.ELU(), Reshape(c, small, small)]
        for first, second in pairwise((c, b, b, a, a)):
            layers += [up, *unpooled(first, second)]
    layers += [nn.BatchNorm2d(a, eps=1e-3), *convolution(a, network.channels)]
    layers += [nn.BatchNorm2d(network.channels, eps=1e-3), nn.Sigmoid()]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)  # as ours start
    return nn.Sequential(*layers).to(next(network.parameters()).dtype)


def kernels(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.dim() > 1]


def made(code: int | None = None, side: int = 16, channels: int = 3) -> DoubledAutoencoder:
    torch.manual_seed(1)
    config = DoubledConfig(filters=SMALL, code=code, side=side, dropout=0, channels=channels)
    return DoubledAutoencoder(config).double()


def test_the_sources_count_and_those_nearest_to_what_it_does_not_say() -> None:
    def count(**settings: object) -> int:
        network = DoubledAutoencoder(DoubledConfig.model_validate(settings))
        return sum(parameter.numel() for parameter in network.parameters())

    assert count() == 426_447
    dense = {code: count(code=code) for code in (309, 310, 311)}
    assert min(dense, key=lambda code: abs(dense[code] - 1_698_057)) == 310
    few = {code: count(filters=(8, 16, 32), code=code) for code in (107, 108, 109)}
    assert min(few, key=lambda code: abs(few[code] - 138_601)) == 108


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("code", [None, 5])
def test_equals_the_plain_layers(code: int | None, training: bool) -> None:
    network = made(code).train(training)
    reference = plain(network).train(training)
    for ours, theirs in zip(kernels(network), kernels(reference), strict=True):  # norms start alike
        theirs.data.copy_(ours.data)
    x = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    ours, theirs = network(x).image, reference(x)
    assert torch.allclose(ours, theirs, atol=1e-10)
    for image, module in ((ours, network), (theirs, reference)):
        image.square().mean().backward()
        assert all(parameter.grad is not None for parameter in module.parameters())
    for mine, other in zip(kernels(network), kernels(reference), strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        assert torch.allclose(mine.grad, other.grad, atol=1e-9)


def test_the_stated_reach_is_the_measured_one() -> None:
    network = made().float()
    assert network.receptive_field == measure_receptive_field(network, 3, network.stride) == 49


def test_blocks_come_back_together() -> None:
    x = torch.arange(2 * 3 * 16 * 24.0).view(2, 3, 16, 24)
    cut = blocks(x, 8)
    assert cut.shape == (12, 3, 8, 8)
    assert torch.equal(cut[1], x[0, :, :8, 8:16]), "row by row"
    assert torch.equal(joined(cut, 2, 3), x)


def test_a_large_image_is_worked_on_block_by_block() -> None:
    network = made(5).eval()
    x = torch.rand(2, 3, 32, 48, dtype=torch.float64)
    output = network(x)
    assert output.latent is not None
    assert output.latent.shape == (2, 5, 2, 3)
    alone = network(x[:, :, 16:, 32:])
    assert torch.allclose(output.image[:, :, 16:, 32:], alone.image, atol=1e-12)
    assert alone.latent is not None
    assert torch.allclose(output.latent[:, :, 1:, 2:], alone.latent, atol=1e-12)


def test_decode_undoes_what_encode_gives() -> None:
    for code in (None, 5):
        network = made(code).eval()
        x = torch.rand(1, 3, 32, 32, dtype=torch.float64)
        assert torch.equal(network.decode(network.encode(x)), network(x).image)


def test_a_size_that_does_not_fit_says_which_does() -> None:
    with pytest.raises(CuelloError, match=r"height of 24 pixels.*multiple of 16.*32"):
        made(5)(torch.rand(1, 3, 24, 32, dtype=torch.float64))
