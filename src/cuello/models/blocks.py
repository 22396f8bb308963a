"""Building blocks that compute exactly what the plain layers compute, with less work on a CPU.

Every block accepts any batch size, channel count, memory layout (channels-last is the fast one) and floating
type. In evaluation mode only plain torch operations run, so that a network made of them can be exported.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.share import RANDOM, ROWS


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Return ``(C,)`` values as one image ``(1, C, H, W)`` in the memory layout of ``x``, ready to meet it.

    Three or eight numbers broadcast along channels-last memory make loops of that length, an image one long
    loop.

    >>> per_channel(torch.ones(3), torch.rand(2, 3, 5, 6)).shape
    torch.Size([1, 3, 5, 6])
    """
    return torch.zeros_like(x[:1]) + values[:, None, None]  # (C,) -> (1, C, H, W)


def moments_gradient(
    x: Tensor, mean: Tensor, mean_gradient: Tensor, *, variance_gradient: Tensor, pixels: float
) -> Tensor:
    """Return the gradient of ``(N, C, H, W)`` from those of mean and biased variance, ``(C,)``, over so many pixels."""
    slope = 2 / pixels * variance_gradient  # (C,)
    offset = mean_gradient / pixels - slope * mean  # (C,)
    return torch.addcmul(per_channel(offset, x), x, per_channel(slope, x))  # (N, C, H, W)


