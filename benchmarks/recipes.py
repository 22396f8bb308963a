"""How each ready model is made: what trains it, stage by stage, and on which yardsticks it is measured.

STAGES has every command as it is typed, in a folder in which `python benchmarks/photographs.py photographs` has written
the training photographs; each leaves a run (-o), from which others start. RECIPES has each model's stages in order.
`benchmarks/bundle.py --recipe NAME` runs them and makes the file; what is finished in the folder is not trained again.

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
        return [str(option(command, "-o")) for command in self.stages]


def option(command: str, flag: str) -> str | None:
    """Return what follows a flag of a command; None where it is not there.

    >>> option("cuello train denoise photographs --epochs 2 -o runs/first", "-o")
    'runs/first'
    """
    words = shlex.split(command)
    return words[words.index(flag) + 1] if flag in words else None


def stage(
    run: str, flags: str, *, crop: int, epochs: int, start: str | None = None, rate: str = "", samples: int = 8000
) -> str:
    """Write the command of a stage: what all have in common, and what it has of its own.

    run: the folder that it leaves. start: the run that it starts from. rate: the learning rate, if not the usual one.
    """
    job = "upscale" if "--scale" in flags else "denoise"
    start = f" --start-from {start}" if start else ""
    rate = f" --learning-rate {rate}" if rate else ""
    return (
        f"cuello train {job} {PHOTOGRAPHS} {flags}{start}{rate} --crop {crop} --samples {samples} --epochs {epochs} "
        f"--validation-samples 200 --test 0 --threads 1 --no-report -o {run}"
    )


GREY, COLOUR, FAST = "--channels 1", "--channels 3", "--precision bf16"
NOISE = "--noise gaussian:0..75,clip=no --model denoise-m"
JPEG, SOFT = "--noise jpeg:5..95 --model restore-m --loss psnr", "--model restore-m --loss psnr"
X2, X3, X4 = (f"--scale {scale} --model up-{size} --loss psnr" for scale, size in ((2, "s"), (3, "m"), (4, "m")))
STAGES = [
    # Absolute differences first, then PSNR, for which images with little noise count as much as the others; what is in
    # single precision is for the last digits. The smallest photograph has 180 rows.
    stage("denoise-first", f"{NOISE} {GREY} {FAST}", crop=64, epochs=85),
    stage(
        "denoise-second", f"{NOISE} --loss psnr {GREY} {FAST}", crop=64, epochs=60, start="denoise-first", rate="0.001"
    ),
    stage(
        "denoise",
        f"{NOISE} --loss psnr {GREY}",
        crop=96,
        epochs=11,
        samples=4000,
        start="denoise-second",
        rate="0.0004",
    ),
    stage("denoise-colour", f"{NOISE} --loss psnr {COLOUR} {FAST}", crop=64, epochs=88, start="denoise", rate="0.001"),
    stage("upscale-x2-first", f"--scale 2 --model up-s {GREY} {FAST}", crop=96, epochs=52),
    stage(
        "upscale-x2",
        f"--scale 2 --model up-s --loss mse {GREY}",
        crop=96,
        epochs=8,
        start="upscale-x2-first",
        rate="0.0005",
    ),
    stage("upscale-x4", f"{X4} {GREY} {FAST}", crop=176, epochs=36),
    stage("upscale-x3-first", f"{X3} {GREY} {FAST}", crop=144, epochs=26, start="upscale-x4"),
    stage("upscale-x3", f"{X3} {GREY}", crop=144, epochs=6, start="upscale-x3-first", rate="0.0005"),
    stage("upscale-x2-colour", f"{X2} {COLOUR} {FAST}", crop=96, epochs=9, start="upscale-x2", rate="0.001"),
    stage("upscale-x3-colour", f"{X3} {COLOUR} {FAST}", crop=144, epochs=7, start="upscale-x3", rate="0.001"),
    stage("upscale-x4-colour", f"{X4} {COLOUR} {FAST}", crop=176, epochs=8, start="upscale-x4", rate="0.001"),
    stage("upscale-real-x2", f"{X2} --noise real-x2 {COLOUR} {FAST}", crop=88, epochs=20, start="upscale-x2-colour"),
    stage("upscale-real-x4", f"{X4} --noise real-x4 {COLOUR} {FAST}", crop=176, epochs=20, start="upscale-x4-colour"),
    stage("dejpeg", f"{JPEG} {GREY} {FAST}", crop=64, epochs=60, start="denoise"),
    stage("dejpeg-colour", f"{JPEG} {COLOUR} {FAST}", crop=64, epochs=32, start="dejpeg"),
    stage("impulses", f"--noise salt-pepper:0.01..0.9 --model impulse-m {GREY}", crop=64, epochs=14, rate="0.002"),
    stage("deblur-first", f"--noise blur:0.5..2.5 {SOFT} {GREY} {FAST}", crop=64, epochs=45, start="denoise"),
    stage(
        "deblur", f"--noise blur:0.5..2.5,rounded=yes {SOFT} {GREY} {FAST}", crop=64, epochs=16, start="deblur-first"
    ),
]
"""Every command that trains, what others start from first; each leaves a run of another name."""


def with_stages(name: str, yardsticks: Sequence[Yardstick]) -> Recipe:
    """Return the recipe of a model: the stage that leaves it, after those that this starts from."""
    by_run = {option(command, "-o"): command for command in STAGES}
    stages = [by_run[name]]
    while start := option(stages[0], "--start-from"):
        stages.insert(0, by_run[start])
    return Recipe(name, tuple(yardsticks), tuple(stages))


SET5 = [Yardstick("set5")]
RECIPES = {
    name: with_stages(name, yardsticks)
    for name, yardsticks in {
        "denoise": [Yardstick("bsd68"), Yardstick("set12")],
        "denoise-colour": [Yardstick("cbsd68")],
        "upscale-x2": SET5,
        "upscale-x3": SET5,
        "upscale-x4": SET5,
        "upscale-x2-colour": [*SET5, Yardstick("cbsd68", "down:2", ("bicubic",))],
        "upscale-x3-colour": [*SET5, Yardstick("cbsd68", "down:3", ("bicubic",))],
        "upscale-x4-colour": [*SET5, Yardstick("cbsd68", "down:4", ("bicubic",))],
        "upscale-real-x2": [Yardstick("cbsd68", "real-x2", ("bicubic",))],
        "upscale-real-x4": [Yardstick("cbsd68", "real-x4", ("bicubic",))],
        "dejpeg": [Yardstick("classic5")],  # of live1 most photographs are among those that it learns from
        "dejpeg-colour": [Yardstick("cbsd68", f"jpeg:{quality}", ("input",)) for quality in (10, 40)],
        "impulses": [Yardstick("bsd68", f"salt-pepper:0.{tenths}", ("input", "median-3")) for tenths in (2, 5, 9)],
        "deblur": [Yardstick("bsd68", f"blur:{sigma},rounded=yes", ("input",)) for sigma in (0.8, 1.6, 2.4)],
    }.items()
}
"""Recipes by the name of the model."""
