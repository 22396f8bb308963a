"""Training as a whole: read, divide, train, evaluate, report; and going on with what was interrupted."""

import re
import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from cuello.core.caller import caller_kept
from cuello.core.config import AUTO, CHANGEABLE, TrainConfig, make_config, paths_as_text, to_toml
from cuello.core.errors import CuelloError, Interrupted, worded
from cuello.core.files import remove_leftovers, write_text
from cuello.core.lock import kept, wait_until_free
from cuello.core.memory import kept_memory
from cuello.core.own import (
    check_named,
    check_not_loading,
    is_own,
    names_own,
    short,
    text_like,
    texts_of,
)
from cuello.core.progress import OnProgress, Progress, listener, silent
from cuello.core.seeding import derived_seed
from cuello.data.catalog import CATALOG
from cuello.data.handed import from_python, is_handed
from cuello.data.images import Images
from cuello.inference.model import Model, load
from cuello.jobs.base import JobData, JobEvaluation, Request, check_network
from cuello.jobs.catalog import JOBS
from cuello.jobs.data import Prepared, with_range
from cuello.jobs.explain.sharing import Sharing, shared_by, sharing_of
from cuello.jobs.networks import Chosen, check_helps
from cuello.jobs.words import WORDS, job_named
from cuello.models.autoencoder.parts import with_described
from cuello.models.base import ImageNetwork
from cuello.models.named import find_network
from cuello.runs.artefact import Artefact
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run, check_run_place, create_run
from cuello.runs.settings import say_changes, trained_config
from cuello.runs.whole import is_whole
from cuello.scoring.losses import find_loss
from cuello.training.device import choose_device, use_threads
from cuello.training.loop import fit
from cuello.training.observers import Observer
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.ranks.group import RankGroup, joined
from cuello.training.ranks.place import place_of
from cuello.training.ranks.threads import fit_in_threads, threads_of
from cuello.training.replicas.eligibility import is_small
from cuello.training.replicas.fit import fit_replicas
from cuello.training.schedule import SCHEDULES, reason_to_stop
from cuello.training.session import Session
from cuello.training.trackers import check_trackers, make_trackers
from cuello.training.watched import watched
from cuello.work.launch import Hearing, in_ranks, is_several
from cuello.work.ranks import (
    check_alone,
    check_divisible,
    check_enough,
    check_from_files,
    check_same_settings,
    check_versions,
    how_to_go_on,
    one_first,
    told_how_to_go_on,
)
from cuello.work.ranks import check_same_images as check_same_everywhere
from cuello.work.started import begun_with, network_of

UNCOMPARED = ("device", "threads", "storage", "on_error")
"""Settings in which a run may differ from what is asked for and still be the run that was asked for."""
BY_COUNT = ("validation", "test")
"""Settings that follow the number of images: where none is asked for, a run that states one is what was asked for."""
LEARNED_FROM = ("noise", "target", "noisy_target", "range")
"""Settings without which others would be recommended."""
FEW_STEPS, ENOUGH_STEPS = 500, 1000
"""With fewer steps than these a small network has hardly begun to learn; about so many are enough for one."""
WAIT_FOR_WORKERS = 30.0
"""So many seconds at most the worker of a search or study that was killed needs to notice it, and to end."""


def resolve(settings: Mapping[str, Any]) -> TrainConfig:
    """Check settings and fill in what was not given: a network that fits, and what its recipe recommends."""
    return resolved(settings)[0]


