"""Searching, from what is asked to what is found; and going on after a kill."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from cuello.cluster.base import Cluster
from cuello.core.caller import caller_kept
from cuello.core.config import read_toml
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.lock import kept
from cuello.core.own import choices_as_texts, name_also, names_own, texts_of
from cuello.core.progress import OnProgress, Progress, listener, silent
from cuello.core.schema import read_json
from cuello.core.settings import SearchSettings
from cuello.data.folders import check_outside
from cuello.data.handed import PREFIX, from_python, is_handed
from cuello.jobs.catalog import JOBS
from cuello.jobs.words import job_named
from cuello.search.database import Database
from cuello.search.page import Found, write_results
from cuello.search.question import Question, make_question
from cuello.search.samplers import Drawn, GridSampler, Sampler, load_optuna
from cuello.search.shared import SharedSampler, joined, mark_of
from cuello.search.trials import STATE_NAME, Trial, objectives_of, read_trials, save_trials
from cuello.search.work import DOING, REMEDY, WRITE_SECONDS, Work
from cuello.training.device import choose_device
from cuello.training.observers import Observer
from cuello.training.watched import watched
from cuello.work.plans import cluster_for
from cuello.work.train import tell_job

LONGEST_NAME = 200
"""Of a search in a database, letters."""


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello search`.
@names_own
@caller_kept()
@watched(whole=True)
@from_python("data", "target")
def search(
    job: str = "denoise",
    data: Any = "photos",
    *,
    labels: Any = None,
    space: Mapping[str, Any] | str | Path,
    sampler: str = "grid",
    trials: int | None = None,
    points: int | None = None,
    objective: str | None = None,
    prune: bool = False,
    repeats: int = 1,
    database: str | None = None,
    study_name: str | None = None,
    output: str | Path | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    observers: Sequence[Observer] = (),
    progress: OnProgress | bool | None = None,
    **settings: Any,
) -> Found:
    """Train with many settings and find out which are the best; each trial is a run directory.

    space: a TOML file or a mapping. Keys are settings of ``cuello.TrainConfig``, each with a list of choices or a table
    {low, high, log, step}; strings may hold placeholders, {key}, filled from other keys of the space. sampler: "grid"
    makes every combination; "random" and "tpe" (Optuna) draw ``trials`` of them, by default 30. points: for a grid, how
    many numbers of each range. objective: "loss", or what the job measures ("mse", "psnr", "accuracy", of binary images
    "wrong"), on the validation images at the best epoch; by default the wrong pixels of binary images, of others the
    loss, or the first of the others where trials differ in their loss. prune: stop a trial that is worse at an epoch
    than the median of the others. repeats: train each trial with so many seeds and go by the mean. output: the search's
    folder, by default ``runs/search-JOB-DATA``; called again with the same arguments, what is finished is kept and the
    rest goes on; ``trials`` may be raised. database: ``"postgresql://USER@HOST/DATABASE"``: machines that make the same
    call share its trials through that database, each with an output folder of its own or all with a shared one; those
    of a machine that is gone go on on another. study_name: the search's name there. settings: the same for all trials;
    strings may hold placeholders. observers: called with the events of every training that is made by itself.
    workers: trainings at once, each in a process of its own with one thread; by default one after another in this one.
    cluster: "ray", "ray://HOST:PORT" or "slurm": on other machines (``cuello.cluster.catalog``).
    data, labels: as for ``cuello.train``.
    Raises CuelloError for a mistake, before any training, and where all trials fail; one that fails is written down.
    Raises Fault where the database stays away for five minutes; the same call goes on.

    >>> import cuello, numpy, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> dots = (numpy.random.default_rng(0).random((20, 7, 5)) > 0.5).astype("uint8") * 255
    >>> numpy.save(f"{folder}/dots.npy", dots)
    >>> found = cuello.search.search("reconstruct", f"{folder}/dots.npy", model="mlp:35-{widths}", epochs=1,
    ...                              space={"widths": ["8-2", "2"], "learning_rate": [1e-3, 1e-2]},
    ...                              output=f"{folder}/search")
    >>> len(found.trials), sorted(found.best.values)
    (4, ['learning_rate', 'widths'])
    """
    watch = listener(progress, ("stage", "share"))
    tell_job(job, watch)
    job = job_named(job)
    given = choices_as_texts(read_toml(Path(space).expanduser()) if isinstance(space, str | Path) else space)
    name_also(given)
    settings = texts_of(settings)
    address, settings = address_of(database, settings)
    shared = Database(address, watch) if address else None
    wanted: dict[str, Any] = {"sampler": sampler, "trials": trials, "points": points, "prune": prune}
    wanted |= {
        "objective": objective,
        "repeats": repeats,
        **named(study_name, shared, default=default_path(job, str(data))),
    }
    question = make_question(job, str(data), given, settings=settings, search=SearchSettings(**wanted))
    apart = cluster_for(cluster, workers, device=question.first.device, observers=observers)
    check_apart(question, apart, shared)
    folder = Path(output).expanduser() if output is not None else default_path(job, str(data))
    check_outside(data, folder)
    if objective is None and (before := objective_of(folder)) in objectives_of(JOBS[job]):
        question = with_objective(question, before)
    read_trials(folder, question.as_json())  # what holds something else gets no lock
    if shared is not None:
        question = joined(question, shared, asked=objective)
        work = shared_work(question, folder, shared, asked=objective, observers=observers)
        return worked(replace(work, cluster=apart))
    with kept(folder, DOING, remedy=REMEDY):
        known = read_trials(folder, question.as_json())
        question = question if known else begun(question, folder, asked=objective, watch=watch)
        source = make_sampler(question, folder, known)
        work = Work(question, folder, sampler=source, trials=known, observers=observers, watch=watch, cluster=apart)
        return worked(work)


def check_apart(question: Question, cluster: Cluster | None, database: Database | None) -> None:
    """Raise CuelloError where the next trials depend on what others came to, and cannot be made side by side."""
    if cluster is None:
        return
    for name, depends in (("--prune", question.prune), ("--sampler=tpe", question.sampler == "tpe")):
        if depends:
            raise CuelloError(
                f"{name} goes by what trials before came to, one after another; got --cluster={cluster.name}. Leave "
                "one of them out, or let several calls share the search: --database."
            )
    if cluster.remote and database is not None:
        raise CuelloError("--database and --cluster both share the trials out: leave one of them out.")


def shared_work(
    question: Question, folder: Path, database: Database, *, asked: str | None, observers: Sequence[Observer]
) -> Work:
    """Return the work of a search that others share; the folder is kept to this call only while it is written to."""
    with kept(folder, DOING, seconds=WRITE_SECONDS, remedy=REMEDY):
        known = read_trials(folder, question.as_json())
        question = question if known else begun(question, folder, asked=asked, watch=database.watch)
        mark = mark_of(folder, question)
    source = SharedSampler(question, folder, database, mark=mark)
    return Work(question, folder, sampler=source, trials=known, observers=observers, watch=database.watch, alone=False)


def address_of(database: str | None, settings: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the database's address and the settings of the trainings.

    An address that is given as their ``storage``, which says where images are kept, is meant for the database.
    """
    storage, others = settings.get("storage"), {name: value for name, value in settings.items() if name != "storage"}
    if not isinstance(storage, str) or "://" not in storage:
        return database, dict(settings)
    if database is not None:
        raise CuelloError("got two databases, --database and an address as --storage: leave out one of them.")
    return storage, others


