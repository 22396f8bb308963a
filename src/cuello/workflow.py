"""The whole of a job: read, divide, train, evaluate, report; and going on with what was interrupted."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cuello.baselines import BASELINES
from cuello.config import TrainConfig, make_config, to_toml
from cuello.data.batches import Batches
from cuello.data.catalog import open_source
from cuello.data.images import ReportProgress, load_images, pair
from cuello.errors import CuelloError, Interrupted
from cuello.evaluation import (
    Evaluation,
    Progress,
    Subjects,
    evaluate_model,
    has_levels,
    save_evaluation,
    subjects_of_batches,
    subjects_of_images,
)  # fmt: skip
from cuello.files import write_text
from cuello.inference import Model, load
from cuello.losses import LOSSES
from cuello.matrix import Matrix, check_alike, evaluate_matrix
from cuello.models.catalog import NETWORKS, architecture_of, build
from cuello.models.custom import is_reference
from cuello.models.geometry import check_multiple
from cuello.preparation import Prepared, prepare
from cuello.report.html import write_report
from cuello.report.matrix_page import check_free, save_matrix
from cuello.runs.artefact import FILE_NAME, Artefact
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run, create_run
from cuello.seeding import derived_seed
from cuello.tasks import Task, task_of
from cuello.training.device import choose_device, kept_memory, use_threads
from cuello.training.loop import fit
from cuello.training.observers import Observer
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.schedule import SCHEDULES, reason_to_stop
from cuello.training.trackers import check_trackers, make_trackers

CHANGEABLE = ("epochs", "max_minutes", "patience", "min_delta", "device", "threads", "storage")
"""Settings that may differ when a run goes on: how long, on what, and where the images are."""

SPLIT_SETTINGS = ("validation", "test", "split_seed", "crop", "crops", "validation_samples")
"""Settings that decide, with the images, what a run's own test images are."""

UNCOMPARED = ("device", "threads", "storage")
"""Settings in which a run may differ from what is asked for and still be the run that was asked for."""


def resolve(settings: Mapping[str, Any]) -> TrainConfig:
    """Check settings and fill in what the network's recipe recommends for those that were not given."""
    config = make_config(settings)
    for registry, name in (
        (LOSSES, config.loss),
        (OPTIMIZERS, config.optimizer),
        (SCHEDULES, config.schedule),
    ):
        registry[name]  # an unknown name is an error before any image is read
    recipe = {} if is_reference(config.model) else dict(NETWORKS[config.model].recipe)
    return make_config({**recipe, **config.model_dump(exclude_unset=True)})


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

    job: what to learn ("denoise"). data: a folder, a file, or a data set's name. output: the run directory, by default
    ``runs/JOB-MODEL``, with a number if that exists. overwrite: replace an earlier run there. report: also evaluate
    and write report.html. sweep: noise levels to evaluate at. observers: called with the events of the training.
    track: where else to follow it, "tensorboard" or "mlflow" (``pip install 'cuello[track]'``). progress: called while
    images are read and evaluated. settings: those of ``cuello.config.TrainConfig``.
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
    prepared = prepare(config, reading(progress))
    network, artefact = make_network(config, prepared)
    run = create_run(path, config, overwrite)
    observers = [*observers, *make_trackers(track, run.path, config)]
    try:
        return run_through(run, config, task, prepared, network, artefact, device, report, sweep, observers, progress)
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
        prepared = prepare(config, reading(progress))
        made, artefact = make_network(config, prepared)
        write_text(run.config_path, to_toml(config))
        observers = [*observers, *make_trackers(track, run.path, config)]
        return run_through(run, config, task, prepared, made, artefact, device, report, sweep, observers, progress)
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
    ``cuello.config.TrainConfig``. report: a run counts as finished only with its evaluation and report.html.
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


def make_network(config: TrainConfig, prepared: Prepared) -> tuple[torch.nn.Module, Artefact]:
    """Build the network with its first weights, which depend on the seed alone, and say what it is."""
    architecture = architecture_of(config.model, prepared.images.channels)
    torch.manual_seed(derived_seed(config.seed, "weights"))
    network = build(architecture, config.model if is_reference(config.model) else None)
    check_multiple(torch.empty(1, 1, *prepared.training.size), int(network.stride))  # type: ignore[arg-type]
    return network, Artefact(architecture, config.job, config.noise, {}, config.model_dump(exclude_none=True))


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
        finish(run, model, task, subjects, notes, config.split_seed, sweep, progress)
    return run


