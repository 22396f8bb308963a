"""Convolutions of branches: against the branches run one after another, and folded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from cuello.models.reparameterised import EDGES, BranchedConv2d, convolution


def shaken(inputs: int, outputs: int, seed: int = 0, zero: bool = False) -> BranchedConv2d:
    torch.manual_seed(seed)
    block = BranchedConv2d(inputs, outputs, zero=zero)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return block


def by_branches(block: BranchedConv2d, x: Tensor) -> Tensor:
    """Run every branch as the paper does, on an input whose border is already padded."""
    total = functional.conv2d(x, block.plain, block.bias)
    middle = functional.conv2d(x, block.expand[:, :, None, None])
    total = total + functional.conv2d(middle, block.squeeze)
    outputs = len(block.bias)
    for index in range(3):
        point = functional.conv2d(x, block.points[index][:, :, None, None])
        masks = block.scales[index][:, None, None, None] * block.edges[index]
        total = total + functional.conv2d(point, masks, groups=outputs)
    return total + x[:, :, 1:-1, 1:-1] if block.has_identity else total


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_one_convolution_is_the_sum_of_the_branches(
    inputs: int, outputs: int, height: int, width: int, seed: int
) -> None:
    block = shaken(inputs, outputs, seed)
    assert block.has_identity == (inputs == outputs)
    x = torch.randn(2, inputs, height, width, generator=torch.Generator().manual_seed(seed))
    expected = by_branches(block, functional.pad(x, (1, 1, 1, 1)))
    assert torch.allclose(block(x), expected, rtol=1e-5, atol=1e-5)


@given(st.integers(1, 5), st.integers(1, 5), st.booleans(), st.integers(0, 99))
def test_folding_changes_nothing(inputs: int, outputs: int, zero: bool, seed: int) -> None:
    block = shaken(inputs, outputs, seed, zero)
    x = torch.randn(1, inputs, 6, 7, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(block.folded()(x), block(x))


def test_the_edge_masks_are_scipys() -> None:
    """SciPy's Sobel filters and Laplacian correlate; on an impulse they leave the mask turned by half a turn."""
    impulse = torch.zeros(3, 3)
    impulse[1, 1] = 1
    for mask, filtered in zip(
        EDGES, (ndimage.sobel(impulse, 1), ndimage.sobel(impulse, 0), ndimage.laplace(impulse)), strict=True
    ):
        assert filtered[::-1, ::-1].flatten().tolist() == list(mask)


def test_zero_begins_at_zero_and_still_learns_in_every_branch() -> None:
    torch.manual_seed(0)
    block = BranchedConv2d(3, 3, zero=True)
    x = torch.rand(1, 3, 5, 5)
    assert not block(x).any()
    optimizer = torch.optim.SGD(block.parameters(), 0.1)
    before = [parameter.detach().clone() for parameter in block.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        (block(x) - 1).square().sum().backward()
        optimizer.step()
    assert not any(torch.equal(old, new) for old, new in zip(before, block.parameters(), strict=True))


def test_half_precision_leaves_the_kernel_alone() -> None:
    block = shaken(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert block.kernel().dtype == torch.float32
        assert torch.equal(block.kernel(), block.folded().weight)
        assert block(torch.rand(1, 4, 5, 5)).dtype == torch.bfloat16


@pytest.mark.parametrize("zero", [True, False])
def test_folded_convolutions_are_plain(zero: bool) -> None:
    assert type(convolution(2, 4, folded=True, zero=zero)) is torch.nn.Conv2d
    assert type(convolution(2, 4, folded=False, zero=zero)) is BranchedConv2d


@pytest.mark.parametrize("zero", [False, True])
def test_a_plain_convolution_begins_as_the_sum_of_branches_does(zero: bool) -> None:
    torch.manual_seed(4)
    plain = convolution(3, 3, folded=True, zero=zero)
    assert isinstance(plain, torch.nn.Conv2d)
    torch.manual_seed(4)
    assert torch.equal(plain.weight, BranchedConv2d(3, 3, zero=zero).kernel())
    assert (int(plain.weight.count_nonzero()) == 0) is zero
