"""The pictures of a code: sheets of images, and a plane of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cuello.latent.grids import Grid
from cuello.report.figures import Theme, as_png, drawing, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 8.4
DOTS = 144
TITLE, HEADING, CAPTION = 0.3, 0.2, 0.17
"""Heights of a title, of the headings of columns, and of a caption below an image, in inches."""
GAP = 0.05
"""Between two images, in inches."""
LABEL, LETTER = 0.07, 0.055
"""Widths of a letter at a row's left and in a caption, in inches."""


@dataclass(frozen=True)
class Tile:
    """An image ``(H, W, C)`` in [0, 1], what stands below it, and whether it is one of ours, which gets a frame."""

    image: np.ndarray
    caption: str = ""
    ours: bool = False


@dataclass(frozen=True)
class TileRow:
    """Images side by side, and what stands at their left."""

    label: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Sheet:
    """Rows of images below headings.

    headings: one a column, or none. breaks: columns before which there is a wider gap, and how much wider. most: width
    of an image at most. Both in inches.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[TileRow]
    breaks: Mapping[int, float] = field(default_factory=dict)
    most: float = 0.9


def in_rows(tiles: Sequence[Tile], columns: int) -> list[TileRow]:
    return [TileRow("", tiles[start : start + columns]) for start in range(0, len(tiles), columns)]


def draw_sheets(sheets: Sequence[Sheet], theme: Theme) -> bytes:
    """Draw sheets of images one below another.

    Images are put together as pixels here and drawn as one, since matplotlib takes long for hundreds.
    """
    height = sum(map(height_of, sheets)) + GAP
    with drawing(theme, WIDTH, height) as (figure, axes):
        figure.set_layout_engine(None)
        axes.set_position((0, 0, 1, 1))  # the axes cover the page; their unit is an inch, and y grows downwards
        axes.set_axis_off()
        pixels = np.full((round(height * DOTS), round(WIDTH * DOTS), 3), rgb(theme.background), np.uint8)
        top = 0.0
        for sheet in sheets:
            draw_sheet(axes, pixels, sheet, top=top, theme=theme)
            top += height_of(sheet)
        axes.imshow(pixels, extent=(0, WIDTH, height, 0), aspect="auto", interpolation="nearest")
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        return as_png(figure)


def rgb(colour: str) -> list[int]:
    return [int(colour[k : k + 2], 16) for k in (1, 3, 5)]


def left_of(sheet: Sheet) -> float:
    """Say where the images begin, in inches."""
    longest = max(len(row.label) for row in sheet.rows)
    return 0.08 + (LABEL * longest + 0.1 if longest else 0.0)


def tile_width(sheet: Sheet) -> float:
    """Measure a sheet's images, in inches."""
    columns = max(len(row.tiles) for row in sheet.rows)
    free = WIDTH - left_of(sheet) - 0.08 - sum(sheet.breaks.values()) - GAP * (columns - 1)
    return min(sheet.most, free / columns)


def row_height(sheet: Sheet, row: TileRow) -> float:
    """Measure a row with its captions and the gap below, in inches."""
    height, width = row.tiles[0].image.shape[:2]
    captions = CAPTION if any(tile.caption for tile in row.tiles) else 0.0
    return tile_width(sheet) * height / width + captions + GAP


def height_of(sheet: Sheet) -> float:
    headings = HEADING if any(sheet.headings) else 0.0
    return TITLE + headings + sum(row_height(sheet, row) for row in sheet.rows) + 0.1


def draw_sheet(axes: "Axes", pixels: np.ndarray, sheet: Sheet, top: float, theme: Theme) -> None:
    """Draw a sheet from ``top`` on, in inches: images into ``pixels``, texts into the axes."""
    axes.text(0.08, top + 0.08, sheet.title, va="top", fontsize=10, fontweight="bold", parse_math=False)
    side, start = tile_width(sheet), left_of(sheet)
    columns = max(len(row.tiles) for row in sheet.rows)
    wider = [sum(gap for place, gap in sheet.breaks.items() if place <= n) for n in range(columns)]
    lefts = [start + n * (side + GAP) + wider[n] for n in range(columns)]
    small: dict[str, Any] = {"ha": "center", "color": theme.faint, "parse_math": False}
    top += TITLE
    if any(sheet.headings):
        for left, heading in zip(lefts, sheet.headings, strict=False):
            axes.text(left + side / 2, top + HEADING - 0.06, heading, fontsize=7.5, **small)
        top += HEADING
    for row in sheet.rows:
        height = side * row.tiles[0].image.shape[0] / row.tiles[0].image.shape[1]
        for left, tile in zip(lefts, row.tiles, strict=False):
            paste(pixels, tile, (left, top, side), theme=theme)
            caption = shorten(tile.caption, int((side + GAP) / LETTER), end=0)
            if caption:
                axes.text(left + side / 2, top + height + 0.03, caption, va="top", fontsize=7, **small)
        axes.text(start - 0.1, top + height / 2, row.label, ha="right", va="center", fontsize=8.5, parse_math=False)
        top += row_height(sheet, row)


