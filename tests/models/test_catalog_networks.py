"""One contract for every network of the catalogue, for grey and for colour images."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.inference import model as inference
from cuello.inference.model import Model, load
from cuello.models.catalog import KINDS, Architecture, architecture_of, build
from cuello.models.named import NETWORKS
from cuello.models.summary import summarise
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact
from cuello.scoring.losses import find_loss
from cuello.work.train import resolve

EVERY = [
    (spec, channels)
    for spec in NETWORKS
    for channels in (1, 3)
    if spec.channels in (None, channels)
    # Kernels of 32×32, millions of weights, and by design no learning: their U-Net stands for them, and test_strided.py
    and (spec.kind != "strided" or spec.name == "strided-unet")
    and not KINDS[spec.kind].classifies  # theirs is in test_classifier.py
    and not KINDS[spec.kind].explains  # theirs is in test_estimator.py
]
contract = pytest.mark.parametrize(("name", "channels"), [(spec.name, channels) for spec, channels in EVERY])
sized_contract = pytest.mark.parametrize(
    ("name", "channels"), [(spec.name, channels) for spec, channels in EVERY if KINDS[spec.kind].sized]
)


def make(name: str, channels: int, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return build(architecture_of(name, channels))


def stride_of(network: nn.Module) -> int:
    return int(network.stride)  # type: ignore[arg-type]


def scale_of(network: nn.Module) -> int:
    return int(getattr(network, "scale", 1))


def enlarged(images: Tensor, scale: int) -> Tensor:
    return images if scale == 1 else nn.functional.interpolate(images, scale_factor=scale)


def size_for(network: nn.Module, height: int, width: int) -> tuple[int, int]:
    """Return height and width, or the network's own where it takes images of one size."""
    own: Any = getattr(network, "size", None)
    return own or (height, width)


def noisy(count: int, channels: int, height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return smooth images with a third of their pixels white or black, and the clean ones."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 3, 3, generator=random) * 0.8 + 0.1
    clean = nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    hit = torch.rand(count, 1, height, width, generator=random) < 0.3
    white = torch.rand(count, 1, height, width, generator=random) < 0.5
    return torch.where(hit, white.float(), clean), clean


def train(name: str, network: Any, steps: int = 2, rate: float = 1e-2, fresh: bool = True) -> list[float]:
    """Take optimiser steps on noisy images and return the losses: the recipe's, and the network's own terms."""
    distance = find_loss(NETWORKS[name].recipe.get("loss", "mse")).function
    side = 2 * max(stride_of(network), 8)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    network.train()
    losses = []
    for step in range(steps):
        x, target = noisy(4, network.channels, *size_for(network, side, side), seed=step if fresh else 0)
        optimizer.zero_grad()
        output = network(x)
        loss = distance(output.image, enlarged(target, scale_of(network))).mean()
        loss = loss + sum(term.mean() for term in output.terms.values())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def shaken(name: str, channels: int) -> Any:
    """Return a network in evaluation mode none of whose weights is 0, so that every path carries something."""
    network = make(name, channels)
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            scale = 0.3 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.1
            parameter.add_(torch.randn(parameter.shape, generator=random), alpha=scale)
    return network.eval()


@torch.no_grad()
def image_of(network: nn.Module, x: Tensor) -> Tensor:
    return network(x).image


@contract
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_image_has_the_right_shape_and_is_finite(name: str, channels: int, count: int) -> None:
    network = make(name, channels)
    stride, scale = stride_of(network), scale_of(network)
    assert scale == NETWORKS[name].scales[0]
    assert network.channels == channels
    for mode in (True, False):
        network.train(mode)
        for height, width in {size_for(network, *size) for size in ((stride, 2 * stride), (4 * stride, 3 * stride))}:
            x, _ = noisy(count, channels, height, width)
            before = x.clone()
            output = network(x)
            assert output.image.shape == (*x.shape[:2], scale * x.shape[2], scale * x.shape[3])
            assert output.image.dtype == torch.float32
            assert torch.isfinite(output.image).all()
            assert all(torch.isfinite(term).all() for term in output.terms.values())
            assert output.latent is None or len(output.latent) == count
            assert torch.equal(x, before), "the input is left as it is"


@contract
def test_images_of_a_batch_do_not_see_each_other(name: str, channels: int) -> None:
    network = shaken(name, channels)
    side = 4 * max(stride_of(network), 4)
    x, _ = noisy(3, channels, *size_for(network, side, side))
    together = image_of(network, x)
    alone = torch.cat([image_of(network, image[None]) for image in x])
    assert torch.allclose(together, alone, atol=1e-5)


@contract
def test_evaluation_is_deterministic_whatever_the_random_state(name: str, channels: int) -> None:
    network = shaken(name, channels)
    side = 4 * max(stride_of(network), 4)
    x, _ = noisy(2, channels, *size_for(network, side, side))
    torch.manual_seed(1)
    first = image_of(network, x)
    torch.manual_seed(2)
    assert torch.equal(first, image_of(network, x))


@contract
def test_training_moves_every_parameter(name: str, channels: int) -> None:
    """After the first step no layer is zero any more, so the second reaches what lies before it too."""
    network = make(name, channels)
    before = {key: value.detach().clone() for key, value in network.named_parameters() if value.requires_grad}
    assert before
    train(name, network)
    assert [key for key, value in network.named_parameters() if key in before and torch.equal(value, before[key])] == []
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


@contract
def test_it_learns(name: str, channels: int) -> None:
    network = make(name, channels)
    losses = train(name, network, steps=24, rate=1e-3, fresh=False)
    assert min(losses[1:]) < losses[0] or losses[0] < 1e-3, "some begin nearly right on images as smooth as these"


@contract
def test_the_state_is_complete_and_a_file_gives_the_same_bits(name: str, channels: int, tmp_path: Path) -> None:
    network = make(name, channels)
    train(name, network)  # running averages and the like have moved
    network.eval()
    save_artefact(
        tmp_path / FILE_NAME, Artefact(architecture_of(name, channels), "denoise", None, network.state_dict())
    )
    torch.manual_seed(99)  # the fresh weights that are replaced differ
    loaded = load(tmp_path).network
    assert not loaded.training
    side = 4 * max(stride_of(network), 4)
    x, _ = noisy(2, channels, *size_for(network, side, side))
    assert torch.equal(image_of(network, x), image_of(loaded, x))


@contract
def test_the_seed_alone_decides_the_first_weights(name: str, channels: int) -> None:
    first, again, other = make(name, channels, 1), make(name, channels, 1), make(name, channels, 2)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in first.state_dict().items())
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in first.state_dict().items())


