"""The pictures of a study: curves and points of several series, and images by level."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np

from cuello.report.axes import plain_ticks
from cuello.report.figures import Theme, as_png, drawing, whole_numbers
from cuello.report.labels import name_points


@dataclass(frozen=True)
class Series:
    """Numbers to draw: label, x and y, and names of the points ("" for none).

    role: "ours" stands out, "source" is dashed and hollow, "other" has a colour of its own.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    _: KW_ONLY
    role: str = "other"
    names: Sequence[str] = ()


def shades(series: Sequence[Series], theme: Theme) -> list[str]:
    """Choose a colour for every series: ours stands out, the source's is the text's."""
    found, used = [], 0
    for one in series:
        if one.role == "other":
            used += 1
        found.append({"ours": theme.ours, "source": theme.text}.get(one.role) or theme.others[used % len(theme.others)])
    return found


def lines(
    series: Sequence[Series], theme: Theme, *, title: str, up: str, across: str = "epoch", whole: bool = True
) -> bytes:
    """Draw curves on a log axis; whole: the x axis has whole numbers only."""
    with drawing(theme, 8.4, 4.0) as (figure, axes):
        for one, shade in zip(series, shades(series, theme), strict=True):
            hollow = {"linestyle": "--", "markerfacecolor": theme.background} if one.role == "source" else {}
            axes.plot(
                one.x, one.y, color=shade, label=one.label, marker="o" if len(one.x) <= 20 else "", markersize=4,
                linewidth=2.6 if one.role == "ours" else 1.4, zorder=5 if one.role == "ours" else 2, **hollow,
            )  # fmt: skip
        axes.set(title=title, xlabel=across, ylabel=up, yscale="log")
        plain_ticks(axes.yaxis)
        if whole:
            whole_numbers(axes)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
        return as_png(figure)


def points(series: Sequence[Series], theme: Theme, *, title: str, across: str, up: str) -> bytes:
    """Draw named points on two log axes, a colour a series."""
    with drawing(theme, 8.4, 4.6) as (figure, axes):
        palette = shades(series, theme)
        for one, shade in zip(series, palette, strict=True):
            face = theme.background if one.role == "source" else shade
            axes.plot(one.x, one.y, "o", color=shade, markerfacecolor=face, markersize=6, label=one.label)
        axes.set(title=title, xlabel=across, ylabel=up, xscale="log", yscale="log")
        axes.margins(x=0.12, y=0.12)
        for axis in (axes.xaxis, axes.yaxis):
            plain_ticks(axis)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
        named = [
            (point, name, shade)
            for one, shade in zip(series, palette, strict=True)
            for point, name in zip(zip(one.x, one.y, strict=True), one.names, strict=False)
            if name
        ]
        if named:
            nameless = [point for one in series for point in zip(one.x, one.y, strict=True)]
            found, names, colours = zip(*named, strict=True)
            others = [point for point in nameless if point not in found]
            name_points(axes, found, names, colours=colours, others=others, fontsize=7)
        return as_png(figure)


def image_grid(
    rows: Sequence[tuple[str, Sequence[tuple[np.ndarray, str]]]], columns: Sequence[str], theme: Theme
) -> bytes:
    """Draw images in a grid.

    rows: what to write at a row's left, and its images ``(H, W, C)`` in [0, 1], each with a caption. columns: headings.
    """
    side = (8.4 - 0.5) / len(columns)
    with drawing(theme, 8.4, (side + 0.16) * len(rows) + 0.3, nrows=len(rows), ncols=len(columns), squeeze=False) as (
        figure,
        axes,
    ):
        for row, (label, images) in enumerate(rows):
            for column, (image, caption) in enumerate(images):
                panel = axes[row, column]
                nearest = "nearest" if max(image.shape[:2]) <= 128 else "antialiased"
                panel.imshow(np.clip(image, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1, interpolation=nearest)
                panel.set(xticks=[], yticks=[])
                for spine in panel.spines.values():
                    spine.set_visible(False)
                panel.set_xlabel(caption, fontsize=7, color=theme.faint, labelpad=2)
                if column == 0:
                    panel.set_ylabel(label, fontsize=8, color=theme.text, rotation=0, ha="right", va="center")
                if row == 0:
                    panel.set_title(columns[column], fontsize=8, loc="center", color=theme.text)
            for panel in axes[row, len(images) :]:
                panel.set_visible(False)
        return as_png(figure)
