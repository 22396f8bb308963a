"""Trained networks judged: one beside the classical methods, or several at several noise levels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cuello.core.config import EXPLAIN, make_config
from cuello.core.errors import CuelloError
from cuello.core.files import check_free
from cuello.data.catalog import open_source
from cuello.data.classes import aligned
from cuello.data.images import load_images, pair, parse_size
from cuello.degrade import parse
from cuello.inference.model import Model, load
from cuello.jobs.classify.evaluation import Classification, evaluate_classes
from cuello.jobs.data import Prepared, prepare
from cuello.jobs.images.evaluation import Evaluation, Progress, Subjects, evaluate_model, subjects_of_images
from cuello.jobs.images.matrix import Matrix, check_alike, evaluate_matrix
from cuello.jobs.images.matrix_page import FILES, save_matrix
from cuello.jobs.images.pairs import JOBS, UPSCALE, Task, same_size, shrinking
from cuello.runs.artefact import FILE_NAME
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run
from cuello.scoring.baselines import BASELINES, enlargers
from cuello.scoring.references import Reference
from cuello.work.train import (
    check_sweep,
    class_references_of,
    finish,
    finish_classes,
    own_subjects,
    reading,
    references_of,
)

SPLIT_SETTINGS = ("validation", "test", "split_seed", "crop", "crops", "validation_samples")
"""Settings that decide, with the images, what a run's own test images are."""


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
    if model.classes:
        raise CuelloError(f"{path} is a classifier: use cuello.evaluate_classifier, or `cuello evaluate` for one run.")
    if model.artefact.job == EXPLAIN:
        raise CuelloError(
            f"{path} estimates occlusion maps, which have no MSE and PSNR beside classical methods. Its report says "
            "how faithful they are; of other images: cuello explain CLASSIFIER IMAGES --model RUN --check 1."
        )
    run = Run(path) if path.is_dir() else None
    references: list[Reference] = []
    settings = make_config(model.artefact.training)
    task = task_for(model, noise, target)
    check_sweep(task, sweep)
    if images is None:
        if run is None:
            raise CuelloError(f"{path} is a file without a run: name the images to evaluate it on.")
        if target is not None:
            raise CuelloError(f"got the clean images {target} without the noisy ones: name those as IMAGES too.")
        prepared = prepare(run.config, reading(progress))
        check_same_images(run, prepared)
        subjects, notes = own_subjects(prepared)
        references = references_of(task, model, prepared)
    else:
        subjects, notes = named_subjects(model, images, target, on_error, progress)
        if run is not None and not JOBS[task.job].restores:
            references = references_of(task, model, prepare(run.config, reading(progress)))
    seed = settings.split_seed if seed is None else seed
    if run is not None and report:
        return finish(run, model, task, subjects, notes, seed, sweep, progress, baselines, references)
    return evaluate_model(
        model, task, subjects, seed=seed, sweep=sweep, baselines=baselines, references=references, progress=progress
    )


def evaluate_classifier(
    path: str | Path,
    images: str | Path | None = None,
    *,
    device: str = "cpu",
    on_error: str = "stop",
    report: bool = True,
    progress: Progress | None = None,
) -> Classification:
    """Judge a trained classifier: accuracy with its interval, confusion, calibration, beside simple methods.

    path: a run directory, or a model.safetensors file (which then needs ``images``, and is judged alone). images: a
    folder with one subfolder a class, a file or a data set with labels, judged whole; by default the run's own test
    images. report: for a run directory, write metrics.json, images.csv, figures and report.html anew.
    Raises CuelloError where the model is no classifier, or does not know a class of the images.
    """
    path = Path(path).expanduser()
    model = load(path, None, device)
    if not model.classes:
        raise CuelloError(f"{path} is no classifier: its job is {model.artefact.job}. Use cuello.evaluate.")
    if not path.is_dir():
        if images is None:
            raise CuelloError(f"{path} is a file without a run: name the images to evaluate it on.")
        return evaluate_classes(model, named_examples(model, images, on_error, progress)[0], (), progress)
    run = Run(path)
    prepared = prepare(run.config, reading(progress))
    if images is None:
        check_same_images(run, prepared)
        subjects, notes = own_subjects(prepared)
    else:
        subjects, notes = named_examples(model, images, on_error, progress)
    if report:
        return finish_classes(run, model, subjects, prepared, notes, progress)
    return evaluate_classes(model, subjects, class_references_of(model, prepared), progress)


