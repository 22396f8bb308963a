"""Training as a whole: read, divide, train, evaluate, report; and going on with what was interrupted."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cuello.core.config import CLASSIFY, EXPLAIN, TrainConfig, make_config, to_toml
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.files import write_text
from cuello.core.memory import kept_memory
from cuello.core.seeding import derived_seed
from cuello.data.batches import Batches
from cuello.data.catalog import CATALOG
from cuello.data.images import ReportProgress
from cuello.inference.model import Model, load
from cuello.jobs.classify.evaluation import Classification, evaluate_classes
from cuello.jobs.classify.evaluation import result_of as result_of_classes
from cuello.jobs.classify.page import write_classification
from cuello.jobs.data import Prepared, prepare
from cuello.jobs.explain.evaluation import Estimation, Lesson, evaluate_estimator, lesson_of
from cuello.jobs.explain.evaluation import result_of as result_of_maps
from cuello.jobs.explain.page import write_estimation
from cuello.jobs.images.evaluation import (
    Evaluation,
    Progress,
    Subjects,
    evaluate_model,
    has_levels,
    result_of,
    subjects_of_batches,
)  # fmt: skip
from cuello.jobs.images.page import write_report
from cuello.jobs.images.pairs import JOBS, UPSCALE, Task, labelled, task_of
from cuello.models.catalog import KINDS, architecture_of, build, find_network
from cuello.models.custom import is_reference
from cuello.models.estimators import build_estimator, estimator_of
from cuello.models.geometry import check_multiple
from cuello.runs.artefact import Artefact
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run, create_run
from cuello.scoring.losses import LossSpec, find_loss
from cuello.scoring.references import ClassReference, Reference, fit_class_references, fit_references
from cuello.training.device import choose_device, use_threads
from cuello.training.loop import fit
from cuello.training.observers import Observer
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.schedule import SCHEDULES, reason_to_stop
from cuello.training.trackers import check_trackers, make_trackers

CHANGEABLE = ("epochs", "max_minutes", "patience", "min_delta", "device", "threads", "storage")
"""Settings that may differ when a run goes on: how long, on what, and where the images are."""

UNCOMPARED = ("device", "threads", "storage")
"""Settings in which a run may differ from what is asked for and still be the run that was asked for."""


def resolve(settings: Mapping[str, Any]) -> TrainConfig:
    """Check settings and fill in what the network's recipe recommends for those that were not given."""
    config = make_config(settings)
    find_loss(config.loss)  # an unknown name is an error before any image is read
    for registry, name in ((OPTIMIZERS, config.optimizer), (SCHEDULES, config.schedule)):
        registry[name]
    given = config.model_dump(exclude_unset=True)
    model = given.setdefault("model", JOBS[config.job].model)
    recipe: dict[str, Any] = {"loss": JOBS[config.job].loss}
    if not is_reference(model):
        recipe |= find_network(model).recipe
    if config.data in CATALOG:
        recipe |= CATALOG[config.data].recipe
    check_job(config.job, model, find_loss({**recipe, **given}["loss"]))
    return with_whole_noise(make_config({**recipe, **given}))


def check_job(job: str, model: str, loss: LossSpec) -> None:
    """Raise CuelloError where a network or a loss is not for a job: for classes, not images, or the reverse."""
    classifies, explains = job == CLASSIFY, job == EXPLAIN
    usual = JOBS[job]
    kind = None if is_reference(model) else KINDS[find_network(model).kind]
    if kind is None and (classifies or explains):
        what = "a classifier" if classifies else "an estimator"
        raise CuelloError(
            f"got --model {model}: code of your own is trained for images only, not to {job}. Name {what} of Cuello's, "
            f"e.g. --model {usual.model} (see `cuello models`)."
        )
    if kind is not None and kind.classifies != classifies:
        gives = "images, not classes" if classifies else "classes, not images"
        raise CuelloError(f"the network {model!r} gives {gives}. For {job}, use e.g. --model {usual.model}.")
    if explains and kind is not None and not kind.explains:
        raise CuelloError(f"the network {model!r} gives no occlusion maps. For {job}, use e.g. --model {usual.model}.")
    if not explains and kind is not None and kind.explains:
        raise CuelloError(
            f"the network {model!r} gives the occlusion maps of a classifier, not images. For {job}, use e.g. --model "
            f"{usual.model}."
        )
    if loss.classifies != classifies:
        compares = "images, not classes" if classifies else "classes, not images"
        raise CuelloError(f"the loss {loss.name!r} compares {compares}. For {job}, use e.g. --loss {usual.loss}.")