@contract
def test_settings_survive_json(name: str, channels: int) -> None:
    architecture = architecture_of(name, channels)
    back = Architecture(**json.loads(json.dumps(asdict(architecture))))
    assert asdict(back) == asdict(architecture)
    network: Any = build(architecture)
    rebuilt: Any = build(back)
    assert rebuilt.config == network.config
    assert {k: v.shape for k, v in rebuilt.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }
    assert back.settings["channels"] == channels


@contract
def test_no_input_outside_the_receptive_field_matters(name: str, channels: int) -> None:
    network = shaken(name, channels)
    stride, field, scale = stride_of(network), network.receptive_field, scale_of(network)
    if field is None:
        pytest.skip("sees the whole image")
    assert isinstance(field, int)
    assert field % 2 == 1
    radius = field // 2
    side = -(-(2 * radius + 24) // stride) * stride
    x, _ = noisy(1, channels, side, side)
    plain = image_of(network, x)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    moved = 0
    for offset in range(0, stride, max(1, stride // 4)):
        row, column = side // 2 // stride * stride + offset, side // 2 + (offset * 3) % stride
        changed = x.clone()
        values = [(1.0, 0.0, 0.37)[(offset + k) % 3] for k in range(3)]
        changed[:, :, row, column] = next(v for v in values if abs(v - float(x[0, 0, row, column])) > 0.1)
        outside = torch.maximum((rows - row).abs(), (columns - column).abs()) > radius
        difference = (image_of(network, changed) - plain).abs()[0].amax(0)
        difference = nn.functional.max_pool2d(difference[None], scale)[0]  # of an input pixel's output pixels
        assert outside.any()
        assert float(difference[outside].max()) <= 1e-6, offset
        moved += bool(difference.max() > 0)
    assert moved, "a network that sees nothing would pass"


@contract
def test_moving_the_image_by_the_stride_moves_the_result(name: str, channels: int) -> None:
    network = shaken(name, channels)
    stride, field, scale = stride_of(network), network.receptive_field, scale_of(network)
    if field is None:
        pytest.skip("sees the whole image")
    margin = -(-(field // 2) // stride) * stride
    side = 2 * margin + 4 * stride
    x, _ = noisy(1, channels, side + stride, side + stride)
    whole, part = image_of(network, x), image_of(network, x[:, :, stride:, stride:])
    inside, there = (slice(scale * (margin + shift), scale * (side - margin + shift)) for shift in (0, stride))
    assert torch.allclose(part[:, :, inside, inside], whole[:, :, there, there], atol=1e-5)


@contract
@settings(max_examples=5, deadline=None)
@given(height=st.integers(1, 64), width=st.integers(1, 64), tile=st.integers(12, 48), seed=st.integers(0, 99))
def test_tiles_give_the_whole_image(name: str, channels: int, height: int, width: int, tile: int, seed: int) -> None:
    network = shaken(name, channels)
    model = Model(Artefact(architecture_of(name, channels), "denoise", None, {}), network)
    height, width = size_for(network, height, width)
    image = noisy(1, channels, height, width, seed)[0][0].permute(1, 2, 0).numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "TILE", 1000)
        whole = model.restore(image)
        patch.setattr(inference, "TILE", tile)
        tiled = model.restore(image)
    scale = scale_of(network)
    assert whole.shape == (scale * height, scale * width, channels)
    assert np.abs(whole - tiled).max() <= 1e-5


@contract
def test_the_summary_counts_every_parameter(name: str, channels: int) -> None:
    network = make(name, channels)
    summary = summarise(network, channels)
    numbers = sum(parameter.numel() for parameter in network.parameters())
    saved = sum(tensor.numel() for tensor in network.state_dict().values())
    assert summary.trainable == sum(layer.trainable for layer in summary.layers) == numbers
    assert summary.frozen == sum(layer.frozen for layer in summary.layers) == saved - numbers
    assert summary.multiply_adds == sum(layer.multiply_adds for layer in summary.layers)
    assert (summary.stride, summary.receptive_field) == (network.stride, network.receptive_field)


@contract
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_images_give_finite_values(name: str, channels: int, value: float) -> None:
    network = make(name, channels)
    side = 2 * max(stride_of(network), 8)
    x = torch.full((3, channels, *size_for(network, side, side)), value)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        loss = (network.train()(x).image - enlarged(x, scale_of(network))).square().mean()
        loss.backward()
        assert torch.isfinite(loss)
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())
        optimizer.step()
    assert torch.isfinite(image_of(network.eval(), x)).all()


@contract
def test_a_folded_network_gives_the_same_and_can_be_saved(name: str, channels: int, tmp_path: Path) -> None:
    network = shaken(name, channels)
    folded = network.folded()
    if folded is network or network.config.folded:
        pytest.skip("has nothing to fold")
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in network.parameters())
    assert not folded.training
    x, _ = noisy(2, channels, 12, 16)
    expected = image_of(network, x)
    assert torch.allclose(image_of(folded, x), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(image_of(network, x), expected), "folding leaves the wide network as it is"
    assert torch.equal(image_of(folded.folded(), x), image_of(folded, x))
    wide = architecture_of(name, channels)
    plain = Architecture(name, wide.kind, {**wide.settings, "folded": True})
    assert folded.config.model_dump(mode="json") == plain.settings
    save_artefact(tmp_path / FILE_NAME, Artefact(plain, "denoise", None, folded.state_dict()))
    assert torch.equal(image_of(load(tmp_path).network, x), image_of(folded, x))


@sized_contract
def test_codes_go_back_and_forth(name: str, channels: int) -> None:
    network = make(name, channels).eval()
    x, _ = noisy(3, channels, *network.size)
    with torch.no_grad():
        codes = network.encode(x)
        image, latent, _ = network(x)
        assert codes.shape == (3, *network.config.code_shape)
        assert torch.equal(latent, codes)
        assert torch.equal(network.decode(codes), image)


@sized_contract
def test_codes_are_drawn_from_the_prior_if_there_is_one(name: str, channels: int) -> None:
    network = make(name, channels).eval()
    shape = network.config.code_shape
    if network.prior is None:
        with pytest.raises(CuelloError, match="no known distribution"):
            network.bottleneck.draw(2, torch.Generator(), shape)
        return
    first, again, other = (network.bottleneck.draw(2, torch.Generator().manual_seed(k), shape) for k in (1, 1, 2))
    assert first.shape == (2, *shape)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert network.decode(first).shape == (2, *network.config.shape)


@sized_contract
def test_another_size_is_an_error_with_the_remedy(name: str, channels: int) -> None:
    network = make(name, channels)
    height, width = network.size
    with pytest.raises(CuelloError, match=f"resize='{width}x{height}'"):
        network(torch.zeros(1, channels, height + 1, width))


@sized_contract
def test_any_size_or_an_error_with_the_remedy(name: str, channels: int) -> None:
    if NETWORKS[name].pixels is None:
        assert build(architecture_of(name, channels, (9, 12))).size == (9, 12)
    else:
        with pytest.raises(CuelloError, match="Resize them"):
            architecture_of(name, channels, (9, 12))


@pytest.mark.parametrize("name", [spec.name for spec in NETWORKS if not KINDS[spec.kind].explains])
def test_the_recipe_is_made_of_settings_that_exist(name: str) -> None:
    spec = NETWORKS[name]
    assert set(spec.recipe) <= set(TrainConfig.model_fields)
    job = {"job": "classify"} if KINDS[spec.kind].classifies else {"job": "denoise", "noise": "salt-pepper:0.2"}
    config = resolve({"model": name, **job})
    assert {key: getattr(config, key) for key in spec.recipe} == dict(spec.recipe)
    if "learning_rate" in spec.recipe:
        assert resolve({"model": name, **job, "learning_rate": 0.125}).learning_rate == 0.125
    assert spec.summary
