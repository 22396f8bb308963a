"""Exact maps that are kept: right, made once, by one process or several, and made again where a file is damaged."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.core.progress import Progress
from cuello.data.batches import to_tensor
from cuello.inference.model import Model, load
from cuello.jobs.explain.exact import FEW, PART, exact_maps, folder_of, identity
from cuello.jobs.explain.settings import LEARNED, MapSettings
from cuello.jobs.explain.sharing import Sharing
from cuello.models.catalog import Architecture, build
from cuello.models.classifier import ClassifierConfig
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact

SIDE, PAD = 6, 2
SETTINGS = MapSettings(definition=LEARNED)
CONFIG = ClassifierConfig(channels=1, height=SIDE, width=SIDE, classes=3, pad=PAD, stages=((3,), (4,)), dense=(5,))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A classifier's file: of 6×6 pixels, which it pads by 2."""
    torch.manual_seed(1)
    architecture = Architecture("tiny", "classifier", CONFIG.model_dump(mode="json"))
    weights = {name: 2 * tensor for name, tensor in build(architecture).state_dict().items()}
    file = tmp_path / FILE_NAME
    save_artefact(file, Artefact(architecture, "classify", None, weights, classes=("a", "b", "c")))
    return file


@pytest.fixture
def classifier(path: Path) -> Model:
    return load(path)


def images(count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 1), np.uint8))


def by_hand(classifier: Model, image: np.ndarray, box: int = 3) -> np.ndarray:
    """The source's map: the sum of probabilities under every box over the padded image, standardised, clipped, cut."""
    x = to_tensor(image[None])
    number = int(classifier.network(x).argmax())
    sums = np.zeros((SIDE + 2 * PAD, SIDE + 2 * PAD))
    for top in range(SIDE + 2 * PAD - box + 1):
        for left in range(SIDE + 2 * PAD - box + 1):
            hidden = x.clone()
            rows = slice(max(0, top - PAD), max(0, top - PAD + box))
            hidden[:, :, rows, max(0, left - PAD) : max(0, left - PAD + box)] = 0
            with torch.no_grad():
                said = classifier.network(hidden).softmax(1)[0, number]
            sums[top : top + box, left : left + box] += float(said)
    clipped = np.clip((sums - sums.mean()) / sums.std(), -1, 1)
    return (clipped / 2 + 0.5)[PAD:-PAD, PAD:-PAD]


def test_maps_are_the_sources(path: Path, classifier: Model) -> None:
    arrays = images(3)
    found = exact_maps(path, classifier, arrays, settings=SETTINGS)
    expected = classifier.network(to_tensor(np.stack(arrays))).argmax(1)
    assert found.predicted.tolist() == expected.tolist()
    for one, image in zip(found.maps, arrays, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, by_hand(classifier, image), atol=2e-4)
    assert (found.seconds > 0).all()


def test_maps_are_made_once(path: Path, classifier: Model) -> None:
    said: list[tuple[float, float]] = []
    first = exact_maps(
        path, classifier, images(5), settings=SETTINGS, progress=lambda event: said.append((event.done, event.total))
    )
    assert (first.made, said[0], said[-1]) == (5, (0, 5), (5, 5))
    more = [*images(2, seed=1), *reversed(images(5)), images(5)[0]]
    again = exact_maps(path, classifier, more, settings=SETTINGS)
    assert again.made == 2
    np.testing.assert_array_equal(again.maps[2], first.maps[4])
    np.testing.assert_array_equal(again.maps[-1], first.maps[0])
    other = replace(SETTINGS, box=2)
    assert exact_maps(path, classifier, images(5), settings=other).made == 5, "other settings have other maps"


def test_other_weights_have_other_maps(path: Path, classifier: Model) -> None:
    exact_maps(path, classifier, images(2), settings=SETTINGS)
    weights = {name: tensor + 0.01 for name, tensor in classifier.artefact.weights.items()}
    other = replace(classifier.artefact, weights=weights)
    save_artefact(path, other)
    assert exact_maps(path, load(path), images(2), settings=SETTINGS).made == 2


def test_a_damaged_file_is_made_again(path: Path, classifier: Model) -> None:
    first = exact_maps(path, classifier, images(3), settings=SETTINGS)
    (part,) = folder_of(classifier, SETTINGS).glob("part-*.npz")
    part.write_bytes(part.read_bytes()[:-40])
    again = exact_maps(path, classifier, images(3), settings=SETTINGS)
    assert again.made == 3
    np.testing.assert_array_equal(again.maps, first.maps)


def test_what_was_made_before_an_interruption_stays(path: Path, classifier: Model) -> None:
    arrays = images(PART + 3)

    def stop(event: Progress) -> None:
        if event.done == PART:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exact_maps(path, classifier, arrays, settings=SETTINGS, progress=stop)
    assert exact_maps(path, classifier, arrays, settings=SETTINGS).made == 3


def test_several_processes_make_the_same(path: Path, classifier: Model) -> None:
    arrays = images(FEW + 10)
    said: list[tuple[float, float]] = []
    found = exact_maps(
        path,
        classifier,
        arrays,
        settings=SETTINGS,
        sharing=Sharing(2),
        progress=lambda event: said.append((event.done, event.total)),
    )
    assert found.made == len(arrays)
    assert said[-1] == (len(arrays), len(arrays))
    for place in (0, PART, len(arrays) - 1):
        np.testing.assert_allclose(found.maps[place], by_hand(classifier, arrays[place]), atol=2e-4)


def test_a_process_that_fails_says_why(path: Path, classifier: Model) -> None:
    other = replace(classifier.artefact, weights={k: v + 1 for k, v in classifier.artefact.weights.items()})
    save_artefact(path, other)
    with pytest.raises(CuelloError, match="has changed meanwhile"):
        exact_maps(path, classifier, images(FEW + 1), settings=SETTINGS, sharing=Sharing(2))


@pytest.mark.parametrize(
    ("shape", "said"), [((5, 6, 1), "got 6×5: add resize='6x6'"), ((6, 6, 3), "got 3: add channels=1")]
)
def test_images_that_do_not_fit_are_refused(path: Path, classifier: Model, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        exact_maps(path, classifier, [np.zeros(shape, np.uint8)], settings=SETTINGS)


def test_identity_tells_images_apart() -> None:
    plain = np.zeros((2, 3, 1), np.uint8)
    others = [plain.reshape(3, 2, 1), plain.astype(np.uint16), plain + np.uint8(1)]
    assert identity(plain) == identity(plain.copy())
    assert len({identity(plain), *map(identity, others)}) == 4


def test_maps_that_were_kept_before_are_found(classifier: Model) -> None:
    """The folder's name is worked out as the first version did: fill is the text of the training's setting."""
    for settings in (MapSettings(5, 2, "0", definition=LEARNED), MapSettings(3, 1, "0.50", definition=LEARNED)):
        named = {"box": settings.box, "stride": settings.stride, "fill": settings.fill}
        about = json.dumps([classifier.artefact.checksum, named, "standardised-sum", 1])
        assert folder_of(classifier, settings).name == hashlib.sha256(about.encode()).hexdigest()[:16]
    blurred = MapSettings(fill="blur", definition=LEARNED)
    assert folder_of(classifier, blurred) != folder_of(classifier, replace(blurred, sigma=2.0))
    assert folder_of(classifier, SETTINGS) == folder_of(classifier, replace(SETTINGS, sigma=2.0)), (
        "only blur has a sigma"
    )
