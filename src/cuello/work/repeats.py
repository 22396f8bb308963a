"""Several trainings, at once where that is possible and faster; and repeats: the same one with several seeds."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.cluster.base import Cluster
from cuello.comparison import compare
from cuello.comparison.page import PAGE_NAME, write_comparison
from cuello.core.caller import caller_kept
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.lock import kept, wait_until_free
from cuello.core.own import names_own
from cuello.core.progress import OnProgress, Progress, listener
from cuello.data.folders import check_outside
from cuello.data.handed import from_python
from cuello.jobs.catalog import JOBS
from cuello.runs.directory import Run, clear_run
from cuello.runs.history import best_epoch
from cuello.runs.settings import trained_config
from cuello.scoring.repeats import Spread, spread
from cuello.training.device import use_threads
from cuello.training.observers import Observer
from cuello.training.watched import watched
from cuello.work.plans import PlannedRun, cluster_for, run_plans
from cuello.work.train import RunOptions, check_same, resolve, resolved, run_name, tell_chosen, tell_job


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello train`.
@names_own
@caller_kept()
@watched()
@from_python("data", "target")
def train_repeats(
    job: str = "denoise",
    data: Any = "photos",
    *,
    labels: Any = None,
    repeats: int,
    output: str | Path | None = None,
    overwrite: bool = False,
    report: bool = True,
    sweep: Sequence[float] = (),
    workers: int | None = None,
    cluster: str | None = None,
    observers: Sequence[Observer] = (),
    progress: OnProgress | bool | None = None,
    **settings: Any,
) -> list[Run]:
    """Train ``repeats`` times, with seeds seed, seed + 1, …, and compare: how far does chance move the result?

    output: the folder of ``seed-0``, ``seed-1``, …, each a run directory, and of compare.html, compare.csv and
    figures; by default ``runs/JOB-MODEL-repeats``. Called again with the same settings, repeats that are finished
    are kept and one that was interrupted goes on. overwrite: start anew instead. workers: trainings at once, each in a
    process of its own with one thread; by default one after another in this one. cluster: "ray", "ray://HOST:PORT" or
    "slurm": on other machines (see ``cuello.cluster.catalog``). The rest is as in ``cuello.train``; all repeats share
    the split, which depends on split_seed.
    Raises CuelloError for a mistake, before any training, and where runs in ``output`` have other settings.

    >>> import cuello, tempfile
    >>> runs = cuello.train_repeats("denoise", "photos", repeats=2, noise="gaussian:25", model="conv-8-16-8", crop=64,
    ...                             samples=16, validation_samples=4, epochs=1, output=tempfile.mkdtemp() + "/two",
    ...                             report=False)
    >>> [run.path.name for run in runs]
    ['seed-0', 'seed-1']
    """
    if repeats < 1:
        raise CuelloError(f"--repeats: got {repeats}, needed 1 or more.")
    options = RunOptions(report, sweep, observers, progress=listener(progress))
    apart = cluster_for(cluster, workers, device=settings.get("device", "auto"), observers=observers)
    given, config, folder = planned({"job": job, "data": str(data), **settings}, REPEATS, output, options=options)
    members = {f"seed-{seed}": {**given, "seed": seed} for seed in range(config.seed, config.seed + repeats)}
    with kept_series(folder, REPEATS):
        runs = train_series(folder, REPEATS, members, options=options, overwrite=overwrite, cluster=apart)
        write_comparison(folder, compare([run.path for run in runs]), overwrite=True)
    return runs


@dataclass(frozen=True)
class RunSeries:
    """A folder of runs that belong together. noun: what one is called. prefix: of the names of their directories.
    files: what else the folder holds.
    """

    noun: str
    prefix: str
    files: tuple[str, ...]


REPEATS = RunSeries("repeat", "seed-", ("figures", PAGE_NAME, "compare.csv", "slurm"))


def planned(
    given: dict[str, Any], series: RunSeries, output: str | Path | None, *, options: RunOptions
) -> tuple[dict[str, Any], TrainConfig, Path]:
    """Check what all runs of a series share, and choose their network, once for all, before any training.

    output: the folder, by default ``runs/JOB-MODEL-repeats`` (or ``-folds``): always the same, so that the same command
    goes on. Returns the settings with the network in them, the whole configuration, and the folder.
    """
    tell_job(given["job"], options.progress)
    config, chosen = resolved(given)
    given = {**given, "job": config.job}
    if chosen is not None:
        given = {**given, "model": chosen.name}
    use_threads(config.threads)
    JOBS[config.job].pairing(config, options.sweep)
    tell_chosen(chosen, options.progress)
    folder = Path(output).expanduser() if output is not None else Path("runs") / f"{run_name(config)}-{series.noun}s"
    check_outside(config.data, folder)
    return given, config, folder


@contextmanager
def kept_series(folder: Path, series: RunSeries) -> Iterator[None]:
    """Keep a folder to this call; CuelloError where it is no place for such a series."""
    check_folder(folder, series)  # what holds something else gets no lock
    with kept(folder, f"cuello train --{series.noun}s", remedy=", or choose another place with --output"):
        yield


def train_series(
    folder: Path, series: RunSeries, members: Mapping[str, Mapping[str, Any]], *, options: RunOptions, overwrite: bool,
    cluster: Cluster | None = None,
) -> list[Run]:  # fmt: skip
    """Return the finished runs of a series, made, gone on with, or as they are. members: name to all settings of each.

    Raises CuelloError where runs that are there have other settings. overwrite: start anew instead. cluster: where;
    None: in this process.
    """
    if overwrite:
        for run in runs_in(folder, series):
            wait_until_free(run.path)
        for run in runs_in(folder, series):
            clear_run(run.path)
    for run in runs_in(folder, series):
        if run.path.name in members:
            check_same(run, trained_config(run), resolve(members[run.path.name]))
    try:
        return train_many(
            [folder / name for name in members], list(members.values()), **vars(options), noun=series.noun,
            cluster=cluster,
        )  # fmt: skip
    except Interrupted as stopped:
        raise Interrupted(f"{stopped}; what is finished is in {folder}. The same command goes on.") from None


# More than seven parameters: those by name are of one call.
@names_own
@caller_kept()
def train_many(
    paths: Sequence[str | Path],
    settings: Sequence[Mapping[str, Any]],
    *,
    report: bool = True,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    progress: OnProgress | None = None,
    noun: str = "run",
    cluster: Cluster | None = None,
) -> list[Run]:
    """Return the finished run at each path: made, gone on with, or, if it is finished, as it is.

    Each is what ``cuello.work.train.train_or_resume`` gives. Very small networks are trained at once, first, where that
    is faster (``cuello.training.replicas.eligibility`` says which), which changes no bit of the results; observers then
    see a single training. The others follow one by one.
    settings: for each path, job, data and any of ``cuello.core.config.TrainConfig``. noun: what to call a run.
    cluster: where the others are made, side by side; None: in this process.
    Raises CuelloError for the first mistake; where one of those trained at once diverges, in the end.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> common = {"job": "reconstruct", "data": "glyphs", "model": "mlp:35-8-2", "epochs": 2}
    >>> rates = [1e-3, 1e-2]
    >>> runs = train_many([folder / f"{rate}" for rate in rates],
    ...                   [{**common, "learning_rate": rate} for rate in rates], report=False)
    >>> [len(run.history) for run in runs]
    [2, 2]
    """
    if len(paths) != len(settings):
        raise ValueError(f"got {len(paths)} paths and {len(settings)} settings, needed as many of each")
    show = listener(progress)
    plans = [PlannedRun(Path(path), given) for path, given in zip(paths, settings, strict=True)]
    done, failure, where = 0, None, ""
    shares: dict[int, float] = {}

    def tell(places: Sequence[int], share: float, words: str) -> None:
        nonlocal where
        if cluster is not None and len(places) == 1:
            where = f"stopped; {done} of {len(plans)} {noun}s are finished"
            shares[places[0]] = max(share, shares.get(places[0], 0.0))
            show(Progress(f"{noun}s", round(sum(shares.values()), 2), len(plans)))
            return
        if len(places) == 1:
            where = f"stopped in {noun} {places[0] + 1} of {len(plans)}"
            if share == 0:
                show(Progress(f"{noun}s", done, len(plans)))
            return
        names = f"{len(places)} {noun}s at once"
        where = f"stopped while training {names}"
        if share == 0:
            show(Progress(f"training {names}, means of all", 0, len(places)))
        elif share == 1:
            show(Progress(f"trained {names}", len(places), len(places)))

    def say(reason: str) -> None:
        show(Progress(f"{noun}s one after another: {reason}", done, len(plans)))

    def note(sentence: str) -> None:
        show(Progress(f"{noun}s", done, len(plans), note=sentence))

    try:
        options = RunOptions(report, sweep, observers, progress=show)
        outcomes = run_plans(plans, options, cluster=cluster, tell=tell, say=say, note=note)
        for outcome in outcomes:
            if outcome.error is not None and not (len(outcome.places) > 1 and isinstance(outcome.error, CuelloError)):
                raise outcome.error
            failure = failure or outcome.error
            done += len(outcome.places)
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(where) from None
    show(Progress(f"{noun}s", len(plans), len(plans)))
    if failure is not None:
        raise failure
    return [Run(plan.path) for plan in plans]


def runs_in(folder: Path, series: RunSeries) -> list[Run]:
    """Return the runs of a series in a folder."""
    return [Run(found.parent) for found in sorted(folder.glob(f"{series.prefix}*/config.toml"))]


def check_folder(folder: Path, series: RunSeries) -> None:
    """Raise CuelloError where a folder is no place for a series: before the work, not in the middle of it."""
    what = f"{series.noun}s"
    if folder.exists() and not folder.is_dir():
        raise CuelloError(f"{folder} is a file, needed a folder for the {what}. Choose another place with --output.")
    if (folder / "config.toml").is_file():
        raise CuelloError(f"{folder} is a single run, needed a folder for {what}. Choose another place with --output.")
    strange = [
        found.name
        for found in (folder.iterdir() if folder.is_dir() else ())
        if not found.name.startswith((".", series.prefix)) and found.name not in series.files
    ]
    if strange:
        raise CuelloError(
            f"{folder} holds {strange[0]!r}, which is not a {series.noun}: choose another place with --output."
        )


def reached(runs: Sequence[Run]) -> dict[str, Spread]:
    """Return mean and deviation over repeats: of the best epochs' validation scores, and of the evaluations."""
    job = JOBS[runs[0].config.job]
    best = [epoch for run in runs if (epoch := best_epoch(run.history)) is not None]
    measured = [
        {name: getattr(epoch, f"validation_{name}") for name in (s.name for s in (*job.scores, *job.binary))}
        for epoch in best
    ]
    found = {f"validation_{name}": values for name, values in spreads_of(measured).items()}
    if all(run.metrics_path.is_file() for run in runs):
        rows = spreads_of([job.reached(run.metrics) for run in runs])
        found |= {f"evaluation_{name}": values for name, values in rows.items()}
    return found


def spreads_of(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Spread]:
    """Return mean and deviation of what every row has, by name."""
    columns = {name: [value for row in rows if (value := row.get(name)) is not None] for name in rows[0]}
    return {name: spread(values) for name, values in columns.items() if len(values) == len(rows)}
