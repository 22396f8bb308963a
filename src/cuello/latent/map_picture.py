"""The map of codes: images at their codes, or points with the colour and the name of their label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cuello.latent.sheets import WIDTH, at_size
from cuello.report.figures import DARK, Theme, as_png, drawing, shorten
from cuello.report.labels import Box, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_IMAGES = 200
"""Of so many images each is drawn, moved aside where it must be; of more, those that fit."""
MOST_COLOURS = 10
MOST_NAMES = 60
HEIGHT = 6.6

PALETTES = {
    "light": ("#2563a8", "#e07b16", "#1e8f5a", "#c42b2b", "#7c5cb8", "#8a5a2b", "#d0569f", "#6b7280", "#a3a017",
              "#1ba3bd"),
    "dark": ("#6ea8e8", "#f7a54a", "#5fd19a", "#f4776f", "#b99cf0", "#c99a6b", "#f08cc4", "#a3abb8", "#d6d14f",
             "#55d3e6"),
}  # fmt: skip
"""Ten colours that can be told apart on either page."""


@dataclass(frozen=True)
class Map:
    """What is drawn: points ``(N, 2)``, what they are, and in which way.

    images: ``(N, H, W, C)``. labels, classes: as in Known. thumbnails: images rather than coloured points. levels:
    names of the whole numbers up the second axis, where it stands for these.
    """

    points: np.ndarray
    images: np.ndarray
    labels: np.ndarray | None
    classes: Sequence[str]
    title: str
    across: str
    up: str
    thumbnails: bool
    levels: Sequence[str] | None = None


def draw_map(shown: Map, theme: Theme) -> bytes:
    with drawing(theme, WIDTH, HEIGHT) as (figure, axes):
        axes.set(title=shown.title, xlabel=shown.across, ylabel=shown.up)
        axes.grid(visible=True, alpha=0.6)
        if shown.levels is not None:
            axes.set_yticks(range(len(shown.levels)), literal(shown.levels))
        if coloured(shown):
            draw_legend(axes, shown, theme)
        fit_limits(axes, shown.points, 0.08 if shown.thumbnails else 0.05)
        figure.canvas.draw()  # settles where the axes are
        even_scales(axes)
        if shown.thumbnails:
            draw_thumbnails(axes, shown, theme)
        else:
            draw_points(axes, shown, theme)
        return as_png(figure)


def coloured(shown: Map) -> bool:
    """Tell whether colours stand for labels, as a legend then says: few labels, of several images each."""
    return not shown.levels and 0 < len(shown.classes) <= min(MOST_COLOURS, len(shown.points) - 1)


def fit_limits(axes: "Axes", points: np.ndarray, margin: float) -> None:
    """Let all points be inside, with a margin."""
    low, high = points.min(0), points.max(0)
    span = np.where(high > low, high - low, 1.0)
    low, high = low - margin * span, high + margin * span
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def even_scales(axes: "Axes") -> None:
    """Widen one axis so that both have one scale, unless the points are much longer one way than the other."""
    box, limits = axes.get_window_extent(), np.array([axes.get_xlim(), axes.get_ylim()])
    sides, spans = np.array([box.width, box.height]), limits[:, 1] - limits[:, 0]
    scales = spans / sides
    if scales.max() <= 2.5 * scales.min():
        more = (scales.max() * sides - spans) / 2
        axes.set(xlim=limits[0] + (-more[0], more[0]), ylim=limits[1] + (-more[1], more[1]))


def shades(shown: Map, theme: Theme) -> list[str]:
    """Choose a colour for every class: of the palette, or, for many, of the rainbow; one where there are none."""
    names = len(shown.classes)
    if names == 0:
        return [theme.others[1]]
    if names <= MOST_COLOURS:
        return list(PALETTES[theme.name][:names])
    import colorsys

    light = 0.68 if theme is DARK else 0.42
    found = [colorsys.hls_to_rgb(k * 0.618034 % 1, light, 0.62) for k in range(names)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in found]


def draw_legend(axes: "Axes", shown: Map, theme: Theme) -> None:
    palette = shades(shown, theme)
    handles = [axes.plot([], [], "o", color=shade, markersize=6)[0] for shade in palette]
    figure_of(axes).legend(handles, literal(shown.classes), loc="outside right upper", fontsize=9)


def literal(names: Sequence[str]) -> list[str]:
    """Cut labels' names where they are long, and keep matplotlib from reading them as formulas."""
    return [shorten(name, 16, end=0).replace("$", r"\$") for name in names]


