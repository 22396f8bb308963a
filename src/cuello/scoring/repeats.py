"""What repeats with different seeds say: how far a result spreads, and whether two networks differ."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) of ``count`` values; the deviation of a single one is NaN."""

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True)
class PairedDifference:
    """One result minus another, paired by seed: mean and 95% interval over ``count`` pairs, and the ratio of the means.

    low, high: NaN where there are fewer than two pairs. p_value: of the paired t test, two-sided; NaN likewise.
    """

    mean: float
    low: float
    high: float
    count: int
    ratio: float
    p_value: float = math.nan

    @property
    def enough(self) -> bool:
        """Whether there are enough pairs for an interval."""
        return self.count >= 2

    @property
    def told_from_zero(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def spread(values: Sequence[float]) -> Spread:
    """Compute mean and standard deviation, s² = Σ (x - mean)² / (n - 1); ValueError for no value at all.

    >>> spread([1.0, 3.0])
    Spread(mean=2.0, deviation=1.4142135623730951, count=2)
    """
    if not values:
        raise ValueError("got no value, needed at least one")
    return Spread(fmean(values), stdev(values) if len(values) > 1 else math.nan, len(values))


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> PairedDifference:
    """Compute ``a`` minus ``b`` over the seeds that both have, with Student's 95% interval of the mean.

    The interval is mean ± t · s / √n, with t the 97.5% quantile for n - 1 degrees of freedom: zero is outside it
    exactly where a two-sided paired t test at 5% rejects. It takes the differences for normally distributed.
    a, b: result by seed. Without a common seed everything is NaN and the count 0.

    >>> paired_difference({0: 3.0, 1: 5.0}, {0: 1.0, 1: 3.0}).mean
    2.0
    """
    seeds = sorted(set(a) & set(b))
    if not seeds:
        return PairedDifference(math.nan, math.nan, math.nan, count=0, ratio=math.nan)
    gains = spread([a[seed] - b[seed] for seed in seeds])
    below = fmean(b[seed] for seed in seeds)
    ratio = fmean(a[seed] for seed in seeds) / below if below else math.nan
    if gains.count < 2:
        return PairedDifference(gains.mean, math.nan, math.nan, count=gains.count, ratio=ratio)
    from scipy.stats import t

    error = gains.deviation / math.sqrt(gains.count)
    half = float(t.ppf(0.975, gains.count - 1)) * error
    far = abs(gains.mean) / error if error else math.inf if gains.mean else 0.0
    p_value = 2 * float(t.sf(far, gains.count - 1))
    low, high = gains.mean - half, gains.mean + half
    return PairedDifference(gains.mean, low, high, count=gains.count, ratio=ratio, p_value=p_value)


def in_words(difference: PairedDifference, first: str, second: str) -> str:
    """Say which of two networks' losses is lower, or that this cannot be told."""
    if not difference.enough:
        return "too few repeats"
    if not difference.told_from_zero:
        return "cannot be told apart"
    return f"{first if difference.mean < 0 else second} is better"
