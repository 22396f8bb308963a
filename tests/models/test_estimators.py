"""Estimators made for a given classifier."""

from typing import Any

import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.models.catalog import architecture_of, build
from cuello.models.estimators import build_estimator, estimator_of, with_classifier

HITS = architecture_of("classify-hits", 1)


def test_the_convolutions_of_any_classifier_are_mirrored() -> None:
    given = architecture_of("classify-mnist", 1, (28, 28), classes=10)
    found = estimator_of("explain-hits", given, encoder="frozen", condition="one-hot")
    keys = ("height", "width", "classes", "stages", "first", "activation", "encoder", "condition")
    assert [found.settings[key] for key in keys] == [28, 28, 10, [[16], [32]], 3, "relu", "frozen", "one-hot"]
    classifier: Any = build(given).eval()
    network: Any = build_estimator(found, classifier).eval()
    x = torch.rand(1, 1, 28, 28)
    with torch.no_grad():
        assert network(x, torch.tensor([4])).latent.shape == (1, 49)
        for ours, theirs in zip(network.features(x), classifier.features(x), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_source_s_classifier_gives_the_named_networks() -> None:
    for name in ("explain-hits", "explain-hits-frozen", "explain-hits-one-hot", "explain-hits-cut-1"):
        assert estimator_of(name, HITS) == architecture_of(name, 1)


def test_a_classifier_of_any_size_needs_one_to_be_mirrored() -> None:
    anywhere = architecture_of("classify-s", 1)
    with pytest.raises(CuelloError, match="the classifier for any: give size"):
        estimator_of("explain-hits", anywhere)
    assert estimator_of("explain-hits", anywhere, size=(16, 24)).settings["width"] == 24
    assert estimator_of("explain-s", anywhere).settings["classifier"] == anywhere.settings


def test_normal_encoders_are_left_alone() -> None:
    torch.manual_seed(1)
    network, classifier = build(estimator_of("explain-hits", HITS)), build(HITS)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with_classifier(network, classifier)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(CuelloError, match=r"'unet-s' does not estimate occlusion maps\. Those that do: explain-hits, "):
        estimator_of("unet-s", HITS)
    with pytest.raises(CuelloError, match="got a network of kind 'unet', needed one of Cuello's classifiers"):
        estimator_of("explain-s", architecture_of("unet-s", 1))
    with pytest.raises(CuelloError, match="got images of 28×20 pixels, the classifier takes 21×21"):
        estimator_of("explain-hits", HITS, size=(20, 28))
    with pytest.raises(CuelloError, match="encoder and condition are not settings of 'explain-s'"):
        estimator_of("explain-s", HITS, encoder="frozen")
    with pytest.raises(CuelloError, match=r"does not fit: .*the class takes 40 of the 36 numbers"):
        estimator_of("explain-hits", architecture_of("classify-hits", 1, classes=40), condition="one-hot")
    with pytest.raises(CuelloError, match="got a UNet, needed an estimator"):
        with_classifier(build(architecture_of("unet-s", 1)), build(HITS))
