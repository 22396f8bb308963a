"""One contract for every estimator of the catalogue; the source's, counted by hand."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError
from cuello.models.catalog import KINDS, Architecture, architecture_of, build
from cuello.models.estimator import Estimator, EstimatorConfig, class_shares, copy_convolutions
from cuello.models.estimators import build_estimator
from cuello.models.named import NETWORKS
from cuello.models.summary import summarise
from cuello.runs.artefact import FILE_NAME, Artefact, load_artefact, save_artefact
from cuello.work.train import resolve

NAMES = [spec.name for spec in NETWORKS if KINDS[spec.kind].explains]
contract = pytest.mark.parametrize("name", NAMES)


def make(name: str, channels: int = 1, size: tuple[int, int] = (21, 21), classes: int = 3, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return build(architecture_of(name, channels, size, classes=classes))


def some(count: int, channels: int = 1, size: tuple[int, int] = (21, 21), seed: int = 0) -> torch.Tensor:
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(seed))


def classifier(name: str = "classify-hits", seed: int = 5, **settings: Any) -> Any:
    torch.manual_seed(seed)
    architecture = architecture_of(name, 1, (21, 21), classes=2)
    return build(Architecture(name, "classifier", {**architecture.settings, **settings})).eval()


def loss_after(network: Any, x: torch.Tensor, target: torch.Tensor, steps: int = 8) -> tuple[float, float]:
    """Return the loss before some optimiser steps and after them."""
    optimizer = torch.optim.Adam(network.parameters(), 3e-4)
    labels, losses = torch.arange(len(x)) % network.classes, []
    network.train()
    for _ in range(steps):
        loss = functional.binary_cross_entropy(network(x, labels).image, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[0], losses[-1]


@contract
@pytest.mark.parametrize(("channels", "size"), [(1, (21, 21)), (3, (28, 18))])
def test_there_is_one_map_an_image_in_the_unit_range(name: str, channels: int, size: tuple[int, int]) -> None:
    network = make(name, channels, size)
    assert (network.channels, network.classes, network.stride, network.receptive_field) == (channels, 3, 1, None)
    assert network.size in (size, None)
    x, condition = some(2, channels, size), torch.tensor([0, 2])
    before = x.clone()
    for mode in (True, False):
        output = network.train(mode)(x, condition)
        assert output.image.shape == (2, 1, *size)
        assert output.image.dtype == torch.float32
        assert 0 <= output.image.min() <= output.image.max() <= 1
        assert len(output.latent) == 2
        assert torch.equal(x, before), "the input is left as it is"


@contract
def test_images_of_a_batch_do_not_see_each_other(name: str) -> None:
    network, x, condition = make(name).eval(), some(3), torch.tensor([2, 0, 1])
    with torch.no_grad():
        alone = [network(image[None], one[None]).image for image, one in zip(x, condition, strict=True)]
        assert torch.allclose(network(x, condition).image, torch.cat(alone), atol=1e-5)


@contract
def test_the_class_matters_where_the_network_is_told_it_and_may_be_probabilities(name: str) -> None:
    network, x = make(name).eval(), some(2)
    with torch.no_grad():
        for film in getattr(network, "films", []):  # which begin without a say of the class
            nn.init.normal_(film.weight)
        zeros, twos = torch.zeros(2, dtype=torch.int64), torch.full((2,), 2)
        same = torch.equal(network(x, zeros).image, network(x, twos).image)
        assert same != (network.conditioning == "class")
        shares = functional.one_hot(twos, 3).float()
        assert torch.equal(network(x, twos).image, network(x, shares).image)
        assert torch.isfinite(network(x).image).all()


@contract
def test_training_moves_what_it_should_and_learns(name: str) -> None:
    network = make(name)
    frozen = [key for key, value in network.named_parameters() if not value.requires_grad]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = some(4)
    first, last = loss_after(network, x, (x > 0.5).float())
    after = network.state_dict()
    kept = [key for key, value in before.items() if torch.equal(value, after[key])]
    buffers = [key for key, _ in network.named_buffers()]
    assert sorted(kept) == sorted(frozen + buffers), "frozen running averages stay as well"
    assert last < first


@contract
def test_a_file_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    architecture = architecture_of(name, 1, (21, 21), classes=3)
    assert asdict(Architecture(**json.loads(json.dumps(asdict(architecture))))) == asdict(architecture)
    network = make(name).eval()
    save_artefact(tmp_path / FILE_NAME, Artefact(architecture, "explain", None, network.state_dict()))
    torch.manual_seed(99)
    read: Any = load_artefact(tmp_path).network()
    condition = torch.tensor([1, 0])
    with torch.no_grad():
        assert torch.equal(read(some(2), condition).image, network(some(2), condition).image)
    frozen = [key for key, value in network.named_parameters() if not value.requires_grad]
    assert [key for key, value in read.named_parameters() if not value.requires_grad] == frozen


@contract
def test_the_summary_counts_every_parameter(name: str) -> None:
    network = make(name)
    summary = summarise(network, 1)
    assert summary.trainable == sum(value.numel() for value in network.parameters() if value.requires_grad)
    assert summary.trainable + summary.frozen == sum(value.numel() for value in network.state_dict().values())
    assert summary.trainable == sum(layer.trainable for layer in summary.layers)
    assert summary.multiply_adds == sum(layer.multiply_adds for layer in summary.layers)


@contract
def test_other_images_and_classes_are_an_error_that_says_what_is_needed(name: str) -> None:
    network = make(name).eval()
    with pytest.raises(CuelloError, match=r"needed \(N, 1, H, W\)|this classifier takes 1"):
        network(some(1, 3))
    if network.size is not None:
        with pytest.raises(CuelloError, match=r"takes images of 21×21 pixels, got 20×21\. .*resize='21x21'"):
            network(some(1, 1, (21, 20)))
    if network.conditioning:
        with pytest.raises(CuelloError, match="classes from 0 to 3, needed 0 to 2"):
            network(some(2), torch.tensor([0, 3]))
        with pytest.raises(CuelloError, match=r"needed classes, int64 \(2,\), or probabilities \(2, 3\)"):
            network(some(2), torch.zeros(2, 4))


@contract
def test_the_recipe_is_made_of_settings_that_exist_but_for_no_other_job(name: str) -> None:
    recipe = dict(NETWORKS[name].recipe)
    assert set(recipe) <= set(TrainConfig.model_fields)
    config = make_config(recipe)
    assert {key: getattr(config, key) for key in recipe} == recipe
    with pytest.raises(CuelloError, match="gives the occlusion maps of a classifier, not images"):
        resolve({"model": name, "job": "denoise"})


class TestSource:
    """21×21 as 24×24, the classifier's convolutions, 36 by softmax as 6×6, 64 64 64, twice, 32, 4×4 32, twice, 1."""

    encoder = (4 * 4 * 32 + 32) + (9 * 32 * 32 + 32) + (9 * 32 * 64 + 64) + 2 * (9 * 64 * 64 + 64)
    dense = 6 * 6 * 64 * 36 + 36
    decoder = (9 * 64 + 64) + 2 * (9 * 64 * 64 + 64) + (9 * 64 * 32 + 32) + (16 * 32 * 32 + 32) + (9 * 32 + 1)

    def test_its_parameters_are_the_source_s(self) -> None:
        assert (self.encoder, self.dense, self.decoder) == (102_144, 82_980, 109_665)
        normal, frozen = (summarise(make(name, classes=2), 1) for name in ("explain-hits", "explain-hits-frozen"))
        assert (normal.trainable, normal.frozen) == (self.encoder + self.dense + self.decoder, 0) == (294_789, 0)
        assert (frozen.trainable, frozen.frozen) == (self.dense + self.decoder, self.encoder) == (192_645, 102_144)

    @pytest.mark.parametrize(("ending", "code"), [("number", 35), ("one-hot", 34), ("embedding", 34)])
    def test_the_class_takes_its_numbers_from_the_36(self, ending: str, code: int) -> None:
        network = make(f"explain-hits-{ending}", classes=2)
        assert (network.code.in_features, network.code.out_features) == (2304, code)
        extra = 2 * 2 if ending == "embedding" else 0
        total = sum(value.numel() for value in network.parameters())
        assert total == self.encoder + 2304 * code + code + self.decoder + extra
        latent = network(some(3), torch.tensor([0, 1, 1])).latent.detach()
        assert latent.shape == (3, 36)
        assert torch.allclose(latent[:, :code].sum(1), torch.ones(3)), "softmax"
        expected = {"number": [[0.0], [1], [1]], "one-hot": [[1.0, 0], [0, 1], [0, 1]]}.get(ending)
        assert latent[:, code:].tolist() == (expected or network.embedding.weight.T[[0, 1, 1]].tolist())

    def test_a_number_for_more_classes_is_spread_over_0_to_1_and_probabilities_give_their_mean(self) -> None:
        network = make("explain-hits-number", classes=5)
        shares = torch.tensor([[0, 0.5, 0, 0, 0.5]])
        assert network(some(1), torch.tensor([3])).latent[0, -1].item() == 0.75
        assert network(some(1), shares).latent[0, -1].item() == pytest.approx(0.5 * 0.25 + 0.5 * 1)
        assert network(some(1)).latent[0, -1].item() == pytest.approx(0.5)

    def test_what_is_cut_off(self) -> None:
        """Cut at the second pooling: all but the dense layer, and 64 maps where there was one; at the first, 32."""
        two, one = make("explain-hits-cut-2"), make("explain-hits-cut-1")
        assert (tuple(two(some(1)).latent.shape[1:]), tuple(one(some(1)).latent.shape[1:])) == (
            (64, 6, 6),
            (32, 11, 11),
        )
        assert sum(value.numel() for value in two.parameters()) == self.encoder + self.decoder + 63 * 64 * 9
        outer = (4 * 4 * 32 + 32) + (9 * 32 * 32 + 32)
        mirrored = (9 * 32 * 32 + 32) + (16 * 32 * 32 + 32) + (9 * 32 + 1)
        assert sum(value.numel() for value in one.parameters()) == outer + mirrored

    def test_it_is_what_plain_layers_give(self) -> None:
        network = make("explain-hits", classes=2).eval()
        same = nn.ZeroPad2d((1, 2, 1, 2))  # as Keras pads for a kernel of 4
        up = nn.Upsample(scale_factor=2)
        plain = nn.Sequential(
            nn.ZeroPad2d((2, 1, 2, 1)),
            same, nn.Conv2d(1, 32, 4), nn.Conv2d(32, 32, 3, padding=1), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2304, 36), nn.Softmax(1), nn.Unflatten(1, (1, 6, 6)),
            nn.Conv2d(1, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1), up,
            nn.Conv2d(64, 32, 3, padding=1), same, nn.Conv2d(32, 32, 4), up,
            nn.Conv2d(32, 1, 3, padding=1), nn.Sigmoid(),
        )  # fmt: skip
        state = network.state_dict()
        ordered = [value for part in ("encoder", "code", "decoder", "last") for key, value in state.items()
                   if key.startswith(part)]  # fmt: skip
        plain.load_state_dict(dict(zip(plain.state_dict(), ordered, strict=True)))
        with torch.no_grad():
            assert torch.allclose(plain(some(2))[:, :, 2:23, 2:23], network(some(2)).image, atol=1e-5)


