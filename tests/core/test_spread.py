"""Positions spread evenly: the first and the last among them, never more than there are."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cuello.core.spread import spread_evenly


@given(count=st.integers(0, 500), most=st.integers(2, 60))
def test_positions_are_spread_evenly(count: int, most: int) -> None:
    found = spread_evenly(count, most).tolist()
    assert len(found) == min(count, most)
    assert found[:1] + found[-1:] == ([0, count - 1] if count else [])
    steps = [other - one for one, other in pairwise(found)]
    assert not steps or max(steps) - min(steps) <= 1
