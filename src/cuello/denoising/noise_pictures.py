"""Pictures of noise: its variance against brightness with the line drawn through it, and its autocorrelation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cuello.noise_models.survey import NoiseSurvey
from cuello.noise_models.whiteness import REACH
from cuello.report.figures import Theme, as_png, drawing, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 4
"""Channels in a picture."""
ROOM = 1.25
"""Of an axis, above the highest band whose texture does not count."""


def shown(names: Sequence[str], channels: Sequence[NoiseSurvey]) -> list[tuple[str, NoiseSurvey]]:
    """Choose the channels that a picture has room for, of those with noise."""
    return [(name, one) for name, one in zip(names, channels, strict=True) if one.curve is not None][:MOST]


def variances(names: Sequence[str], channels: Sequence[NoiseSurvey], theme: Theme) -> bytes:
    """Draw variance against brightness, a point a band, and the line; bands with texture are faint."""
    several = shown(names, channels)
    width = max(8.4, 3.0 * len(several))
    with drawing(theme, width, 3.4, ncols=len(several), squeeze=False) as (figure, axes):
        for axis, (name, found) in zip(axes[0], several, strict=True):
            draw_variance(axis, found, theme)
            axis.set(title=shorten(name), xlabel="brightness")
        axes[0][0].set(ylabel="variance of the noise")
        drawn = {
            label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(list(drawn.values()), list(drawn), loc="outside lower center", ncols=3, fontsize=8)
        return as_png(figure)


def draw_variance(axis: "Axes", found: NoiseSurvey, theme: Theme) -> None:
    """Draw one channel's variance against brightness, a point a band, and the line; bands with texture are faint."""
    curve = found.curve
    if curve is None:
        return
    counted = curve.weight > 0.5
    if not counted.all():
        axis.scatter(
            curve.brightness[~counted], curve.variance[~counted], s=16, facecolors="none", edgecolors=theme.faint,
            label="off the line" if found.temporal else "texture in it",
        )  # fmt: skip
    axis.scatter(
        curve.brightness[counted], curve.variance[counted], s=18, color=theme.others[1], label="measured", zorder=3
    )
    at = np.linspace(curve.brightness[0], curve.brightness[-1], 100)
    axis.plot(at, found.model.variance(at), color=theme.ours, label="line", zorder=2)
    most = max(found.model.variance(at).max(), curve.variance[counted].max() if counted.any() else 0)
    axis.set(ylim=(0, ROOM * most or None))


def hundredths(value: float) -> str:
    """Write a number with two decimals; nearly nothing below 0 is 0.

    >>> hundredths(-0.001), hundredths(-0.25)
    ('0.00', '-0.25')
    """
    return f"{round(value, 2) + 0.0:.2f}"


def autocorrelations(names: Sequence[str], channels: Sequence[NoiseSurvey], theme: Theme) -> bytes:
    """Draw the correlation of a pixel's noise with that of the pixels around it, which are numbered by distance."""
    several = shown(names, channels)
    width = max(8.4, 2.9 * len(several) + 0.6)
    apart = [np.delete(found.correlation.ravel(), found.correlation.size // 2) for _, found in several]
    most = max(0.2, *(float(np.abs(one).max()) for one in apart))
    with drawing(theme, width, 3.3, ncols=len(several), squeeze=False) as (figure, axes):
        drawn = None
        for axis, (name, found) in zip(axes[0], several, strict=True):
            values = found.correlation.copy()
            values[REACH, REACH] = np.nan
            edge = REACH + 0.5
            axis.grid(visible=False)
            axis.set_facecolor(theme.faint)
            drawn = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, extent=(-edge, edge, edge, -edge))
            for (row, column), value in np.ndenumerate(values):
                down, across = row - REACH, column - REACH
                if max(abs(down), abs(across)) in (1, 2) and (down == 0 or across == 0):
                    dark = abs(value) > 0.6 * most
                    text = hundredths(value).replace("0.", ".")
                    axis.text(
                        across, down, text, ha="center", va="center", fontsize=6,
                        color="#ffffff" if dark else "#1d232b",
                    )  # fmt: skip
            axis.set(title=shorten(name), xlabel="pixels across")
        axes[0][0].set(ylabel="pixels down")
        if drawn is not None:
            figure.colorbar(drawn, ax=list(axes[0]), shrink=0.8)
        return as_png(figure)
