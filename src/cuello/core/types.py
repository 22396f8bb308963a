"""Typed results that travel between the layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cuello.core.share import Rows

if TYPE_CHECKING:
    from torch import Generator, Tensor


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
    targets: the paired target images, where the data has its own pairs; otherwise None. Of the same shape as
    ``images``, or, to be upscaled, with sides that are a whole number of times larger.
    labels: ``(N,)`` int64, the class of each image, where classes are what is learned, or what the network is told;
    otherwise None.
    rows: which rows of a whole batch these are, where several processes share it; otherwise None.
    """

    images: "Tensor"
    ids: "Tensor"
    targets: "Tensor | None" = None
    labels: "Tensor | None" = None
    rows: Rows | None = None


Run = Callable[["Tensor"], "Tensor"]
"""The network that is trained, as a function of images ``(N, C, H, W)``; told what it was told of the pair."""


class Pair(NamedTuple):
    """What a network gets and what it should give.

    x: ``(N, C, H, W)`` float32. target: ``(N, C, scale H, scale W)``, or classes, ``(N,)`` int64. level:
    ``(N, 1, 1, 1)``, standard deviation of the Gaussian noise in x, in units of white = 1; None where it is not known.
    strength: ``(N, 1, 1, 1)``, how strong another fault is (``Degradation.place``), 0 where the network is not to know;
    None: nowhere. condition: ``(N,)`` int64, the class that an estimator of occlusion maps is told; None for others.
    loss: gives the loss of each image, ``(N,)``, where that is more than a comparison of what the network makes of x
    with the target, which then is not clean: nothing is measured against it. None: the loss of the settings.
    """

    x: "Tensor"
    target: "Tensor"
    level: "Tensor | None" = None
    condition: "Tensor | None" = None
    strength: "Tensor | None" = None
    loss: Callable[[Run], "Tensor"] | None = None


@dataclass(frozen=True)
class StepResult:
    """What a training or validation step reports: summed so that steps of unequal size add up.

    loss_sum: sum over images of the loss. images: how many. terms: sums of the loss' parts by name.
    """

    loss_sum: float
    images: int
    terms: dict[str, float] = field(default_factory=dict)


class Pairing(Protocol):
    """Make (input, target) pairs from the images of a batch: all that training needs to know of a job.

    degradation: what makes the input from the clean image; None where nothing is drawn.
    """

    @property
    def degradation(self) -> Any: ...

    def pair(self, batch: Batch, random: "Generator") -> Pair:
        """Return inputs and targets, all noise drawn from one generator: for training."""
        ...

    def pair_each(self, batch: Batch, seed: int) -> Pair:
        """Return inputs and targets with a generator for every image, from (seed, id): for validation."""
        ...
