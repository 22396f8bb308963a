"""A job: what goes into the network, and what should come out."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from cuello.core.config import CLASSIFY, EXPLAIN, TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.registry import Registry
from cuello.core.seeding import generator
from cuello.core.types import Batch, Pair
from cuello.degrade import Composition, Degradation, parse
from cuello.degrade.sizes import Down, Resize


@dataclass(frozen=True)
class Task:
    """Makes (input, target) pairs from clean images.

    job: what the network learns to do. degradation: what makes the input from the clean image; None where the data
    come in pairs, or where the image itself goes in. pair_scale: how many times larger the targets of pairs are.
    """

    job: str
    degradation: Degradation | Composition | None
    pair_scale: int = 1

    @property
    def scale(self) -> int:
        """How many times larger each side of the target is than the input's."""
        return self.pair_scale if self.degradation is None else self.degradation.scale

    def pair(self, batch: Batch, random: Generator) -> Pair:
        """Return inputs and targets, all noise drawn from one generator: for training."""
        if self.degradation is None:
            return self._plain(batch)
        target = cut_to_multiple(batch.images, self.scale)
        x, level = self.degradation.with_level(target, random)
        return Pair(x, target, level)

    def pair_each(self, batch: Batch, seed: int) -> Pair:
        """Return inputs and targets with a generator for every image, from (seed, id).

        The noise on an image then does not depend on the batch it is in: for validation and evaluation.
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
        if self.job == CLASSIFY:
            return labelled(batch)
        if self.job == EXPLAIN:
            return mapped(batch)
        return paired(batch) if JOBS[self.job].restores else Pair(batch.images, batch.images)


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
        degradation.with_level(batch.images[row : row + 1], generator(seed, "evaluation noise", 0, index))
        for row, index in enumerate(batch.ids.tolist())
    ]
    levels = [level for _, level in parts if level is not None]
    return torch.cat([image for image, _ in parts]), torch.cat(levels) if levels else None


def paired(batch: Batch) -> Pair:
    """Return the batch's own images and targets; CuelloError where it has no targets."""
    if batch.targets is None:
        raise CuelloError(
            "this model was trained on pairs of images and needs pairs: give the clean ones with --target."
        )
    return Pair(batch.images, batch.targets)


def labelled(batch: Batch) -> Pair:
    """Return the batch's images and classes; CuelloError where it has none."""
    if batch.labels is None:
        raise CuelloError("a classifier needs images with labels: one subfolder a class, or an .npz with 'labels'.")
    return Pair(batch.images, batch.labels)


def mapped(batch: Batch) -> Pair:
    """Return the batch's images, their occlusion maps, and the classes that a network is told."""
    if batch.targets is None or batch.labels is None:
        raise ValueError("the occlusion maps of these images were not made")
    return Pair(batch.images, batch.targets, condition=batch.labels)


@dataclass(frozen=True)
class JobSpec:
    """A job's name and one line about it.

    restores: another image goes in than should come out. model, loss: those it is given where none is named.
    """

    name: str
    summary: str
    restores: bool
    model: str
    loss: str = "mse"


UPSCALE = "upscale"

JOBS: Registry[JobSpec] = Registry(
    "job",
    [
        JobSpec("denoise", "noisy image to clean image", True, "impulse-s"),
        JobSpec(UPSCALE, "small image to large image", True, "up-s"),
        JobSpec("reconstruct", "image to itself, through a code of few numbers", False, "mlp-32-8-2"),
        JobSpec("generate", "new images from codes drawn at random", False, "vae-200-2"),
        JobSpec(CLASSIFY, "image to its class", False, "classify-s", "cross-entropy"),
        JobSpec(EXPLAIN, "image to a classifier's occlusion map, in one pass", False, "explain-s", "bce"),
    ],
)


