"""What a study is: trainings to make, and a story to tell about them; and how one is run, resumed and reported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from cuello.cluster.base import Cluster
from cuello.core.caller import caller_kept
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.files import make_folder, write_text
from cuello.core.lock import is_unused, kept
from cuello.core.progress import OnProgress, Progress, listener
from cuello.core.schema import read_json
from cuello.inference.model import Model, load
from cuello.models.catalog import architecture_of, build
from cuello.models.named import find_network
from cuello.models.summary import summarise
from cuello.report.figures import Theme, save_both
from cuello.report.grids import Series, lines
from cuello.report.page import Picture, Section, Table, write_page
from cuello.report.result import csv_text
from cuello.runs.directory import Run, available_cores, environment, write_json
from cuello.runs.history import EpochRecord, best_epoch
from cuello.runs.settings import trained_config
from cuello.scoring.repeats import Spread, spread
from cuello.training.device import use_threads
from cuello.training.watched import watched
from cuello.work.plans import PlannedRun, cluster_for, run_turns
from cuello.work.train import check_same, is_finished, resolve

AN_IMAGE, A_STEP = 8e6, 5e8
"""What an image and a step cost beside the arithmetic, in multiply-adds, roughly: for the progress bar only."""

MARK = "study.json"
"""The file that says which study a folder holds."""

Value = Callable[[EpochRecord], float]


@dataclass(frozen=True)
class StudyPlan:
    """One training of a study: a name, which is its folder's, and its settings (without seed).

    settings: with the data where they are not the study's. most_repeats: seeds at most, for what takes long.
    uses: settings that are the run directory of another plan, of its first seed; setting to that plan's name. It is
    trained before.
    """

    name: str
    settings: Mapping[str, Any]
    most_repeats: int | None = None
    uses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyOutcome:
    """What a study's trainings came to.

    folder: of the study. runs: by plan, one a seed. workers: how many were trained at once, in the last call.
    """

    data: str
    folder: Path
    runs: Mapping[str, Sequence[Run]]
    workers: int
    watch: OnProgress

    @property
    def seconds(self) -> float:
        return sum(record.seconds for runs in self.runs.values() for run in runs for record in run.history)

    def models(self) -> dict[str, list[Model]]:
        return {plan: [load(run.path) for run in runs] for plan, runs in self.runs.items()}

    def over_seeds(self, plan: str, value: Callable[[Sequence[EpochRecord]], float | None]) -> Spread | None:
        """Give mean and deviation over a plan's seeds of a value of the history; None where a run lacks it."""
        values = [value(run.history) for run in self.runs[plan]]
        known = [number for number in values if number is not None]
        return spread(known) if len(known) == len(values) else None

    def seconds_of(self, plan: str) -> Spread | None:
        return self.over_seeds(plan, lambda history: sum(record.seconds for record in history))

    def last(self, plan: str, value: str) -> Spread | None:
        return self.over_seeds(plan, lambda history: getattr(history[-1], value) if history else None)

    def at(self, plan: str, epoch: int, value: Value) -> Spread | None:
        """Give mean and deviation of a value at an epoch (from 1); None where a run is shorter."""
        return self.over_seeds(plan, lambda history: value(history[epoch - 1]) if len(history) >= epoch else None)

    def best(self, plan: str, value: Value) -> Spread | None:
        """Give mean and deviation of a value at each run's best epoch."""
        return self.over_seeds(plan, lambda history: value(best) if (best := best_epoch(history)) else None)

    def curve(
        self, plan: str, label: str, value: str, *, role: str = "other", steps: int = 1, factor: float = 1
    ) -> Series:
        """Follow a value of the first seed, times a factor, by epoch, or by step, of which an epoch has ``steps``."""
        history = self.runs[plan][0].history
        values = [factor * getattr(record, value) for record in history]
        return Series(label, [steps * record.epoch for record in history], values, role=role)

    def picture(self, name: str, draw: Callable[[Theme], bytes], *, alt: str, note: str = "") -> Picture:
        """Draw a picture in both themes and keep the light one in the study's folder, as figures/NAME.png."""
        return Picture(save_both(self.folder / "figures", name, draw), alt, note)

    def curves(self, name: str, series: Sequence[Series], *, alt: str = "", note: str = "", **labels: Any) -> Picture:
        """Draw curves; labels: as `report.grids.lines` takes them. alt: the title, where none is given."""
        return self.picture(name, lambda theme: lines(series, theme, **labels), alt=alt or labels["title"], note=note)


