"""Degradations: what makes a clean image worse. The table of names is here."""

from dataclasses import dataclass

from cuello.core.registry import Registry
from cuello.degrade.base import Degradation, Range
from cuello.degrade.compose import Composition, has_range, parse
from cuello.degrade.impulses import Invert, Missing, MissingBlocks, SaltPepper
from cuello.degrade.jpeg import Jpeg
from cuello.degrade.noise import Gaussian, NoDegradation, Poisson, Speckle, Uniform
from cuello.degrade.optics import Blur
from cuello.degrade.sizes import Down, Resize


@dataclass(frozen=True)
class DegradationSpec:
    """A name in the table and the class behind it."""

    cls: type[Degradation]

    @property
    def name(self) -> str:
        return self.cls.name

    @property
    def summary(self) -> str:
        return self.cls.summary


CLASSES = [
    SaltPepper,
    Invert,
    Gaussian,
    Poisson,
    Speckle,
    Uniform,
    Blur,
    Down,
    Resize,
    Jpeg,
    Missing,
    MissingBlocks,
    NoDegradation,
]
DEGRADATIONS: Registry[DegradationSpec] = Registry("noise", [DegradationSpec(cls) for cls in CLASSES])

__all__ = ["DEGRADATIONS", "Composition", "Degradation", "DegradationSpec", "Range", "has_range", "parse"]
