"""Codes and the images that they stand for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.inference.model import Model


@dataclass(frozen=True)
class Decoded:
    """Codes ``(n, …)`` and the images ``(n, H, W, C)`` in [0, 1] that they stand for, float32."""

    codes: np.ndarray
    images: np.ndarray


def code_of(model: Model, given: Any) -> np.ndarray:
    """Give the code of one image, or one code as it is, with or without N = 1; without N, float32.

    What has the shape of a code is a code. Where that depends on the image's size, floats with as many planes first as
    a code has are one, unless they end in the image's channels. Raises CuelloError for several images or codes.
    """
    if is_code(model, given):
        found = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    else:
        found = model.encode(given)
        found = found.cpu().numpy() if isinstance(found, Tensor) else found
        if len(found) != 1:
            raise CuelloError(f"got {len(found)} images, needed one (or one code of shape {tuple(found.shape[1:])}).")
    axes = len(model.latent_shape) if model.latent_shape is not None else 3
    return (found[0] if found.ndim > axes else found).astype(np.float32)


def is_code(model: Model, given: Any) -> bool:
    """Tell whether an array or tensor is one code rather than one image."""
    if not isinstance(given, np.ndarray | Tensor):
        return False
    shape, known = tuple(given.shape), model.latent_shape
    if known is not None:
        return shape in (known, (1, *known))
    shape = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    floats = given.is_floating_point() if isinstance(given, Tensor) else given.dtype.kind == "f"
    if len(shape) != 3 or not floats:
        return False
    stride = model.network.stride
    planes = model.encode(torch.zeros(1, model.channels, stride, stride)).shape[1]
    return shape[0] == planes and (isinstance(given, Tensor) or shape[-1] != model.channels)
