"""Convolutions by Fourier transforms are the plain ones."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cuello.models.large_kernels import LargeConv2d, LargeConvTranspose2d
from cuello.models.summary import summarise

PAIRS = [(LargeConv2d, nn.Conv2d), (LargeConvTranspose2d, nn.ConvTranspose2d)]


@pytest.mark.parametrize(("large", "plain"), PAIRS)
@given(
    kernel=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    more=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_results_and_gradients_are_the_plain_ones(
    large: type[nn.Conv2d],
    plain: type[nn.Conv2d],
    kernel: tuple[int, int],
    more: tuple[int, int],
    channels: tuple[int, int],
    bias: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    one = large(*channels, kernel, bias=bias).double()
    other = plain(*channels, kernel, bias=bias).double()
    other.load_state_dict(one.state_dict())
    x = torch.rand(2, channels[0], kernel[0] + more[0], kernel[1] + more[1], dtype=torch.float64, requires_grad=True)
    found, wanted = one(x), other(x)
    assert torch.allclose(found, wanted, atol=1e-12)
    weights = torch.rand_like(wanted)
    ours = torch.autograd.grad((found * weights).sum(), [x, *one.parameters()])
    theirs = torch.autograd.grad((wanted * weights).sum(), [x, *other.parameters()])
    for mine, its in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, its, atol=1e-10)


@pytest.mark.parametrize(("large", "plain"), PAIRS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_precision(large: type[nn.Conv2d], plain: type[nn.Conv2d], dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    one, other = large(4, 4, 16), plain(4, 4, 16)
    other.load_state_dict(one.state_dict())
    one.to(dtype)
    x = torch.rand(2, 4, 32, 32)
    found = one(x.to(dtype))
    assert found.dtype == dtype
    assert torch.allclose(found.float(), other(x), atol=tolerance)


@pytest.mark.parametrize(("large", "places"), [(LargeConv2d, 23 * 23), (LargeConvTranspose2d, 32 * 32)])
def test_arithmetic_is_counted_as_a_convolutions(large: type[nn.Conv2d], places: int) -> None:
    """Every weight meets every place of the result, or, transposed, of the image."""
    layer = large(2, 3, 10)
    assert summarise(nn.Sequential(layer), 2, (32, 32)).multiply_adds == places * 10 * 10 * 2 * 3
