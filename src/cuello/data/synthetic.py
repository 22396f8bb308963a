"""Small data sets that the project makes itself: characters as a table, pictures drawn by code."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cuello.data.sources import ArraySource

FIRST_CHARACTER = 0x60
GLYPHS = (
    """
    ..#.. ..... #.... ..... ....# ..... ..##. .###.
    ..#.. .###. #.... ..... ....# ..... .#..# #...#
    ...#. ....# #.... ..... ....# .###. .#... #..##
    ..... .##.# ###.. .###. ..### #...# ###.. .##.#
    ..... #..## #..#. #.... .#..# ##### .#... ....#
    ..... #..## #..#. #.... .#..# #.... .#... ....#
    ..... .##.# ###.. .###. ..### .#### .#... .###.
    """,
    """
    #.... ..... ...#. #.... .##.. ..... ..... .....
    #.... ..#.. ..... #.... ..#.. ..... ..... .....
    #.... ..... ..##. #..#. ..#.. .#.#. #.##. .###.
    #.##. .##.. ...#. #.#.. ..#.. #.#.# ##..# #...#
    ##..# ..#.. ...#. ##... ..#.. #.#.# #...# #...#
    #...# ..#.. #..#. #.#.. ..#.. #...# #...# #...#
    #...# .###. .##.. #..#. ..#.. #...# #...# .###.
    """,
    """
    ..... ..... ..... ..... .#... ..... ..... .....
    ###.. ..### ..... ..... .#... ..... ..... .....
    #..#. .#..# #.##. .#### ###.. #...# #...# #...#
    #..#. .#..# ##..# #.... .#... #...# #...# #...#
    ###.. ..### #.... .###. .#... #...# #...# #.#.#
    #.... ....# #.... ....# .#..# #..## .#.#. #.#.#
    #.... ....# #.... ####. ..##. .##.# ..#.. .#.#.
    """,
    """
    ..... ..... ..... ..##. ..#.. .##.. .#... .....
    ..... #...# ..... .#... ..#.. ...#. #.#.# .....
    #...# #...# ##### .#... ..#.. ...#. ...#. .....
    .#.#. .#### ...#. #.... ..... ....# ..... .....
    ..#.. ....# ..#.. .#... ..#.. ...#. ..... .....
    .#.#. #...# .#... .#... ..#.. ...#. ..... .....
    #...# .###. ##### ..##. ..#.. .##.. ..... .....
    """,
)
"""The 32 characters from code point 0x60 on, eight beside each other, each 5 pixels wide and 7 high; # is white."""

SIDE = 20
SCALE = 16
FACE, INK, WHITE, TONGUE = 208, 24, 255, 112
"""Greys, 0 to 255."""

Point = tuple[float, float]
"""x to the right and y down from the upper left corner, in pixels of the small picture: the middle is (10, 10)."""


def glyphs(name: str = "glyphs", paths: Sequence[Path] = ()) -> ArraySource:
    """Give the characters 0x60 to 0x7f of a 5×7 LED font: 32 binary images ``(7, 5, 1)``, 0 or 255.

    Every character is a label of its own: 0 to 31, the code point less 0x60. The last, 0x7f, is "DEL" and all black.
    name, paths: as a data set of the catalogue is built; there are no files.

    >>> source = glyphs()
    >>> source.images.shape, source.names[1], source.label_names[1]
    ((32, 7, 5, 1), '61 a', 'a')
    >>> for row in source.images[0x7a - 0x60, :, :, 0]:
    ...     print("".join("-#"[value // 255] for value in row))
    -----
    -----
    #####
    ---#-
    --#--
    -#---
    #####
    """
    rows = [list(row) for band in GLYPHS for row in band.split()]
    white = (np.array(rows) == "#").reshape(-1, 7, 8, 5).transpose(0, 2, 1, 3).reshape(-1, 7, 5)
    characters = [chr(FIRST_CHARACTER + index) for index in range(len(white))]
    characters[-1] = "DEL"
    names = [f"{FIRST_CHARACTER + index:x} {character}" for index, character in enumerate(characters)]
    images = (white * 255).astype(np.uint8)[..., None]
    labels = np.arange(len(images), dtype=np.int64)
    return ArraySource(name, names, images=images, labels=labels, label_names=characters)


