"""The pictures of a classifier's report."""

import math
from collections.abc import Sequence

import numpy as np

from cuello.jobs.classify.evaluation import Bin, Classification
from cuello.report.figures import Theme, as_png, drawing, shorten
from cuello.runs.history import EpochRecord

MOST_NUMBERED = 20
"""Classes up to which each cell of a confusion matrix has its number written in."""


def accuracy_of(record: EpochRecord) -> float:
    """Return an epoch's accuracy on validation in percent."""
    return math.nan if record.validation_accuracy is None else 100 * record.validation_accuracy


def confusion_picture(found: Classification, theme: Theme) -> bytes:
    """Draw the confusion matrix, each row as shares of its class; the numbers of images are written in."""
    from matplotlib.colors import LinearSegmentedColormap

    counts, names = found.confusion, [shorten(name, 16) for name in found.classes]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(8.0, 2.2 + 0.62 * len(names))
    shades = LinearSegmentedColormap.from_list("shades", [theme.background, theme.ours])
    with drawing(theme, 8.4, side) as (figure, axes):
        axes.imshow(shares, cmap=shades, vmin=0, vmax=1)
        axes.set(xlabel="predicted", ylabel="true class", xticks=range(len(names)), yticks=range(len(names)))
        axes.set_xticklabels(names, rotation=0 if sum(map(len, names)) < 40 else 90)
        axes.set_yticklabels(names)
        axes.grid(visible=False)
        axes.tick_params(length=0, labelcolor=theme.text)
        for row, column in np.ndindex(counts.shape) if len(names) <= MOST_NUMBERED else ():
            if counts[row, column]:
                colour = theme.background if shares[row, column] > 0.5 else theme.text
                size = 8 if len(names) > 5 else 10
                axes.text(
                    column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=size
                )
        return as_png(figure)


def reliability_diagram(bins: Sequence[Bin], theme: Theme) -> bytes:
    """Draw accuracy against confidence, bin by bin, beside the diagonal, and how many images each bin has."""
    width = bins[0].high - bins[0].low
    middles = [one.low + width / 2 for one in bins]
    with drawing(theme, 8.4, 3.4, ncols=2) as (figure, (left, right)):
        left.bar(middles, [one.accuracy for one in bins], width=0.9 * width, color=theme.ours, alpha=0.85)
        left.plot([0, 1], [0, 1], color=theme.text, linewidth=1, linestyle="--")
        left.plot(
            [one.confidence for one in bins], [one.accuracy for one in bins], "o", color=theme.text, markersize=3.5
        )
        left.set(title="Share that is right, by confidence", xlabel="highest probability", xlim=(0, 1), ylim=(0, 1.02))
        right.bar(middles, [one.images for one in bins], width=0.9 * width, color=theme.others[0])
        right.set(title="Images", xlabel="highest probability", xlim=(0, 1))
        return as_png(figure)


def mistakes_grid(
    images: Sequence[np.ndarray], captions: Sequence[tuple[str, str]], theme: Theme, across: int = 6
) -> bytes:
    """Draw images ``(H, W, C)`` in [0, 1] in rows, with two lines of caption each; see ``side_by_side``."""
    down = -(-len(images) // across)
    first = side_by_side(images[0])
    side = 8.4 / across
    height = side * first.shape[0] / first.shape[1]
    with drawing(theme, 8.4, down * (height + 0.42), nrows=down, ncols=across, squeeze=False) as (figure, axes):
        for panel in axes.flat:
            panel.set_axis_off()
        for panel, image, (above, below) in zip(axes.flat, images, captions, strict=False):
            shown = side_by_side(image)
            panel.imshow(shown.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            panel.set_title(above, fontsize=8, loc="center", color=theme.text)
            panel.text(
                0.5, -0.03, below, transform=panel.transAxes, ha="center", va="top", fontsize=7, color=theme.faint
            )
        return as_png(figure)


def side_by_side(image: np.ndarray) -> np.ndarray:
    """Return grey and colour images as they are, others as their views in a grid of two columns, ``(H, W, 1)``.

    >>> side_by_side(np.zeros((5, 5, 4))).shape
    (10, 10, 1)
    """
    if image.shape[2] in (1, 3):
        return image
    views = [image[:, :, view : view + 1] for view in range(image.shape[2])]
    views += [np.zeros_like(views[0])] * (len(views) % 2)
    return np.concatenate([np.concatenate(views[row : row + 2], axis=1) for row in range(0, len(views), 2)], axis=0)
