"""What the best possible decoder leaves of inverted pixels, when it knows every image there is.

The setting: K binary images ("prototypes") of P pixels, equally likely; of one of them exactly F pixels, any F with
equal probability, were inverted. The noisy image then speaks equally for every prototype that differs from it in
exactly F pixels, and not at all for the others. No decoder, however trained, is better on average than the mean of
those prototypes (in squared error), or than that mean thresholded at 0.5 (in wrong pixels).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import ArrayLike

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, Progress, silent

MOST_PIXELS = 64
MOST_PATTERNS = 10**9
BLOCK = 2**20  # bytes of comparisons at once: more would not stay in a processor's cache
COLUMNS = 2**11

"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Limit:
    """What the best decoder leaves on average over one noisy image of each prototype: the expected number of wrong
    pixels, of ``total``, and the expected mean squared error of a pixel, white being 1.
    """

    wrong: float
    mse: float
    total: int

    @property
    def share(self) -> float:
        """Expected share of wrong pixels, 0 to 1."""
        return self.wrong / self.total


def bayes_decode(noisy: ArrayLike, prototypes: ArrayLike, flips: int) -> np.ndarray:
    """Average the prototypes from which each noisy image can have come.

    E[x | y] = mean of the prototypes p with |y - p|₁ = F: the estimate of least mean squared error. Thresholded at 0.5
    it is the one with the fewest wrong pixels on average.

    noisy: ``(N, P)``, prototypes: ``(K, P)``, of 0 and 1. flips: F, 0 to P. Returns ``(N, P)`` float64 in [0, 1].
    Raises CuelloError where no prototype fits an image, and for other values or shapes.

    >>> bayes_decode([[0, 1, 1]], [[0, 0, 1], [1, 1, 1], [0, 0, 0]], flips=1)
    array([[0.5, 0.5, 1. ]])
    """
    known = binary(prototypes, "prototypes")
    check_flips(flips, known.shape[1])
    apart = distances(noisy, known)
    fits = apart == flips
    counts = fits.sum(1)
    if not counts.all():
        row = int(np.argmin(counts))
        raise CuelloError(
            f"image {row} of {len(apart)}: got distances of {apart[row].min()} to {apart[row].max()} pixels from the "
            f"prototypes, needed one of exactly {flips}. Check that it is one of these prototypes with {flips} pixels "
            "inverted."
        )
    return (fits.astype(np.float64) @ known) / counts[:, None]


def distances(images: ArrayLike, prototypes: ArrayLike) -> np.ndarray:
    """Count the pixels of each image that differ from each prototype: ``(N, P)`` and ``(K, P)`` to ``(N, K)`` int64.

    >>> distances([[0, 1, 1]], [[0, 0, 1], [1, 0, 0]])
    array([[1, 3]])
    """
    x, y = binary(images, "images"), binary(prototypes, "prototypes")
    if x.shape[1] != y.shape[1]:
        raise CuelloError(
            f"got images of {x.shape[1]} pixels and prototypes of {y.shape[1]}, needed the same number. "
            "Flatten both from images of one size."
        )
    a, b = x.astype(np.float64), y.astype(np.float64)  # floats: matrix products of integers are slow
    return (a @ (1 - b).T + (1 - a) @ b.T).astype(np.int64)


def bayes_limit(prototypes: ArrayLike, flips: int, progress: OnProgress = silent) -> Limit:
    """Compute the exact expectation of what the best decoder leaves, over all prototypes and all patterns of flips.

    With q the posterior probability of the wrong value, wrong = Σ over prototypes and pixels of E[1 where q > ½, ½
    where q = ½], and mse = E[q²] averaged over prototypes and pixels; E is over all C(P, F) patterns, each looked at,
    none drawn.

    prototypes: ``(K, P)`` of 0 and 1, at most 64 pixels. flips: F, 0 to P; at most 10⁹ patterns. progress: called with
    events. Memory stays below 300 MB
    for up to 1,000 prototypes. Raises CuelloError beyond these bounds.

    >>> bayes_limit([[0, 0], [1, 1]], flips=1)  # 01 and 10 may have been either
    Limit(wrong=2.0, mse=0.25, total=4)
    """
    known = binary(prototypes, "prototypes")
    count, pixels = known.shape
    check_flips(flips, pixels)
    patterns = math.comb(pixels, flips)
    if pixels > MOST_PIXELS:
        raise CuelloError(f"got prototypes of {pixels} pixels, needed at most {MOST_PIXELS}. Use smaller images.")
    if patterns > MOST_PATTERNS:
        raise CuelloError(
            f"got {flips} flips of {pixels} pixels, {patterns:,} patterns, needed at most {MOST_PATTERNS:,}. "
            "Use fewer flips or smaller images."
        )
    flips = min(flips, pixels - flips)  # to invert the other pixels instead confuses the same prototypes
    apart = distances(known, known)
    wrong = squared = 0.0
    done = 0
    for first, second in half_patterns(pixels, flips):
        for index in range(count):
            alike = (apart[index] % 2 == 0) & (apart[index] <= 2 * flips)
            alike[index] = False
            differing = (known[alike] != known[index]).astype(np.uint8)
            more_wrong, more_squared = confusions(differing, first, second)
            wrong += more_wrong
            squared += more_squared
            done += len(first) * len(second)
            progress(Progress("prototypes × patterns", done, count * patterns))
    return Limit(wrong / patterns, squared / patterns / (count * pixels), count * pixels)


def half_patterns(pixels: int, flips: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield ``(A, a)`` and ``(B, b)``, positions in the rows; any row of the one with any of the other is a pattern of
    a + b = ``flips`` pixels, and each pattern is made once.
    """
    middle = pixels // 2
    for size in range(flips + 1):
        first = subsets(0, middle, size)
        second = subsets(middle, pixels, flips - size)
        if len(first) and len(second):
            yield (first, second) if len(first) <= len(second) else (second, first)


