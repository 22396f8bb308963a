"""The choice between two ways of taking noise off, by what images tell without a clean one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cuello.denoising import kinds
from cuello.denoising.denoise import shipped
from cuello.noise_models.survey import survey
from cuello.scoring.blind import BlindScore


def made(errors: dict[str, float]) -> Callable[..., tuple[BlindScore, ...]]:
    """Give a way of scoring that knows its scores beforehand, the best first."""

    def scores(*_: Any, **__: Any) -> tuple[BlindScore, ...]:
        several = [BlindScore(name, mse=mse, mse_error=0, psnr=0, error=0, bias="") for name, mse in errors.items()]
        return tuple(sorted(several, key=lambda one: one.mse))

    return scores


@pytest.mark.parametrize("captures", [True, False])
@pytest.mark.parametrize("learned_is_better", [True, False])
def test_captures_choose_by_each_other_and_other_images_by_themselves(
    captures: bool, learned_is_better: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[:64, :64] / 64
    random = np.random.default_rng(0)
    scenes = [300 * x, 300 * x if captures else 300 * y]
    planes = [scene + random.normal(0, 10, scene.shape) for scene in scenes]
    right = {"before": 2.0, "after": 1.0 if learned_is_better else 3.0}
    wrong = {"before": 2.0, "after": 3.0 if learned_is_better else 1.0}
    monkeypatch.setattr(kinds, "judge_by_captures", made(right if captures else wrong))
    monkeypatch.setattr(kinds, "judge", made(wrong if captures else right))
    plain = kinds.plain_kind(survey(planes), "normal", planes)
    other = replace(plain, learned=True)
    assert kinds.better(plain, other, shipped()).learned == learned_is_better