@dataclass(frozen=True)
class Disc:
    """A filled circle, or an ellipse of another half height."""

    middle: Point
    radius: float
    grey: int
    height: float | None = None

    def draw(self, canvas: ImageDraw.ImageDraw) -> None:
        (x, y), tall = self.middle, self.radius if self.height is None else self.height
        left, top, right, bottom = (round(v * SCALE) for v in (x - self.radius, y - tall, x + self.radius, y + tall))
        canvas.ellipse([left, top, right - 1, bottom - 1], fill=self.grey)  # its last row and column are drawn too


@dataclass(frozen=True)
class Polygon:
    corners: Sequence[Point]
    grey: int

    def draw(self, canvas: ImageDraw.ImageDraw) -> None:
        canvas.polygon([(x * SCALE - 0.5, y * SCALE - 0.5) for x, y in self.corners], fill=self.grey)


@dataclass(frozen=True)
class Stroke:
    """A line with round ends and corners."""

    points: Sequence[Point]
    width: float
    grey: int = INK

    def draw(self, canvas: ImageDraw.ImageDraw) -> None:
        for (x0, y0), (x1, y1) in pairwise(self.points):
            steps = 1 + int(math.hypot(x1 - x0, y1 - y0) * SCALE)
            for step in range(steps + 1):
                place = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
                Disc(place, self.width / 2, self.grey).draw(canvas)


Drawing = tuple[Disc | Polygon | Stroke, ...]


def picture(drawing: Drawing) -> np.ndarray:
    """Draw on black, 16 times larger, and average down to ``(20, 20, 1)`` uint8."""
    large = Image.new("L", (SIDE * SCALE, SIDE * SCALE))
    for mark in drawing:
        mark.draw(ImageDraw.Draw(large))
    return np.asarray(large.reduce(SCALE))[..., None]


def arc(middle: Point, width: float, height: float, points: int = 33) -> list[Point]:
    """Give half an ellipse: below its middle where ``height`` is positive, as in a smile, or above."""
    angles = [math.pi * k / (points - 1) for k in range(points)]
    return [(middle[0] - width / 2 * math.cos(angle), middle[1] + height * math.sin(angle)) for angle in angles]


LEFT, RIGHT, EYES = 6.5, 13.5, 7.5
HEAD = Disc((10, 10), 9.6, FACE)
OPEN_LEFT, OPEN_RIGHT = (Disc((x, EYES), 1.25, INK, height=1.75) for x in (LEFT, RIGHT))

EYES_AND_MOUTHS: dict[str, Drawing] = {
    "happy": (OPEN_LEFT, OPEN_RIGHT, Stroke(arc((10, 12), 9, 3.6), 1.2)),
    "sad": (  # under brows that slope outwards
        Stroke([(4.4, 5.9), (7.6, 4.3)], 1.2),
        Stroke([(15.6, 5.9), (12.4, 4.3)], 1.2),
        *(Disc((x, EYES + 0.8), 1.2, INK, height=1.5) for x in (LEFT, RIGHT)),
        Stroke(arc((10, 16), 7.6, -3), 1.2),
    ),
    "surprised": (
        *(Disc((x, EYES - 0.4), 2.2, WHITE, height=2.4) for x in (LEFT, RIGHT)),
        *(Disc((x, EYES - 0.4), 1.1, INK) for x in (LEFT, RIGHT)),
        Disc((10, 14.5), 2.1, INK, height=2.7),
    ),
    "winking": (  # with its tongue out
        OPEN_LEFT,
        Stroke([(RIGHT - 1.6, EYES), (RIGHT + 1.6, EYES)], 1.4),
        Polygon([(8, 13.6), (13, 13.6), (13, 16), (8, 16)], TONGUE),
        Disc((10.5, 16), 2.5, TONGUE, height=2.3),
        Stroke([(10.5, 14), (10.5, 16)], 0.7),
        Stroke(arc((10, 12), 9, 1.8), 1.3),
    ),
    "cool": (  # sunglasses, and one corner of the mouth up
        Stroke([(1.2, 6.5), (18.8, 6.5)], 1.1),
        *(
            Polygon(
                [
                    (x + dx, y)
                    for dx, y in zip((-2.8, 2.8, 2.2, 1.2, -1.2, -2.2), (6, 6, 9.4, 10.2, 10.2, 9.4), strict=True)
                ],
                INK,
            )
            for x in (LEFT - 0.2, RIGHT + 0.2)
        ),
        Stroke([(7, 14.4), (9.4, 14.9), (11.6, 14.6), (13.6, 13.2)], 1.2),
    ),
    "angry": (  # under brows that slope inwards, the mouth pressed together
        Stroke([(4.2, 4.6), (8.6, 6.6)], 1.3),
        Stroke([(15.8, 4.6), (11.4, 6.6)], 1.3),
        *(Disc((x, EYES + 1), 1.2, INK, height=1.4) for x in (LEFT + 0.2, RIGHT - 0.2)),
        Stroke([(6.6, 15.6), (8.4, 13.9), (11.6, 13.9), (13.4, 15.6)], 1.3),
    ),
    "neutral": (OPEN_LEFT, OPEN_RIGHT, Stroke([(6.7, 14.5), (13.3, 14.5)], 1.4)),
    "laughing": (  # eyes closed, upper teeth
        *(Stroke(arc((x, EYES + 1), 3.8, -2.5), 1.2) for x in (LEFT, RIGHT)),
        Polygon(arc((10, 11.4), 11.2, 6), INK),
        Polygon([(4.9, 11.4), (15.1, 11.4), (14.5, 13), (5.5, 13)], WHITE),
    ),
}


