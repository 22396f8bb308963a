"""Tasks for Slurm: an array job is written, which somebody hands in, and whose results the same call reads later.

In ``FOLDER/slurm``, the folder of the work:

    tasks/0.json, 1.json …   what each task is: a function of Cuello, its argument, its folder
    job.sh                   the script for sbatch: one task a job of the array, queued again where its machine is lost
    logs/JOB_TASK.out        what the jobs print
    results/CHECKSUM.json …  what each task came to: its result, or its error; the checksum is that of the task

``python -m cuello.cluster.slurm FOLDER/slurm NUMBER`` does one task; that is all that the script calls. Needed is a
folder that all machines share.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from cuello.cluster.base import ClusterTask, Ending, Say, TaskContext, Tell, unsaid, untold
from cuello.core.errors import CuelloError, Fault, HandedOver, Interrupted, first_line
from cuello.core.files import make_folder, write_text
from cuello.core.schema import read_json

FOLDER_NAME, SCRIPT_NAME = "slurm", "job.sh"
PACKAGE = "cuello."
WARNING_SECONDS = 60
"""So long before a job's time is over Slurm tells it, and it stops and is queued again."""
SCRIPT = """#!/bin/bash
# Written by cuello. What your cluster needs beside: sbatch --partition=NAME --time=2:00:00 job.sh
#SBATCH --job-name={name}
#SBATCH --array={array}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cores}{gpus}
#SBATCH --output={log}
#SBATCH --error={log}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=USR1@{warning}
export OMP_NUM_THREADS={cores}
cd {cwd} || exit 1
exec srun --unbuffered {python} -m cuello.cluster.slurm {folder} "$SLURM_ARRAY_TASK_ID"
"""


@dataclass(frozen=True)
class Slurm:
    """An array job for Slurm. workers: how many of its tasks run at once at most; None: as many as Slurm will."""

    workers: int | None = None
    name: str = "slurm"
    remote: bool = True

    def run(
        self, tasks: Sequence[ClusterTask], *, folder: Path | None, tell: Tell = untold, say: Say = unsaid
    ) -> Generator[Ending]:
        """Yield what became of tasks that jobs have done since, and write a job for the others; see ``base.Cluster``.

        Raises HandedOver, which says what to type, where tasks are left; CuelloError for a task that cannot be written.
        """
        if folder is None:
            raise CuelloError("--cluster=slurm needs a folder that all machines share: name one with --output.")
        place = folder.absolute() / FOLDER_NAME
        left: list[dict[str, Any]] = []
        for number, task in enumerate(tasks):
            described = as_json(task)
            path = result_path(place, described)
            found = result_in(path)
            if found is None:
                left.append(described)
            elif "error" in found:
                path.unlink()  # told once: the next call tries again
                kind = Fault if found.get("fault") else CuelloError
                yield Ending(number, error=kind(found["error"]))
            else:
                yield Ending(number, found["result"])
        if left:
            script = written(place, left, tasks, most=self.workers)
            away = " There is no sbatch on this machine: give both commands where Slurm is, which must see this folder."
            raise HandedOver(
                f"{len(left)} task{'s are' if len(left) > 1 else ' is'} written down for Slurm. Hand them in: sbatch "
                f"{shlex.quote(str(script))} and, when they are done, give the same command again."
                f"{'' if shutil.which('sbatch') else away}"
            )


def as_json(task: ClusterTask) -> dict[str, Any]:
    """Describe a task as plain data; CuelloError where a part of it is none, or its function is not Cuello's own."""
    function = task.function
    address = f"{function.__module__}:{function.__qualname__}"
    if not function.__module__.startswith(PACKAGE) or "<" in address:
        raise CuelloError(f"--cluster=slurm: {address} is none of Cuello's functions, and no other is run from a file.")
    folder = None if task.folder is None else str(task.folder.absolute())
    described = {"function": address, "argument": task.argument, "folder": folder, "name": task.name}
    try:
        if json.loads(json.dumps(described)) != described:
            raise TypeError("it would not be the same when it is read")
    except (TypeError, ValueError) as error:
        raise CuelloError(
            f"--cluster=slurm: {task.name or address} cannot be written to a file ({first_line(error)}): texts and "
            "numbers can. Use --cluster=ray, or state the setting as a text."
        ) from None
    return described