def own_subjects(prepared: Prepared) -> tuple[Subjects, list[str]]:
    """Return the images of a run's own data to evaluate on, and a note on which they are."""
    part: Batches = prepared.test or prepared.validation
    which = "test images, never seen in training"
    if prepared.test is None:
        which = "validation images, on which the best epoch was chosen (--test keeps some apart)"
    return subjects_of_batches(part), [f"Scores are those of the {which}."]


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
) -> Evaluation:
    """Evaluate a run's model and write metrics.json, images.csv, the figures and report.html."""
    evaluation = evaluate_model(model, task, subjects, seed=seed, sweep=sweep, baselines=baselines, progress=progress)
    save_evaluation(run, evaluation)
    write_report(run, model, task, evaluation, repeat_command(run), notes)
    return evaluation


def evaluate(
    path: str | Path,
    images: str | Path | None = None,
    *,
    target: str | Path | None = None,
    noise: str | None = None,
    sweep: Sequence[float] = (),
    baselines: Sequence[str] | None = None,
    seed: int | None = None,
    network: str | None = None,
    device: str = "cpu",
    on_error: str = "stop",
    report: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a trained network beside the classical methods, on the same degraded pixels.

    path: a run directory, or a model.safetensors file (which then needs ``images``). images: a folder, a file or a data
    set, evaluated whole; by default the run's own test images. target: their clean counterparts, for pairs. noise:
    another degradation than the model's own. sweep: values of its main parameter. baselines: names of classical
    methods. seed: of the noise, by default the run's own. report: for a run directory, write metrics.json, images.csv,
    figures and report.html anew.
    """
    path = Path(path).expanduser()
    model = load(path, network, device)
    run = Run(path) if path.is_dir() else None
    settings = make_config(model.artefact.training)
    task = task_for(model, noise, target)
    check_sweep(task, sweep)
    if images is None:
        if run is None:
            raise CuelloError(f"{path} is a file without a run: name the images to evaluate it on.")
        if target is not None:
            raise CuelloError(f"got the clean images {target} without the noisy ones: name those as IMAGES too.")
        prepared = prepare(run.config, reading(progress))
        if run.checkpoint_path.is_file() and read_reached(run.checkpoint_path).fingerprint != prepared.fingerprint:
            raise CuelloError(
                f"the images of {run.path} are not those it was trained on, so that its test images cannot be told. "
                "Bring them back, or name the images to evaluate it on."
            )
        subjects, notes = own_subjects(prepared)
    else:
        policy = "skip" if on_error == "skip" else "stop"
        loaded = load_images(open_source(str(images), model.levels), model.channels, None, policy, reading(progress))
        if target is not None:
            clean = load_images(open_source(str(target), model.levels), model.channels, None, policy)
            loaded = pair(loaded, clean)
        subjects = subjects_of_images(loaded)
        notes = [f"Scores are those of {images}, {len(loaded)} whole images.", *loaded.notes]
        notes += [f"left out: {reason}" for reason in loaded.skipped]
    seed = settings.split_seed if seed is None else seed
    if run is not None and report:
        return finish(run, model, task, subjects, notes, seed, sweep, progress, baselines)
    return evaluate_model(model, task, subjects, seed=seed, sweep=sweep, baselines=baselines, progress=progress)


def evaluate_runs(
    paths: Sequence[str | Path],
    images: str | Path | None = None,
    *,
    sweep: Sequence[float] = (),
    baselines: Sequence[str] | None = None,
    seed: int | None = None,
    network: str | None = None,
    device: str = "cpu",
    on_error: str = "stop",
    most: int | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Matrix:
    """Test several trained networks at several noise levels: trained level against tested level.

    paths: run directories, or model.safetensors files (which need ``images``), trained against the same kind of
    noise. images: a folder, a file or a data set, evaluated whole; by default the runs' own test images, where all
    runs have the same. sweep: levels to test at, by default those the runs were trained at. baselines: names of
    classical methods, by default the quick ones. seed: of the noise, by default the first run's own. most: how many
    images at most, spread evenly. output: a folder to write matrix.csv, matrix.html and figures to; files that exist
    are replaced only with ``overwrite``.
    Raises CuelloError where the runs do not belong into one matrix, or have no test images in common.
    """
    folder = Path(output).expanduser() if output is not None else None
    if folder is not None:
        check_free(folder, overwrite)
    runs = name_runs([Path(path).expanduser() for path in paths])
    models = {name: load(path, network, device) for name, path in runs.items()}
    tasks = {name: task_for(model, None, None) for name, model in models.items()}
    check_alike(models, tasks)
    for task in tasks.values():
        check_sweep(task, sweep)
    first = next(iter(models.values()))
    if images is None:
        subjects, notes = own_subjects(prepare_common(list(runs.values()), progress))
    else:
        policy = "skip" if on_error == "skip" else "stop"
        loaded = load_images(open_source(str(images), first.levels), first.channels, None, policy, reading(progress))
        subjects, notes = subjects_of_images(loaded), [f"Scores are those of {images}, whole images.", *loaded.notes]
        notes += [f"left out: {reason}" for reason in loaded.skipped]
    seed = make_config(first.artefact.training).split_seed if seed is None else seed
    matrix = evaluate_matrix(
        models, tasks, subjects, sweep, baselines=baselines, seed=seed, most=most, progress=progress
    )
    matrix = replace(matrix, protocol={**matrix.protocol, "notes": notes})
    if folder is not None:
        save_matrix(folder, matrix)
    return matrix


def name_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """Return a name for every run: that of its folder, or its whole path where that is not enough."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise CuelloError(f"a run is named twice: {', '.join(map(str, paths))}. Name each once.")
    folders = [path if path.is_dir() or path.name != FILE_NAME else path.parent for path in paths]
    short = [folder.resolve().name for folder in folders]
    clear = [short.count(name) == 1 and name not in BASELINES for name in short]
    return {name if good else str(path): path for name, good, path in zip(short, clear, paths, strict=True)}


def prepare_common(paths: Sequence[Path], progress: Progress | None) -> Prepared:
    """Return the data that all runs were trained on; CuelloError, asking for IMAGES, where they differ."""
    remedy = "Name the images to evaluate on, after the runs."
    for path in paths:
        if not path.is_dir():
            raise CuelloError(f"{path} is a file without a run, and so without test images. {remedy}")
        if not Run(path).checkpoint_path.is_file():
            raise CuelloError(f"{path} has no last.safetensors, which says what it was trained on. {remedy}")
    runs = [Run(path) for path in paths]
    known = {read_reached(run.checkpoint_path).fingerprint for run in runs}
    if len(known) > 1:
        raise CuelloError(
            f"the runs were trained on different images: what one was tested on another may know. {remedy}"
        )
    first, *others = [run.config for run in runs]
    for run, config in zip(runs[1:], others, strict=True):
        for name in SPLIT_SETTINGS:
            ours, theirs = getattr(first, name), getattr(config, name)
            if ours != theirs:
                raise CuelloError(
                    f"{runs[0].path} was trained with {name} = {ours}, {run.path} with {theirs}: they have no test "
                    f"images in common. {remedy}"
                )
    prepared = prepare(first, reading(progress))
    if prepared.fingerprint not in known:
        raise CuelloError(
            f"the images of {runs[0].path} are not those it was trained on. Bring them back, or: {remedy}"
        )
    return prepared


def check_sweep(task: Task, sweep: Sequence[float]) -> None:
    """Raise CuelloError where a noise level cannot be: before the work, not after it."""
    if not sweep:
        return
    if task.degradation is None or not has_levels(task.degradation):
        name = "pairs of images" if task.degradation is None else task.degradation.name
        raise CuelloError(f"there is no noise level to sweep for {name!r}. Leave out --sweep.")
    for value in sweep:
        task.degradation.typical().with_main(value)


def task_for(model: Model, noise: str | None, target: str | Path | None) -> Task:
    """Return the task to evaluate on: the model's own, or with another noise, or on pairs."""
    from cuello.degrade import parse

    if target is not None:
        return Task(model.artefact.job, None)
    spec = noise or model.artefact.noise
    return Task(model.artefact.job, parse(spec) if spec is not None else None)


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
    usual = resolve({"model": config.model})
    parts = ["cuello", "train", config.job, shlex.quote(config.data)]
    for name in TrainConfig.model_fields:
        value = getattr(config, name)
        if name in ("job", "data") or value is None or (name != "model" and value == getattr(usual, name)):
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
