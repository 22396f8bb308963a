"""Codebooks and rounded codes: laws that hold for any features, and gradients by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from cuello.models.autoencoder.quantised import ScalarConfig, ScalarQuantised, VectorConfig, VectorQuantised

shapes = st.sampled_from([(3,), (1, 1), (2, 3)])
levels = st.lists(st.integers(2, 9), min_size=1, max_size=4)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def book(entries: int, width: int, seed: int = 0, **others: float) -> VectorQuantised:
    torch.manual_seed(seed)
    bottleneck = VectorQuantised(VectorConfig(entries=entries, width=width, **others))  # type: ignore[arg-type]
    with torch.no_grad():
        bottleneck.codebook.normal_()
    return bottleneck


@settings(max_examples=25, deadline=None)
@given(
    groups=st.integers(1, 3),
    width=st.integers(1, 4),
    places=shapes,
    entries=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_each_group_becomes_its_nearest_entry(
    groups: int, width: int, places: tuple[int, ...], entries: int, seed: int
) -> None:
    bottleneck = book(entries, width, seed)
    places = places if len(places) == 2 else ()
    features = random(4, groups * width, *places, seed=seed + 100)
    code = bottleneck.code(features)
    assert code.shape == features.shape
    given_rows = features.unflatten(1, (groups, width)).movedim(2, -1).reshape(-1, width)
    code_rows = code.unflatten(1, (groups, width)).movedim(2, -1).reshape(-1, width)
    apart = (given_rows[:, None] - bottleneck.codebook).square().sum(2)
    assert torch.allclose((given_rows - code_rows).square().sum(1), apart.min(1).values, atol=1e-5)
    assert all((bottleneck.codebook == row).all(1).any() for row in code_rows)
    assert torch.equal(bottleneck.code(code.detach()), code), "a code is its own code"
    assert torch.equal(bottleneck(features).latent, code), "what is decoded is exactly the entry"
    assert torch.equal(bottleneck.look_up(bottleneck.nearest(features)), code)


def test_terms_and_gradients_of_a_codebook_by_hand() -> None:
    bottleneck = book(2, 2, weight=3, commitment=0.5)
    with torch.no_grad():
        bottleneck.codebook.copy_(torch.tensor([[0.0, 0.0], [10.0, 10.0]]))
    features = torch.tensor(
        [[1.0, 2.0, 10.0, 13.0]], requires_grad=True
    )  # (1, 2) is near (0, 0), (10, 13) near (10, 10)
    code = bottleneck(features)
    assert code.latent.tolist() == [[0, 0, 10, 10]]
    assert code.terms["codebook"].tolist() == [3 * (5 + 9) / 2]
    assert code.terms["commitment"].tolist() == [3 * 0.5 * (5 + 9) / 2]
    code.terms["codebook"].sum().backward()
    assert features.grad is None
    assert bottleneck.codebook.grad is not None
    assert bottleneck.codebook.grad.tolist() == [[-3, -6], [0, -9]]  # λ · 2 (e - z) / 2 groups
    bottleneck.codebook.grad = None
    code = bottleneck(features)
    (code.terms["commitment"].sum() + (code.latent * torch.tensor([1.0, 2, 3, 4])).sum()).backward()
    assert bottleneck.codebook.grad is None, "the decoder's gradient passes by the codebook"
    assert features.grad is not None
    assert features.grad.tolist() == [[1.5 + 1, 3 + 2, 0 + 3, 4.5 + 4]]


def test_a_codebook_is_learned() -> None:
    """Two heaps of features: two entries end up in their middles."""
    bottleneck = book(2, 2)
    middles = torch.tensor([[2.0, 0.0], [-2.0, 1.0]])
    features = middles.repeat(20, 1) + 0.1 * random(40, 2)
    optimizer = torch.optim.Adam(bottleneck.parameters(), 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        bottleneck(features).terms["codebook"].mean().backward()
        optimizer.step()
    found = bottleneck.codebook.detach()
    assert torch.allclose(found[found[:, 0].argsort()], middles[[1, 0]], atol=0.1)


def test_entries_are_drawn_alike() -> None:
    bottleneck = book(4, 2)
    drawn = bottleneck.draw(2000, torch.Generator().manual_seed(0), (4, 1, 2))
    assert drawn.shape == (2000, 4, 1, 2)
    assert not drawn.requires_grad
    assert torch.equal(bottleneck.code(drawn), drawn)
    shares = torch.bincount(bottleneck.nearest(drawn).flatten()) / 8000
    assert torch.allclose(shares, torch.full((4,), 0.25), atol=0.03)


def grid(level: int) -> Tensor:
    return torch.linspace(-1, 1, level)


@settings(max_examples=25, deadline=None)
@given(levels=levels, repeats=st.integers(1, 2), places=shapes, seed=st.integers(0, 99))
def test_each_number_is_one_of_its_levels(levels: list[int], repeats: int, places: tuple[int, ...], seed: int) -> None:
    bottleneck = ScalarQuantised(ScalarConfig(levels=tuple(levels)))
    places = places if len(places) == 2 else ()
    features = random(50, len(levels) * repeats, *places, seed=seed) * 3
    code = bottleneck.code(features)
    assert torch.equal(bottleneck(features).latent, code)
    for channel, level in enumerate(levels * repeats):
        values, bounded = code[:, channel].flatten(), torch.tanh(features[:, channel].flatten())
        nearest = grid(level)[(bounded[:, None] - grid(level)).abs().argmin(1)]
        assert torch.allclose((values - bounded).abs(), (nearest - bounded).abs(), atol=1e-6)
        assert torch.isclose(values[:, None], grid(level), atol=1e-6).any(1).all()
    flipped = bottleneck.code(-features)
    assert torch.allclose(flipped, -code, atol=1e-6), "levels lie evenly about 0"


def test_levels_by_hand() -> None:
    bottleneck = ScalarQuantised(ScalarConfig(levels=(2, 3, 4)))
    code = bottleneck.code(torch.tensor([[0.1, 0.1, 0.1], [-9.0, -9.0, -9.0], [9.0, 9.0, 9.0]]))
    assert torch.allclose(code, torch.tensor([[1, 0, 1 / 3], [-1, -1, -1], [1, 1, 1]]), atol=1e-6)


def test_the_gradient_of_rounding_is_that_of_tanh() -> None:
    features = random(4, 3).requires_grad_()
    ScalarQuantised(ScalarConfig())(features).latent.sum().backward()
    assert features.grad is not None
    assert torch.allclose(features.grad, 1 - torch.tanh(features).square())


def test_levels_are_drawn_alike() -> None:
    bottleneck = ScalarQuantised(ScalarConfig(levels=(2, 5)))
    drawn = bottleneck.draw(4000, torch.Generator().manual_seed(0), (4,))
    assert drawn.shape == (4000, 4)
    for channel, level in enumerate((2, 5, 2, 5)):
        values, counts = drawn[:, channel].unique(return_counts=True)
        assert torch.allclose(values, grid(level), atol=1e-6)
        assert torch.allclose(counts / 4000, torch.full((level,), 1 / level), atol=0.04)


@pytest.mark.parametrize("wrong", [(), (5, 1), "8-x", "8-0"])
def test_levels_that_are_none(wrong: object) -> None:
    with pytest.raises(ValidationError, match="levels"):
        ScalarConfig.model_validate({"levels": wrong})


def test_levels_may_be_written_with_hyphens() -> None:
    assert ScalarConfig.model_validate({"levels": "8-5-5"}).levels == (8, 5, 5)
