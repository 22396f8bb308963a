"""One contract for every classifier of the catalogue; the source's, counted by hand."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.inference.model import load
from cuello.models.catalog import KINDS, Architecture, architecture_of, build
from cuello.models.classifier import Classifier, ClassifierConfig
from cuello.models.named import NETWORKS
from cuello.models.summary import summarise
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact
from cuello.saliency import occlusion_map

NAMES = [spec.name for spec in NETWORKS if KINDS[spec.kind].classifies]
contract = pytest.mark.parametrize("name", NAMES)
sizes = pytest.mark.parametrize(("channels", "size"), [(1, (21, 21)), (3, (28, 20)), (4, (21, 21))])


def make(name: str, channels: int = 1, size: tuple[int, int] = (21, 21), classes: int = 3, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return build(architecture_of(name, channels, size, classes=classes))


def some(count: int, channels: int = 1, size: tuple[int, int] = (21, 21), seed: int = 0) -> torch.Tensor:
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(seed))


@contract
@sizes
@pytest.mark.parametrize("count", [2, 5])
def test_there_is_one_finite_score_a_class(name: str, channels: int, size: tuple[int, int], count: int) -> None:
    network = make(name, channels, size)
    assert (network.channels, network.classes) == (channels, 3)
    assert network.size in (size, None)
    for mode in (True, False):
        network.train(mode)
        x = some(count, channels, size)
        before = x.clone()
        scores = network(x)
        assert scores.shape == (count, 3)
        assert scores.dtype == torch.float32
        assert torch.isfinite(scores).all()
        assert torch.equal(x, before), "the input is left as it is"


@contract
def test_images_of_a_batch_do_not_see_each_other_in_evaluation(name: str) -> None:
    network = make(name).eval()
    x = some(3)
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in x])
        torch.manual_seed(1)  # no dropout either
        assert torch.allclose(network(x), alone, atol=1e-5)


@contract
def test_features_are_the_maps_before_each_pooling_and_lead_to_the_scores(name: str) -> None:
    """All of them are what a hook sees at the end of each stage; the last, pooled, goes through the head."""
    network = make(name).eval()
    seen: list[torch.Tensor] = []
    for stage in network.stages:
        stage.register_forward_hook(lambda _module, _inputs, result: seen.append(result))
    with torch.no_grad():
        features = network.features(some(2))
        assert len(features) == len(seen) == len(network.config.stages)
        assert all(torch.equal(one, other) for one, other in zip(features, seen, strict=True))
        assert [maps.shape[1] for maps in features] == [stage[-1] for stage in network.config.stages]
        assert [tuple(maps.shape[2:]) for maps in features] == network.config.sizes()
        pooled = features[-1].mean((2, 3)) if network.size is None else functional.max_pool2d(features[-1], 2)
        assert torch.equal(network(some(2)), network.head(pooled.flatten(1)))


@contract
def test_training_moves_every_parameter_and_learns(name: str) -> None:
    network = make(name)
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    x, labels = some(8), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    x = x / 2 + labels[:, None, None, None] / 4  # one brightness a class
    losses = []
    network.train()
    for step in range(40):
        torch.manual_seed(step)
        loss = functional.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [key for key, value in network.named_parameters() if torch.equal(value, before[key])] == []
    assert np.mean(losses[-5:]) < losses[0]


@contract
def test_the_state_is_complete_and_a_file_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    network = make(name)
    network.train()(some(4))  # running averages have moved
    network.eval()
    classes = ("a", "b", "c")
    architecture = architecture_of(name, 1, (21, 21), classes=3)
    artefact = Artefact(architecture, "classify", None, network.state_dict(), classes=classes)
    save_artefact(tmp_path / FILE_NAME, artefact)
    torch.manual_seed(99)
    model = load(tmp_path)
    assert model.classes == classes
    with torch.no_grad():
        expected = torch.softmax(network(some(3)), 1)
    assert torch.equal(model.classify(some(3)), expected)
    assert model.classify(some(3)).sum(1).allclose(torch.ones(3))
    array = (some(2)[:, 0] * 255).round().to(torch.uint8).numpy()
    assert model.classify(array).shape == (2, 3)
    assert model.classify(array[0]).shape == (1, 3)
    with pytest.raises(CuelloError, match="is a classifier, which gives no image"):
        model(array)


@contract
def test_settings_survive_json_and_the_seed_decides_the_weights(name: str) -> None:
    architecture = architecture_of(name, 4, (21, 21), classes=5)
    back = Architecture(**json.loads(json.dumps(asdict(architecture))))
    assert asdict(back) == asdict(architecture)
    assert back.settings["classes"] == 5
    first, again, other = make(name, seed=1), make(name, seed=1), make(name, seed=2)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in first.state_dict().items())
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in first.state_dict().items())


@contract
def test_the_summary_counts_every_parameter(name: str) -> None:
    network = make(name)
    summary = summarise(network, 1)
    assert summary.trainable == sum(layer.trainable for layer in summary.layers)
    assert summary.trainable == sum(parameter.numel() for parameter in network.parameters())
    assert summary.multiply_adds == sum(layer.multiply_adds for layer in summary.layers)


@contract
def test_other_images_are_an_error_with_the_remedy(name: str) -> None:
    network = make(name).eval()
    with pytest.raises(CuelloError, match="got images of 3 channels, this classifier takes 1"):
        network(some(1, 3))
    if network.size is None:
        assert network(some(1, 1, (50, 9))).shape == (1, 3)
        with pytest.raises(CuelloError, match="needs images of 4×4 pixels or more, got 3×9"):
            network(some(1, 1, (9, 3)))
    else:
        with pytest.raises(CuelloError, match=r"takes images of 21×21 pixels, got 20×21\. .*resize='21x21'"):
            network(some(1, 1, (21, 20)))


def test_images_too_small_for_the_poolings_are_refused_before_the_network_is_built() -> None:
    with pytest.raises(CuelloError, match=r"images of 3×9 pixels are too small for its 2 poolings"):
        architecture_of("classify-mnist", 1, (9, 3))


class TestSource:
    """Conv 4×4 ×32, Conv 3×3 ×32, pooling, Conv 3×3 ×64 three times, pooling, dense 64, 64, 2; padded to 27×27."""

    def test_its_convolutions_have_the_parameters_that_the_source_froze(self) -> None:
        network = make("classify-hits", classes=2)
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        by_hand = [4 * 4 * 32 + 32, 3 * 3 * 32 * 32 + 32, 9 * 32 * 64 + 64, 9 * 64 * 64 + 64, 9 * 64 * 64 + 64]
        assert [sum(p.numel() for p in module.parameters()) for module in convolutions] == by_hand
        assert sum(by_hand) == 544 + 9248 + 18496 + 36928 + 36928 == 102_144

    def test_its_maps_and_dense_layers(self) -> None:
        """21 + 6 = 27; the 4×4 kernel leaves 24, the pooling 12, the next 6: 6 · 6 · 64 = 2,304 numbers."""
        network = make("classify-hits", classes=2)
        assert [tuple(maps.shape[1:]) for maps in network.features(some(1))] == [(32, 24, 24), (64, 12, 12)]
        dense = [module for module in network.modules() if isinstance(module, nn.Linear)]
        assert [(layer.in_features, layer.out_features) for layer in dense] == [(2304, 64), (64, 64), (64, 2)]
        total = 102_144 + 2304 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2
        assert sum(parameter.numel() for parameter in network.parameters()) == total == 253_954

    def test_no_activation_but_the_poolings_bends_it(self) -> None:
        assert not any(isinstance(module, nn.ReLU) for module in make("classify-hits").modules())
        assert [module.p for module in make("classify-hits").modules() if isinstance(module, nn.Dropout)] == [0.5]

    def test_it_is_what_plain_layers_give(self) -> None:
        network = make("classify-hits", classes=2).eval()
        plain = nn.Sequential(
            nn.ZeroPad2d(3), nn.Conv2d(1, 32, 4), nn.Conv2d(32, 32, 3, padding=1), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2304, 64), nn.Linear(64, 64), nn.Linear(64, 2),
        )  # fmt: skip
        values = list(network.state_dict().values())
        plain.load_state_dict(dict(zip(plain.state_dict(), values, strict=True)))
        with torch.no_grad():
            assert torch.allclose(plain(some(2)), network(some(2)), atol=1e-5)


def test_an_even_kernel_must_be_among_the_unpadded() -> None:
    with pytest.raises(ValueError, match=r"even side \(4\) cannot keep the size"):
        ClassifierConfig(first=4)
    assert Classifier(ClassifierConfig(channels=1, first=4, unpadded=1, height=9, width=9)).config.sizes()[0] == (6, 6)


@contract
def test_it_says_what_it_is_made_of_so_that_occlusion_maps_are_quick(name: str) -> None:
    network = make(name).eval()
    x = some(2)
    assert torch.allclose(network.sequence()(x), network(x), atol=1e-5)
    quick, plain = (occlusion_map(network, x, box=3, stride=3, method=method) for method in ("incremental", "batches"))  # type: ignore[arg-type]
    assert torch.allclose(quick.maps, plain.maps, atol=1e-5)


def test_without_its_padding_it_takes_padded_images() -> None:
    network = make("classify-hits").eval()
    plain, pixels = network.unpadded()
    x = some(2)
    assert (pixels, plain.size) == (3, (27, 27))
    assert torch.allclose(plain(functional.pad(x, [3] * 4)), network(x), atol=1e-6)
    assert plain.unpadded() == (plain, 0)
