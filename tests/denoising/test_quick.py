"""Brightness is given back by surroundings whose noise is independent, however far neighbours share theirs."""

from dataclasses import replace

import numpy as np
import pytest

from cuello.denoising.brightness import keep_brightness
from cuello.denoising.quick import hole_of
from cuello.noise_models.survey import nothing
from cuello.noise_models.whiteness import REACH


@pytest.mark.parametrize(("lag", "hole"), [((0, 0), 1), ((0, 1), 3), ((-2, 1), 5), ((4, 0), 9)])
def test_the_hole_holds_all_neighbours_that_share_noise(lag: tuple[int, int], hole: int) -> None:
    correlation = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    correlation[REACH, REACH] = 1
    correlation[REACH + lag[0], REACH + lag[1]] = 1 if lag == (0, 0) else 0.2
    assert hole_of(replace(nothing("noise-free", (0, 1)), correlation=correlation)) == hole


def test_shared_noise_is_not_given_back_as_brightness() -> None:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 1.5, mode="wrap")
    noise *= 10 / noise.std()
    clean = np.full(noise.shape, 100.0)
    near, far = (keep_brightness(clean + noise, clean + 0.3 * noise, hole) - clean for hole in (3, 9))
    assert far.std() < 0.9 * near.std()
