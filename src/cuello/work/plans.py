"""The runner of many trainings, for repeats, searches and studies. Very small ones are trained at once; others one by
one, or each as a task of a cluster, with one thread each, so that cores never wait for one another.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from cuello.cluster.base import Cluster, ClusterTask, TaskContext
from cuello.cluster.catalog import find_cluster
from cuello.core.config import paths_as_text
from cuello.core.errors import CuelloError, Fault
from cuello.core.memory import free_memory
from cuello.core.own import file_of, is_known_here, is_reference, parts_in
from cuello.core.progress import OnProgress, Progress
from cuello.data.handed import is_handed
from cuello.runs.directory import Run, available_cores
from cuello.runs.settings import trained_config
from cuello.training.device import choose_device
from cuello.training.observers import EpochDone, Event, Observer, Started, StepDone
from cuello.work.at_once import batches_at_once, train_at_once
from cuello.work.ranks import check_alone
from cuello.work.train import RunOptions, check_same, is_finished, resolve, train_or_resume

TELL_SECONDS = 0.2
MOST_WORKERS, WORKER_BYTES = 8, 5 * 2**29
"""How many trainings at once at most, by default, and what one may take: the largest so far took 2.3 GB."""

Tell = Callable[[Sequence[int], float, str], None]
"""Called with the places of plans that are trained at once, or of a single one, how far they are, 0 to 1, and words."""


class Hopeless(Exception):
    """Raised by an observer to stop a training that is worse than others; its run directory stays as it is."""


@dataclass(frozen=True)
class PlannedRun:
    """A training to be made or finished: its run directory, its settings, its name for people, and its cost.

    turn: it begins when all of lower turns are finished, because it uses what they made. group: where one of a group
    fails, the rest of it is left out. observers: of this training alone, where it is made by itself.
    """

    path: Path
    settings: Mapping[str, Any]
    name: str = ""
    cost: float = 1.0
    turn: int = 0
    group: str | None = None
    observers: Sequence[Observer] = ()


class Outcome(NamedTuple):
    """What became of a plan, or of several that were trained at once: their places, and what stopped them."""

    places: Sequence[int]
    error: Exception | None = None


def run_plans(
    plans: Sequence[PlannedRun],
    options: RunOptions,
    *,
    cluster: Cluster | None = None,
    retry: bool = False,
    tell: Tell = lambda places, share, words: None,
    say: Callable[[str], None] = lambda reason: None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Generator[Outcome]:
    """Make or finish every training, and yield what became of each as soon as it is known.

    First come those that are faster at once, in this process with the threads of all cores; then the others in their
    order: tasks of ``cluster``, and those that only this process can make, because it alone knows a part of one's own,
    images or an observer. Without a cluster all are made here. retry: where a batch fails, train each of it by itself,
    so that each says whether it fails.
    say: called with the reason where plans come close, and yet cannot be trained at once. note: with what a cluster has
    to say. What is no failure of one training, but a fault, is raised, as is KeyboardInterrupt, after the others have
    stopped at their next step. What was trained is kept, and a later call goes on.
    """
    check_alone("this")
    left = dict(enumerate(plans))
    runs, settings = [Run(plan.path) for plan in plans], [plan.settings for plan in plans]
    common: dict[str, Any] = {"report": options.report, "sweep": options.sweep, "progress": options.progress}
    for batch in batches_at_once(runs, settings, **common, say=say) if len(plans) > 1 else ():
        tell(batch.places, 0.0, "")
        threads = None if cluster is None else available_cores()
        observer = observer_of(lambda share, words, places=batch.places: tell(places, share, words))
        error = None
        try:
            train_at_once(batch, threads=threads, observers=[*options.observers, observer], **common)
        except Exception as failure:
            if not is_failure(failure):
                raise
            error = failure
        if error is None or not retry:
            for place in batch.places:
                del left[place]
            tell(batch.places, 1.0, "")
            yield Outcome(batch.places, error)
    here = {place: plan for place, plan in left.items() if cluster is None or not may_go(plan)}
    apart = {place: plan for place, plan in left.items() if place not in here}
    if cluster is not None and apart:
        yield from run_apart(apart, options, cluster, tell=tell, note=note)
    yield from run_in_turn(here, options, tell)


def may_go(plan: PlannedRun) -> bool:
    """Tell whether another process could make a training: nothing of it is known to this one alone."""
    images = [value for name in ("data", "target") if isinstance(value := plan.settings.get(name), str)]
    return not (plan.observers or is_known_here(plan.settings) or any(map(is_handed, images)))


def run_in_turn(plans: Mapping[int, PlannedRun], options: RunOptions, tell: Tell) -> Iterator[Outcome]:
    """Make or finish plans in this process, one after another."""
    failed: set[str] = set()
    for place, plan in plans.items():
        if plan.group in failed:
            continue
        tell([place], 0.0, "")
        observer = observer_of(lambda share, words, place=place: tell([place], share, words))
        error = train_plan(plan, replace(options, observers=[*options.observers, observer, *plan.observers]))
        if error is not None and plan.group is not None:
            failed.add(plan.group)
        tell([place], 1.0, "")
        yield Outcome([place], error)


def train_plan(plan: PlannedRun, options: RunOptions) -> Exception | None:
    """Make or finish one training, and return what stopped it, if anything did; a fault is raised."""
    try:
        train_or_resume(plan.path, plan.settings, **vars(options))
    except Exception as error:
        if not is_failure(error):
            raise
        return error
    return None


def is_failure(error: Exception) -> bool:
    """Tell whether an error is of one training, or a fault that ends all."""
    out_of_memory = isinstance(error, RuntimeError) and "memory" in str(error)
    own = isinstance(error, CuelloError | MemoryError | Hopeless) and not isinstance(error, Fault)
    return out_of_memory or own


def observer_of(tell: Callable[[float, str], None], check: Callable[[], None] = lambda: None) -> Observer:
    """Return an observer that tells, now and then, how far a training is. check: called at every step."""
    epochs, said = 1, 0.0

    def observe(event: Event) -> None:
        nonlocal epochs, said
        if isinstance(event, Started):
            epochs = event.epochs
        elif isinstance(event, StepDone):
            check()
            if event.step == event.steps or time.monotonic() - said > TELL_SECONDS:
                said = time.monotonic()
                done = (event.epoch - 1 + event.step / event.steps) / epochs
                tell(min(done, 0.999), f"epoch {event.epoch} of {epochs}, loss {event.loss:.5f}")

    return observe


# Apart


def default_workers(device: str) -> int:
    """Return how many trainings to make at once: one per core, as far as memory allows; one where there is a GPU."""
    if choose_device(device).type != "cpu":
        return 1
    return max(1, min(available_cores(), MOST_WORKERS, free_memory() // WORKER_BYTES))


def cluster_for(
    cluster: str | None, workers: int | None, *, device: str = "auto", observers: Sequence[Observer] = ()
) -> Cluster | None:
    """Return where trainings are made that are asked for with these; None: in this process, one after another.

    cluster: a word of ``cluster.catalog``, by default this machine's processes where ``workers`` asks for several.
    observers: the caller's, which see trainings of this process alone; CuelloError where others are asked for.
    """
    if workers is None and cluster == "processes":
        workers = default_workers(device)
    found = find_cluster(cluster or "processes", workers)
    if cluster is None and workers in (None, 1):
        return None
    if observers:
        raise CuelloError("observers see trainings of this process alone. Leave them out, or --workers and --cluster.")
    return found


def done_before(plan: PlannedRun, options: RunOptions) -> bool:
    """Tell whether a training is there already, and finished; CuelloError where one with other settings is."""
    run = Run(plan.path)
    if not run.is_begun:
        return False
    config = trained_config(run)
    check_same(run, config, resolve(plan.settings))
    return is_finished(run, config, options.report)


def run_apart(
    plans: Mapping[int, PlannedRun],
    options: RunOptions,
    cluster: Cluster,
    *,
    tell: Tell,
    note: Callable[[str], None],
) -> Iterator[Outcome]:
    """Make or finish plans, without observers, as tasks of a cluster; other machines get only what is left to do."""
    for place in [place for place, plan in plans.items() if cluster.remote and done_before(plan, options)]:
        plans = {other: plan for other, plan in plans.items() if other != place}
        tell([place], 1.0, "")
        yield Outcome([place])
    if not plans:
        return
    places = list(plans)
    tasks = [task_of(plan, options, cluster.remote) for plan in plans.values()]

    def tell_one(place: int, share: float, words: str) -> None:
        tell([places[place]], share, words)

    folder, said = common_folder([plan.path for plan in plans.values()]), set[str]()
    with closing(cluster.run(tasks, folder=folder, tell=tell_one, say=note)) as endings:
        for ending in endings:
            for sentence in ending.result or ():
                if sentence not in said:
                    said.add(sentence)
                    note(sentence)
            if ending.error is not None and not is_failure(ending.error):
                raise ending.error
            tell([places[ending.place]], 1.0, "")
            yield Outcome([places[ending.place]], ending.error)


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the innermost folder that holds all of these."""
    parents = [path.absolute().parents for path in paths]
    return next(folder for folder in parents[0] if all(folder in others for others in parents))


