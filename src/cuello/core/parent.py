"""Processes that we start end with the one that started them, however that ends."""

import os
import threading
import time
from collections.abc import Callable

GRACE_SECONDS = 5.0
"""How long a process has to stop by itself, at its next step, before it is ended."""


def end_after(wait: Callable[[], object], stop: threading.Event | None = None) -> None:
    """End this process when ``wait`` returns, which it does in a thread of its own.

    stop: set then; whoever looks at it has GRACE_SECONDS to come to an end. Without it the process ends at once.
    """

    def watch() -> None:
        wait()
        if stop is not None:
            stop.set()
            time.sleep(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
