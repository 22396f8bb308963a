"""Which images a network is judged on: a run's own test images, or others that are named."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cuello.core.errors import CuelloError, worded
from cuello.core.types import Batch
from cuello.data.batches import Batches, to_tensor
from cuello.data.catalog import open_within
from cuello.data.images import Images, load_images, pair
from cuello.data.levels import full_scale
from cuello.inference.model import Model
from cuello.jobs.base import Request
from cuello.jobs.data import Prepared


@dataclass(frozen=True)
class EvaluatedImages:
    """What is evaluated: batches of clean images, and who they are.

    batches: makes the batches anew. names: the photograph of each image (several crops may share one). places: top
    and left of each crop in it, pixels. count: how many images. size: smallest height and width. detailed: they are
    crops that were chosen because there is something to see.
    """

    batches: Callable[[], Iterable[Batch]]
    names: Sequence[str]
    places: Sequence[tuple[int, int]]
    size: tuple[int, int]
    binary: bool
    detailed: bool = False

    @property
    def count(self) -> int:
        return len(self.names)


def evaluated_crops(batches: Batches) -> EvaluatedImages:
    """Take the crops of a part of the data as they are."""
    described = [batches.describe(row) for row in range(batches.count)]
    names, places = [name for name, _, _ in described], [(top, left) for _, top, left in described]

    def every() -> Iterable[Batch]:
        given = 0
        for batch in batches.epoch(0):
            given += len(batch.ids)
            yield batch
        if given < batches.count:  # scores would no longer stand beside their images
            raise CuelloError(
                f"files of {batches.images.name} changed during the evaluation: {' '.join(batches.images.lost)} "
                "Bring them back and evaluate again."
            )

    return EvaluatedImages(
        every, names, places=places, size=batches.size, binary=is_binary(batches.images), detailed=batches.detailed
    )


def evaluated_images(images: Images, labelled: bool = False) -> EvaluatedImages:
    """Take whole images, of any sizes, one a batch; ``labelled``: with their labels, whole numbers."""
    labels = images.labels if labelled else None

    def batches() -> Iterable[Batch]:
        for index, array in enumerate(images.arrays):
            target = to_tensor(images.targets[index][None]) if images.targets is not None else None
            label = torch.tensor([int(labels[index])]) if labels is not None else None
            yield Batch(to_tensor(array[None]), torch.tensor([index]), target, labels=label)

    smallest = images.scale * int(images.sizes.min())
    places = [(0, 0)] * len(images)
    return EvaluatedImages(batches, images.names, places=places, size=(smallest, smallest), binary=is_binary(images))


def is_binary(images: Images) -> bool:
    """Tell whether every value is black or white."""
    return all(np.isin(array, (0, full_scale(array.dtype))).all() for array in images.clean())


def own_images(prepared: Prepared) -> tuple[EvaluatedImages, list[str]]:
    """Return the images of a run's own data to evaluate on, and a note on which they are."""
    part: Batches = prepared.test or prepared.validation
    which = "test images, never seen in training"
    if prepared.test is None:
        which = worded("validation images, on which the best epoch was chosen (--test keeps some apart)")
    return evaluated_crops(part), [f"Scores are those of the {which}."]


def named_images(model: Model, request: Request, channels: int | None = None) -> tuple[EvaluatedImages, list[str]]:
    """Read whole images to evaluate on (and their clean counterparts), and say in notes which they are.

    channels: of the images, by default the model's.
    """
    channels = channels or model.channels
    loaded = load_images(
        open_within(str(request.images), request.range, model.levels),
        channels,
        size=None,
        on_error=request.on_error,
        progress=request.progress,
    )
    if request.target is not None:
        clean = load_images(
            open_within(str(request.target), request.range, model.levels), channels, size=None,
            on_error=request.on_error, progress=request.progress,
        )  # fmt: skip
        loaded = pair(loaded, clean, scale=model.scale, on_error=request.on_error, progress=request.progress)
    return evaluated_images(loaded), notes_on(loaded, request)


def notes_on(images: Images, request: Request) -> list[str]:
    """Say which images were named, what was changed of them, and which were left out."""
    which = f"Scores are those of {request.images}, {len(images)} whole images."
    if images.held_out is not None or images.validated is not None:
        which += " That is all of its parts, also those for training; name one folder or file to judge it alone."
    return [which, *images.notes, *(f"left out: {reason}" for reason in images.skipped)]
