"""Published numbers of well-known methods on the yardsticks of super-resolution and denoising, and their papers."""

from dataclasses import dataclass
from typing import Literal

Yardstick = Literal["set5", "set12", "bsd68"]


@dataclass(frozen=True)
class Paper:
    """A method: its name in tables, about how many parameters (None: it has none), and where it was published."""

    method: str
    parameters: int | None
    source: str


@dataclass(frozen=True)
class Published:
    """A number as printed: PSNR in dB (and SSIM, where it was collected) of a method at a scale or noise level."""

    method: str
    setting: int
    psnr: float
    ssim: float | None = None


PAPERS: dict[str, Paper] = {
    paper.method: paper
    for paper in (
        Paper("bicubic", None, "MATLAB's imresize, as in Huang, Singh and Ahuja 2015 (SelfExSR)"),
        Paper("SRCNN", 57_000, "Dong, Loy, He and Tang 2016, Image super-resolution using deep convolutional networks"),
        Paper("FSRCNN", 12_000, "Dong, Loy and Tang 2016, Accelerating the super-resolution convolutional network"),
        Paper("ESPCN", 21_000, "Shi et al. 2016, Real-time single image and video super-resolution"),
        Paper("VDSR", 665_000, "Kim, Lee and Lee 2016, Accurate image super-resolution using very deep networks"),
        Paper("EDSR", 43_000_000, "Lim et al. 2017, Enhanced deep residual networks for super-resolution"),
        Paper("BM3D", None, "Dabov et al. 2007, as printed by Zhang et al. 2017"),
        Paper(
            "DnCNN", 555_000, "Zhang, Zuo, Chen, Meng and Zhang 2017, Beyond a Gaussian denoiser (one model a level)"
        ),
        Paper("FFDNet", 485_000, "Zhang, Zuo and Zhang 2018, FFDNet (one model, told the level)"),
        Paper("DRUNet", 33_000_000, "Zhang et al. 2021, Plug-and-play image restoration with deep denoiser prior"),
    )
}


def table(settings: tuple[int, ...], rows: dict[str, str]) -> tuple[Published, ...]:
    """Read a row of PSNR by setting for every method, "–" where none was printed; "/" parts an SSIM off."""
    return tuple(
        Published(method, setting, *map(float, cell.split("/")))
        for method, row in rows.items()
        for setting, cell in zip(settings, row.split(), strict=True)
        if cell != "–"
    )


PUBLISHED: dict[Yardstick, tuple[Published, ...]] = {
    "set5": table((2, 3, 4), {
        "bicubic": "33.64/0.9292 30.39/0.8678 28.42/0.8101", "SRCNN": "36.66 32.75 30.48",
        "FSRCNN": "37.00 33.06 30.55", "ESPCN": "– 33.13 30.90", "VDSR": "37.53 33.67 31.35",
        "EDSR": "38.11 34.65 32.46",
    }),
    "set12": table((15, 25, 50), {
        "BM3D": "32.37 29.97 26.72", "DnCNN": "32.86 30.44 27.18", "FFDNet": "32.75 30.43 27.32",
        "DRUNet": "33.25 30.94 27.90",
    }),
    "bsd68": table((15, 25, 50), {
        "BM3D": "31.08 28.57 25.60", "DnCNN": "31.73 29.23 26.23", "FFDNet": "31.63 29.19 26.29",
        "DRUNet": "31.91 29.48 26.59",
    }),
}  # fmt: skip
"""By scale, and by standard deviation of the noise out of 255."""


def published(yardstick: Yardstick, setting: int) -> list[Published]:
    """List what was published on a yardstick at one scale or noise level, lowest PSNR first.

    >>> [row.method for row in published("set5", 3)]
    ['bicubic', 'SRCNN', 'FSRCNN', 'ESPCN', 'VDSR', 'EDSR']
    """
    return sorted((row for row in PUBLISHED[yardstick] if row.setting == setting), key=lambda row: row.psnr)
