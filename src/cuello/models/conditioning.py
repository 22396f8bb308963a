"""Networks that are told how much noise there is: which they are, and what they are told where nobody knows."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from cuello.degrade.level import estimated_level

Given = TypeVar("Given")


def is_conditioned(network: nn.Module) -> bool:
    """Tell whether a network takes the noise level: ``forward(x, level=level)``."""
    return bool(getattr(network, "conditioned", False))


def restored(
    forward: Callable[..., Given],
    network: nn.Module,
    x: Tensor,
    level: Tensor | None,
    condition: Tensor | None = None,
) -> Given:
    """Return what a network gives for ``x``, with the noise level, or the class, where it is one that takes it.

    forward: the network, or its compiled form. level: ``(N, 1, 1, 1)`` or ``(N, 1, H, W)``; estimated where it is None.
    condition: classes, ``(N,)``, for an estimator of occlusion maps; None for others.
    """
    if condition is not None:
        return forward(x, condition)
    if not is_conditioned(network):
        return forward(x)
    return forward(x, level=(estimated_level(x) if level is None else level).to(x.device, x.dtype))
