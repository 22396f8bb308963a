"""Hot and dead pixels: found by statistics over images of one camera, and repaired."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import maximum_filter

from cuello.noise_models.model import NoiseModel

AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
ALWAYS = 0.75
"""Share of the images in which a pixel must stand out to be the camera's fault and not the scene's."""
FAR, FARTHEST = 5.0, 12.0
"""Standard deviations by which it stands out in each of several scenes, and in one scene."""
ALIKE = 0.5
"""Images whose structure correlates so much show one scene, which may have bright points of its own."""
FEW = {True: 0.01, False: 0.001}
"""More than this share of pixels, found in several scenes or in one, are no defects but what the images are like."""


@dataclass(frozen=True)
class Defects:
    """Pixels that stand out: hot and dead ones, as positions ``(n, 2)``, row and column; and the share of all.

    impulses: of the pixels of one image, wherever they are, as a share.
    """

    hot: np.ndarray
    dead: np.ndarray
    impulses: float = 0.0


def defects(images: Sequence[np.ndarray], model: NoiseModel) -> Defects:
    """Find hot and dead pixels.

    A pixel is hot where it stands above all its neighbours by several deviations of the noise in nearly every one of
    several scenes. In one scene that may be a star: there it must stand alone, farther, and where its neighbours are
    as even as noise lets them be.
    """
    none = np.empty((0, 2), int)
    if not images or len({image.shape for image in images}) > 1 or min(images[0].shape) < 5:
        return Defects(none, none)
    scenes = several_scenes(images)
    above, below = np.zeros(images[0].shape), np.zeros(images[0].shape)
    for image in images:
        values = image.astype(np.float64)
        if not (known := np.isfinite(values)).all():
            values = np.where(known, values, np.median(values[known]))
        above += stands_out(values, model, scenes)
        below += stands_out(-values, model, scenes, sign=-1)
    found = []
    for count in (above, below):
        hits = count >= ALWAYS * len(images)
        found.append(np.argwhere(hits) if hits.mean() <= FEW[scenes] else none)
    impulses = float((above + below).mean() / len(images))
    return Defects(found[0], found[1], impulses)


def stands_out(values: np.ndarray, model: NoiseModel, scenes: bool, sign: int = 1) -> np.ndarray:
    """Mark pixels above all their neighbours by more than noise of their level does, by Bernstein's inequality.

    values: times ``sign``, which is -1 where pixels below are looked for.
    """
    highest = maximum_filter(values, footprint=AROUND)
    marked = np.zeros(values.shape, bool)
    far = FAR if scenes else FARTHEST
    tail = far**2 / 6 * model.gain
    places = np.argwhere((values - highest > tail)[1:-1, 1:-1]) + 1
    if not len(places):
        return marked
    rows, columns = places.T
    around = np.stack([values[rows + down, columns + right] for down, right in np.argwhere(AROUND) - 1])
    deviation = model.deviation(sign * np.median(around, 0))
    hits = values[rows, columns] - around.max(0) > far * deviation + tail
    if not scenes:
        hits &= np.ptp(around, 0) <= 6 * deviation + model.gain
    marked[rows[hits], columns[hits]] = True
    return marked


def several_scenes(images: Sequence[np.ndarray], fewest: int = 3) -> bool:
    """Tell whether images show different scenes, as no two neighbours are alike."""
    if len(images) < fewest:
        return False
    small = []
    for image in images:
        rows, columns = (side // 8 * 8 for side in image.shape)
        parts = np.nan_to_num(image[:rows, :columns].astype(np.float64)).reshape(rows // 8, 8, columns // 8, 8)
        values = parts.mean((1, 3)).ravel()
        small.append((values - values.mean()) / max(values.std(), np.finfo(float).tiny))
    alike = [float(np.mean(one * other)) for one, other in pairwise(small)]
    return float(np.median(alike)) < ALIKE


def repaired(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Replace pixels by the median of their neighbours that are none of them.

    image: ``(H, W)`` or ``(H, W, C)``, any type, which is kept. positions: ``(n, 2)``, row and column.

    >>> repaired(np.array([[1, 2, 3], [4, 99, 6], [7, 8, 9]]), np.array([[1, 1]])).tolist()
    [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    """
    result = image.copy()
    bad = np.zeros(image.shape[:2], bool)
    bad[tuple(np.asarray(positions, int).reshape(-1, 2).T)] = True
    for row, column in np.argwhere(bad):
        for reach in range(1, max(image.shape[:2])):
            area = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
            if not bad[area].all():
                middle = np.median(image[area][~bad[area]], 0)
                result[row, column] = np.round(middle) if image.dtype.kind in "ui" else middle
                break
    return result