@dataclass(frozen=True)
class Story:
    """What a study found: a verdict in one sentence, and sections to read and look at."""

    verdict: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class StudyReport:
    """The page of a study that is done, and what it found in one sentence."""

    report: Path
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Study:
    """A source system's work, done again.

    data: data sets it can use, the default first. plans: a data set's trainings. story: makes the report's content of
    the outcome, and keeps its pictures in the study's folder. repeats: seeds, where none are asked for. prepare: makes,
    once, what several of the trainings need that use others; called before them with the configurations of those that
    are not finished, the number of workers, and what to tell its doing to.
    """

    name: str
    summary: str
    data: tuple[str, ...]
    plans: Callable[[str], Sequence[StudyPlan]]
    story: Callable[[StudyOutcome], Story]
    repeats: int = 1
    prepare: Callable[[Sequence[TrainConfig], int, OnProgress], None] | None = None


@caller_kept()
@watched("watch", whole=True)
def run_study(
    study: Study,
    data: str | PathLike[str] | None = None,
    output: str | Path | None = None,
    *,
    repeats: int | None = None,
    workers: int = 1,
    cluster: str | None = None,
    watch: OnProgress | bool | None = None,
    **settings: Any,
) -> StudyReport:
    """Make a study's trainings, tables and pictures, and its report.

    Runs that are finished are kept and unfinished ones go on: after a kill, the same call goes on where it was.
    data: one of the study's data sets. output: a folder, by default ``runs/study-NAME-DATA``. repeats: seeds 0, 1, …,
    by default as many as the study needs.
    workers: trainings at once, each in a process of its own; a script that asks for several needs the usual
    ``if __name__ == "__main__"``. cluster: "ray", "ray://HOST:PORT" or "slurm": on other machines, ``workers`` at once,
    or as many as there are cores where that is 1. watch: called with events, whose share is that of the trainings.
    settings: of every training, as device and threads (by default the cores divided by the workers).
    Raises CuelloError where the data set is not the study's, or the folder holds something else, or a run of its own
    with other settings, as of another version.
    """
    data = study.data[0] if data is None else str(data) if isinstance(data, PathLike) else data
    if not isinstance(data, str) or data not in study.data:
        got = repr(data) if isinstance(data, str) else type(data).__name__
        raise CuelloError(f"the study {study.name!r} is made for the data {' or '.join(study.data)}, got {got}.")
    repeats = study.repeats if repeats is None else repeats
    for name, number in (("repeats", repeats), ("workers", workers)):
        if number < 1:
            raise CuelloError(f"{name}: got {number}, needed 1 or more.")
    folder = Path(output).expanduser() if output is not None else Path("runs") / f"study-{study.name}-{data}"
    check_folder(folder, study.name, data)  # what holds something else gets no lock
    with kept(folder, "cuello study", remedy=", or choose another place with --output"):
        check_folder(folder, study.name, data)
        write_json(folder / MARK, {"study": study.name, "data": data})
        own = SideBySide(workers, cluster_for(cluster, workers if workers > 1 or cluster is None else None))
        return studied(study, data, folder, repeats=repeats, side=own, watch=watch, settings=settings)


class SideBySide(NamedTuple):
    """How trainings are made side by side: how many at once on this machine, and where; None: one after another."""

    workers: int
    cluster: Cluster | None


