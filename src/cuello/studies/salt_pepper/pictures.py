"""The pictures: loss by size, by epoch and by noise level, and what restored crops look like."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cuello.core.types import Batch
from cuello.inference.model import Model
from cuello.jobs.catalog import task_of
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.jobs.images.matrix import Matrix
from cuello.jobs.images.matrix_figures import heat_map
from cuello.report.grids import Series, image_grid, lines, points
from cuello.report.page import Picture
from cuello.scoring.baselines import BASELINES, run_baseline
from cuello.scoring.metrics import psnr
from cuello.studies.base import Outcome
from cuello.studies.salt_pepper.plans import OURS, OURS_EVERY, at_level, plans
from cuello.studies.salt_pepper.source import BATCH, CHOSEN, SOURCE_EPOCHS, SOURCE_LEVELS, SOURCE_ROWS
from cuello.studies.salt_pepper.tables import loss_of, parameters
from cuello.work.train import resolve


def by_size(outcome: Outcome) -> Picture:
    """Draw loss against parameters, the source's and ours."""
    rows = [row for row in SOURCE_ROWS if row.epoch == 10]
    found = {row.plan: spread.mean for row in rows if (spread := outcome.at(row.plan, row.epoch, loss_of)) is not None}
    kept = [row for row in rows if row.plan in found]
    best_of = {row.network: row.plan for row in sorted(kept, key=lambda row: -found[row.plan])}  # named once each
    own = [(CHOSEN, at_level(0.2)), (OURS, OURS)]
    best = [outcome.best(plan, loss_of) for _, plan in own]
    series = [
        Series("source, epoch 10 (other data)", [row.parameters for row in rows], [row.loss for row in rows], "source"),
        Series(
            "the same networks here, epoch 10", [parameters(row.network) for row in kept],
            [found[row.plan] for row in kept], "other",
            [row.network.removeprefix("conv-") if row.plan in best_of.values() else "" for row in kept],
        ),
        Series(
            "our recipe, our network", [parameters(network) for network, _ in own],
            [spread.mean for spread in best if spread is not None], "ours", [CHOSEN, OURS],
        ),
    ]  # fmt: skip
    return outcome.picture(
        "size", lambda theme: points(series, "Loss by size", "parameters", "validation loss", theme),
        "Validation loss of every network against its parameters",
    )  # fmt: skip


def epochs_picture(outcome: Outcome) -> Picture:
    """Draw losses by epoch."""
    chosen, ours = (outcome.runs[plan][0].history for plan in (f"{CHOSEN}-batch-{BATCH}", OURS))

    def of(history: Sequence[Any], label: str, name: str, role: str) -> Series:
        return Series(label, [r.epoch for r in history], [getattr(r, name) for r in history], role)

    series = [
        Series("source, validation", list(SOURCE_EPOCHS), [loss for _, loss in SOURCE_EPOCHS.values()], "source"),
        of(chosen, f"{CHOSEN}, training", "loss", "other"),
        of(chosen, f"{CHOSEN}, validation", "validation_loss", "other"),
        of(ours, f"{OURS}, validation", "validation_loss", "ours"),
    ]
    return outcome.picture(
        "epochs", lambda theme: lines(series, "Loss by epoch", "epoch", "loss", theme, whole=True),
        "Loss by epoch of the chosen network, the source's and ours",
    )  # fmt: skip


def levels_picture(outcome: Outcome, matrix: Matrix) -> Picture:
    """Draw MSE against the level."""
    across = [100 * level for level in SOURCE_LEVELS]

    def of(name: str, label: str, role: str = "other") -> Series:
        return Series(label, across, [matrix.row(name).mse[level] for level in SOURCE_LEVELS], role)

    redone = [matrix.row(at_level(level)).mse[level] for level in SOURCE_LEVELS]
    series = [
        Series("source (other data)", across, list(SOURCE_LEVELS.values()), "source"),
        Series(f"{CHOSEN}, trained at each level", across, redone),
        of(f"{CHOSEN}, 91 epochs", f"{CHOSEN}, trained at 20%"),
        of("median-3", "median 3×3"),
        of("median-5", "median 5×5"),
        of("adaptive-median", "adaptive median"),
        of(OURS_EVERY, f"{OURS}, one set of weights", "ours"),
    ]
    return outcome.picture(
        "levels",
        lambda theme: lines(series, "Error by noise level", "pixels hit, %", "mean squared error", theme),
        "Mean squared error of every method against the share of pixels that are hit",
    )  # fmt: skip


def matrix_picture(outcome: Outcome, matrix: Matrix) -> Picture:
    """Draw trained level against tested level."""
    return outcome.picture(
        "matrix", lambda theme: heat_map(matrix, theme), "PSNR by trained and tested level",
        f"Mean PSNR in dB on {matrix.protocol['images']:,} crops of {matrix.protocol['photographs']} photographs.",
    )  # fmt: skip


def grids(outcome: Outcome, subjects: EvaluatedImages, models: Mapping[str, Model]) -> list[Picture]:
    """Draw originals, noisy and restored crops at each level, for two crops from different photographs."""
    return [
        outcome.picture(
            f"restored-{number}", lambda theme, row=row: level_grid(outcome, subjects, models, row, theme),
            "One crop at every noise level: original, noisy, restored", subjects.names[row],
        )
        for number, row in enumerate(lively(subjects), 1)
    ]  # fmt: skip


def lively(subjects: EvaluatedImages, count: int = 2) -> list[int]:
    """Return crops with much to see, from different photographs: those whose values spread most, but for the extremes.

    The crops are ranked by the standard deviation of their values, and taken from the top tenth downwards.
    """
    deviations = torch.cat([batch.images.flatten(1).std(1) for batch in subjects.batches()])
    order = deviations.argsort(descending=True).tolist()[subjects.count // 10 :]
    chosen: list[int] = []
    for row in order:
        if subjects.names[row] not in [subjects.names[other] for other in chosen]:
            chosen.append(row)
        if len(chosen) == count:
            break
    return chosen


def level_grid(outcome: Outcome, subjects: EvaluatedImages, models: Mapping[str, Model], row: int, theme: Any) -> bytes:
    """Draw one crop in every state at every level."""
    one = next(
        Batch(batch.images[batch.ids == row], batch.ids[batch.ids == row])
        for batch in subjects.batches()
        if (batch.ids == row).any()
    )
    shown = []
    for level in SOURCE_LEVELS:
        config = resolve({**dict(plans(outcome.data)[0].settings), "noise": f"salt-pepper:{level:g}"})
        noisy, clean, *_ = task_of(config).pair_each(one, config.split_seed)
        restored = {
            "original": clean,
            "noisy": noisy,
            "adaptive median": torch.from_numpy(run_baseline(BASELINES["adaptive-median"], noisy.numpy(), 9)),
            f"{CHOSEN}, at that level": models[at_level(level)].restore_batch(noisy),
            f"{OURS}, one for all": models[OURS_EVERY].restore_batch(noisy),
        }
        captions = {name: f"{float(psnr(image.clamp(0, 1), clean)):.1f} dB" for name, image in restored.items()}
        captions["original"] = ""
        shown.append(
            (f"{level:.0%}", [(image[0].permute(1, 2, 0).numpy(), captions[name]) for name, image in restored.items()])
        )
    return image_grid(shown, list(restored), theme)