def resolved(settings: Mapping[str, Any]) -> tuple[TrainConfig, Chosen | None]:
    """Do what ``resolve`` does, and say which network was chosen, and why, where none was named.

    Raises CuelloError for a network that is not for the job, or cannot help against the noise.
    """
    check_not_loading()
    config = with_range(make_config(plain_settings(texts_of(settings))))
    find_loss(config.loss)  # an unknown name is an error before any image is read
    for registry, name in ((OPTIMIZERS, config.optimizer), (SCHEDULES, config.schedule)):
        registry[name]
    given = config.model_dump(exclude_unset=True)
    job = JOBS[config.job]
    chosen = None
    if config.model == AUTO:
        check_network(job, job.default_model, find_loss(given.get("loss", job.default_loss)))
        job.pairing(config)  # what is wrong without an image is said before one is looked at
    advice = job.recommended(config)
    if config.model == AUTO:
        start = config.start_from
        chosen = job.chosen(make_config({**advice, **given})) if start is None else network_of(start)
        config = make_config({**given, "model": chosen.name})
    model = given["model"] = config.model
    recipe: dict[str, Any] = {"loss": job.default_loss}
    if not is_own("network", model):
        recipe |= find_network(model).recipe
    if config.data in CATALOG:
        recipe |= CATALOG[config.data].recipe
    recipe |= advice
    check_network(job, model, find_loss({**recipe, **given}["loss"]))
    check_helps(config)
    return job.completed(make_config({**recipe, **given})), chosen


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Check settings and write them as they are kept: the job by its name, a network told by its parts described."""
    job = job_named(settings.get("job", "denoise"))
    given = make_config({**settings, "job": job}).model_dump(exclude_unset=True)
    return with_described(given, WORDS[job].family)


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello train`.
@names_own
@caller_kept()
@watched()
@from_python("data", "target")
def train(
    job: str = "denoise",
    data: Any = "photos",
    *,
    labels: Any = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    report: bool = True,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    track: Sequence[str] = (),
    progress: OnProgress | bool | None = None,
    ranks: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    **settings: Any,
) -> Run:
    """Train a network, evaluate it beside the classical methods and write a report.

    job: what to learn: "denoise", "upscale" …, or another word for it, such as "super-resolution". data: a folder, a
    file, or a data set's name; or images from Python (``cuello.data.items.KINDS``), as the setting ``target`` may be.
    labels: of images from Python, one whole number or one name each. output: the run directory, by default
    ``runs/JOB-MODEL``, with a number if that exists. overwrite: replace an earlier run there.
    report: also evaluate and write report.html. sweep: noise levels to evaluate at. observers: called with the events
    of the training.
    track: where else to follow it, "tensorboard" or "mlflow" (``pip install 'cuello[track]'``). progress: True
    or False, or a function that is called with events while images are read and evaluated; by default bars are shown in
    a terminal and in a notebook, and nothing elsewhere. ranks: in how many processes of this machine to train, each
    with a share of every batch; the result is that of one but for rounding. workers, cluster: for the job explain, who
    makes the exact maps that it learns from, as in ``cuello.explain``; by default as many processes as there are cores.
    settings: those of
    ``cuello.core.config.TrainConfig``.
    Raises CuelloError for a mistake in any of them.

    >>> import cuello, tempfile
    >>> run = cuello.train("denoise", "photos", noise="salt-pepper:0.2", model="conv-8-16-8", crop=64, samples=32,
    ...                    validation_samples=8, epochs=1, output=tempfile.mkdtemp() + "/run", report=False)
    >>> run.model_path.name
    'model.safetensors'
    """
    sharing = maps_shared(job, workers, cluster, ranks=ranks)
    if is_several(ranks):
        given = {"job": job, "data": str(data), **settings}
        path = Path(output).expanduser() if output is not None else None
        options = {"overwrite": overwrite, "report": report, "sweep": list(sweep), "track": list(track)}
        hearing = Hearing(observers, listener(progress))
        return train_in_ranks(ranks, given, options, path=path, hearing=hearing)
    place = place_of()
    if place is not None and place.rank:  # the first tells, tracks and reports
        warnings.simplefilter("ignore")
        progress, observers, track = silent, (), ()
    tell = listener(progress)
    with joined(place) as group:
        check_versions(group)
        check_trackers(track)
        tell_job(job, tell)
        config, chosen = resolved({"job": job, "data": str(data), **settings})
        check_same_settings(group, config)
        JOBS[config.job].pairing(config, sweep)
        device = choose_device(config.device, place)
        config = make_config({**config.model_dump(), "threads": use_threads(config.threads, place)})
        if output is not None and (group is None or group.rank == 0):
            wait_until_free(Path(output).expanduser())  # before the images are read
            check_run_place(Path(output).expanduser(), overwrite)
        with one_first(group, config), shared_by(sharing):
            data_of = JOBS[config.job].data(config, tell)
        check_same_everywhere(group, config, data_of.prepared.fingerprint)
        tell_notes(data_of.prepared.images, tell)
        if settings.get("range") != config.range and config.range is not None:
            how = "the lowest and the highest" if settings.get("range") else "from all images, and some room"
            tell(Progress("reading images", 1, 1, note=f"range of the values, {how}: {config.range}"))
        tell_chosen(chosen, tell)
        if "epochs" not in settings:
            tell_few_steps(config, data_of, tell)
        made = make_network(config, data_of, group=group, tell=tell)
        check_divisible(group, config, made[0], count=data_of.prepared.training.count)
        path = Path(output).expanduser() if output is not None else fresh_path(config)
        if group is not None and group.rank:
            run = Run(Path(group.first(None)))
            session = session_of(run, config, data_of, made=made, group=group)
            return run_through(session, data_of, device, options=RunOptions(report=False))
        with kept(path, "cuello train", remedy=", or choose another place with --output"):
            run = create_run(path, config, overwrite)
            if group is not None:
                group.first(str(path))
            options = RunOptions(report, sweep, [*observers, *make_trackers(track, run.path, config)], progress=tell)
            try:
                session = session_of(run, config, data_of, made=made, group=group)
                return run_through(session, data_of, device, options=options)
            except KeyboardInterrupt:
                raise interrupted(run) from None


def maps_shared(job: str, workers: int | None, cluster: str | None, *, ranks: int | None) -> Sharing | None:
    """Return who makes the exact maps of a training, None where nothing is said; CuelloError where it needs none."""
    if workers is None and cluster is None:
        return None
    if "classifier" not in JOBS[job_named(job)].options:  # whose maps they would be
        raise CuelloError(
            "--workers and --cluster are for several trainings (--repeats, --folds), and for the exact maps that the "
            f"job explain learns from; got one training of {job}: leave them out."
        )
    if ranks is not None or place_of() is not None:
        raise CuelloError("--workers and --cluster are for one process, not for --ranks. Leave one of them out.")
    return sharing_of(cluster, workers)


def train_in_ranks(
    ranks: int, given: Mapping[str, Any], options: Mapping[str, Any], *, path: Path | None, hearing: Hearing
) -> Run:
    """Train in several processes of this machine; what is wrong with the settings is said before they begin."""
    check_trackers(options["track"])
    config = resolve(given)
    check_from_files(config)
    check_enough(ranks, config.batch_size, "images a step")
    run = Run(path if path is not None else fresh_path(config))
    wait_until_free(run.path)
    check_run_place(run.path, bool(options["overwrite"]))
    settings = {name: value for name, value in plain_settings(texts_of(given)).items() if value is not None}
    return in_ranks(ranks, "train", {**settings, **options, "output": str(run.path)}, run=run, hearing=hearing)


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello resume`.
@names_own
@caller_kept()
@watched()
@from_python("data", "target")
def resume(
    path: str | PathLike[str],
    *,
    data: Any = None,
    target: Any = None,
    labels: Any = None,
    network: Any = None,
    report: bool = True,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    track: Sequence[str] = (),
    progress: OnProgress | bool | None = None,
    ranks: int | None = None,
    **changes: Any,
) -> Run:
    """Go on with a run that was interrupted, or that should train for longer.

    path: the run directory. data, target, labels: the images of the training, needed where they were handed in from
    Python, or lie elsewhere now; they must be the same. network: FILE.py:CLASS, needed where the network is somebody's
    own code (other parts of your own: see ``cuello.allow``). ranks: in how many processes to go on;
    see ``train``. changes: new values for epochs, max_minutes, patience, min_delta, device, threads, storage or
    on_error. Without changes the run ends with the same weights, to the bit, as
    if it had never been interrupted (on the same kind of CPU).
    Raises CuelloError where there is nothing to go on with, another setting is given, or config.toml was changed.
    """
    place = place_of()
    run = Run(Path(path).expanduser())
    for name in changes:
        if name not in CHANGEABLE:
            raise CuelloError(f"{name} cannot change when a run goes on; what can: {', '.join(CHANGEABLE)}.")
    if is_several(ranks):
        places = {"data": data, "target": target, "network": network}
        trained = trained_config(run)
        check_from_files(with_images(trained, data, target))
        check_enough(ranks, trained.batch_size, "images a step")
        arguments = {name: str(one) for name, one in places.items() if one is not None} | changes
        arguments |= {"path": str(run.path), "report": report, "sweep": list(sweep), "track": list(track)}
        return in_ranks(ranks, "resume", arguments, run=run, hearing=Hearing(observers, listener(progress)))
    with joined(place) as group:
        check_versions(group)
        if group is not None and group.rank:  # the first reads the run, tells, tracks and reports
            warnings.simplefilter("ignore")
            return follow(run, group, network, changes=changes)
        tell = listener(progress)
        trained_config(run)  # what is no run gets no lock
        with kept(run.path, "cuello resume"):
            config = make_config({**with_images(trained_config(run), data, target).model_dump(), **changes})
            if network is not None:
                config = make_config({**config.model_dump(), "model": text_like(network, config.model)})
            check_named(config.model_dump())
            remove_leftovers(run.path)
            job = JOBS[config.job]
            job.pairing(config, sweep)
            check_trackers(track)
            device = choose_device(config.device, place)
            use_threads(config.threads, place)
            try:
                if group is not None:
                    group.first(config.model_dump(mode="json"))
                with one_first(group, config):
                    found = job.data(config, tell)
                check_same_everywhere(group, config, found.prepared.fingerprint)
                tell_notes(found.prepared.images, tell)
                if (data or target) is not None:
                    check_same_images(run, found.prepared)
                say_changes(run, config, found.prepared.fingerprint, asked=changes)
                made = make_network(config, found, run, tell=tell)
                check_divisible(group, config, made[0], count=found.prepared.training.count)
                write_text(run.config_path, to_toml(config))
                trackers = make_trackers(track, run.path, config)
                options = RunOptions(report, sweep, [*observers, *trackers], progress=tell)
                session = session_of(run, config, found, made=made, group=group)
                return run_through(session, found, device, options=options)
            except KeyboardInterrupt:
                raise interrupted(run) from None


def follow(run: Run, group: RankGroup, network: Any, *, changes: Mapping[str, Any]) -> Run:
    """Go on with a run whose settings the first of several processes reads and sends."""
    config = make_config({name: value for name, value in group.first(None).items() if value is not None})
    own = {name: value for name, value in changes.items() if name in ("device", "threads", "storage")}
    config = make_config({**config.model_dump(), **own})
    if network is not None:
        config = make_config({**config.model_dump(), "model": text_like(network, config.model)})
    device = choose_device(config.device, group.place)
    use_threads(config.threads, group.place)
    with one_first(group, config):
        found = JOBS[config.job].data(config, silent)
    check_same_everywhere(group, config, found.prepared.fingerprint)
    made = make_network(config, found, group=group)
    check_divisible(group, config, made[0], count=found.prepared.training.count)
    session = session_of(run, config, found, made=made, group=group)
    return run_through(session, found, device, options=RunOptions(report=False))


def with_images(config: TrainConfig, data: str | Path | None, target: str | Path | None = None) -> TrainConfig:
    """Return the settings of a run with the images at another place; those from Python keep the run's name for them."""
    places = {name: str(place) for name, place in (("data", data), ("target", target)) if place is not None}
    known = {name: getattr(config, name) for name in places}
    return make_config(
        config.model_dump() | {name: place for name, place in places.items() if not is_handed(known[name] or "")}
    )


