"""What stands for black and white in a file: its type's full scale, 0 and 1 for floats, or a stated range."""

import math
from dataclasses import dataclass

import numpy as np

from cuello.core.errors import CuelloError, Message


class UnfitError(Message, ValueError):
    """The file is whole, but its pixels are of a kind that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Levels:
    """A stated range: ``black`` and ``white`` are the values, in the file's own units, that become 0 and 1.

    >>> Levels(0, 4095)
    Levels(black=0, white=4095)
    >>> print(Levels(-1000, 3000))
    -1000..3000
    """

    black: float
    white: float

    def __str__(self) -> str:
        return f"{self.black:.10g}..{self.white:.10g}"

    def scaled(self, values: np.ndarray, what: str) -> np.ndarray:
        """Compute ``(value - black) / (white - black)`` as float32 of the same shape, in [0, 1].

        values: whole numbers or floats of any size. what: how an error calls them.
        Raises UnfitError for other types, NaN, infinity, and values outside the range: nothing is ever clipped.
        """
        if values.dtype.kind not in "buif":
            raise UnfitError(f"{what} holds values of type {values.dtype}; needed whole numbers or floats")
        refuse_no_numbers(values, what)
        black, white = self.black, self.white
        if values.dtype.kind == "f":  # 0.1 in float32 lies above 0.1 in float64
            black, white = float(values.dtype.type(black)), float(values.dtype.type(white))
        if values.size and (values.min() < black or values.max() > white):
            wider = Levels(min(self.black, float(values.min())), max(self.white, float(values.max())))
            raise UnfitError(
                f"{what} holds values from {float(values.min()):.10g} to {float(values.max()):.10g}, outside the range "
                f"{self}; state a wider one, e.g. --range={wider}"
            )
        share = np.subtract(values, self.black, dtype=np.float64)
        share /= self.white - self.black
        return share.clip(0, 1).astype(np.float32)  # only rounding is cut

    def back(self, shares: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Bring shares of the range to the file's own units and type; whole numbers are rounded, and fit the type."""
        values = shares.astype(np.float64) * (self.white - self.black) + self.black
        if dtype.kind in "ui":
            limits = np.iinfo(dtype)
            return values.round().clip(limits.min, limits.max).astype(dtype)
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
            "in the files, such as 0..4095 or -1000..3000."
        )
    return levels


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
        wide = pixels.dtype.kind in "ui"
        state = ", or say with --range what stands for black and white, e.g. --range=0..4095" if wide else ""
        raise UnfitError(
            f"{what} has pixels of type {pixels.dtype}; save it with 8 or 16 bits, or as floats in [0, 1]{state}"
        )
    return pixels


def checked_float(pixels: np.ndarray, what: str) -> np.ndarray:
    """Bring floats to float32; UnfitError unless every value is a number in [0, 1]."""
    refuse_no_numbers(pixels, what)
    if pixels.size and (pixels.min() < 0 or pixels.max() > 1):
        low, high = f"{pixels.min():g}", f"{pixels.max():g}"
        raise UnfitError(
            f"{what} holds floats from {low} to {high}; needed 0 to 1: subtract the minimum and divide by the range "
            f"first, or say what stands for black and white, e.g. --range={low}..{high}"
        )
    return pixels.astype(np.float32)


def refuse_no_numbers(pixels: np.ndarray, what: str) -> None:
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int((~np.isfinite(pixels)).sum())
        raise UnfitError(f"{what} holds {bad} values that are not numbers (NaN or infinite); replace them first")


def full_scale(dtype: np.dtype) -> int:
    """Give the value that stands for white: 255, 65,535, or 1 for floats."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)
