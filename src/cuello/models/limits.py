"""What no network of this package exceeds: checked in its settings, and in its tensors before memory is taken."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.overrides import TorchFunctionMode

from cuello.core.errors import CuelloError
from cuello.core.memory import free_memory
from cuello.models.base import ImageNetwork

Width = Annotated[int, Field(gt=0, le=65536)]
"""Numbers of a dense layer, filters of a convolution, entries of a codebook, classes."""
Depth = Annotated[int, Field(ge=0, le=256)]
"""Layers in a row, or pixels around an image."""
Side = Annotated[int, Field(gt=0, le=65536)]
"""Of an image, in pixels."""
Channels = Annotated[int, Field(gt=0, le=64)]
"""Of an image."""
Kernel = Annotated[int, Field(gt=0, le=255)]
"""Side of a convolution's kernel, in pixels."""
Widths = Annotated[tuple[Width, ...], Field(max_length=64)]


class Settings(BaseModel):
    """Settings of a network, or of a part: they never change, and unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageSettings(Settings):
    """Settings of a network for images of any size."""

    channels: Channels = Field(default=3, description="channels of the images")


MOST_STRIDE = 4096  # pixels that the sides of images may have to be a multiple of
LARGE = 2**20  # numbers of a tensor that is not made before all are counted
AT_ONCE = 64 * 2**20  # bytes of all together that are made without counting first
SIZED = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)


class Counted(TorchFunctionMode):
    """Count the bytes of the tensors that are made in its block; without ``most``, large ones get a shape alone.

    total: bytes so far. shapes_only: whether there was a tensor without memory. most: CuelloError at the first tensor
    with which there are more bytes.
    """

    def __init__(self, name: str, most: int | None) -> None:
        super().__init__()
        self.total, self.shapes_only, self.name, self.most = 0, False, name, most

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in SIZED:
            size = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
            numbers = math.prod(size)
            self.total += 4 * numbers
            if self.most is not None and self.total > self.most:
                raise CuelloError(
                    f"the weights of the network {self.name[:80]!r} need {self.total / 2**20:,.0f} MiB or more, and "
                    f"{self.most / 2**20:,.0f} MiB at most are right for its file: it was not written by cuello."
                )
            if self.most is None and (numbers > LARGE or self.total > AT_ONCE):
                self.shapes_only, kwargs = True, {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


def built(make: Callable[[], ImageNetwork], name: str, most: int | None = None) -> ImageNetwork:
    """Return the network that ``make`` makes; CuelloError, before memory is taken, where its weights need too much.

    most: bytes of the weights; by default a fourth of the free memory, for training keeps about three times as much
    beside them.
    """
    before = torch.get_rng_state()
    with Counted(name, most) as counted:
        network = make()
    if counted.shapes_only:
        allowed = free_memory() // 4
        if counted.total > allowed:
            raise CuelloError(
                f"the weights of the network {name[:80]!r} need {counted.total / 2**20:,.0f} MiB, and training four "
                f"times that; {4 * allowed / 2**20:,.0f} MiB of memory are free. Take smaller layers, or smaller "
                "images (--resize=28)."
            )
        torch.set_rng_state(before)
        return make()
    return network