def check_same_images(run: Run, prepared: Prepared) -> None:
    """Raise CuelloError where a run's images are no longer those it was trained on."""
    if run.checkpoint_path.is_file() and read_reached(run.checkpoint_path).fingerprint != prepared.fingerprint:
        raise CuelloError(
            f"the images of {run.path} are not those it was trained on. Bring them back, or evaluate the trained "
            "network on other images, by naming them."
        )


@names_own
def train_or_resume(
    path: Path,
    settings: Mapping[str, Any],
    *,
    report: bool,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    progress: OnProgress | None = None,
) -> Run:
    """Return the finished run at ``path`` with these settings: made, gone on with, or, if it is finished, as it is.

    So a job of several runs that was killed goes on when it is called again. settings: job, data and any of
    ``cuello.core.config.TrainConfig``. report: a run counts as finished only with its evaluation and report.html.
    Raises CuelloError that names the first setting in which the run at ``path`` differs (device and threads aside).
    """
    check_alone("this")
    run = Run(path)
    settings = paths_as_text(settings)
    wait_until_free(path, WAIT_FOR_WORKERS)
    if not run.is_begun:
        return train(**settings, output=path, report=report, sweep=sweep, observers=observers, progress=progress)
    config = trained_config(run)
    check_same(run, config, resolve(settings))
    if is_finished(run, config, report):
        return run
    return resume(path, report=report, sweep=sweep, observers=observers, progress=progress)


