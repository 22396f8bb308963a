"""One process of ``--ranks``: a program that makes a call of train or resume, and tells its parent of it line by line.

It reads the call from its input, a line of JSON, and ends when that ends: where the parent is gone, or says stop.
"""

import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from cuello.core.errors import CuelloError, Interrupted, at_command_line
from cuello.core.own import allow
from cuello.core.parent import end_after
from cuello.core.progress import Progress
from cuello.core.signals import ENDING_SIGNALS
from cuello.training.observers import Event
from cuello.training.ranks.group import STOP
from cuello.work.launch import FAILURES
from cuello.work.train import resume, train

Tell = Callable[..., None]


def main() -> None:
    """Make the call, and tell what became of it."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no line of ours
    lock = threading.Lock()

    def tell(kind: str, **said: Any) -> None:
        with lock:
            try:
                print(json.dumps({"kind": kind, **said}, default=str), file=lines, flush=True)
            except OSError:  # the parent is gone
                STOP.set()

    asked = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then says stop
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda number, frame: STOP.set())
    end_after(sys.stdin.read, STOP)
    warnings.showwarning = lambda message, *about, **more: tell("warning", text=str(message))
    with at_command_line() if asked["at_command_line"] else nullcontext():
        perform(asked, tell)


def perform(asked: Mapping[str, Any], tell: Tell) -> None:
    """Make the call, with what it tells on the way, its result and what it raises as lines."""

    def observe(event: Event) -> None:
        tell("event", name=type(event).__name__, value=asdict(event))

    def watch(event: Progress) -> None:
        tell("progress", value=asdict(event))

    try:
        allow(*asked["allowed"])
        function = {"train": train, "resume": resume}[asked["call"]]
        function(**asked["arguments"], observers=[observe], progress=watch)
    except (CuelloError, Interrupted) as error:
        name = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in FAILURES)
        tell("failed", name=name, text=str(error.args[0]) if error.args else "")
        sys.exit(2)
    except KeyboardInterrupt:
        tell("failed", name="Interrupted", text="stopped")
        sys.exit(2)
    except BaseException:
        tell("failed", name="Unexpected", text=traceback.format_exc())
        sys.exit(1)
    tell("done")


if __name__ == "__main__":
    main()
