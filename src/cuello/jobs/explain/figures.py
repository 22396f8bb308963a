"""Pictures of what a classifier looks at: image, map laid over it, and the map by itself with its scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.jobs.classify.figures import side_by_side
from cuello.report.figures import Theme, as_png, drawing, shorten

ACROSS = 4
"""Images in a row of the contact sheet."""

GAP = 0.16
"""Between two pairs of the contact sheet, as a share of an image's width."""

COVERED = 0.8
"""Share of an overlay's colour where a map is strongest; the rest is the image."""

LARGE = 128
"""Images with a longer side than this are drawn smooth, others with their pixels seen."""


@dataclass(frozen=True)
class Shown:
    """One explained image. pixels: ``(H, W, C)`` in [0, 1]; map: ``(H, W)``; below: one line under its pictures."""

    name: str
    pixels: np.ndarray
    map: np.ndarray
    title: str
    below: str


@dataclass(frozen=True)
class Compared:
    """One checked image. pixels: ``(H, W, C)`` in [0, 1]; exact, estimated: ``(H, W)`` in [0, 1]; below: one line."""

    name: str
    pixels: np.ndarray
    exact: np.ndarray
    estimated: np.ndarray
    below: str


@dataclass(frozen=True)
class Scale:
    """What colours stand for. diverging: the map has a sign, and 0 is in the middle; what: its unit, in words; ends:
    what the colours' ends stand for in every map, or None: in each what it reaches.
    """

    diverging: bool
    what: str
    ends: tuple[float, float] | None = None

    @property
    def colours(self) -> str:
        """Even to the eye (Moreland 2009; van der Walt and Smith 2015)."""
        return "coolwarm" if self.diverging else "viridis"

    def limits(self, values: np.ndarray) -> tuple[float, float]:
        """Give what the two ends of the colours stand for; never twice the same number.

        >>> Scale(True, "").limits(np.array([-0.1, 0.4])), Scale(False, "").limits(np.array([0.2, 0.6]))
        ((-0.4, 0.4), (0.2, 0.6))
        """
        if self.ends is not None:
            return self.ends
        low, high = float(values.min()), float(values.max())
        if self.diverging:
            low, high = -max(-low, high), max(-low, high)
        return (low, high) if high > low else (low - 1, high + 1)


def overlay(pixels: np.ndarray, values: np.ndarray, scale: Scale) -> np.ndarray:
    """Return an image in grey, 0.1 to 0.8, with its map's colours over it, ``(H, W, 3)`` in [0, 1].

    Less than black to white, because pale colours would be lost on white.

    pixels: ``(H, W, 1 or 3)`` in [0, 1]; values: ``(H, W)``. Where a map has a sign, its colour is the more opaque the
    larger it is, so that 0 shows the image alone; otherwise it is half opaque everywhere.
    """
    import matplotlib

    low, high = scale.limits(values)
    place = (values - low) / (high - low)
    colours = matplotlib.colormaps[scale.colours](place)[..., :3]
    grey = 0.1 + 0.7 * np.clip(pixels, 0, 1).mean(2, keepdims=True).repeat(3, 2)
    share = COVERED * np.abs(2 * place - 1) ** 0.6 if scale.diverging else np.full(place.shape, 0.5)
    return grey + share[..., None] * (colours - grey)