def task_of(plan: PlannedRun, options: RunOptions, remote: bool = False) -> ClusterTask:
    """Return a training as a task of a cluster, with one thread where no other number is asked for.

    remote: on another machine, which gives it a GPU where one is asked for, and no other.
    """
    settings = paths_as_text(plan.settings)
    threads = int(settings.get("threads") or 1)
    settings["threads"] = threads
    device = settings.get("device") or "auto"
    on_gpu = remote and str(device).startswith("cuda")
    if on_gpu:
        settings["device"] = "cuda"
    argument = {"settings": settings, "report": options.report, "sweep": list(options.sweep)}
    reads = [Path(settings[name]) for name in ("data", "target", "start_from") if is_path(settings.get(name))]
    reads += [file_of(text) for _, text in parts_in(settings) if is_reference(text)]
    return ClusterTask(
        train_task, argument, plan.name or plan.path.name, folder=plan.path, reads=reads, cost=plan.cost, cores=threads,
        gpus=float(on_gpu),
    )  # fmt: skip


def is_path(value: Any) -> bool:
    """Tell whether a setting names files here, and not a data set."""
    return isinstance(value, str) and not is_reference(value) and Path(value).expanduser().exists()


def train_task(argument: Mapping[str, Any], context: TaskContext) -> list[str]:
    """Make or finish a training in the folder of its context; it stops at its next step when told so.

    Returns why images were left out, a sentence each, for the caller to say.
    """
    assert context.folder is not None
    ended, left_out = False, list[str]()

    def hear(event: Progress) -> None:
        if event.note is not None and event.note.startswith("left out: "):
            left_out.append(event.note)

    def keep(event: Event) -> None:
        nonlocal ended
        if ended:  # told before is what was saved before
            context.keep()
        ended = isinstance(event, EpochDone)

    plan = PlannedRun(context.folder, argument["settings"])
    observers = [observer_of(context.tell, context.check), keep]
    options = RunOptions(argument["report"], tuple(argument["sweep"]), observers, progress=hear)
    error = train_plan(plan, options)
    if error is not None:
        raise error
    return left_out


