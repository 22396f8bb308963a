"""Small data sets that the project makes itself: characters as a table, pictures drawn by code."""

import math
from collections.abc import Callable, Sequence
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

Point = tuple[float, float]


def glyphs(name: str = "glyphs", paths: Sequence[Path] = ()) -> ArraySource:
    """Return the characters 0x60 to 0x7f of a 5×7 LED font: 32 binary images ``(7, 5, 1)``, 0 or 255.

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
    return ArraySource(name, names, images, np.arange(len(images), dtype=np.int64), characters)


class Canvas:
    """A black picture of 20×20 to draw on in grey, 0 to 255; it is drawn 16 times larger and averaged down.

    Places and lengths are in pixels of the small picture, x to the right and y down from the upper left corner, so that
    the middle is (10, 10).
    """

    def __init__(self) -> None:
        self.large = Image.new("L", (SIDE * SCALE, SIDE * SCALE))
        self.draw = ImageDraw.Draw(self.large)

    def disc(self, x: float, y: float, radius: float, grey: int, height: float | None = None) -> None:
        """Fill a circle round (x, y), or an ellipse of another half ``height``."""
        tall = radius if height is None else height
        left, top, right, bottom = (round(v * SCALE) for v in (x - radius, y - tall, x + radius, y + tall))
        self.draw.ellipse([left, top, right - 1, bottom - 1], fill=grey)  # its last row and column are drawn too

    def polygon(self, points: Sequence[Point], grey: int) -> None:
        """Fill the polygon with these corners."""
        self.draw.polygon([(x * SCALE - 0.5, y * SCALE - 0.5) for x, y in points], fill=grey)

    def stroke(self, points: Sequence[Point], width: float, grey: int) -> None:
        """Draw a line through these points, with round ends and corners."""
        for (x0, y0), (x1, y1) in pairwise(points):
            steps = 1 + int(math.hypot(x1 - x0, y1 - y0) * SCALE)
            for step in range(steps + 1):
                self.disc(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps, width / 2, grey)

    def pixels(self) -> np.ndarray:
        """Return the picture, ``(20, 20, 1)`` uint8: each pixel the mean of its 16×16."""
        return np.asarray(self.large.reduce(SCALE))[..., None]


def arc(x: float, y: float, width: float, height: float, points: int = 33) -> list[Point]:
    """Return points of half an ellipse round (x, y): below it where ``height`` is positive, as in a smile, or above."""
    angles = [math.pi * k / (points - 1) for k in range(points)]
    return [(x - width / 2 * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


def face(*parts: Callable[[Canvas], None]) -> np.ndarray:
    """Return a round face with these eyes and mouths."""
    canvas = Canvas()
    canvas.disc(10, 10, 9.6, FACE)
    for part in parts:
        part(canvas)
    return canvas.pixels()


LEFT, RIGHT, EYES = 6.5, 13.5, 7.5


def open_eyes(canvas: Canvas) -> None:
    """Draw two dark eyes."""
    for x in (LEFT, RIGHT):
        canvas.disc(x, EYES, 1.25, INK, height=1.75)


def wide_eyes(canvas: Canvas) -> None:
    """Draw two dark pupils in large white eyes."""
    for x in (LEFT, RIGHT):
        canvas.disc(x, EYES - 0.4, 2.2, WHITE, height=2.4)
        canvas.disc(x, EYES - 0.4, 1.1, INK)


def laughing_eyes(canvas: Canvas) -> None:
    """Draw two eyes closed by laughing, as arches."""
    for x in (LEFT, RIGHT):
        canvas.stroke(arc(x, EYES + 1, 3.8, -2.5), 1.2, INK)


def winking_eyes(canvas: Canvas) -> None:
    """Draw one open eye and one closed."""
    canvas.disc(LEFT, EYES, 1.25, INK, height=1.75)
    canvas.stroke([(RIGHT - 1.6, EYES), (RIGHT + 1.6, EYES)], 1.4, INK)


def sunglasses(canvas: Canvas) -> None:
    """Draw dark glasses across the whole face."""
    canvas.stroke([(1.2, 6.5), (18.8, 6.5)], 1.1, INK)
    for x in (LEFT - 0.2, RIGHT + 0.2):
        canvas.polygon(
            [(x - 2.8, 6), (x + 2.8, 6), (x + 2.2, 9.4), (x + 1.2, 10.2), (x - 1.2, 10.2), (x - 2.2, 9.4)], INK
        )


def angry_brows(canvas: Canvas) -> None:
    """Draw two eyes under brows that slope inwards."""
    canvas.stroke([(4.2, 4.6), (8.6, 6.6)], 1.3, INK)
    canvas.stroke([(15.8, 4.6), (11.4, 6.6)], 1.3, INK)
    for x in (LEFT + 0.2, RIGHT - 0.2):
        canvas.disc(x, EYES + 1, 1.2, INK, height=1.4)


def worried_eyes(canvas: Canvas) -> None:
    """Draw two eyes under brows that slope outwards."""
    canvas.stroke([(4.4, 5.9), (7.6, 4.3)], 1.2, INK)
    canvas.stroke([(15.6, 5.9), (12.4, 4.3)], 1.2, INK)
    for x in (LEFT, RIGHT):
        canvas.disc(x, EYES + 0.8, 1.2, INK, height=1.5)


def smile(canvas: Canvas) -> None:
    """Draw a mouth with its corners up."""
    canvas.stroke(arc(10, 12, 9, 3.6), 1.2, INK)


def frown(canvas: Canvas) -> None:
    """Draw a mouth with its corners down."""
    canvas.stroke(arc(10, 16, 7.6, -3), 1.2, INK)


def scowl(canvas: Canvas) -> None:
    """Draw a narrow mouth pressed together, its corners down."""
    canvas.stroke([(6.6, 15.6), (8.4, 13.9), (11.6, 13.9), (13.4, 15.6)], 1.3, INK)


def flat_mouth(canvas: Canvas) -> None:
    """Draw a straight mouth."""
    canvas.stroke([(6.7, 14.5), (13.3, 14.5)], 1.4, INK)


def round_mouth(canvas: Canvas) -> None:
    """Draw a mouth wide open, as an upright ellipse."""
    canvas.disc(10, 14.5, 2.1, INK, height=2.7)


def tongue_out(canvas: Canvas) -> None:
    """Draw a smile with the tongue out."""
    canvas.polygon([(8, 13.6), (13, 13.6), (13, 16), (8, 16)], TONGUE)
    canvas.disc(10.5, 16, 2.5, TONGUE, height=2.3)
    canvas.stroke([(10.5, 14), (10.5, 16)], 0.7, INK)
    canvas.stroke(arc(10, 12, 9, 1.8), 1.3, INK)


def open_mouth(canvas: Canvas) -> None:
    """Draw a laughing mouth with its upper teeth."""
    canvas.polygon(arc(10, 11.4, 11.2, 6), INK)
    canvas.polygon([(4.9, 11.4), (15.1, 11.4), (14.5, 13), (5.5, 13)], WHITE)


def smirk(canvas: Canvas) -> None:
    """Draw a mouth with one corner up."""
    canvas.stroke([(7, 14.4), (9.4, 14.9), (11.6, 14.6), (13.6, 13.2)], 1.2, INK)


FACES: dict[str, tuple[Callable[[Canvas], None], ...]] = {
    "happy": (open_eyes, smile),
    "sad": (worried_eyes, frown),
    "surprised": (wide_eyes, round_mouth),
    "winking": (winking_eyes, tongue_out),
    "cool": (sunglasses, smirk),
    "angry": (angry_brows, scowl),
    "neutral": (open_eyes, flat_mouth),
    "laughing": (laughing_eyes, open_mouth),
}


def emoji(name: str = "emoji", paths: Sequence[Path] = ()) -> ArraySource:
    """Return eight drawn faces: grey images ``(20, 20, 1)``, bright on black, each a label of its own.

    name, paths: as a data set of the catalogue is built; there are no files.

    >>> source = emoji()
    >>> source.images.shape, source.names[0]
    ((8, 20, 20, 1), 'happy')
    """
    return pictures(name, {title: face(*parts) for title, parts in FACES.items()})


def heart() -> np.ndarray:
    """Return a heart: the curve x = 16 sin³ t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled."""
    canvas = Canvas()
    angles = [2 * math.pi * k / 256 for k in range(256)]
    across = [16 * math.sin(t) ** 3 for t in angles]
    up = [13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) for t in angles]
    canvas.polygon([(10 + 0.57 * x, 9.4 - 0.57 * y) for x, y in zip(across, up, strict=True)], 190)
    canvas.disc(5.6, 6.2, 1.5, WHITE)
    return canvas.pixels()


def star() -> np.ndarray:
    """Return a star of five points."""
    canvas = Canvas()
    corners = []
    for k in range(10):
        radius, angle = (9.8, 4.1)[k % 2], math.pi * k / 5
        corners.append((10 + radius * math.sin(angle), 11 - radius * math.cos(angle)))
    canvas.polygon(corners, 245)
    return canvas.pixels()


def house() -> np.ndarray:
    """Return a house with a roof, a chimney, a door and a window."""
    canvas = Canvas()
    canvas.polygon([(13.4, 2.4), (15.8, 2.4), (15.8, 9), (13.4, 9)], 120)
    canvas.polygon([(3.2, 9), (16.8, 9), (16.8, 19), (3.2, 19)], 170)
    canvas.polygon([(0.8, 10.2), (10, 1.2), (19.2, 10.2)], 90)
    canvas.polygon([(5.2, 12.2), (8.8, 12.2), (8.8, 19), (5.2, 19)], 40)
    canvas.polygon([(11, 12.2), (15, 12.2), (15, 15.6), (11, 15.6)], WHITE)
    return canvas.pixels()


def moon() -> np.ndarray:
    """Return a crescent moon with two stars."""
    canvas = Canvas()
    canvas.disc(9, 10, 8.8, 225)
    canvas.disc(12.6, 8, 7.6, 0)
    canvas.disc(13.4, 6, 1.2, 150)
    canvas.disc(17, 12.6, 0.9, 150)
    return canvas.pixels()


def emoji_4(name: str = "emoji-4", paths: Sequence[Path] = ()) -> ArraySource:
    """Return four very different drawn pictures: grey images ``(20, 20, 1)``, bright on black, each a label of its own.

    name, paths: as a data set of the catalogue is built; there are no files.

    >>> emoji_4().names
    ['heart', 'star', 'house', 'moon']
    """
    return pictures(name, {draw.__name__: draw() for draw in (heart, star, house, moon)})


def pictures(name: str, drawn: dict[str, np.ndarray]) -> ArraySource:
    """Return a source of these pictures, each a label of its own, called by its name."""
    titles = list(drawn)
    labels = np.arange(len(titles), dtype=np.int64)
    return ArraySource(name, titles, np.stack(list(drawn.values())), labels, titles)
