"""Exact maps of groups of images made by others: processes of this machine, or the machines of a cluster."""

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cuello.cluster.base import Cluster, ClusterTask, Ending, Say, TaskContext, unsaid
from cuello.cluster.catalog import find_for_parts
from cuello.cluster.processes import Processes
from cuello.core.errors import AT_COMMAND_LINE, CuelloError, Fault, worded
from cuello.core.pool import Pool, TaskDone, why_alone
from cuello.jobs.explain.classifier import ExplainedClassifier
from cuello.jobs.explain.groups import Arrays, ExactElsewhere, GroupMaps


class Sharing(NamedTuple):
    """Who makes exact maps: so many processes of this machine, 1 being this one alone; or a cluster of machines."""

    workers: int = 1
    cluster: Cluster | None = None


SHARING: ContextVar[Sharing | None] = ContextVar("SHARING", default=None)
"""Who makes the exact maps that a training learns from, where that was asked for."""


@contextmanager
def shared_by(sharing: Sharing | None) -> Iterator[None]:
    """Let ``SHARING`` be this for the time of the block."""
    before = SHARING.set(sharing)
    try:
        yield
    finally:
        SHARING.reset(before)


def sharing_of(cluster: str | None, workers: int | None) -> Sharing:
    """Read who makes exact maps; CuelloError where that is no cluster, or one for trainings alone."""
    if cluster is None:
        if workers is not None and workers < 1:
            raise CuelloError(f"--workers: got {workers}, needed 1 or more.")
        return Sharing(workers or 1)
    found = find_for_parts(cluster, workers, "exact maps")
    return Sharing(found.workers) if isinstance(found, Processes) else Sharing(cluster=found)


def only_here(classifier: ExplainedClassifier) -> str | None:
    """Say why no other process can open a classifier; None where it can."""
    if (why := why_alone()) is not None:
        return why
    if classifier.own is not None and classifier.own.artefact.architecture.kind == "custom":
        return "the classifier is somebody's own code"
    return None


def fitted(sharing: Sharing, classifier: ExplainedClassifier, groups: int) -> tuple[Sharing, str | None]:
    """Return who makes the maps of so many groups, and what is to be said of it, if anything.

    Raises CuelloError where the machines of a cluster cannot have the classifier.
    """
    many = sharing.cluster is not None or min(sharing.workers, groups) > 1
    why = only_here(classifier) if many else None
    if sharing.cluster is not None:
        if why is not None:
            raise CuelloError(
                f"--cluster={sharing.cluster.name}: other machines cannot make the maps, since {why}. Leave out "
                "--cluster."
            )
        return sharing, None
    if why is not None:
        return Sharing(), worded(f"--workers={sharing.workers}: one process made all maps, since {why}")
    return Sharing(min(sharing.workers, groups)), None


def pool_for(
    sharing: Sharing, begin: ExactElsewhere, tasks: Sequence[Arrays], say: Say = unsaid
) -> "Pool[Arrays, GroupMaps | None] | MapsOnCluster":
    """Return what makes the maps of groups elsewhere. say: told of machines that are gone."""
    if sharing.cluster is not None:
        return MapsOnCluster(sharing.cluster, begin, tasks, say=say)
    return Pool(begin, tasks, sharing.workers)


@dataclass
class MapsOnCluster:
    """Groups of images on a cluster, with the interface of ``core.pool.Pool``; ``stop`` ends them and has to be called.

    Images and maps are sent, and lie in no files. begin: opens the classifier there, whose file every machine must
    have. tasks: the images of each group. say: told of machines that are gone.
    """

    cluster: Cluster
    begin: ExactElsewhere
    tasks: Sequence[Arrays]
    say: Say = unsaid
    endings: Generator[Ending] | None = None

    def results(self) -> Iterator[TaskDone[GroupMaps | None]]:
        """Make the maps of all groups, and yield what became of each as soon as it is known.

        A group whose machine is lost is made elsewhere. Raises CuelloError before any work where a machine cannot do
        it, and where none can begin.
        """
        file = Path(self.begin.classifier).absolute()
        begin = replace(self.begin, classifier=str(file), device=self.begin.device.partition(":")[0])
        common = {"call": uuid.uuid4().hex, "begin": begin, "at_command_line": AT_COMMAND_LINE.get()}
        tasks = [
            ClusterTask(
                make_maps, {**common, "arrays": arrays}, f"group {place + 1} of images", reads=[file],
                gpus=float(begin.device == "cuda"), size=sum(one.nbytes for one in arrays),
            )
            for place, arrays in enumerate(self.tasks)
        ]  # fmt: skip
        self.endings = self.cluster.run(tasks, folder=None, say=self.say)
        for ending in self.endings:
            yield TaskDone(ending.place, ending.result, ended=ending.lost)

    def stop(self) -> list[TaskDone[GroupMaps | None]]:
        """End the work, within the groups at hand; nothing of them is kept."""
        if self.endings is not None:
            self.endings.close()
        return []


# On the machine


def make_maps(argument: Mapping[str, Any], context: TaskContext) -> GroupMaps | None:
    """Make the maps of a group on a machine; None where they cannot be made, so that the caller says why."""
    AT_COMMAND_LINE.set(argument["at_command_line"])
    context.check()
    make = opened(argument["call"], argument["begin"])
    return make(argument["arrays"], lambda event: context.check())


@lru_cache(maxsize=1)
def opened(call: str, begin: ExactElsewhere) -> Callable[..., GroupMaps | None]:
    """Open a classifier once for all groups of a call that come to this process; Fault where it cannot be."""
    try:
        return begin()
    except CuelloError as error:
        raise error if isinstance(error, Fault) else Fault(error.args[0]) from None
