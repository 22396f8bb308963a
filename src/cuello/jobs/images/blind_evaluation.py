"""What can be said of a denoiser without a clean image: its error as estimated, and what it took away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from cuello.core.progress import OnProgress, Progress
from cuello.core.spread import spread_evenly
from cuello.core.types import Batch
from cuello.inference.model import Model
from cuello.jobs.base import JobEvaluation, OwnData, Request
from cuello.jobs.images.evaluated import EvaluatedImages, named_images, own_images
from cuello.jobs.images.evaluation import OURS
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.scoring.blind import COPY, BlindScore, blind_score, copy_errors, judge
from cuello.scoring.classical import tuned, verdict
from cuello.scoring.residual import beside

NO_SCORE = "There are no clean images: no PSNR was measured."
INPUT = "noisy image"
CLASSICAL = ("gaussian", "median-3", "tv")
"""Quick classical methods, that are tuned and judged by the same score."""
SCORED = 16
"""Images on which the error is estimated, at most; they are spread over all."""
MOST = 256
"""Of larger ones, the middle of so many pixels a side."""


@dataclass(frozen=True)
class BlindEvaluation:
    """What a network makes of noisy images, as far as that can be known.

    label: the network's. method: how it learned. scores: the estimated errors of the network, of the noisy image as it
    is, and of classical methods; empty where nothing is known of the noise and there is no second copy. removed:
    standard deviation of what it took away, of each image, white being 1. expected: that of the noise it was trained
    for; None where that is not known. neighbours: correlation of what was taken away with the pixels to the right and
    below, the mean of both. brighter: mean of the result minus mean of the image.
    """

    label: str
    method: str
    images: EvaluatedImages
    scores: Sequence[BlindScore]
    removed: np.ndarray
    expected: np.ndarray | None
    neighbours: np.ndarray
    brighter: np.ndarray

    @property
    def others(self) -> list[BlindScore]:
        return [score for score in self.scores if score.name != self.label]

    @property
    def ours(self) -> BlindScore | None:
        return next((score for score in self.scores if score.name == self.label), None)

    @property
    def verdict(self) -> str:
        ours = self.ours
        if ours is None:
            return f"Took away a standard deviation of {255 * self.removed.mean():.2f} out of 255. {NO_SCORE}"
        return (
            f"Estimated PSNR {ours.psnr:.2f} ± {ours.error:.2f} dB. {verdict(ours, self.others)} {NO_SCORE} It was "
            f"{ours.bias}."
        )


Noisy = tuple[np.ndarray, np.ndarray | None]
"""A noisy image, and another noisy copy of it, ``(H, W, C)``."""


def evaluate_blind(model: Model, own: OwnData | None, request: Request) -> JobEvaluation:
    """Estimate the error on named noisy images, or on those of its own that it was validated on."""
    request.refuse_given("there are no clean images to measure with")
    if request.images is None:
        images, notes = own_images(request.own_data(own() if own is not None else None).prepared)
    else:
        images, notes = named_images(model, request)
    chosen = set(spread_evenly(images.count, SCORED).tolist())
    noisy = [one for batch in images.batches() for one in taken_of(batch, chosen)]
    label = model.artefact.architecture.name
    scores = scores_of(model, label, noisy, progress=request.progress)
    rows = [row_of(model, image) for image, _ in noisy]
    removed, expected, neighbours, brighter = np.array(rows, np.float64).T
    found = BlindEvaluation(
        label, model.artefact.method, images, scores=scores, removed=removed,
        expected=expected if model.artefact.noise_models else None, neighbours=neighbours, brighter=brighter,
    )  # fmt: skip
    return JobEvaluation(found, notes)


def taken_of(batch: Batch, chosen: set[int]) -> list[Noisy]:
    """Take the chosen images of a batch, or their middles, and their other copies where there are any."""
    found = []
    for place, row in enumerate(batch.ids.tolist()):
        if row in chosen:
            other = None if batch.targets is None else middle_of(batch.targets[place])
            found.append((middle_of(batch.images[place]), other))
    return found


def middle_of(image: Tensor) -> np.ndarray:
    """Return the middle of ``(C, H, W)`` as ``(h, w, C)``, at most MOST pixels a side."""
    top, left = (max(0, (side - MOST) // 2) for side in image.shape[1:])
    return image[:, top : top + MOST, left : left + MOST].permute(1, 2, 0).numpy()


def scores_of(model: Model, label: str, noisy: Sequence[Noisy], progress: OnProgress) -> list[BlindScore]:
    """Estimate the errors of the network, of doing nothing, and, of grey images, of classical methods."""

    def network(image: np.ndarray) -> np.ndarray:
        given = image[..., None] if image.ndim == 2 else image
        return model.restore_shares(given.astype(np.float32)).reshape(image.shape).astype(np.float64)

    def nothing(image: np.ndarray) -> np.ndarray:
        return image

    methods = {label: network, INPUT: nothing}
    copies = [(image, other) for image, other in noisy if other is not None]
    if copies:
        progress(Progress("evaluating", 1, 1))
        return [
            blind_score(name, [copy_errors(method(one), one, other) for one, other in copies], 1.0, bias=COPY)
            for name, method in methods.items()
        ]
    models = list(model.artefact.noise_models)
    if not models:
        return []
    correlation = np.array(model.artefact.noise_correlation) if model.artefact.noise_correlation else None
    grey = model.channels == 1
    images = [np.asarray(image[..., 0] if grey else image, np.float64) for image, _ in noisy]
    scores = list(judge(images, methods, models, peak=1.0, correlation=correlation))
    progress(Progress("evaluating", 1, 2 if grey else 1))
    if grey and min(min(image.shape[:2]) for image in images) >= 8:
        scores += [
            one.score
            for one in tuned(
                lambda tried: judge(images, tried, models, peak=1.0, correlation=correlation), models[0], CLASSICAL
            )
        ]
        progress(Progress("evaluating", 2, 2))
    return sorted(scores, key=lambda score: score.mse)


def row_of(model: Model, image: np.ndarray) -> tuple[float, float, float, float]:
    """Return what is measured of one image ``(H, W, C)`` and its restoration."""
    result = model.restore_shares(image.astype(np.float32))
    taken = image - result
    known = [one.variance(result[..., place]).mean() for place, one in enumerate(model.artefact.noise_models)]
    expected = float(np.sqrt(np.mean(known))) if known else np.nan
    return float(taken.std()), expected, next_to(taken), float(-taken.mean())


def next_to(taken: np.ndarray) -> float:
    """Correlate ``(H, W, C)`` with itself one pixel to the right and one below; return the mean of both."""
    taken = taken - taken.mean((0, 1), keepdims=True)
    power = max(float((taken**2).mean()), 1e-12)
    pairs = [beside(taken, down, right) for down, right in ((0, 1), (1, 0))]
    return sum(float((one * other).mean()) for one, other in pairs if one.size) / (2 * power)


def result_of(found: BlindEvaluation) -> Result:
    """Return the evaluation in every form; CSV: one row a method."""
    expected = None if found.expected is None else float(found.expected.mean())
    estimated = [
        {"method": score.name, "mse": score.mse, "psnr": score.psnr, "psnr_error": score.error}
        for score in found.scores
    ]
    values: Mapping[str, Any] = {
        "verdict": found.verdict,
        "noise": None,
        "learned_by": found.method,
        "methods": {OURS: {"label": found.label, "psnr": None}},
        "estimated": estimated,
        "bias": found.ours.bias if found.ours is not None else None,
        "removed": float(found.removed.mean()),
        "expected": expected,
        "correlation_with_next_pixel": float(found.neighbours.mean()),
        "brighter": float(found.brighter.mean()),
        "protocol": {"images": len(found.removed), "metrics": {}, "range": "white is 1"},
    }
    rows: list[list[Any]] = [["method", "estimated psnr", "95% within ±", "estimated mse"]]
    rows += [[score.name, f"{score.psnr:.6g}", f"{score.error:.3g}", f"{score.mse:.6g}"] for score in found.scores]
    return Result(found.verdict, values, rows, shown=[*tables_of(found), found.verdict])


def tables_of(found: BlindEvaluation) -> list[Table]:
    """Compare the methods by the estimate, and say what was taken away, beside what noise would be."""
    tables = []
    if found.scores:
        scored = [[score.name, f"{score.psnr:.2f}", f"{score.error:.2f}"] for score in found.scores]
        ours = frozenset(place for place, score in enumerate(found.scores) if score.name == found.label)
        note = f"Over {len(found.removed)} images, white being 1. The score was {found.scores[0].bias}."
        tables.append(Table(["method", "estimated PSNR, dB>", "95% within ±, dB>"], scored, note, ours=ours))
    expected = "not known" if found.expected is None else f"{255 * found.expected.mean():.2f}"
    rows = [
        ["standard deviation, out of 255", f"{255 * found.removed.mean():.2f}", expected],
        ["correlation with the next pixel", f"{found.neighbours.mean():+.3f}", "0 where it is each pixel's own"],
        ["mean of the result minus that of the image, out of 255", f"{255 * found.brighter.mean():+.3f}", "0"],
    ]
    return [*tables, Table(["what was taken away", "here>", "noise>"], rows)]
