"""Principal components: by hand, against NumPy's singular values, and the law that nothing linear is better."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.scoring.references import MOST_NUMBERS, fit_references, principal_components


def test_components_by_hand() -> None:
    # Four points on a line through (1, 1) in the direction (0.6, 0.8), and a little to its side.
    line, side = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    points = np.array([1.0, 1.0]) + np.outer([-2, -1, 1, 2], line) + np.outer([0.1, -0.1, -0.1, 0.1], side)
    mean, components = principal_components(points, 1)
    np.testing.assert_allclose(mean, [1, 1])
    np.testing.assert_allclose(np.abs(components[0] @ line), 1, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 10**6), st.data())
def test_components_are_those_of_the_singular_value_decomposition(count: int, pixels: int, seed: int, data) -> None:
    numbers = data.draw(st.integers(1, min(count, pixels)))
    images = np.random.default_rng(seed).normal(size=(count, pixels))
    mean, components = principal_components(images, numbers)
    centred = images - images.mean(0)
    values, rows = np.linalg.svd(centred, full_matrices=False)[1:]
    kept = min(numbers, int((values > 1e-6).sum()))
    expected = rows[:kept].T @ rows[:kept]
    np.testing.assert_allclose(components[:kept].T @ components[:kept], expected, atol=1e-6)
    np.testing.assert_allclose(mean, images.mean(0), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_no_other_linear_code_leaves_less(seed: int, numbers: int) -> None:
    random = np.random.default_rng(seed)
    images = torch.from_numpy(random.uniform(0.4, 0.6, size=(30, 1, 3, 4))).float()
    pca = next(found for found in fit_references([images], numbers) if found.name == "pca")
    other = np.linalg.qr(random.normal(size=(12, numbers)))[0]
    flat = images.flatten(1).double().numpy()
    centred = flat - flat.mean(0)
    theirs = np.square(centred - centred @ other @ other.T).mean()
    assert float((pca.run(images) - images).square().mean()) <= theirs + 1e-9


def test_the_mean_image_and_the_label() -> None:
    images = torch.rand(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mean, pca = fit_references([images[:6], images[6:]], 2)
    assert (mean.name, pca.name, pca.label) == ("mean", "pca", "PCA, 2 numbers")
    torch.testing.assert_close(mean.run(images[:2]), images.mean(0).expand(2, -1, -1, -1))
    assert pca.run(images).shape == images.shape


def test_a_code_that_is_no_bottleneck_has_only_the_mean_image_beside_it() -> None:
    assert [found.name for found in fit_references([torch.rand(5, 1, 4, 4)], 5)] == ["mean"]


def test_large_images_have_nothing_beside_them() -> None:
    assert fit_references([torch.zeros(2, 1, 1, MOST_NUMBERS + 1)], 1) == []


@pytest.mark.parametrize("numbers", [0, 4])
def test_more_components_than_images_are_an_error(numbers: int) -> None:
    with pytest.raises(CuelloError, match="of 3 images of 5 numbers"):
        principal_components(np.zeros((3, 5)), numbers)
