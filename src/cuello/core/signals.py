"""Signals that end a process become an error in it, which is raised again where Python would only print it."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks a process to end, beside Ctrl-C: a system that shuts down, a terminal that is closed."""
AGAIN_SECONDS = 0.01
"""When an error that was lost is raised again."""


@contextmanager
def raised_by_signals(error: Callable[[int], BaseException]) -> Iterator[list[int]]:
    """Let the first signal that would end this process raise ``error(number)`` in the block, and list those that came.

    Ctrl-C is listed too, and raises KeyboardInterrupt every time. Signals that are ignored, as with nohup, stay so, and
    others' handlers too. What a signal raises is not lost where Python cannot raise it (in ``__del__``, in what a weak
    reference calls): it comes again right after. In another thread than the main one nothing changes.

    >>> with raised_by_signals(lambda number: KeyboardInterrupt()) as came:
    ...     came
    []
    """
    came: list[int] = []

    def take(number: int, frame: FrameType | None) -> None:
        first = not came  # looked at before another signal can come
        came.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raised = error(number)
        if first:
            raise raised

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    plain = (signal.SIG_DFL, signal.default_int_handler)
    wanted = [number for number in (signal.SIGINT, *ENDING_SIGNALS) if signal.getsignal(number) in plain]
    before, hook = {number: signal.signal(number, take) for number in wanted}, sys.unraisablehook
    sys.unraisablehook = lambda told: hook(told) if not raised_again(told.exc_value) else None
    try:
        yield came
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def raised_again(lost: Any) -> bool:
    """Raise what was lost in a moment; returns False where it is no error that ends a process, or no clock is there."""
    if not isinstance(lost, KeyboardInterrupt | SystemExit) or not hasattr(signal, "setitimer"):
        return False
    if threading.current_thread() is not threading.main_thread():
        return False

    def ring(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, before)
        raise lost

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    return True
