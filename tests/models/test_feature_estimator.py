"""The estimator on the classifier's features: what is within, what is cut, what the class does."""

from typing import Any

import pytest
import torch
from torch import nn

from cuello.core.errors import CuelloError
from cuello.models.catalog import Architecture, architecture_of, build
from cuello.models.estimators import build_estimator, estimator_of, with_classifier
from cuello.models.feature_estimator import FeatureEstimatorConfig, centred

CLASSIFIERS = ["classify-s", "classify-mnist", "classify-hits"]


def of(name: str, channels: int = 1, classes: int = 3) -> tuple[Architecture, Any]:
    architecture = architecture_of(name, channels, (21, 21), classes=classes)
    torch.manual_seed(7)
    return architecture, build(architecture).eval()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_it_holds_the_classifier_and_takes_what_that_takes(name: str) -> None:
    given, classifier = of(name)
    network: Any = build_estimator(estimator_of("explain-s", given), classifier).train()
    x = torch.rand(2, 1, 21, 21)
    with torch.no_grad():
        before = classifier(x)
        assert torch.equal(network.classifier(x), before), "in evaluation, its dropout too"
        assert network(x).image.shape == (2, 1, 21, 21)
        assert torch.equal(network(x).latent, classifier.features(x)[-1])
    assert network.size == classifier.size
    assert not any(value.requires_grad for value in network.classifier.parameters())
    assert not network.classifier.training
    assert network.fine.training


@pytest.mark.parametrize("size", [(4, 4), (9, 30), (33, 17)])
def test_any_size_that_the_classifier_takes(size: tuple[int, int]) -> None:
    given, classifier = of("classify-s", channels=3)
    network: Any = build_estimator(estimator_of("explain-s", given), classifier).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, *size)).image.shape == (2, 1, *size)
        with pytest.raises(CuelloError, match="needs images of 4×4 pixels or more"):
            network(torch.rand(1, 3, 3, 9))


def test_it_is_small() -> None:
    """1×1: (16 + 32 + 64) · 24 + 3 · 24; 3×3: 24, 48 and 48 to 24; the image: 25 to 24, then 1; the class: 20 to 48."""
    by_hand = 112 * 24 + 72 + 9 * (24 + 48 + 48) * 24 + 72 + 9 * 25 * 24 + 24 + 9 * 24 + 1 + 3 * (20 * 48 + 48)
    network = build(architecture_of("explain-s", 1, classes=10))
    assert sum(value.numel() for value in network.parameters() if value.requires_grad) == by_hand == 37_417


def test_without_a_class_it_explains_the_predicted_one() -> None:
    given, classifier = of("classify-s")
    network: Any = build_estimator(estimator_of("explain-s", given), classifier).eval()
    x = torch.rand(4, 1, 12, 12, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for film in network.films:
            nn.init.normal_(film.weight, generator=torch.Generator().manual_seed(3))
        predicted = classifier(x).argmax(1)
        assert torch.equal(network(x).image, network(x, predicted).image)
        assert not torch.equal(network(x).image, network(x, (predicted + 1) % 3).image)


def test_a_pixel_of_the_features_lies_where_its_kernel_is_centred() -> None:
    """24×24 maps of 21×21 images: place i has seen pixels i - 3 to i; two come off at the top, one at the bottom."""
    maps = torch.arange(24.0)[:, None].expand(24, 24)[None, None]
    found = centred(maps, torch.zeros(1, 1, 21, 21))
    assert found[0, 0, :, 0].tolist() == list(range(2, 23))
    smaller = centred(torch.ones(1, 1, 3, 5), torch.zeros(1, 1, 5, 5))[0, 0]
    assert smaller[:, 0].tolist() == [0, 1, 1, 1, 0]


def test_settings_of_another_classifier_are_refused() -> None:
    with pytest.raises(ValueError, match="3 channels, but the classifier within has 1"):
        FeatureEstimatorConfig.model_validate({"channels": 3, "classifier": {"channels": 1}})
    network = build(architecture_of("explain-s", 1, classes=3))
    with pytest.raises(CuelloError, match="other settings than the one within"):
        with_classifier(network, of("classify-mnist")[1])
    with pytest.raises(CuelloError, match="got a Linear, needed one of Cuello's classifiers"):
        with_classifier(network, nn.Linear(1, 2))