def draw_points(axes: "Axes", shown: Map, theme: Theme) -> None:
    """Draw a point an image, in its label's colour, and every label's name: at each point, or at the middle of all."""
    palette = shades(shown, theme)
    count = len(shown.points)
    colour = palette[0] if shown.labels is None else [palette[int(label)] for label in shown.labels]
    size = float(np.clip(9000 / count, 7, 28))
    if shown.labels is not None and count <= MOST_IMAGES and not coloured(shown) and not shown.levels:
        names = [shown.classes[int(label)] for label in shown.labels]
        bare = ~write_names(axes, shown.points, names, colours=colour, theme=theme, size=10)
        axes.scatter(*shown.points[bare].T, s=10, c=np.array(colour)[bare], linewidths=0, zorder=2)
        return
    axes.scatter(*shown.points.T, s=size, c=colour, alpha=0.75, linewidths=0, zorder=2)
    if 0 < len(shown.classes) <= MOST_NAMES and not shown.levels:
        middles = np.array([np.median(shown.points[shown.labels == k], axis=0) for k in range(len(shown.classes))])
        write_names(axes, middles, shown.classes, colours=palette, theme=theme, size=13)


def write_names(
    axes: "Axes", points: np.ndarray, names: Sequence[str], colours: Sequence[str], theme: Theme, size: float
) -> np.ndarray:
    """Write names at points, or beside them where another is in the way; those without room are left out.

    A rim of the background lets them be read on points. Returns ``(N,)`` bool: whether a name stands at its point.
    """
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=3.2, foreground=theme.background)]
    names = [shorten(name, 16, end=0) for name in names]
    scale = figure_of(axes).dpi / 72
    sizes = [((0.72 * size * len(name) + 3) * scale, 1.3 * size * scale) for name in names]
    pixels = axes.transData.transform(points)
    boxes = spread(pixels, sizes, frame_of(axes), far=8 * size * scale)
    for name, colour, point, box in zip(names, colours, points, boxes, strict=True):
        if box is None:
            continue
        place = axes.transData.inverted().transform(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        lead(axes, point, place, box=box, theme=theme)
        axes.text(
            place[0], place[1], name, ha="center", va="center", color=colour, fontsize=size, fontweight="bold",
            zorder=6, path_effects=rim, parse_math=False,
        )  # fmt: skip
    return np.array([covers(box, *pixel) for box, pixel in zip(boxes, pixels.tolist(), strict=True)])


def draw_thumbnails(axes: "Axes", shown: Map, theme: Theme) -> None:
    """Draw images at their codes: each, moved aside with a line to its code, or, of many, those that fit."""
    from matplotlib.patches import Rectangle

    height, width = shown.images.shape[1:3]
    figure = figure_of(axes)
    frame = frame_of(axes)
    count = len(shown.points)
    room = (frame[2] - frame[0]) * (frame[3] - frame[1])
    side = float(np.clip(np.sqrt(0.16 * room / min(count, MOST_IMAGES)), 0.2 * figure.dpi, 0.75 * figure.dpi))
    size = (side * min(1, width / height), side * min(1, height / width))
    pixels = axes.transData.transform(shown.points)
    room = {"dot": 0.03 * figure.dpi, "far": 3.5 * side} if count <= MOST_IMAGES else {}
    boxes = spread(pixels, [(size[0] + 3, size[1] + 3)] * count, frame, **room)
    palette = shades(shown, theme)
    few = coloured(shown)
    colours = [palette[int(label)] for label in shown.labels] if few and shown.labels is not None else [theme.faint]
    axes.scatter(*shown.points.T, s=9, c=colours, alpha=0.8, linewidths=0, zorder=2)
    inverse = axes.transData.inverted()
    for position, box in enumerate(boxes):
        if box is None:
            continue
        (left, bottom), (right, top) = inverse.transform([(box[0] + 1.5, box[1] + 1.5), (box[2] - 1.5, box[3] - 1.5)])
        lead(axes, shown.points[position], ((left + right) / 2, (bottom + top) / 2), box=box, theme=theme)
        axes.imshow(
            at_size(shown.images[position], size[0] / figure.dpi), extent=(left, right, bottom, top), aspect="auto",
            interpolation="nearest", zorder=4, origin="upper",
        )  # fmt: skip
        edge = colours[position] if few else theme.faint
        frame_style = {"edgecolor": edge, "linewidth": 1.6 if few else 0.5, "facecolor": "none", "zorder": 5}
        axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, **frame_style))


