"""The pictures of a comparison: error against size and time, and the losses by epoch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from cuello.comparison import Group, Row, RunFacts
from cuello.report.axes import LEAST_SPAN, plain_ticks
from cuello.report.figures import THEMES, Theme, as_png, drawing, save_both, shorten, whole_numbers
from cuello.report.labels import name_points
from cuello.report.page import Picture

DASHES = ("-", "--", ":", "-.")


def pictures(group: Group, folder: Path | None, suffix: str) -> list[Picture]:
    """Draw a group's pictures; folder: where the light ones are kept, under names that end in ``suffix``."""

    def drawn(name: str, draw: Callable[[Theme], bytes]) -> dict[str, bytes]:
        if folder is not None:
            return save_both(folder, f"{name}{suffix}", draw)
        return {theme.name: draw(theme) for theme in THEMES}

    label = error_label(group.rows).capitalize().replace("mse", "MSE")
    curves = Picture(
        drawn("losses", lambda theme: loss_by_epoch(group.rows, theme)), "Validation loss of every run by epoch",
        "One line per run, one colour per row of the table.",
    )  # fmt: skip
    if len(group.rows) == 1:
        return [curves]
    return [
        Picture(
            drawn("parameters", lambda theme: error_by_parameters(group.rows, theme)),
            f"{label} against the number of trainable parameters",
            "Further down is better, further left is smaller. Bars, where there are any, span the repeats.",
        ),
        Picture(
            drawn("time", lambda theme: error_by_time(group.rows, theme)),
            f"{label} against the time of training", "Further down is better, further left is faster.",
        ),
        curves,
    ]  # fmt: skip


def colour_of(position: int, theme: Theme) -> str:
    """Choose a row's colour; the best row stands out."""
    return theme.ours if position == 0 else theme.others[1:][(position - 1) % (len(theme.others) - 1)]


def error_of(run: RunFacts) -> float:
    """Measure what a run's best epoch has wrong on validation: its MSE, or the share of wrong answers."""
    score = run.job.scores[0]
    value = getattr(run.best, f"validation_{score.name}")
    return max(1e-4, 1 - value) if score.higher_is_better else value


def error_label(rows: Sequence[Row]) -> str:
    score = rows[0].runs[0].job.scores[0]
    return "share wrong on validation" if score.higher_is_better else f"best validation {score.label}"


def error_by_parameters(rows: Sequence[Row], theme: Theme) -> bytes:
    sizes = {"trainable parameters": [row.runs[0].parameters for row in rows]}
    return scatter(rows, "Error by size", sizes, theme=theme)


def error_by_time(rows: Sequence[Row], theme: Theme) -> bytes:
    seconds = [fmean(run.seconds for run in row.runs) for row in rows]
    unit, length = ("seconds", 1) if max(seconds) < 180 else ("minutes", 60)
    times = {f"training, {unit}": [value / length for value in seconds]}
    return scatter(rows, "Error by time", times, theme=theme)


def scatter(rows: Sequence[Row], title: str, across: Mapping[str, Sequence[float]], *, theme: Theme) -> bytes:
    """Draw one point a row on two log axes, named beside it, or numbered with a legend where the names do not fit.

    across: what the first axis stands for, and its values.
    """
    shades = [colour_of(position, theme) for position in range(len(rows))]
    with drawing(theme, 8.4, 3.8) as (figure, axes):
        points = draw_points(axes, rows, title, across=across, shades=shades)
        if name_points(axes, points, [row.label for row in rows], colours=shades, fontsize=8):
            return as_png(figure)
    with drawing(theme, 8.4, max(3.8, 0.2 * len(rows) + 0.6)) as (figure, axes):
        points = draw_points(axes, rows, title, across=across, shades=shades)
        handles = [axes.plot([], [], "o", color=shade)[0] for shade in shades]
        names = [f"{number}  {shorten(row.label, 26, end=12)}" for number, row in enumerate(rows, 1)]
        figure.legend(handles, names, loc="outside right upper", fontsize=8)
        name_points(axes, points, [str(number) for number in range(1, len(rows) + 1)], colours=shades, fontsize=8)
        return as_png(figure)


def draw_points(
    axes: Any, rows: Sequence[Row], title: str, *, across: Mapping[str, Sequence[float]], shades: Sequence[str]
) -> list[tuple[float, float]]:
    """Draw each row's mean error of its runs' best epochs, with a bar over its repeats; give the points."""
    ((label, places),) = across.items()
    errors = [[error_of(run) for run in row.runs] for row in rows]
    points = [(x, fmean(values)) for x, values in zip(places, errors, strict=True)]
    for point, values, colour in zip(points, errors, shades, strict=True):
        if len(values) > 1:
            axes.plot([point[0]] * 2, [min(values), max(values)], color=colour, linewidth=1.4, alpha=0.7)
        axes.plot(*point, "o", color=colour, markersize=7)
    axes.set(title=title, xlabel=label, ylabel=error_label(rows), xscale="log", yscale="log")
    axes.margins(x=0.12, y=0.14)
    for axis in (axes.xaxis, axes.yaxis):
        plain_ticks(axis, LEAST_SPAN)
    return points


def loss_by_epoch(rows: Sequence[Row], theme: Theme) -> bytes:
    with drawing(theme, 8.4, max(3.8, 0.2 * len(rows) + 0.6)) as (figure, axes):
        handles = []
        for position, row in enumerate(rows):
            style = {"color": colour_of(position, theme), "linestyle": DASHES[position // len(theme.others) % 4]}
            thin = {"linewidth": 1.0, "alpha": 0.75} if len(row.runs) > 1 else {}
            for run in row.runs:
                epochs = [record.epoch for record in run.history]
                losses = [record.validation_loss for record in run.history]
                line = axes.plot(epochs, losses, marker="o" if len(epochs) == 1 else "", **style, **thin)[0]
            handles.append(line)
        axes.set(title="Validation loss by epoch", xlabel="epoch", yscale="log")
        if max(len(run.history) for row in rows for run in row.runs) == 1:
            axes.margins(x=0.5)
        plain_ticks(axes.yaxis, LEAST_SPAN)
        whole_numbers(axes)
        names = [
            shorten(row.label, 26, end=12) + (f", {len(row.runs)} runs" if len(row.runs) > 1 else "") for row in rows
        ]
        figure.legend(handles, names, loc="outside right upper", fontsize=8)
        return as_png(figure)