def check_same(run: Run, found: TrainConfig, wanted: TrainConfig) -> None:
    """Raise CuelloError that names the first setting of a run that is not as wanted."""
    for name in TrainConfig.model_fields:
        was, asked = getattr(found, name), getattr(wanted, name)
        if name not in UNCOMPARED and was != asked and not (name in BY_COUNT and asked is None):
            raise CuelloError(
                f"{run.path} was trained with {name} = {was!r}, now it is {asked!r}. Ask for the same, replace the run "
                "(--overwrite=True), or choose another place with --output."
            )


def is_finished(run: Run, config: TrainConfig, report: bool) -> bool:
    """Tell whether a run's training is over by its own settings, its files whole, and, if ``report``, evaluated too."""
    if not run.checkpoint_path.is_file():
        return False
    records = read_reached(run.checkpoint_path).records
    return reason_to_stop(config, records) is not None and is_whole(run, records, evaluated=report)


@dataclass(frozen=True)
class RunOptions:
    """What is wanted of a training beside its weights: an evaluation with a report, at noise levels, observers."""

    report: bool
    sweep: Sequence[float] = ()
    observers: Sequence[Observer] = ()
    progress: OnProgress = silent


def tell_notes(images: Images, tell: OnProgress) -> None:
    """Say before the work how images were read."""
    for note in images.notes:
        tell(Progress("reading images", 1, 1, note=note))


