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


def _denoising(bm3d: str, dncnn: str, ffdnet: str, drunet: str) -> tuple[Published, ...]:
    """Read rows of PSNR at σ = 15, 25 and 50 out of 255."""
    rows = {"BM3D": bm3d, "DnCNN": dncnn, "FFDNet": ffdnet, "DRUNet": drunet}
    return tuple(
        Published(method, sigma, float(value))
        for method, row in rows.items()
        for sigma, value in zip((15, 25, 50), row.split(), strict=True)
    )


PUBLISHED: dict[Yardstick, tuple[Published, ...]] = {
    "set5": (
        Published("bicubic", 2, 33.64, 0.9292), Published("bicubic", 3, 30.39, 0.8678),
        Published("bicubic", 4, 28.42, 0.8101),
        Published("SRCNN", 2, 36.66), Published("SRCNN", 3, 32.75), Published("SRCNN", 4, 30.48),
        Published("FSRCNN", 2, 37.00), Published("FSRCNN", 3, 33.06), Published("FSRCNN", 4, 30.55),
        Published("ESPCN", 3, 33.13), Published("ESPCN", 4, 30.90),
        Published("VDSR", 2, 37.53), Published("VDSR", 3, 33.67), Published("VDSR", 4, 31.35),
        Published("EDSR", 2, 38.11), Published("EDSR", 3, 34.65), Published("EDSR", 4, 32.46),
    ),
    "set12": _denoising("32.37 29.97 26.72", "32.86 30.44 27.18", "32.75 30.43 27.32", "33.25 30.94 27.90"),
    "bsd68": _denoising("31.08 28.57 25.60", "31.73 29.23 26.23", "31.63 29.19 26.29", "31.91 29.48 26.59"),
}  # fmt: skip


def published(yardstick: Yardstick, setting: int) -> list[Published]:
    """Return what was published on a yardstick at one scale or noise level, lowest PSNR first.

    >>> [row.method for row in published("set5", 3)]
    ['bicubic', 'SRCNN', 'FSRCNN', 'ESPCN', 'VDSR', 'EDSR']
    """
    return sorted((row for row in PUBLISHED[yardstick] if row.setting == setting), key=lambda row: row.psnr)
