"""Tasks shared out among processes. One that is ended from outside costs its own task a second try, and no other."""

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar, cast

from cuello.core.errors import AT_COMMAND_LINE, CuelloError, first_line
from cuello.core.parent import GRACE_SECONDS, end_after
from cuello.core.signals import raised_by_signals, undisturbed, undisturbed_once_named

Task = TypeVar("Task")
Result = TypeVar("Result")


class TaskDone(NamedTuple, Generic[Result]):
    """What became of the task at a place: its result; ended, without one: its process was ended from outside, twice."""

    place: int
    result: Result | None
    ended: bool = False


@dataclass
class Worker:
    """A process, the way to it, whether it has begun, and the place of the task that it does."""

    process: Any
    connection: "Connection[Any, Any]"
    begun: bool = False
    place: int | None = None


@dataclass
class Pool(Generic[Task, Result]):
    """Processes that do tasks, at most ``workers`` at once; ``stop`` ends them and has to be called.

    begin: called once in every process, returns what does a task. It, the tasks and their results go from one process
    to another, and what it needs is imported there; the caller's script is not run again.
    """

    begin: Callable[[], Callable[[Task], Result]]
    tasks: Sequence[Task]
    workers: int
    members: list[Worker] = field(default_factory=list)
    told: TaskDone[Result] | None = None
    thinned: bool = False

    def results(self) -> Iterator[TaskDone[Result]]:
        """Do all tasks, in their order, and yield what became of each as soon as it is known.

        Where a process is ended from outside (as the system does when memory runs out), the others go on, and in the
        end its task is tried once more with nothing beside it. Raises CuelloError where processes cannot begin, or what
        a task raised.
        """
        lost: list[int] = []
        yield from self.through(deque(range(len(self.tasks))), self.workers, lost)
        for place in lost:
            self.stop()
            again: list[int] = []
            yield from self.through(deque([place]), 1, again)
            yield from (TaskDone(one, None, ended=True) for one in again)

    def through(self, waiting: deque[int], workers: int, lost: list[int]) -> Iterator[TaskDone[Result]]:
        """Do the tasks at these places; those whose process is ended are added to ``lost``."""
        while waiting or any(member.place is not None for member in self.members):
            while waiting and (
                not self.members or (len(self.members) < min(workers, len(waiting)) and not self.thinned)
            ):
                self.members.append(started(self.begin))
            for member in self.members:
                if member.begun and member.place is None and waiting:
                    member.place = waiting.popleft()
                    with suppress(OSError):  # it has ended, which is seen below
                        member.connection.send(self.tasks[member.place])
            ready = wait([member.connection for member in self.members])
            for member in [one for one in self.members if one.connection in ready]:
                with undisturbed():
                    self.hear(member, lost)
                if self.told is not None:
                    yield self.told
                    self.told = None

    def hear(self, member: Worker, lost: list[int]) -> None:
        """Take what a process says; a result is then in ``told`` until the caller has it and comes back."""
        try:
            said, what = member.connection.recv()
        except (EOFError, OSError):
            self.bury(member, lost)
            return
        if said == "failed":
            raise what
        if said == "done" and member.place is not None:
            self.told, member.place = TaskDone(member.place, what), None
        member.begun = True

    def bury(self, member: Worker, lost: list[int]) -> None:
        """Take leave of a process that was ended from outside; no other takes its place while there are some."""
        self.members.remove(member)
        member.connection.close()
        member.process.join()
        self.thinned = True
        if member.place is not None:
            lost.append(member.place)
        elif not member.begun and not self.members:
            raise CuelloError(
                f"a process of its own was ended from outside before it began (exit code {member.process.exitcode}), "
                "perhaps because memory ran out. With --workers=1 it needs less."
            )

    def stop(self) -> list[TaskDone[Result]]:
        """End the processes, which stop what they are at and clean up; return results that were on their way.

        A result that the caller was at may be among them.
        """
        found = [] if self.told is None else [self.told]
        self.told = None
        for member in self.members:
            member.process.terminate()
        for member in self.members:
            member.process.join(GRACE_SECONDS)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            with suppress(Exception):  # half a message
                while member.place is not None and member.connection.poll():
                    said, what = member.connection.recv()
                    if said == "done":
                        found.append(TaskDone(member.place, what))
            member.connection.close()
        self.members.clear()
        return found


def started(begin: Callable[[], Callable[[Any], Any]]) -> Worker:
    """Start a process that ends with this one, and never sees Ctrl-C."""
    context = multiprocessing.get_context("spawn")  # a forked torch can hang
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, AT_COMMAND_LINE.get()), daemon=True)
    with no_script(), no_ctrl_c():
        process.start()
    there.close()
    here.send(begin)
    return Worker(process, cast("Connection[Any, Any]", here))


@contextmanager
def no_script() -> Iterator[None]:
    """Hide the caller's script while a process starts, which would run it again."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


@contextmanager
def no_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back for the time of the block; what starts in it never gets it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def why_alone() -> str | None:
    """Say why this process may start no others, as one of multiprocessing's own pools; None where it may."""
    alone = multiprocessing.current_process().daemon
    return "it is one of several itself and may start no others" if alone else None


def serve(connection: "Connection[Any, Any]", at_command_line: bool) -> None:
    """Do tasks that come by a connection until it is closed; in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (parent := multiprocessing.parent_process()) is not None:
        end_after(parent.join)
    AT_COMMAND_LINE.set(at_command_line)
    try:
        do = heard(connection)()  # nothing is to be cleaned up yet where it is ended here
        with raised_by_signals(lambda number: SystemExit(128 + number)):
            tell(connection, "begun", None)
            while True:
                with undisturbed_once_named():
                    tell(connection, "done", do(heard(connection)))
    except Exception as error:
        told = (
            error
            if isinstance(error, CuelloError)
            else CuelloError(f"a process of its own failed: {first_line(error)}")
        )
        tell(connection, "failed", told)


def heard(connection: "Connection[Any, Any]") -> Any:
    """Return what the caller says; where it is gone, this process ends without a word."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        sys.exit(0)


def tell(connection: "Connection[Any, Any]", what: str, content: Any) -> None:
    """Tell the caller; where it is gone, this process ends without a word."""
    try:
        connection.send((what, content))
    except OSError:
        sys.exit(0)
