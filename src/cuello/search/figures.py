"""The pictures of a search: the objective by trial, by each searched setting, and by size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

from cuello.report.axes import LEAST_SPAN, plain_ticks
from cuello.report.figures import Theme, as_png, drawing, shorten, whole_numbers
from cuello.report.labels import name_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
MOST_TICKS = 5
"""More numbers than these do not fit under a small picture."""
MOST_NAMED = 8
"""With a longer front than this, only so many of its points have names."""


@dataclass(frozen=True)
class Dot:
    """A trial to draw.

    value: its objective. finished: or else pruned. values: by panel, the place of a choice or a number.
    """

    number: int
    name: str
    value: float
    finished: bool
    values: Mapping[str, Any]
    parameters: int


@dataclass(frozen=True)
class ObjectiveScale:
    """What the objective is called on its axis, and whether less of it is better."""

    words: str
    less: bool

    def best(self, dots: Sequence[Dot]) -> Dot:
        return (min if self.less else max)(dots, key=lambda dot: dot.value)

    def top(self, dots: Sequence[Dot]) -> float:
        """Find the largest value to be drawn: where a few errors are so large that the others would be one line,
        four times the median.

        >>> scale = ObjectiveScale("loss", less=True)
        >>> scale.top([Dot(0, "", value, True, {}, 1) for value in (1.0, 2.0, 3.0, 400.0)])
        10.0
        """
        values = [dot.value for dot in dots]
        usual = median(values)
        return 4 * usual if self.less and 0 < 40 * usual < max(values) else max(values)

    def set(self, axes: "Axes", dots: Sequence[Dot]) -> None:
        """Scale an axes' y axis: by logarithm for errors above zero."""
        if self.less and all(dot.value > 0 for dot in dots):
            axes.set_yscale("log")
            plain_ticks(axes.yaxis, LEAST_SPAN)
        else:
            axes.ticklabel_format(axis="y", useOffset=False)


@dataclass(frozen=True)
class Panel:
    """A searched setting: its key in Dot.values, its label, its choices in order or None for a range; log: its axis."""

    key: str
    label: str
    choices: Sequence[str] | None
    log: bool = False


def finished(dots: Sequence[Dot]) -> list[Dot]:
    return [dot for dot in dots if dot.finished]


def trials_picture(dots: Sequence[Dot], failed: Sequence[int], scale: ObjectiveScale, theme: Theme) -> bytes:
    """Draw the objective by trial, and the best so far as a line; failed: numbers of trials without an objective."""
    with drawing(theme, 8.4, 3.4) as (figure, axes):
        done, top = finished(dots), scale.top(dots)
        reached = [scale.best(done[: place + 1]).value for place in range(len(done))]
        last = max([*failed, *(dot.number for dot in dots)])
        axes.step(
            [*(dot.number for dot in done), last], [*reached, reached[-1]], where="post", color=theme.ours,
            linewidth=1.6, label="best so far", zorder=2,
        )  # fmt: skip
        styles = ({"alpha": 0.8, "label": "finished", "zorder": 3}, {"label": "pruned: best until then", "zorder": 3})
        shown = [(dot.number, dot) for dot in dots if dot.value <= top]
        draw_groups(axes, shown, 5 if len(dots) <= 200 else 3, theme=theme, styles=styles)
        best = scale.best(done)
        axes.plot([best.number], [best.value], "o", color=theme.ours, markersize=7, label="best", zorder=4)
        mark_edge(axes, [dot.number for dot in dots if dot.value > top], theme, label="beyond the scale")
        mark_edge(axes, failed, theme, marker="x", height=0.02, label="failed")
        axes.set(title="Trial by trial", xlabel="trial", ylabel=scale.words)
        axes.margins(y=0.1)
        axes.set_xlim(-0.02 * last - 0.5, 1.02 * last + 0.5)
        scale.set(axes, [dot for _, dot in shown])
        whole_numbers(axes)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
        return as_png(figure)


def settings_picture(dots: Sequence[Dot], panels: Sequence[Panel], scale: ObjectiveScale, theme: Theme) -> bytes:
    """Draw the objective against every searched setting, a small picture each, on one scale."""
    columns = 2 if len(panels) == 4 else min(COLUMNS, len(panels))
    rows = ceil(len(panels) / columns)
    with drawing(theme, 8.4, 2.6 * rows + 0.3, nrows=rows, ncols=columns, squeeze=False, sharey=True) as (figure, grid):
        places, top = grid.ravel(), scale.top(dots)
        for axes, panel in zip(places, panels, strict=False):
            shown = [dot for dot in dots if panel.key in dot.values]
            across = places_of(shown, panel)
            draw_dots(axes, list(zip(across, shown, strict=True)), top, scale=scale, theme=theme)
            if panel.choices is None:
                finish_range(axes, shown, panel)
            else:
                finish_choices(axes, shown, panel, top=top, theme=theme)
            axes.set_title(panel.label, fontsize=9)
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        for line in grid:
            line[0].set_ylabel(scale.words)
        scale.set(places[0], [dot for dot in dots if dot.value <= top])
        return as_png(figure)


def mark_edge(
    axes: "Axes", across: Sequence[float], theme: Theme, marker: str = "^", height: float = 0.97, **label: Any
) -> None:
    """Mark places at an edge of a picture, for what has no place on its y axis; height: 0 to 1."""
    if across:
        edge = {"transform": axes.get_xaxis_transform(), "color": theme.faint, "markersize": 4.5, "zorder": 2}
        axes.plot(across, [height] * len(across), marker, **edge, **label)


Placed = Sequence[tuple[float, Dot]]
"""Dots, each with its place across."""


