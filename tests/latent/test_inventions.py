"""Inventions: that what is called new is new."""

import numpy as np
import pytest

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.latent import invent


def hamming(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.array([int((image != other).sum()) for other in known])


def test_inventions_are_none_of_the_known_and_all_different(learned: Model, characters: np.ndarray) -> None:
    found = invent(learned, characters, 10)
    assert len(found) >= 5, "a network that knows the characters invents some"
    assert found.images.shape[1:] == (7, 5, 1)
    assert set(np.unique(found.images)) <= {0.0, 1.0}
    copies = learned.decode(learned.encode(characters)) >= 0.5
    for image, like, apart in zip(found.images, found.nearest, found.distances, strict=True):
        every = hamming(image, characters)
        assert apart == every.min() == every[like] > 0
        assert apart > hamming(copies[like], characters[like : like + 1])[0]
        assert sum(hamming(image, found.images) == 0) == 1


def test_every_invention_lies_between_its_parents(learned: Model, characters: np.ndarray) -> None:
    found = invent(learned, characters, 6, threshold=0.4)
    known = learned.encode(characters)
    for image, code, (a, b) in zip(found.images, found.codes, found.parents, strict=True):
        assert np.array_equal(learned.decode(code)[0] >= 0.4, image == 1)
        whole = np.linalg.norm(known[b] - known[a])
        assert np.linalg.norm(code - known[a]) + np.linalg.norm(known[b] - code) == pytest.approx(whole, rel=1e-4)
    apart = np.linalg.norm(known[found.parents[:, 0]] - known[found.parents[:, 1]], axis=1)
    assert (np.diff(apart) >= -1e-5).all(), "the closest pairs first"


def test_a_seed_gives_the_same(learned: Model, characters: np.ndarray) -> None:
    found, again = (invent(learned, (characters * 255).astype(np.uint8), 4, seed=1) for _ in range(2))
    assert np.array_equal(found.codes, again.codes)
    assert not np.array_equal(found.codes, invent(learned, characters, 4, seed=2).codes)


def test_only_between_the_parents_named_but_unlike_all(learned: Model, characters: np.ndarray) -> None:
    found = invent(learned, characters, 50, parents=[3, 8, 30])
    assert set(found.parents.ravel().tolist()) <= {3, 8, 30}
    assert len(found) <= 3, "one a pair"
    for image, apart in zip(found.images, found.distances, strict=True):
        assert apart == hamming(image, characters).min()


def test_by_hand(scripted: Model) -> None:
    """Codes are the images: between 00 and 11 there is 00 or 11, and nothing new; between 01 and 10 just as little."""
    images = np.array([[[0, 0]], [[1, 1]], [[0, 1]]], np.float32)
    found = invent(scripted, images[..., None], 5, seed=0)
    assert len(found) == 0
    assert found.tried == 15
    assert found.images.shape == (0, 1, 2, 1)
    one = invent(scripted, images[:2, ..., None], 5, seed=0)
    assert len(one) == 0, "all points of that line are one of its ends"
    three = np.array([[[1, 0]], [[0, 1]]], np.float32)[..., None]
    greys = invent(scripted, three, 5, seed=0, threshold=None)
    assert len(greys) == 1
    code = greys.codes[0]
    assert code.sum() == pytest.approx(1)
    assert greys.images[0, 0, :, 0].tolist() == pytest.approx(code.tolist())
    assert greys.distances[0] == pytest.approx(min(code), abs=1e-6), "both pixels differ by as much: their RMS is that"
    assert 0.4 < min(code) <= 0.5, "of the five points the one furthest from both"


def test_greys_are_measured_by_root_mean_squares(learned: Model, characters: np.ndarray) -> None:
    found = invent(learned, characters, 5, threshold=None)
    assert len(found)
    copies = learned.decode(learned.encode(characters))
    for image, like, apart in zip(found.images, found.nearest, found.distances, strict=True):
        every = np.sqrt(((characters - image) ** 2).mean((1, 2, 3)))
        assert apart == pytest.approx(every.min(), rel=1e-4)
        assert every.argmin() == like
        assert apart > np.sqrt(((copies[like] - characters[like]) ** 2).mean())


def test_equal_codes_have_nothing_between_them(scripted: Model) -> None:
    found = invent(scripted, np.ones((3, 1, 2, 1), np.float32))
    assert (len(found), found.tried) == (0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n: got 0"),
        ({"threshold": 1.0}, "threshold: got 1.0, needed between 0 and 1, or None"),
        ({"parents": [1]}, "got 1 images to look between, needed two or more different ones of the 32"),
        ({"parents": [1, 1]}, "needed two or more different ones"),
        ({"parents": [1, 32]}, "needed two or more different ones"),
    ],
)
def test_what_cannot_be(plain: Model, characters: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        invent(plain, characters, **options)


def test_greys_need_no_threshold(plain: Model, characters: np.ndarray) -> None:
    with pytest.raises(CuelloError, match=r"got images with greys.*threshold=None"):
        invent(plain, characters * 0.5)