def subsets(start: int, stop: int, size: int) -> np.ndarray:
    """List every choice of ``size`` numbers of ``range(start, stop)``, one a row, uint8.

    >>> subsets(1, 4, 2).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    rows = math.comb(stop - start, size)
    numbers = chain.from_iterable(combinations(range(start, stop), size))
    return np.fromiter(numbers, np.uint8, rows * size).reshape(rows, size)


def confusions(differing: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Sum wrong pixels and squared error of one prototype over every pattern of ``first`` with ``second``.

    After a pattern, another prototype is as near as the true one where the pattern holds exactly half of the pixels
    in which the two differ. differing: ``(J, P)`` uint8, 1 where another prototype differs from this one.
    """
    others = len(differing)
    if others == 0:
        return 0.0, 0.0
    half = differing.sum(1, dtype=np.int8)[:, None] // 2
    rows = max(1, BLOCK // (COLUMNS * others))
    wrong = squared = 0.0
    for top in range(0, len(first), rows):
        covered = differing[:, first[top : top + rows]].sum(2, dtype=np.int8)  # how many of a row's ones
        for left in range(0, len(second), COLUMNS):
            missing = half - differing[:, second[left : left + COLUMNS]].sum(2, dtype=np.int8)
            groups, counts = equal_columns(covered[:, :, None] == missing[:, None, :])
            members = 1 + groups.sum(1)[:, None]
            mistaken = groups @ differing.astype(np.float64)  # of the members, how many have the pixel's wrong value
            odds = (2 * mistaken > members) + 0.5 * (2 * mistaken == members)
            wrong += float(counts @ odds.sum(1))
            squared += float(counts @ np.square(mistaken / members).sum(1))
    return wrong, squared


def equal_columns(matches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the columns that ``(J, A, B)`` bool has, but for the empty one, ``(G, J)`` float64, and each one's count."""
    others = len(matches)
    codes = np.zeros((-(-others // 8), matches[0].size), np.uint8)  # eight rows of matches to a byte
    for row, match in enumerate(matches.reshape(others, -1).view(np.uint8)):
        codes[row // 8] |= match << np.uint8(row % 8)
    found = codes[:, np.bitwise_or.reduce(codes) != 0]
    width = -(-others // 64) * 8
    words = np.zeros((found.shape[1], width), np.uint8)
    words[:, : len(found)] = found.T
    words = words.view(np.uint64)
    one = width == 8  # much faster than the comparison of rows
    different, counts = np.unique(words[:, 0] if one else words, axis=None if one else 0, return_counts=True)
    octets = np.ascontiguousarray(different).view(np.uint8).reshape(-1, width)
    return np.unpackbits(octets, axis=1, count=others, bitorder="little").astype(np.float64), counts


def binary(values: ArrayLike, what: str) -> np.ndarray:
    """Check that values are a matrix, not empty, of 0 and 1; give it as uint8."""
    array = np.asarray(values)
    if array.ndim != 2 or 0 in array.shape:
        raise CuelloError(
            f"{what}: got an array of shape {array.shape}, needed (images, pixels), neither zero. "
            "Flatten each image to a row, e.g. array.reshape(len(array), -1)."
        )
    if not ((array == 0) | (array == 1)).all():
        raise CuelloError(f"{what}: got values other than 0 and 1. Threshold them, e.g. array >= 0.5.")
    return array.astype(np.uint8)


def check_flips(flips: int, pixels: int) -> None:
    if not 0 <= flips <= pixels:
        raise CuelloError(f"got {flips} flips, needed 0 to {pixels}, the number of an image's pixels.")
