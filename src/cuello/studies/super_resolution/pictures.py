"""The pictures: losses by epoch, what the last activation can reach, and what restored images look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cuello.inference.model import Model
from cuello.jobs.catalog import task_of
from cuello.jobs.data import prepare
from cuello.jobs.images.enlargements import detail_of
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.jobs.images.evaluation import Draw, restore
from cuello.jobs.images.examples import Example
from cuello.report.figures import Theme, as_png, drawing
from cuello.report.grids import Series, image_grid, lines
from cuello.report.page import Picture
from cuello.scoring.metrics import psnr
from cuello.studies.base import Outcome
from cuello.studies.super_resolution.measures import BINS, GREY, INPUT, Tested, reachable, test_images
from cuello.studies.super_resolution.plans import EVERY, OURS, UPSCALER, plan_name
from cuello.studies.super_resolution.source import IN_ITS_UNITS, NETWORKS, SOURCE_ROWS

COLUMNS = 5
SHOWN = 2


def curves(outcome: Outcome, factor: int, tested: Tested) -> Picture:
    """Draw validation losses by epoch in the source's units, first seed."""
    series = []
    for name in EVERY:
        history = outcome.runs[plan_name(name, factor)][0].history
        values = [IN_ITS_UNITS * record.validation_mse for record in history]
        series.append(
            Series(name, [record.epoch for record in history], values, role="ours" if name == OURS else "other")
        )
    epochs = max(len(one.x) for one in series)
    for name, label, role in ((GREY, "mid grey everywhere", "other"), (INPUT, "bicubic", "source")):
        level = IN_ITS_UNITS * tested.losses[name][1]
        series.append(Series(label, [1, epochs], [level, level], role=role))
    title = f"×{factor}: validation error by epoch, values in [-1, 1]"
    return outcome.picture(
        f"curves-x{factor}", lambda theme: lines(series, theme, title=title, up="mean squared error"),
        f"{title}, on a log axis",
    )  # fmt: skip


def reach_picture(outcome: Outcome, factor: int, tested: Tested) -> Picture:
    """Draw the distribution of the targets' values and of the networks', with what each activation can reach."""
    note = (
        "Grey: the share of the targets' values in each of 64 steps from black to white; coloured: of the network's. "
        "Shaded: what tanh after the activation can never give."
    )
    return outcome.picture(
        f"reach-x{factor}", partial(reach_grid, tested),
        "Distribution of target values and of the networks' outputs, and what they cannot reach", note,
    )  # fmt: skip


def reach_grid(tested: Tested, theme: Theme) -> bytes:
    """Draw one panel a strided network."""
    edges = np.linspace(0, 1, BINS + 1)
    with drawing(theme, 8.4, 4.2, nrows=2, ncols=3, sharex=True) as (figure, axes):
        for panel, row in zip(axes.flat, SOURCE_ROWS, strict=True):
            low, high = reachable(row.activation)
            for start, end in ((0.0, low), (high, 1.0)):
                if end > start:
                    panel.axvspan(start, end, color=theme.others[6], alpha=0.16, linewidth=0)
            found = tested.gates[row.network].shares
            panel.stairs(tested.targets, edges, fill=True, color=theme.others[0], alpha=0.7)
            panel.stairs(found, edges, color=theme.ours, linewidth=1.4)
            top = 3.2 * float(tested.targets.max())
            panel.set(title=row.network, xlim=(0, 1), ylim=(0, top), yticks=())
            panel.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
            highest = int(found.argmax())
            if found[highest] > top:
                across, side = (0.03, "left") if edges[highest] > 0.4 else (0.97, "right")
                words = f"{found[highest]:.0%} in one step"
                panel.text(
                    across, 0.95, words, ha=side, va="top", fontsize=7, color=theme.text, transform=panel.transAxes
                )
        for panel in axes[-1]:
            panel.set_xlabel("value: 0 black, 1 white")
        return as_png(figure)


@dataclass(frozen=True)
class Shown:
    """A test image by every method: ``(H, W, 3)`` in [0, 1] by label, its PSNR, and the part that is enlarged."""

    name: str
    images: Mapping[str, np.ndarray]
    psnr: Mapping[str, float]
    detail: tuple[int, int, int]


