"""What a cluster is: something that runs tasks elsewhere, and says what became of each.

A task is a function of a module, what it is called with, and where it writes. What does the work is chosen by a word:

    cluster = find_cluster("processes", workers=2)               # from cuello.cluster.catalog
    tasks = [ClusterTask(sharpen, {"files": names}, folder=output, reads=[*names]) for names in parts]
    with closing(cluster.run(tasks, folder=output, tell=show)) as endings:
        for ending in endings:                                   # in the order in which they end
            ...                                                  # tasks[ending.place]: ending.result or ending.error

where ``sharpen(argument, context)`` stands in a module, writes to ``context.folder``, calls ``context.check()`` between
its steps, so that it stops when it is asked to, and may tell how far it is (``context.tell``). What it returns and what
it is called with is plain data (texts, numbers, lists and mappings of them): it goes from machine to machine, and into
JSON. What is never handed to Slurm may hold arrays and frozen settings too. Relative paths in it are those of the
caller's folder.
Closing ``endings`` early, as Ctrl-C does, stops the others at their next check; what they have written is kept.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from cuello.core.errors import CuelloError, Fault

Tell = Callable[[int, float, str], None]
"""Called with the place of a task, how far it is, 0 to 1, and words."""
Say = Callable[[str], None]
"""Called with a sentence that is to be known of the work, as of a machine that is gone."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class TaskContext:
    """What a task's function has beside its argument, where it is at work.

    folder: where it writes: the task's own, or one in its place on a machine that does not share it. tell: says how
    far it is, 0 to 1, and words. check: raises KeyboardInterrupt when the work is to stop. keep: says that what is in
    ``folder`` now is worth keeping, whatever becomes of this machine; called now and then, as after an epoch.
    """

    folder: Path | None
    tell: Callable[[float, str], None]
    check: Callable[[], None] = nothing
    keep: Callable[[], None] = nothing


@dataclass(frozen=True)
class ClusterTask:
    """A function of a module, called with plain data and a context.

    name: for people. folder: what it writes to, its own; None for one that writes nothing. reads: files and folders
    that must be the same wherever it runs. cost: how much work, beside others. cores, gpus: what it takes of a
    machine; gpus may be a share of one. shared: it writes to the folder of all tasks, which every machine must see.
    size: bytes of what it is called with, where they are many.
    """

    function: Callable[[Any, TaskContext], Any]
    argument: Any
    name: str = ""
    folder: Path | None = None
    reads: Sequence[Path] = ()
    cost: float = 1.0
    cores: int = 1
    gpus: float = 0.0
    shared: bool = False
    size: int = 0


class Ending(NamedTuple):
    """What became of a task: its place, and what it returned, or what it raised."""

    place: int
    result: Any = None
    error: Exception | None = None

    @property
    def lost(self) -> bool:
        """Whether the machines at a part of a work were lost, again and again; raises what else went wrong with it."""
        if self.error is None:
            return False
        if isinstance(self.error, Fault) or not isinstance(self.error, CuelloError):
            raise self.error
        return True


class Cluster(Protocol):
    """Something that runs tasks. name: as it is asked for. remote: whether they may run on other machines."""

    @property
    def name(self) -> str: ...

    @property
    def remote(self) -> bool: ...

    def run(
        self, tasks: Sequence[ClusterTask], *, folder: Path | None, tell: Tell = ..., say: Say = ...
    ) -> Generator[Ending]:
        """Run every task, in their order, and yield what became of each as soon as it is known.

        folder: the one that holds those of all tasks; None where there is none. Raises CuelloError before any work
        where a machine cannot do it, and Fault where the cluster itself is gone.
        """
        ...


def untold(place: int, share: float, words: str) -> None:
    """Pass over how far a task is."""


def unsaid(sentence: str) -> None:
    """Pass over what is said of the work."""
