"""Progress: one event for everybody; callbacks of version 0.1 are still called as they were."""

import warnings
from typing import Any

import pytest

from cuello.core.progress import Progress, listener, silent, within

EVENT = Progress("reading", 3, 4)


def test_the_share_is_of_the_total() -> None:
    assert (EVENT.share, Progress("all").share, Progress("nothing", 0, 0).share) == (0.75, 0.0, 1.0)


def takes_an_event(event: Progress, kept: list[Any] | None = None) -> None:
    """As our own callbacks, with a value that it brings along."""


@pytest.mark.parametrize("given", [lambda event: None, takes_an_event, [].append])
def test_a_callback_that_takes_an_event_is_called_as_it_is(given: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert listener(given) is given


def test_nobody_listens() -> None:
    assert listener(None, ("done", "total")) is silent
    silent(EVENT)


def test_a_callback_of_the_version_before_gets_what_it_got() -> None:
    told: list[Any] = []
    with pytest.warns(DeprecationWarning, match=r"one event that has \.stage, \.done, \.total"):
        old = listener(lambda doing, done, total: told.append((doing, done, total)))
    with pytest.warns(DeprecationWarning, match=r"\.done, \.total"):
        any_number = listener(lambda *now: told.append(now), ("done", "total"))
    for one in (old, any_number):
        one(EVENT)
    assert told == [("reading", 3, 4), (3, 4)]


def test_a_part_is_told_within_the_whole() -> None:
    told: list[Progress] = []
    within(told.append, "all", 10, total=20)(EVENT)
    assert told == [Progress("all", 13, 20)]