def named_examples(
    model: Model, images: str | Path, on_error: str, progress: Progress | None
) -> tuple[Subjects, list[str]]:
    """Read images with labels that a classifier knows, and say in notes which they are."""
    policy = "skip" if on_error == "skip" else "stop"
    size = parse_size(make_config(model.artefact.training).resize)
    read = load_images(open_source(str(images), model.levels), model.channels, size, policy, reading(progress))
    loaded = aligned(read, model.classes)
    notes = [f"Scores are those of {images}, {len(loaded)} whole images.", *loaded.notes]
    return subjects_of_images(loaded, labelled=True), [*notes, *(f"left out: {reason}" for reason in loaded.skipped)]


def check_same_images(run: Run, prepared: Prepared) -> None:
    """Raise CuelloError where a run's images are no longer those it was trained on."""
    if run.checkpoint_path.is_file() and read_reached(run.checkpoint_path).fingerprint != prepared.fingerprint:
        raise CuelloError(
            f"the images of {run.path} are not those it was trained on, so that its test images cannot be told. "
            "Bring them back, or name the images to evaluate it on."
        )


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
        check_free(folder, FILES, overwrite)
    runs = name_runs([Path(path).expanduser() for path in paths])
    models = {name: load(path, network, device) for name, path in runs.items()}
    for name, model in models.items():
        if model.classes:
            raise CuelloError(f"{name} is a classifier, and several at once are compared by noise. Evaluate it alone.")
        if model.artefact.job == EXPLAIN:
            raise CuelloError(
                f"{name} gives occlusion maps, and several at once are compared by noise. See its report."
            )
    tasks = {name: task_for(model, None, None) for name, model in models.items()}
    check_alike(models, tasks)
    for task in tasks.values():
        check_sweep(task, sweep)
    first = next(iter(models.values()))
    if images is None:
        subjects, notes = own_subjects(prepare_common(list(runs.values()), progress))
    else:
        subjects, notes = named_subjects(first, images, None, on_error, progress)
    seed = make_config(first.artefact.training).split_seed if seed is None else seed
    matrix = evaluate_matrix(
        models, tasks, subjects, sweep, baselines=baselines, seed=seed, most=most, progress=progress
    )
    matrix = replace(matrix, protocol={**matrix.protocol, "notes": notes})
    if folder is not None:
        save_matrix(folder, matrix)
    return matrix


def named_subjects(
    model: Model, images: str | Path, target: str | Path | None, on_error: str, progress: Progress | None
) -> tuple[Subjects, list[str]]:
    """Read whole images to evaluate on (and their clean counterparts), and say in notes which they are."""
    policy = "skip" if on_error == "skip" else "stop"
    loaded = load_images(open_source(str(images), model.levels), model.channels, None, policy, reading(progress))
    if target is not None:
        clean = load_images(open_source(str(target), model.levels), model.channels, None, policy)
        loaded = pair(loaded, clean, scale=model.scale, on_error=policy)
    notes = [f"Scores are those of {images}, {len(loaded)} whole images.", *loaded.notes]
    notes += [f"left out: {reason}" for reason in loaded.skipped]
    return subjects_of_images(loaded), notes


def name_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """Return a name for every run: that of its folder, or its whole path where that is not enough."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise CuelloError(f"a run is named twice: {', '.join(map(str, paths))}. Name each once.")
    folders = [path if path.is_dir() or path.name != FILE_NAME else path.parent for path in paths]
    short = [folder.resolve().name for folder in folders]
    clear = [short.count(name) == 1 and name not in BASELINES and name not in enlargers(2) for name in short]
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


def task_for(model: Model, noise: str | None, target: str | Path | None) -> Task:
    """Return the task to evaluate on: the model's own, or with another noise, or on pairs.

    Raises CuelloError where the noise does not leave images of the size that the network enlarges.
    """
    job, scale = model.artefact.job, model.scale
    spec = noise or model.artefact.noise
    if target is not None or spec is None:
        return Task(job, None, scale)
    if job != UPSCALE:
        return Task(job, same_size(spec, job))
    if parse(spec).scale not in (1, scale):
        raise CuelloError(
            f"got --noise {spec}, which makes images {parse(spec).scale} times smaller; this network makes them "
            f"{scale} times larger. Write {'a noise that keeps the size' if scale == 1 else f'down:{scale}'}."
        )
    return Task(job, shrinking(spec, scale if scale > 1 else None))
