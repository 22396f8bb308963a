"""Muon against singular values, worked steps, and torch's own for matrices."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cuello.training.muon import Muon, orthogonalised


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stepped(start: Tensor, gradients: list[Tensor], **settings: float) -> Tensor:
    """What a parameter becomes after a step with each gradient."""
    weights = nn.Parameter(start.clone())
    optimizer = Muon([weights], **settings)
    for gradient in gradients:
        weights.grad = gradient.clone()
        optimizer.step()
    return weights.detach()


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99), st.floats(1e-6, 1e6))
def test_all_directions_become_about_as_long(rows: int, columns: int, seed: int, size: float) -> None:
    matrix = random(rows, columns, seed=seed)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    found = u.T @ orthogonalised(size * matrix) @ vt.T  # its singular vectors are the matrix's
    assert torch.allclose(found, torch.diag(found.diag()), atol=1e-9)
    clear = s > 0.05 * s.max()  # 5 steps bring these near to 1: 3.4445⁵ is 485
    assert bool((found.diag()[clear] > 0.6).all())
    assert bool((found.diag() < 1.25).all())


def test_a_matrix_of_zeros_stays_one() -> None:
    assert torch.equal(orthogonalised(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_kernel_is_a_matrix_with_a_row_for_each_channel_that_comes_out() -> None:
    start, gradient = random(4, 3, 3, 3), random(4, 3, 3, 3, seed=1)
    expected = stepped(start.flatten(1), [gradient.flatten(1)], lr=0.1).view_as(start)
    assert torch.equal(stepped(start, [gradient], lr=0.1), expected)


@pytest.mark.parametrize("shape", [(5,), (4, 6), (6, 4), (4, 3, 3, 3)])
def test_a_step_changes_weights_by_a_fifth_of_the_rate(shape: tuple[int, ...]) -> None:
    """In the root of the mean square, of a kernel whose rows are no more than its columns, or the other way round."""
    change = stepped(torch.zeros(shape, dtype=torch.float64), [random(*shape)], lr=0.1)
    assert float(change.square().mean().sqrt()) == pytest.approx(0.02, rel=0.35)
    assert float((change * random(*shape)).sum()) < 0


def test_a_vector_goes_along_its_momentum() -> None:
    """g + .5 g = 1.5 g first; then the average is .5 g + h, and h + .5 · that is along (1, 3.5)."""
    g, h = torch.tensor([4.0, 0.0], dtype=torch.float64), torch.tensor([0.0, 7 / 3], dtype=torch.float64)
    first = stepped(torch.zeros(2, dtype=torch.float64), [g], lr=0.1, momentum=0.5)
    second = stepped(torch.zeros(2, dtype=torch.float64), [g, h], lr=0.1, momentum=0.5) - first
    assert first[1] == 0
    assert first[0] < 0
    assert float(second[1] / second[0]) == pytest.approx(3.5)


@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (6, 4)])
def test_matrices_go_as_torchs_muon_takes_them(rows: int, columns: int) -> None:
    """It rounds to bf16 on its way: three digits."""
    start, gradients = random(rows, columns).float(), [random(rows, columns, seed=seed).float() for seed in (1, 2, 3)]
    weights = nn.Parameter(start.clone())
    optimizer = torch.optim.Muon([weights], 0.1, 0.2, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        weights.grad = gradient.clone()
        optimizer.step()
    found = stepped(start, gradients, lr=0.1, momentum=0.9, weight_decay=0.2)
    assert torch.allclose(found, weights.detach(), atol=3e-3)


def test_a_parameter_without_a_gradient_stays() -> None:
    weights = nn.Parameter(torch.ones(3))
    Muon([weights], weight_decay=0.5).step()
    assert weights.tolist() == [1, 1, 1]