def views_of(shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Lay several views side by side, and the map under each of them."""
    image = side_by_side(shown.pixels)
    if image is shown.pixels:
        return image, shown.map
    views = shown.map[:, :, None].repeat(shown.pixels.shape[2], 2)
    return image, side_by_side(views).squeeze(2)


def overlay_picture(shown: Shown, scale: Scale, theme: Theme) -> bytes:
    """Draw one image, its map over it, and the map by itself with a bar that says what colours stand for."""
    image, over = views_of(shown)
    height = min(max(2.5 * image.shape[0] / image.shape[1], 1.2), 6.0)
    with drawing(theme, 8.4, height + 0.55, ncols=3) as (figure, (left, middle, right)):
        smooth = interpolation(image)
        show_grey(left, image)
        middle.imshow(overlay(image, over, scale), interpolation=smooth)
        low, high = scale.limits(shown.map)
        drawn = right.imshow(shown.map, cmap=scale.colours, vmin=low, vmax=high, interpolation=smooth)
        add_bar(figure, drawn, ax=right, fraction=0.046, pad=0.03)
        for axes, title in ((left, "image"), (middle, "map over the image"), (right, scale.what)):
            axes.set_axis_off()
            axes.set_title(title, fontsize=8, fontweight="normal", loc="center", color=theme.faint)
        figure.suptitle(f"{shorten(shown.name, 40)}: {shown.title}", fontsize=10, fontweight="bold", color=theme.text)
        return as_png(figure)


def contact_sheet(images: Sequence[Shown], scale: Scale, theme: Theme) -> bytes:
    """Draw every image beside its map over it, ACROSS pairs in a row; each map's scale is stated below."""
    across = min(ACROSS, len(images))
    down = -(-len(images) // across)
    views = [views_of(shown) for shown in images]
    side = 8.4 / (ACROSS * (2 + GAP) - GAP)
    tallest = min(2.0, max(image.shape[0] / image.shape[1] for image, _ in views))
    widths = [1, 1, GAP] * across
    with drawing(
        theme, side * sum(widths[:-1]), down * (side * tallest + 0.44), nrows=down, ncols=len(widths) - 1,
        width_ratios=widths[:-1], squeeze=False,
    ) as (figure, axes):  # fmt: skip
        bare(figure, axes, w_pad=0.02, h_pad=0.03, wspace=0.0, hspace=0.02)
        for place, (shown, (image, over)) in enumerate(zip(images, views, strict=True)):
            row, column = place // across, 3 * (place % across)
            left, right = axes[row, column], axes[row, column + 1]
            smooth = interpolation(image)
            show_grey(left, image)
            right.imshow(overlay(image, over, scale), interpolation=smooth)
            left.set_title(shorten(shown.name, 16), fontsize=7, fontweight="normal", loc="left", color=theme.faint)
            right.set_title(shown.title, fontsize=7, loc="right", color=theme.text)
            right.text(
                1.0, -0.04, shown.below, transform=right.transAxes, ha="right", va="top", fontsize=6.5,
                color=theme.faint,
            )  # fmt: skip
        return as_png(figure)


def comparison(images: Sequence[Compared], theme: Theme) -> bytes:
    """Draw images, a row each: the image, its exact map, the estimated one (0 to 1 both), and their difference."""
    sides = [side_by_side(shown.pixels) for shown in images]
    tallest = min(1.5, max(image.shape[0] / image.shape[1] for image in sides))
    with drawing(
        theme, 8.4, len(images) * (1.75 * tallest + 0.3) + 0.35, nrows=len(images), ncols=4, squeeze=False
    ) as (figure, axes):
        bare(figure, axes, w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.02)
        heads = ("image", "exact", "estimated", "estimated less exact")
        for panel, head in zip(axes[0], heads, strict=True):
            panel.set_title(head, fontsize=8, loc="center", color=theme.text)
        maps: Any = None
        differences: Any = None
        for (one, *others), shown, image in zip(axes, images, sides, strict=True):
            show_grey(one, image)
            smooth = interpolation(shown.exact)
            for panel, values in zip(others[:2], (shown.exact, shown.estimated), strict=True):
                maps = panel.imshow(values, cmap="viridis", vmin=0, vmax=1, interpolation=smooth)
            difference = shown.estimated - shown.exact
            differences = others[2].imshow(difference, cmap="coolwarm", vmin=-1, vmax=1, interpolation=smooth)
            for panel, text in ((one, shorten(shown.name, 28)), (others[0], shown.below)):
                panel.text(0, -0.03, text, transform=panel.transAxes, va="top", fontsize=7, color=theme.faint)
        for drawn, panels in ((maps, axes[:, 1:3]), (differences, axes[:, 3:])):
            every = panels.ravel().tolist()
            add_bar(figure, drawn, ax=every, location="bottom", shrink=0.86, pad=0.02, aspect=30)
        return as_png(figure)


def show_grey(axes: Any, image: np.ndarray) -> None:
    values = np.clip(image, 0, 1).squeeze()
    axes.imshow(values, cmap="gray", vmin=0, vmax=1, interpolation=interpolation(image))


def bare(figure: Any, axes: np.ndarray, **spaces: float) -> None:
    """Draw no axes, and set the panels close together."""
    figure.get_layout_engine().set(**spaces)
    for panel in axes.flat:
        panel.set_axis_off()


def add_bar(figure: Any, drawn: Any, **place: Any) -> None:
    bar = figure.colorbar(drawn, **place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=7)


def interpolation(image: np.ndarray) -> str:
    return "nearest" if max(image.shape[:2]) <= LARGE else "antialiased"