def tell_job(word: str, tell: OnProgress) -> None:
    """Say which job another word for it led to."""
    if (job := job_named(word)) != word:
        tell(Progress("reading images", 1, 1, note=f"{word}: that is the job {job}"))


def tell_chosen(chosen: Chosen | None, tell: OnProgress) -> None:
    """Say which network was chosen, and why, where none was named."""
    if chosen is not None:
        tell(Progress("reading images", 1, 1, note=chosen.sentence))


def tell_few_steps(config: TrainConfig, data: JobData, tell: OnProgress) -> None:
    """Say that the usual epochs of few images are little training, and how many are not."""
    an_epoch = len(data.prepared.training)
    if (steps := config.epochs * an_epoch) < FEW_STEPS:
        enough = -(-ENOUGH_STEPS // an_epoch)
        said = f"{config.epochs} epochs of so few images are {steps} steps of training, which is little"
        note = worded(f"{said}; --epochs={enough} makes {enough * an_epoch:,}, a smaller --batch-size more")
        tell(Progress("reading images", 1, 1, note=note))


def make_network(
    config: TrainConfig,
    data: JobData,
    run: Run | None = None,
    *,
    group: RankGroup | None = None,
    tell: OnProgress = silent,
) -> tuple[ImageNetwork, Artefact]:
    """Build the network with its first weights, and say what it is.

    They depend on the seed alone, and on the trained network that it starts from, if there is one. run: one that goes
    on. group: of several processes, the first alone takes weights over; the others get its own.
    """
    torch.manual_seed(derived_seed(config.seed, "weights"))
    made = JOBS[config.job].network(config, data)
    return made if group is not None and group.rank else begun_with(made, config, run, tell=tell)


def session_of(
    run: Run,
    config: TrainConfig,
    data: JobData,
    made: tuple[ImageNetwork, Artefact],
    *,
    group: RankGroup | None = None,
) -> Session:
    """Put together what a training takes; of several processes, each takes its share of the batches."""
    prepared, pairing = data.prepared, data.pairing or JOBS[config.job].pairing(config)
    training, validation = prepared.training, prepared.validation
    if group is not None:
        training, validation = training.shared(group.share), validation.shared(group.share)
    return Session(
        run, *made, task=pairing, training=training, validation=validation, config=config,
        fingerprint=prepared.fingerprint, group=group,
    )  # fmt: skip


def run_through(session: Session, data: JobData, device: torch.device, options: RunOptions) -> Run:
    """Train to the end, then evaluate on the test part (or, where there is none, on validation) and report."""
    run = session.run
    if session.group is None and is_small(session, device):
        fit_replicas([session], device, options.observers)
    elif session.group is None and (ranks := threads_of(session, device)) > 1:
        with kept_memory():
            fit_in_threads(session, device, options.observers, ranks=ranks)
    else:
        with kept_memory(), told_how_to_go_on(run):
            fit(session, device, options.observers)
    if options.report:
        model = load(run.path, device=str(device))
        request = Request(run.path, sweep=options.sweep, progress=options.progress, history=run.history)
        evaluate_and_save(run, model, data, request=request)
    for reason in data.prepared.images.lost:
        options.progress(Progress("training", 1, 1, note=f"left out: {reason}"))
    return run


def evaluate_and_save(run: Run, model: Model, data: JobData, request: Request) -> None:
    """Evaluate a run's model on its own images and write metrics.json, images.csv, the figures and report.html."""
    job, images = JOBS[run.config.job], data.prepared.images
    found, notes, about = job.evaluate(model, lambda: data, request)
    notes += [*images.notes, *(f"left out: {reason}" for reason in [*images.skipped, *images.lost])]
    job.save(run, model, JobEvaluation(found, notes, about), command=repeat_command(run))


def fresh_path(config: TrainConfig) -> Path:
    """Return ``runs/JOB-MODEL``, with a number behind it where that exists already."""
    name = run_name(config)
    path = Path("runs") / name
    number = 2
    while path.exists():
        path = path.with_name(f"{name}-{number}")
        number += 1
    return path


def run_name(config: TrainConfig) -> str:
    """Return JOB-MODEL as the name of a folder, without signs that mean something in a path or to a shell.

    >>> run_name(TrainConfig(job="reconstruct", model="mlp:auto-64-8,activation=relu"))
    'reconstruct-mlp-64-8-activation-relu'
    """
    model = short(config.model).replace(":auto-", ":")
    return f"{config.job}-{re.sub('[^0-9A-Za-z_.]+', '-', model).strip('-')}"


def repeat_command(run: Run) -> str:
    """Return what to type to train the same again, every setting that is not a default."""
    return command_for(run.config)


def command_for(config: TrainConfig) -> str:
    """Return what to type to train with a configuration, every setting that is not a default."""
    needed: dict[str, Any] = {"scale": config.scale or 2} if "scale" in JOBS[config.job].options else {}
    needed |= {name: value for name in ("force", *LEARNED_FROM) if (value := getattr(config, name)) is not None}
    usual = resolve({"job": config.job, "data": config.data, "model": config.model, **needed})
    changed: dict[str, Any] = {}
    for name in TrainConfig.model_fields:
        value = getattr(config, name)
        stated = name in ("model", "scale", "force", *LEARNED_FROM)
        if name not in ("job", "data") and value is not None and (stated or value != getattr(usual, name)):
            changed[name] = value
    if is_handed(config.data):
        changed |= {"target": "clean"} if "target" in changed else {}
        settings = [f"{name}={value if name == 'target' else repr(value)}" for name, value in changed.items()]
        return f"cuello.train({', '.join([repr(config.job), 'images', *settings])})"
    parts = ["cuello", "train", config.job, shlex.quote(config.data)]
    for name, value in changed.items():
        flag = name.replace("_", "-")
        parts.append(
            f"--{'' if value else 'no-'}{flag}" if isinstance(value, bool) else f"--{flag} {shlex.quote(str(value))}"
        )
    return " ".join(parts)


def interrupted(run: Run) -> Interrupted:
    """Say what is saved and how to go on."""
    return Interrupted(f"stopped; {how_to_go_on(run)}")
