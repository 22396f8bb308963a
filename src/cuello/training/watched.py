"""One switch for every long call: bars in a terminal or a notebook, nothing in a pipe."""

import inspect
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from cuello.core.progress import heard, hearing, silent, takes_events
from cuello.training.display import display
from cuello.training.notebook import in_notebook

P = ParamSpec("P")
R = TypeVar("R")

WITHIN: ContextVar[bool] = ContextVar("WITHIN", default=False)
"""Whether a call of ours is under way, which alone decides what is shown."""


def watched(key: str = "progress", whole: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take ``progress``: a function that is called with events, True, False or None.

    True shows bars, or lines where no bar can be shown; False shows nothing; None, the default, shows bars where
    somebody looks: in a terminal or a notebook. key: what the parameter is called. whole: whether the work is shown as
    one bar.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters
        names = [one.name for one in parameters.values() if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(zip(names, args, strict=False)) | kwargs
            asked = given.get(key)
            if not isinstance(asked, bool | None) or len(args) > len(names):
                with hearing(asked if callable(asked) and takes_events(asked) else heard()):
                    return function(*args, **kwargs)
            if asked is False or WITHIN.get() or (asked is None and not somebody_looks()):
                return partial(function, **(given | {key: silent}))()
            before = WITHIN.set(True)
            try:
                with display() as shown:
                    if "observers" in parameters and not whole:
                        given["observers"] = [*given.get("observers", ()), shown.observe]
                    with hearing(shown.whole if whole else shown.work):
                        return partial(function, **(given | {key: heard()}))()
            finally:
                WITHIN.reset(before)

        return call

    return decorate


def somebody_looks() -> bool:
    """Tell whether bars can be seen: in a terminal, or in a notebook."""
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
