"""A convolution that is trained as a sum of several branches and runs as a single one."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.models.blocks import PReLU

EDGES = ((-1, 0, 1, -2, 0, 2, -1, 0, 1), (-1, -2, -1, 0, 0, 0, 1, 2, 1), (0, 1, 0, 1, -4, 1, 0, 1, 0))
"""The masks of 3×3 that branches look for edges with: Sobel across, Sobel down, Laplace."""


class BranchedConv2d(nn.Module):
    """A 3×3 convolution with zero padding whose kernel is a sum of branches, each with weights of its own.

    ``kernel = plain + squeeze · expand + Σ_e scale_e mask_e point_e (+ identity)``

    The branches are a plain 3×3 kernel; a 1×1 convolution to more channels followed by a 3×3 one back; 1×1 convolutions
    followed by a fixed edge mask of each channel (Sobel across and down, Laplace); and, where as many channels come
    out as go in, the input itself. A convolution is linear in its kernel, so the branches are summed before they meet
    the image: training runs one convolution a step, and ``folded`` gives the very same kernel. What padding the
    branches see beyond the edges is that of their sum: 0.

    in_channels, out_channels: 1 or more. expansion: channels in the middle of the second branch, as a multiple of
    out_channels. zero: begin as a convolution that gives 0 for every image (no identity either).
    Input ``(N, in_channels, H, W)``, output ``(N, out_channels, H, W)``.

    >>> block = BranchedConv2d(4, 4)
    >>> x = torch.rand(1, 4, 8, 8)
    >>> torch.equal(block(x), block.folded()(x))
    True

    Source: Zhang, Zeng and Zhang 2021, "Edge-oriented convolution block for real-time super resolution on mobile
    devices", section 3.2, which convolves with every branch while training and folds afterwards (equations 9 to 12).
    """

    edges: Tensor

    def __init__(self, in_channels: int, out_channels: int, expansion: int = 2, zero: bool = False):
        super().__init__()
        middle = expansion * out_channels
        plain = nn.Conv2d(in_channels, out_channels, 3)  # for the usual first weights
        expand, squeeze = nn.Conv2d(in_channels, middle, 1), nn.Conv2d(middle, out_channels, 3)
        self.plain = nn.Parameter(plain.weight.detach())  # (out, in, 3, 3)
        self.expand = nn.Parameter(expand.weight.detach()[:, :, 0, 0])  # (middle, in)
        self.squeeze = nn.Parameter(squeeze.weight.detach())  # (out, middle, 3, 3)
        self.points = nn.Parameter(torch.empty(3, out_channels, in_channels))
        nn.init.kaiming_uniform_(self.points.view(-1, in_channels), a=5**0.5)
        self.scales = nn.Parameter(torch.randn(3, out_channels) * 1e-2)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.has_identity = in_channels == out_channels and not zero
        self.register_buffer("edges", torch.tensor(EDGES, dtype=torch.float32).view(3, 3, 3), persistent=False)
        if zero:
            for parameter in (self.plain, self.squeeze, self.scales):
                nn.init.zeros_(parameter)

    def kernel(self) -> Tensor:
        """Return the sum of the branches, ``(out_channels, in_channels, 3, 3)``."""
        with torch.autocast(self.plain.device.type, enabled=False):  # sums of weights need all their digits
            kernel = self.plain + torch.einsum("omhw,mi->oihw", self.squeeze, self.expand)
            kernel = kernel + torch.einsum("eo,eoi,ehw->oihw", self.scales, self.points, self.edges)
            if self.has_identity:
                identity = torch.eye(len(kernel), device=kernel.device, dtype=kernel.dtype)  # (out, in)
                kernel = kernel + functional.pad(identity[:, :, None, None], (1, 1, 1, 1))
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.kernel(), self.bias, padding=1)  # (N, in, H, W) -> (N, out, H, W)

    @torch.no_grad()
    def become(self, kernel: Tensor, bias: Tensor) -> None:
        """Take the weights of a plain convolution: the other branches begin at 0, and learn from there.

        kernel: ``(out_channels, in_channels, 3, 3)``. bias: ``(out_channels,)``.

        >>> block, plain = BranchedConv2d(4, 4), nn.Conv2d(4, 4, 3, padding=1)
        >>> block.become(plain.weight, cast("Tensor", plain.bias))
        >>> x = torch.rand(1, 4, 8, 8)
        >>> torch.allclose(block(x), plain(x), atol=1e-6)
        True
        """
        for parameter in (self.plain, self.squeeze, self.scales):
            parameter.zero_()
        self.plain.copy_(kernel.to(self.plain) - self.kernel())  # which is the identity now, or nothing
        self.bias.copy_(bias)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the one plain convolution that gives the same."""
        out_channels, in_channels = self.plain.shape[:2]
        single = nn.Conv2d(in_channels, out_channels, 3, padding=1).to(self.plain)
        single.weight.copy_(self.kernel())
        cast("Tensor", single.bias).copy_(self.bias)
        return single


def convolution(in_channels: int, out_channels: int, folded: bool, zero: bool = False) -> nn.Module:
    """Return a 3×3 convolution that keeps the size: a plain one where folded, otherwise one of branches.

    A plain one begins as the sum of the branches does: near the identity, or, with ``zero``, at 0.
    """
    branched = BranchedConv2d(in_channels, out_channels, zero=zero)
    return branched.folded() if folded else branched


def stack(inputs: int, width: int, *, depth: int, folded: bool) -> list[nn.Module]:
    """Return 3×3 convolutions in a row, as ``convolution`` makes them, a PReLU with a slope a channel after each."""
    layers: list[nn.Module] = []
    for position in range(depth):
        layers += [convolution(width if position else inputs, width, folded), PReLU(width)]
    return layers


def fold_into(plain: nn.Module, wide: nn.Module) -> None:
    """Give a folded network the weights of the wide one that is built alike, all convolutions of branches folded."""
    weights = dict(wide.state_dict())
    for path, block in wide.named_modules():
        if isinstance(block, BranchedConv2d):
            for key in block.state_dict():
                del weights[f"{path}.{key}"]
            single = cast(nn.Module, block.folded())
            weights |= {f"{path}.{key}": value for key, value in single.state_dict().items()}
    plain.to(next(iter(weights.values())).device).load_state_dict(weights)
    plain.train(wide.training)
