"""How sure a mean is: bootstrap intervals."""

from collections.abc import Sequence

import numpy as np

from cuello.core.seeding import numpy_generator

BOOTSTRAP_DRAWS = 2000
FEWEST_GROUPS = 5
"""For an interval: drawing from fewer photographs would promise a certainty that is not there."""


def bootstrap_interval(values: np.ndarray, groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """Find the 2.5% and 97.5% quantiles of the mean of ``values`` when whole groups are drawn with replacement."""
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    sums, sizes = np.bincount(members, values), np.bincount(members)
    drawn = numpy_generator(seed, "bootstrap").integers(len(names), size=(BOOTSTRAP_DRAWS, len(names)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
