"""Names beside the points of a picture, where they cover nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure_of(axes: "Axes") -> "Figure":
    """Name the picture that axes are part of; matplotlib's types allow a part of one, or None."""
    return cast("Figure", axes.figure)


Box = tuple[float, float, float, float]
"""left, bottom, right, top in pixels of the picture."""


def overlap(a: Box, b: Box) -> bool:
    """Tell whether two boxes share more than an edge.

    >>> overlap((0, 0, 2, 2), (1, 1, 3, 3)), overlap((0, 0, 2, 2), (2, 0, 4, 2))
    (True, False)
    """
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def candidates(point: tuple[float, float], size: tuple[float, float], near: float) -> list[Box]:
    """List boxes of a size around a point, the best first: right, left, above, below, the corners; then further."""
    (x, y), (width, height), found = point, size, []
    for reach in (near, 2 * near, 3.2 * near):
        for across, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            left = x + across * reach - (width if across < 0 else width / 2 if across == 0 else 0)
            bottom = y + up * reach - (height if up < 0 else height / 2 if up == 0 else 0)
            found.append((left, bottom, left + width, bottom + height))
    return found


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    inside: Box,
    near: float,
    others: Sequence[tuple[float, float]] = (),
) -> list[Box] | None:
    """Find a box for every point's name, all inside a box, none over another or over a point; None where none fits.

    points: in pixels. sizes: (width, height) of the names, pixels. near: distance of a name from its point, pixels.
    others: points without a name that no name may cover.
    """
    half = 0.7 * near
    taken: list[Box] = [(x - half, y - half, x + half, y + half) for x, y in [*points, *others]]
    placed: list[Box] = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        for box in candidates((x, y), (width, height), near):
            within = box[0] >= inside[0] and box[1] >= inside[1] and box[2] <= inside[2] and box[3] <= inside[3]
            if within and not any(overlap(box, other) for other in taken):
                placed.append(box)
                taken.append(box)
                break
        else:
            return None
    return placed


def name_points(
    axes: "Axes",
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    colours: Sequence[str],
    others: Sequence[tuple[float, float]] = (),
    **text: Any,
) -> bool:
    """Write a name beside every point (in the axes' data); False, and nothing written, where they do not all fit.

    others: points without a name that no name may cover.

    The axes' limits and place must be final: names are measured in pixels.
    """
    figure = figure_of(axes)
    figure.canvas.draw()  # settles the layout
    texts = [axes.annotate(name, (0, 0), xycoords="figure pixels", **text) for name in names]
    boxes = [written.get_window_extent() for written in texts]
    pixels = [tuple(axes.transData.transform(point)) for point in points]
    frame = axes.get_window_extent()
    near = 7 * figure.dpi / 72
    inside = (frame.x0, frame.y0, frame.x1, frame.y1)
    also = [tuple(axes.transData.transform(point)) for point in others]
    placed = place(pixels, [(box.width + 2, box.height) for box in boxes], inside, near=near, others=also)
    for written in texts:
        written.remove()
    if placed is None:
        return False
    for name, colour, (x, y), point, box in zip(names, colours, pixels, points, placed, strict=True):
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        far = max(box[0] - x, x - box[2], box[1] - y, y - box[3]) > 1.5 * near
        scale = 72 / figure.dpi
        axes.annotate(
            name, point, xytext=((middle[0] - x) * scale, (middle[1] - y) * scale), textcoords="offset points",
            ha="center", va="center", color=colour,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6} if far else None,
            **text,
        )  # fmt: skip
    return True
