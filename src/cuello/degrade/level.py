"""How strong the noise of an image is, estimated from the image itself."""

import math
import warnings
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

BLOCK, STEP = 8, 4
"""Side of the blocks, and pixels from one to the next."""
LOW, HIGH = range(1, 7), range(8, 15)
"""Orders of a block's frequencies, horizontal and vertical added, that tell flat blocks, and that measure noise."""
SHARE, FEWEST = 0.003, 16
"""Share of the blocks that are surely taken for flat, and how many at least."""
REPEATS, EVEN = 0.505, 0.999
"""Share of a block's pixels that equal a neighbour above which it was drawn and holds no noise, and above which it is
of one value. Between what such shares can be, so that rounding decides nothing."""
FRAME, EDGES = 0.25, 1.5
"""Share of drawn blocks, not at black or white, up to which they are a frame around an image that may be noisy, and how
many of them, for each that is of one value, may lie at its edges. Otherwise the image has no noise anywhere."""
BLANK, UNCUT = 0.05, 0.02
"""Share of blocks that are drawn at black or white above which the noise of others is believed only where so many of
them do not touch black or white: text is not noise."""
TOUCHED, MOST_CUT = 1.5 / BLOCK**2, 0.7
"""Share of a block's pixels at black or white above which noise may be cut off, and above which nothing is told: noise
added to what lies within a range leads half of the values out of it at most, and some more by chance."""
TINY = torch.finfo(torch.float32).tiny
AT_ONCE = 1 << 22
"""Pixels whose blocks are measured at once."""


class BlockEnergies(NamedTuple):
    """Blocks of planes, each ``(planes, blocks)``.

    low, high: mean squares of low frequencies, which tell flat blocks, and of high ones, which measure noise. cut:
    share of pixels at the lowest or highest value of the plane. repeats: largest share of pixels that equal their
    neighbour in one direction, which noise makes differ; above ``REPEATS`` both energies are 0.
    """

    low: Tensor
    high: Tensor
    cut: Tensor
    repeats: Tensor


def noise_levels(image: np.ndarray) -> list[float]:
    """Estimate the standard deviation of each channel's noise; 0 where a channel is black."""
    with warnings.catch_warnings():
        from skimage.restoration import estimate_sigma  # what it loads adds filters of its own

        warnings.simplefilter("ignore", RuntimeWarning)  # a black channel gives the mean of nothing
        warnings.simplefilter("ignore", UserWarning)  # one or two pixels across are taken for forgotten channels
        levels = np.atleast_1d(np.asarray(estimate_sigma(image, channel_axis=-1)))
    return [float(level) for level in np.nan_to_num(levels)]


def estimated_level(images: Tensor) -> Tensor:
    """Estimate the standard deviation of each image's white noise, the mean over its channels.

    ``σ² = mean of c² over the high frequencies c of the flattest blocks``

    images: ``(N, C, H, W)`` floats in any unit. Returns ``(N, 1, 1, 1)`` float32 in the same unit. Blocks of 8×8 pixels
    are compared by the energy of their low frequencies: those with the least hold hardly anything but noise, and what
    their high frequencies hold is its variance. Where noise is cut off at the lowest or highest value, what it was is
    told by how many values are there. What was drawn, where neighbours are equal, has no noise: drawings and text give
    0, and a frame around an image does not count.

    >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    >>> round(float(estimated_level(noisy)), 2)
    0.1

    Source: Colom and Buades 2013, "Analysis and extension of the Ponomarenko et al. method, estimating a noise curve
    from a single image", for noise of one strength.
    """
    x = filled(images.detach().float())
    count, channels, height, width = x.shape
    planes = x.reshape(count * channels, 1, height, width)
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    rows = max(1, AT_ONCE // (width * STEP)) * STEP
    levels = []
    for plane, least, most in zip(planes.split(1), low.split(1), high.split(1), strict=True):
        strips = [plane[:, :, top : top + rows + BLOCK - STEP] for top in range(0, height - BLOCK + 1, rows)]
        parts = [blocks_of(strip, least, most) for strip in strips]
        levels.append(level_of(BlockEnergies(*(torch.cat(several, 1) for several in zip(*parts, strict=True)))))
    return torch.cat(levels).reshape(count, channels).mean(1).view(-1, 1, 1, 1)


def level_at_once(images: Tensor) -> Tensor:
    """Estimate as ``estimated_level`` does, in operations that can be written as a graph of images of any size."""
    x = filled(images)
    planes = x.flatten(0, 1)[:, None]  # (N, C, H, W) -> (N · C, 1, H, W)
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    return level_of(blocks_of(planes, low, high)).reshape(-1, x.shape[1], 1, 1).mean(1, keepdim=True)


def filled(x: Tensor) -> Tensor:
    """Mirror images at the bottom and right until they hold a block."""
    for axis in (2, 3):
        length = x.shape[axis]
        places = torch.arange(length + (BLOCK - length) * (length < BLOCK), device=x.device) % (2 * length)
        x = x.index_select(axis, torch.minimum(places, 2 * length - 1 - places))
    return x


def blocks_of(planes: Tensor, least: Tensor, most: Tensor) -> BlockEnergies:
    """Measure the blocks of planes ``(planes, 1, H, W)``, whose lowest and highest values are ``(planes, 1, 1, 1)``."""
    cut = functional.avg_pool2d(((planes == least) | (planes == most)).float(), BLOCK, STEP)
    repeats = repeated(planes).flatten(1)
    random = (repeats <= REPEATS).float()
    low, high = (
        functional.conv2d(planes, waves(orders).to(planes.device), stride=STEP).square().mean(1).flatten(1) * random
        for orders in (LOW, HIGH)
    )
    return BlockEnergies(low, high, cut=cut.flatten(1), repeats=repeats)


def repeated(planes: Tensor) -> Tensor:
    """Give the share of a block's pixels that equal their neighbour, in the direction in which most do."""
    height, width = planes.shape[2:]
    found = torch.zeros_like(planes[:, :, : height - BLOCK + 1 : STEP, : width - BLOCK + 1 : STEP])
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0)):
        left = max(0, -right)
        here = planes[:, :, : height - down, left : width - max(0, right)]
        there = planes[:, :, down:, left + right : width + min(0, right)]
        same = functional.avg_pool2d((here == there).float(), (BLOCK - down, BLOCK - abs(right)), STEP)
        found = torch.maximum(found, same)
    return found