def named(name: str | None, database: Database | None, *, default: Path) -> dict[str, str]:
    """Return the name of a search in its database, and that one's address without a password; nothing without one."""
    if database is None:
        if name is not None:
            raise CuelloError("--study-name names a search in a database: add --database, or leave it out.")
        return {}
    name = default.name if name is None else name
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise CuelloError(f"study_name: got {name[:40]!r}, needed 1 to {LONGEST_NAME} letters that can be printed.")
    return {"database": database.shown, "study_name": name}


def worked(work: Work) -> Found:
    """Make all trials of a search and write what they came to."""
    folder, total = work.folder, work.sampler.total
    try:
        work.run()
    except (Interrupted, KeyboardInterrupt):
        work.save()
        there = results(work).page if work.ranked else folder
        raise Interrupted(
            f"stopped; {work.over} of {total} trials are done, see {there}. The same command goes on."
        ) from None
    finally:
        work.sampler.close()
    if not work.ranked:
        failed = next(trial for trial in work.trials.values() if trial.state == "failed")
        raise CuelloError(
            f"all {len(work.trials)} trials failed; they are listed in {folder}. The first: {failed.message}"
        )
    work.watch(Progress("drawing", 1))
    return results(work)


def results(work: Work) -> Found:
    """Write what the trials came to."""
    with nullcontext() if work.alone else kept(work.folder, DOING, seconds=WRITE_SECONDS, remedy=REMEDY):
        return write_results(work.folder, work.question, work.trials, total=work.sampler.total)


def default_path(job: str, data: str) -> Path:
    """Return ``runs/search-JOB-DATA``: always the same, so that the same command goes on."""
    name = data.removeprefix(PREFIX).partition("#")[0] if is_handed(data) else Path(data).stem
    return Path("runs") / f"search-{job}-{name}"


def make_sampler(question: Question, folder: Path, known: Mapping[int, Trial]) -> Sampler:
    """Return what proposes trials."""
    points = question.space.grid(question.points) if question.sampler == "grid" else None
    return GridSampler(points, known) if points is not None else Drawn(question, folder)


def begun(question: Question, folder: Path, *, asked: str | None, watch: OnProgress) -> Question:
    """Begin a new search, and return its question with what its data are judged by.

    asked: the objective that was asked for, if any. watch: told which images are left out.
    Raises CuelloError where a grid does not know its points, Optuna is missing, or the data do not have that objective
    or cannot be read, which is an error now, and not of every trial.
    """
    if question.sampler == "grid":
        question.space.grid(question.points)
    else:
        load_optuna(question.sampler)
    choose_device(question.first.device)
    job = JOBS[question.job]
    notes = watch if watch is silent else lambda event: watch(event) if event.note else None
    first = job.first(job.data(question.first, notes))
    if asked in {score.name for score in job.binary} and (first is None or first.name != asked):
        raise CuelloError(
            f"objective: got {asked!r}, which binary images have, every pixel black or white; these are not. Needed: "
            f"{', '.join(name for name in objectives_of(job) if name != asked)}."
        )
    if asked is None and first is not None:
        question = with_objective(question, first.name)
    save_trials(folder, question.as_json(), {}, total=question.trials)
    return question


def with_objective(question: Question, name: str) -> Question:
    """Return the same question by another objective."""
    return replace(question, objective=objectives_of(JOBS[question.job])[name])


def objective_of(folder: Path) -> str:
    """Return the objective of the search in a folder, so that it goes on by it; "" where there is none."""
    try:
        return str(read_json((folder / STATE_NAME).read_text("utf-8"))["asked"]["objective"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # whoever reads the trials says what is wrong