def draw_groups(
    axes: "Axes", placed: Placed, size: float, *, theme: Theme, styles: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Draw finished dots full and pruned ones hollow; styles: what else each kind has."""
    colours = {"color": theme.others[1]}, {"color": theme.others[0], "markerfacecolor": "none"}
    for kept, colour, style in zip((True, False), colours, styles, strict=True):
        chosen = [(x, dot.value) for x, dot in placed if dot.finished is kept]
        if chosen:
            axes.plot([x for x, _ in chosen], [y for _, y in chosen], "o", markersize=size, **colour, **style)


def draw_dots(axes: "Axes", placed: Placed, top: float, *, scale: ObjectiveScale, theme: Theme) -> None:
    """Draw dots: finished ones full, pruned ones hollow, the best in the colour that stands out."""
    mark_edge(axes, [x for x, dot in placed if dot.value > top], theme)
    styles = {"alpha": 0.55, "markeredgewidth": 0, "zorder": 2}, {"alpha": 0.8, "zorder": 2}
    below = [(x, dot) for x, dot in placed if dot.value <= top]
    draw_groups(axes, below, 4 if len(placed) <= 200 else 2.5, theme=theme, styles=styles)
    if done := finished([dot for _, dot in placed]):
        best = scale.best(done)
        across = next(x for x, dot in placed if dot == best)
        axes.plot([across], [best.value], "o", color=theme.ours, markersize=6, zorder=4)


def places_of(dots: Sequence[Dot], panel: Panel) -> list[float]:
    """Place dots across: at a range's numbers, or side by side at their choice."""
    if panel.choices is None:
        return [dot.values[panel.key] for dot in dots]
    seen, across = [0] * len(panel.choices), []
    for dot in dots:
        place = dot.values[panel.key]
        across.append(place + aside(seen[place]))
        seen[place] += 1
    return across


def finish_range(axes: "Axes", dots: Sequence[Dot], panel: Panel) -> None:
    if panel.log and dots:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, LEAST_SPAN)
        ticks = axes.get_xticks()
        if len(ticks) > MOST_TICKS:
            axes.set_xticks(ticks[::2])
    axes.tick_params(axis="x", labelsize=8)


def finish_choices(axes: "Axes", dots: Sequence[Dot], panel: Panel, *, top: float, theme: Theme) -> None:
    """Draw a bar at the median of each choice's finished trials, and write the choices below."""
    choices = panel.choices or ()
    for place in range(len(choices)):
        values = [dot.value for dot in finished(dots) if dot.values[panel.key] == place]
        if values and median(values) <= top:
            axes.plot([place - 0.3, place + 0.3], [median(values)] * 2, color=theme.text, linewidth=1.4, zorder=3)
    slanted = sum(map(len, choices)) + 2 * len(choices) > 34
    turned: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    texts = [shorten(choice, 18, end=12) for choice in choices]
    axes.set_xticks(range(len(choices)), texts, fontsize=8 if len(choices) <= 8 else 7, **turned)
    axes.set_xlim(-0.6, len(choices) - 0.4)
    axes.grid(visible=False, axis="x")


def aside(number: int) -> float:
    """Say how far the dot of that number stands aside of its choice, -0.22 to 0.22: spread, and always the same."""
    return 0.44 * ((number * 0.618034) % 1) - 0.22


def front(dots: Sequence[Dot], scale: ObjectiveScale) -> list[Dot]:
    """Find the dots that no other is better than at the same or a smaller size, the smallest first.

    >>> dots = [Dot(n, "", v, True, {}, p) for n, (v, p) in enumerate([(3.0, 10), (2.0, 20), (2.5, 30), (1.0, 40)])]
    >>> [dot.number for dot in front(dots, ObjectiveScale("loss", less=True))]
    [0, 1, 3]
    """
    sign = 1 if scale.less else -1
    found: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (dot.parameters, sign * dot.value)):
        if not found or sign * dot.value < sign * found[-1].value:
            found.append(dot)
    return found


def size_picture(dots: Sequence[Dot], scale: ObjectiveScale, theme: Theme) -> bytes:
    """Draw the objective of finished trials against the parameters, and the front: the best of each size or smaller."""
    done = finished(dots)
    with drawing(theme, 8.4, 3.8) as (figure, axes):
        best, top = front(done, scale), scale.top(done)
        mark_edge(axes, [dot.parameters for dot in done if dot.value > top], theme)
        done, best = ([dot for dot in some if dot.value <= top] for some in (done, best))
        every, front_line = ([[d.parameters for d in some], [d.value for d in some]] for some in (done, best))
        axes.plot(*every, "o", color=theme.others[1], markersize=4, alpha=0.55, markeredgewidth=0, label="trials")
        axes.step(*front_line, where="post", color=theme.ours, linewidth=1.2, alpha=0.6)
        axes.plot(*front_line, "o", color=theme.ours, markersize=6, label="none smaller is better")
        axes.set(title="Error by size" if scale.less else "Quality by size", xlabel="trainable parameters",
                 ylabel=scale.words, xscale="log")  # fmt: skip
        axes.margins(x=0.12, y=0.14)
        plain_ticks(axes.xaxis, LEAST_SPAN)
        scale.set(axes, done)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        named = best[-MOST_NAMED:]
        points = [(dot.parameters, dot.value) for dot in named]
        style: Any = {
            "fontsize": 8, "zorder": 6,
            "bbox": {"facecolor": theme.background, "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
        }  # fmt: skip
        for names in ([shorten(dot.name, 40, end=12) for dot in named], [str(dot.number) for dot in named]):
            if name_points(axes, points, names, colours=[theme.ours] * len(named), **style):
                break
        return as_png(figure)