# Turn after turn


@dataclass
class Shares:
    """How far each plan is, told as one share of the whole and a few words."""

    plans: Sequence[PlannedRun]
    watch: OnProgress
    shares: dict[int, float] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)

    def tell(self, places: Sequence[int], share: float, words: str) -> None:
        """Take in that plans are so far, 0 to 1, and tell the whole; what is over stays over."""
        if share < 1 and self.shares.get(places[0], 0.0) >= 1:
            return
        for place in places:
            self.shares[place] = share
            self.words.pop(place, None)
        if share < 1:
            name = self.plans[places[0]].name if len(places) == 1 else f"{len(places)} at once"
            self.words[places[0]] = f"{name} {words}".strip()
        done = sum(1 for value in self.shares.values() if value >= 1)
        active = [self.words[place] for place in sorted(self.words)]
        self.watch(Progress("  ".join([f"{done} of {len(self.plans)} trained", *active]), self.reached))

    @property
    def reached(self) -> float:
        """The share of the whole that is done."""
        total = sum(plan.cost for plan in self.plans)
        return sum(plan.cost * self.shares.get(place, 0.0) for place, plan in enumerate(self.plans)) / total


def run_turns(
    plans: Sequence[PlannedRun],
    cluster: Cluster | None,
    watch: OnProgress,
    before_turn: Callable[[int, OnProgress], None] = lambda turn, tell: None,
) -> None:
    """Make or finish every training, turn after turn, the most costly of a turn first, without reports.

    cluster: where; None: in this process, one after another. before_turn: called before the plans of a turn with its
    number, and with what it should tell its doing to.
    Raises the first mistake, after the others have stopped at their next step.
    """
    shares = Shares(plans, watch)
    for turn in sorted({plan.turn for plan in plans}):
        places = sorted((n for n, plan in enumerate(plans) if plan.turn == turn), key=lambda n: -plans[n].cost)
        before_turn(turn, lambda event: watch(Progress(event.stage, shares.reached)))

        def tell(own: Sequence[int], share: float, words: str, places: Sequence[int] = places) -> None:
            shares.tell([places[place] for place in own], share, words)

        def note(words: str) -> None:
            watch(Progress("training", shares.reached, note=words))

        chosen = [plans[place] for place in places]
        options = RunOptions(report=False)
        with closing(run_plans(chosen, options, cluster=cluster, tell=tell, note=note)) as outcomes:
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