def paste(pixels: np.ndarray, tile: Tile, place: tuple[float, float, float], theme: Theme) -> None:
    """Put an image with its frame into ``pixels``; place: left, top and width in inches."""
    left, top, width = place
    image = at_size(tile.image, width)
    height, wide = image.shape[:2]
    x, y = round(left * DOTS), round(top * DOTS)
    edge = 3 if tile.ours else 1
    framed = (slice(max(0, y - edge), y + height + edge), slice(max(0, x - edge), x + wide + edge))
    pixels[framed] = rgb(theme.ours if tile.ours else theme.others[0])
    pixels[y : y + height, x : x + wide] = image


def at_size(image: np.ndarray, inches: float) -> np.ndarray:
    """Bring ``(H, W, C)`` in [0, 1] to colours ``(h, w, 3)`` uint8 of the picture's own resolution, pixels sharp."""
    pixels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    height, width = pixels.shape[:2]
    wide = max(1, round(inches * DOTS))
    whole = -(-wide // width)  # enlarged beyond the size by whole pixels, then averaged down to it
    large = Image.fromarray(pixels).resize((width * whole, height * whole), Image.Resampling.NEAREST)
    return np.asarray(large.resize((wide, max(1, round(wide * height / width))), Image.Resampling.BOX))


def image_plane(grid: Grid, title: str, names: tuple[str, str], theme: Theme) -> bytes:
    """Draw a plane's images over its two axes, which have these names."""
    rows, columns, height, width = grid.images.shape[:4]
    wide = min(WIDTH - 1.0, 8 * columns * width / (rows * height))
    whole = joined(grid.images, wide / columns, theme)
    tall = wide * whole.shape[0] / whole.shape[1]
    with drawing(theme, WIDTH, tall + 0.9) as (figure, axes):
        axes.imshow(whole, extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest")
        axes.set(xlabel=names[0], ylabel=names[1], title=title)
        axes.set_box_aspect(tall / wide)
        for set_ticks, places in ((axes.set_xticks, grid.x), (axes.set_yticks, grid.y)):
            shown = np.arange(0, len(places), -(-len(places) // 8))
            set_ticks(shown + 0.5, [number(float(places[k]), places) for k in shown] if len(places) > 1 else [""])
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=2)
        return as_png(figure)


def joined(images: np.ndarray, inches: float, theme: Theme) -> np.ndarray:
    """Join images ``(rows, columns, H, W, C)`` to one, ``(h, w, 3)`` uint8, with lines between.

    inches: width of one with its line. Images of few pixels would run together: their lines are wider, and grey.
    """
    tiny = min(images.shape[2:4]) <= 16
    line, colour = (5, theme.others[0]) if tiny else (2, theme.background)
    parts = [[at_size(image, inches - line / DOTS) for image in row] for row in images]
    height, width = parts[0][0].shape[:2]
    size = len(parts) * (height + line) - line, len(parts[0]) * (width + line) - line
    whole = np.full((*size, 3), rgb(colour), np.uint8)
    for row, across in enumerate(parts):
        for column, part in enumerate(across):
            top, left = row * (height + line), column * (width + line)
            whole[top : top + height, left : left + width] = part
    return whole


def number(value: float, among: np.ndarray) -> str:
    """Write a number with as many digits as tell it from its neighbours, evenly spaced or not.

    >>> number(-0.126, np.linspace(-0.5, 0.5, 11)), number(12.34, np.linspace(-200, 200, 11))
    ('−0.13', '12')
    """
    step = float(np.ptp(among)) / max(1, len(among) - 1) or 1.0
    digits = int(np.clip(1 - np.floor(np.log10(step)), 0, 6))
    shown = f"{value:.{digits}f}"
    return shown.lstrip("-") if float(shown) == 0 else shown.replace("-", "−")
