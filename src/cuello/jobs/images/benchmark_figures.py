"""The pictures of a benchmark: scores as dots, published ones hollow, and images restored by each."""

import math
from textwrap import fill

from cuello.jobs.images.benchmark import Benchmark, Setting
from cuello.jobs.images.examples import Example
from cuello.jobs.images.methods import named
from cuello.report.figures import Theme, as_png, drawing, shorten
from cuello.report.grids import image_grid
from cuello.scoring.metrics import METRICS

MOST_PANELS = 4
"""Settings beside each other; more are drawn in further rows."""


def score_dots(found: Benchmark, theme: Theme) -> bytes:
    """Draw what decides of every method, a panel a setting, the best on top; repeats as small dots below it."""
    settings, metric = found.settings, found.metrics[0]
    columns = min(MOST_PANELS, len(settings))
    lines = -(-len(settings) // columns)
    most = max(len(dots_at(found, setting)) for setting in settings)
    with drawing(theme, 8.4, lines * (0.24 * most + 0.9), nrows=lines, ncols=columns, squeeze=False) as (figure, axes):
        for panel in axes.flat[len(settings) :]:
            panel.set_visible(False)
        for setting, panel in zip(settings, axes.flat, strict=False):
            dots = dots_at(found, setting)
            for place, (name, value, measured) in enumerate(dots):
                ours = measured and name in found.networks
                colour = theme.ours if ours else theme.others[1] if measured else theme.faint
                rows = found.rows_of(setting, name) if measured else []
                if len(rows) > 1:
                    spread = found.spread(setting, name, metric)
                    deviation = spread.deviation if spread is not None else 0.0
                    panel.plot([value - deviation, value + deviation], [place, place], color=colour, linewidth=1.4)
                    panel.plot([row.score(metric).mean for row in rows], [place - 0.25] * len(rows), ".", color=colour)
                face = colour if measured else theme.background
                panel.plot(value, place, "o", color=colour, markerfacecolor=face, markersize=6)
            names = [shorten(name, 24 if columns < 3 else 16) for name, *_ in dots]
            panel.set_yticks(range(len(dots)), names, fontsize=7.5)
            panel.set(title=setting_title(found, setting), xlabel=named(metric), ylim=(-0.6, len(dots) - 0.4))
            panel.margins(x=0.08)
            panel.tick_params(axis="y", length=0, labelcolor=theme.text)
        return as_png(figure)


def dots_at(found: Benchmark, setting: Setting) -> list[tuple[str, float, bool]]:
    """Return name, what decides and whether it was measured here, of every method at a setting, the worst first."""
    dots, metric = [], found.metrics[0]
    for name in found.methods:
        spread = found.spread(setting, name, metric)
        if spread is not None and math.isfinite(spread.mean):
            dots.append((name, spread.mean, True))
    dots += [(row.method, row.psnr, False) for row in found.published if row.setting == setting]
    return sorted(dots, key=lambda dot: dot[1], reverse=not METRICS[metric].higher_is_better)


def setting_title(found: Benchmark, setting: Setting) -> str:
    """Say what a panel is of.

    >>> setting_title(Benchmark("set12", "sigma", {}, images=(), rows=()), 25)
    'σ = 25'
    """
    if isinstance(setting, str):
        return setting
    return {"sigma": f"σ = {setting}", "quality": f"quality {setting}"}.get(found.unit, f"×{setting}")


def caption(example: Example, name: str) -> str:
    return str(example.wrong[name]) if example.wrong else f"{example.psnr[name]:.2f}"


def example_grid(found: Benchmark, theme: Theme) -> bytes:
    """Draw images as they should be and as every method gives them, with its PSNR, or its wrong pixels."""
    rows = [
        (
            shorten(example.name, 14),
            [(example.clean, ""), *((image, caption(example, name)) for name, image in example.restored.items())],
        )
        for example in found.examples
    ]
    columns = ["original", *(fill(shorten(name, 30), 15) for name in found.examples[0].restored)]
    return image_grid(rows, columns, theme)
