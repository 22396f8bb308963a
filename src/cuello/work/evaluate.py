"""Trained networks judged: one by what its job measures, or several at several noise levels."""

from collections.abc import Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any

from cuello.core.caller import caller_kept
from cuello.core.errors import CuelloError
from cuello.core.files import check_free
from cuello.core.lock import kept
from cuello.core.own import names_own
from cuello.core.progress import OnProgress, Progress, listener
from cuello.core.settings import OnError
from cuello.data.folders import check_outside
from cuello.data.handed import from_python, is_handed
from cuello.inference.model import load
from cuello.jobs.base import JobData, JointEvaluation, OwnData, Request
from cuello.jobs.catalog import JOBS
from cuello.jobs.classify.evaluation import Classification
from cuello.jobs.images.matrix_page import FILES
from cuello.runs.artefact import FILE_NAME, runs_inside
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run
from cuello.runs.settings import trained_config
from cuello.scoring.baselines import BASELINES, enlargers
from cuello.training.watched import watched
from cuello.work.several import judge_runs
from cuello.work.train import check_same_images, repeat_command, with_images

SPLIT_SETTINGS = ("validation", "test", "fold", "split_seed", "crop", "crops", "validation_samples")
"""Settings that decide, with the images, what a run's own test images are."""


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello evaluate`.
@names_own
@caller_kept()
@watched()
@from_python("images", "data", "target")
def evaluate(
    path: str | PathLike[str],
    images: Any = None,
    *,
    data: Any = None,
    labels: Any = None,
    target: Any = None,
    noise: str | None = None,
    sweep: Sequence[float] = (),
    baselines: Sequence[Any] | str | None = None,
    metrics: Sequence[Any] | str = (),
    seed: int | None = None,
    range: str | tuple[float, float] | None = None,
    network: Any = None,
    device: str = "cpu",
    on_error: OnError = "skip",
    report: bool = True,
    progress: OnProgress | bool | None = None,
) -> Any:
    """Judge a trained network by what its job measures: images beside classical methods on the same degraded pixels,
    classifiers beside simple ones, estimated occlusion maps beside exact ones.

    path: a run directory, or a model.safetensors file (which then needs ``images``), or a folder of runs, such as
    repeats: each is judged. images: a folder, a file, a data set, or images from Python as for ``cuello.train``, with
    their labels; evaluated whole; by default the run's own test images. data: the images of the training, where these
    were handed in from Python. target: clean counterparts of ``images``, for pairs. noise: another degradation than the
    model's own. sweep: values of its main parameter. baselines: classical methods. metrics: of your own, beside the
    usual ones; both by name, as FILE.py:NAME, or the functions themselves. seed: of the noise, by default the run's
    own. range: what stands for black and white in ``images``, "LOW..HIGH", "auto" (their lowest and highest value) or
    "full"; by default as in training. report: for a run directory, write metrics.json, images.csv, figures and
    report.html anew.
    Returns an ``Evaluation`` for images, a ``Classification`` for classes, an ``Estimation`` for occlusion maps; for a
    folder of runs ``JudgedRuns``, which has each, and mean and standard deviation of their scores.
    """
    tell = listener(progress)
    path = Path(path).expanduser()
    if len(runs_inside(path)) > 1:
        return judge_runs(
            path,
            lambda run: evaluate(
                run, images, data=data, labels=labels, target=target, noise=noise, sweep=sweep, baselines=baselines,
                metrics=metrics, seed=seed, range=range, network=network, device=device, on_error=on_error,
                report=report, progress=tell,
            ),
        )  # fmt: skip
    run = Run(path) if path.is_dir() else None
    if run is not None and report and images is not None:
        check_outside(images, run.path)
    with ExitStack() as held:
        if run is not None and run.is_begun and report:
            held.enter_context(kept(path, "cuello evaluate"))
        model = load(path, network, device)
        job = JOBS[model.artefact.job]
        request = Request(
            path, images, target=target, noise=noise, sweep=sweep, baselines=baselines, metrics=metrics, seed=seed,
            range=range, on_error=on_error, progress=tell,
            history=run.history if run is not None and run.history_path.is_file() else (),
        )  # fmt: skip

        def own() -> JobData:
            assert run is not None
            found = job.data(with_images(trained_config(run), data), tell)
            if images is None:
                check_same_images(run, found.prepared)
            return found

        judged = job.evaluate(model, own if run is not None else None, request)
        for note in judged.notes if images is not None else ():
            if not note.startswith("left out: "):  # that was said when it was read
                tell(Progress("evaluating", 1, 1, note=note))
        if run is not None and report:
            job.save(run, model, judged, command=repeat_command(run))
    return judged.evaluation


# More than seven parameters: those by name are the settings of one call.
@names_own
@caller_kept()
@watched()
@from_python("images", "data")
def evaluate_classifier(
    path: str | PathLike[str],
    images: Any = None,
    *,
    data: Any = None,
    labels: Any = None,
    device: str = "cpu",
    on_error: OnError = "skip",
    report: bool = True,
    progress: OnProgress | bool | None = None,
) -> Classification:
    """Judge a trained classifier: accuracy with its interval, confusion, calibration, beside simple methods.

    path: a run directory, or a model.safetensors file (which then needs ``images``, and is judged alone). images: a
    folder with one subfolder a class, a file or a data set with labels, judged whole; by default the run's own test
    images. data, labels: as for ``cuello.evaluate``. report: for a run directory, write metrics.json, images.csv,
    figures and report.html anew.
    Raises CuelloError where the model is no classifier, or does not know a class of the images.
    """
    tell = listener(progress)
    path = Path(path).expanduser()
    model = load(path, None, device)
    if not model.classes:
        raise CuelloError(f"{path} is not a classifier: its job is {model.artefact.job}. Use cuello.evaluate.")
    return evaluate(path, images, data=data, device=device, on_error=on_error, report=report, progress=tell)


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello evaluate`.
@names_own
@caller_kept()
@watched()
@from_python("images", "data")
def evaluate_runs(
    paths: Sequence[str | PathLike[str]],
    images: Any = None,
    *,
    data: Any = None,
    labels: Any = None,
    sweep: Sequence[float] = (),
    baselines: Sequence[Any] | str | None = None,
    seed: int | None = None,
    range: str | tuple[float, float] | None = None,
    network: Any = None,
    device: str = "cpu",
    on_error: OnError = "skip",
    most: int | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: OnProgress | bool | None = None,
) -> Any:
    """Judge several trained networks of one job on the same images.

    Image networks, trained against the same kind of noise, at several levels: a ``Matrix`` of trained level against
    tested level. Classifiers, and estimators of occlusion maps: a ``Ranking``, the best first.
    paths: run directories, or model.safetensors files (which need ``images``). images: a folder, a file or a data set,
    evaluated whole; by default the runs' own test images, where all runs have the same. sweep: levels to test at, by
    default those the runs were trained at. data, labels: as for ``cuello.evaluate``.
    baselines: names of classical methods, by default the quick ones. seed: of the noise, by default the first run's
    own. range: as for ``evaluate``. most: how many images at most, spread evenly. output: a folder to write matrix.csv,
    matrix.html and figures to; files that exist are replaced only with ``overwrite``.
    Raises CuelloError where the runs do not belong together, or have no test images in common.
    """
    if data is not None and not is_handed(str(data)):
        raise CuelloError(f"got data={data}: runs find their files by themselves. It is for images from Python only.")
    request = Request(
        Path(paths[0]), images, sweep=sweep, baselines=baselines, seed=seed, range=range,
        on_error=on_error, most=most, progress=listener(progress),
    )  # fmt: skip
    return several_runs(paths, request, network=network, device=device, output=output, overwrite=overwrite).evaluation