class _BatchMoments(torch.autograd.Function):
    """Mean and biased variance of every channel; the backward pass is one pass over the images."""

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.mean((0, 2, 3))  # (N, C, H, W) -> (C,)
        # Two passes: the mean of squares minus the squared mean loses its digits where the mean is large.
        return mean, (x - per_channel(mean, x)).square_().mean((0, 2, 3))  # (N, C, H, W) -> (C,)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[0])

    @staticmethod
    def backward(ctx: Any, mean_gradient: Tensor, variance_gradient: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        return moments_gradient(
            x, mean, mean_gradient, variance_gradient=variance_gradient, pixels=x.numel() // len(mean)
        )


def batch_moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Return mean and biased variance of every channel of ``(N, C, H, W)``, ``(C,)`` each, and of how many pixels."""
    mean, variance = _BatchMoments.apply(x)
    return mean, variance, x.numel() // x.shape[1]


class _AddImage(torch.autograd.Function):
    """Adds one image to each of a batch, in place; the backward pass sums by a quick matrix product."""

    @staticmethod
    def forward(y: Tensor, image: Tensor) -> Tensor:
        return y.add_(image)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.mark_dirty(output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        flat = gradient.permute(0, 2, 3, 1).flatten(1)  # (N, C, H, W) -> (N, H · W · C)
        summed = (flat.new_ones(1, len(flat)) @ flat).view(1, *gradient.shape[2:], -1)  # (1, H, W, C)
        return gradient, summed.permute(0, 3, 1, 2)  # (1, C, H, W)


class BatchNorm2d(nn.Module):
    """Batch normalisation that can hand its per-channel factor and offset to the layer that follows.

    ``y = weight · (x − mean) / sqrt(variance + eps) + bias`` with the batch's mean and biased variance while
    training and their running averages afterwards (the running variance is the unbiased one, as in torch).

    channels: 1 or more. eps: added to the variance, above 0; 1e-3 as in Keras. momentum: share of the new
    batch in the running averages, 0 to 1; torch's 0.1, because Keras' 0.01 has not settled after a short run.
    Input and output: ``(N, channels, H, W)``.

    >>> BatchNorm2d(3)(torch.rand(2, 3, 5, 5)).mean().abs() < 1e-6
    tensor(True)

    Source: Ioffe and Szegedy 2015, algorithm 1.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-3, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.moments = batch_moments  # of the whole batch, where several processes share it
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return factor and offset, ``(C,)`` each, such that ``x · factor + offset`` is the normalised ``x``.

        While training, the running averages are updated.
        """
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance, pixels = self.moments(x.to(self.weight.dtype))  # float32 under autocast too
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (pixels / max(pixels - 1, 1)), self.momentum)
        factor = self.weight * torch.rsqrt(variance + self.eps)
        return factor, self.bias - mean * factor

    def forward(self, x: Tensor) -> Tensor:
        factor, offset = self.affine(x)
        return torch.addcmul(per_channel(offset, x), x, per_channel(factor, x)).to(x.dtype)


class _Convolution(nn.Module):
    """The weights of a convolution that keeps the size, as Keras initialises them; subclasses apply them."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int):
        super().__init__()
        if kernel_size % 2 == 0:
            raise CuelloError(
                f"a kernel of {kernel_size} pixels cannot be centred: {type(self).__name__} needs an odd"
                f" kernel_size. Use {kernel_size + 1}."
            )
        self.padding = kernel_size // 2
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.xavier_uniform_(self.weight)  # Keras' default ("Glorot uniform"), with the zero bias above


class Conv2d(_Convolution):
    """A convolution with zero padding that keeps the size, or divides it by a stride.

    ``y = conv(x; weight) + bias``

    in_channels, out_channels: 1 or more. kernel_size: odd, in pixels; CuelloError otherwise. stride: s, 1 or more.
    Input ``(N, in_channels, H, W)``, output ``(N, out_channels, H / s, W / s)``, rounded up.

    >>> Conv2d(3, 8, 3)(torch.rand(2, 3, 5, 6)).shape
    torch.Size([2, 8, 5, 6])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1):
        super().__init__(in_channels, out_channels, kernel_size)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        # (N, in, H, W) -> (N, out, ⌈H / s⌉, ⌈W / s⌉)
        return functional.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)


class NormConv2d(_Convolution):
    """Batch normalisation followed by a convolution, without ever storing the normalised images.

    The normalisation ``x · f + o`` is linear, so it moves into the kernel:
    ``conv(x · f + o; weight) = conv(x; weight · f) + conv(1 · o; weight)``.
    The second term is the same for every image (constant but for the borders, where zeros are padded), so it
    is computed once a batch. If ``x`` needs no gradient, the backward pass to it is not run either.

    in_channels, out_channels: 1 or more. kernel_size: odd, in pixels; CuelloError otherwise. eps, momentum:
    see BatchNorm2d. Input ``(N, in_channels, H, W)``, output ``(N, out_channels, H, W)``.

    >>> block = NormConv2d(3, 8, 3)
    >>> x = torch.rand(2, 3, 5, 6)
    >>> plain = functional.conv2d(block.norm(x), block.weight, block.bias, padding=1)
    >>> torch.allclose(block(x), plain, atol=1e-5)
    True

    Source: the folding used for inference (Jacob et al. 2018, section 3.2), here while training too.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, eps: float = 1e-3, momentum: float = 0.1):
        super().__init__(in_channels, out_channels, kernel_size)
        self.norm = BatchNorm2d(in_channels, eps, momentum)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:  # plain operations, for exporting
            return functional.conv2d(self.norm(x), self.weight, self.bias, padding=self.padding)
        factor, offset = self.norm.affine(x)
        weight = self.weight * factor[:, None, None]  # (out, in, k, k)
        if self.weight.shape[0] < self.weight.shape[1]:
            # The same sum written as a transposed convolution: its backward pass is quicker for few outputs.
            y = functional.conv_transpose2d(x, weight.flip(2, 3).transpose(0, 1), padding=self.padding)
        else:
            y = functional.conv2d(x, weight, padding=self.padding)  # (N, out, H, W)
        taps = (self.weight * offset[:, None, None]).sum(1)  # (out, in, k, k) -> (out, k, k)
        rows, columns = (self._inside(size, taps) for size in x.shape[2:])  # (k, H) and (k, W)
        constant = rows.T @ taps @ columns + self.bias[:, None, None]  # (out, k, k) -> (out, H, W)
        image = constant + torch.zeros_like(y[:1])  # (1, out, H, W) in the layout of y
        return _AddImage.apply(y, image.to(y.dtype))

    def _inside(self, size: int, like: Tensor) -> Tensor:
        """Return ``(k, size)``: 1 where a kernel's tap meets the image and 0 where it meets the padding."""
        return functional.pad(like.new_ones(1, size), [self.padding] * 2).unfold(1, size, 1)[0]


