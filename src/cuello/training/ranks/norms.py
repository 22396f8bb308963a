"""Batch normalisation over the images of all ranks, forward and backward."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cuello.core.errors import CuelloError
from cuello.models.blocks import BatchNorm2d, batch_moments, moments_gradient, per_channel
from cuello.training.ranks.together import Ranks


class SharedMoments(torch.autograd.Function):
    """Mean and biased variance of every channel over the images of all ranks, and the number of pixels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Ranks) -> tuple[Tensor, Tensor, int]:
        channels = x.shape[1]
        own = x.mean((0, 2, 3))  # (N, C, H, W) -> (C,)
        squares = (x - per_channel(own, x)).square_().sum((0, 2, 3))
        pixels = 0 if group.standing_in else x.numel() // channels
        told = torch.cat([own, squares, own.new_full((1,), pixels)]).double()
        abouts, parts, numbers = torch.stack(group.gathered(told)).split([channels, channels, 1], 1)  # (ranks, …)
        total = float(numbers.sum())
        # Each rank's sum is about its own mean: sums of squares alone lose their digits where the mean is large.
        mean = (abouts * (numbers / total)).sum(0)
        spread = (parts * (numbers > 0) + numbers * (abouts - mean).square_()).sum(0)
        mean, variance = mean.to(x.dtype), (spread / total).to(x.dtype)
        ctx.save_for_backward(x, mean)
        ctx.group, ctx.pixels = group, total
        return mean, variance, int(total)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        x, mean = ctx.saved_tensors
        own = [torch.zeros_like(mean) if one is None else one for one in gradients[:2]]
        mean_gradient, variance_gradient = ctx.group.summed(ctx.group.counted(torch.cat(own))).chunk(2)
        return moments_gradient(
            x, mean, mean_gradient, variance_gradient=variance_gradient, pixels=ctx.pixels
        ), None  # fmt: skip


@contextmanager
def shared_norms(network: nn.Module, group: Ranks | None) -> Iterator[None]:
    """Let all layers of batch normalisation see the images of all ranks, for the time of the block."""
    if group is None:
        yield
        return

    def moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
        return SharedMoments.apply(x, group)  # type: ignore[return-value]

    own = [layer for layer in network.modules() if isinstance(layer, BatchNorm2d)]
    torchs = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    for layer in own:
        layer.moments = moments
    for layer in torchs:
        vars(layer)["forward"] = partial(normalised, layer, moments)  # torch calls it, and not the class's own
    try:
        yield
    finally:
        for layer in own:
            layer.moments = batch_moments
        for layer in torchs:
            del vars(layer)["forward"]


def normalised(layer: Any, moments: Callable[[Tensor], tuple[Tensor, Tensor, int]], x: Tensor) -> Tensor:
    """Do what torch's batch normalisation does, with the statistics of all ranks.

    Where a batch leaves one value a channel, of which there is no variance, the running averages are taken, as one
    process does (``training/norms``).
    """
    if not layer.training:
        return type(layer).forward(layer, x)
    images = x if x.ndim == 4 else x[:, :, None, None] if x.ndim == 2 else x.flatten(2)[..., None]
    mean, variance, pixels = moments(images.float())
    if pixels == 1:
        if layer.running_mean is None:
            raise CuelloError(
                "batch normalisation needs two images per step or more, where maps are one pixel or layers are dense; "
                "got a step of one image. Take a larger --batch-size, or another --model."
            )
        mean, variance = layer.running_mean, layer.running_var
    elif layer.running_mean is not None:
        with torch.no_grad():
            layer.num_batches_tracked.add_(1)
            share = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
            layer.running_mean.lerp_(mean, share)
            layer.running_var.lerp_(variance * (pixels / (pixels - 1)), share)
    factor = torch.rsqrt(variance + layer.eps)
    factor = factor if layer.weight is None else layer.weight * factor
    offset = -mean * factor if layer.bias is None else layer.bias - mean * factor
    made = torch.addcmul(per_channel(offset, images), images, per_channel(factor, images))
    return made.to(x.dtype).reshape(x.shape)
