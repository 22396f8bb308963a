"""Estimated occlusion maps: whose they are, what is refused, and a check of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cuello
from cuello.core.errors import CuelloError
from cuello.data.images import Images
from cuello.jobs.explain.check import Check, checked
from cuello.jobs.explain.classifier import ExplainedClassifier, open_classifier
from cuello.jobs.explain.estimator import MapEstimator, chosen_settings, estimate, open_estimator, predicted
from cuello.jobs.explain.exact import exact_maps
from cuello.jobs.explain.settings import LEARNED, MapSettings
from cuello.models.catalog import Architecture, build
from cuello.runs.artefact import Artefact, save_artefact

CLASSES = ("bogus", "real")
SIZE = (12, 10)


def classifier_file(folder: Path, pad: int = 2, seed: int = 0) -> Path:
    """Write a small untrained classifier of images of 10×12 pixels that pads them itself."""
    settings = {"channels": 1, "height": SIZE[0], "width": SIZE[1], "classes": 2, "pad": pad, "stages": [[4], [6]]}
    architecture = Architecture("classify-tiny", "classifier", settings)
    torch.manual_seed(seed)
    network = build(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # so that a box changes the answer
    folder.mkdir(parents=True)
    artefact = Artefact(architecture, "classify", None, network.state_dict(), classes=CLASSES)
    save_artefact(folder / "model.safetensors", artefact)
    return folder


TRAINED = {"box": 3, "stride": 2, "fill": "0.5"}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier_file(tmp_path_factory.mktemp("estimating") / "classifier")


@pytest.fixture(scope="module")
def opened(classifier: Path) -> ExplainedClassifier:
    return open_classifier(classifier)


@pytest.fixture(scope="module")
def estimator(
    classifier: Path,
    opened: ExplainedClassifier,
    tmp_path_factory: pytest.TempPathFactory,
    make_estimator: Callable[..., Path],
) -> MapEstimator:
    folder = tmp_path_factory.mktemp("estimating") / "explain"
    return open_estimator(make_estimator(folder, classifier, **TRAINED), opened)


def some_images(count: int = 12, size: tuple[int, int] = SIZE) -> Images:
    random = np.random.default_rng(3)
    arrays = [random.integers(0, 256, (*size, 1), dtype=np.uint8) for _ in range(count)]
    return Images("some", arrays, [f"{number:02d}.png" for number in range(count)])


def as_tensor(images: Images) -> torch.Tensor:
    return torch.stack([torch.from_numpy(array).permute(2, 0, 1) for array in images.arrays]).float() / 255


def test_what_it_learned_is_read_from_its_file(estimator: MapEstimator) -> None:
    assert estimator.settings == MapSettings(3, 2, "0.5", definition=LEARNED)
    assert estimator.name == "explain-s"


@pytest.mark.parametrize(("name", "condition"), [("explain-s", None), ("explain-hits", "one-hot")])
def test_the_condition_is_the_class_that_the_classifier_predicts(
    name: str,
    condition: str | None,
    classifier: Path,
    opened: ExplainedClassifier,
    tmp_path: Path,
    make_estimator: Callable[..., Path],
) -> None:
    network = open_estimator(make_estimator(tmp_path / "e", classifier, name, condition=condition), opened)
    images = as_tensor(some_images())
    model = cuello.load(classifier)
    numbers, scores = predicted(model, images)
    maps = estimate(network.model, images, numbers).numpy()
    shares = model.classify(images)
    assert set(numbers.tolist()) == {0, 1}, "images of both classes, else the test shows little"
    assert numbers.tolist() == shares.argmax(1).tolist()
    np.testing.assert_allclose(scores, shares.max(1).values, rtol=1e-6)
    with torch.no_grad():
        expected = network.model.network(images, shares.argmax(1)).image[:, 0].numpy()
        others = network.model.network(images, 1 - shares.argmax(1)).image[:, 0].numpy()
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    if condition:
        assert np.abs(maps - others).max() > 1e-4, "the class matters"


def test_another_classifiers_estimator_is_refused(estimator: MapEstimator, tmp_path: Path) -> None:
    other = open_classifier(classifier_file(tmp_path / "other", seed=5))
    assert other.own is not None
    with pytest.raises(
        CuelloError, match=rf"learned the maps of another classifier .*this one has {other.own.artefact.checksum}"
    ):
        open_estimator(estimator.path, other)


def test_what_is_no_estimator_is_named(classifier: Path, opened: ExplainedClassifier, estimator: MapEstimator) -> None:
    with pytest.raises(
        CuelloError, match="is not an estimator of occlusion maps: it is 'classify-tiny', trained to classify"
    ):
        open_estimator(classifier, opened)
    with pytest.raises(CuelloError, match=r"c\.onnx is not one of Cuello's classifiers"):
        open_estimator(estimator.path, ExplainedClassifier(None, "c.onnx", 1, size=None))


def test_an_estimator_in_the_classifiers_place_is_told_where_it_belongs(estimator: MapEstimator) -> None:
    with pytest.raises(CuelloError, match=r"is not a classifier: its job is explain\. Give it with model, after"):
        open_classifier(estimator.path)


def test_what_is_given_must_be_what_was_learned(estimator: MapEstimator) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("box", "stride", "fill", "sigma", "definition", "score", "outputs"))
    assert chosen_settings(nothing, estimator) == estimator.settings
    same = {"box": 3, "stride": 2, "fill": ".50", "definition": LEARNED, "score": "probability"}
    assert chosen_settings({**nothing, **same}, estimator) == estimator.settings
    for name, value in (("box", 5), ("stride", 1), ("fill", "mean"), ("definition", "sum"), ("score", "logit")):
        with pytest.raises(CuelloError, match=f"{name}: got {value!r}, but explain-s learned maps with {name} "):
            chosen_settings({**nothing, name: value}, estimator)
    assert chosen_settings({**nothing, "box": 5}, None) == MapSettings(box=5)


def test_a_check_compares_with_occlusion_maps_of_the_padded_images_and_keeps_them(
    estimator: MapEstimator,
    opened: ExplainedClassifier,
    classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))
    images = some_images(8)
    pixels = as_tensor(images)
    maps = list(estimate(estimator.model, pixels, predicted(cuello.load(classifier), pixels)[0]).numpy())
    done: list[tuple[float, float]] = []

    def check() -> Check:
        return checked(
            estimator, opened, images, maps=maps, share=0.5, seed=4,
            progress=lambda event: done.append((event.done, event.total)),
        )  # fmt: skip

    found = check()
    assert (len(found.names), found.of, found.seed, done[-1]) == (4, 8, 4, (4, 4))
    assert found.names == [images.names[place] for place in found.places]
    for place, exact, ours in zip(found.places, found.exact, found.estimated, strict=True):
        np.testing.assert_array_equal(ours, maps[place])
        expected = cuello.occlusion_map(
            opened.network, pixels[place][None], 3, stride=2, fill=0.5, padding=2, definition=LEARNED
        )
        np.testing.assert_allclose(exact, expected.maps[0, 0], atol=1e-4)
        np.testing.assert_allclose(
            found.pearson.values[found.places.index(place)], np.corrcoef(exact.ravel(), ours.ravel())[0, 1], atol=1e-6
        )
    model = cuello.load(classifier)
    again = exact_maps(
        opened.path, model, [images.arrays[place] for place in found.places], settings=estimator.settings
    )
    assert again.made == 0, "what a check makes is kept, and found by who asks next"
    done.clear()
    same = check()
    assert done == [(4, 4)], "none is made again"
    np.testing.assert_array_equal(same.exact, found.exact)
