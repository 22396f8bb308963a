"""The choice between two ways of taking noise off, by what images tell without a clean one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.denoising import kinds
from cuello.denoising.denoise import shipped
from cuello.denoising.restorer import ChannelDenoiser
from cuello.denoising.said import WORSE, summary, values_of
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
    best = kinds.kept("transform", plain, other, network=shipped())
    assert best.learned == learned_is_better
    assert best.worse == (() if learned_is_better else ("transform",))


def test_what_scores_lower_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cuello.denoising.learned.STEPS", 1)
    monkeypatch.setattr("cuello.denoising.adapted.STEPS", 1)
    monkeypatch.setattr(kinds, "judge", made({"before": 1.0, "after": 2.0}))
    y, x = np.mgrid[:64, :64]
    noisy = 100 + 2 * x + y + np.random.default_rng(0).normal(0, 10, (64, 64))
    np.save(tmp_path / "noisy.npy", noisy)
    found = cuello.denoise(tmp_path / "noisy.npy", tmp_path / "out.npy", effort="thorough", report=tmp_path / "page")
    assert np.array_equal(np.load(tmp_path / "out.npy"), cuello.denoise(noisy))
    (done,) = found.channels
    page = (tmp_path / "page" / "report.html").read_text("utf-8")
    for said in WORSE.values():
        assert said in summary(done)
        assert said[1:] in page
    assert values_of(done[0])["scored_lower"] == ["transform", "network", "turns"]


def test_an_image_of_its_own_noise_is_turned_only_where_that_does_better(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[:64, :64]
    noisy = 100 + 2 * x + y + np.random.default_rng(0).normal(0, 10, (64, 64))
    for better in (True, False):
        monkeypatch.setattr(kinds, "judge", made({"before": 2.0, "after": 1.0 if better else 3.0}))
        kind, own = ChannelDenoiser(shipped(), effort="normal").noise_of(noisy)
        assert own
        assert (kind.turns, kind.worse, len(kind.planes)) == (better, () if better else ("turns",), 0)
