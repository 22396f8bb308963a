"""A job: what goes into the network, and what should come out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.core.types import Batch, Pair
from cuello.degrade import Composition, Degradation, parse
from cuello.degrade.sizes import Down, Resize

TOLD = 0.5
"""Share of the images whose fault's strength is told while a network learns that may be told it, or not."""


@dataclass(frozen=True)
class Task:
    """Makes (input, target) pairs from clean images.

    job: what the network learns to do. degradation: what makes the input from the clean image; None where the data
    come in pairs, or where the image itself goes in. pair_scale: how many times larger the targets of pairs are.
    restores: something else goes in than should come out; otherwise the image itself is the target.
    """

    job: str
    degradation: Degradation | Composition | None
    pair_scale: int = 1
    restores: bool = True

    @property
    def scale(self) -> int:
        """How many times larger each side of the target is than the input's."""
        return self.pair_scale if self.degradation is None else self.degradation.scale

    def pair(self, batch: Batch, random: Generator) -> Pair:
        """Return inputs and targets, all noise drawn from one generator: for training."""
        if self.degradation is None:
            return self._plain(batch)
        target = cut_to_multiple(batch.images, self.scale)
        x, level, strength = self.degradation.with_values(target, random)
        if strength is not None:
            strength = strength * (torch.rand(strength.shape, generator=random) < TOLD)
        return Pair(x, target, level, strength=strength)

    def pair_each(self, batch: Batch, seed: int) -> Pair:
        """Return inputs and targets with a generator for every image, from (seed, id).

        The noise on an image then does not depend on the batch it is in: for validation and evaluation, where a network
        judges by itself how strong a fault is that is not Gaussian noise.
        """
        if self.degradation is None:
            return self._plain(batch)
        target = cut_to_multiple(batch.images, self.scale)
        x, level = degrade_each(self.degradation, Batch(target, batch.ids), seed)
        return Pair(x, target, level)

    def at(self, degradation: Degradation | Composition) -> "Task":
        """Return the same task with another degradation, as for a level of a sweep."""
        return replace(self, degradation=degradation)

    def typical(self) -> "Task":
        """Return the same task with every range of the degradation at its middle."""
        return self if self.degradation is None else self.at(self.degradation.typical())

    def _plain(self, batch: Batch) -> Pair:
        return paired(batch) if self.restores else itself(batch)


def multiple_below(size: tuple[int, int], scale: int) -> tuple[int, int]:
    """Return the largest height and width that are multiples of ``scale`` and not above ``size``."""
    return size[0] // scale * scale, size[1] // scale * scale


def cut_to_multiple(images: Tensor, scale: int) -> Tensor:
    """Cut images at the bottom and right so that both sides are multiples of ``scale``, as the literature does.

    Raises CuelloError where nothing would be left.
    """
    if scale == 1:
        return images
    height, width = multiple_below((images.shape[2], images.shape[3]), scale)
    if not (height and width):
        raise CuelloError(
            f"an image of {images.shape[3]}×{images.shape[2]} pixels cannot be made {scale} times smaller: needed at "
            f"least {scale}×{scale}. Leave it out."
        )
    return images[:, :, :height, :width]


def degrade_each(degradation: Degradation | Composition, batch: Batch, seed: int) -> tuple[Tensor, Tensor | None]:
    """Degrade the images of a batch one by one, each with the generator of (seed, its id); return them and the level
    of Gaussian noise in each (see ``Pair``).
    """
    parts = [
        degradation.with_values(batch.images[row : row + 1], generator(seed, "evaluation noise", 0, index=index))
        for row, index in enumerate(batch.ids.tolist())
    ]
    levels = [part.level for part in parts if part.level is not None]
    return torch.cat([part.images for part in parts]), torch.cat(levels) if levels else None


def paired(batch: Batch) -> Pair:
    """Return the batch's own images and targets; CuelloError where it has no targets."""
    if batch.targets is None:
        raise CuelloError(
            "this model was trained on pairs of images and needs pairs: give the clean ones with --target."
        )
    return Pair(batch.images, batch.targets)


def itself(batch: Batch) -> Pair:
    """Return the batch's images as input and as target."""
    return Pair(batch.images, batch.images)


def same_size(noise: str, job: str) -> Degradation | Composition:
    """Read a spec string that leaves the images' size as it is; CuelloError where it does not."""
    degradation = parse(noise)
    if degradation.scale != 1:
        raise CuelloError(
            f"got --noise={noise} for {job}, which makes images {degradation.scale} times smaller. Use: cuello train "
            "upscale, or the noise resize, which brings them back to their size."
        )
    return degradation


def shrinking(noise: str | None, scale: int | None) -> Degradation | Composition:
    """Return what makes the input of upscale: what a spec string says, after ``down`` where only a scale is given.

    Raises CuelloError where neither says how much smaller, or both do and differ.

    >>> shrinking("gaussian:5", 2).spec()
    'down:2+gaussian:5'
    """
    if noise is None:
        if scale is None:
            raise CuelloError("how much larger is not stated: add e.g. --scale=2.")
        return Down(factor=scale)
    degradation = parse(noise)
    parts = degradation.parts if isinstance(degradation, Composition) else (degradation,)
    if degradation.scale == 1 and scale is not None:
        return Composition((Down(factor=scale), *parts))
    if scale is not None and scale != degradation.scale:
        raise CuelloError(
            f"got --scale={scale} and --noise={noise}, which makes images {degradation.scale} times smaller. Leave out "
            "--scale, or write the same."
        )
    if degradation.scale == 1 and not any(isinstance(part, Resize) for part in parts):
        raise CuelloError(
            f"got --noise={noise} for upscale, which does not take pixels away: add e.g. --scale=2 (or the noise "
            "resize:2, for images that were enlarged before)."
        )
    return degradation


def with_fitting_crop(task: Task, crop: int | None) -> Task:
    """Return the task; CuelloError where a crop's side (pixels) is no multiple of its scale."""
    scale = task.scale
    if crop is not None and crop % scale:
        below, above = crop // scale * scale, (crop // scale + 1) * scale
        raise CuelloError(
            f"got --crop={crop}, needed a multiple of the scale {scale}: a crop is of the large image. Use --crop="
            f"{above}{f' or {below}' if below else ''}."
        )
    return task


def check_sweep(task: Task, sweep: Sequence[float]) -> None:
    """Raise CuelloError where a noise level cannot be: before the work, not after it."""
    if not sweep:
        return
    if task.degradation is None or not task.degradation.varies:
        plain = "pairs of images" if task.restores else task.job
        name = plain if task.degradation is None else task.degradation.name
        raise CuelloError(f"there is no noise level to sweep for {name!r}. Leave out --sweep.")
    for value in sweep:
        task.degradation.typical().with_main(value)