def lead(axes: "Axes", point: np.ndarray, place: Sequence[float] | np.ndarray, box: Box, theme: Theme) -> None:
    """Draw a line from a code to what was moved aside from it, if the code is not under it."""
    if covers(box, *axes.transData.transform(point)):
        return
    axes.plot([point[0], place[0]], [point[1], place[1]], color=theme.faint, linewidth=0.7, alpha=0.8, zorder=3)


def covers(box: Box | None, x: float, y: float) -> bool:
    return box is not None and box[0] <= x <= box[2] and box[1] <= y <= box[3]


def frame_of(axes: "Axes") -> Box:
    """Give the axes' box in pixels."""
    frame = axes.get_window_extent()
    return frame.x0, frame.y0, frame.x1, frame.y1


def spread(
    points: np.ndarray, sizes: Sequence[tuple[float, float]], inside: Box, dot: float = 0.0, far: float = 0.0
) -> list[Box | None]:
    """Find a box for every point, at it or as near as there is room, none over another; None where there is none.

    points: ``(N, 2)`` pixels. sizes: of the boxes. inside: what they must not leave. dot: half the side of a square
    around every other point that no box may cover, 0 for none. far: how far a box may move, 0 for not at all.
    """
    dots = np.column_stack([points - dot, points + dot]) if dot else np.empty((0, 4))
    taken = np.empty((0, 4))
    found: list[Box | None] = []
    for position, (point, size) in enumerate(zip(np.asarray(points, np.float64), sizes, strict=True)):
        corners = point + offsets(far, max(size)) - np.array(size) / 2
        corners[0] = np.clip(corners[0], inside[:2], np.maximum(inside[:2], np.array(inside[2:]) - size))
        boxes = np.column_stack([corners, corners + size])
        free = (boxes[:, :2] >= inside[:2]).all(1) & (boxes[:, 2:] <= inside[2:]).all(1)
        free &= ~overlapping(boxes, np.concatenate([taken, np.delete(dots, position, 0) if dot else dots])).any(1)
        if not free.any():
            found.append(None)
            continue
        box = boxes[int(free.argmax())]
        taken = np.concatenate([taken, box[None]])
        found.append((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
    return found


def overlapping(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell which boxes ``(A, 4)`` share more than an edge with which others ``(B, 4)``: ``(A, B)`` bool."""
    one, other = boxes[:, None], others[None]
    return np.all((one[..., :2] < other[..., 2:]) & (other[..., :2] < one[..., 2:]), axis=2)


def offsets(far: float, size: float) -> np.ndarray:
    """List places around a point, the nearest first, ``(n, 2)``: itself, then rings a quarter of a box apart."""
    rings = np.arange(1, int(4 * far / size) + 1) * size / 4
    angles = np.arange(0, 2 * np.pi, np.pi / 8)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([np.zeros((1, 2)), (rings[:, None, None] * around).reshape(-1, 2)])
