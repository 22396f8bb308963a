"""`cuello train` and `cuello resume`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cuello.cli.options import (
    ANY_WORD,
    JSON,
    NO_DEFAULT,
    AtOnce,
    OnCluster,
    Overwrite,
    Own,
    OwnCode,
    Quiet,
    Report,
    Sweep,
    Track,
    takes,
)
from cuello.core.config import CHANGEABLE, TrainConfig, read_toml
from cuello.core.errors import CuelloError

if TYPE_CHECKING:
    from cuello.runs.directory import Run


Ranks = Annotated[
    int | None,
    Parameter(
        help="Share the training among so many processes of this machine, each with a part of every batch; "
        "torchrun and srun start them on several."
    ),
]
"""The number of processes of one training."""


@takes(TrainConfig, job=ANY_WORD, model=NO_DEFAULT, loss=NO_DEFAULT)
# More than seven parameters: each is a flag.
def train(
    job: str | None = None,
    data: str | None = None,
    *,
    output: Annotated[Path | None, Parameter(alias="-o", help="The run directory; by default runs/JOB-MODEL.")] = None,
    config: Annotated[Path | None, Parameter(help="A TOML file of settings; flags win over it.")] = None,
    overwrite: Overwrite = False,
    report: Report = True,
    sweep: Sweep = (),
    track: Track = (),
    repeats: Annotated[
        int,
        Parameter(
            help="Number of trainings, with seeds SEED, SEED + 1, …, each in OUTPUT/seed-N; then compare them. The "
            "same command again keeps what is finished and goes on with the rest."
        ),
    ] = 1,
    folds: Annotated[
        int | None,
        Parameter(
            help="Cross-validation: train so many times, each time testing another part of the images, in "
            "OUTPUT/fold-N, so that every image is tested once. The same command again goes on."
        ),
    ] = None,
    ranks: Ranks = None,
    workers: Annotated[
        AtOnce,
        Parameter(
            help="Trainings at once, each in a process of its own with one thread; by default one after another. Of "
            "one training of the job explain: processes that make its exact maps, by default one a core."
        ),
    ] = None,
    cluster: Annotated[
        OnCluster,
        Parameter(
            help="Where several trainings are made, and the exact maps for one of the job explain: processes (of this "
            "machine), ray (a head on this machine), or ray://HOST:PORT (a cluster of machines). For trainings also "
            "slurm (writes a job for sbatch; the same command again reads what it made)."
        ),
    ] = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Train a network, judge it beside the classical methods and write a report.

    Jobs: denoise, upscale, reconstruct, generate, classify, explain; other words for them are known too.
    Each one's settings, with examples: cuello train JOB --help

    For example:

    cuello train denoise photos --noise gaussian:25 --crop 64 -o runs/first

    cuello train --config runs/first/config.toml --epochs 50

    cuello train denoise photos --noise gaussian:25 --crop 64 --repeats 3

    The run directory holds model.safetensors (the best weights, all that `cuello apply` needs), report.html,
    metrics.json, images.csv, history.jsonl, config.toml (every setting), and last.safetensors to go on from.
    """
    from cuello.cli.render import end_with
    from cuello.training.display import display
    from cuello.training.ranks.place import is_first
    from cuello.work import train as workflow

    given = {"job": job, "data": data} | settings
    merged = (read_toml(config) if config else {}) | {name: value for name, value in given.items() if value is not None}
    with display(quiet or json or not is_first()) as shown:
        common: dict[str, Any] = {
            **{"job": "denoise", "data": "photos"} | merged,
            "output": output, "overwrite": overwrite, "report": report, "sweep": sweep,
            "observers": [shown.observe], "progress": shown.work,
        }  # fmt: skip
        common |= side_by_side(workers, cluster, several=repeats != 1 or folds is not None)
        if repeats != 1 or folds is not None:
            several = "--repeats" if folds is None else "--folds"
            if track:
                raise CuelloError(f"--track follows one training, not {several}. Leave one of them out.")
            if ranks is not None:
                raise CuelloError(f"--ranks shares one training, not {several}. Leave one of them out.")
            if folds is not None and repeats != 1:
                raise CuelloError("--folds trains once a fold: leave out --repeats, or train each seed with --seed.")
        if folds is not None:
            from cuello.work.folds import train_folds

            runs = train_folds(folds=folds, **common)
        elif repeats != 1:
            from cuello.work.repeats import train_repeats

            runs = train_repeats(repeats=repeats, **common)
        else:
            runs = [workflow.train(**common, track=track, ranks=ranks)]
    if not is_first():  # of several processes, the first tells
        return
    if folds is not None:
        say_folds(runs, json)
    elif repeats != 1:
        say_repeats(runs, json)
    else:
        say_run(runs[0].path, report, json)
    end_with(shown.left_out)


