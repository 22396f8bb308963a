"""Images between known ones that are none of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.seeding import numpy_generator
from cuello.inference.model import Model
from cuello.latent.maps import nearest

PARTNERS = 32
"""Nearest codes of each image that are looked at."""
POINTS = 5
"""Points on each line between two codes that are tried."""
LINES, MOST_LINES = 64, 20_000
"""Lines that are decoded at once, and that are looked at in all."""


@dataclass(frozen=True)
class Inventions:
    """Images between known ones that are none of them.

    images: ``(n, H, W, C)`` float32, of 0 and 1 unless ``threshold`` was None. codes: ``(n, …)``. parents: ``(n, 2)``,
    positions of the known images between which each lies. nearest: ``(n,)``, position of the known image that looks
    most like it; distances: ``(n,)`` from that one, in values that differ (Hamming) or as root mean square out of 1.
    tried: how many points were decoded.
    """

    images: np.ndarray
    codes: np.ndarray
    parents: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    tried: int

    def __len__(self) -> int:
        return len(self.images)


def invent(
    model: Model,
    images: Any,
    n: int = 12,
    seed: int = 0,
    threshold: float | None = 0.5,
    parents: Sequence[int] | None = None,
) -> Inventions:
    """Find images that lie between two known ones and are like none, from the closest pairs of codes first.

    Some points of the line between two codes, drawn at random one from each equal part of it, are decoded and
    thresholded; the one furthest from everything known is kept, one a line, if it is news: further from the known image
    it resembles most than that image's own reconstruction is, and further than that from all that was kept before. So
    neither a known image, nor a bad copy of one, nor a repetition counts as new.

    images: all that is known, as ``encode`` takes them; of black and white alone where there is a threshold. n: how
    many at most; there may be fewer, or none. threshold: what counts as white, between 0 and 1; None keeps greys, and
    distances are then root mean squares. parents: positions of the images to look between, by default all. Raises
    CuelloError for images with greys and a threshold, fewer than two images, or other positions.
    """
    model.check_latent()
    x = model.stacked(images)
    known = x.permute(0, 2, 3, 1).cpu().numpy()
    chosen = np.arange(len(known)) if parents is None else np.asarray(parents, np.int64)
    check_invention(known, n, threshold, chosen=chosen)
    codes = model.encode(x).cpu().numpy()
    rows = known.reshape(len(known), -1)
    copies = cut_at(model.decode(codes), threshold).reshape(rows.shape)
    slack = np.array([distances(a[None], b[None], threshold)[0, 0] for a, b in zip(rows, copies, strict=True)])
    random = numpy_generator(seed, "invent")
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray, int, float]] = []
    tried = 0
    pairs = close_pairs(codes, chosen)[:MOST_LINES]
    for start in range(0, len(pairs), LINES):
        if len(kept) == n:
            break
        lines = pairs[start : start + LINES]
        points = on_lines(codes[lines[:, 0]], codes[lines[:, 1]], random)  # (L, POINTS, …)
        drawn = cut_at(model.decode(points.reshape(-1, *codes.shape[1:])), threshold)
        tried += len(drawn)
        apart = distances(drawn.reshape(len(drawn), -1), rows, threshold)
        drawn, apart = drawn.reshape(*points.shape[:2], *drawn.shape[1:]), apart.reshape(*points.shape[:2], -1)
        for line, pair in enumerate(lines):
            best = int(apart[line].min(1).argmax())
            like = int(apart[line, best].argmin())
            far, least, image = apart[line, best, like], slack[like], drawn[line, best]
            before = np.array([other for other, *_ in kept]).reshape(len(kept), image.size)
            if far > least and (distances(image.reshape(1, -1), before, threshold) > least).all() and len(kept) < n:
                kept.append((image, points[line, best], pair, like, far))
    made, places, between, likest, far = zip(*kept, strict=True) if kept else ((),) * 5
    return Inventions(
        np.array(made, np.float32).reshape(-1, *known.shape[1:]),
        codes=np.array(places, np.float32).reshape(-1, *codes.shape[1:]),
        parents=np.array(between, np.int64).reshape(-1, 2),
        nearest=np.array(likest, np.int64),
        distances=np.array(far, np.float64),
        tried=tried,
    )


def check_invention(known: np.ndarray, n: int, threshold: float | None, chosen: np.ndarray) -> None:
    """Raise CuelloError unless there is something to invent from, and of the kind that the threshold says."""
    if n < 1:
        raise CuelloError(f"n: got {n}, needed 1 or more.")
    if threshold is not None and not 0 < threshold < 1:
        raise CuelloError(f"threshold: got {threshold}, needed between 0 and 1, or None to keep greys.")
    if threshold is not None and not ((known == 0) | (known == 1)).all():
        raise CuelloError("got images with greys, needed black and white alone. Give threshold=None to keep greys.")
    if len(chosen) < 2 or len(set(chosen.tolist())) < len(chosen) or not ((chosen >= 0) & (chosen < len(known))).all():
        raise CuelloError(
            f"got {len(chosen)} images to look between, needed two or more different ones of the {len(known)} known."
        )


def close_pairs(codes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Pair positions ``(P, 2)`` among the chosen codes, the closest first; equal codes make no pair."""
    found = nearest(codes[chosen], codes[chosen], min(PARTNERS + 1, len(chosen)))
    ones = np.repeat(np.arange(len(chosen)), found.positions.shape[1])
    pairs = np.sort(np.column_stack([ones, found.positions.ravel()]), axis=1)
    apart = found.distances.ravel()
    pairs, first = np.unique(pairs[apart > 0], axis=0, return_index=True)
    order = np.argsort(apart[apart > 0][first], kind="stable")
    return chosen[pairs[order]]


def on_lines(starts: np.ndarray, ends: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Choose a point from each of POINTS equal parts of each line, ``(L, …)`` twice to ``(L, POINTS, …)`` float32."""
    shares = (np.arange(POINTS) + random.random((len(starts), POINTS))) / POINTS
    shares = shares.reshape(*shares.shape, *[1] * (starts.ndim - 1))
    return (starts[:, None] + shares * (ends - starts)[:, None]).astype(np.float32)


def cut_at(images: np.ndarray, threshold: float | None) -> np.ndarray:
    """Make images of 0 and 1 where there is a threshold, else as they are; float32."""
    return images if threshold is None else (images >= threshold).astype(np.float32)


def distances(images: np.ndarray, known: np.ndarray, threshold: float | None) -> np.ndarray:
    """Measure how far each image ``(N, P)`` is from each known one ``(K, P)``: Hamming, or root mean square.

    >>> distances(np.array([[0, 1, 1]]), np.array([[0, 0, 1], [1, 0, 0]]), 0.5).tolist()
    [[1.0, 3.0]]
    """
    x, y = images.astype(np.float64), known.astype(np.float64)
    squared = np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T, 0)
    return squared.round() if threshold is not None else np.sqrt(squared / x.shape[1])