class TestCopiedConvolutions:
    @pytest.mark.parametrize("encoder", ["frozen", "fine-tuned"])
    def test_the_features_are_the_classifier_s_own(self, encoder: str) -> None:
        """The source's classifier pads 21×21 by 3; the estimator's 24×24 and Keras' "same" come to the same."""
        given, network = classifier(), make(f"explain-hits-{encoder}", classes=2)
        copy_convolutions(network, given)
        assert all(value.requires_grad == (encoder != "frozen") for value in network.encoder.parameters())
        with torch.no_grad():
            for ours, theirs in zip(network.features(some(2)), given.features(some(2)), strict=True):
                assert torch.allclose(ours, theirs, atol=1e-6)

    def test_frozen_ones_stay_and_fine_tuned_ones_move(self) -> None:
        given = classifier()
        for encoder in ("frozen", "fine-tuned"):
            network = build_estimator(architecture_of(f"explain-hits-{encoder}", 1, classes=2), given)
            loss_after(network, some(2), some(2, seed=1), steps=2)
            same = torch.equal(network.encoder[0][1].weight, given.stages[0][0].weight)  # type: ignore[index, union-attr]
            assert same == (encoder == "frozen")

    def test_a_cut_network_takes_the_first_of_them(self) -> None:
        given, network = classifier(), Estimator(EstimatorConfig(cut=1, encoder="frozen"))
        copy_convolutions(network, given)
        with torch.no_grad():
            x = some(1, size=(21, 21))
            assert network.features(x)[0].shape[2:] == (22, 22)
            # one zero at the top and left where the classifier pads by 3: its maps are ours from the third pixel on
            assert torch.allclose(
                network.features(x)[0][:, :, 1:19, 1:19], given.features(x)[0][:, :, 2:20, 2:20], atol=1e-6
            )

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"stages": ((32, 32), (64, 64))}, "has 4 convolutions, the estimator's encoder 5"),
            ({"stages": ((32, 16), (64, 64, 64))}, r"convolution 2: the classifier's weights are \(16, 32, 3, 3\)"),
            ({"norm": True}, "convolution 1 of the classifier has no bias"),
            ({"activation": "relu"}, "the classifier's activation is 'relu', the estimator's 'none'"),
        ],
    )
    def test_another_classifier_is_refused_and_nothing_changed(self, settings: dict[str, Any], message: str) -> None:
        network = make("explain-hits-frozen")
        before = {key: value.clone() for key, value in network.state_dict().items()}
        with pytest.raises(CuelloError, match=message):
            copy_convolutions(network, classifier(**settings))
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cut": 3}, "cut at pooling 3, but there are 2"),
        ({"cut": 1, "condition": "number"}, "no dense layer that the class could join"),
        ({"classes": 36, "condition": "one-hot"}, "takes 36 of the 36 numbers in the middle"),
        ({"stages": ((8,), ())}, "a stage without convolutions"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EstimatorConfig(**settings)


def test_shares_of_classes() -> None:
    x = torch.zeros(2, 1, 4, 4)
    assert class_shares(None, 4, x).tolist() == [[0.25] * 4] * 2
    assert class_shares(torch.tensor([2, 0]), 3, x).tolist() == [[0, 0, 1], [1, 0, 0]]
    given = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    assert torch.equal(class_shares(given, 2, x), given)
