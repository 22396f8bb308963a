"""Ranges, limits and spec strings, on a degradation of the test's own that records what it is given."""

import math
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.degrade.base import Degradation, Quantity, Range, parse_number_or_range, quantity, show


class Recording(Degradation):
    """Adds ``amount`` and hands out what it was given."""

    name = "recording"
    summary = "for tests"
    main = "amount"
    amount: Quantity = quantity(0.5, "what is added", "grey levels", limits=(0, 1))
    steps: Quantity = quantity(2, "a whole number", "steps", limits=(0, 9), whole=True)
    seen: ClassVar[list[dict[str, Tensor]]] = []

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        self.seen.append(values)
        return images + values["amount"]


def drawn(degradation: Recording, count: int, seed: int = 0) -> dict[str, Tensor]:
    degradation(torch.zeros(count, 1, 2, 2), torch.Generator().manual_seed(seed))
    return Recording.seen.pop()


def test_a_number_is_the_same_for_every_image():
    values = drawn(Recording(amount=0.25, steps=3), 4)
    assert values["amount"].flatten().tolist() == [0.25] * 4
    assert values["steps"].flatten().tolist() == [3] * 4
    assert values["amount"].shape == (4, 1, 1, 1)
    assert drawn(Recording(amount=Range(0.25, 0.25)), 3)["amount"].flatten().tolist() == [0.25] * 3


def test_a_range_is_uniform_over_its_width():
    values = drawn(Recording(amount=Range(0.2, 0.6)), 20_000)["amount"].flatten()
    assert values.min() >= 0.2
    assert values.max() <= 0.6
    assert abs(values.mean().item() - 0.4) < 6 * 0.4 / (12 * 20_000) ** 0.5
    assert len(values.unique()) > 10_000


def test_a_range_of_whole_numbers_has_both_ends_equally_often():
    values = drawn(Recording(steps=Range(2, 5)), 20_000)["steps"].flatten()
    numbers, counts = values.unique(return_counts=True)
    assert numbers.tolist() == [2, 3, 4, 5]
    bound = 6 * (20_000 * 0.25 * 0.75) ** 0.5
    assert (counts - 5000).abs().max() < bound


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"amount": Range(0.9, 0.1)}, r"amount is 0\.9\.\.0\.1, but a range goes from low to high"),
     ({"steps": 2.5}, r"steps is 2\.5, needed a whole number \(steps\)"), ({"volume": 1}, "volume"),
     *(({"amount": value}, "amount") for value in (math.nan, math.inf, Range(math.nan, 0.5), Range(0.1, math.inf)))],
)  # fmt: skip
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Recording.model_validate(settings)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.2", 0.2), ("0.1..0.9", Range(0.1, 0.9)), ("5..50", Range(5, 50)), ("1e-3", 0.001), (0.7, 0.7)],
)
def test_numbers_and_ranges_are_read(text, value):
    assert parse_number_or_range(text) == value


@pytest.mark.parametrize("text", ["", "..", "1..", "..1", "a", "1..b", "1,2"])
def test_what_is_no_number_is_named(text):
    with pytest.raises(ValueError, match=r"a number or a range such as 0\.1\.\.0\.9, not "):
        parse_number_or_range(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_to_the_last_digit(value):
    assert float(show(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (False, "no"), (3.0, "3"), (0.2, "0.2"), ("pixel", "pixel"), (Range(0.1, 2.0), "0.1..2")],
)
def test_values_are_shown_as_a_spec_string_has_them(value, text):
    assert show(value) == text


def test_the_spec_string_is_the_shortest():
    assert Recording().spec() == "recording:0.5"
    assert Recording(amount=Range(0, 1), steps=4).spec() == "recording:0..1,steps=4"


def test_the_middle_of_a_range_of_whole_numbers_is_whole():
    typical = Recording(amount=Range(0, 0.5), steps=Range(1, 4)).typical()
    assert typical == Recording(amount=0.25, steps=2)
    assert typical.typical() is typical


def test_a_sweep_keeps_a_range_of_another_parameter():
    assert Recording(steps=Range(1, 3)).with_main(0.75) == Recording(amount=0.75, steps=Range(1, 3))


def test_a_sweep_beyond_the_limits_says_which():
    with pytest.raises(CuelloError, match=r"amount is 7\.0, needed 0 to 1 \(grey levels\)"):
        Recording().with_main(7)
