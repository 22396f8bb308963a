"""What can be said of a denoiser without a clean image: what it took away, beside what the noise should be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from cuello.inference.model import Model
from cuello.jobs.base import JobEvaluation, OwnData, Request
from cuello.jobs.images.evaluated import EvaluatedImages, named_images, own_images
from cuello.jobs.images.evaluation import OURS, restore
from cuello.report.page import Table
from cuello.report.result import Result

NO_SCORE = "There are no clean images, so that no PSNR says how good the result is."


@dataclass(frozen=True)
class BlindEvaluation:
    """What a network took away from noisy images.

    label: the network's. method: how it learned. removed: standard deviation of what it took away, of each image, white
    being 1. expected: that of the noise it was trained for, at the brightness of its results; None where that is not
    known. neighbours: correlation of what was taken away with the pixel to the right and below, the mean of both, of
    each image; 0 for noise that is each pixel's own. brighter: mean of the result minus mean of the image.
    """

    label: str
    method: str
    images: EvaluatedImages
    removed: np.ndarray
    expected: np.ndarray | None
    neighbours: np.ndarray
    brighter: np.ndarray

    @property
    def verdict(self) -> str:
        share = ""
        if self.expected is not None:
            share = f", {np.sqrt((self.removed**2).mean() / (self.expected**2).mean()):.0%} of the noise's"
        return (
            f"Took away a standard deviation of {255 * np.sqrt((self.removed**2).mean()):.2f} out of 255{share}; "
            f"correlation with the next pixel {self.neighbours.mean():+.2f}. {NO_SCORE}"
        )


def evaluate_blind(model: Model, own: OwnData | None, request: Request) -> JobEvaluation:
    """Look at what a network takes away from named noisy images, or from those of its own that it was validated on."""
    request.refuse_given("there are no clean images to measure with")
    if request.images is None:
        images, notes = own_images(request.own_data(own() if own is not None else None).prepared)
    else:
        images, notes = named_images(model, request)
    rows = [row for batch in images.batches() for row in rows_of(model, batch.images)]
    removed, expected, neighbours, brighter = np.array(rows, np.float64).T
    known = expected if model.artefact.noise_models else None
    label = model.artefact.architecture.name
    found = BlindEvaluation(
        label, model.artefact.method, images, removed=removed, expected=known, neighbours=neighbours, brighter=brighter
    )
    return JobEvaluation(found, notes)


def rows_of(model: Model, noisy: Tensor) -> Iterable[tuple[float, float, float, float]]:
    """Yield what is measured of every image of a batch."""
    restored = restore(model, noisy)
    for image, result in zip(noisy.numpy(), restored.numpy(), strict=True):
        taken = image - result
        known = [
            one.variance(channel).mean() for one, channel in zip(model.artefact.noise_models, result, strict=False)
        ]
        expected = float(np.sqrt(np.mean(known))) if known else np.nan
        yield float(taken.std()), expected, next_to(taken), float(-taken.mean())


def next_to(taken: np.ndarray) -> float:
    """Correlate ``(C, H, W)`` with itself one pixel to the right and one below; return the mean of both."""
    taken = taken - taken.mean((1, 2), keepdims=True)
    power = max(float((taken**2).mean()), 1e-12)
    across = float((taken[:, :, 1:] * taken[:, :, :-1]).mean()) if taken.shape[2] > 1 else 0.0
    down = float((taken[:, 1:] * taken[:, :-1]).mean()) if taken.shape[1] > 1 else 0.0
    return (across + down) / (2 * power)


def result_of(found: BlindEvaluation) -> Result:
    """Return the evaluation in every form; CSV: one row an image."""
    expected = None if found.expected is None else float(found.expected.mean())
    values: Mapping[str, Any] = {
        "verdict": found.verdict,
        "noise": None,
        "method": found.method,
        "methods": {OURS: {"label": found.label, "psnr": None}},
        "removed": float(found.removed.mean()),
        "expected": expected,
        "correlation_with_next_pixel": float(found.neighbours.mean()),
        "brighter": float(found.brighter.mean()),
        "protocol": {"images": found.images.count, "metrics": {}, "range": "white is 1"},
    }
    rows: list[list[Any]] = [["image", "top", "left", "removed", "expected", "neighbours", "brighter"]]
    for row, (name, place) in enumerate(zip(found.images.names, found.images.places, strict=True)):
        own = None if found.expected is None else f"{found.expected[row]:.6g}"
        numbers = [f"{part[row]:.6g}" for part in (found.removed, found.neighbours, found.brighter)]
        rows.append([name, *place, numbers[0], own, *numbers[1:]])
    return Result(found.verdict, values, rows, shown=[table_of(found), found.verdict])


def table_of(found: BlindEvaluation) -> Table:
    """Say what was taken away, beside what noise would be."""
    expected = "not known" if found.expected is None else f"{255 * found.expected.mean():.2f}"
    rows = [
        ["standard deviation, out of 255", f"{255 * found.removed.mean():.2f}", expected],
        ["correlation with the next pixel", f"{found.neighbours.mean():+.3f}", "0 where it is each pixel's own"],
        ["mean of the result minus that of the image, out of 255", f"{255 * found.brighter.mean():+.3f}", "0"],
    ]
    return Table(["what was taken away", "here>", "noise>"], rows)
