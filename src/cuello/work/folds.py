"""Cross-validation: one training for every part of the images, which it is tested on, so that each is tested once."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cuello.comparison.page import NONE, loss_text
from cuello.core.caller import caller_kept
from cuello.core.config import make_config
from cuello.core.errors import CuelloError
from cuello.core.files import write_text
from cuello.core.own import names_own
from cuello.core.progress import OnProgress, listener
from cuello.data.handed import from_python
from cuello.jobs.base import Score
from cuello.jobs.catalog import JOBS
from cuello.report.page import Section, Table
from cuello.report.result import Result
from cuello.runs.directory import Run, environment
from cuello.runs.history import best_epoch
from cuello.scoring.repeats import Spread, spread
from cuello.training.observers import Observer
from cuello.training.watched import watched
from cuello.work.plans import cluster_for
from cuello.work.repeats import RunSeries, kept_series, planned, reached, train_series
from cuello.work.train import RunOptions

PAGE_NAME, CSV_NAME = "folds.html", "folds.csv"
FOLDS = RunSeries("fold", "fold-", (PAGE_NAME, CSV_NAME, "slurm"))


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello train`.
@names_own
@caller_kept()
@watched()
@from_python("data", "target")
def train_folds(
    job: str = "denoise",
    data: Any = "photos",
    *,
    labels: Any = None,
    folds: int,
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
    """Train ``folds`` times, each time without another part of the images, on which that run is then tested.

    So every image is tested once, by a network that has not seen it: what few photographs are worth most with.
    output: the folder of ``fold-1``, ``fold-2``, …, each a run directory, and of folds.html and folds.csv, the results
    of all with mean and standard deviation; by default ``runs/JOB-MODEL-folds``. Called again with the same settings,
    folds that are finished are kept and one that was interrupted goes on. overwrite: start anew instead. workers,
    cluster: as in ``train_repeats``. The rest is as in ``cuello.train``.
    Raises CuelloError for a mistake, before any training, and where runs in ``output`` have other settings.

    >>> import cuello, tempfile
    >>> runs = cuello.train_folds("denoise", "photos", folds=2, noise="gaussian:25", model="conv-8-16-8", crop=64,
    ...                           samples=16, validation_samples=4, epochs=1, output=tempfile.mkdtemp() + "/two",
    ...                           report=False)
    >>> [run.path.name for run in runs]
    ['fold-1', 'fold-2']
    """
    if folds < 2:
        raise CuelloError(f"--folds: got {folds}, needed 2 or more.")
    if settings.get("fold") is not None:
        raise CuelloError(f"got --fold={settings['fold']} and --folds={folds}, which makes every fold. Leave one out.")
    options = RunOptions(report, sweep, observers, progress=listener(progress))
    apart = cluster_for(cluster, workers, device=settings.get("device", "auto"), observers=observers)
    given, config, folder = planned({"job": job, "data": str(data), **settings}, FOLDS, output, options=options)
    members = {f"fold-{part}": {**given, "fold": f"{part}/{folds}"} for part in range(1, folds + 1)}
    with kept_series(folder, FOLDS):
        if not (folder / "fold-1" / "config.toml").is_file():  # what cannot be divided is said before any training
            first = make_config({**config.model_dump(exclude_unset=True), "fold": f"1/{folds}"})
            JOBS[config.job].data(first, options.progress)
        runs = train_series(folder, FOLDS, members, options=options, overwrite=overwrite, cluster=apart)
        write_folds(folder, folds_result(runs))
    return runs


def folds_result(runs: Sequence[Run]) -> Result:
    """Return what the folds reached in every form: a row each, then mean and standard deviation."""
    job, spreads = JOBS[runs[0].config.job], reached(runs)
    evaluated = all(run.metrics_path.is_file() for run in runs)
    kind = "evaluation" if evaluated else "validation"
    every = (*job.binary, *(job.results if evaluated else job.scores))
    scores = [score for score in every if f"{kind}_{score.name}" in spreads]
    deciding = job.decided(runs[0].metrics) if evaluated else scores[0]
    gains = [gain_of(run, deciding) for run in runs] if evaluated else []
    known = [gain for gain in gains if gain is not None]
    gained = spread(known) if known and len(known) == len(runs) else None
    tested = [count_tested(run) for run in runs] if evaluated else []
    rows = []
    for place, run in enumerate(runs):
        values = job.reached(run.metrics) if evaluated else {}
        best = best_epoch(run.history)
        row: dict[str, Any] = {"fold": run.path.name, "tested": tested[place] if tested else None}
        for score in scores:
            row[score.name] = values[score.name] if evaluated else getattr(best, f"validation_{score.name}")
        other = job.best_other(run.metrics) if evaluated else None
        rows.append({**row, "best_other": other[0] if other else None, "gain": gains[place] if gains else None})
    own = spreads[f"{kind}_{deciding.name}"]
    said = verdict_of(deciding, own, gained, gains=known, kind=kind)
    found = {score.name: spreads[f"{kind}_{score.name}"] for score in scores} | ({"gain": gained} if gained else {})
    values = {
        "verdict": said, "scores_of": kind, "folds": rows,
        "mean": {name: one.mean for name, one in found.items()},
        "deviation": {name: one.deviation for name, one in found.items()},
    }  # fmt: skip
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    table = table_of(rows, scores, found, deciding=deciding)
    return Result(said, values, lines, shown=[table, said])


def gain_of(run: Run, deciding: Score) -> float | None:
    """Return by how much a run is better than the best other method; None where there is none, or no such score."""
    job = JOBS[run.config.job]
    ours, other = job.reached(run.metrics).get(deciding.name), job.best_other(run.metrics)
    if ours is None or other is None or job.decided(run.metrics) != deciding:
        return None
    return ours - other[1] if deciding.higher_is_better else other[1] - ours


def count_tested(run: Run) -> int:
    """Count the images (photographs, not crops) that a run was tested on."""
    rows = list(csv.DictReader(io.StringIO(run.images_path.read_text("utf-8"))))
    return len({row["image"] for row in rows}) if rows and "image" in rows[0] else len(rows)


def verdict_of(deciding: Score, own: Spread, gained: Spread | None, gains: Sequence[float], *, kind: str) -> str:
    """Say what the folds reached, and how it is beside the best other method of each."""
    unit = f" {deciding.unit}" if deciding.unit not in ("", "%") else ""
    reached_words = f"{deciding.text(own.mean)} ± {deciding.text(own.deviation)}{unit}"
    said = f"{kind.capitalize()} {deciding.label} {reached_words} over {own.count} folds"
    if gained is None:
        return f"{said}."
    better = sum(gain > 0 for gain in gains)
    gain = f"{deciding.gain_text(gained.mean)} ± {deciding.text(gained.deviation)}{unit}"
    return f"{said}; gain over the best other method of each {gain}, better in {better} of {own.count}."


def table_of(
    rows: Sequence[dict[str, Any]], scores: Sequence[Score], found: dict[str, Spread], *, deciding: Score
) -> Table:
    """Show a row a fold, and mean and standard deviation below."""
    forms = {score.name: score.text if score.unit else loss_text for score in scores} | {"gain": deciding.gain_text}
    names = [name for name in ("tested", *forms, "best_other") if any(row[name] is not None for row in rows)]
    headings = {"tested": "tested>", "best_other": "over", "gain": f"gain, {deciding.unit or deciding.label}>"}
    headings |= {score.name: f"{score.heading}>" for score in scores}

    def cell(row: dict[str, Any], name: str) -> str:
        value = row[name]
        return NONE if value is None else forms[name](value) if name in forms else str(value)

    cells = [[row["fold"], *(cell(row, name) for name in names)] for row in rows]
    means = {name: forms[name](one.mean) for name, one in found.items()}
    means["tested"] = str(sum(row["tested"] or 0 for row in rows))
    deviations = {name: forms[name](one.deviation).removeprefix("+") for name, one in found.items()}
    cells += [[label, *(last.get(name, "") for name in names)] for label, last in (("mean", means), ("±", deviations))]
    note = (
        "Every image is tested once, by the run that was trained without it. ±: the standard deviation over folds, "
        "which understates how far other images would move the result, since folds share most of their training images."
    )
    return Table(["fold", *(headings[name] for name in names)], cells, note, ours=frozenset({len(rows)}))


def write_folds(folder: Path, result: Result) -> None:
    """Write folds.html and folds.csv."""
    write_text(folder / CSV_NAME, result.csv)
    table = result.shown[0]
    sections = [Section("The folds", parts=[table] if isinstance(table, Table) else [])]
    result.write_page(
        folder / PAGE_NAME, folder.resolve().name, subtitle="Cross-validation", sections=sections,
        environment=environment(),
    )  # fmt: skip
