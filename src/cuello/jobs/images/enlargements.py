"""Enlarged images side by side, by the part of each that enlarging finds hardest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cuello.jobs.images.evaluation import OURS
from cuello.jobs.images.examples import Example
from cuello.report.figures import Theme, as_png, drawing, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST_DETAIL = 16
"""Side of the part that is shown, pixels; at least this, and three eighths of the image."""


def detail_of(example: Example) -> tuple[int, int, int]:
    """Return top, left and side, in pixels, of the square to show: where bicubic enlargement is furthest off.

    That favours no network. Without bicubic it is where the target varies most.
    """
    height, width = example.clean.shape[:2]
    side = min(height, width, max(SMALLEST_DETAIL, 3 * min(height, width) // 8))
    other = example.restored.get("bicubic", example.clean.mean(axis=(0, 1), keepdims=True))
    lost = ((other - example.clean) ** 2).sum(axis=2)
    sums = np.pad(lost.cumsum(0).cumsum(1), ((1, 0), (1, 0)))  # sums[y, x]: over all above and to the left
    windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(top), int(left), side


def enlargement_grid(
    examples: Sequence[Example], methods: Sequence[str], labels: dict[str, str], theme: Theme
) -> bytes:
    """Draw one row an image: the target, and a part of it by each method, ours and in the target."""
    from matplotlib.patches import Rectangle

    names = labels | {"nearest": "input"}
    columns = [*(name for name in methods if name != OURS), OURS, "target"]
    side = 8.4 / (len(columns) + 1)
    with drawing(
        theme, 8.4, (side + 0.14) * len(examples) + 0.25, nrows=len(examples), ncols=len(columns) + 1, squeeze=False
    ) as (figure, axes):
        for row, example in enumerate(examples):
            top, left, pixels = detail_of(example)
            whole = axes[row, 0]
            show(whole, example.clean, shorten(f"{example.title}: {example.name}"), theme=theme)
            for inner, shade, line in ((0.5, "black", 2.4), (0.5, theme.ours, 1.2)):
                square = (left - inner, top - inner)
                style = {"edgecolor": shade, "facecolor": "none", "linewidth": line, "clip_on": False}
                whole.add_patch(Rectangle(square, pixels, pixels, **style))
            for column, name in enumerate(columns, 1):
                image = example.clean if name == "target" else example.restored[name]
                caption = "" if name == "target" else example.caption(name)
                show(axes[row, column], image[top : top + pixels, left : left + pixels], caption, theme=theme)
        for column, title in enumerate(["target, whole", *(names.get(name, name) for name in columns)]):
            axes[0, column].set_title(title, fontsize=8, loc="center", color=theme.text)
        return as_png(figure)


def show(panel: "Axes", image: np.ndarray, caption: str, theme: Theme) -> None:
    """Show an image, its pixels as squares where they are few, with a caption below."""
    interpolation = "nearest" if max(image.shape[:2]) <= 128 else "antialiased"
    pixels = np.clip(image[..., 0] if image.shape[-1] == 1 else image, 0, 1)
    panel.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation=interpolation)
    panel.set_axis_off()
    panel.text(
        0.5, -0.03, caption, transform=panel.transAxes, ha="center", va="top", fontsize=7, color=theme.faint
    )  # fmt: skip
