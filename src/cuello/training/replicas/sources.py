"""What replicas are trained on, for all of them at once: every draw is the one that a solo run would make."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cuello.core.seeding import derived_seed, generator
from cuello.core.share import DRAWING
from cuello.core.types import Batch, Pairing
from cuello.data.batches import Batches
from cuello.models.autoencoder.network import Autoencoder


class Fed(NamedTuple):
    """A step's input and target, ``(R or 1, N, C, H, W)``, and what the bottlenecks drew, ``(R or 1, …)`` or None."""

    x: Tensor
    target: Tensor
    noise: Tensor | None


class Source(NamedTuple):
    """What replicas of the same seed and noise share: task, batches, and the seed of all that is drawn for them."""

    task: Pairing
    batches: Batches
    seed: int


def fed(
    sources: Sequence[Source], of: Sequence[int], network: Autoencoder, *, epoch: int, device: torch.device
) -> Iterator[Fed]:
    """Yield the steps of an epoch. of: which source each replica has, by its place in ``sources``."""
    index = torch.tensor(of, device=device) if list(of) != list(range(len(sources))) else None

    def spread(value: Tensor) -> Tensor:
        return value if index is None or len(value) == 1 else value[index]

    like: Tensor | None = None
    for step, (x, target) in enumerate(pairs(sources, epoch, device)):
        if not network.bottleneck.draws:
            yield Fed(spread(x), spread(target), None)
            continue
        if like is None or len(like) != x.shape[1]:
            with torch.no_grad():
                like = network.features(x[0])
        own = [derived_seed(source.seed, "network", epoch, index=step) for source in sources]
        yield Fed(spread(x), spread(target), spread(drawn(network, like, own)))


def pairs(sources: Sequence[Source], epoch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield input and target of each step, ``(S, N, C, H, W)`` for S sources, or ``(1, …)`` where all see the same."""
    task = sources[0].task
    if task.degradation is None and sources[0].batches.even and not sources[0].batches.augment:
        sources = sources[:1]  # every batch holds every image, whatever the seed
    for step, (images, targets) in enumerate(images_of(sources, epoch, device)):
        if task.degradation is None:
            plain = task.pair(Batch(images, torch.empty(0), targets), torch.Generator())
            yield plain.x, plain.target
            continue
        x = [source.task.pair(Batch(part, torch.empty(0)), generator(source.seed, "noise", epoch, index=step)).x
             for part, source in zip(images, sources, strict=True)]  # fmt: skip
        yield stacked(x), images


def images_of(sources: Sequence[Source], epoch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield the images and, for data in pairs, the targets of each step, ``(S, N, C, H, W)`` each."""
    if sources[0].batches.augment:
        with ExitStack() as stack:
            given = [stack.enter_context(closing(source.batches.epoch(epoch, device))) for source in sources]
            for parts in zip(*given, strict=True):
                targets = [part.targets for part in parts if part.targets is not None]
                yield stacked([part.images for part in parts]), stacked(targets) if targets else None
        return
    batches, shape = sources[0].batches, (len(sources), -1)
    many, images, targets = 0, torch.empty(0), None
    for parts in zip(*(source.batches.rows(epoch) for source in sources), strict=True):
        if not (batches.even and len(parts[0]) == many):  # even ones of the same size are all the same
            many = len(parts[0])
            images, targets = batches.take(np.concatenate(parts), device)
            images = images.unflatten(0, shape)
            targets = targets.unflatten(0, shape) if targets is not None else None
        yield images, targets


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """Stack tensors; a single one is not copied."""
    return parts[0][None] if len(parts) == 1 else torch.stack(list(parts))


def drawn(network: Autoencoder, features: Tensor, seeds: Sequence[int]) -> Tensor:
    """Return what bottlenecks draw for features of this shape after each seed, ``(S, …)``."""
    parts = []
    for seed in seeds:
        with DRAWING:
            torch.default_generator.manual_seed(seed)  # torch's own takes 0.1 ms
            parts.append(network.bottleneck.noise(features))
    return stacked([part for part in parts if part is not None])
