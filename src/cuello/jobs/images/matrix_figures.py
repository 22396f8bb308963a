"""The pictures of a matrix: a map of what decides, PSNR or wrong pixels, and a line of it against the tested level."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cuello.degrade.base import show
from cuello.jobs.images.matrix import CLASSICAL, NETWORK, Matrix, MatrixRow
from cuello.jobs.images.methods import named, text_of
from cuello.report.figures import Theme, as_png, drawing, shorten
from cuello.scoring.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.45
"""Between networks and classical methods, in rows."""
DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 3)))


def row_label(row: MatrixRow) -> str:
    """Return how a row is called: a network with the level it was trained at."""
    name = shorten(row.label, 26)
    return f"{name} · {row.trained}" if row.kind == NETWORK and row.trained != row.label else name


def heat_map(matrix: Matrix, theme: Theme) -> bytes:
    """Draw what decides as colour and number: trained level down, tested level across, classical methods below a gap.

    Bold with a star: the best at that level. Framed: tested at the level it was trained at.
    """
    networks, classical = matrix.of_kind(NETWORK), matrix.of_kind(CLASSICAL)
    rows = [*networks, *classical]
    metric = matrix.deciding
    values = np.array([[row.values(metric)[level] for level in matrix.levels] for row in rows])
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    tops = [position + (GAP if position >= len(networks) else 0) for position in range(len(rows))]
    width = max(5.0, min(8.4, 2.6 + 0.75 * len(matrix.levels)))
    with drawing(theme, width, 0.9 + 0.36 * (tops[-1] + 1)) as (figure, axes):
        colours = colour_map(theme)
        for row, top, line in zip(rows, tops, values, strict=True):
            for column, (level, value) in enumerate(zip(matrix.levels, line, strict=True)):
                share = (value - low) / (high - low) if high > low and np.isfinite(value) else 0.5
                share = share if METRICS[metric].higher_is_better else 1 - share
                best = matrix.best[metric][level] == row.name
                cell(
                    axes,
                    column,
                    top=top,
                    text=f"{text_of(metric, value)}{'*' if best else ''}",
                    colour=colours(share),
                    best=best,
                    theme=theme,
                )
                if row.trained == show(level):
                    frame(axes, column, top, theme=theme)
        axes.set(
            title=f"{named(metric)}, by trained and tested level", xlabel=f"tested level of {matrix.noise}",
            xlim=(0, len(matrix.levels)), ylim=(tops[-1] + 1, 0),
        )  # fmt: skip
        axes.set_xticks(
            [column + 0.5 for column in range(len(matrix.levels))], [show(level) for level in matrix.levels]
        )
        axes.set_yticks([top + 0.5 for top in tops], [row_label(row) for row in rows])
        axes.tick_params(length=0, labelcolor=theme.text)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return as_png(figure)


def colour_map(theme: Theme) -> Any:
    """Return colours from the theme's background (low) to its blue (high)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(theme.name, [theme.line, theme.others[1]])


def cell(axes: "Axes", column: int, top: float, text: str, colour: Sequence[float], best: bool, theme: Theme) -> None:
    """Draw one cell: its colour, and its number in black or white, whichever stands out more."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((column, top), 1, 1, facecolor=colour, edgecolor=theme.background, linewidth=1.2))
    dark = contrast(colour, 0.0) >= contrast(colour, 1.0)
    axes.text(
        column + 0.5, top + 0.52, text, ha="center", va="center",
        fontsize=8.5, fontweight="bold" if best else "normal", color="#0d1014" if dark else "#ffffff",
    )  # fmt: skip


def frame(axes: "Axes", column: int, top: float, theme: Theme) -> None:
    """Draw a frame around the cell where trained and tested level are the same."""
    from matplotlib.patches import Rectangle

    inset = {"facecolor": "none", "edgecolor": theme.ours, "linewidth": 1.8, "zorder": 3}
    axes.add_patch(Rectangle((column + 0.03, top + 0.06), 0.94, 0.88, **inset))


def contrast(colour: Sequence[float], grey: float) -> float:
    """Return the contrast of a colour, parts in [0, 1], with black (0) or white (1): 1 to 21 (WCAG 2.1)."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return (max(luminance, grey) + 0.05) / (min(luminance, grey) + 0.05)


def level_curves(matrix: Matrix, theme: Theme) -> bytes:
    """Draw what decides against the tested level: networks as full lines, classical methods broken and faint."""
    networks, classical, metric = matrix.of_kind(NETWORK), matrix.of_kind(CLASSICAL), matrix.deciding
    palette = (theme.ours, *theme.others[1:])
    height = 3.4 + 0.17 * -(-len(matrix.rows) // 3)
    with drawing(theme, 8.4, height) as (figure, axes):
        for position, row in enumerate(classical):
            axes.plot(
                matrix.levels, [row.values(metric)[level] for level in matrix.levels], color=theme.faint, linewidth=1.3,
                linestyle=DASHES[position % len(DASHES)], marker=".", markersize=4, label=row_label(row), zorder=2,
            )  # fmt: skip
        for position, row in enumerate(networks):
            axes.plot(
                matrix.levels, [row.values(metric)[level] for level in matrix.levels], linewidth=2.2, marker="o",
                markersize=4, color=palette[position % len(palette)], label=row_label(row), zorder=3,
            )  # fmt: skip
        better = "higher is better" if METRICS[metric].higher_is_better else "fewer are better"
        axes.set(title=f"{named(metric)} ({better})", xlabel=f"tested level of {matrix.noise}")
        axes.set_xticks(matrix.levels, [show(level) for level in matrix.levels])
        handles, labels = axes.get_legend_handles_labels()
        order = [*range(len(classical), len(matrix.rows)), *range(len(classical))]
        figure.legend(
            [handles[i] for i in order], [labels[i] for i in order], loc="outside lower center", ncols=3, fontsize=8,
            handlelength=3,
        )  # fmt: skip
        return as_png(figure)
