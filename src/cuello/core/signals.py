"""Signals that end a process: they become an error in it that is not lost, or wait where what is done is to be told."""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks a process to end, beside Ctrl-C: a system that shuts down, a terminal that is closed."""
AGAIN_SECONDS = 0.01
"""When an error that was lost is raised again."""
ONCE_NAMED: ContextVar[ExitStack | None] = ContextVar("ONCE_NAMED", default=None)
"""Until when signals are to wait, within ``undisturbed_once_named``, as long as no file has got its name."""


@contextmanager
def handled(numbers: Iterable[int], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a handler take these signals for the time of the block; all come back, whatever comes meanwhile."""
    with ExitStack() as ended:
        for number in numbers:
            ended.callback(signal.signal, number, signal.signal(number, handler))
        yield


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
    with handled(wanted, take):
        hook = sys.unraisablehook
        sys.unraisablehook = lambda told: hook(told) if not raised_again(told.exc_value) else None
        try:
            yield came
        finally:
            sys.unraisablehook = hook


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


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C and signals that end this process wait until the block has ended: a short one, which takes note.

    What has no handler in Python ends the process as before; in another thread than the main one nothing changes.
    """
    with ExitStack() as ended:
        hold(ended)
        yield


@contextmanager
def undisturbed_once_named() -> Iterator[None]:
    """Let them wait from the moment on when a file gets its name in the block (``named``): it is to be told of, too."""
    with ExitStack() as ended:
        before = ONCE_NAMED.set(ended)
        try:
            yield
        finally:
            ONCE_NAMED.reset(before)


def named() -> None:
    """Say that a file gets its name now."""
    if (ended := ONCE_NAMED.get()) is not None:
        ONCE_NAMED.set(None)
        hold(ended)


def hold(ended: ExitStack) -> None:
    """Let signals wait until ``ended`` ends; their handlers are called then."""
    if threading.current_thread() is not threading.main_thread():
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING_SIGNALS)}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}

    def call() -> None:
        for number in came:
            ours[number](number, None)

    ended.callback(call)  # after the handlers are back
    ended.enter_context(handled(ours, lambda number, frame: came.append(number)))
