"""Published numbers of well-known methods on yardsticks of enlarging, denoising and JPEG, and their papers."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal, get_args

Yardstick = Literal["set5", "set12", "bsd68", "cbsd68", "classic5", "live1"]


@dataclass(frozen=True)
class Paper:
    """A method: its name in tables, about how many parameters (None: it has none), and where it was published."""

    method: str
    parameters: int | None
    source: str


@dataclass(frozen=True)
class Published:
    """What was printed of a method at a scale, noise level or JPEG quality: PSNR in dB, and SSIM and PSNR-B where they
    were collected.
    """

    method: str
    setting: int
    psnr: float
    ssim: float | None = None
    psnr_b: float | None = None


def table(settings: Sequence[int], rows: Mapping[str, str]) -> tuple[Published, ...]:
    """Read a row of PSNR by setting for every method, "–" where none was printed; "/" parts SSIM and PSNR-B off."""
    return tuple(
        Published(method, setting, *map(float, cell.split("/")))
        for method, row in rows.items()
        for setting, cell in zip(settings, row.split(), strict=True)
        if cell != "–"
    )


SAID = tomllib.loads(resources.files("cuello.scoring").joinpath("published.toml").read_text("utf-8"))
PAPERS = {method: Paper(method, about.get("parameters"), about["source"]) for method, about in SAID["papers"].items()}
PUBLISHED = {name: table(SAID[name].pop("settings"), SAID[name]) for name in get_args(Yardstick)}
"""By scale, by standard deviation of the noise out of 255, or by JPEG's quality."""


def published(yardstick: Yardstick, setting: int) -> list[Published]:
    """List what was published on a yardstick at one scale, noise level or quality, lowest PSNR first.

    >>> [row.method for row in published("set5", 3)]
    ['bicubic', 'SRCNN', 'FSRCNN', 'ESPCN', 'VDSR', 'EDSR']
    """
    return sorted((row for row in PUBLISHED[yardstick] if row.setting == setting), key=lambda row: row.psnr)