def result_path(place: Path, described: Mapping[str, Any]) -> Path:
    """Return where a task's result stands: whatever its number in a later job, it is known by what it is."""
    text = json.dumps(described, sort_keys=True)
    return place / "results" / f"{hashlib.blake2b(text.encode('utf-8', 'replace'), digest_size=16).hexdigest()}.json"


def result_in(path: Path) -> dict[str, Any] | None:
    """Return what a task came to; None where it is not done, or its file is damaged."""
    try:
        found = dict(read_json(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if "result" in found or isinstance(found.get("error"), str) else None


def written(place: Path, left: Sequence[Mapping[str, Any]], tasks: Sequence[ClusterTask], *, most: int | None) -> Path:
    """Write the tasks that are left and the script that does them, in the place of earlier ones; return the script."""
    shutil.rmtree(place / "tasks", ignore_errors=True)
    for name in ("tasks", "results", "logs"):
        make_folder(place / name)
    for number, described in enumerate(left):
        write_text(place / "tasks" / f"{number}.json", json.dumps(described, indent=2) + "\n")
    cores, gpus = max(task.cores for task in tasks), max(task.gpus for task in tasks)
    array = f"0-{len(left) - 1}" + ("" if most is None else f"%{most}")
    script = SCRIPT.format(
        name=f"cuello-{place.parent.name}".replace(" ", "-"), array=array, cores=cores,
        gpus=f"\n#SBATCH --gpus-per-task={-(-gpus // 1):.0f}" if gpus else "", log=escaped(place / "logs"),
        warning=WARNING_SECONDS, cwd=shlex.quote(os.getcwd()), python=shlex.quote(sys.executable),
        folder=shlex.quote(str(place)),
    )  # fmt: skip
    write_text(place / SCRIPT_NAME, script)
    return place / SCRIPT_NAME


def escaped(path: Path) -> str:
    """Name the log files of a folder for sbatch, where % begins a pattern; CuelloError for names it cannot read."""
    if any(sign in str(path) for sign in "\n\"'\\"):
        raise CuelloError(f"{path} has quotes or line ends in its name, which Slurm cannot read. Choose another place.")
    text = str(path).replace("%", "%%")
    text += "/%A_%a.out"
    return f'"{text}"' if " " in text else text


# On the machine


def do_one(place: Path, number: int) -> int:
    """Do one task of a job and write down what it came to; returns the exit code of its process.

    A task that is asked to stop (USR1, TERM) stops at its next step, and nothing is written: it is to be done again.
    """
    stopped: list[int] = []

    def stop(signal_number: int, frame: FrameType | None) -> None:
        stopped.append(signal_number)

    for one in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(one, stop)

    def check() -> None:
        if stopped:
            raise KeyboardInterrupt

    try:
        described = dict(read_json((place / "tasks" / f"{number}.json").read_text("utf-8")))
        module, _, name = described["function"].partition(":")
        if not module.startswith(PACKAGE):
            raise CuelloError(f"{module} is not Cuello's, and other code is not run from a file.")
        function = getattr(import_module(module), name)
        folder = None if described["folder"] is None else Path(described["folder"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise CuelloError(f"{place} has no task {number} that can be read ({first_line(error)}).") from None
    node = os.environ.get("SLURMD_NODENAME", "")
    try:
        result = function(described["argument"], TaskContext(folder, lambda share, words: None, check))
    except (KeyboardInterrupt, Interrupted):
        asked_again(node)
        return 128 + (stopped or [signal.SIGINT])[0]
    except CuelloError as error:
        said = f"node {node}: {error.args[0]}" if node else str(error.args[0])
        found = {"error": said, "fault": isinstance(error, Fault)}
        print(f"cuello: {error}", file=sys.stderr)
    else:
        found = {"result": result}
    write_text(result_path(place, described), json.dumps(found, indent=2) + "\n")
    return 2 if "error" in found else 0


def asked_again(node: str) -> None:
    """Put a job that was stopped into Slurm's queue again; on no machine of Slurm's, do nothing."""
    array, number = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    if node and array and number and shutil.which("scontrol"):
        import subprocess

        subprocess.run(["scontrol", "requeue", f"{array}_{number}"], check=False)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        sys.exit("cuello: needed FOLDER NUMBER, as job.sh gives them.")
    try:
        sys.exit(do_one(Path(sys.argv[1]), int(sys.argv[2])))
    except CuelloError as problem:
        sys.exit(f"cuello: {problem}")
