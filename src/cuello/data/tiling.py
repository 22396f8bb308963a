"""Cut an image into tiles, run each, and put the results together as if it had been run whole."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from cuello.core.progress import OnProgress, Progress, silent


class TileSpan(NamedTuple):
    """One tile along one axis: read [start, stop), keep [keep_start, keep_stop); all in pixels of the image."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int

    def kept(self, scale: int, start: int = 0) -> slice:
        """Say where the pixels to keep lie in a result ``scale`` times as large that begins at ``start``."""
        return slice(scale * (self.keep_start - start), scale * (self.keep_stop - start))


def tiles_along(length: int, tile: int, reach: int, stride: int) -> Iterator[TileSpan]:
    """Yield tiles that together keep every pixel of ``length`` once.

    tile: pixels kept a tile, a multiple of ``stride``. reach: how far a result depends on its surroundings, in pixels
    to each side. Tiles start and end at multiples of ``stride`` (or at the image's end), so that poolings fall on the
    same pixels as in the whole image.

    >>> [tuple(tile) for tile in tiles_along(20, tile=8, reach=3, stride=4)]
    [(0, 12, 0, 8), (4, 20, 8, 16), (12, 20, 16, 20)]
    """
    margin = -(-reach // stride) * stride
    for keep_start in range(0, length, tile):
        keep_stop = min(keep_start + tile, length)
        stop = min(-(-(keep_stop + margin) // stride) * stride, length)
        yield TileSpan(max(keep_start - margin, 0), stop, keep_start, keep_stop=keep_stop)


def run_tiled(
    function: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    out: np.ndarray,
    *,
    tile: int,
    reach: int,
    stride: int,
    progress: OnProgress = silent,
) -> np.ndarray:
    """Fill ``out`` with ``function`` of ``image``, tile by tile.

    function: ``(h, w, C)`` to ``(scale h, scale w, C)``, any type; called with views of ``image``. image:
    ``(H, W, C)``, out: ``(scale H, scale W, C)``; they must not share memory. tile, reach, stride: see ``tiles_along``,
    in pixels of ``image``, both sides of which must be multiples of ``stride`` for the result to equal that of the
    whole. progress: called with events.
    """
    scale = out.shape[0] // image.shape[0]
    rows, columns = (list(tiles_along(length, tile, reach, stride=stride)) for length in image.shape[:2])
    for done, (row, column) in enumerate(product(rows, columns), 1):
        result = function(image[row.start : row.stop, column.start : column.stop])
        out[row.kept(scale), column.kept(scale)] = result[row.kept(scale, row.start), column.kept(scale, column.start)]
        progress(Progress("tiles", done, len(rows) * len(columns)))
    return out
