"""Every method of the table: one value an image, the generator's draws alone, and noise that is learned away."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.core.types import Pair
from cuello.training.blind.base import BlindMethod, Copies, KnownNoise
from cuello.training.blind.catalog import METHODS
from cuello.training.blind.neighbours import BESIDE, drawn_cells, taken
from cuello.training.blind.recorrupted import recorrupted
from cuello.training.blind.sure import sure

SIGMA = 0.1
KNOWN = KnownNoise(SIGMA)


def clean_images(count: int = 4, side: int = 24) -> Tensor:
    """Slow waves, ``(N, 1, side, side)``."""
    place = torch.arange(side) / side
    waves = [0.5 + 0.3 * torch.outer(torch.sin(3 * place + number), torch.cos(2 * place)) for number in range(count)]
    return torch.stack(waves)[:, None]


def noisy_copies(method: BlindMethod, clean: Tensor, seed: int = 0) -> Copies:
    random = generator(seed, "test")
    copies = 1 if method.needs == "image" else 2
    return tuple(clean + SIGMA * torch.randn(clean.shape, generator=random) for _ in range(copies))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_one_value_an_image_and_the_same_for_the_same_draws(method: BlindMethod) -> None:
    copies = noisy_copies(method, clean_images())

    def losses(seed: int) -> Tensor:
        loss = method.pair(copies, KNOWN, generator(seed, "draws")).loss
        assert loss is not None
        return loss(lambda x: 0.9 * x)

    assert losses(1).shape == (4,)
    assert losses(1).isfinite().all()
    assert torch.equal(losses(1), losses(1))
    assert not torch.equal(losses(1), losses(2))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_images_are_left_as_they_were(method: BlindMethod) -> None:
    copies = noisy_copies(method, clean_images())
    before = [one.clone() for one in copies]
    loss = method.pair(copies, KNOWN, generator(1, "draws")).loss
    assert loss is not None
    loss(lambda x: x)
    assert all(torch.equal(one, other) for one, other in zip(copies, before, strict=True))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_filter_learns_to_take_noise_off(method: BlindMethod) -> None:
    """From the noisy images alone a 5×5 filter leaves less than half of the noise's energy; it began with all."""
    clean = clean_images()
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, 5, padding=2, padding_mode="reflect")
    with torch.no_grad():
        network.weight.zero_()[0, 0, 2, 2] = 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(150):
        loss = method.pair(noisy_copies(method, clean, 0), KNOWN, generator(step, "draws")).loss
        assert loss is not None
        optimizer.zero_grad()
        loss(network).mean().backward()
        optimizer.step()
    error = (network(noisy_copies(method, clean, 0)[0]) - clean).square().mean().item()
    assert error < SIGMA**2 / 2


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_sure_is_the_error_and_the_noise_without_the_clean_image(share: float) -> None:
    """Of f(x) = s x + (1 - s) c: the true error is s² σ², the loss σ² more."""
    clean = clean_images(64)
    noisy = noisy_copies(METHODS["sure"], clean)
    loss = sure(noisy, KNOWN, generator(0, "draws")).loss
    assert loss is not None
    found = loss(lambda x: share * x + (1 - share) * clean).mean().item()
    assert found == pytest.approx((share**2 + 1) * SIGMA**2, rel=0.03)


@pytest.mark.parametrize("method", [sure, recorrupted])
def test_without_a_level_it_is_said_what_to_use(method: Callable[..., Pair]) -> None:
    with pytest.raises(CuelloError, match=r"needs the noise's level.*method='neighbours'"):
        method((clean_images(),), KnownNoise(), generator(0, "draws"))


@pytest.mark.parametrize("correlation", [None, np.array([[0.5, 1.0, 0.5]])])
def test_recorrupted_images_have_independent_noise_of_twice_the_variance(correlation: np.ndarray | None) -> None:
    """Of f(x) = s x + (1 - s) c: s² · 2 σ² from what the network gets, 2 σ² from what it is compared with."""
    clean = clean_images(64)
    random = generator(0, "test")
    if correlation is None:
        noise = torch.randn(clean.shape, generator=random)
    else:
        white = torch.randn(64, 1, 24, 25, generator=random)
        noise = (white[..., 1:] + white[..., :-1]) / 2**0.5
    pair = recorrupted((clean + SIGMA * noise,), KnownNoise(SIGMA, (0, 1), correlation), generator(0, "draws"))
    assert pair.loss is not None
    for share in (0.0, 0.5, 1.0):
        found = pair.loss(lambda x, share=share: share * x + (1 - share) * clean).mean().item()
        assert found == pytest.approx((share**2 + 1) * 2 * SIGMA**2, rel=0.04)
    assert pair.level is not None
    assert pair.level.flatten().tolist() == pytest.approx([2**0.5 * SIGMA] * 64)


def test_pairs_are_the_error_and_the_noise_of_the_other() -> None:
    clean = clean_images(64)
    loss = METHODS["pairs"].pair(noisy_copies(METHODS["pairs"], clean), KNOWN, generator(0, "draws")).loss
    assert loss is not None
    assert loss(lambda x: clean).mean().item() == pytest.approx(SIGMA**2, rel=0.03)
    assert loss(lambda x: x).mean().item() == pytest.approx(2 * SIGMA**2, rel=0.03)


def test_neighbours_are_two_pixels_of_a_cell_side_by_side() -> None:
    image = torch.arange(64.0).view(1, 1, 8, 8).repeat(1, 2, 1, 1)
    one, other = drawn_cells(image, generator(0, "draws"))
    first, second = taken(image, one), taken(image, other)
    assert first.shape == (1, 2, 4, 4)
    assert torch.equal(first[:, 0], first[:, 1])
    steps = (first - second).abs().flatten().tolist()
    assert set(steps) == {1.0, 8.0}, "one pixel to the right or left, or one row of eight above or below"
    assert {tuple(sorted(pair)) for pair in BESIDE.tolist()} == {(0, 1), (0, 2), (1, 3), (2, 3)}


def test_sure_of_noise_that_neighbours_share() -> None:
    """Of a mean of three pixels along the row, which keeps more of noise that is alike along it than it would of white.

    n = (w + w shifted) / √2 has correlation 1/2 with the next pixel: the mean of three has the variance
    (3 + 2 · 2 · 1/2) / 9 = 5/9 of the noise's, the clean images being flat.
    """
    random = generator(0, "test")
    white = torch.randn(64, 1, 24, 25, generator=random)
    noisy = 0.5 + SIGMA * (white[..., 1:] + white[..., :-1]) / 2**0.5
    correlation = np.array([[0.5, 1.0, 0.5]])
    loss = sure((noisy,), KnownNoise(SIGMA, (0, 1), correlation), generator(0, "draws")).loss
    assert loss is not None

    def mean_of_three(x: Tensor) -> Tensor:
        return (x + x.roll(1, 3) + x.roll(-1, 3)) / 3

    true = (mean_of_three(noisy) - 0.5)[..., 1:-1].square().mean().item()
    assert true == pytest.approx(5 / 9 * SIGMA**2, rel=0.05)
    assert loss(mean_of_three).mean().item() == pytest.approx(true + SIGMA**2, rel=0.05)