def with_whole_noise(config: TrainConfig) -> TrainConfig:
    """Return the configuration of an upscaling with both noise and scale, where one of them says the other."""
    if config.job != UPSCALE or config.target is not None:
        return config
    task = task_of(config)
    stated = {"noise": task.degradation.spec()} if task.degradation is not None else {}
    stated |= {"scale": task.scale} if task.scale > 1 else {}
    return make_config({**config.model_dump(exclude_unset=True), **stated})


def train(
    job: str = "denoise",
    data: str | Path = "photos",
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    report: bool = True,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    track: Sequence[str] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Train a network, evaluate it beside the classical methods and write a report.

    job: what to learn ("denoise", "upscale" …). data: a folder, a file, or a data set's name. output: the run
    directory, by default ``runs/JOB-MODEL``, with a number if that exists. overwrite: replace an earlier run there.
    report: also evaluate and write report.html. sweep: noise levels to evaluate at. observers: called with the events
    of the training.
    track: where else to follow it, "tensorboard" or "mlflow" (``pip install 'cuello[track]'``). progress: called while
    images are read and evaluated. settings: those of ``cuello.core.config.TrainConfig``.
    Raises CuelloError for a mistake in any of them.

    >>> import cuello, tempfile
    >>> run = cuello.train("denoise", "photos", noise="salt-pepper:0.2", model="conv-8-16-8", crop=64, samples=32,
    ...                    validation_samples=8, epochs=1, output=tempfile.mkdtemp() + "/run", report=False)
    >>> run.model_path.name
    'model.safetensors'
    """
    config = resolve({"job": job, "data": str(data), **settings})
    task = task_of(config)
    check_sweep(task, sweep)
    check_trackers(track)
    device = choose_device(config.device)
    config = make_config({**config.model_dump(), "threads": use_threads(config.threads)})
    path = Path(output).expanduser() if output is not None else fresh_path(config)
    prepared, lesson = prepared_for(config, progress)
    network, artefact = make_network(config, prepared, lesson)
    run = create_run(path, config, overwrite)
    observers = [*observers, *make_trackers(track, run.path, config)]
    try:
        return run_through(
            run, config, task, prepared, network, artefact, device, report, sweep, observers, progress, lesson
        )
    except KeyboardInterrupt:
        raise interrupted(run) from None


def resume(
    path: str | Path,
    *,
    network: str | None = None,
    report: bool = True,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    track: Sequence[str] = (),
    progress: Progress | None = None,
    **changes: Any,
) -> Run:
    """Go on with a run that was interrupted, or that should train for longer.

    path: the run directory. network: FILE.py:CLASS, needed where the network is somebody's own code. changes: new
    values for epochs, max_minutes, patience, min_delta, device, threads or storage. Without changes the run ends with
    the same weights, to the bit, as if it had never been interrupted (on the same kind of CPU).
    Raises CuelloError where there is nothing to go on with, or another setting is given.
    """
    run = Run(Path(path).expanduser())
    for name in changes:
        if name not in CHANGEABLE:
            raise CuelloError(f"{name} cannot change when a run goes on; what can: {', '.join(CHANGEABLE)}.")
    config = make_config({**run.config.model_dump(), **changes})
    if is_reference(config.model) and network is None:
        raise CuelloError(
            f"this run's network is code of somebody's own ({config.model}), and code is run only if you name it: add "
            f"--model {config.model} with the path where you have that file."
        )
    if network is not None:
        config = make_config({**config.model_dump(), "model": network})
    for leftover in run.path.glob(".*.tmp*"):
        leftover.unlink(missing_ok=True)
    task = task_of(config)
    check_sweep(task, sweep)
    check_trackers(track)
    device = choose_device(config.device)
    use_threads(config.threads)
    try:
        prepared, lesson = prepared_for(config, progress)
        made, artefact = make_network(config, prepared, lesson)
        write_text(run.config_path, to_toml(config))
        observers = [*observers, *make_trackers(track, run.path, config)]
        return run_through(
            run, config, task, prepared, made, artefact, device, report, sweep, observers, progress, lesson
        )
    except KeyboardInterrupt:
        raise interrupted(run) from None


def train_or_resume(
    path: Path,
    settings: Mapping[str, Any],
    *,
    report: bool,
    sweep: Sequence[float] = (),
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
) -> Run:
    """Return the finished run at ``path`` with these settings: made, gone on with, or, if it is finished, as it is.

    So a job of several runs that was killed goes on when it is called again. settings: job, data and any of
    ``cuello.core.config.TrainConfig``. report: a run counts as finished only with its evaluation and report.html.
    Raises CuelloError that names the first setting in which the run at ``path`` differs (device and threads aside).
    """
    run = Run(path)
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    if not run.config_path.is_file():
        return train(**settings, output=path, report=report, sweep=sweep, observers=observers, progress=progress)
    config = run.config
    check_same(run, config, resolve(settings))
    if is_finished(run, config, report):
        return run
    network = config.model if is_reference(config.model) else None
    return resume(path, network=network, report=report, sweep=sweep, observers=observers, progress=progress)


def check_same(run: Run, found: TrainConfig, wanted: TrainConfig) -> None:
    """Raise CuelloError that names the first setting of a run that is not as wanted."""
    for name in TrainConfig.model_fields:
        was, asked = getattr(found, name), getattr(wanted, name)
        if name not in UNCOMPARED and was != asked:
            raise CuelloError(
                f"{run.path} was trained with {name} = {was!r}, now it is {asked!r}. Ask for the same, replace the run "
                "(--overwrite), or choose another place with --output."
            )


def is_finished(run: Run, config: TrainConfig, report: bool) -> bool:
    """Tell whether a run's training is over by its own settings and, if ``report``, evaluated too."""
    if not (run.checkpoint_path.is_file() and run.model_path.is_file()):
        return False
    over = reason_to_stop(config, read_reached(run.checkpoint_path).records) is not None
    return over and (not report or (run.metrics_path.is_file() and run.report_path.is_file()))


def prepared_for(config: TrainConfig, progress: Progress | None = None) -> tuple[Prepared, Lesson | None]:
    """Return the data of a training, and what an estimator of occlusion maps learns, whose exact maps are made here."""
    if config.job != EXPLAIN:
        return prepare(config, reading(progress)), None
    lesson = lesson_of(config)
    return prepare(config, reading(progress), lesson.completing(config.threads, progress)), lesson


def make_network(
    config: TrainConfig, prepared: Prepared, lesson: Lesson | None = None
) -> tuple[torch.nn.Module, Artefact]:
    """Build the network with its first weights, which depend on the seed alone, and say what it is."""
    scale = config.scale or 1
    height, width = (side // scale for side in prepared.training.size)
    settings = config.model_dump(exclude_none=True)
    torch.manual_seed(derived_seed(config.seed, "weights"))
    if lesson is not None:
        theirs = lesson.classifier.artefact
        architecture = estimator_of(config.model, theirs.architecture, size=(height, width))
        network = build_estimator(architecture, lesson.classifier.network)
        return network, Artefact(architecture, config.job, None, {}, settings, classifier=theirs.checksum)
    classes = tuple(prepared.images.label_names or ()) if config.job == CLASSIFY else ()
    architecture = architecture_of(config.model, prepared.images.channels, (height, width), scale, len(classes) or None)
    network = build(architecture, config.model if is_reference(config.model) else None)
    check_multiple(torch.empty(1, 1, height, width), int(network.stride))  # type: ignore[arg-type]
    return network, Artefact(architecture, config.job, config.noise, {}, settings, classes=classes)


def run_through(
    run: Run,
    config: TrainConfig,
    task: Task,
    prepared: Prepared,
    network: torch.nn.Module,
    artefact: Artefact,
    device: torch.device,
    report: bool,
    sweep: Sequence[float],
    observers: Sequence[Observer],
    progress: Progress | None,
    lesson: Lesson | None = None,
) -> Run:
    """Train to the end, then evaluate on the test part (or, where there is none, on validation) and report."""
    with kept_memory():
        fit(
            run, network, artefact, task, prepared.training, prepared.validation, config, device, prepared.fingerprint,
            observers,
        )  # fmt: skip
    if report:
        allowed = config.model if is_reference(config.model) else None
        model = load(run.path, allowed, str(device))
        subjects, notes = own_subjects(prepared)
        left_out = [*prepared.images.skipped, *prepared.images.lost]
        notes += [*prepared.images.notes, *(f"left out: {reason}" for reason in left_out)]
        if task.job == CLASSIFY:
            finish_classes(run, model, subjects, prepared, notes, progress)
            return run
        if lesson is not None:
            finish_maps(run, model, lesson, prepared, notes, progress)
            return run
        references = references_of(task, model, prepared)
        finish(run, model, task, subjects, notes, config.split_seed, sweep, progress, references=references)
    return run


def own_subjects(prepared: Prepared) -> tuple[Subjects, list[str]]:
    """Return the images of a run's own data to evaluate on, and a note on which they are."""
    part: Batches = prepared.test or prepared.validation
    which = "test images, never seen in training"
    if prepared.test is None:
        which = "validation images, on which the best epoch was chosen (--test keeps some apart)"
    return subjects_of_batches(part), [f"Scores are those of the {which}."]


def references_of(task: Task, model: Model, prepared: Prepared) -> list[Reference]:
    """Return what a code is measured against, fitted to the training images; nothing for jobs that restore."""
    if JOBS[task.job].restores or not hasattr(model.network, "encode"):
        return []
    first = next(iter(prepared.training.epoch(0))).images[:1]
    numbers = int(model.encode(first)[0].numel())
    return fit_references((batch.images for batch in prepared.training.epoch(0)), numbers)


def finish(
    run: Run,
    model: Model,
    task: Task,
    subjects: Subjects,
    notes: list[str],
    seed: int,
    sweep: Sequence[float],
    progress: Progress | None,
    baselines: Sequence[str] | None = None,
    references: Sequence[Reference] = (),
) -> Evaluation:
    """Evaluate a run's model and write metrics.json, images.csv, the figures and report.html."""
    evaluation = evaluate_model(
        model, task, subjects, seed=seed, sweep=sweep, baselines=baselines, references=references, progress=progress
    )
    result_of(evaluation).save(run)
    write_report(run, model, task, evaluation, repeat_command(run), notes)
    return evaluation


def finish_classes(
    run: Run, model: Model, subjects: Subjects, prepared: Prepared, notes: list[str], progress: Progress | None
) -> Classification:
    """Judge a run's classifier and write metrics.json, images.csv, the figures and report.html."""
    found = evaluate_classes(model, subjects, class_references_of(model, prepared), progress)
    result_of_classes(found).save(run)
    write_classification(run, model, found, repeat_command(run), notes)
    return found


def finish_maps(
    run: Run, model: Model, lesson: Lesson, prepared: Prepared, notes: list[str], progress: Progress | None
) -> Estimation:
    """Judge a run's estimator of occlusion maps and write metrics.json, images.csv, the figures and report.html."""
    part: Batches = prepared.test or prepared.validation
    learned = len(np.unique(prepared.training.crops.places[:, 0]))
    found = evaluate_estimator(model, lesson, part, run.history, learned, progress)
    result_of_maps(found).save(run)
    write_estimation(run, model, found, repeat_command(run), notes)
    return found


def class_references_of(model: Model, prepared: Prepared) -> list[ClassReference]:
    """Return what a classifier is measured against, fitted to its training images."""
    pairs = (labelled(batch) for batch in prepared.training.epoch(0))
    return fit_class_references(((pair.x, pair.target) for pair in pairs), model.classes)


def check_sweep(task: Task, sweep: Sequence[float]) -> None:
    """Raise CuelloError where a noise level cannot be: before the work, not after it."""
    if not sweep:
        return
    if task.degradation is None or not has_levels(task.degradation):
        plain = "pairs of images" if JOBS[task.job].restores else task.job
        name = plain if task.degradation is None else task.degradation.name
        raise CuelloError(f"there is no noise level to sweep for {name!r}. Leave out --sweep.")
    for value in sweep:
        task.degradation.typical().with_main(value)


def fresh_path(config: TrainConfig) -> Path:
    """Return ``runs/JOB-MODEL``, with a number behind it where that exists already."""
    name = config.model.rpartition(":")[2] if is_reference(config.model) else config.model
    path = Path("runs") / f"{config.job}-{name}"
    number = 2
    while path.exists():
        path = path.with_name(f"{config.job}-{name}-{number}")
        number += 1
    return path


def repeat_command(run: Run) -> str:
    """Return what to type to train the same again, every setting that is not a default."""
    config = run.config
    needed = {"scale": 2} if config.job == UPSCALE else {}
    usual = resolve({"job": config.job, "data": config.data, "model": config.model, **needed})
    parts = ["cuello", "train", config.job, shlex.quote(config.data)]
    for name in TrainConfig.model_fields:
        value = getattr(config, name)
        stated = name in ("model", "noise", "scale")
        if name in ("job", "data") or value is None or (not stated and value == getattr(usual, name)):
            continue
        flag = name.replace("_", "-")
        parts.append(
            f"--{'' if value else 'no-'}{flag}" if isinstance(value, bool) else f"--{flag} {shlex.quote(str(value))}"
        )
    return " ".join(parts)


def reading(progress: Progress | None) -> ReportProgress | None:
    """Return a progress callback for reading images."""
    return (lambda done, total: progress("reading images", done, total)) if progress else None


def interrupted(run: Run) -> Interrupted:
    """Say what is saved and how to go on."""
    epochs = len(run.history) if run.history_path.is_file() else 0
    return Interrupted(f"stopped; {epochs} epochs are saved in {run.path}. Go on with: cuello resume {run.path}")
