"""Typed results that travel between the layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Output(NamedTuple):
    """What a network gives for a batch.

    image: restored images, ``(N, C, H, W)`` float, nominally in [0, 1] (not clipped).
    latent: the code at the bottleneck, any shape with N first, or None where there is none.
    terms: extra loss terms by name, each a tensor to be added to the loss, ``(N,)`` or a scalar.
    """

    image: "Tensor"
    latent: "Tensor | None" = None
    terms: "Mapping[str, Tensor]" = {}  # noqa: RUF012 (a Mapping is never written to; torch.export knows dictionaries)


class Batch(NamedTuple):
    """Clean images of a batch and who they are.

    images: ``(N, C, H, W)`` float32 in [0, 1].
    ids: ``(N,)`` int64, the position of each image in its data set.
    targets: the paired target images, same shape as ``images``, where the data has its own pairs; otherwise None.
    """

    images: "Tensor"
    ids: "Tensor"
    targets: "Tensor | None" = None


@dataclass(frozen=True)
class StepResult:
    """What a training or validation step reports: summed so that steps of unequal size add up.

    loss_sum: sum over images of the loss. images: how many. terms: sums of the loss' parts by name.
    """

    loss_sum: float
    images: int
    terms: dict[str, float] = field(default_factory=dict)
