"""Where an image is flat there is nothing to restore, and a network can only add its own small error."""

import torch
from torch import Tensor
from torch.nn import functional

REACH = 8
"""Pixels around a pixel that decide whether the image is flat there."""
FLAT = 1 / 512
"""Values of a neighbourhood that span less than this share of white are one grey of 8 bits: flat."""
OWN_ERROR = 0.15
"""Networks err by less on flat images, at edges too; a larger change is what they were trained to make."""


def keep_flat(x: Tensor, image: Tensor, reach: int) -> Tensor:
    """Give flat parts of the input back as they came: black stays black, and no flat frame becomes brighter.

    x: what went in, ``(N, C, H, W)``. image: what the network made of it, ``(N, C, s H, s W)``. reach: pixels around a
    pixel that are looked at. Where the input spans nothing there, the result is the input (enlarged, if it was); where
    it spans ``FLAT`` or more, it is the network's; between, a mixture of both. Changes above ``OWN_ERROR`` stay.
    """
    side = reach + 1
    if reach < 1 or bool((span(x, side, side) >= FLAT).all()):  # any flat neighbourhood holds a whole flat block
        return image
    return mixed(x, image, reach, scale=image.shape[-1] // x.shape[-1])


def mixed(x: Tensor, image: Tensor, reach: int, *, scale: int) -> Tensor:
    """Mix as ``keep_flat`` does, without looking first whether anything is flat: every image takes the same steps."""
    weight = span(x, 2 * reach + 1, 1) / FLAT
    if scale > 1:
        weight = functional.interpolate(weight, scale_factor=scale, mode="nearest")
        x = functional.interpolate(x, scale_factor=scale, mode="bilinear")
    change = image - x
    return torch.where((weight >= 1) | (change.abs() > OWN_ERROR), image, x + weight * change)


def span(x: Tensor, side: int, step: int) -> Tensor:
    """Compute largest minus smallest value of square neighbourhoods, one every ``step`` pixels, edges cut off."""
    pad = side // 2 if step == 1 else 0
    ends = torch.cat([x, -x], dim=1)
    for kernel, padding in (((side, 1), (pad, 0)), ((1, side), (0, pad))):
        stride = step if step == 1 else kernel
        ends = functional.max_pool2d(ends, kernel, stride, padding, ceil_mode=step > 1)
    high, low = ends.chunk(2, dim=1)
    return high + low