def level_of(blocks: BlockEnergies) -> Tensor:
    """Give the level of the noise in each plane, ``(planes,)``."""
    low, high, cut, repeats = blocks
    ones = torch.ones_like(low)
    count = ones.sum(1, keepdim=True)
    touched, drawn = (cut > TOUCHED).to(low), (repeats > REPEATS).to(low)
    even = (repeats > EVEN).to(low)
    clean, plain = ((some * (1 - touched)).sum(1, keepdim=True) for some in (drawn, even))
    frame = drawn * (1 - touched) * ((clean <= FRAME * count) & (clean - plain <= EDGES * plain))
    left_out = torch.maximum(torch.maximum(drawn * touched, frame), (cut > MOST_CUT).to(low))
    whole = low / kept(cut)
    flat = whole / whole.amax(1, keepdim=True).clamp(min=TINY)
    order = (flat + 2 * left_out).argsort(1)
    left, wanted = (1 - left_out).sum(1, keepdim=True), torch.ceil(count * SHARE).clamp(min=FEWEST)
    few = torch.minimum(wanted, left)
    flattest = torch.zeros_like(low).scatter(1, order, (ones.cumsum(1) <= few).to(low))
    first = (high * flattest).sum(1, keepdim=True) / (kept(cut) * flattest).sum(1, keepdim=True).clamp(min=TINY)
    chosen = torch.maximum(flattest, (whole <= first).to(low) * (1 - left_out))
    variance = (high * chosen).sum(1, keepdim=True) / (kept(cut) * chosen).sum(1, keepdim=True).clamp(min=TINY)
    blank = (drawn * touched).sum(1, keepdim=True) > BLANK * count
    uncut = ((1 - touched) * (1 - left_out)).sum(1, keepdim=True) >= UNCUT * (1 - drawn).sum(1, keepdim=True)
    enough = left >= torch.minimum(wanted, count / 2)
    return (torch.sqrt(variance) * ((uncut | ~blank) & enough))[:, 0]


def kept(share: Tensor) -> Tensor:
    """Give which share of its variance normal noise keeps of which so many values, up to ``MOST_CUT``, are cut off."""
    share = share.clamp(max=MOST_CUT)
    return 1 - 1.655 * share + 0.665 * share**2  # of what lies beyond one end, to .004


@cache
def waves(orders: range) -> Tensor:
    """Give the cosines of a block whose orders are asked for, ``(frequencies, 1, BLOCK, BLOCK)``, each of length 1."""
    places = torch.arange(BLOCK, dtype=torch.float64)
    lines = torch.cos(math.pi / BLOCK * torch.outer(places, places + 0.5)) * math.sqrt(2 / BLOCK)
    lines[0] /= math.sqrt(2)
    order = (places[:, None] + places).long()
    return torch.einsum("ai,bj->abij", lines, lines)[(order >= orders.start) & (order < orders.stop)][:, None].float()
