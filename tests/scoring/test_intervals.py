"""Bootstrap intervals, worked by hand."""

import numpy as np
import pytest

from cuello.scoring.intervals import bootstrap_interval


def test_equal_groups_leave_no_doubt() -> None:
    values = np.array([1.0, 3.0] * 4)
    groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    assert bootstrap_interval(values, groups) == (2.0, 2.0)


def test_two_groups_by_hand() -> None:
    # drawn twice with replacement: 0 and 0, 0 and 1 (twice), 1 and 1; so the mean is 0, ½ or 1
    assert bootstrap_interval(np.array([0.0, 1.0]), ["a", "b"]) == (0.0, 1.0)


def test_four_groups_by_hand() -> None:
    # the mean is k / 4 with k ~ Bin(4, ¼): P(k = 0) = 0.32, P(k ≥ 3) = 0.051, P(k = 4) = 0.004
    assert bootstrap_interval(np.array([1.0, 0, 0, 0]), list("abcd")) == (0.0, 0.75)


def test_whole_groups_are_drawn_with_all_their_images() -> None:
    # as above, but the first photograph has three crops: k = 3 of 4 draws make 9 of 10 images
    low, high = bootstrap_interval(np.array([1.0, 1, 1, 0, 0, 0]), list("aaabcd"))
    assert (low, high) == (0.0, pytest.approx(0.9))


def test_crops_of_one_photograph_are_no_evidence() -> None:
    low, high = bootstrap_interval(np.arange(100.0), ["a"] * 100)
    assert np.isnan(low)
    assert np.isnan(high)


def test_the_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = np.random.default_rng(0).normal(2, 1, 50)
    names = [str(number) for number in range(50)]
    low, high = bootstrap_interval(values, names)
    assert low < values.mean() < high
    # about 1.96 standard errors to each side
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.1)
    assert bootstrap_interval(values, names) == (low, high)
