"""What restored crops look like."""

from collections.abc import Mapping

import torch

from cuello.core.types import Batch
from cuello.inference.model import Model
from cuello.jobs.catalog import task_of
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.report.figures import Theme
from cuello.report.grids import image_grid
from cuello.report.page import Picture
from cuello.scoring.baselines import BASELINES, run_baseline
from cuello.scoring.metrics import psnr
from cuello.studies.base import StudyOutcome
from cuello.studies.salt_pepper.plans import OURS, OURS_EVERY, at_level, plans
from cuello.studies.salt_pepper.source import CHOSEN, SOURCE_LEVELS
from cuello.work.train import resolve


def restored(outcome: StudyOutcome, subjects: EvaluatedImages, models: Mapping[str, Model]) -> list[Picture]:
    """Draw two crops from different photographs at each level: original, noisy, restored."""
    settings = plans(outcome.data)[0].settings

    def draw(row: int, theme: Theme) -> bytes:
        places = ((batch, batch.ids == row) for batch in subjects.batches())
        crop = next(Batch(batch.images[here], batch.ids[here]) for batch, here in places if here.any())
        rows, names = [], []
        for level in SOURCE_LEVELS:
            config = resolve({**settings, "noise": f"salt-pepper:{level:g}"})
            noisy, clean, *_ = task_of(config).pair_each(crop, config.split_seed)
            images = {
                "original": clean,
                "noisy": noisy,
                "adaptive median": torch.from_numpy(run_baseline(BASELINES["adaptive-median"], noisy.numpy(), 9)),
                f"{CHOSEN}, at that level": models[at_level(level)].restore_batch(noisy),
                f"{OURS}, one for all": models[OURS_EVERY].restore_batch(noisy),
            }
            names = list(images)
            captions = ["", *(f"{float(psnr(images[name].clamp(0, 1), clean)):.1f} dB" for name in names[1:])]
            arrays = [image[0].permute(1, 2, 0).numpy() for image in images.values()]
            rows.append((f"{level:.0%}", list(zip(arrays, captions, strict=True))))
        return image_grid(rows, names, theme)

    alt = "One crop at every noise level: original, noisy, restored"
    return [
        outcome.picture(
            f"restored-{number}", lambda theme, row=row: draw(row, theme), alt=alt, note=subjects.names[row]
        )
        for number, row in enumerate(lively(subjects), 1)
    ]


def lively(subjects: EvaluatedImages, count: int = 2) -> list[int]:
    """Choose crops with much to see, from different photographs: those whose values spread most, but for the extremes.

    The crops are ranked by the standard deviation of their values, and taken from the top tenth downwards.
    """
    deviations = torch.cat([batch.images.flatten(1).std(1) for batch in subjects.batches()])
    ranked = deviations.argsort(descending=True).tolist()[subjects.count // 10 :]
    firsts = {subjects.names[row]: row for row in reversed(ranked)}
    return [row for row in ranked if firsts[subjects.names[row]] == row][:count]
