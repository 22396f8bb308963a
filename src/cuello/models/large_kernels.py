"""Convolutions with kernels about as large as their images, by the fast Fourier transform."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

FEW = 16
"""Places of the kernel up to which the plain convolution, then nearly one matrix product, is faster."""
PLAIN: ContextVar[bool] = ContextVar("PLAIN", default=False)


@contextmanager
def plainly() -> Iterator[None]:
    """Compute without transforms inside: where the arithmetic of a network is counted or written down."""
    token = PLAIN.set(True)
    try:
        yield
    finally:
        PLAIN.reset(token)


class LargeConv2d(nn.Conv2d):
    """What ``nn.Conv2d(inputs, outputs, kernel)`` computes, without stride and padding, for large kernels.

    By the convolution theorem: transforms of the size of the image, whose circular result is the plain one wherever
    the kernel lies inside. A plain convolution costs as many multiplications a pair of channels as the kernel and the
    result have pixels, multiplied: 1.1 million for a kernel of 32×32 on 64×64, where a transform has 2,112 complex
    numbers. Rounding differs: results agree to about 1e-6 of their size.

    >>> layer = LargeConv2d(2, 3, 9)
    >>> layer(torch.rand(1, 2, 16, 20)).shape
    torch.Size([1, 3, 8, 12])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, outputs, H - k + 1, W - k + 1)`` of ``(N, inputs, H, W)``."""
        height, width = (side - kernel + 1 for side, kernel in zip(x.shape[2:], self.kernel_size, strict=True))
        if height * width <= FEW or PLAIN.get():
            return super().forward(x)
        sides = tuple(x.shape[2:])
        kernels = torch.fft.rfft2(real(self.weight), s=sides).conj()  # a convolution as networks have it correlates
        found = torch.einsum("nchw,dchw->ndhw", torch.fft.rfft2(real(x), s=sides), kernels)
        return biased(torch.fft.irfft2(found, s=sides)[:, :, :height, :width], self.bias).to(x.dtype)


class LargeConvTranspose2d(nn.ConvTranspose2d):
    """What ``nn.ConvTranspose2d(inputs, outputs, kernel)`` computes, without stride and padding; see LargeConv2d.

    >>> layer = LargeConvTranspose2d(3, 2, 9)
    >>> layer(torch.rand(1, 3, 8, 12)).shape
    torch.Size([1, 2, 16, 20])
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return ``(N, outputs, H + k - 1, W + k - 1)`` of ``(N, inputs, H, W)``."""
        if x.shape[2] * x.shape[3] <= FEW or PLAIN.get():
            return super().forward(x, output_size)
        sides = tuple(side + kernel - 1 for side, kernel in zip(x.shape[2:], self.kernel_size, strict=True))
        kernels = torch.fft.rfft2(real(self.weight), s=sides)
        found = torch.einsum("nchw,cdhw->ndhw", torch.fft.rfft2(real(x), s=sides), kernels)
        return biased(torch.fft.irfft2(found, s=sides), self.bias).to(x.dtype)


def real(x: Tensor) -> Tensor:
    """Return numbers that can be transformed: single precision at least."""
    return x if x.dtype == torch.float64 else x.float()


def biased(x: Tensor, bias: Tensor | None) -> Tensor:
    """Add a number a channel."""
    return x if bias is None else x + bias[:, None, None]
