"""Tasks on Ray: a head of this machine's own, a cluster of several machines, or Kubernetes by way of KubeRay.

Every task is one of Ray's, with its cores and GPUs. What a machine that is lost was doing goes on elsewhere, from what
was saved last. Machines that do not share the folder of the work are sent what is there, and what they write is brought
back, after every epoch and in the end.
"""

import logging
import os
import signal
import socket
import tempfile
import time
import traceback
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cuello.cluster.base import ClusterTask, Ending, Say, TaskContext, Tell, unsaid, untold
from cuello.cluster.carried import content_of, put_down, stamps_of
from cuello.cluster.survey import differences, surveyed
from cuello.core.errors import CuelloError, Fault, first_few, first_line
from cuello.core.files import as_cuello_error, make_folder, temporary_name

HEAR_SECONDS, TELL_SECONDS, LOOK_SECONDS = 0.2, 0.5, 0.05
"""How often the caller listens, a task tells, and a task looks whether it is to stop."""
CONNECT_SECONDS, SURVEY_SECONDS, STOP_SECONDS = 5.0, 120.0, 60.0
MOST_SENT, MOST_LOST = 1000, 5
"""How many tasks wait at Ray at most, and how often one may lose its machine."""
STORE_BYTES = 200 * 2**20
SENT_BYTES = STORE_BYTES // 2
"""What the tasks that wait at Ray are called with holds so many bytes at most, or one task."""


@dataclass(frozen=True)
class Ray:
    """A Ray cluster. address: of its head, HOST:PORT, or auto for the one that this machine belongs to; "": a head that
    is started here, for this machine alone. workers: how many tasks at once at most; None: as many as it has cores.
    """

    address: str = ""
    workers: int | None = None
    remote: bool = True

    @property
    def name(self) -> str:
        return f"ray://{self.address}" if self.address else "ray"

    def run(
        self, tasks: Sequence[ClusterTask], *, folder: Path | None, tell: Tell = untold, say: Say = unsaid
    ) -> Generator[Ending]:
        """Run every task as one of Ray's; see ``base.Cluster``."""
        with connected(self) as ray, marked(folder) as mark:
            apart = look_around(ray, tasks, mark, say=say)
            running = Running(ray, tasks, mark, most=self.workers or MOST_SENT, apart=apart, tell=tell, say=say)
            try:
                yield from running.endings()
            finally:
                running.stop()


def load_ray() -> Any:
    """Import Ray, which then reports nothing to anybody; CuelloError where it is missing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise CuelloError("--cluster=ray needs Ray: pip install 'cuello[cluster]'.") from None
    return ray


@contextmanager
def connected(cluster: Ray) -> Iterator[Any]:
    """Give Ray, connected for the time of the block; a connection that the caller has already is used, and stays."""
    ray = load_ray()
    if ray.is_initialized():
        yield ray
        return
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        if cluster.address:
            join(ray, cluster, quiet)
        else:
            start(ray, cluster, quiet)
        for number, handler in handlers.items():  # Ray puts its own in their place
            with suppress(ValueError, TypeError):  # in another thread than the main one
                signal.signal(number, handler)
        yield ray
    finally:
        ray.shutdown()


def start(ray: Any, cluster: Ray, quiet: Mapping[str, Any]) -> None:
    """Start a head that listens on 127.0.0.1 alone: Ray would put the machine's address in its place."""
    from ray._private import services

    resolve = services.resolve_ip_for_localhost
    services.resolve_ip_for_localhost = lambda host: host
    try:
        ray.init(
            _node_ip_address="127.0.0.1", include_dashboard=False, num_cpus=cluster.workers,
            object_store_memory=STORE_BYTES, **quiet,
        )  # fmt: skip
    finally:
        services.resolve_ip_for_localhost = resolve


def join(ray: Any, cluster: Ray, quiet: Mapping[str, Any]) -> None:
    """Connect to a cluster that runs; CuelloError where it is away, of another version, or none of Ray's."""
    host, _, port = cluster.address.rpartition(":")
    if cluster.address != "auto":
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise CuelloError(
                f"--cluster={cluster.name}: nobody answers at {cluster.address} ({error.strerror or error}). Start "
                f"Ray's head there, or leave out the address for one of this machine alone: --cluster=ray."
            ) from None
    try:
        ray.init(address=cluster.address, **quiet)
    except Exception as error:  # Ray raises of many kinds
        said = " ".join(str(error).split())
        if "ersion" in said and "mismatch" in said:
            raise CuelloError(f"--cluster={cluster.name}: the head is of another version. {said}") from None
        raise CuelloError(
            f"--cluster={cluster.name}: this machine could not join the cluster ({first_line(error)}). Needed: a "
            "head that runs, and this machine among its nodes, with the same Ray and Python."
        ) from None


