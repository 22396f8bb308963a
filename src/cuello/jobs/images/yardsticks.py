"""The published yardsticks: what spoils the images of each, how results are measured, and for which networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.registry import Registry
from cuello.core.resample import resize
from cuello.core.seeding import generator
from cuello.data.batches import to_tensor
from cuello.data.catalog import CATALOG, locate
from cuello.data.picture import read_picture
from cuello.degrade.base import Degradation
from cuello.degrade.jpeg import Jpeg
from cuello.degrade.noise import Gaussian
from cuello.inference.model import Model
from cuello.scoring.protocols import Protocol, luma, super_resolution, whole_image

SCALES = (2, 3, 4)
SIGMAS = (15, 25, 50)
QUALITIES = (10, 20, 30, 40)

Method = Callable[[Tensor], Tensor]
"""Makes of what it is given, ``(1, C, H, W)`` with white as 1, what is measured."""
Triple = tuple[str, Tensor, Tensor]
"""An image's name, what goes in and what should come out, ``(1, C, H, W)`` with white as 1."""


@dataclass(frozen=True)
class YardstickKind:
    """What is asked of networks, and how it is measured: one of enlarging, Gaussian noise, and JPEG.

    unit: what a setting is (``scale``, ``sigma`` out of 255, or ``quality``). settings: the published ones. pairs: of a
    yardstick's name, a setting and a seed, what goes in and what should come out. protocols: of a setting. restored:
    of a network, a setting and an image, its result. control: a method that is measured too and checks the protocol,
    by name; controlled: of a setting, that method. check: CuelloError for a network that does another thing.
    noise, said: the degradation, in a spec string and in words.
    """

    unit: Literal["scale", "sigma", "quality"]
    settings: tuple[int, ...]
    pairs: Callable[[str, int, int], list[Triple]]
    protocols: Callable[[int], Sequence[Protocol]]
    restored: Callable[[Model, int, Tensor], Tensor]
    control: str
    controlled: Callable[[int], Method]
    check: Callable[[str, Model], None]
    noise: str
    said: str


@dataclass(frozen=True)
class YardstickSpec:
    """A published yardstick: a data set of the catalogue, and what is tried on it.

    colour: its images are measured in colour. shared: a data set that has most of its images too; own: those it has
    not, which alone are a test of networks that were trained on that set.
    """

    name: str
    summary: str
    kind: YardstickKind
    colour: bool = False
    shared: str = ""
    own: tuple[str, ...] = ()


def pixels_of(path: Path) -> Tensor:
    """Read an image as ``(1, C, H, W)`` float32 in [0, 1]."""
    return to_tensor(read_picture(path).pixels[None])


def run(model: Model, x: Tensor, level: float | None = None) -> Tensor:
    """Run ``(1, C, H, W)`` through a model, in tiles where it is large; what goes in may lie outside of [0, 1].

    level: the noise's standard deviation, white being 1, where it is told.
    """
    restored = model.restore(np.ascontiguousarray(x[0].permute(1, 2, 0).numpy()), level=level)
    return torch.from_numpy(restored).permute(2, 0, 1)[None]


# Enlarging


def enlarging_pairs(name: str, scale: int, seed: int) -> list[Triple]:
    """Return the published pairs of low and high resolution at a scale; nothing is drawn."""
    spec = CATALOG[name]
    paths = {file.name: locate(spec, file) for file in spec.files() if f"_SRF_{scale}_" in file.name}
    wholes = sorted(name for name in paths if name.endswith("_HR.png"))
    return [
        (name.removesuffix("_HR.png"), pixels_of(paths[name.replace("_HR", "_LR")]), pixels_of(paths[name]))
        for name in wholes
    ]


def enlarge(model: Model, scale: int, x: Tensor) -> Tensor:
    """Enlarge colour ``(1, 3, H, W)``; a network of one channel gets luma, and luma comes back."""
    return run(model, luma(x) if model.channels == 1 and x.shape[1] == 3 else x)


def bicubic(scale: int) -> Method:
    return lambda x: resize(x, scale=scale)


def check_enlarges(name: str, model: Model) -> None:
    job, scale = model.artefact.job, model.scale
    if scale == 1:
        raise CuelloError(
            f"{name} measures networks that enlarge images; this one ({job}, {model.artefact.architecture.name}) "
            "gives images of the size it gets. Train one with: cuello train upscale DATA --scale 2. For denoising "
            f"there are {listed('sigma')}; for JPEG's artefacts {listed('quality')}."
        )
    if scale not in SCALES:
        raise CuelloError(
            f"{name} has low-resolution images for the scales 2, 3 and 4; this network enlarges by {scale}. Train one "
            "with --scale=2, 3 or 4."
        )


# Gaussian noise, and JPEG


