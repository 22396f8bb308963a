"""Which images a report shows, and what every method makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cuello.core.types import Batch, Pair
from cuello.inference.model import Model
from cuello.jobs.images.evaluation import OURS, Evaluation, baselines_for, restore
from cuello.jobs.images.pairs import Task
from cuello.scoring.baselines import run_baseline
from cuello.scoring.metrics import psnr

MOST_PIXELS = 256
"""Larger images are shown by their middle, of this side in pixels, at full resolution."""


@dataclass(frozen=True)
class Example:
    """One image in every state: ``(H, W, C)`` in [0, 1]; psnr of each restored one in dB.

    title: why it is shown. restored: method name to image, the degraded input among them if there is one.
    """

    title: str
    name: str
    clean: np.ndarray
    restored: dict[str, np.ndarray]
    psnr: dict[str, float]


def choose_rows(evaluation: Evaluation, typical: int = 3) -> list[tuple[int, str]]:
    """Return rows to show and why: a few around the median PSNR, then the best and the worst.

    The typical ones come from different photographs where there are enough.
    """
    order = np.argsort(evaluation.ours.scores["psnr"], kind="stable")
    names = evaluation.images.names
    best, worst = int(order[-1]), int(order[0])
    chosen: list[int] = []
    for share in np.linspace(0.3, 0.7, typical):
        nearest = np.argsort(np.abs(np.arange(len(order)) - share * (len(order) - 1)), kind="stable")
        candidates = [int(order[rank]) for rank in nearest if int(order[rank]) not in (best, worst, *chosen)]
        shown = {names[row] for row in chosen}
        chosen += [row for row in candidates if names[row] not in shown][:1] or candidates[:1]
    rows = [(row, "typical") for row in chosen] + [(best, "best")]
    return rows + ([(worst, "worst")] if worst != best else [])


def best_classical(evaluation: Evaluation) -> str | None:
    """Return the name of the classical method with the highest mean PSNR, or None where none was run."""
    names = [method.name for method in evaluation.methods if method.name not in (OURS, "input")]
    return max(names, key=lambda name: evaluation.method(name).mean("psnr"), default=None)


def make_examples(
    model: Model,
    task: Task,
    evaluation: Evaluation,
    methods: Sequence[str],
    rows: Sequence[tuple[int, str]],
    seed: int,
) -> list[Example]:
    """Degrade and restore the chosen images again; the noise is the one they were scored with."""
    level, table = task.typical(), baselines_for(task)
    wanted = torch.tensor([row for row, _ in rows])
    found: dict[int, Pair] = {}
    for batch in evaluation.images.batches():
        keep = torch.isin(batch.ids, wanted)
        if keep.any():
            targets = batch.targets[keep] if batch.targets is not None else None
            made = level.pair_each(Batch(batch.images[keep], batch.ids[keep], targets), seed)
            for position, row in enumerate(batch.ids[keep].tolist()):
                one = slice(position, position + 1)
                found[row] = Pair(made.x[one], made.target[one], None if made.level is None else made.level[one])
    fitted = {reference.name: reference for reference in evaluation.references}
    examples = []
    for row, why in rows:
        noisy, clean, known, _ = found[row]
        restored = {"input": noisy} if "input" in evaluation.labels else {}
        for name in methods:
            strength = evaluation.method(name).strength
            if name == OURS:
                restored[name] = restore(model, noisy, known)
            elif name in fitted:
                restored[name] = fitted[name].run(noisy)
            elif name != "input" and strength is not None:
                restored[name] = torch.from_numpy(run_baseline(table[name], noisy.numpy(), strength))
        scores = {name: float(psnr(image.clamp(0, 1), clean)) for name, image in restored.items()}
        shown = {name: middle(image) for name, image in restored.items()}
        examples.append(Example(why, evaluation.images.names[row], clean=middle(clean), restored=shown, psnr=scores))
    return examples


def middle(image: torch.Tensor) -> np.ndarray:
    """Return the middle of ``(1, C, H, W)`` as ``(h, w, C)``, cut to [0, 1], at most MOST_PIXELS a side."""
    pixels = image[0].permute(1, 2, 0).clamp(0, 1).numpy()
    top, left = ((length - MOST_PIXELS) // 2 if length > MOST_PIXELS else 0 for length in pixels.shape[:2])
    return pixels[top : top + MOST_PIXELS, left : left + MOST_PIXELS]
