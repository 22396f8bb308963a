"""What networks for upscaling share: bicubic enlargement by a whole factor, and the shuffle that places its pixels."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.resample import cubic_kernel


class BicubicUpscale(nn.Module):
    """Enlargement by Keys' cubic (a = -1/2) as one small convolution, every output pixel a channel of its own.

    Inside, this is ``cuello.core.resample.resize``; at the edges the image is continued by its last pixels.

    scale: s, 2 or more. Input ``(N, C, H, W)``, output ``(N, C · s², H, W)``: what ``pixel_shuffle`` makes an image of.

    >>> large = functional.pixel_shuffle(BicubicUpscale(2)(torch.ones(1, 3, 4, 5)), 2)
    >>> large.shape, bool((large - 1).abs().max() < 1e-6)
    (torch.Size([1, 3, 8, 10]), True)

    Source: Keys 1981, equation 15.
    """

    kernels: Tensor

    def __init__(self, scale: int):
        super().__init__()
        self.scale = scale
        offset = (np.arange(scale) + 0.5) / scale - 0.5  # of an output pixel from its input pixel's centre
        taps = cubic_kernel(offset[:, None] - np.arange(-2, 3))  # (s, 5)
        both = torch.from_numpy(np.einsum("ah,bw->abhw", taps, taps)).float()  # (s, s, 5, 5)
        self.register_buffer("kernels", both.reshape(scale * scale, 1, 5, 5), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        planes = functional.pad(x, (2, 2, 2, 2), mode="replicate").reshape(-1, 1, height + 4, width + 4)
        large = functional.conv2d(planes, self.kernels)  # (N · C, 1, H + 4, W + 4) -> (N · C, s², H, W)
        return large.reshape(count, channels * self.scale**2, height, width)
