"""Noise levels that a network estimates by itself, told to whoever asked in the units in which a caller states them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

NOTED: ContextVar[list[float] | None] = ContextVar("NOTED", default=None)


@contextmanager
def estimates() -> Iterator[list[float]]:
    """List the noise levels that are estimated during the block."""
    noted: list[float] = []
    before = NOTED.set(noted)
    try:
        yield noted
    finally:
        NOTED.reset(before)


def note_estimate(level: float) -> None:
    if (noted := NOTED.get()) is not None:
        noted.append(level)


@contextmanager
def in_units(convert: Callable[[float], float]) -> Iterator[None]:
    """Convert what is noted during the block: from the range that the network sees to that around it."""
    with estimates() as noted:
        yield
    for level in noted:
        note_estimate(convert(level))
