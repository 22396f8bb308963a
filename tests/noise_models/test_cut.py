import numpy as np
import pytest

from cuello.noise_models.cut import uncut


@pytest.mark.parametrize(("low", "high"), [(-0.5, np.inf), (-np.inf, 0.5), (-1, 1.5), (-np.inf, np.inf)])
def test_mean_and_variance_of_what_was_cut_off_at_either_end(low: float, high: float) -> None:
    values = np.random.default_rng(0).normal(0, 1, 200_000)
    kept = values.clip(low, high)
    mean, variance = uncut(kept.mean(), kept.var(), below=(kept <= low).mean(), above=(kept >= high).mean())
    np.testing.assert_allclose((10 * mean + 3, 100 * variance), (3, 100), atol=1.5)
