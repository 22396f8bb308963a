"""Degradations: what makes a clean image worse. The table of names is here."""

from cuello.core.registry import Registry
from cuello.degrade.base import Degradation, Range
from cuello.degrade.camera import Camera
from cuello.degrade.compose import Composition, has_range, parse
from cuello.degrade.impulses import Invert, Missing, MissingBlocks, SaltPepper
from cuello.degrade.jpeg import Jpeg
from cuello.degrade.noise import Gaussian, NoDegradation, Poisson, Speckle, Uniform
from cuello.degrade.optics import Blur
from cuello.degrade.own import own_noise
from cuello.degrade.sizes import Down, Resize

DEGRADATIONS: Registry[type[Degradation]] = Registry(
    "noise",
    [
        SaltPepper, Invert, Gaussian, Poisson, Camera, Speckle, Uniform, Blur, Down, Resize, Jpeg, Missing,
        MissingBlocks, NoDegradation,
    ],
    adopt=own_noise,
)  # fmt: skip

__all__ = ["DEGRADATIONS", "Composition", "Degradation", "Range", "has_range", "parse"]