def studied(
    study: Study, data: str, folder: Path, *, repeats: int, side: "SideBySide", watch: OnProgress | bool | None,
    settings: dict[str, Any],
) -> StudyReport:  # fmt: skip
    """Make or finish a study's trainings in its folder, and tell about them."""
    use_threads(settings.get("threads"))
    workers, cluster = side
    if settings.get("threads") is None and workers > 1 and not (cluster and cluster.remote):
        settings["threads"] = max(1, available_cores() // workers)
    plans = study.plans(data)
    costs, turns = {plan.name: cost(plan) for plan in plans}, turns_of(plans)
    runs: dict[str, list[Run]] = {plan.name: [] for plan in plans}
    jobs = []
    for seed in range(repeats):
        for plan in plans:
            if plan.most_repeats is not None and seed >= plan.most_repeats:
                continue
            path = folder / "runs" / plan.name / f"seed-{seed}"
            used = {name: str(folder / "runs" / other / "seed-0") for name, other in plan.uses.items()}
            own = {"data": data, **plan.settings, **used, **settings, "seed": seed}
            label = f"{plan.name}, seed {seed}" if repeats > 1 else plan.name
            jobs.append(PlannedRun(path, own, label, cost=costs[plan.name], turn=turns[plan.name]))
            runs[plan.name].append(Run(path))
    for job in jobs:
        if Run(job.path).config_path.is_file():  # before hours of work, not in the middle of it
            check_same(Run(job.path), trained_config(Run(job.path)), resolve(job.settings))
    tell = listener(watch, ("stage", "share"))

    def before_turn(turn: int, hear: OnProgress) -> None:
        wanted = [(Run(job.path), resolve(job.settings)) for job in jobs if job.turn == turn > 0]
        left = [config for run, config in wanted if not is_finished(run, config, report=False)]
        if study.prepare and left:
            study.prepare(left, workers, hear)

    try:
        run_turns(jobs, cluster, tell, before_turn=before_turn)
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(f"stopped; what is done is in {folder}. The same command goes on.") from None
    tell(Progress("evaluating", 1))
    story = study.story(StudyOutcome(data, folder, runs, workers=workers, watch=tell))
    write_tables(folder / "tables", story.sections)
    report = folder / "report.html"
    subtitle = f"{study.summary}; on {data}, {repeats} seed{'s' if repeats > 1 else ''}"
    title, machine = f"Study: {study.name}", environment()
    write_page(report, title, subtitle, verdict=story.verdict, sections=story.sections, environment=machine)
    return StudyReport(report, story.verdict)


def turns_of(plans: Sequence[StudyPlan]) -> dict[str, int]:
    """Say when each plan's trainings begin: 0, or after all whose runs they use.

    Raises CuelloError for one that uses a plan that is none, or in the end itself.

    >>> turns_of([StudyPlan("estimator", {}, uses={"classifier": "classifier"}), StudyPlan("classifier", {})])
    {'classifier': 0, 'estimator': 1}
    """
    turns: dict[str, int] = {}
    while len(turns) < len(plans):
        ready = [plan for plan in plans if plan.name not in turns and all(one in turns for one in plan.uses.values())]
        if not ready:
            waiting = next(plan for plan in plans if plan.name not in turns)
            raise CuelloError(
                f"the training {waiting.name!r} uses {', '.join(waiting.uses.values())}: needed plans of the same "
                "study that do not use it in turn."
            )
        turns |= {plan.name: 1 + max((turns[one] for one in plan.uses.values()), default=-1) for plan in ready}
    return turns


def check_folder(folder: Path, study: str, data: str) -> None:
    """Raise CuelloError where a folder is not this study's, nor unused."""
    mark = folder / MARK
    if not mark.is_file():
        if not is_unused(folder):
            raise CuelloError(f"{folder} exists and holds no study: choose another place with --output.")
        return
    try:
        held = dict(read_json(mark.read_text("utf-8")))
    except (ValueError, TypeError):
        raise CuelloError(f"{mark} is damaged. Remove it, or choose another place with --output.") from None
    if (held.get("study"), held.get("data")) != (study, data):
        raise CuelloError(
            f"{folder} holds the study {held.get('study')!r} on {held.get('data')!r}, this is {study!r} on {data!r}. "
            "Choose another place with --output."
        )


def cost(plan: StudyPlan) -> float:
    """Guess how much work a training is, in multiply-adds of the forward pass: for the progress bar."""
    config = resolve({"data": "", **plan.settings})
    side, samples = config.crop or 64, config.samples or 1000
    network = find_network(config.model)
    channels = network.channels or (3 if network.pixels is None else 1)
    arithmetic = summarise(build(architecture_of(config.model, channels)), channels, (side, side)).multiply_adds
    return config.epochs * (samples * (arithmetic + AN_IMAGE) + samples / config.batch_size * A_STEP)


def write_tables(folder: Path, sections: Sequence[Section]) -> None:
    """Write every table of the sections as a CSV file, named by its section."""
    make_folder(folder)
    for section in sections:
        tables = [part for part in section.parts if isinstance(part, Table)]
        name = "-".join("".join(c if c.isalnum() else " " for c in section.title.lower()).split())
        for number, table in enumerate(tables, 1):
            rows = [[column.removesuffix(">") for column in table.columns], *table.rows]
            write_text(folder / f"{name}{f'-{number}' if len(tables) > 1 else ''}.csv", csv_text(rows))
