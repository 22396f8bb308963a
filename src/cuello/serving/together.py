"""One thread runs the networks of all requests, and small images of one size that come at once, together.

Results are the same: whether a network gives the same bits for images together as for each alone is seen at the first
time of every size and number, and where it does not, they go one by one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, cast

import torch
from torch import Tensor

from cuello.inference.model import Model
from cuello.models.base import as_output

SMALL = 128 * 128
"""Pixels of an image up to which going together pays: larger ones keep all cores busy by themselves."""
MOST = 8
"""Images that go together at most."""
WINDOW = 0.002
"""Seconds for which a small image waits for others, where other requests are under way."""
KNOWN = 4096
"""Sizes and numbers of which it is remembered whether together is the same as alone."""


class Abandoned(Exception):
    """Nobody waits for the result any more."""


@dataclass(eq=False)
class Ticket:
    """A request that somebody waits for, until ``gone`` is set."""

    gone: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise Abandoned where nobody waits any more."""
        if self.gone.is_set():
            raise Abandoned


TICKET: ContextVar[Ticket | None] = ContextVar("TICKET", default=None)


@dataclass(eq=False)
class Call:
    """A network to be run on images ``(N, C, H, W)``, for a ticket."""

    network: Any
    x: Tensor
    condition: Tensor | None
    ticket: Ticket | None
    result: "Future[Tensor]" = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What calls must share to go together."""
        told = None if self.condition is None else (self.condition.shape[1:], self.condition.dtype)
        return id(self.network), self.x.shape[1:], self.x.dtype, self.x.is_contiguous(), told

    @property
    def small(self) -> bool:
        return self.x.shape[2] * self.x.shape[3] <= SMALL and len(self.x) <= MOST // 2

    def given(self) -> Tensor:
        return run(self.network, self.x, self.condition)


def run(network: Any, x: Tensor, condition: Tensor | None) -> Tensor:
    return as_output(network(x) if condition is None else network(x, condition)).image


class Together:
    """The thread that runs networks. threads: processor threads of each; observe: told how many images went together.

    The first ``enter`` starts it, ``close`` ends it when all that was asked for is done.
    """

    def __init__(self, threads: int, observe: Callable[[int], None] = lambda _: None):
        self.threads, self.observe = threads, observe
        self.calls: SimpleQueue[Call | None] = SimpleQueue()
        self.left: deque[Call | None] = deque()
        self.same: dict[tuple[Any, ...], bool] = {}
        self.working, self.lock = 0, threading.Lock()
        self.thread = threading.Thread(target=self._work, name="cuello networks", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def close(self) -> None:
        self.calls.put(None)
        self.thread.join()

    @contextmanager
    def request(self, ticket: Ticket) -> Iterator[None]:
        """Work on a request in this thread, for its ticket."""
        ticket.check()
        before = TICKET.set(ticket)
        with self.lock:
            self.working += 1
        try:
            yield
        finally:
            with self.lock:
                self.working -= 1
            TICKET.reset(before)

    def run(self, network: Any, x: Tensor, condition: Tensor | None) -> Tensor:
        """Run a network on images, perhaps beside those of other requests; Abandoned where nobody waits any more."""
        ticket = TICKET.get()
        if ticket is not None:
            ticket.check()
        call = Call(network, x, condition, ticket=ticket)
        self.calls.put(call)
        return call.result.result()

    def _work(self) -> None:
        torch.set_num_threads(self.threads)
        with torch.inference_mode():
            while (call := self.left.popleft() if self.left else self.calls.get()) is not None:
                self._answer([one for one in self._gathered(call) if not is_gone(one)])

    def _gathered(self, first: Call) -> list[Call]:
        """Take what can go together with a call, and put aside what cannot."""
        calls = [first]
        if not first.small:
            return calls
        until = time.monotonic() + WINDOW
        aside: deque[Call | None] = deque()
        while sum(len(call.x) for call in calls) + len(first.x) <= MOST:
            if self.left:
                other = self.left.popleft()
            elif self.working > len(calls) + len(aside):
                try:
                    other = self.calls.get(timeout=max(0.0, until - time.monotonic()))
                except Empty:
                    break
            else:
                break
            alike = other is not None and other.small and other.kind == first.kind and len(other.x) == len(first.x)
            (calls if alike else aside).append(cast(Call, other))
            if other is None:
                break
        aside.extend(self.left)
        self.left = aside
        return calls

    def _answer(self, calls: Sequence[Call]) -> None:
        """Give every call its result, together where that is the same."""
        if not calls:
            return
        self.observe(sum(len(call.x) for call in calls))
        key = (*calls[0].kind, len(calls[0].x), len(calls))
        if len(calls) > 1 and self.same.get(key, True):
            try:
                parts = self._at_once(calls)
            except Exception:  # each alone says what is wrong with it
                parts = None
            if parts is not None and key in self.same:
                for call, part in zip(calls, parts, strict=True):
                    call.result.set_result(part)
                return
            given = [self._alone(call) for call in calls]
            if len(self.same) >= KNOWN:
                self.same.clear()
            self.same[key] = parts is not None and all(
                one is not None and torch.equal(one, part) for one, part in zip(given, parts, strict=True)
            )
            return
        for call in calls:
            self._alone(call)

    def _at_once(self, calls: Sequence[Call]) -> Sequence[Tensor]:
        first = calls[0]
        condition = None if first.condition is None else torch.cat([cast(Tensor, call.condition) for call in calls])
        whole = run(first.network, torch.cat([call.x for call in calls]), condition)
        return whole.split(len(first.x))

    def _alone(self, call: Call) -> Tensor | None:
        try:
            found = call.given()
        except Exception as error:
            call.result.set_exception(error)
            return None
        call.result.set_result(found.clone())  # what was asked for may be changed in its place
        return found


def is_gone(call: Call) -> bool:
    """Tell whether nobody waits for a call, and let go of it then."""
    if call.ticket is None or not call.ticket.gone.is_set():
        return False
    call.result.set_exception(Abandoned())
    return True


@dataclass(eq=False)
class Shared:
    """A network that is run by the one thread; all else of it is the network's own."""

    whole: Any
    together: Together

    def __call__(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.together.run(self.whole, x, condition)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)


def shared(model: Model, together: Together) -> Model:
    """Give the same model, whose network is run by the one thread."""
    return replace(model, network=cast(Any, Shared(model.network, together)))