def spoiled_pairs(name: str, degradation: Degradation, *, seed: int, purpose: str) -> list[Triple]:
    """Return a yardstick's images as a degradation leaves them, each with a generator of its own."""
    spec, found = CATALOG[name], []
    for index, file in enumerate(spec.files()):
        clean = pixels_of(locate(spec, file))
        found.append((file.name, degradation(clean, generator(seed, purpose, 0, index=index)), clean))
    return found


def noisy_pairs(name: str, sigma: int, seed: int) -> list[Triple]:
    """Return images with Gaussian noise, ``y = x + σ n / 255``, not cut."""
    return spoiled_pairs(name, Gaussian(sigma=sigma, clip=False), seed=seed, purpose=f"benchmark noise {sigma}")


def denoise(model: Model, sigma: int, x: Tensor) -> Tensor:
    """Restore an image, with the noise's level told to a network that takes it."""
    return run(model, x, sigma / 255 if model.conditioned else None)


def compressed_pairs(name: str, quality: int, seed: int) -> list[Triple]:
    """Return grey images as JPEG leaves them at a quality; nothing is drawn."""
    return spoiled_pairs(name, Jpeg(quality=quality), seed=seed, purpose="benchmark jpeg")


def dejpeg(model: Model, quality: int, x: Tensor) -> Tensor:
    """Restore a decoded image; nothing is told."""
    return run(model, x)


def as_it_is(setting: int) -> Method:
    return lambda x: x


def check_restores(what: str, noise: str) -> Callable[[str, Model], None]:
    """Make a check for yardsticks that measure ``what`` in words, on images of their own size."""

    def check(name: str, model: Model) -> None:
        job, scale = model.artefact.job, model.scale
        if job != "denoise" or scale != 1:
            by, enlarging = (f" by {scale}", f". For enlarging there is {listed('scale')}") if scale != 1 else ("", "")
            raise CuelloError(
                f"{name} measures {what}; this network's job is {job}{by}. Train one with: cuello train denoise DATA "
                f"--noise {noise}{enlarging}."
            )
        if model.channels not in (1, 3):
            raise CuelloError(
                f"{name} has images of 1 or 3 channels, this network takes {model.channels}. Measure it on images of "
                "your own: cuello benchmark FOLDER RUN"
            )

    return check


def quality_protocols(quality: int) -> list[Protocol]:
    return [whole_image("psnr"), whole_image("psnr-b"), whole_image("ssim")]


ENLARGING = YardstickKind(
    "scale", SCALES, pairs=enlarging_pairs,
    protocols=lambda scale: [super_resolution(scale), super_resolution(scale, "ssim")],
    restored=enlarge, control="bicubic", controlled=bicubic, check=check_enlarges, noise="down", said="making smaller",
)  # fmt: skip
NOISE = YardstickKind(
    "sigma", SIGMAS, pairs=noisy_pairs, protocols=lambda sigma: [whole_image("psnr"), whole_image("ssim")],
    restored=denoise, control="noisy input", controlled=as_it_is, noise="gaussian", said="Gaussian noise",
    check=check_restores("the denoising of Gaussian noise", "gaussian:25"),
)  # fmt: skip
JPEG = YardstickKind(
    "quality", QUALITIES, pairs=compressed_pairs, protocols=quality_protocols,
    restored=dejpeg, control="JPEG", controlled=as_it_is, noise="jpeg", said="JPEG",
    check=check_restores("the removal of JPEG's artefacts", "jpeg:10..40"),
)  # fmt: skip

YARDSTICKS: Registry[YardstickSpec] = Registry(
    "yardstick",
    [
        YardstickSpec("set5", "enlarging by 2, 3 and 4", ENLARGING),
        YardstickSpec("set12", "Gaussian noise on grey images", NOISE),
        YardstickSpec("bsd68", "Gaussian noise on grey photographs", NOISE),
        YardstickSpec("cbsd68", "Gaussian noise on colour photographs", NOISE, colour=True),
        YardstickSpec("classic5", "JPEG's artefacts in grey images", JPEG),
        YardstickSpec(
            "live1", "JPEG's artefacts in grey photographs", JPEG, shared="open-photos",
            own=(
                "building2.png", "carnivaldolls.png", "cemetry.png", "churchandcapitol.png", "coinsinfountain.png",
                "dancers.png", "flowersonih35.png", "manfishing.png", "monarch.png", "studentsculpture.png",
            ),
        ),
    ],
)  # fmt: skip


def listed(unit: str) -> str:
    """Name the yardsticks whose settings are of a unit.

    >>> listed("sigma")
    'set12, bsd68 and cbsd68'
    """
    *others, last = [spec.name for spec in YARDSTICKS if spec.kind.unit == unit]
    return f"{', '.join(others)} and {last}" if others else last
