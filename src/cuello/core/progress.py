"""How far long work is: one event, which every long work tells to whoever listens."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far long work is.

    stage: what is being done, in words. done, total: how much of it, in whatever is counted. path: the file at hand.
    note: what is to be known of the work, said once; the rest then says nothing.

    >>> Progress("reading images", 3, 12).share
    0.25
    """

    stage: str
    done: float = 0
    total: float = 1
    path: Path | None = None
    note: str | None = None

    @property
    def share(self) -> float:
        """The share that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


OnProgress = Callable[[Progress], Any]
"""Called with events of progress."""


def silent(event: Progress) -> None:
    """Pass an event over."""


def listener(given: Callable[..., Any] | bool | None, old: Sequence[str] = ("stage", "done", "total")) -> OnProgress:
    """Return what is to be called with events: ``given``, or, where it is no function, something that does nothing.

    old: the fields of an event, in the order in which version 0.1 called a callback with them. A callback of that
    shape still works, with a DeprecationWarning.
    """
    if given is None or isinstance(given, bool):  # somebody further out decides whether anything is shown
        return silent
    if takes_events(given, len(old)):
        return given
    warnings.warn(
        f"a progress callback is now called with one event that has .{', .'.join(old)}; one that takes "
        f"{len(old)} values works for this version only.",
        DeprecationWarning,
        stacklevel=3,
    )
    return lambda event: given(*(getattr(event, name) for name in old))


def takes_events(given: Callable[..., Any], old: int = 3) -> bool:
    """Tell whether a callback takes one event, not ``old`` values as in version 0.1."""
    try:
        kinds = [one.kind for one in inspect.signature(given).parameters.values()]
    except (TypeError, ValueError):  # something built in
        return True
    takes = sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)
    return takes < old and inspect.Parameter.VAR_POSITIONAL not in kinds


HEARD: ContextVar[OnProgress] = ContextVar("HEARD", default=silent)
"""Who listens to work so deep in a call that nobody hands a listener down to it: files that are fetched."""


@contextmanager
def hearing(tell: OnProgress) -> Iterator[None]:
    """Let ``heard`` give this listener for the time of the block."""
    before = HEARD.set(tell)
    try:
        yield
    finally:
        HEARD.reset(before)


def heard() -> OnProgress:
    """Return who listens to the call under way; see ``hearing``."""
    return HEARD.get()


def within(outer: OnProgress, stage: str, before: float, total: float) -> OnProgress:
    """Return what tells ``outer`` of a part of a whole: ``before`` was done before it, of ``total``."""
    return lambda event: outer(replace(event, stage=stage, done=before + event.done, total=total))
