"""Samples and planes: from the prior, from what is fitted, where they lie."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.latent import grid, sample
from cuello.latent.grids import quantiles
from cuello.latent.samples import fitted_normal

# Samples


def test_a_seed_gives_the_same_samples_and_another_gives_others(variational: Model) -> None:
    found = sample(variational, 5, seed=1)
    again = sample(variational, 5, seed=1)
    assert found.codes.shape == (5, 2)
    assert found.images.shape == (5, 7, 5, 1)
    assert np.array_equal(found.codes, again.codes)
    assert np.array_equal(found.images, variational.decode(found.codes))
    assert not np.array_equal(found.codes, sample(variational, 5, seed=2).codes)


def test_samples_of_a_normal_prior_are_standard_normal(variational: Model) -> None:
    codes = sample(variational, 4000).codes
    assert np.abs(codes.mean(0)).max() < 0.06
    assert np.abs(np.cov(codes.T) - np.eye(2)).max() < 0.08


def test_fitted_samples_have_the_mean_and_covariance_of_the_codes() -> None:
    mix = np.array([[2.0, 0.0, 0.0], [1.5, 0.5, 0.0], [0.0, -1.0, 0.1]])
    codes = np.random.default_rng(0).normal(size=(50, 3)) @ mix.T + [5, -3, 0]
    found = fitted_normal(codes, 20_000, torch.Generator().manual_seed(0)).astype(np.float64)
    assert np.allclose(found.mean(0), codes.mean(0), atol=0.06)
    assert np.allclose(np.cov(found.T), np.cov(codes.T), atol=0.12)


def test_codes_on_a_line_give_samples_on_it(plain: Model) -> None:
    codes = np.array([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]])
    drawn = sample(plain, 50, codes=codes).codes
    assert np.allclose(drawn[:, 1], 2 * drawn[:, 0], atol=1e-5)
    assert drawn[:, 0].std() > 0.5


def test_codes_in_space_have_fewer_images_than_numbers(spatial: Model) -> None:
    codes = spatial.encode(np.random.default_rng(0).random((4, 8, 8, 1), dtype=np.float32))
    found = sample(spatial, 3, codes=codes)
    assert found.codes.shape == (3, 16, 4, 4)
    assert found.images.shape == (3, 8, 8, 1)


def test_a_prior_of_its_own_draws_for_itself(scripted: Model) -> None:
    class Uniform(type(scripted.network)):
        prior = "uniform"

    class Coin(Uniform):
        def draw(self, count: int, generator: torch.Generator, shape: tuple[int, ...]) -> torch.Tensor:
            return torch.randint(2, (count, *shape), generator=generator).float()

    found = sample(replace(scripted, network=Coin()), 40)
    assert set(np.unique(found.codes)) == {0.0, 1.0}
    assert np.array_equal(found.images[:, 0, :, 0], found.codes)
    with pytest.raises(CuelloError, match="no way to draw from the prior 'uniform'"):
        sample(replace(scripted, network=Uniform()), 1)


def test_what_cannot_be_sampled(plain: Model, variational: Model) -> None:
    with pytest.raises(CuelloError, match=r"'mlp:35-20-2' has no prior.*codes=model.encode\(images\).*train generate"):
        sample(plain, 3)
    with pytest.raises(CuelloError, match="n: got 0, needed 1 or more"):
        sample(variational, 0)
    with pytest.raises(CuelloError, match=r"shape \(1, 2\), needed \(N, …\) with two or more"):
        sample(plain, 3, codes=np.zeros((1, 2)))


def test_a_network_without_a_code(make_model) -> None:
    denoiser = make_model("unet-s")
    for tool in (
        lambda: sample(denoiser, 1),
        lambda: grid(denoiser),
        lambda: sample(denoiser, 1, codes=np.ones((2, 2))),
    ):
        with pytest.raises(CuelloError, match=r"'unet-s' has no code in its middle.*cuello train reconstruct"):
            tool()


# Planes


def test_quantiles_of_the_normal_distribution_from_a_table() -> None:
    # Φ(-1.2816) = 0.1, Φ(-0.5244) = 0.3, Φ(0) = 0.5
    assert quantiles(5) == pytest.approx([-1.2816, -0.5244, 0.0, 0.5244, 1.2816], abs=1e-4)


def test_a_grid_of_quantiles_lies_as_a_picture(variational: Model) -> None:
    found = grid(variational, 5)
    assert found.kind == "quantiles"
    assert np.array_equal(found.x, quantiles(5))
    assert np.array_equal(found.y, quantiles(5)[::-1]), "the first row is the highest"
    assert found.codes.shape == (5, 5, 2)
    for row, column in [(0, 0), (0, 4), (3, 1)]:
        assert found.codes[row, column].tolist() == pytest.approx([found.x[column], found.y[row]])
    assert np.allclose(found.images[3, 1], variational.decode(found.codes[3, 1])[0], atol=1e-6)


def test_a_grid_spans_the_known_codes(plain: Model) -> None:
    codes = np.array([[-1.0, 5.0], [3.0, 6.0], [0.0, 9.0]])
    found = grid(plain, 3, codes)
    assert found.kind == "plane"
    assert found.codes[0, 0].tolist() == [-1, 9]
    assert found.codes[2, 2].tolist() == [3, 5]
    assert found.codes[1, 1].tolist() == [1, 7]


def test_a_grid_of_many_numbers_is_the_plane_of_two_components(make_model) -> None:
    model = make_model("mlp:35-5", size=(7, 5))
    random = np.random.default_rng(0)
    flat = random.normal(size=(60, 2)) * [5, 2]
    axes = np.linalg.qr(random.normal(size=(5, 2)))[0].T
    codes = (flat @ axes + 7).astype(np.float32)  # all on one plane, so that it must be found
    found = grid(model, 4, codes)
    assert found.kind == "components"
    rows = found.codes.reshape(-1, 5) - codes.mean(0)
    assert np.allclose(rows @ axes.T @ axes, rows, atol=1e-4)
    assert np.ptp(found.x) > np.ptp(found.y)
    assert np.allclose(np.linalg.norm(found.codes[0, 0] - found.codes[0, 3]), np.ptp(found.x), atol=1e-4)


def test_a_code_of_one_number_gives_a_row(make_model) -> None:
    model = make_model("vae:35-1", size=(7, 5))
    assert grid(model, 6).codes[0, :, 0] == pytest.approx(quantiles(6))
    found = grid(model, 6, np.array([[0.0], [5.0]]))
    assert found.codes.shape == (1, 6, 1)
    assert found.codes[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.images.shape == (1, 6, 7, 5, 1)


def test_a_grid_of_codes_in_space(spatial: Model) -> None:
    codes = spatial.encode(np.random.default_rng(0).random((4, 8, 8, 1), dtype=np.float32))
    found = grid(spatial, 2, codes)
    assert found.codes.shape == (2, 2, 16, 4, 4)
    assert found.images.shape == (2, 2, 8, 8, 1)


def test_what_is_no_plane(plain: Model, make_model) -> None:
    with pytest.raises(CuelloError, match="side: got 1, needed 2 or more"):
        grid(plain, 1)
    with pytest.raises(CuelloError, match=r"prior None and codes of shape \(2,\)\. Give codes of known images"):
        grid(plain, 3)
    with pytest.raises(CuelloError, match=r"code of one or two numbers.*codes of shape \(3,\)"):
        grid(make_model("vae:35-3", size=(7, 5)), 3)
    with pytest.raises(CuelloError, match=r"needed \(N, …\) with two or more"):
        grid(plain, 3, np.zeros((1, 2)))
