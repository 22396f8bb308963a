"""A job: what goes into the network, and what should come out."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cuello.config import TrainConfig
from cuello.degrade import Composition, Degradation, parse
from cuello.errors import CuelloError
from cuello.registry import Registry
from cuello.seeding import generator
from cuello.types import Batch


@dataclass(frozen=True)
class Task:
    """Makes (input, target) pairs from clean images.

    job: what the network learns to do. degradation: what makes the input from the clean image; None where the data
    come in pairs, or where the image itself goes in.
    """

    job: str
    degradation: Degradation | Composition | None

    def pair(self, batch: Batch, random: Generator) -> tuple[Tensor, Tensor]:
        """Return inputs and targets, ``(N, C, H, W)`` each, all noise drawn from one generator: for training."""
        if self.degradation is None:
            return self._plain(batch)
        return self.degradation(batch.images, random), batch.images

    def pair_each(self, batch: Batch, seed: int) -> tuple[Tensor, Tensor]:
        """Return inputs and targets with a generator for every image, from (seed, id).

        The noise on an image then does not depend on the batch it is in: for validation and evaluation.
        """
        if self.degradation is None:
            return self._plain(batch)
        return degrade_each(self.degradation, batch, seed), batch.images

    def _plain(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return paired(batch) if JOBS[self.job].restores else (batch.images, batch.images)


def degrade_each(degradation: Degradation | Composition, batch: Batch, seed: int) -> Tensor:
    """Degrade the images of a batch one by one, each with the generator of (seed, its id)."""
    parts = [
        degradation(batch.images[row : row + 1], generator(seed, "evaluation noise", 0, index))
        for row, index in enumerate(batch.ids.tolist())
    ]
    return torch.cat(parts)


def paired(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the batch's own images and targets; CuelloError where it has no targets."""
    if batch.targets is None:
        raise CuelloError(
            "this model was trained on pairs of images and needs pairs: give the clean ones with --target."
        )
    return batch.images, batch.targets


@dataclass(frozen=True)
class JobSpec:
    """A job's name and one line about it.

    restores: another image goes in than should come out. model: the network it is given where none is named.
    """

    name: str
    summary: str
    restores: bool
    model: str


JOBS: Registry[JobSpec] = Registry(
    "job",
    [
        JobSpec("denoise", "noisy image to clean image", True, "impulse-s"),
        JobSpec("reconstruct", "image to itself, through a code of few numbers", False, "mlp-32-8-2"),
        JobSpec("generate", "new images from codes drawn at random", False, "vae-200-2"),
    ],
)


def task_of(config: TrainConfig) -> Task:
    """Return the task of a configuration; CuelloError where noise is missing, or given for data in pairs."""
    job = JOBS[config.job].name
    if not JOBS[job].restores:
        for flag, value in (("--noise", config.noise), ("--target", config.target)):
            if value is not None:
                raise CuelloError(
                    f"got {flag} {value} for {job}, where the image itself goes in and should come out. Leave it out, "
                    f"or use: cuello train denoise"
                )
        return Task(job, None)
    if config.target is not None:
        if config.noise is not None:
            raise CuelloError(
                f"got --noise {config.noise} and --target {config.target}: pairs bring their own noise. Leave one out."
            )
        return Task(job, None)
    if config.noise is None:
        raise CuelloError("no noise was given: add e.g. --noise salt-pepper:0.2 (see `cuello noises`).")
    return Task(job, parse(config.noise))
