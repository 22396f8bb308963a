"""How each ready model is made: what trains it, stage by stage, and on which yardsticks it is measured.

One table, RECIPES. A stage is a command as it is typed, in a folder in which `python benchmarks/photographs.py
photographs` has written the training photographs; the run that it leaves (-o) is where the next stage starts from.
`benchmarks/bundle.py --recipe NAME` runs them and makes the file.

Recipes of models that do not come with the package yet (`cuello models` lists those that do) have never been run whole.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

PHOTOGRAPHS = "photographs"
"""The folder with the training photographs, where the commands are typed."""


@dataclass(frozen=True)
class Yardstick:
    """Images on which a model is measured: a published yardstick, or, with ``noise``, clean images that it spoils.

    Of a range, each image has a value of its own. beside: classical methods that are measured on the same images, where
    noise is stated.
    """

    images: str
    noise: str | None = None
    beside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.images}, {self.noise}" if self.noise else self.images


@dataclass(frozen=True)
class Recipe:
    """A ready model's name (``inference/bundled``), what trains it, and what it is measured on."""

    name: str
    yardsticks: tuple[Yardstick, ...]
    stages: tuple[str, ...]

    @property
    def runs(self) -> list[str]:
        """The run directory that each stage leaves."""
        return [output_of(stage) for stage in self.stages]


def output_of(command: str) -> str:
    """Return the run directory that a command leaves.

    >>> output_of("cuello train denoise photographs --epochs 2 -o runs/first")
    'runs/first'
    """
    words = shlex.split(command)
    return words[words.index("-o") + 1]


def trained(run: str, job: str, flags: str, *, crop: int, epochs: int, channels: int) -> str:
    """Write the command of a stage: what all have in common, and what it has of its own."""
    return exact(run, job, f"{flags} --precision bf16", crop=crop, epochs=epochs, channels=channels)


def exact(run: str, job: str, flags: str, *, crop: int, epochs: int, channels: int, samples: int = 8000) -> str:
    """Write the command of a stage in single precision, for the last digits."""
    return (
        f"cuello train {job} {PHOTOGRAPHS} {flags} --channels {channels} --crop {crop} --samples {samples} "
        f"--epochs {epochs} --validation-samples 200 --test 0 --threads 1 --no-report -o {run}"
    )


def denoiser(name: str, channels: int, images: Sequence[str]) -> Recipe:
    """Absolute differences first, then PSNR, for which images with little noise count as much as the others; single
    precision at the end.
    """
    flags, first, second = "--noise gaussian:0..75,clip=no --model denoise-m", f"{name}-first", f"{name}-second"
    then = f"{flags} --start-from {first} --loss psnr --learning-rate 0.001"
    last = f"{flags} --start-from {second} --loss psnr --learning-rate 0.0004"
    stages = (
        trained(first, "denoise", flags, crop=64, epochs=85, channels=channels),
        trained(second, "denoise", then, crop=64, epochs=60, channels=channels),
        exact(name, "denoise", last, crop=96, epochs=11, channels=channels, samples=4000),
    )
    return Recipe(name, tuple(map(Yardstick, images)), stages)


def enlarger(name: str, channels: int, scale: int, model: str, epochs: int) -> Recipe:
    """Absolute differences first; squared ones at the end, and single precision."""
    flags, first = f"--scale {scale} --model {model}", f"{name}-first"
    then = f"{flags} --start-from {first} --loss mse --learning-rate 0.0005"
    crop = {2: 96, 3: 144, 4: 176}[scale]  # the smallest photograph has 180 rows
    stages = (
        trained(first, "upscale", flags, crop=crop, epochs=epochs, channels=channels),
        exact(name, "upscale", then, crop=crop, epochs=8, channels=channels),
    )
    return Recipe(name, (Yardstick("set5"),), stages)


def in_one(
    name: str, job: str, flags: str, yardsticks: Sequence[Yardstick], *, crop: int, epochs: int, channels: int
) -> Recipe:
    """One stage."""
    return Recipe(name, tuple(yardsticks), (trained(name, job, flags, crop=crop, epochs=epochs, channels=channels),))


def real_enlarger(scale: int, model: str, epochs: int) -> Recipe:
    flags = f"--scale {scale} --noise real-x{scale} --model {model}"
    tested = Yardstick("cbsd68", f"real-x{scale}", ("bicubic",))
    return in_one(f"upscale-real-x{scale}", "upscale", flags, [tested], crop=44 * scale, epochs=epochs, channels=3)


def restorer(name: str, flags: str, yardsticks: Sequence[Yardstick], *, epochs: int, channels: int) -> Recipe:
    return in_one(name, "denoise", flags, yardsticks, crop=64, epochs=epochs, channels=channels)


IMPULSES = [Yardstick("bsd68", f"salt-pepper:0.{tenths}", ("input", "median-3")) for tenths in (2, 5, 9)]
SOFT = [Yardstick("bsd68", f"blur:{sigma}", ("input",)) for sigma in (0.8, 1.6, 2.4)]

RECIPES = {
    recipe.name: recipe
    for recipe in (
        denoiser("denoise", 1, ["bsd68", "set12"]),
        denoiser("denoise-colour", 3, ["cbsd68"]),
        enlarger("upscale-x2", 1, 2, "up-s", epochs=52),
        enlarger("upscale-x3", 1, 3, "up-m", epochs=50),
        in_one(  # for PSNR from the first step
            "upscale-x4", "upscale", "--scale 4 --model up-m --loss psnr", [Yardstick("set5")],
            crop=176, epochs=36, channels=1,
        ),
        enlarger("upscale-x2-colour", 3, 2, "up-s", epochs=60),
        enlarger("upscale-x3-colour", 3, 3, "up-m", epochs=50),
        enlarger("upscale-x4-colour", 3, 4, "up-m", epochs=50),
        real_enlarger(2, "up-s", epochs=60),
        real_enlarger(4, "up-m", epochs=50),
        restorer(  # live1 is no test of it: most of its photographs are among those that it learns from
            "dejpeg", "--noise jpeg:5..95 --model restore-m", [Yardstick("classic5")], epochs=50, channels=1,
        ),
        restorer(
            "dejpeg-colour", "--noise jpeg:5..95 --model restore-m",
            [Yardstick("cbsd68", f"jpeg:{quality}", ("input",)) for quality in (10, 40)], epochs=50, channels=3,
        ),
        restorer(
            "impulses", "--noise salt-pepper:0.01..0.9 --model impulse-m", IMPULSES, epochs=60, channels=1,
        ),
        restorer("deblur", "--noise blur:0.5..2.5 --model restore-m", SOFT, epochs=50, channels=1),
    )
}  # fmt: skip
"""Recipes by the name of the model."""
