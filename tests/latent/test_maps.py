"""Maps and neighbours, beside slow and independent ways."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.latent import nearest, neighbours, project


@settings(deadline=None)
@given(st.integers(3, 30), st.integers(2, 40), st.integers(0, 10**6))
def test_pca_is_the_singular_value_decomposition(count: int, numbers: int, seed: int) -> None:
    codes = np.random.default_rng(seed).normal(size=(count, numbers)) * np.geomspace(1, 5, numbers)
    found = project(codes, "pca")
    centred = codes - codes.mean(0)
    left, values, axes = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * values[:2]
    signs = np.sign((expected * found.points).sum(0))
    assert np.allclose(found.points * signs, expected, atol=1e-6 * values[0])
    assert found.share == pytest.approx((values[:2] ** 2).sum() / (values**2).sum())
    for axis, point in zip(axes[:2], found.points.T, strict=True):
        turned = axis * np.sign(axis[np.abs(axis).argmax()])
        assert (centred @ turned) @ point > 0, "the largest number of each axis is positive"


def test_codes_in_space_are_rows() -> None:
    codes = np.random.default_rng(0).normal(size=(6, 4, 2, 3))
    assert np.array_equal(project(codes, "pca").points, project(codes.reshape(6, -1), "pca").points)


def test_equal_codes_are_one_point() -> None:
    found = project(np.ones((4, 3)), "pca")
    assert np.array_equal(found.points, np.zeros((4, 2)))
    assert found.share == 1.0


@pytest.mark.parametrize(
    ("method", "package", "module"), [("tsne", "scikit-learn", "sklearn"), ("umap", "umap-learn", "umap")]
)
def test_a_method_says_what_to_install(method, package: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CuelloError, match=f"{method!r} needs {package}, which is not installed: pip install {package}"):
        project(np.zeros((4, 3)), method)


@pytest.mark.parametrize(("method", "module"), [("tsne", "sklearn"), ("umap", "umap")])
@pytest.mark.parametrize("count", [4, 40])
def test_methods_of_other_packages_keep_groups_apart(method, module: str, count: int) -> None:
    pytest.importorskip(module)
    codes = np.random.default_rng(0).normal(size=(count, 6)) + 50 * (np.arange(count) % 2)[:, None]
    found = project(codes, method, seed=3)
    assert found.points.shape == (count, 2)
    assert found.share is None
    assert np.array_equal(found.points, project(codes, method, seed=3).points)
    if count == 40:
        other = nearest(found.points, found.points, 2).positions[:, 1]
        assert (other % 2 == np.arange(count) % 2).all()


def test_what_cannot_be_projected() -> None:
    with pytest.raises(CuelloError, match=r"no method called 'tsn'\. Did you mean 'tsne'\? Known: pca, tsne, umap"):
        project(np.zeros((4, 3)), "tsn")  # type: ignore[arg-type]
    for shape in [(2, 3), (4, 1), (4,)]:
        with pytest.raises(CuelloError, match="needed three or more, of two numbers or more"):
            project(np.zeros(shape), "pca")


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 300), st.integers(1, 5), st.integers(0, 10**6))
def test_the_nearest_are_those_of_a_slow_search(known: int, asked: int, numbers: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes, queries = random.integers(-3, 4, (known, numbers)), random.integers(-3, 4, (asked, numbers))
    found = nearest(codes.astype(np.float32), queries.astype(np.float32), k=min(4, known))
    for row, query in enumerate(queries):
        distances = np.sqrt(((codes - query) ** 2).sum(1))
        order = np.argsort(distances, kind="stable")[: min(4, known)]
        assert found.positions[row].tolist() == order.tolist(), "equally near ones in their order"
        assert found.distances[row] == pytest.approx(distances[order])


def test_an_image_is_its_own_neighbour(plain: Model, characters: np.ndarray) -> None:
    found = neighbours(plain, characters, characters[[4, 9]], k=3)
    assert found.positions[:, 0].tolist() == [4, 9]
    assert found.distances[:, 0].tolist() == pytest.approx([0, 0], abs=1e-5)
    codes = plain.encode(characters)
    assert np.array_equal(found.positions, nearest(codes, codes[[4, 9]], 3).positions)


def test_too_many_neighbours(plain: Model, characters: np.ndarray) -> None:
    for k in (0, 33):
        with pytest.raises(CuelloError, match=f"k: got {k}, needed 1 to 32"):
            neighbours(plain, characters, characters, k=k)


def test_codes_of_many_numbers_go_by_principal_components() -> None:
    codes = np.random.default_rng(0).normal(size=(5, 64))
    found, named = project(codes), project(codes, "pca")
    assert (found.method, found.share) == ("pca", named.share)
    assert np.array_equal(found.points, named.points)
    assert project(codes[:, :2]).method is None
    assert np.array_equal(project(codes[:, :2]).points, codes[:, :2])
