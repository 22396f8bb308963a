"""How an output pixel depends on the input: the stride grid and the receptive field."""

import copy

import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError, first_line
from cuello.models.base import as_output


def check_multiple(x: Tensor, stride: int) -> None:
    """Raise CuelloError unless height and width of ``(N, C, H, W)`` images are multiples of ``stride``."""
    for axis, name in ((2, "height"), (3, "width")):
        length = x.shape[axis]
        if length % stride:
            raise CuelloError(
                f"images have a {name} of {length} pixels: this network needs a multiple of {stride}. "
                f"Pad or crop to {-(-length // stride) * stride}."
            )


def positive(count: int) -> int:
    """Return a count, or 0 where it is below, without a branch: a graph that is written down then takes any size.

    >>> positive(3), positive(-3)
    (3, 0)
    """
    return (count + abs(count)) // 2


def image_of(network: nn.Module, x: Tensor) -> Tensor:
    """Return the image that a network gives, whether it returns an Output or a tensor."""
    result = network(x)
    image = as_output(result).image
    if not isinstance(image, Tensor):
        raise CuelloError(
            f"{type(network).__name__} returned {type(result).__name__}; it needs to return a tensor (or "
            "cuello.Output) of the images' shape, or times the scale where it enlarges."
        )
    return image


def measure_receptive_field(
    network: nn.Module, channels: int, stride: int, largest: int = 256, scale: int = 1
) -> int | None:
    """Return the side, in pixels, of the square of inputs on which an output pixel can depend, by trying it out.

    scale: how many times larger the network makes images; an output pixel lies in the input pixel that it is part of.

    One input pixel becomes NaN, which every convolution, pooling and activation hands on; how far the NaN spreads,
    from every place of the stride grid, is the answer. None where it spreads over the whole image or further than
    ``largest``: such a network cannot be run in tiles. A network that compares pixels with constants
    (``torch.where``) can stop a NaN; let it state its own ``receptive_field``.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    reach = 16
    while reach <= largest:  # small images first: most networks do not look far
        radius = spread(network, channels, stride, reach=reach, scale=scale)
        if radius is not None:
            return 2 * radius + 1
        reach *= 2
    return None


def spread(network: nn.Module, channels: int, stride: int, reach: int, scale: int = 1) -> int | None:
    """Return how many input pixels a NaN spreads to any side; None where it gets to the border, ``reach`` away."""
    side = -(-(2 * reach + 1) // stride) * stride
    centre = side // 2 // stride * stride
    radius = 0
    with torch.inference_mode():
        for position in range(stride):  # the same offset in both axes: the worst case of each
            x = torch.full((1, channels, side, side), 0.5)
            x[:, :, centre + position, centre + position] = torch.nan
            hit = image_of(network, x).isnan().any(1)[0]
            if hit[0].any() or hit[-1].any() or hit[:, 0].any() or hit[:, -1].any():
                return None
            reached = hit.nonzero() // scale - (centre + position)
            radius = max(radius, int(reached.abs().max()) if len(reached) else 0)
    return radius


def measure_stride(network: nn.Module, channels: int, largest: int = 32, scale: int = 1) -> int:
    """Return the smallest power of two that sizes must be a multiple of and whose shifts the network follows.

    scale: how many times larger the network makes images. Raises CuelloError where no size up to 4 × ``largest`` gives
    an image of that size back.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    stride, problem = 1, ""
    with torch.inference_mode():
        while stride <= largest:
            side = 4 * largest + stride
            x = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0))
            try:
                whole = image_of(network, x)
                if whole.shape == (1, channels, scale * side, scale * side):
                    shifted = image_of(network, x[:, :, : 4 * largest, stride : 4 * largest + stride])
                    if shifted.shape[2:] == (4 * largest * scale, 4 * largest * scale):
                        middle = slice((2 * largest - 2) * scale, (2 * largest + 2) * scale)
                        there = whole[:, :, middle, middle.start + stride * scale : middle.stop + stride * scale]
                        if torch.allclose(shifted[:, :, middle, middle], there, atol=1e-4, equal_nan=True):
                            return stride
                        problem = "what it gives changes when the image is moved"
                else:
                    problem = f"images of shape {tuple(x.shape)} become {tuple(whole.shape)}"
            except Exception as error:  # somebody else's code may raise anything
                problem = first_line(error)
            stride *= 2
    wanted = "of the size it gets" if scale == 1 else f"{scale} times as large as what it gets"
    raise CuelloError(
        f"the network does not give back an image {wanted}, at any multiple up to {largest} pixels: {problem}. Pad its "
        "convolutions (padding='same'), or state `stride` as an attribute."
    )
