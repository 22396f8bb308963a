"""Tasks in processes of this machine, so that none waits for another's lock."""

import multiprocessing
import queue
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.cluster.base import ClusterTask, Ending, Say, TaskContext, Tell, unsaid, untold
from cuello.core.errors import CuelloError
from cuello.core.parent import end_after
from cuello.core.signals import ENDING_SIGNALS

HEAR_SECONDS = 0.2


@dataclass(frozen=True)
class Processes:
    """Processes of this machine. workers: how many at once, 1 or more."""

    workers: int
    name: str = "processes"
    remote: bool = False

    def run(
        self, tasks: Sequence[ClusterTask], *, folder: Path | None, tell: Tell = untold, say: Say = unsaid
    ) -> Generator[Ending]:
        """Run every task in a process, ``workers`` at a time; see ``base.Cluster``."""
        context = multiprocessing.get_context("spawn")  # a forked torch can hang
        messages, stop = context.Queue(), context.Event()
        pool = ProcessPoolExecutor(min(self.workers, max(1, len(tasks))), context, begin_worker, (messages, stop))
        try:
            waiting = {pool.submit(work_in_pool, place, task): place for place, task in enumerate(tasks)}
            while waiting:
                finished, _ = wait(waiting, timeout=HEAR_SECONDS, return_when=FIRST_COMPLETED)
                hear(messages, tell)
                for future in finished:
                    place = waiting.pop(future)
                    try:
                        ending = Ending(place, future.result())
                    except BrokenProcessPool:
                        raise CuelloError(
                            "a process that worked was ended from outside, perhaps because memory ran out. What is "
                            "saved is kept, and the same command goes on; with --workers=1 it needs less memory."
                        ) from None
                    except Exception as error:
                        ending = Ending(place, error=error)
                    yield ending
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def hear(messages: Any, tell: Tell) -> None:
    """Tell what the workers have said since the last time."""
    while True:
        try:
            place, share, words = messages.get_nowait()
        except queue.Empty:
            return
        tell(place, share, words)


WORKER: dict[str, Any] = {}
"""What a worker process was given when it began: messages, stop; and whether it is ending by itself."""


def begin_worker(messages: Any, stop: Any) -> None:
    """Set up a worker, which ends with its parent. Ctrl-C is for the parent to see, which then says stop."""
    asked, ending = threading.Event(), threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, frame: asked.set())
    if (parent := multiprocessing.parent_process()) is not None:
        end_after(parent.join, ending)
    end_after(asked.wait, ending)
    WORKER.update(messages=messages, stop=stop, ending=ending)


def work_in_pool(place: int, task: ClusterTask) -> Any:
    """Do a task in a worker; it stops at its next check when told so, or when the parent is gone."""

    def check() -> None:
        if WORKER["stop"].is_set() or WORKER["ending"].is_set():
            raise KeyboardInterrupt

    context = TaskContext(task.folder, lambda share, words: WORKER["messages"].put((place, share, words)), check)
    return task.function(task.argument, context)
