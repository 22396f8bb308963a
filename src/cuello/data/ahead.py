"""Work done ahead of its use by background threads, in order and within a bound on memory."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ReadAhead(Generic[Value]):
    """The results of ``read(0)``, ``read(1)``, …, made by background threads before they are asked for.

    costs: bytes of each result (or 1 for counting). limit: what all results that are made and not yet released may
    take together; one that is asked for is always made. The threads never wait for the consumer, so that leaving the
    ``with`` block, for whatever reason, ends them at once. An error of ``read`` is raised by ``take``.
    """

    def __init__(self, read: Callable[[int], Value], costs: Sequence[int], limit: int, threads: int = 2):
        self.read, self.costs, self.limit = read, costs, limit
        self.taken = self.begun = self.held = 0
        self.waiting: deque[Future[Value]] = deque()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="cuello-read")

    def __enter__(self) -> "ReadAhead[Value]":
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, at_least: int) -> None:
        """Begin what fits under the limit, and everything before ``at_least``."""
        while self.begun < len(self.costs):
            cost = self.costs[self.begun]
            if self.begun >= at_least and self.held + cost > self.limit:
                return
            self.waiting.append(self.pool.submit(self.read, self.begun))
            self.held += cost
            self.begun += 1

    def take(self) -> Value:
        """Give the next result, waiting for it if need be; its memory counts until ``release``."""
        self.begin(self.taken + 1)
        self.taken += 1
        return self.waiting.popleft().result()

    def release(self, index: int) -> None:
        self.held -= self.costs[index]