def heart_curve(t: float) -> Point:
    up = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
    return 10 + 0.57 * (16 * math.sin(t) ** 3), 9.4 - 0.57 * up


def star_corner(k: int) -> Point:
    radius, angle = (9.8, 4.1)[k % 2], math.pi * k / 5
    return 10 + radius * math.sin(angle), 11 - radius * math.cos(angle)


PICTURES: dict[str, Drawing] = {
    "heart": (Polygon([heart_curve(2 * math.pi * k / 256) for k in range(256)], 190), Disc((5.6, 6.2), 1.5, WHITE)),
    "star": (Polygon([star_corner(k) for k in range(10)], 245),),
    "house": (  # chimney, walls, roof, door, window
        Polygon([(13.4, 2.4), (15.8, 2.4), (15.8, 9), (13.4, 9)], 120),
        Polygon([(3.2, 9), (16.8, 9), (16.8, 19), (3.2, 19)], 170),
        Polygon([(0.8, 10.2), (10, 1.2), (19.2, 10.2)], 90),
        Polygon([(5.2, 12.2), (8.8, 12.2), (8.8, 19), (5.2, 19)], 40),
        Polygon([(11, 12.2), (15, 12.2), (15, 15.6), (11, 15.6)], WHITE),
    ),
    "moon": (  # a crescent and two stars
        Disc((9, 10), 8.8, 225), Disc((12.6, 8), 7.6, 0), Disc((13.4, 6), 1.2, 150), Disc((17, 12.6), 0.9, 150),
    ),
}  # fmt: skip


def emoji(name: str = "emoji", paths: Sequence[Path] = ()) -> ArraySource:
    """Give eight drawn faces: grey images ``(20, 20, 1)``, bright on black, each a label of its own.

    name, paths: as a data set of the catalogue is built; there are no files.

    >>> source = emoji()
    >>> source.images.shape, source.names[0]
    ((8, 20, 20, 1), 'happy')
    """
    return drawn(name, {title: (HEAD, *marks) for title, marks in EYES_AND_MOUTHS.items()})


def emoji_4(name: str = "emoji-4", paths: Sequence[Path] = ()) -> ArraySource:
    """Give four very different drawn pictures: grey images ``(20, 20, 1)``, bright on black, each a label of its own.

    name, paths: as a data set of the catalogue is built; there are no files.

    >>> emoji_4().names
    ['heart', 'star', 'house', 'moon']
    """
    return drawn(name, PICTURES)


def drawn(name: str, drawings: Mapping[str, Drawing]) -> ArraySource:
    titles, labels = list(drawings), np.arange(len(drawings), dtype=np.int64)
    images = np.stack([picture(drawing) for drawing in drawings.values()])
    return ArraySource(name, titles, images=images, labels=labels, label_names=titles)
