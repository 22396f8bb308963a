"""Where requests wait and are worked on: so many at once, so many waiting, none for ever."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from starlette.requests import Request

from cuello.core.settings import ServeSettings
from cuello.serving.metrics import Metrics
from cuello.serving.refused import BUSY, CLOSED, Refused
from cuello.serving.together import Ticket, Together

T = TypeVar("T")


class Desk:
    """Takes requests in, up to a number, and works on their images in a few threads."""

    def __init__(self, settings: ServeSettings, together: Together, metrics: Metrics):
        self.settings, self.together, self.metrics = settings, together, metrics
        self.threads = ThreadPoolExecutor(settings.at_once, thread_name_prefix="cuello images")
        self.pending, self.lock = 0, threading.Lock()

    def close(self) -> None:
        """Finish what is at hand."""
        self.threads.shutdown(wait=True)
        self.together.close()

    @contextmanager
    def seat(self) -> Iterator["Seat"]:
        """Hold a seat for a request; Refused with 429 where all are taken."""
        most = self.settings.at_once + self.settings.waiting
        with self.lock:
            if self.pending >= most:
                raise Refused(
                    429, "busy", f"got {self.pending + 1} requests at once, needed at most {most}. Send it again in a "
                    "second; whoever runs the service can raise --waiting.", headers=BUSY,
                )  # fmt: skip
            self.pending += 1
            self.metrics.pending.set(self.pending)
        seat = Seat(self)
        try:
            yield seat
        finally:
            seat.leave()

    def free(self) -> None:
        with self.lock:
            self.pending -= 1
            self.metrics.pending.set(self.pending)


class Seat:
    """A request's seat: it is free again when the request is answered and no thread works for it any more."""

    def __init__(self, desk: Desk):
        self.desk, self.ticket = desk, Ticket()
        self.open, self.lock = 1, threading.Lock()

    def leave(self, _: object = None) -> None:
        with self.lock:
            self.open -= 1
            last = self.open == 0
        if last:
            self.desk.free()

    def start(self, job: Callable[[Ticket], T]) -> "Future[T]":
        with self.lock:
            self.open += 1
        future = self.desk.threads.submit(self.work, job)
        future.add_done_callback(self.leave)
        return future

    def work(self, job: Callable[[Ticket], T]) -> T:
        with self.desk.together.request(self.ticket), self.desk.metrics.working.track_inprogress():
            return job(self.ticket)

    async def made(self, jobs: Sequence[Callable[[Ticket], T]], request: Request) -> list[T]:
        """Do jobs, side by side, and return what each gave, while the client waits and the time lasts.

        Raises the first one's error, or Refused.
        """
        started = [self.start(job) for job in jobs]
        every = asyncio.gather(*map(asyncio.wrap_future, started), return_exceptions=True)
        gone = asyncio.create_task(hung_up(request))
        seconds = self.desk.settings.timeout
        try:
            done, _ = await asyncio.wait({every, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not every.done():
                self.ticket.gone.set()
                for one in started:
                    one.cancel()
            gone.cancel()
        if every in done:
            results: list[T] = []
            for one in every.result():
                if isinstance(one, BaseException):
                    raise one
                results.append(one)
            return results
        every.add_done_callback(lambda future: future.cancelled() or future.exception())
        if gone in done:
            raise Refused(CLOSED, "closed", "the client hung up.")
        raise Refused(
            503, "time", f"the work was not done within {seconds:g} s. Send a smaller image, or later; whoever runs "
            "the service can raise --timeout.", headers=BUSY,
        )  # fmt: skip


async def hung_up(request: Request) -> None:
    """Return when the client is gone; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
