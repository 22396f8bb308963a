"""What restored images look like: whole, and the part that bicubic finds hardest, enlarged."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cuello.inference.model import Model
from cuello.jobs.images.enlargements import detail_of
from cuello.jobs.images.evaluation import restore
from cuello.jobs.images.examples import Example
from cuello.report.figures import Theme
from cuello.report.grids import image_grid
from cuello.report.page import Picture
from cuello.scoring.metrics import mse, psnr
from cuello.studies.base import StudyOutcome
from cuello.studies.super_resolution.measures import INPUT, BlurResult
from cuello.studies.super_resolution.plans import EVERY, OURS, UPSCALER, plan_name

COLUMNS = 5


def restored(
    outcome: StudyOutcome, factor: int, result: BlurResult, models: Mapping[str, Sequence[Model]]
) -> list[Picture]:
    """Draw a test image where bicubic is furthest off, and one about the median, by every network."""
    inputs = {name: torch.cat([pair.x for pair in pairs]) for name, pairs in result.pairs.items()}
    ranked: list[int] = mse(inputs[OURS], result.targets).argsort(descending=True).tolist()
    first, names = ranked[0], result.photographs
    others = [row for row in ranked[len(ranked) // 2 :] if names[row] != names[first]]
    drawn = []
    for number, row in enumerate([first, *others[:1]], 1):
        photograph, one = names[row], slice(row, row + 1)
        images = {INPUT: inputs[OURS][one]}
        for name in EVERY:
            own = inputs[UPSCALER if name == UPSCALER else OURS]
            images[name] = restore(models[plan_name(name, factor)][0], own[one])
        example = example_of(photograph, images, result.targets[one])
        alt = f"A test image, ×{factor}, by every method, whole and enlarged in part"
        note = (
            f"×{factor}: {photograph}. Marked in the target and enlarged below: where bicubic is furthest off. "
            "PSNR of the whole crop."
        )
        drawn.append(outcome.picture(f"restored-x{factor}-{number}", partial(detail_grid, example), alt=alt, note=note))
    return drawn


def example_of(name: str, images: Mapping[str, Tensor], target: Tensor) -> Example:
    """Gather an image ``(1, 3, H, W)`` in every state."""
    arrays = {label: image[0].permute(1, 2, 0).clamp(0, 1).numpy() for label, image in images.items()}
    scores = {label: float(psnr(image.clamp(0, 1), target)) for label, image in images.items()}
    return Example(title="", name=name, clean=target[0].permute(1, 2, 0).numpy(), restored=arrays, psnr=scores)


def detail_grid(example: Example, theme: Theme) -> bytes:
    top, left, side = detail_of(example)
    images = example.restored | {"target": example.clean}
    names = list(images)
    rows = []
    for start in range(0, len(names), COLUMNS):
        part = names[start : start + COLUMNS]
        whole = [
            (marked(example.clean, top, left, side=side) if name == "target" else images[name], "") for name in part
        ]
        captions = [f"{name}, {example.psnr[name]:.1f} dB" if name in example.psnr else name for name in part]
        details = [images[name][top : top + side, left : left + side] for name in part]
        rows += [("whole", whole), ("part", list(zip(details, captions, strict=True)))]
    return image_grid(rows, [""] * COLUMNS, theme)


def marked(image: np.ndarray, top: int, left: int, *, side: int) -> np.ndarray:
    """Draw a white frame, black outside, around a part of an image."""
    line = max(1, min(image.shape[:2]) // 128)
    framed = image.copy()
    for grown, value in ((line, 0), (0, 1)):
        framed[max(0, top - grown) : top + side + grown, max(0, left - grown) : left + side + grown] = value
    inside = slice(top + line, top + side - line), slice(left + line, left + side - line)
    framed[inside] = image[inside]
    return framed
