"""Tensors as callers hand them in: which are images, which are codes, and the words for those that are neither."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError


def channels_first(images: Tensor) -> Tensor:
    """Bring one image ``(C, H, W)`` or several to ``(N, C, H, W)``, float32 or float64, without a graph.

    Raises CuelloError for other shapes, for what is no plain tensor of floats, and for empty ones.
    """
    if images.is_complex() or not images.is_floating_point():
        scale = {torch.uint8: 255, torch.uint16: 65_535}.get(images.dtype)
        remedy = f" Give images.float() / {scale}." if scale else ""
        raise CuelloError(f"got a tensor of type {images.dtype}, needed floats in [0, 1].{remedy}")
    if images.layout != torch.strided or images.is_meta or images.is_nested:
        raise CuelloError(f"got a tensor of layout {images.layout} on {images.device}, needed a plain one with values.")
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise CuelloError(f"got a tensor of shape {tuple(images.shape)}, needed (C, H, W) or (N, C, H, W), none 0.")
    stack = images.detach()[None] if images.ndim == 3 else images.detach()
    return stack if stack.dtype == torch.float64 else stack.float()


def as_codes(codes: Any, shape: tuple[int | None, ...]) -> Tensor:
    """Bring one code or several to a float32 tensor ``(N, …)``.

    shape: of one code; None stands for any number. Raises CuelloError for other shapes, no numbers, NaN and infinity.
    """
    given = codes.detach() if isinstance(codes, Tensor) else as_tensor(codes)
    if given.is_complex() or given.layout != torch.strided or given.is_meta or given.dtype == torch.bool:
        raise CuelloError(
            f"got codes of {given.dtype} ({given.layout}, {given.device}), needed a plain tensor of floats."
        )
    stack = given[None] if given.ndim == len(shape) else given
    fits = stack.ndim == len(shape) + 1 and all(n in (None, m) for n, m in zip(shape, stack.shape[1:], strict=True))
    if not fits or 0 in stack.shape:
        wanted = ", ".join("?" if number is None else str(number) for number in shape)
        raise CuelloError(f"got codes of shape {tuple(given.shape)}, needed (N, {wanted}).")
    stack = stack.float()
    if not stack.isfinite().all():
        raise CuelloError("the codes hold NaN or infinite values; replace them first.")
    return stack


def as_tensor(codes: Any) -> Tensor:
    """Take an array, or nested lists, as float32; CuelloError for what is no numbers."""
    try:
        array = np.asarray(codes)
    except ValueError:  # lists of several lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "uif":
        raise CuelloError(f"got codes of {array.dtype}, needed numbers, (N, numbers) as encode gives them.")
    with np.errstate(over="ignore"):  # becomes infinite, which is refused
        return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))
