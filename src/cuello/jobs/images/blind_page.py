"""The report of a network that learned from noisy images: what it takes away, and how it was trained."""

from collections.abc import Sequence

import numpy as np
import torch

from cuello.core.spread import spread_evenly
from cuello.data.detail import most_detailed
from cuello.inference.model import Model
from cuello.jobs.images.blind_evaluation import NO_SCORE, BlindEvaluation, tables_of
from cuello.jobs.images.evaluation import restore
from cuello.jobs.images.examples import MOST_PIXELS, as_array, part
from cuello.report.figures import Theme, as_png, drawing, save_both, shorten
from cuello.report.page import Picture, Section
from cuello.report.result import Result
from cuello.report.run_sections import curves_picture, run_sections, write_run_page
from cuello.runs.directory import Run

SHOWN = 3


def write_blind_report(
    run: Run, model: Model, found: BlindEvaluation, *, result: Result, command: str, notes: Sequence[str]
) -> None:
    """Draw the figures and write figures/*.png and report.html of a run."""
    shown = examples_of(model, found)
    themes = save_both(run.figures, "examples", lambda theme: taken_grid(shown, theme))
    alt = "Images: noisy, restored, and what was taken away"
    note = "What was taken away is shown around grey, black and white being three standard deviations of the largest."
    curves = curves_picture(
        run, "loss", left="Loss by epoch", right="Validation loss", value=lambda record: record.validation_loss
    )
    about = (
        "The loss is the squared error against noisy values, in units of the noise's variance: 1 for the noise in "
        "those values, and what is above it is the error against clean ones."
    )
    sections = [
        Section("What it takes away", [NO_SCORE], [*tables_of(found), Picture(themes, alt, note)]),
        *([Section("To know", [*notes, about])]),
        *run_sections(run, model, curves, command=command),
    ]
    subtitle = f"{found.label} · {run.config.job} · {found.method} · {run.config.data}"
    write_run_page(run, result, subtitle, sections=sections)


Shown = tuple[str, np.ndarray, np.ndarray, np.ndarray]
"""An image's name; it noisy, restored, and the difference, ``(H, W, C)``."""


def examples_of(model: Model, found: BlindEvaluation) -> list[Shown]:
    """Restore a few images, spread over all, and take the part of each with most detail."""
    wanted = spread_evenly(found.images.count, SHOWN).tolist()
    shown = []
    for batch in found.images.batches():
        for row, image in zip(batch.ids.tolist(), batch.images, strict=True):
            if row in wanted:
                noisy = image[None]
                restored = restore(model, noisy)
                place = most_detailed(as_array(restored), MOST_PIXELS)
                top, left = place
                taken = (
                    (noisy - restored)[0].permute(1, 2, 0).numpy()[top : top + MOST_PIXELS, left : left + MOST_PIXELS]
                )
                shown.append(
                    (found.images.names[row], part(noisy, place), part(torch.as_tensor(restored), place), taken)
                )
    return shown


def taken_grid(shown: Sequence[Shown], theme: Theme) -> bytes:
    """Draw one row an image: noisy, restored, what was taken away. Brightness is that of the noisy image's range."""
    side = 8.4 / 3
    heights = [noisy.shape[0] / noisy.shape[1] for _, noisy, _, _ in shown]
    spread = 3 * max(float(taken.std()) for *_, taken in shown) or 1.0
    with drawing(
        theme, 8.4, sum(side * height + 0.12 for height in heights) + 0.25,
        nrows=len(shown), ncols=3, squeeze=False, gridspec_kw={"height_ratios": heights},
    ) as (figure, axes):  # fmt: skip
        for row, (name, noisy, restored, taken) in enumerate(shown):
            low, high = np.percentile(restored, [0.5, 99.5])
            room = max(high - low, 1e-6)
            panels = [np.clip((image - low) / room, 0, 1) for image in (noisy, restored)]
            panels.append(np.clip(taken / (2 * spread) + 0.5, 0, 1))
            for column, image in enumerate(panels):
                axes[row, column].imshow(
                    image.squeeze(), cmap="gray", vmin=0, vmax=1,
                    interpolation="nearest" if max(image.shape[:2]) <= 128 else "antialiased",
                )  # fmt: skip
                axes[row, column].set_axis_off()
                if row == 0:
                    title = ("noisy", "restored", "taken away")[column]
                    axes[row, column].set_title(title, fontsize=8, loc="center", color=theme.text)
            axes[row, 0].text(
                0.5, -0.03, shorten(name), transform=axes[row, 0].transAxes, ha="center", va="top", fontsize=7,
                color=theme.faint,
            )  # fmt: skip
        return as_png(figure)
