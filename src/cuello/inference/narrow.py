"""Channels that a network sees by themselves, of which some fill little of the range of all: each within its own."""

from dataclasses import dataclass, field

import numpy as np

from cuello.data.levels import Levels, RangeChoice, narrow_levels
from cuello.inference.estimates import in_units
from cuello.inference.restorer import Restorer


@dataclass(frozen=True)
class Within:
    """Restores pixels ``(H, W, C)``: whole numbers of 8 or 16 bits, floats in [0, 1], or shares of ``levels``.

    levels: the range that the pixels are shares of; None for their type's own. stored: the type in the file. level: of
    the noise, in units of the type's white. narrows: whether pixels that fill little of the range at hand get one of
    their own; splits: whether each of several channels does. found: these ranges, in the file's units.
    """

    model: Restorer
    levels: Levels | None
    stored: np.dtype
    level: float | None = None
    narrows: bool = False
    splits: bool = False
    found: list[Levels] = field(default_factory=list)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        split = self.splits and pixels.shape[-1] > 1
        parts = [pixels[:, :, k : k + 1] for k in range(pixels.shape[-1])] if split else [pixels]
        own = [narrow_levels(part) if split or self.narrows else None for part in parts]
        if not any(own):
            return self.plain(pixels, self.told)
        return np.concatenate([self.within(part, one) for part, one in zip(parts, own, strict=True)], axis=2)

    @property
    def told(self) -> float | None:
        """The level of the noise in units of the white at hand."""
        if self.level is None or self.levels is None or not self.model.told_noise:
            return self.level
        return self.levels.level_within(self.level, self.stored)

    def outside(self, share: float) -> float:
        """Give a level in units of the white at hand as ``level`` is stated."""
        return share if self.levels is None else self.levels.level_outside(share, self.stored)

    def plain(self, pixels: np.ndarray, level: float | None) -> np.ndarray:
        restore = self.model.restore if self.levels is None else self.model.restore_shares
        with in_units(self.outside):
            return restore(pixels, level=level)

    def within(self, pixels: np.ndarray, own: Levels | None) -> np.ndarray:
        """Restore one channel within its own range, if it has one."""
        if own is None:
            return self.plain(pixels, self.told)
        self.found.append(own if self.levels is None else self.levels.part(own))
        level = own.level_within(self.told, pixels.dtype) if self.told and self.model.told_noise else self.told
        with in_units(lambda share: self.outside(own.level_outside(share, pixels.dtype))):
            shares = self.model.restore_shares(own.scaled(pixels, "the channel"), level=level)
        return own.back(shares, pixels.dtype)


def within_choice(
    model: Restorer,
    levels: Levels | None,
    stored: np.dtype,
    *,
    level: float | None,
    choice: RangeChoice,
    parts: int = 1,
) -> Within:
    """Return what restores pixels that ``choice`` brought to ``levels``; parts: how many images a picture holds.

    Colours that go through the network one by one are channels by themselves where they hold more than the 8 bits of
    most photographs.
    """
    measured = model.channels == 1 and stored.kind in "iu" and stored.itemsize > 1
    narrows, splits = choice.guesses and parts > 1, choice.guesses and measured
    return Within(model, levels, stored, level=level, narrows=narrows, splits=splits)
