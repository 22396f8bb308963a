"""``--ranks``: one training in several processes of this machine, started, watched and ended from here."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from cuello.core.errors import AT_COMMAND_LINE, CuelloError, Elsewhere, Fault, Interrupted
from cuello.core.own import ALLOWED
from cuello.core.parent import GRACE_SECONDS
from cuello.core.progress import OnProgress, Progress
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.training.observers import EpochDone, Event, Observer, Started, StepDone, Stopped
from cuello.training.ranks.group import RankLost
from cuello.training.ranks.place import RENDEZVOUS, place_of
from cuello.work.ranks import how_to_go_on

LOOPBACK = {"linux": "lo", "darwin": "lo0"}
"""The network that no other machine sees, as gloo is told it."""
FAILURES: Mapping[str, type[Exception]] = {
    one.__name__: one for one in (CuelloError, Fault, Interrupted, RankLost, Elsewhere)
}  # fmt: skip
"""What a call may raise that is for people; its parent raises the same."""
EVENTS = {one.__name__: one for one in (Started, StepDone, EpochDone, Stopped)}


@dataclass
class Child:
    """A process, and what it said of its end: the kind of error and its words; ("", "") where all went well."""

    rank: int
    process: "subprocess.Popen[str]"
    end: tuple[str, str] | None = None
    gone: bool = False


@dataclass(frozen=True)
class Hearing:
    """Who hears of a training: called with its events, and with the progress of reading and evaluating."""

    observers: Sequence[Observer]
    progress: OnProgress


@dataclass
class Launched:
    """The processes of a call, and what their lines are told to.

    run: where the training lies.
    """

    run: Run
    hearing: Hearing
    children: list[Child] = field(default_factory=list)
    lines: "queue.Queue[tuple[Child, str]]" = field(default_factory=queue.Queue)

    def begin(self, rank: int, ranks: int, call: Mapping[str, Any], meeting: Path) -> None:
        """Start one process and hand it the call."""
        own = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, RENDEZVOUS: meeting}
        environment = os.environ | {name: str(value) for name, value in own.items()}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if sys.platform in LOOPBACK:
            environment |= {"GLOO_SOCKET_IFNAME": LOOPBACK[sys.platform]}
        process = subprocess.Popen(
            [sys.executable, "-m", "cuello.work.rank"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
            env=environment, start_new_session=True,
        )  # fmt: skip
        child = Child(rank, process)
        self.children.append(child)
        threading.Thread(target=self._read, args=[child], daemon=True).start()
        if process.stdin is not None:
            process.stdin.write(json.dumps(call, default=str) + "\n")
            process.stdin.flush()

    def _read(self, child: Child) -> None:
        """Pass on what a process says, line by line, and, as an empty line, that it has ended."""
        if child.process.stdout is not None:
            for line in child.process.stdout:
                self.lines.put((child, line))
        child.process.wait()
        self.lines.put((child, ""))

    def hear(self, seconds: float | None = None) -> Child | None:
        """Take in one line; return the process that said it, None where nobody said anything for so long."""
        try:
            child, line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return None
        said: dict[str, Any] = json.loads(line) if line else {"kind": "gone"}
        match said["kind"]:
            case "gone":
                child.gone = True
            case "done":
                child.end = ("", "")
            case "failed":
                child.end = (said["name"], said["text"])
            case "event" if child.rank == 0:
                for observer in self.hearing.observers:
                    observer(event_of(said["name"], said["value"]))
            case "progress" if child.rank == 0:
                path = said["value"]["path"]
                told = {**said["value"], "path": None if path is None else Path(path)}
                self.hearing.progress(Progress(**told))
            case "warning" if child.rank == 0:
                warnings.warn(said["text"], stacklevel=4)
        return child

    def wait(self) -> None:
        """Wait until all have ended, or one without having done its work."""
        while not all(child.gone for child in self.children):
            child = self.hear(1.0)
            if child is not None and child.gone and child.end != ("", ""):
                return

    def stop(self) -> None:
        """Ask all to stop at their next step, and end those that do not."""
        for child in self.children:
            if child.process.stdin is not None:
                with suppress(OSError):
                    child.process.stdin.close()
        end = time.monotonic() + GRACE_SECONDS + 2
        while not all(child.gone for child in self.children):
            if time.monotonic() > end:
                for child in self.children:
                    child.process.kill()
            self.hear(0.2)

    def saved(self) -> str:
        """Say what is saved and how to go on; nothing where nothing is."""
        if not self.run.checkpoint_path.is_file():
            return ""
        return f"; {how_to_go_on(self.run)}"

    def check(self, ended: Sequence[Child]) -> None:
        """Raise what ended the training, if anything did. ended: those that did so before any was asked to."""
        for child in ended:
            if child.end is None:
                code = child.process.returncode
                how = f"by signal {-code}, perhaps because memory ran out" if code < 0 else f"with code {code}"
                raise Fault(f"rank {child.rank} was ended from outside ({how}){self.saved()}")
        words = [child.end for child in self.children if child.end not in (None, ("", ""))]
        own = [one for one in words if one is not None and one[0] not in ("Elsewhere", "RankLost", "Interrupted")]
        for name, text in own or [one for one in words if one is not None]:
            if name in FAILURES:
                raise FAILURES[name](text)
            raise RuntimeError(f"a rank failed:\n{text}")


def event_of(name: str, value: Mapping[str, Any]) -> Event:
    """Make an event of what a line says."""
    if name == "EpochDone":
        value = {**value, "record": EpochRecord(**value["record"])}
    return EVENTS[name](**value)


def in_ranks(ranks: int, call: str, arguments: Mapping[str, Any], *, run: Run, hearing: Hearing) -> Run:
    """Make a call of train or resume in so many processes, which train one network together, and return its run.

    arguments: what can be written as JSON. run: where it will lie. Rank 0's events and progress are told as if the call
    were made here. Raises what rank 0 would, and Fault where a process is ended from outside; they all end with this
    one, however that ends.
    """
    said = {
        "call": call, "arguments": arguments, "allowed": sorted(map(str, ALLOWED)),
        "at_command_line": AT_COMMAND_LINE.get(),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="cuello-ranks-") as folder:
        launched, ended = Launched(run, hearing), list[Child]()
        try:
            for rank in range(ranks):
                launched.begin(rank, ranks, said, meeting=Path(folder) / "meeting")
            launched.wait()
            ended = [child for child in launched.children if child.gone]
        except KeyboardInterrupt:
            launched.stop()
            raise Interrupted(f"stopped{launched.saved()}") from None
        finally:
            launched.stop()
    launched.check(ended)
    return run


def is_several(ranks: int | None) -> TypeGuard[int]:
    """Tell whether several processes are asked for; CuelloError where they cannot be, or somebody else started some."""
    if ranks is not None and ranks < 1:
        raise CuelloError(f"--ranks: got {ranks}, needed 1 or more.")
    if ranks is not None and (place := place_of()) is not None:
        raise CuelloError(
            f"{place.started_by} has started {place.ranks} ranks already: leave out --ranks, or start cuello by itself."
        )
    return ranks is not None and ranks > 1
