"""Which images a report shows, and what every method makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from cuello.core.types import Batch, Pair
from cuello.data.detail import FLAT, detail_of, most_detailed
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.jobs.images.evaluation import OURS, Evaluation, baselines_for, restore
from cuello.jobs.images.methods import order_key
from cuello.jobs.images.pairs import Task
from cuello.scoring.baselines import run_baseline
from cuello.scoring.metrics import PSNR_CEILING, psnr, wrong_pixels

MOST_PIXELS = 256
"""Of larger images a square of this side in pixels is shown, at full resolution."""


@dataclass(frozen=True)
class Example:
    """One image in every state: ``(H, W, C)`` in [0, 1]; psnr of each restored one in dB.

    title: why it is shown. restored: method name to image, the degraded input among them if there is one. wrong: pixels
    on the wrong side of one half, of binary images; empty for others.
    """

    title: str
    name: str
    clean: np.ndarray
    restored: dict[str, np.ndarray]
    psnr: dict[str, float]
    wrong: Mapping[str, int] = field(default_factory=dict)

    def caption(self, method: str) -> str:
        """Say how good a method's image is."""
        if self.wrong:
            return f"{self.wrong[method]} wrong"
        return "exact" if self.psnr[method] >= PSNR_CEILING else f"{self.psnr[method]:.1f} dB"


def choose_rows(evaluation: Evaluation, detail: np.ndarray | None = None, typical: int = 3) -> list[tuple[int, str]]:
    """Return rows to show and why: a few around the median of what decides, then the best and the worst.

    The typical ones come from different photographs where there are enough. They and the best are no flat squares, and
    the best is an image whose PSNR counts, as far as there are others. detail: of each image, where that is known.
    """
    ours, deciding = evaluation.ours, evaluation.deciding
    better = ours.scores[deciding] if deciding == "psnr" else -ours.scores[deciding]
    order = np.lexsort((-ours.scores["mse"] if "mse" in ours.scores else better, better))
    names = evaluation.images.names
    worst = int(order[0])
    if detail is not None and (seen := detail >= max(FLAT, float(np.median(detail)) / 2)).any():
        order = order[seen[order]]
    if deciding == "psnr" and ours.counted is not None and (told := ours.counted[order]).any():
        order = order[told]
    best = int(order[-1])
    chosen: list[int] = []
    for share in np.linspace(0.3, 0.7, typical):
        nearest = np.argsort(np.abs(np.arange(len(order)) - share * (len(order) - 1)), kind="stable")
        candidates = [int(order[rank]) for rank in nearest if int(order[rank]) not in (best, worst, *chosen)]
        shown = {names[row] for row in chosen}
        chosen += [row for row in candidates if names[row] not in shown][:1] or candidates[:1]
    rows = [(row, "typical") for row in chosen] + [(best, "best")]
    return rows + ([(worst, "worst")] if worst != best else [])


def best_classical(evaluation: Evaluation) -> str | None:
    """Return the name of the best classical method, or None where none was run."""
    methods = [method for method in evaluation.methods if method.name not in (OURS, "input")]
    best = min(methods, key=lambda method: order_key(method.means), default=None)
    return None if best is None else best.name


def details_of(images: EvaluatedImages) -> np.ndarray:
    """Return how much detail each image has that something should become, ``(N,)``."""
    found = [
        detail_of(image.permute(1, 2, 0).numpy())
        for batch in images.batches()
        for image in (batch.images if batch.targets is None else batch.targets)
    ]
    return np.array(found)


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
        noisy, clean, known = found[row][:3]
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
        wrong = {name: int(wrong_pixels(image, clean)) for name, image in restored.items()}
        place = most_detailed(as_array(clean), MOST_PIXELS)
        shown = {name: part(image, place) for name, image in restored.items()}
        examples.append(
            Example(
                why,
                evaluation.images.names[row],
                clean=part(clean, place),
                restored=shown,
                psnr=scores,
                wrong=wrong if evaluation.deciding == "wrong" else {},
            )
        )
    return examples


def as_array(image: torch.Tensor) -> np.ndarray:
    """Return ``(1, C, H, W)`` as ``(H, W, C)``, cut to [0, 1]."""
    return image[0].permute(1, 2, 0).clamp(0, 1).numpy()


def part(image: torch.Tensor, place: tuple[int, int]) -> np.ndarray:
    """Return the part of ``(1, C, H, W)`` at (top, left), at most MOST_PIXELS a side, as ``as_array`` does."""
    top, left = place
    return as_array(image)[top : top + MOST_PIXELS, left : left + MOST_PIXELS]


def middle(image: torch.Tensor) -> np.ndarray:
    """Return the middle of ``(1, C, H, W)`` as ``(h, w, C)``, cut to [0, 1], at most MOST_PIXELS a side."""
    pixels = as_array(image)
    top, left = ((length - MOST_PIXELS) // 2 if length > MOST_PIXELS else 0 for length in pixels.shape[:2])
    return pixels[top : top + MOST_PIXELS, left : left + MOST_PIXELS]
