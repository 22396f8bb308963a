"""The pictures of a comparison: error against size and time, and the losses by epoch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cuello.comparison import Group, Row, RunFacts
from cuello.report.axes import plain_ticks, widen
from cuello.report.figures import THEMES, Theme, as_png, drawing, save_both, shorten, whole_numbers
from cuello.report.labels import name_points
from cuello.report.page import Picture

if TYPE_CHECKING:
    pass

DASHES = ("-", "--", ":", "-.")


def pictures(group: Group, folder: Path | None, suffix: str) -> list[Picture]:
    """Draw a group's pictures; folder: where the light ones are kept, under names that end in ``suffix``."""

    def drawn(name: str, draw: Callable[[Theme], bytes]) -> dict[str, bytes]:
        if folder is not None:
            return save_both(folder, f"{name}{suffix}", draw)
        return {theme.name: draw(theme) for theme in THEMES}

    found = []
    label = error_label(group.rows).capitalize().replace("mse", "MSE")
    if len(group.rows) > 1:
        found = [
            Picture(
                drawn("parameters", lambda theme: error_by_parameters(group.rows, theme)),
                f"{label} against the number of trainable parameters",
                "Further down is better, further left is smaller. Bars, where there are any, span the repeats.",
            ),
            Picture(
                drawn("time", lambda theme: error_by_time(group.rows, theme)),
                f"{label} against the time of training",
                "Further down is better, further left is faster.",
            ),
        ]
    curves = drawn("losses", lambda theme: loss_by_epoch(group.rows, theme))
    return [*found, Picture(curves, "Validation loss of every run by epoch", "One line a run, one colour a row.")]


def colour_of(position: int, theme: Theme) -> str:
    """Return a row's colour; the best row stands out."""
    return theme.ours if position == 0 else theme.others[1:][(position - 1) % (len(theme.others) - 1)]


def error_of(run: RunFacts) -> float:
    """Return what a run's best epoch has wrong on validation: its MSE, or the share of wrong answers."""
    score = run.job.scores[0]
    value = getattr(run.best, f"validation_{score.name}")
    return max(1e-4, 1 - value) if score.higher_is_better else value


def error_label(rows: Sequence[Row]) -> str:
    """Say what ``error_of`` is."""
    score = rows[0].runs[0].job.scores[0]
    return "share wrong on validation" if score.higher_is_better else f"best validation {score.label}"


def error_by_parameters(rows: Sequence[Row], theme: Theme) -> bytes:
    """Draw the best validation MSE against the parameters, both on log axes."""
    sizes = [row.runs[0].parameters for row in rows]
    return scatter(rows, sizes, "Error by size", "trainable parameters", theme)


def error_by_time(rows: Sequence[Row], theme: Theme) -> bytes:
    """Draw the best validation MSE against the mean time of training, both on log axes."""
    seconds = [fmean(run.seconds for run in row.runs) for row in rows]
    if max(seconds) < 180:
        return scatter(rows, seconds, "Error by time", "training, seconds", theme)
    return scatter(rows, [value / 60 for value in seconds], "Error by time", "training, minutes", theme)


def scatter(rows: Sequence[Row], across: Sequence[float], title: str, label: str, theme: Theme) -> bytes:
    """Draw one point a row, named beside it, or numbered with a legend where the names would not fit."""
    return scatter_named(rows, across, title, label, theme) or scatter_numbered(rows, across, title, label, theme)


def scatter_named(rows: Sequence[Row], across: Sequence[float], title: str, label: str, theme: Theme) -> bytes | None:
    """Draw points with names, or return None where these do not fit."""
    with drawing(theme, 8.4, 3.8) as (figure, axes):
        points = draw_points(axes, rows, across, title, label, theme)
        shades = [colour_of(position, theme) for position in range(len(rows))]
        fits = name_points(axes, points, [row.label for row in rows], shades, fontsize=8)
        return as_png(figure) if fits else None


def scatter_numbered(rows: Sequence[Row], across: Sequence[float], title: str, label: str, theme: Theme) -> bytes:
    """Draw points with numbers, the best 1, and a legend."""
    with drawing(theme, 8.4, max(3.8, 0.2 * len(rows) + 0.6)) as (figure, axes):
        points = draw_points(axes, rows, across, title, label, theme)
        shades = [colour_of(position, theme) for position in range(len(rows))]
        handles = [axes.plot([], [], "o", color=shade)[0] for shade in shades]
        names = [f"{number}  {shorten(row.label, 26, end=12)}" for number, row in enumerate(rows, 1)]
        figure.legend(handles, names, loc="outside right upper", fontsize=8)
        name_points(axes, points, [str(number) for number in range(1, len(rows) + 1)], shades, fontsize=8)
        return as_png(figure)


def draw_points(
    axes: Any, rows: Sequence[Row], across: Sequence[float], title: str, label: str, theme: Theme
) -> list[tuple[float, float]]:
    """Draw each row's mean of the best MSE, with a bar over its repeats; return the points."""
    points = []
    for position, (row, x) in enumerate(zip(rows, across, strict=True)):
        errors = [error_of(run) for run in row.runs]
        colour, mean = colour_of(position, theme), fmean(errors)
        if len(errors) > 1:
            axes.plot([x, x], [min(errors), max(errors)], color=colour, linewidth=1.4, alpha=0.7)
        axes.plot([x], [mean], "o", color=colour, markersize=7)
        points.append((x, mean))
    axes.set(title=title, xlabel=label, ylabel=error_label(rows), xscale="log", yscale="log")
    axes.margins(x=0.12, y=0.14)
    for axis in (axes.xaxis, axes.yaxis):
        widen(axis)
        plain_ticks(axis)
    return points


def loss_by_epoch(rows: Sequence[Row], theme: Theme) -> bytes:
    """Draw every run's validation loss by epoch on a log axis."""
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
        widen(axes.yaxis)
        plain_ticks(axes.yaxis)
        whole_numbers(axes)
        names = [
            shorten(row.label, 26, end=12) + (f", {len(row.runs)} runs" if len(row.runs) > 1 else "") for row in rows
        ]
        figure.legend(handles, names, loc="outside right upper", fontsize=8)
        return as_png(figure)
