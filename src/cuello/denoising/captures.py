"""Captures of one scene among the files of a call: what was made of each is judged by the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cuello.core.errors import CuelloError
from cuello.denoising.planes import images_of, middle_of
from cuello.scoring.blind import are_captures, judge_copies, left_of

if TYPE_CHECKING:
    from cuello.denoising.denoise import Denoised

MOST = 6
"""Captures that are compared."""


@dataclass(frozen=True)
class CapturesScore:
    """How large the error is that is left, by what captures of one scene say of each other.

    count: of captures. left, left_error: error of the results, where the noise's standard deviation is 1, and twice
    its standard error. gain: by how many dB the error is smaller than the noise. apart: the results were learned from
    the captures, which judge them by the part of the scene that was kept apart.
    """

    count: int
    left: float
    left_error: float
    gain: float
    apart: bool = False

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = " in the fifth of the scene that nothing was learned from" if self.apart else ""
        return (
            f"{self.count} captures of one scene, each result judged by the other captures{where}: error now about "
            f"{self.left:.2f} ± {self.left_error:.2f} of the noise ({self.gain:.1f} dB less)"
        )


def score_of_captures(found: "Denoised") -> CapturesScore | None:
    """Judge results by each other's noisy images; None where the files show no scene that stands still several times.

    What was learned from captures is judged by what they say of the part of the scene that was kept apart.

    Captures are the files, of one image each, or the pages of a single file, up to ``MOST`` of them.
    """
    done = [(one, planes) for one, planes in zip(found.files, found.channels, strict=True) if one.output is not None]
    learned = [plane.kind.captures for _, planes in done for plane in planes if plane.kind.captures is not None]
    if learned:
        return max(learned, key=lambda score: score.left)
    if not done or any(one.output == one.input for one, _ in done):  # replaced: the noisy ones are gone
        return None
    models = [plane.kind.survey.model for plane in done[0][1]]
    try:
        noisy = read([Path(one.input) for one, _ in done[:MOST]])
        if noisy is None or noisy[0].shape[2] > len(models):
            return None
        models = models[: noisy[0].shape[2]]
        if any(model.gain == model.base == 0 for model in models) or not are_captures(noisy, models):
            return None
        results = read([Path(one.output) for one, _ in done[:MOST] if one.output is not None])
    except (CuelloError, ValueError, OSError):  # what cannot be read again is judged alone
        return None
    if results is None or [one.shape for one in results] != [one.shape for one in noisy]:
        return None
    scores = {one.name: one for one in judge_copies(noisy, {"results": results, "noise": noisy}, peak=1.0)}
    left, error, gain = left_of(scores["results"], noise=scores["noise"].mse)
    return CapturesScore(len(noisy), left=left, left_error=error, gain=gain)


def read(paths: Sequence[Path]) -> list[np.ndarray] | None:
    """Read the images of several files, or the pages of one; None where there are no two."""
    images = [list(images_of(path, lambda count: middle_of(count, MOST))) for path in paths]
    if len(images) > 1 and any(len(one) != 1 for one in images):
        return None
    several = [page.astype(np.float64) for one in images for page in one]
    return several if len(several) > 1 else None
