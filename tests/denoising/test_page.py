"""The page of what was denoised: pictures show no noise as structure, words name what told the errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cuello
from cuello.denoising.captures import CapturesScore
from cuello.denoising.page import judged_by, shades, verdict_of
from cuello.denoising.restorer import PlaneResult

SPREAD = 0.3
"""Share of a picture's shades that what is left of noise on a flat field may have, from its 1st to its 99th percent."""


def result_of(folder: Path, contrast: float) -> PlaneResult:
    """Denoise waves of a contrast in noise of standard deviation 20."""
    clean = 1000 + contrast * np.sin(np.arange(192) / 15) + np.zeros((192, 1))
    np.save(folder / "noisy.npy", np.random.default_rng(0).normal(clean, 20))
    return cuello.denoise(folder / "noisy.npy", folder / "clean.npy").channels[0][0]


@pytest.mark.parametrize(("contrast", "flat"), [(0.0, True), (200.0, False)])
def test_noise_that_is_left_fills_no_picture(tmp_path: Path, contrast: float, flat: bool) -> None:
    one = result_of(tmp_path, contrast)
    assert one.after is not None
    low, span = shades(one, one.after)
    shown = (one.after - low) / span
    used = float(np.diff(np.percentile(shown, (1, 99)))[0])
    assert used < SPREAD if flat else used > 0.9
    assert abs(np.mean(np.percentile(shown, (0.5, 99.5))) - 0.5) < 1e-9


def test_the_page_names_what_told_the_errors(tmp_path: Path) -> None:
    alone = result_of(tmp_path, 200.0)
    score = CapturesScore(2, left=0.4, left_error=0.1, gain=8.0, apart=True)
    learned = replace(alone, kind=replace(alone.kind, captures=score))
    assert judged_by([("a", alone)]) == "estimated from the middle of the image itself"
    assert judged_by([("a", learned)]).startswith("measured on other captures")
    assert judged_by([("a", learned), ("b", alone)]).endswith("; else estimated from the middle of the image itself")


def test_a_gain_that_all_have_is_said_once(tmp_path: Path) -> None:
    one = result_of(tmp_path, 200.0)
    assert one.score is not None
    said = f"The error is smaller by {one.score.gain:.1f} dB, "
    assert verdict_of([("a", one), ("b", one)]).text.startswith(said)
    other = replace(one, score=replace(one.score, gain=1.0))
    assert f"by 1.0 to {one.score.gain:.1f} dB" in verdict_of([("a", one), ("b", other)]).text