class UpsampleConv2d(_Convolution):
    """Nearest-neighbour enlargement followed by a convolution, computed at the low resolution.

    Enlarging by ``scale`` is a transposed convolution with a box of ones, so both together are one transposed
    convolution with stride ``scale`` whose kernel is the flipped ``weight`` convolved with that box. A 3x3
    kernel at scale 2 takes 16 instead of 36 products for each input pixel; values agree up to rounding.

    in_channels, out_channels: 1 or more. kernel_size: odd, in pixels; CuelloError otherwise. scale: 1 or
    more. Input ``(N, in_channels, H, W)``, output ``(N, out_channels, scale · H, scale · W)``.

    >>> block = UpsampleConv2d(2, 4, 3)
    >>> x = torch.rand(1, 2, 5, 6)
    >>> large = functional.interpolate(x, scale_factor=2)
    >>> torch.allclose(block(x), functional.conv2d(large, block.weight, block.bias, padding=1), atol=1e-6)
    True

    Source: Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?".
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, scale: int = 2):
        super().__init__(in_channels, out_channels, kernel_size)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        kernel = functional.pad(self.weight.flip(2, 3), [self.scale - 1] * 4)  # (out, in, k + 2s - 2, k + 2s - 2)
        kernel = functional.avg_pool2d(kernel, self.scale, 1, divisor_override=1)  # (out, in, k + s - 1, k + s - 1)
        return functional.conv_transpose2d(  # (N, in, H, W) -> (N, out, s · H, s · W)
            x, kernel.transpose(0, 1), self.bias, stride=self.scale, padding=self.padding
        )


class _Slopes(torch.autograd.Function):
    """What is below 0 times a factor a channel, and its gradients, in passes that each are a quick loop of torch."""

    @staticmethod
    def forward(x: Tensor, factors: Tensor) -> Tensor:
        return x.clamp(max=0).mul_(factors.to(x.dtype)[:, None, None]).add_(x.clamp(min=0))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, factors = ctx.saved_tensors
        above = torch.ops.aten.threshold_backward(gradient, x, 0)  # three times as quick as where()
        below = gradient - above
        towards_x = above.add_(below * factors.to(x.dtype)[:, None, None])
        return towards_x, below.mul_(x).sum((0, 2, 3), dtype=factors.dtype)  # (N, C, H, W) -> (C,)


class PReLU(nn.PReLU):
    """Torch's PReLU with a slope a channel, whose training takes less time on a CPU, in bf16 above all.

    ``y = max(x, 0) + weight · min(x, 0)``

    channels: 1 or more. Input and output ``(N, channels, H, W)``.

    >>> PReLU(3)(torch.full((1, 3, 2, 2), -1.0)).unique()
    tensor([-0.2500], grad_fn=<Unique2Backward0>)

    Source: He et al. 2015, "Delving deep into rectifiers", section 2.1.
    """

    def __init__(self, channels: int):
        super().__init__(channels)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.device.type != "cpu":  # a plain operation, for exporting; a GPU has a fast one
            return super().forward(x)
        return _Slopes.apply(x, self.weight)


class BitDropout(nn.Module):
    """Dropout that spends 16 random bits on an element where torch spends a float.

    ``y = x · m / (1 − p)`` while training, each m being 0 with probability p and otherwise 1; ``y = x``
    afterwards.

    p: 0 or more and below 1, rounded to a multiple of 1/65536 (``self.p``, which also scales). The bits come
    from torch's default generator, so torch.manual_seed repeats them (for the same memory layout).
    Input and output: any shape.

    >>> BitDropout(0.2).p
    0.1999969482421875
    >>> BitDropout(0.5)(torch.ones(1000)).unique()
    tensor([0., 2.])

    Source: Srivastava et al. 2014, section 4.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise CuelloError(f"a dropout of {p} was asked for: it needs to be 0 or more and below 1.")
        self.p = round(p * 65536) / 65536

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        numbers, before = x.numel(), 0
        if (rows := ROWS.get()) is not None:  # those of the whole batch are drawn, and a part of them is taken
            each = numbers // len(x)
            numbers, before = each * rows.whole, each * min(rows.start, rows.whole - len(x))
        words = torch.empty(-(-numbers // 4), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None, generator=RANDOM.get())
        # Four 16-bit numbers a word, laid out as x is (a channels-last x gets a channels-last mask).
        bits = words.view(torch.int16).as_strided(x.shape, torch.empty_like(x, device="meta").stride(), before)
        kept = bits >= round(self.p * 65536) - 32768
        return x * kept.to(x.dtype).mul_(1 / (1 - self.p))
