"""A stated range of values: scaled when read, never clipped, and back in the file's own units."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.data.levels import Levels, RangeChoice, UnfitError, fit, parse_levels
from cuello.data.sources import array_source


@pytest.mark.parametrize(
    ("text", "black", "white"), [("0..4095", 0, 4095), ("-1000..3000", -1000, 3000), ("1e-3..0.5", 0.001, 0.5)]
)
def test_ranges(text: str, black: float, white: float) -> None:
    assert parse_levels(text) == Levels(black, white)
    assert parse_levels(None) is None


@pytest.mark.parametrize("text", ["", "5", "..", "3..", "a..b", "5..5", "9..1", "0..inf", "nan..1", "0-4095"])
def test_what_is_no_range_is_named_with_an_example(text: str) -> None:
    with pytest.raises(CuelloError, match=r"needed LOW\.\.HIGH with LOW below HIGH.* such as 0\.\.4095") as caught:
        parse_levels(text)
    assert f"range: got {text!r}" in str(caught.value)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32]),
    st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 100),
)  # fmt: skip
def test_whole_numbers_come_back(dtype: type, shares: list[float], margin: int) -> None:
    """Exactly up to 16 bits; of 32 bits, float32 keeps the first 24."""
    limits = np.iinfo(dtype)
    low, high = (max(limits.min, -(2**20)), min(limits.max, 2**20))
    values = np.array([low + round(share * (high - low)) for share in shares], dtype)
    levels = Levels(low - margin, high + margin)
    scaled = levels.scaled(values, "it")
    assert scaled.dtype == np.float32
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    back = levels.back(scaled, np.dtype(dtype))
    assert back.dtype == dtype
    assert np.abs(back.astype(np.int64) - values.astype(np.int64)).max() <= (0 if limits.bits <= 16 else 1)


def test_values_by_hand_and_results_fit_the_type() -> None:
    levels = Levels(-1000, 3000)
    assert levels.scaled(np.array([-1000, 0, 3000], np.int16), "it").tolist() == [0, 0.25, 1]
    assert levels.back(np.array([0, 0.25, 1], np.float32), np.dtype(np.int16)).tolist() == [-1000, 0, 3000]
    assert Levels(0, 300).back(np.array([0.5, 1]), np.dtype(np.uint8)).tolist() == [150, 255]
    assert Levels(0, 0.1).scaled(np.array([0.1], np.float32), "it").tolist() == [1]


@pytest.mark.parametrize("value", [-1, 4096])
def test_nothing_is_clipped(value: int) -> None:
    low, high = min(0, value), max(5, value)
    with pytest.raises(UnfitError) as caught:
        Levels(0, 4095).scaled(np.array([0, 5, value], np.int16), "the image")
    assert f"the image holds values from {low} to {high}, outside the range 0..4095" in str(caught.value)
    assert f"range='{min(0, value)}..{max(4095, value)}'" in str(caught.value)


def test_no_numbers_and_no_values() -> None:
    with pytest.raises(UnfitError, match="1 values that are not numbers"):
        Levels(0, 9).scaled(np.array([1, np.nan]), "it")
    with pytest.raises(UnfitError, match="values of type complex128"):
        Levels(0, 9).scaled(np.array([1j]), "it")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int64])
def test_without_a_range_other_types_name_the_remedy(dtype: type) -> None:
    with pytest.raises(UnfitError, match=r"save it with 8 or 16 bits.*range='0\.\.4095'"):
        fit(np.zeros(3, dtype), "the image")
    with pytest.raises(CuelloError, match=r"range='0\.\.4095'"):
        array_source(np.zeros((1, 2, 2), dtype))
    with pytest.raises(UnfitError, match=r"range='0\.\.127'"):  # the bits that the values take
        fit(np.array([3, 64], dtype), "the image")
    assert array_source(np.ones((1, 2, 2), dtype), levels=Levels(0, 2)).images.tolist() == [[[[0.5]] * 2] * 2]


def test_the_range_of_an_array_names_the_file() -> None:
    with pytest.raises(CuelloError, match=r"mine: the array holds values from 0 to 9, outside the range 0\.\.4"):
        array_source(np.array([[[0, 9]]], np.int16), name="mine", levels=Levels(0, 4))


@pytest.mark.parametrize("dtype", [np.uint64, np.int64, np.uint32, np.int8])
def test_the_largest_numbers_of_a_type_stay_large(dtype: type) -> None:
    """Of 64 bits float64 holds the first 53: the largest number becomes a little smaller, and never 0 or negative."""
    most = np.iinfo(dtype).max
    found = Levels(0, float(most)).back(np.ones((1, 1, 1), np.float32), np.dtype(dtype))
    assert most - 2048 <= int(found.item()) <= most


@pytest.mark.parametrize("asked", [5, (1,), ("a", "b"), (0, None), (0, 1, 2), True])
def test_what_is_no_range_is_an_error(asked: Any) -> None:
    with pytest.raises(CuelloError, match=r"^range: got .*, needed LOW\.\.HIGH"):
        RangeChoice.parse(asked)
