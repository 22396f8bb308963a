"""How near estimated maps come to exact ones: which images are checked, and what is said of them."""

import math

import numpy as np
import pytest

from cuello.core.errors import CuelloError
from cuello.jobs.explain.check import Check, drawn_by_chance, milliseconds, said, sentences, warning
from cuello.saliency.fidelity import measured


def test_images_are_drawn_at_random_and_at_least_one() -> None:
    first, second = drawn_by_chance(100, 0.1, 0), drawn_by_chance(100, 0.1, 1)
    assert first == drawn_by_chance(100, 0.1, 0) != second
    assert len(set(first)) == len(first) == 10
    assert drawn_by_chance(40, 0.001, 0)[0] in range(40)
    assert drawn_by_chance(7, 1, 0) == list(range(7))
    for share in (0, -0.1, 1.5, math.nan):
        with pytest.raises(CuelloError, match="needed a share of the images, more than 0 and at most 1"):
            drawn_by_chance(5, share, 0)


def made_check(pearson: list[float]) -> Check:
    values = np.array(pearson)
    names = [f"{letter}.png" for letter in "abcdefgh"[: len(values)]]
    maps = [np.zeros((2, 2))] * len(values)
    numbers = measured(values)
    return Check(
        names=names, places=list(range(len(values))), mse=measured(1 - np.nan_to_num(values)), pearson=numbers,
        spearman=numbers, exact=maps, estimated=maps, seconds_exact=0.2, seed=0, of=100,
    )  # fmt: skip


def test_the_worst_image_is_named_and_a_low_correlation_warned_of() -> None:
    check = made_check([0.9, math.nan, 0.5, 0.7])
    assert check.order() == [2, 3, 0, 1]
    assert check.order("mse") == [1, 2, 3, 0]
    assert check.constant == 1
    assert said(check, "pearson") == "0.7, worst 0.5, image c.png; 1 without one, as a map is flat"
    assert sentences(check, 0.002) == [
        "checked exactly: 4 of 100 images (seed 0)",
        "MSE after normalisation: 0.475, worst 1, image b.png",
        "Pearson correlation: 0.7, worst 0.5, image c.png; 1 without one, as a map is flat",
        "Spearman correlation: 0.7, worst 0.5, image c.png; 1 without one, as a map is flat",
        "a map takes 200 ms if exact, 2 ms if estimated",
    ]
    assert "0.8 or more is wanted, but it is 0.7" in str(warning(check))
    assert warning(made_check([0.8, 0.85])) is None
    assert "no correlation could be measured" in str(warning(made_check([math.nan])))
    assert "(95% interval " in said(made_check([0.8, 0.9, 0.85, 0.7, 0.95]), "pearson")


def test_times_in_words() -> None:
    assert [milliseconds(one) for one in (0.0000312, 0.0123, 12.0)] == ["0.0312 ms", "12.3 ms", "12,000 ms"]
