"""The blocks against the plain torch layers they stand for: values, gradients, running averages, borders."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.models.blocks import BatchNorm2d, BitDropout, Conv2d, NormConv2d, PReLU, UpsampleConv2d

LAYOUTS = {
    "channels-first": lambda x: x.contiguous(),
    "channels-last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "strided": lambda x: torch.stack([x, x], -1)[..., 0],
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Callable[[Tensor], Tensor]:
    return LAYOUTS[request.param]


def randomised(block: nn.Module) -> nn.Module:
    """The block in float64 with every parameter and running average away from its initial value."""
    generator = torch.Generator().manual_seed(5)
    block.double()
    with torch.no_grad():
        for tensor in block.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.float64) + 0.2)
    return block


def plain_norm(block: BatchNorm2d) -> nn.BatchNorm2d:
    """Torch's batch norm with copies of the block's tensors."""
    norm = nn.BatchNorm2d(len(block.weight), block.eps, block.momentum).double()
    norm.load_state_dict({k: v.clone() for k, v in block.state_dict().items()}, strict=False)
    return norm.train(block.training)


def values_and_gradients(function: Callable[[Tensor], Tensor], x: Tensor, *parameters: Tensor) -> list[Tensor]:
    """The value, and the gradients of a fixed uneven sum of it by x and the parameters."""
    x = x.detach().requires_grad_()
    y = function(x)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), (x, *parameters))]


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 6, 7), (1, 1, 5, 2), (2, 9, 1, 3)])
def test_batch_norm_is_torchs(shape: tuple[int, ...], training: bool, layout: Callable[[Tensor], Tensor]) -> None:
    block = randomised(BatchNorm2d(shape[1])).train(training)
    assert isinstance(block, BatchNorm2d)
    plain = plain_norm(block)
    x = layout(torch.rand(shape, dtype=torch.float64) * 3 + 1)
    assert_equal(
        values_and_gradients(block, x, block.weight, block.bias),
        values_and_gradients(plain, x, plain.weight, plain.bias),
    )
    torch.testing.assert_close(block.running_mean, plain.running_mean)
    torch.testing.assert_close(block.running_var, plain.running_var)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 8), (8, 3), (1, 1)])
@pytest.mark.parametrize(("size", "kernel"), [((6, 7), 3), ((4, 5), 5), ((1, 2), 3), ((3, 3), 1)])
def test_norm_conv_is_norm_then_convolution(
    size: tuple[int, int],
    kernel: int,
    inputs: int,
    outputs: int,
    training: bool,
    layout: Callable[[Tensor], Tensor],
) -> None:
    block = randomised(NormConv2d(inputs, outputs, kernel)).train(training)
    assert isinstance(block, NormConv2d)
    norm = plain_norm(block.norm)
    x = layout(torch.rand(3, inputs, *size, dtype=torch.float64) * 2 + 1)

    def plain(x: Tensor) -> Tensor:
        return functional.conv2d(norm(x), block.weight, block.bias, padding=kernel // 2)

    own = (block.weight, block.bias)
    assert_equal(
        values_and_gradients(block, x, *own, block.norm.weight, block.norm.bias),
        values_and_gradients(plain, x, *own, norm.weight, norm.bias),
    )
    torch.testing.assert_close(block.norm.running_mean, norm.running_mean)
    torch.testing.assert_close(block.norm.running_var, norm.running_var)


def test_norm_conv_without_input_gradient_leaves_the_input_alone() -> None:
    block, x = NormConv2d(3, 8, 3), torch.rand(2, 3, 6, 6)
    before = x.clone()
    block(x).sum().backward()
    assert x.equal(before)
    assert x.grad is None
    assert block.norm.weight.grad is not None


def test_norm_conv_keeps_its_digits_on_a_large_offset() -> None:
    block = NormConv2d(2, 4, 3)
    x = torch.rand(4, 2, 8, 8, dtype=torch.float64) + 100
    found = block(x.float())[:, :, 1:-1, 1:-1]
    expected = nn.Conv2d(2, 4, 3).double()
    expected.load_state_dict({"weight": block.weight.detach(), "bias": block.bias.detach()})
    normalised = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), False, keepdim=True) + 1e-3).sqrt()
    torch.testing.assert_close(found.double(), expected(normalised), rtol=0, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    kernel=st.sampled_from([1, 3, 5]),
    scale=st.integers(1, 3),
    layout=st.sampled_from(list(LAYOUTS.values())),
)
def test_upsample_conv_is_enlargement_then_convolution(
    height: int,
    width: int,
    inputs: int,
    outputs: int,
    kernel: int,
    scale: int,
    layout: Callable[[Tensor], Tensor],
) -> None:
    block = randomised(UpsampleConv2d(inputs, outputs, kernel, scale))
    assert isinstance(block, UpsampleConv2d)
    x = layout(torch.rand(2, inputs, height, width, dtype=torch.float64))

    def plain(x: Tensor) -> Tensor:
        large = x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        return functional.conv2d(large, block.weight, block.bias, padding=kernel // 2)

    own = (block.weight, block.bias)
    assert_equal(values_and_gradients(block, x, *own), values_and_gradients(plain, x, *own))


def test_upsample_conv_by_hand() -> None:
    block = UpsampleConv2d(1, 1, 3)
    nn.init.ones_(block.weight)
    # Enlarged: two rows 1 1 2 2; sums of three neighbours with zeros outside, times two rows.
    expected = torch.tensor([[4.0, 8, 10, 8], [4, 8, 10, 8]])
    torch.testing.assert_close(block(torch.tensor([[[[1.0, 2.0]]]]))[0, 0].detach(), expected)


@pytest.mark.parametrize("block", [Conv2d, NormConv2d, UpsampleConv2d])
def test_an_even_kernel_is_refused(block: type[nn.Module]) -> None:
    with pytest.raises(CuelloError, match=r"odd kernel_size. Use 5"):
        block(3, 8, 4)


@settings(max_examples=15, deadline=None)
@given(p=st.floats(0, 0.95), seed=st.integers(0, 1000))
def test_dropout_drops_the_share_it_says(p: float, seed: int) -> None:
    torch.manual_seed(seed)
    block, count = BitDropout(p), 20_000
    y = block(torch.ones(count))
    assert abs(block.p - p) <= 1 / 131072
    dropped = int((y == 0).sum())
    assert abs(dropped - count * block.p) <= 6 * (count * block.p * (1 - block.p)) ** 0.5
    torch.testing.assert_close(y[y != 0], torch.full((count - dropped,), 1 / (1 - block.p)))


def test_dropout_follows_the_seed_and_the_layout(layout: Callable[[Tensor], Tensor]) -> None:
    x = layout(torch.rand(3, 5, 4, 7)).requires_grad_()
    block = BitDropout(0.5)
    torch.manual_seed(1)
    y = block(x)
    torch.manual_seed(1)
    assert y.equal(block(x))
    assert not y.equal(block(x))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)
    assert block.eval()(x) is x
    assert BitDropout(0.0)(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_dropout_refuses_what_is_not_a_share(p: float) -> None:
    with pytest.raises(CuelloError, match="below 1"):
        BitDropout(p)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 6, 7), (1, 1, 5, 2), (2, 16, 1, 3)])
def test_prelu_is_torchs(shape: tuple[int, ...], training: bool, layout: Callable[[Tensor], Tensor]) -> None:
    block = randomised(PReLU(shape[1])).train(training)
    assert isinstance(block, PReLU)
    x = layout(torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    assert_equal(
        values_and_gradients(block, x, block.weight),
        values_and_gradients(lambda x: functional.prelu(x, block.weight), x, block.weight),
    )


def test_prelu_at_zero_and_without_bounds() -> None:
    x = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 2, -2]).view(1, 1, 1, 6).requires_grad_()
    y = PReLU(1)(x)
    assert y.flatten().tolist() == [0, 0, torch.inf, -torch.inf, 2, -0.5]
    (slopes,) = torch.autograd.grad(y.sum(), x)
    assert slopes.flatten().tolist() == [0.25, 0.25, 1, 0.25, 1, 0.25]  # torch's at 0: that below


def test_prelu_in_bf16_gives_torchs_very_values_and_a_gradient_of_its_weights_own_type() -> None:
    block, x = PReLU(4), torch.randn((2, 4, 5, 6), generator=torch.Generator().manual_seed(3)).bfloat16()
    assert torch.equal(block(x), functional.prelu(x, block.weight.bfloat16()))
    block(x).sum().backward()
    assert block.weight.grad is not None
    assert block.weight.grad.dtype == torch.float32