@contextmanager
def marked(folder: Path | None) -> Iterator["Mark"]:
    """Write a file to the folder of the work for the time of the block, and give its path and what it holds."""
    token = uuid.uuid4().hex
    if folder is None:
        yield Mark(None, token)
        return
    marker = make_folder(folder.absolute()) / temporary_name("shared")
    try:
        marker.write_text(token, "utf-8")
    except OSError as error:
        raise as_cuello_error(error, folder) from error
    try:
        yield Mark(str(marker), token)
    finally:
        marker.unlink(missing_ok=True)


def node_names(ray: Any, dead: bool = False) -> dict[str, str]:
    """Return what the nodes that live (or all) are called for people, by Ray's number of each."""
    return {
        node["NodeID"]: f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:6]})"
        for node in ray.nodes()
        if dead or node["Alive"]
    }


def on_node(node: str, soft: bool = False) -> Any:
    """Return what tells Ray where something must, or (soft) should, run."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=soft)


def look_around(ray: Any, tasks: Sequence[ClusterTask], mark: "Mark", *, say: Say) -> bool:
    """Ask every node what it is and has, before any work; return whether some do not share the folder of the work.

    Raises CuelloError that names each node that has not what is needed. say: told which do not share the folder.
    """
    reads = sorted({str(path.expanduser().absolute()) for task in tasks for path in task.reads})
    names, here = node_names(ray), surveyed(reads)
    asked = ray.remote(num_cpus=0, max_retries=0)(surveyed)
    answers = {asked.options(scheduling_strategy=on_node(node)).remote(reads, *mark): node for node in names}
    ray.wait(list(answers), num_returns=len(answers), timeout=SURVEY_SECONDS)
    wrong: list[str] = []
    apart: list[str] = []
    for answer, node in answers.items():
        try:
            there = ray.get(answer, timeout=0)
        except ray.exceptions.GetTimeoutError:
            wrong.append(f"{names[node]} does not answer: stop it, or start it again.")
        except ray.exceptions.RayError as error:
            if isinstance(error, ray.exceptions.TaskUnschedulableError) or node not in node_names(ray):
                say(f"{names[node]} is gone, and is not counted on")
                continue
            lines = str(error).strip().splitlines() or [type(error).__name__]
            wrong.append(f"{names[node]} cannot begin: {lines[-1].strip()}. Install cuello there as it is here.")
        else:
            wrong += differences(here, there, names[node])
            apart += [names[node]] if not there.shares else []
    if mark.path is not None and any(task.shared for task in tasks):
        wrong += [not_shared(node, mark.path) for node in apart]
    if wrong:
        raise CuelloError(" ".join(wrong))
    apart = apart if any(task.folder for task in tasks) else []
    if apart:
        whose = "do" if len(apart) > 1 else "does"
        say(f"{first_few(apart)} {whose} not share the folder of the work: what is made there is brought back")
    most = {name: max((node["Resources"].get(name, 0) for node in ray.nodes()), default=0) for name in ("CPU", "GPU")}
    for needed, name, words in (
        (max((task.cores for task in tasks), default=0), "CPU", "cores"),
        (max((task.gpus for task in tasks), default=0), "GPU", "GPUs"),
    ):
        if needed > most[name]:
            say(f"no node has {needed:g} {words} at the moment (the most: {most[name]:g}): waiting for one that has")
    return bool(apart)


def not_shared(node: str, marker: str) -> str:
    """Say that a machine does not see the folder that all tasks write to."""
    return (
        f"{node} does not share {Path(marker).parent}, where every machine writes to: choose a folder that all see, or "
        "leave out --cluster."
    )


class Post:
    """Where tasks leave news for the caller, and see whether they are to stop. It runs beside the caller."""

    def __init__(self) -> None:
        self.news: list[tuple[int, str, Any]] = []
        self.stopped = False

    def put(self, place: int, kind: str, content: Any) -> bool:
        """Leave news of a task; returns whether it is to stop."""
        if kind:
            self.news.append((place, kind, content))
        return self.stopped

    def take(self) -> list[tuple[int, str, Any]]:
        """Return what has come since the last time."""
        found, self.news = self.news, []
        return found

    def stop(self) -> None:
        """Ask all tasks to stop."""
        self.stopped = True


class Mark(NamedTuple):
    """A file in the folder of the work, and what the caller wrote to it: who reads the same shares the folder."""

    path: str | None
    token: str


class Order(NamedTuple):
    """What is sent with a task. cwd: the caller's folder. content: of the task's folder, where not all nodes share it,
    else None.
    """

    place: int
    task: ClusterTask
    cwd: str
    mark: Mark
    content: Mapping[str, bytes] | None


class Report(NamedTuple):
    """What a task came to: on which node, its result or error, and files that are to be brought back."""

    node: str
    result: Any = None
    error: Exception | None = None
    content: Mapping[str, bytes] = {}


@dataclass
class Running:
    """Tasks under way. most: how many are sent at once. apart: whether a node does not share the folder. size: bytes
    of what is sent. lost: how often a task's machine was lost. refused: nodes that could not do a task.
    """

    ray: Any
    tasks: Sequence[ClusterTask]
    mark: Mark
    most: int
    apart: bool
    tell: Tell
    say: Say
    waiting: list[int] = field(default_factory=list)
    sent: dict[Any, int] = field(default_factory=dict)
    size: int = 0
    begun: dict[int, str] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    refused: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = self.ray.get_runtime_context().get_node_id()
        self.post = self.ray.remote(num_cpus=0)(Post).options(scheduling_strategy=on_node(own)).remote()
        self.work = self.ray.remote(max_retries=0)(do)
        self.waiting = list(range(len(self.tasks)))

    def endings(self) -> Generator[Ending]:
        """Send the tasks, listen, and yield what became of each."""
        while self.waiting or self.sent:
            while self.waiting and self.has_room(self.tasks[self.waiting[0]]):
                self.send(self.waiting.pop(0))
            ready, _ = self.ray.wait(list(self.sent), num_returns=1, timeout=HEAR_SECONDS)
            if ready:
                ready, _ = self.ray.wait(list(self.sent), num_returns=len(self.sent), timeout=0)
            self.hear()
            for one in ready:
                place = self.sent.pop(one)
                self.size -= self.tasks[place].size
                ending = self.ended(one, place)
                if ending is not None:
                    yield ending

    def has_room(self, task: ClusterTask) -> bool:
        """Tell whether one more may be sent."""
        return len(self.sent) < self.most and (not self.sent or self.size + task.size <= SENT_BYTES)

    def send(self, place: int) -> None:
        """Hand a task to Ray, away from nodes where it could not be done."""
        task, where = self.tasks[place], "SPREAD"
        if refused := self.refused.get(place):
            where = on_node(next(node for node in node_names(self.ray) if node not in refused), soft=True)
        content = content_of(task.folder) if self.apart and task.folder is not None else None
        options = {"num_cpus": task.cores, "num_gpus": task.gpus, "scheduling_strategy": where}
        order = Order(place, task, os.getcwd(), mark=self.mark, content=content)
        self.sent[self.work.options(**options).remote(order, self.post)] = place
        self.size += task.size

    def hear(self) -> None:
        """Tell what the tasks have said, and write down what they have sent."""
        for place, kind, content in self.ray.get(self.post.take.remote()):
            if kind == "begun":
                self.begun[place] = content
                self.tell(place, 0.0, "")
            elif kind == "told":
                self.tell(place, *content)
            else:
                self.put_down(place, content)

    def put_down(self, place: int, content: Mapping[str, bytes]) -> None:
        """Write what a task has made to its folder, which its machine does not share."""
        if (folder := self.tasks[place].folder) is not None:
            put_down(folder, content)

    def ended(self, one: Any, place: int) -> Ending | None:
        """Return what became of a task; None where it is to be done again."""
        name = self.tasks[place].name or f"task {place + 1}"
        try:
            report: Report = self.ray.get(one)
        except self.ray.exceptions.RayTaskError as error:
            return Ending(place, error=RuntimeError(str(error)))
        except self.ray.exceptions.RayError as error:  # the machine, or the process
            self.lost[place] = self.lost.get(place, 0) + 1
            where = node_names(self.ray, dead=True).get(self.begun.get(place, ""), "a node")
            if self.lost[place] > MOST_LOST:
                return Ending(place, error=CuelloError(
                    f"{name}: {where} was lost, or its process ended from outside, for the {self.lost[place]}th time, "
                    f"perhaps because memory ran out ({first_line(error)}). What is saved is kept."
                ))  # fmt: skip
            self.say(f"{name}: {where} was lost, or its process; it goes on elsewhere from what was saved last")
            self.waiting.insert(0, place)
            return None
        self.put_down(place, report.content)
        if isinstance(report.error, Fault):
            refused = self.refused.setdefault(place, set())
            refused.add(report.node)
            if len(refused) == 1 and any(node not in refused for node in node_names(self.ray)):
                self.say(f"{name}: {report.error} It goes on elsewhere")
                self.waiting.insert(0, place)
                return None
        return Ending(place, report.result, report.error)

    def stop(self) -> None:
        """Ask all tasks to stop at their next check, and wait until they have."""
        if not self.sent:
            return
        with suppress(self.ray.exceptions.RayError):
            self.ray.get(self.post.stop.remote())
            for one, place in self.sent.items():
                if place not in self.begun:
                    self.ray.cancel(one)
            self.ray.wait(list(self.sent), num_returns=len(self.sent), timeout=STOP_SECONDS)
            self.hear()


# On the node


class TaskLine:
    """A task's line to the post: it never waits for an answer, and looks at it later."""

    def __init__(self, ray: Any, post: Any, place: int) -> None:
        self.ray, self.post, self.place = ray, post, place
        self.answer: Any = None
        self.asked = self.looked = 0.0
        self.news: tuple[float, str] | None = None
        self.stopped = False

    def tell(self, share: float, words: str) -> None:
        """Say how far the task is."""
        self.news = (share, words)
        self.look()

    def check(self) -> None:
        """Raise KeyboardInterrupt where the task is to stop."""
        self.look()
        if self.stopped:
            raise KeyboardInterrupt

    def look(self) -> None:
        """Read the last answer, if it is there, and ask again, now and then."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        if self.answer is not None and self.ray.wait([self.answer], timeout=0)[0]:
            self.stopped, self.answer = self.ray.get(self.answer), None
        if self.answer is None and now - self.asked > TELL_SECONDS:
            self.asked, kind = now, "told" if self.news else ""
            self.answer, self.news = self.post.put.remote(self.place, kind, self.news), None


def do(order: Order, post: Any) -> Report:
    """Do a task on a node, in its folder or, where that is not shared, in one of the node's own."""
    import ray

    task, node = order.task, ray.get_runtime_context().get_node_id()
    line = TaskLine(ray, post, order.place)
    if ray.get(post.put.remote(order.place, "begun", node)):
        return Report(node)
    with suppress(OSError):
        os.chdir(order.cwd)
    try:
        shares = (task.folder is None and not task.shared) or surveyed([], *order.mark).shares
        if task.shared and not shares:  # a node that came later
            raise Fault(not_shared("this machine", str(order.mark.path)))
        if shares:
            context = TaskContext(task.folder, line.tell, line.check)
            return Report(node, task.function(task.argument, context))
        return done_apart(order, post, node=node, line=line)
    except KeyboardInterrupt:
        return Report(node)
    except Exception as error:
        return Report(node, error=named(error, node_names(ray)[node]))


