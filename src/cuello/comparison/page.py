"""A comparison's tables, for the terminal and for compare.html, and its files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

from cuello.comparison import Comparison, Group, Row, RowDifference, RunFacts, gap, run_values
from cuello.comparison import figures as comparison_figures
from cuello.core.errors import CuelloError, worded
from cuello.core.files import make_folder, write_text
from cuello.jobs.base import Score
from cuello.report.page import Picture, Section, Table, write_page
from cuello.report.result import Result
from cuello.runs.directory import environment
from cuello.runs.history import EpochRecord
from cuello.scoring.repeats import Spread, in_words

CSV_NAME, PAGE_NAME = "compare.csv", "compare.html"
NONE = "–"


def loss_text(value: float) -> str:
    """Write a loss with three significant digits at least."""
    if value == 0 or abs(value) >= 0.001:
        return f"{value:.5f}"
    return f"{value:.6f}" if abs(value) >= 0.0001 else f"{value:.2e}"


def spread_text(spread: Spread | None, form: Callable[[float], str]) -> str:
    """Write the mean, and behind ± the standard deviation, with as many decimals, where there are repeats.

    >>> spread_text(Spread(0.25, 0.000184, 3), loss_text)
    '0.25000 ±0.00018'
    """
    if spread is None:
        return NONE
    mean = form(spread.mean)
    if isnan(spread.deviation):
        return mean
    decimals = len(mean.partition(".")[2])
    return f"{mean} ±{form(spread.deviation) if 'e' in mean else f'{spread.deviation:.{decimals}f}'}"


def decibels(value: float) -> str:
    return f"{value:.2f}"


def duration(seconds: float) -> str:
    """Write a time for people.

    >>> duration(45), duration(600), duration(7200)
    ('45 s', '10.0 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def between(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low}–{high}"


def mean_text(row: Row, value: Callable[[RunFacts], float | None], form: Callable[[float], str]) -> str:
    """Write the mean alone, for columns where the deviation would only take room."""
    spread = row.spread(value)
    return NONE if spread is None else form(spread.mean)


def evaluated_text(row: Row, score: Score, deciding: bool) -> str:
    """Write what a row's evaluations reached; with the deviation over repeats of what decides."""
    if not deciding:
        return mean_text(row, lambda run: run.evaluated(score.name), loss_text)
    return spread_text(row.spread(lambda run: run.evaluated(score.name)), score.text)


def reached_table(group: Group, wide: bool) -> Table:
    """Show what each row reached; wide: also the gap at the best epoch."""
    epoch, score = group.epoch, group.job.scores[-1]

    def there(value: Callable[[EpochRecord], float]) -> Callable[[RunFacts], float | None]:
        return lambda run: value(record) if (record := run.at(epoch)) else None

    columns = ["run", "runs>", f"loss, epoch {epoch}>", f"gap, epoch {epoch}>", "best loss>", "best epoch>"]
    columns.append(f"{score.heading}>")
    rows = []
    for row in group.rows:
        cells = [
            row.label,
            str(len(row.runs)),
            spread_text(row.spread(there(lambda record: record.validation_loss)), loss_text),
            mean_text(row, there(gap), lambda value: ("+" if value > 0 else "") + loss_text(value)),
            spread_text(row.spread(lambda run: run.best.validation_loss), loss_text),
            between([run.best.epoch for run in row.runs]),
            spread_text(row.spread(lambda run: getattr(run.best, f"validation_{score.name}")), score.text),
        ]
        if wide:
            cells.insert(6, mean_text(row, lambda run: gap(run.best), loss_text))
        rows.append(cells)
    if wide:
        columns.insert(6, "gap at best epoch>")
    note = (
        "On the validation crops, which are the same for all. Gap: validation minus training loss; above zero the "
        "network does better on its training images. Runs: those that differ only in the seed; ± is their standard "
        "deviation; without it there was one run."
    )
    return Table(columns, rows, note, ours=frozenset({0}) if len(rows) > 1 else frozenset())


def cost_table(group: Group, wide: bool) -> Table:
    """Show what each row is and costs, and its evaluation; columns that nobody fills are left out."""
    columns = ["run", "network", "parameters>", "epochs>", "seconds per epoch>", "total time>", "ms per image>"]
    evaluated = [run for row in group.rows for run in row.runs if run.metrics is not None]
    deciding = group.job.decided(evaluated[0].metrics or {}) if evaluated else group.job.deciding
    results = (*group.job.binary, *group.job.results)
    columns += [f"evaluated {score.label}>" for score in results]
    columns.append(f"gain, {deciding.unit or deciding.label}>")
    rows = [
        [
            row.label,
            row.runs[0].network,
            f"{row.runs[0].parameters:,}",
            between([len(run.history) for run in row.runs]),
            mean_text(row, lambda run: run.seconds_an_epoch, lambda value: f"{value:.3g}"),
            mean_text(row, lambda run: run.seconds, duration),
            mean_text(row, lambda run: run.milliseconds, lambda value: f"{value:.3g}"),
            *(evaluated_text(row, score, score is deciding) for score in results),
            mean_text(row, lambda run: run.gain, deciding.gain_text),
        ]
        for row in group.rows
    ]
    used = [
        place
        for place, column in enumerate(columns)
        if any(row[place] != NONE for row in rows) and (wide or column != "evaluated MSE>")
    ]
    note = (
        "Times are of training, as each run measured them; ms per image: one crop at a time, measured on this machine. "
        f"Gain: by how much the {deciding.label} of the run's evaluation is better than that of the best other method."
    )
    return Table([columns[place] for place in used], [[row[place] for place in used] for row in rows], note)


def difference_table(differences: Sequence[RowDifference]) -> Table:
    columns = ["best loss of", "minus that of", "difference>", "95% interval>", "pairs>", "ratio>", "conclusion"]
    rows = []
    for item in differences:
        found = item.found
        interval = f"{loss_text(found.low)} to {loss_text(found.high)}" if found.enough else NONE
        mean, ratio = (loss_text(found.mean), f"{found.ratio:.3f}") if found.count else (NONE, NONE)
        rows.append(
            [item.first, item.second, mean, interval, str(found.count), ratio, in_words(found, item.first, item.second)]
        )
    note = (
        "Paired by seed; Student's interval of the mean difference, which assumes normally distributed differences and "
        "is not widened for comparing several pairs. Ratio: of the means."
    )
    return Table(columns, rows, note)


def headline(group: Group) -> str:
    """Say in one sentence which row has the lowest loss, and whether repeats bear it out."""
    best = group.rows[0]
    at = f"{loss_text(best.best_loss)}{' on average' if len(best.runs) > 1 else ''}"
    if len(group.rows) == 1:
        return f"{best.label} reached a validation loss of {at}."
    second = group.rows[1]
    next_best = f"{second.label}, {loss_text(second.best_loss)}"
    said = f"{best.label} reached the lowest validation loss, {at}; next is {next_best}"
    pair = {best.label, second.label}
    known = next((item.found for item in group.differences if {item.first, item.second} == pair), None)
    if known is None or not known.enough:
        few = worded("Too few repeats to tell whether that is chance: train both with --repeats=3 or more.")
        return f"{said}. {few}"
    if known.told_from_zero:
        return f"{said}, and {known.count} repeats tell them apart."
    return f"{said}, but {known.count} repeats cannot tell them apart."


def result_of(comparison: Comparison) -> Result:
    """Give the comparison in every form; CSV: one line a run, groups numbered from 1."""
    values = {
        "differing": comparison.differing,
        "left_out": [{"path": path, "reason": reason} for path, reason in comparison.left_out],
        "groups": [
            {
                "title": group.title,
                "epoch": group.epoch,
                "notes": list(group.notes),
                "rows": [row_json(row, group.epoch) for row in group.rows],
                "differences": [difference_json(difference) for difference in group.differences],
            }
            for group in comparison.groups
        ],
    }
    lines = [
        {"group": number, "row": row.label, **run_values(run, group.epoch)}
        for number, group in enumerate(comparison.groups, 1)
        for row in group.rows
        for run in row.runs
    ]
    rows = [list(lines[0]) if lines else [], *(list(line.values()) for line in lines)]
    shown: list[Table | str] = [comparison.differing] if comparison.differing else []
    for group in comparison.groups:
        tables = [replace(reached_table(group, False), title=group.title), cost_table(group, False)]
        if group.differences:
            title = "Differences of the best loss, paired by seed"
            tables.append(replace(difference_table(group.differences), title=title))
        shown += [*tables, headline(group), *group.notes]
    return Result(comparison.differing or headline(comparison.groups[0]), values, rows, shown=shown)


def row_json(row: Row, epoch: int) -> dict[str, Any]:
    """List every number's mean, deviation and count, and the runs."""
    runs = [run_values(run, epoch) for run in row.runs]
    numbers = [name for name, value in runs[0].items() if isinstance(value, float)]
    spreads = {name: row.spread(lambda run, name=name: run_values(run, epoch)[name]) for name in numbers}
    found = {
        name: {"mean": value.mean, "deviation": value.deviation if value.count > 1 else None, "count": value.count}
        for name, value in spreads.items()
        if value is not None
    }
    return {"label": row.label, "spreads": found, "runs": runs}


def difference_json(difference: RowDifference) -> dict[str, Any]:
    found = difference.found
    return {
        "first": difference.first,
        "second": difference.second,
        "mean": found.mean if found.count else None,
        "interval": [found.low, found.high] if found.enough else None,
        "pairs": found.count,
        "ratio": found.ratio if found.count else None,
        "told_from_zero": found.told_from_zero,
    }


def write_comparison_page(path: Path, comparison: Comparison, figures: Path | None = None) -> None:
    """Write compare.html to ``path``; figures: a folder in which the pictures are kept too."""
    sections = []
    several = len(comparison.groups) > 1
    for number, group in enumerate(comparison.groups, 1):
        parts: list[Table | Picture] = [reached_table(group, True), cost_table(group, True)]
        if group.differences:
            parts.insert(1, difference_table(group.differences))
        suffix = f"-{number}" if number > 1 else ""
        parts += comparison_figures.pictures(group, figures, suffix)
        text = [headline(group)] if several else []
        sections.append(Section(group.title, [*text, *group.notes], parts))
    if comparison.left_out:
        rows = [[name, reason] for name, reason in comparison.left_out]
        sections.append(Section("Left out", parts=[Table(["path", "why"], rows)]))
    runs = sum(len(row.runs) for group in comparison.groups for row in group.rows)
    verdict = comparison.differing or headline(comparison.groups[0])
    subtitle = f"{runs} run{'s' if runs > 1 else ''}, side by side"
    write_page(path, "Comparison", subtitle, verdict=verdict, sections=sections, environment=environment())


def write_comparison(folder: Path, comparison: Comparison, overwrite: bool = False) -> None:
    """Write compare.csv, compare.html and figures/*.png into a folder, over an earlier comparison there.

    Raises CuelloError where the folder holds other things, unless ``overwrite``, which replaces only these files.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (overwrite or (folder / PAGE_NAME).is_file()):
        raise CuelloError(
            f"{folder} is not empty and holds no earlier comparison: choose another place with --output, or put the "
            "comparison among these files with --overwrite=True."
        )
    make_folder(folder)
    write_text(folder / CSV_NAME, result_of(comparison).csv)
    write_comparison_page(folder / PAGE_NAME, comparison, folder / "figures")
