"""Small tasks shared out among the machines of a cluster, many at a time, with the interface of ``core.pool.Pool``.

Groups of small tasks are the cluster's tasks. Each writes what it has done to a journal of its own, in the folder that
all machines share: one that is lost goes on elsewhere behind what is done, and what was done before a stop is known.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from cuello.cluster.base import Cluster, ClusterTask, Ending, Say, TaskContext, unsaid
from cuello.core.errors import AT_COMMAND_LINE, CuelloError, Fault
from cuello.core.files import as_cuello_error, make_folder, sweep_once, temporary_name
from cuello.core.pool import TaskDone

Result = TypeVar("Result")
MOST_TRIED = 2
"""How often a small task is begun: where it twice ended the process or the machine that did it, it is given up."""


@dataclass
class ClusterPool(Generic[Result]):
    """Small tasks on a cluster; ``stop`` ends them and has to be called.

    function: does a group, by ``do_group``. about: what it needs for all groups. tasks: what each small task is;
    both are plain data. groups: of places of tasks. read: makes the result at a place of plain data. folder: one
    that all machines share. reads, gpus: as of ClusterTask. say: told of machines that are gone.
    """

    cluster: Cluster
    function: Callable[[Any, TaskContext], Any]
    about: Any
    tasks: Sequence[Any]
    groups: Sequence[Sequence[int]]
    read: Callable[[int, Any], Result]
    folder: Path
    reads: Sequence[Path] = ()
    gpus: float = 0.0
    say: Say = unsaid
    journals: Path | None = None
    left: dict[int, Path] = field(default_factory=dict)
    endings: Generator[Ending] | None = None

    def results(self) -> Iterator[TaskDone[Result]]:
        """Do all tasks and yield what became of each as soon as its group has ended.

        Raises CuelloError before any work where a machine cannot do it, and where no group can begin.
        """
        sweep_once(self.folder)
        self.journals = make_folder(self.folder) / temporary_name("cluster")
        make_folder(self.journals)
        self.left = {number: self.journals / f"{number}.jsonl" for number in range(len(self.groups))}
        tasks = [self.task_of(number) for number in self.left]
        self.endings = self.cluster.run(tasks, folder=self.folder, say=self.say)
        for ending in self.endings:
            lost, journal = ending.lost, self.left.pop(ending.place)
            found = read_journal(journal)[0] if lost else dict(ending.result)
            for place in self.groups[ending.place]:
                what = found.get(place)
                yield TaskDone(place, None if what is None else self.read(place, what), ended=what is None)
            journal.unlink(missing_ok=True)

    def task_of(self, number: int) -> ClusterTask:
        """Describe a group as a task of the cluster."""
        places = self.groups[number]
        argument = {
            "about": self.about, "tasks": [[place, self.tasks[place]] for place in places], "cwd": os.getcwd(),
            "journal": str(self.left[number]), "at_command_line": AT_COMMAND_LINE.get(),
        }  # fmt: skip
        name = f"files {places[0] + 1} to {places[-1] + 1}"
        return ClusterTask(self.function, argument, name, reads=self.reads, gpus=self.gpus, shared=True)

    def stop(self) -> list[TaskDone[Result]]:
        """End the work at the end of the tasks at hand; return results of groups that had not ended."""
        if self.endings is not None:
            self.endings.close()
        found = [
            TaskDone(place, self.read(place, what))
            for journal in self.left.values()
            for place, what in read_journal(journal)[0].items()
            if what is not None
        ]
        self.left.clear()
        if self.journals is not None:
            shutil.rmtree(self.journals, ignore_errors=True)
        return found


def do_group(argument: Mapping[str, Any], context: TaskContext, begin: Callable[[Any], Callable[[Any], Any]]) -> Any:
    """Do a group's tasks that are not done yet; begin: of what is needed for all, makes what does one.

    Returns pairs of place and result, None for one that is given up. Raises Fault where work cannot begin here.
    """
    AT_COMMAND_LINE.set(argument["at_command_line"])
    journal, do = Path(argument["journal"]), None
    found, tried = read_journal(journal)
    for place, task in argument["tasks"]:
        if place in found:
            continue
        context.check()
        if tried[place] >= MOST_TRIED:
            found[place] = None
        else:
            try:
                if not os.path.isdir(argument["cwd"]):
                    raise CuelloError(f"{argument['cwd']}, the folder of the call, is not there. Make it.")
                do = do or begin(argument["about"])
            except CuelloError as error:
                raise error if isinstance(error, Fault) else Fault(error.args[0]) from None
            write_line(journal, [place])
            found[place] = do(task)
        write_line(journal, [place, found[place]])
    return list(found.items())


def write_line(journal: Path, line: Sequence[Any]) -> None:
    """Add a line to a journal, in one piece; Fault where it cannot be written."""
    try:
        with open(journal, "ab", buffering=0) as file:
            file.write(f"\n{json.dumps(line, default=float)}\n".encode())  # a kill may have left half a line
    except OSError as error:
        raise Fault(as_cuello_error(error, journal).args[0]) from error


def read_journal(journal: Path) -> tuple[dict[int, Any], Counter[int]]:
    """Read what is done, by place, and how often each was begun; half lines are passed over."""
    found: dict[int, Any] = {}
    tried = Counter[int]()
    try:
        lines = journal.read_text("utf-8", "replace").splitlines()
    except OSError:
        return found, tried
    for text in lines:
        try:
            place, *done = json.loads(text)
        except ValueError:
            continue
        if done:
            found[place] = done[0]
        else:
            tried[place] += 1
    return found, tried