def shown_rows(subjects: EvaluatedImages, errors: Tensor, count: int = SHOWN) -> list[int]:
    """Return the rows of images from different photographs: where bicubic is furthest off, and about the median.

    errors: of bicubic, ``(N,)``. That favours no network.
    """
    order = errors.argsort(descending=True).tolist()
    chosen: list[int] = []
    for start in (0, len(order) // 2):
        fresh = [row for row in order[start:] if subjects.names[row] not in [subjects.names[one] for one in chosen]]
        chosen += fresh[:1]
    return chosen[:count]


def restored_pictures(outcome: Outcome, factor: int, models: Mapping[str, Sequence[Model]]) -> list[Picture]:
    """Draw some test images by every network: whole, and the part that bicubic finds hardest, enlarged."""
    runs = {name: outcome.runs[plan_name(name, factor)][0] for name in (OURS, UPSCALER)}
    seed = runs[OURS].config.split_seed
    subjects = test_images(prepare(runs[OURS].config))
    made = {name: list(Draw(task_of(run.config), subjects, seed).pairs()) for name, run in runs.items()}
    inputs, targets = torch.cat([pair.x for pair in made[OURS]]), torch.cat([pair.target for pair in made[OURS]])
    small = torch.cat([pair.x for pair in made[UPSCALER]])
    rows = shown_rows(subjects, (inputs - targets).square().flatten(1).mean(1))
    pictures = []
    for number, row in enumerate(rows, 1):
        one = slice(row, row + 1)
        states = {INPUT: inputs[one]}
        for name in (*NETWORKS, OURS, UPSCALER):
            states[name] = restore(models[plan_name(name, factor)][0], (small if name == UPSCALER else inputs)[one])
        found = shown(subjects.names[row], states, targets[one])
        pictures.append(
            outcome.picture(
                f"restored-x{factor}-{number}", partial(detail_grid, found),
                f"A test image, ×{factor}, by every method, whole and enlarged in part",
                f"×{factor}: {found.name}. Marked in the target and enlarged below: where bicubic is furthest off. "
                "PSNR of the whole crop.",
            )
        )  # fmt: skip
    return pictures


def shown(name: str, states: Mapping[str, Tensor], target: Tensor) -> Shown:
    """Gather an image ``(1, 3, H, W)`` in every state."""
    arrays = {label: image[0].permute(1, 2, 0).clamp(0, 1).numpy() for label, image in states.items()}
    scores = {label: float(psnr(image.clamp(0, 1), target)) for label, image in states.items()}
    clean = target[0].permute(1, 2, 0).numpy()
    detail = detail_of(Example("", name, clean, {"bicubic": arrays[INPUT]}, {}))
    return Shown(name, arrays | {"target": clean}, scores, detail)


def detail_grid(found: Shown, theme: Theme) -> bytes:
    """Draw rows of whole images with their enlarged parts below."""
    top, left, side = found.detail
    names = list(found.images)
    rows = []
    for start in range(0, len(names), COLUMNS):
        part = names[start : start + COLUMNS]
        whole = [(marked(found) if name == "target" else found.images[name], "") for name in part]
        captions = [f"{name}, {found.psnr[name]:.1f} dB" if name in found.psnr else name for name in part]
        details = [found.images[name][top : top + side, left : left + side] for name in part]
        rows += [("whole", whole), ("part", list(zip(details, captions, strict=True)))]
    return image_grid(rows, [""] * COLUMNS, theme)


def marked(found: Shown) -> np.ndarray:
    """Return the target with a white frame, black outside, around the part that is enlarged."""
    top, left, side = found.detail
    image = found.images["target"].copy()
    height, width = image.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    outside = np.maximum(
        np.maximum(top - rows, rows - (top + side - 1)), np.maximum(left - columns, columns - (left + side - 1))
    )  # pixels outside the part; negative: inside
    line = max(1, min(height, width) // 128)
    image[(outside > -line) & (outside <= 0)] = 1
    image[(outside > 0) & (outside <= line)] = 0
    return image