def task_of(config: TrainConfig) -> Task:
    """Return the task of a configuration; CuelloError where noise or scale is missing, or does not belong there."""
    job = JOBS[config.job].name
    if not JOBS[job].restores:
        for flag, value in (("--noise", config.noise), ("--target", config.target)):
            if value is not None:
                comes_out = {CLASSIFY: "its class", EXPLAIN: "its occlusion map"}.get(job, "it")
                raise CuelloError(
                    f"got {flag} {value} for {job}, where the image itself goes in and {comes_out} should come out. "
                    "Leave it out, or use: cuello train denoise"
                )
    check_explain(config)
    if job != UPSCALE and config.scale is not None:
        raise CuelloError(f"got --scale {config.scale} for {job}: only upscale makes images larger. Leave it out.")
    if not JOBS[job].restores:
        return Task(job, None)
    if config.target is not None:
        if config.noise is not None:
            raise CuelloError(
                f"got --noise {config.noise} and --target {config.target}: pairs bring their own noise. Leave one out."
            )
        if job == UPSCALE and config.scale is None:
            raise CuelloError("got pairs to upscale without their scale: add e.g. --scale 2.")
        return with_fitting_crop(Task(job, None, config.scale or 1), config.crop)
    if job == UPSCALE:
        return with_fitting_crop(Task(job, shrinking(config.noise, config.scale)), config.crop)
    if config.noise is None:
        raise CuelloError("no noise was given: add e.g. --noise salt-pepper:0.2 (see `cuello noises`).")
    return Task(job, same_size(config.noise, job))


def check_explain(config: TrainConfig) -> None:
    """Raise CuelloError where settings of explain are given to another job, or do not go with it."""
    if config.job != EXPLAIN:
        for name in ("classifier", "box", "stride", "fill", "told", "only"):
            if getattr(config, name) != TrainConfig.model_fields[name].default:
                raise CuelloError(f"got --{name} {getattr(config, name)} for {config.job}: only explain has it.")
        return
    if config.classifier is None:
        raise CuelloError(
            "whose occlusion maps are to be learned is not said: add --classifier RUN, of `cuello train classify`."
        )
    if config.augment:
        raise CuelloError(
            "got --augment for explain: a classifier's map of a turned image is not the turned map. Leave it out."
        )
    if config.crop is not None:
        raise CuelloError(f"got --crop {config.crop} for explain, which takes whole images. Use --resize.")
    if config.fill not in ("mean", "blur") and not is_number(config.fill):
        raise CuelloError(f"fill: got {config.fill!r}, needed a number, mean or blur.")


def is_number(text: str) -> bool:
    """Tell whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def same_size(noise: str, job: str) -> Degradation | Composition:
    """Read a spec string that leaves the images' size as it is; CuelloError where it does not."""
    degradation = parse(noise)
    if degradation.scale != 1:
        raise CuelloError(
            f"got --noise {noise} for {job}, which makes images {degradation.scale} times smaller. Use: cuello train "
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
            raise CuelloError("how much larger is not said: add e.g. --scale 2.")
        return Down(factor=scale)
    degradation = parse(noise)
    parts = degradation.parts if isinstance(degradation, Composition) else (degradation,)
    if degradation.scale == 1 and scale is not None:
        return Composition((Down(factor=scale), *parts))
    if scale is not None and scale != degradation.scale:
        raise CuelloError(
            f"got --scale {scale} and --noise {noise}, which makes images {degradation.scale} times smaller. Leave out "
            "--scale, or write the same."
        )
    if degradation.scale == 1 and not any(isinstance(part, Resize) for part in parts):
        raise CuelloError(
            f"got --noise {noise} for upscale, which does not take pixels away: add e.g. --scale 2 (or the noise "
            "resize:2, for images that were enlarged before)."
        )
    return degradation


def with_fitting_crop(task: Task, crop: int | None) -> Task:
    """Return the task; CuelloError where a crop's side (pixels) is no multiple of its scale."""
    scale = task.scale
    if crop is not None and crop % scale:
        below, above = crop // scale * scale, (crop // scale + 1) * scale
        raise CuelloError(
            f"got --crop {crop}, needed a multiple of the scale {scale}: a crop is of the large image. Use --crop "
            f"{above}{f' or {below}' if below else ''}."
        )
    return task
