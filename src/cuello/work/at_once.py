"""Runs that are trained at once: found among others, prepared, trained, reported. The images are read once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cuello.core.caller import caller_kept
from cuello.core.config import TrainConfig, make_config, to_toml
from cuello.core.errors import CuelloError
from cuello.core.files import remove_leftovers, write_text
from cuello.core.lock import all_kept
from cuello.core.progress import OnProgress, silent
from cuello.jobs.base import JobData
from cuello.jobs.catalog import JOBS
from cuello.jobs.data import reseeded
from cuello.runs.directory import Run, create_run, write_json
from cuello.runs.settings import environment_of, trained_config
from cuello.training.device import choose_device, use_threads
from cuello.training.observers import Observer
from cuello.training.replicas.eligibility import reason_alone, reason_apart, reason_slower, settings_in_common
from cuello.training.replicas.fit import fit_replicas
from cuello.training.session import Session
from cuello.work.train import (
    RunOptions,
    check_same,
    is_finished,
    make_network,
    resolve,
    run_through,
    session_of,
)


class Unfinished(NamedTuple):
    """A run to be trained: its place among all, and its settings."""

    place: int
    run: Run
    config: TrainConfig


class AtOnce(NamedTuple):
    """Runs to be trained at once. places: among all runs, as are members and their data."""

    places: Sequence[int]
    members: Sequence[Session]
    data: Sequence[JobData]
    device: torch.device


def batches_at_once(
    runs: Sequence[Run],
    settings: Sequence[Mapping[str, Any]],
    *,
    report: bool,
    sweep: Sequence[float] = (),
    progress: OnProgress = silent,
    say: Callable[[str], None] = lambda reason: None,
) -> Iterator[AtOnce]:
    """Yield those of the runs that can be trained at once, where that is faster, batch after batch.

    Finished runs are left out, and those with a mistake in them: whoever trains them by themselves says so. report: a
    run without report.html is not finished. say: called with the reason where runs come close, and yet are no batch.
    """
    alike: dict[str, list[Unfinished]] = {}
    for place, (run, given) in enumerate(zip(runs, settings, strict=True)):
        try:
            config = config_at_once(run, given, report, sweep=sweep)
        except CuelloError:
            continue
        if config is not None:
            alike.setdefault(settings_in_common(config), []).append(Unfinished(place, run, config))
    for unfinished in alike.values():
        if len(unfinished) > 1:
            yield from batches_alike(unfinished, progress, say)


def config_at_once(run: Run, given: Mapping[str, Any], report: bool, sweep: Sequence[float]) -> TrainConfig | None:
    """Return the settings of a run that may be trained with others; None where it is finished, or is for itself."""
    config = resolve(given)
    if run.is_begun:
        found = trained_config(run)
        check_same(run, found, config)
        config = found
        if is_finished(run, config, report):
            return None
    elif not is_free(run.path):
        return None
    JOBS[config.job].pairing(config, sweep)
    return config if reason_alone(config, choose_device(config.device)) is None else None


def is_free(path: Path) -> bool:
    """Tell whether a run can be made at a path: there is nothing, or an empty folder."""
    return not path.exists() or (path.is_dir() and all(found.name.startswith(".") for found in path.iterdir()))


def batches_alike(
    unfinished: Sequence[Unfinished], progress: OnProgress, say: Callable[[str], None]
) -> Iterator[AtOnce]:
    """Yield batches of runs that differ in nothing but training, and maybe their networks."""
    device = choose_device(unfinished[0].config.device)
    try:
        data = JOBS[unfinished[0].config.job].data(unfinished[0].config, progress)
    except CuelloError:
        return
    groups: dict[str, list[tuple[int, Session, JobData]]] = {}
    for place, run, given in unfinished:
        config = given
        if not run.is_begun:
            config = make_config({**given.model_dump(), "threads": use_threads(given.threads)})
        own = data._replace(prepared=reseeded(data.prepared, config.seed))
        try:
            made = make_network(config, own, run, tell=progress)
        except CuelloError:
            continue
        member = session_of(run, config, own, made=made)
        artefact = member.artefact
        key = repr((artefact.architecture.kind, artefact.architecture.settings))
        groups.setdefault(key, []).append((place, member, own))
    for group in groups.values():
        places, members, prepared = zip(*group, strict=True)
        reason = reason_apart(members, device) or reason_slower(members)
        if reason is None:
            yield AtOnce(places, members, prepared, device=device)
        elif len(group) > 1:
            say(reason)


@caller_kept()
def train_at_once(
    batch: AtOnce,
    *,
    threads: int | None = None,
    report: bool = False,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    progress: OnProgress = silent,
) -> None:
    """Train a batch, or go on with it, and evaluate and report on each run, if asked for.

    threads: of the work, by default as the first run's settings say. Raises CuelloError in the end, where the training
    of one run diverged; the others are done.
    """
    use_threads(threads or batch.members[0].config.threads)
    with all_kept([member.run.path for member in batch.members], "cuello train"):
        for member in batch.members:
            begin(member, len(batch.members))
        failure: CuelloError | None = None
        try:
            fit_replicas(batch.members, batch.device, observers)
        except CuelloError as error:
            failure = error
        for member, data in zip(batch.members, batch.data, strict=True) if report else ():
            if is_finished(member.run, member.config, report=False):
                run_through(member, data, batch.device, options=RunOptions(True, sweep, progress=progress))
    if failure is not None:
        raise failure


def begin(member: Session, count: int) -> None:
    """Make the run's directory where there is none; note down that it is one of ``count`` trained at once."""
    run = member.run
    if not run.is_begun:
        create_run(run.path, member.config)
    elif not run.config_path.is_file():
        write_text(run.config_path, to_toml(member.config))
    remove_leftovers(run.path)
    write_json(run.environment_path, {**environment_of(run), "trained_at_once": count})