@takes(TrainConfig, only=CHANGEABLE)
# More than seven parameters: each is a flag.
def resume(
    run: Annotated[Path, Parameter(help="The run directory.")],
    /,
    *,
    model: OwnCode = None,
    own: Own = (),
    report: Report = True,
    sweep: Sweep = (),
    track: Track = (),
    ranks: Ranks = None,
    json: JSON = False,
    quiet: Quiet = False,
    **changes: Any,
) -> None:
    """Go on with a training that was interrupted, or that should be longer.

    Without changes the run ends with the same weights, to the bit, as if it had never been interrupted (on the same
    kind of CPU, with the same number of threads). Flags are new values: --epochs 100 trains up to 100 epochs in all.

    For example:

    cuello resume runs/first

    cuello resume runs/first --epochs 100
    """
    from cuello.cli.render import end_with
    from cuello.core.own import allow
    from cuello.training.display import display
    from cuello.training.ranks.place import is_first
    from cuello.work import train as workflow

    allow(*own)
    with display(quiet or json or not is_first()) as shown:
        workflow.resume(
            run, network=model, report=report, sweep=sweep, observers=[shown.observe], track=track,
            progress=shown.work, ranks=ranks, **changes,
        )  # fmt: skip
    if not is_first():
        return
    say_run(run, report, json)
    end_with(shown.left_out)


def side_by_side(workers: int | None, cluster: str | None, *, several: bool) -> dict[str, Any]:
    """Return what says where several trainings are made, or the exact maps of a single one.

    Others see none of the events of several trainings: progress is told of all.
    """
    if workers is None and cluster is None:
        return {}
    given: dict[str, Any] = {"workers": workers, "cluster": cluster}
    return given if not several or (cluster is None and workers == 1) else {**given, "observers": []}


def say_run(path: Path, report: bool, json: bool) -> None:
    """Say where a run lies and what it reached."""
    from cuello.cli.render import print_json, print_shown
    from cuello.jobs.catalog import JOBS
    from cuello.runs.directory import Run
    from cuello.runs.history import as_json, best_epoch
    from cuello.training.display import reached_text

    run = Run(path)
    best = best_epoch(run.history)
    if json:
        found = {"run": str(path), "epochs": len(run.history), "best_epoch": best.epoch if best else None}
        known = as_json(best) if best else {}
        names = ("validation_mse", "validation_psnr", "validation_accuracy", "validation_wrong")
        found |= {name: known[name] for name in names if name in known}
        print_json(found | ({"evaluation": run.metrics} if report else {}))
        return
    if report:
        print_shown(JOBS[run.config.job].reached_words(run.metrics))
        print(f"report: {run.report_path}")
    elif best:
        known = as_json(best)
        error = f"MSE {best.validation_mse:.5f}, " if "validation_mse" in known else ""
        error = error or ("" if "validation_accuracy" in known else f"loss {best.validation_loss:.5f} ")
        print(f"best epoch {best.epoch}: validation {error}{reached_text(best)}")
    print(f"model:  {run.model_path}")


def say_repeats(runs: "Sequence[Run]", json: bool) -> None:
    """Say what repeats reached, mean ± standard deviation, and where their comparison lies."""
    from dataclasses import asdict

    from cuello.cli.render import print_json
    from cuello.jobs.catalog import JOBS
    from cuello.work.repeats import reached

    folder, found = runs[0].path.parent, reached(runs)
    if json:
        spreads = {name: asdict(value) for name, value in found.items()}
        print_json({"runs": [str(run.path) for run in runs], "page": str(folder / "compare.html"), **spreads})
        return
    job = JOBS[runs[0].config.job]
    for name, scores in (("validation", (*job.binary, *job.scores)), ("evaluation", (*job.binary, *job.results))):
        spreads = [(score, found[f"{name}_{score.name}"]) for score in scores if f"{name}_{score.name}" in found]
        if spreads:
            reached_words = "  ".join(
                f"{score.label} {score.text(one.mean)} ± {score.text(one.deviation)}"
                f"{f' {score.unit}' if score.unit == 'dB' else ''}"
                for score, one in spreads
            )
            print(f"{name}, {spreads[0][1].count} repeats: {reached_words}")
    print(f"comparison: {folder / 'compare.html'}")


def say_folds(runs: "Sequence[Run]", json: bool) -> None:
    """Say what folds reached, a row each, mean ± standard deviation, and where their page lies."""
    from cuello.cli.render import print_result
    from cuello.work.folds import PAGE_NAME, folds_result

    print_result(folds_result(runs), json)
    if not json:
        print(f"folds: {runs[0].path.parent / PAGE_NAME}")
