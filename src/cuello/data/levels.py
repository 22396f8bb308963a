"""What stands for black and white: the type's full scale, 0 and 1 for floats, a stated range, or an estimated one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cuello.core.errors import CuelloError, Message


class UnfitError(Message, ValueError):
    """The file is whole, but its pixels are of a kind that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Levels:
    """A range: ``black`` and ``white`` are the values, in the file's own units, that become 0 and 1.

    estimated: from the values themselves, so that a few may lie outside: they become less than 0 or more than 1. gaps:
    values that are no numbers (NaN, infinity) stay, instead of being refused.

    >>> Levels(0, 4095)
    Levels(black=0, white=4095)
    >>> print(Levels(-1000, 3000))
    -1000..3000
    """

    black: float
    white: float
    estimated: bool = field(default=False, repr=False)
    gaps: bool = field(default=False, repr=False)

    def __str__(self) -> str:
        digits = 6 if self.estimated else 10
        return f"{self.black:.{digits}g}..{self.white:.{digits}g}"

    def scaled(self, values: np.ndarray, what: str) -> np.ndarray:
        """Compute ``(value - black) / (white - black)`` as float32 of the same shape.

        In [0, 1], but for the few values outside an estimated range. As float64 where the range allows gaps: of values
        in a unit of any size float32 does not keep all digits.

        values: whole numbers or floats of any size. what: how an error calls them.
        Raises UnfitError for other types, NaN, infinity, and values outside a stated range: nothing is ever clipped.
        """
        if values.dtype.kind not in "buif":
            raise UnfitError(f"{what} holds values of type {values.dtype}; needed whole numbers or floats")
        if not self.gaps:
            refuse_no_numbers(values, what)
        black, white = self.black, self.white
        if values.dtype.kind == "f":  # 0.1 in float32 lies above 0.1 in float64
            black, white = float(values.dtype.type(black)), float(values.dtype.type(white))
        if not self.estimated and values.size and (values.min() < black or values.max() > white):
            wider = Levels(min(self.black, float(values.min())), max(self.white, float(values.max())))
            raise UnfitError(
                f"{what} holds values from {float(values.min()):.10g} to {float(values.max()):.10g}, outside the range "
                f"{self}; state a wider one, e.g. --range={exact(wider.black)}..{exact(wider.white)}"
            )
        share = np.subtract(values, self.black, dtype=np.float64)
        share /= self.white - self.black
        if self.gaps:
            return share
        return (share if self.estimated else share.clip(0, 1)).astype(np.float32)  # only rounding is cut

    def part(self, inner: "Levels") -> "Levels":
        """Return in the file's own units what ``inner`` says in shares of this range.

        >>> print(Levels(100, 300, estimated=True).part(Levels(0.25, 0.5, estimated=True)))
        150..200
        """
        span = self.white - self.black
        return Levels(self.black + inner.black * span, self.black + inner.white * span, estimated=True)

    def level_within(self, level: float, dtype: np.dtype) -> float:
        """Give a noise level as a share of this range, at most 1.

        level: a share of the type's white where the range is estimated and the type has one; else of the range.

        >>> Levels(0, 6553.5, estimated=True).level_within(0.01, np.dtype(np.uint16))
        0.1
        """
        span = self.white - self.black
        white = full_scale(dtype) if dtype in (np.uint8, np.uint16) or (dtype.kind == "f" and span <= 1) else span
        return min(1.0, level * white / span) if self.estimated else level

    def level_outside(self, share: float, dtype: np.dtype) -> float:
        """Give a noise level that is a share of this range as ``level_within`` takes it.

        >>> round(Levels(0, 6553.5, estimated=True).level_outside(0.1, np.dtype(np.uint16)), 6)
        0.01
        """
        return share / self.level_within(1e-9, dtype) * 1e-9

    def settled(self, pixels: np.ndarray) -> "Levels":
        """Return the range for these pixels: this one."""
        return self

    def back(self, shares: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Bring shares of the range to the file's own units and type; whole numbers are rounded, and fit the type."""
        values = shares.astype(np.float64) * (self.white - self.black) + self.black
        if dtype.kind in "ui":
            limits = np.iinfo(dtype)
            most = float(limits.max)
            most = most if int(most) == limits.max else float(np.nextafter(most, 0))  # of 64 bits, 2⁶⁴ - 1 is no float
            return values.round().clip(limits.min, most).astype(dtype)
        return values > (self.black + self.white) / 2 if dtype.kind == "b" else values.astype(dtype)


def parse_levels(text: str | None) -> Levels | None:
    """Read ``"LOW..HIGH"``; CuelloError unless both are finite numbers and LOW is below HIGH.

    >>> parse_levels("0..4095")
    Levels(black=0.0, white=4095.0)
    """
    if text is None:
        return None
    low, _, high = text.partition("..")
    try:
        levels = Levels(float(low), float(high))
    except ValueError:
        levels = Levels(math.nan, math.nan)
    if not (math.isfinite(levels.black) and math.isfinite(levels.white) and levels.black < levels.white):
        raise CuelloError(
            f"--range: got {text!r}, needed LOW..HIGH with LOW below HIGH, the values that stand for black and white "
            "in the files, such as 0..4095 or -1000..3000; or auto, or full."
        )
    return levels


LITTLE = 0.1
"""Values that fill a smaller share of their type's range than this are brought to their own range before a network
sees them: it was trained on images that fill theirs, and errs by some thousandths of white."""
OUTSIDE = 0.1
"""Percent of the values, at either end, that do not count for an estimate: hot and dead pixels."""
MARGIN = 0.1
"""Room that an estimated range leaves on either side, as a share of what the values span, for the noise at its ends."""
LOOKED_AT = 1_000_000
"""Values that an estimate looks at; of larger images every so many."""


@dataclass(frozen=True)
class RangeChoice:
    """Which range to use for images.

    name: "full", the type's own; "auto", an estimated one; "ends", from the lowest to the highest value; "units", none:
    the values as they are, numbers or not, as floats where they are not of 8 or 16 bits; "stated", that of ``levels``;
    or None, an estimated one only where the values fill less than ``LITTLE`` of their type's.
    several: of one image among others, the range of all of each type; see ``among``.

    >>> RangeChoice.parse("auto").name, RangeChoice.parse("0..4095").levels
    ('auto', Levels(black=0.0, white=4095.0))
    """

    name: str | None = None
    levels: Levels | None = None
    several: tuple[tuple[np.dtype, Levels | None], ...] = ()

    @property
    def guesses(self) -> bool:
        """Whether ranges are estimated from values."""
        return self.name in (None, "auto")

    def among(self, several: Sequence[np.ndarray]) -> "RangeChoice":
        """Return the choice for one of several images, of which ``several`` are some: the range of all of its type.

        An image whose values fill less than ``LITTLE`` of that range, or lie outside it, gets one of its own.
        """
        kinds: dict[np.dtype, list[np.ndarray]] = {}
        for values in several if self.guesses else ():
            kinds.setdefault(values.dtype, []).append(values.ravel())
        joined = {kind: some[0] if len(some) == 1 else np.concatenate(some) for kind, some in kinds.items()}
        ranges = [(kind, self.settled(values)) for kind, values in joined.items()]
        return RangeChoice(self.name, self.levels, several=tuple(ranges))

    @staticmethod
    def parse(text: "str | tuple[float, float] | None", own: Levels | None = None) -> "RangeChoice":
        """Read ``auto``, ``full``, ``LOW..HIGH`` or a pair; CuelloError for others.

        own: the range that a network was trained with, used where no other is asked for.
        """
        if text is None:
            return RangeChoice("stated", own) if own else RangeChoice()
        if isinstance(text, str) and text.strip().lower() in ("auto", "full"):
            return RangeChoice(text.strip().lower())
        if not isinstance(text, str):
            try:
                text = "..".join(repr(float(end)) for end in text)
            except (TypeError, ValueError):  # no pair, or not of numbers
                text = str(text)
        return RangeChoice("stated", parse_levels(text))

    def settled(self, pixels: np.ndarray) -> Levels | None:
        """Return the range for these pixels; None for their type's full scale."""
        if self.name in ("stated", "full") or pixels.dtype.kind not in "uif":
            return self.levels
        if self.name == "units":
            return None if pixels.dtype in (np.uint8, np.uint16) else Levels(0, 1, estimated=True, gaps=True)
        shared = dict(self.several)
        if pixels.dtype in shared:
            return self.among_others(pixels, shared[pixels.dtype])
        if self.name == "auto":
            return estimated_levels(pixels)
        if self.name == "ends":
            return joined_levels([Levels(float(pixels.min()), float(pixels.max()))])
        if pixels.dtype.kind != "f" and pixels.dtype not in (np.uint8, np.uint16):
            return None  # its white is not known: the error says so
        found = estimated_levels(pixels)
        return found if found is not None and fills_little(pixels, found) else None

    def among_others(self, pixels: np.ndarray, shared: Levels | None) -> Levels | None:
        """Return the range of one image among others, whose own is ``shared``."""
        found = estimated_levels(pixels)
        if found is None or shared is None or not differ(pixels):
            return RangeChoice().settled(pixels) if shared is None else shared
        room = (found.white - found.black) * MARGIN / (1 + 2 * MARGIN)
        if found.black + room < shared.black or found.white - room > shared.white:
            return RangeChoice(self.name).settled(pixels)
        return found if found.white - found.black < LITTLE * (shared.white - shared.black) else shared


AnyRange = Levels | RangeChoice


def estimated_levels(pixels: np.ndarray) -> Levels | None:
    """Estimate the range of values: nearly all of them, and some room on either side.

    Returns None where some are no numbers. Where all are the same, that value lies in the middle.
    """
    values = pixels.ravel()[:: step_through(pixels.size)].astype(np.float64)
    if not values.size or not np.isfinite(values).all():
        return None
    low, high = np.percentile(values, [OUTSIDE, 100 - OUTSIDE])
    if low == high:  # a few bright points on black
        low, high = float(pixels.min()), float(pixels.max())
    room = MARGIN * (high - low) or max(1.0, abs(low))
    return Levels(float(low - room), float(high + room), estimated=True)


def step_through(size: int) -> int:
    """Return a step through ``size`` values that looks at some ``LOOKED_AT`` of every channel, column and row.

    >>> step_through(2 * LOOKED_AT)
    3
    """
    step = max(1, size // LOOKED_AT)
    while math.gcd(step, size) > 1:
        step += 1
    return step


def differ(pixels: np.ndarray) -> bool:
    return pixels.min() < pixels.max()


def joined_levels(several: Sequence[Levels]) -> Levels:
    """Return the range from the lowest black to the highest white."""
    black, white = min(one.black for one in several), max(one.white for one in several)
    return Levels(black, white if white > black else black + 1)


def narrow_levels(pixels: np.ndarray) -> Levels | None:
    """Estimate the range of one channel where that is less than ``LITTLE`` of white; None elsewhere.

    pixels: of 8 or 16 bits, or floats of which nearly all are in [0, 1].
    """
    found = estimated_levels(pixels) if differ(pixels) else None
    if found is None or found.white - found.black >= (1 + 2 * MARGIN) * LITTLE * full_scale(pixels.dtype):
        return None
    return found


def fills_little(pixels: np.ndarray, levels: Levels) -> bool:
    """Tell whether values differ, but within less than ``LITTLE`` of their type's range."""
    low, high = pixels.min(), pixels.max()
    inside = pixels.dtype.kind != "f" or bool(low >= 0 and high <= 1)
    return inside and low < high and levels.white - levels.black < (1 + 2 * MARGIN) * LITTLE * full_scale(pixels.dtype)


def fit(pixels: np.ndarray, what: str, levels: Levels | None = None) -> np.ndarray:
    """Bring pixels of any type to uint8, uint16, or float32 in [0, 1]; shape kept.

    Without ``levels`` the type's full scale is black to white, 0 to 1 for floats. Raises UnfitError for what does not
    fit, with the way round.
    """
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    if levels is not None:
        return levels.scaled(pixels, what)
    if pixels.dtype.kind == "f":
        return checked_float(pixels, what)
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8) * 255
    if pixels.dtype not in (np.uint8, np.uint16):
        likely = likely_range(pixels) if pixels.dtype.kind in "ui" else ""
        state = f", or say what stands for black and white, e.g. --range={likely}" if likely else ""
        raise UnfitError(
            f"{what} has pixels of type {pixels.dtype}; save it with 8 or 16 bits, or as floats in [0, 1]{state}"
        )
    return pixels


def likely_range(pixels: np.ndarray) -> str:
    """Write a range for whole numbers: as many bits as the values take, or their ends where some are below 0.

    >>> likely_range(np.int16([7, 4084])), likely_range(np.int16([-1000, 3000])), likely_range(np.int32([]))
    ('0..4095', '-1000..3000', '0..4095')
    """
    low, high = (int(pixels.min()), int(pixels.max())) if pixels.size else (0, 0)
    if low < 0:
        return ends(pixels)
    return f"0..{(1 << high.bit_length()) - 1 if high else 4095}"


def checked_float(pixels: np.ndarray, what: str) -> np.ndarray:
    """Bring floats to float32; UnfitError unless every value is a number in [0, 1]."""
    refuse_no_numbers(pixels, what)
    if pixels.size and (pixels.min() < 0 or pixels.max() > 1):
        raise UnfitError(
            f"{what} holds floats from {pixels.min():.10g} to {pixels.max():.10g}; needed 0 to 1: subtract the minimum "
            f"and divide by the range first, or say what stands for black and white, e.g. --range={ends(pixels)}"
        )
    return pixels.astype(np.float32)


def ends(values: np.ndarray) -> str:
    """Write a range that holds all values, ``LOW..HIGH``.

    >>> ends(np.float32([0.1, 0.3])), ends(np.float32([2, 2]))
    ('0.1..0.3', '0..2')
    """
    low, high = values.min(), values.max()
    if low == high:  # one value is no range
        low, high = min(low, low * 0), max(high, high * 0)
    return f"{exact(low)}..{exact(high)}"


def exact(number: Any) -> str:
    """Write a number of Python or NumPy in as few digits as give it again in its type."""
    return str(number).removesuffix(".0")


def refuse_no_numbers(pixels: np.ndarray, what: str) -> None:
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int((~np.isfinite(pixels)).sum())
        raise UnfitError(f"{what} holds {bad} values that are not numbers (NaN or infinite); replace them first")


def full_scale(dtype: np.dtype) -> int:
    """Give the value that stands for white: 255, 65,535, or 1 for floats."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)