def done_apart(order: Order, post: Any, *, node: str, line: TaskLine) -> Report:
    """Do a task in a folder of the node's own, begun with what is in the caller's, and bring back what changes."""
    task = order.task
    assert task.folder is not None
    if order.content is None:
        raise Fault(f"{task.folder} is not shared here, though it was everywhere when the work began.")
    try:
        place = tempfile.TemporaryDirectory(prefix="cuello-")
    except OSError as error:
        raise as_cuello_error(error, Path(tempfile.gettempdir())) from error
    with place as above:
        folder = Path(above) / task.folder.name
        put_down(folder, order.content)
        known = stamps_of(folder)

        def keep() -> None:
            nonlocal known
            content, known = content_of(folder, known), stamps_of(folder)
            if content:
                line.ray.get(post.put.remote(order.place, "kept", content))

        result = task.function(task.argument, TaskContext(folder, line.tell, line.check, keep=keep))
        return Report(node, result, content=content_of(folder, known))


def named(error: Exception, node: str) -> Exception:
    """Return an error that can be sent, and says where it happened; one that nobody expected with its traceback."""
    if isinstance(error, CuelloError):
        return type(error)(f"{node}: {error.args[0] if error.args else ''}")
    if isinstance(error, MemoryError):
        return CuelloError(f"{node}: memory ran out.")
    return RuntimeError(f"{node}: {first_line(error)}\n{''.join(traceback.format_exception(error))}")
