"""Ctrl-C and signals that end a process, while it trains with others: they stop together, after the same step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cuello.core.signals import ENDING_SIGNALS, handled
from cuello.training.ranks.together import Ranks


@contextmanager
def stopping_together(group: Ranks | None) -> Iterator[None]:
    """Let signals ask all ranks to stop, for the time of the block; a second one stops this process at once."""
    if group is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if group.stop.is_set():
            raise KeyboardInterrupt
        group.stop.set()

    wanted = [one for one in (signal.SIGINT, *ENDING_SIGNALS) if signal.getsignal(one) != signal.SIG_IGN]
    with handled(wanted, stop):
        yield