def several_runs(
    paths: Sequence[str | PathLike[str]],
    request: Request,
    *,
    network: Any = None,
    device: str = "cpu",
    output: str | Path | None = None,
    overwrite: bool = False,
) -> JointEvaluation:
    """Judge several trained networks on the same images and return the result in every form; see ``evaluate_runs``."""
    folder = Path(output).expanduser() if output is not None else None
    if folder is not None:
        if request.images is not None:
            check_outside(request.images, folder)
        check_free(folder, FILES, overwrite)
    runs = name_runs([Path(path).expanduser() for path in paths])
    models = {name: load(path, network, device) for name, path in runs.items()}
    jobs = {name: model.artefact.job for name, model in models.items()}
    if len(set(jobs.values())) > 1:
        (first, job), (other, another) = (
            next(iter(jobs.items())),
            next(item for item in jobs.items() if item[1] != next(iter(jobs.values()))),
        )
        raise CuelloError(f"{first} was trained to {job}, {other} to {another}: needed one job.")
    own: dict[str, OwnData] = {}
    if request.images is None:
        data = prepare_common(list(runs.values()), request.progress)
        own = dict.fromkeys(runs, lambda: data)
    several = JOBS[next(iter(jobs.values()))].evaluate_several(models, own, request)
    if folder is not None:
        several.save(folder)
    return several


def name_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """Return a name for every run: that of its folder, or its whole path where that is not enough."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise CuelloError(f"a run is named twice: {', '.join(map(str, paths))}. Name each once.")
    folders = [path if path.is_dir() or path.name != FILE_NAME else path.parent for path in paths]
    short = [folder.resolve().name for folder in folders]
    clear = [short.count(name) == 1 and name not in BASELINES and name not in enlargers(2) for name in short]
    return {name if good else str(path): path for name, good, path in zip(short, clear, paths, strict=True)}


def prepare_common(paths: Sequence[Path], progress: OnProgress) -> JobData:
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
            f"the runs were trained on different images: what one was tested on, another may have seen. {remedy}"
        )
    first, *others = [trained_config(run) for run in runs]
    for run, config in zip(runs[1:], others, strict=True):
        for name in SPLIT_SETTINGS:
            ours, theirs = (
                "its default" if (value := getattr(one, name)) is None else value for one in (first, config)
            )
            if ours != theirs:
                raise CuelloError(
                    f"{runs[0].path} was trained with {name} = {ours}, {run.path} with {theirs}: they have no test "
                    f"images in common. {remedy}"
                )
    data = JOBS[first.job].data(first, progress)
    if data.prepared.fingerprint not in known:
        raise CuelloError(
            f"the images of {runs[0].path} are not those it was trained on. Bring them back, or: {remedy}"
        )
    return data
