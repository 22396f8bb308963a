"""Several trainings at once. Very small ones in one go; others each in a process of its own, with one thread each, so
that cores never wait for one another.
"""

import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.data.stream import free_memory
from cuello.runs.directory import Run, available_cores
from cuello.training.device import choose_device
from cuello.training.observers import Event, Observer, Started, StepDone
from cuello.work.together import found_together, train_together
from cuello.work.train import train_or_resume

TELL_SECONDS = 0.2
MOST_WORKERS, WORKER_BYTES = 8, 5 * 2**29
"""How many trainings at once at most, by default, and what one may take: the largest so far took 2.3 GB."""

Watch = Callable[[str, float], None]
"""Called with what is being done and how much of the whole is done, 0 to 1."""


@dataclass(frozen=True)
class Job:
    """A training to be made or finished: a name for people, its run directory, its settings, and its cost.

    turn: it begins when all of lower turns are finished, because it uses what they made.
    """

    name: str
    path: Path
    settings: Mapping[str, Any]
    cost: float
    turn: int = 0


@dataclass
class Progress:
    """How far each job is, told as one share of the whole and a few words."""

    jobs: Sequence[Job]
    watch: Watch
    shares: dict[int, float]
    words: dict[int, str]

    def tell(self, number: int, share: float, words: str) -> None:
        """Take in that a job is so far (0 to 1), and tell the whole."""
        self.shares[number] = share
        self.words.pop(number, None)
        if share < 1:
            self.words[number] = f"{self.jobs[number].name} {words}".strip()
        self.show()

    def tell_alike(self, numbers: Sequence[int], share: float, words: str) -> None:
        """Take in that jobs which are done at once are all so far, and tell the whole."""
        for number in numbers:
            self.shares[number] = share
            self.words.pop(number, None)
        if share < 1:
            self.words[numbers[0]] = f"{len(numbers)} at once {words}".strip()
        self.show()

    def show(self) -> None:
        """Tell the whole."""
        done = sum(1 for value in self.shares.values() if value >= 1)
        active = [self.words[place] for place in sorted(self.words)]
        self.watch("  ".join([f"{done} of {len(self.jobs)} trained", *active]), self.reached)

    @property
    def reached(self) -> float:
        """The share of the whole that is done."""
        total = sum(job.cost for job in self.jobs)
        return sum(job.cost * self.shares.get(place, 0.0) for place, job in enumerate(self.jobs)) / total


def default_workers(device: str) -> int:
    """Return how many trainings to make at once: one a core, as far as memory allows; one where there is a GPU."""
    if choose_device(device).type != "cpu":
        return 1
    return max(1, min(available_cores(), MOST_WORKERS, free_memory() // WORKER_BYTES))


def train_all(
    jobs: Sequence[Job],
    workers: int,
    watch: Watch,
    before_turn: Callable[[int, Watch], None] = lambda turn, watch: None,
) -> None:
    """Make or finish every training, turn after turn: first, in this process, those that can be batched, then the
    others, ``workers`` at a time, the most costly first.

    before_turn: called before the jobs of a turn with its number, and with what it should tell its doing to.
    Raises what a training raises, after the others have stopped at their next step; KeyboardInterrupt likewise. What
    was trained is kept, and a later call goes on.
    """
    progress = Progress(jobs, watch, {}, {})
    for turn in sorted({job.turn for job in jobs}):
        numbers = [number for number, job in enumerate(jobs) if job.turn == turn]
        before_turn(turn, lambda words, share: watch(words, progress.reached))
        train_batches(progress, numbers, workers)
        left = [number for number in numbers if progress.shares.get(number) != 1.0]
        train_apart(progress, sorted(left, key=lambda number: -jobs[number].cost), workers)


def train_apart(progress: Progress, order: Sequence[int], workers: int) -> None:
    """Make or finish the jobs of these numbers, in this order, ``workers`` at a time."""
    jobs = progress.jobs
    if workers == 1 or not order:
        for number in order:
            progress.tell(number, 0.0, "")
            work(jobs[number], lambda share, words, number=number: progress.tell(number, share, words))
            progress.tell(number, 1.0, "")
        return
    context = multiprocessing.get_context("spawn")  # a forked torch can hang
    messages, stop = context.Queue(), context.Event()
    pool = ProcessPoolExecutor(workers, context, begin_worker, (messages, stop, os.getpid()))
    try:
        waiting = {pool.submit(work_in_pool, number, jobs[number]): number for number in order}
        while waiting:
            finished, _ = wait(waiting, timeout=TELL_SECONDS, return_when=FIRST_COMPLETED)
            hear(messages, progress)
            for future in finished:
                future.result()
                progress.tell(waiting.pop(future), 1.0, "")
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def train_batches(progress: Progress, numbers: Sequence[int], workers: int) -> None:
    """Make or finish those of the jobs that are faster trained at once, with the threads of all workers."""
    chosen = [progress.jobs[number] for number in numbers]
    for batch in found_together([Run(job.path) for job in chosen], [job.settings for job in chosen], report=False):
        alike = [numbers[place] for place in batch.places]

        def tell(share: float, words: str, alike: Sequence[int] = alike) -> None:
            progress.tell_alike(alike, share, words)

        threads = batch.members[0].config.threads if workers == 1 else available_cores()
        train_together(batch, threads=threads, observers=[observer_of(tell, lambda: None)])
        progress.tell_alike(alike, 1.0, "")


def hear(messages: Any, progress: Progress) -> None:
    """Take in what the workers have said since the last time."""
    while True:
        try:
            number, share, words = messages.get_nowait()
        except queue.Empty:
            return
        if progress.shares.get(number, 0.0) < 1:
            progress.tell(number, share, words)


def work(job: Job, tell: Callable[[float, str], None], check: Callable[[], None] = lambda: None) -> None:
    """Make or finish one training; check: called at every step, may raise KeyboardInterrupt."""
    train_or_resume(job.path, job.settings, report=False, observers=[observer_of(tell, check)])


def observer_of(tell: Callable[[float, str], None], check: Callable[[], None]) -> Observer:
    """Return an observer that tells the share of a training that is done, now and then."""
    epochs, said = 1, 0.0

    def observe(event: Event) -> None:
        nonlocal epochs, said
        if isinstance(event, Started):
            epochs = event.epochs
        elif isinstance(event, StepDone):
            check()
            if event.step == event.steps or time.monotonic() - said > TELL_SECONDS:
                said = time.monotonic()
                done = (event.epoch - 1 + event.step / event.steps) / epochs
                tell(min(done, 0.999), f"epoch {event.epoch} of {epochs}, loss {event.loss:.5f}")

    return observe


WORKER: dict[str, Any] = {}
"""What a worker process was given when it began: messages, stop, parent."""


def begin_worker(messages: Any, stop: Any, parent: int) -> None:
    """Set up a worker: Ctrl-C is for the parent to see, which then says stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    WORKER.update(messages=messages, stop=stop, parent=parent)


def work_in_pool(number: int, job: Job) -> None:
    """Do a job in a worker; it stops at the next step when told so, or when the parent is gone."""

    def check() -> None:
        if WORKER["stop"].is_set() or os.getppid() != WORKER["parent"]:
            raise KeyboardInterrupt

    work(job, lambda share, words: WORKER["messages"].put((number, share, words)), check)
