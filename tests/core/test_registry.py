"""A registry: order, lookup, the errors of both sides."""

from dataclasses import dataclass

import pytest

from cuello.core.errors import CuelloError
from cuello.core.registry import Registry


@dataclass(frozen=True)
class Fruit:
    name: str
    summary: str = "edible"


@pytest.fixture
def fruits() -> Registry[Fruit]:
    return Registry("fruit", [Fruit("pear"), Fruit("apple"), Fruit("quince")])


def test_entries_come_in_the_order_of_the_table(fruits):
    assert fruits.names() == ["pear", "apple", "quince"]
    assert [fruit.name for fruit in fruits] == fruits.names()
    assert len(fruits) == 3


def test_an_entry_is_found_by_name(fruits):
    assert fruits["apple"] == Fruit("apple")
    assert "apple" in fruits
    assert "aple" not in fruits
    assert 3 not in fruits


def test_a_missing_name_is_the_users_mistake_with_the_nearest_one(fruits):
    with pytest.raises(CuelloError) as caught:
        fruits["aple"]
    assert str(caught.value) == "there is no fruit called 'aple'. Did you mean 'apple'? Known: pear, apple, quince."


def test_two_entries_of_one_name_are_the_authors_mistake():
    with pytest.raises(ValueError, match="two entries of the fruit registry are called 'pear'"):
        Registry("fruit", [Fruit("pear"), Fruit("apple"), Fruit("pear", "another")])


def test_the_list_of_names_is_a_copy(fruits):
    fruits.names().clear()
    assert len(fruits) == 3
