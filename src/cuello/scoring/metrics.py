"""How good an image is: pure functions, one value per image; direction, unit and convention live in the Spec."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.own import Part, failing
from cuello.core.registry import Registry

SSIM_WINDOW = 11
BLOCK = 8
"""Side of JPEG's blocks."""
PSNR_CEILING = 100.0
PERFECT = 10 ** (-PSNR_CEILING / 10)
"""Mean squared error at which, and below which, an image counts as perfect: no PSNR says by how much."""


def mse(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each image, mean((x - y)²): ``(N, C, H, W)`` twice, values in [0, 1], to ``(N,)``."""
    return (image - target).square().flatten(1).mean(1)


def mae(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of each image, mean(|x - y|): ``(N, C, H, W)`` twice, to ``(N,)``."""
    return (image - target).abs().flatten(1).mean(1)


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, -10 log10(MSE), in dB; white is 1.

    All channels together, no border cut, no rounding. Identical images would be infinitely good; they have 100 dB,
    which no mean takes in.

    >>> round(psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.1)).item(), 3)
    20.0
    """
    return -10 * mse(image, target).clamp(min=PERFECT).log10()


def counts(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Tell which PSNR may enter a mean: those of images that are not perfect, ``(N,)``.

    >>> counts([30.0, 100.0, float("inf")]).tolist()
    [True, False, False]
    """
    return np.asarray(values, float) < PSNR_CEILING


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of each image, up to 1: ``(N, C, H, W)`` twice, at least 11 pixels per side, to ``(N,)``.

    ((2 μx μy + c1)(2 σxy + c2)) / ((μx² + μy² + c1)(σx² + σy² + c2)) with means under a Gaussian of σ = 1.5 in an
    11×11 window, c1 = 0.01², c2 = 0.03², population covariances; averaged over the places where the whole window
    lies in the image, then over channels. Source: Wang et al. 2004, equation 13. The same as scikit-image's
    ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)``.
    """
    offsets = torch.arange(SSIM_WINDOW, dtype=image.dtype, device=image.device) - SSIM_WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    weights = weights / weights.sum()

    def blurred(values: Tensor) -> Tensor:
        rows = functional.conv2d(values, weights.view(1, 1, -1, 1))
        return functional.conv2d(rows, weights.view(1, 1, 1, -1))

    count, channels, height, width = image.shape
    x = image.reshape(count * channels, 1, height, width)
    y = target.reshape(count * channels, 1, height, width)
    means = blurred(torch.cat([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, square_x, square_y, product = means.chunk(5)
    covariance = product - mean_x * mean_y
    variances = square_x - mean_x.square() + square_y - mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x.square() + mean_y.square() + c1) * (variances + c2))
    return similarity.flatten(1).mean(1).view(count, channels).mean(1)


def psnr_b(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in which blocks count too, -10 log10(MSE + BEF), in dB; white is 1.

    The blocking effect factor BEF is of ``image`` alone: η (D - D') where the mean squared difference D of neighbours
    on both sides of a block's edge is above that D' of all others, otherwise 0; blocks are 8×8 from the top left
    corner, η = 3 / log2(shorter side). As many neighbours are taken to be at edges as there are in whole blocks,
    H (W / 8 - 1) + W (H / 8 - 1), also where a side is no multiple of 8.

    image, target: ``(N, C, H, W)``, at least 16 pixels per side, channels together, to ``(N,)``. No border is cut. An
    image without an error and without blocks has 100 dB, which no mean takes in.

    >>> flat = torch.full((1, 1, 16, 16), 0.5)
    >>> round(psnr_b(flat, flat + 0.1).item(), 3)
    20.0

    Source: Yim and Bovik 2011, Quality assessment of deblocked images; edges are counted so that
    JPEG's own numbers on classic5 and LIVE1 come out as Jiang et al. 2021 print them.
    """
    height, width = image.shape[2:]
    beside = [(image.diff(dim=3).square(), 3), (image.diff(dim=2).square(), 2)]
    total = torch.stack([squares.flatten(1).sum(1) for squares, _ in beside]).sum(0)
    across = torch.stack([at_edges(squares, axis).flatten(1).sum(1) for squares, axis in beside]).sum(0)
    count = image.shape[1] * (height * (width / BLOCK - 1) + width * (height / BLOCK - 1))
    others = image.shape[1] * (height * (width - 1) + width * (height - 1)) - count
    weight = math.log2(BLOCK) / math.log2(min(height, width))
    blocking = weight * (across / count - (total - across) / others).clamp(min=0)
    return -10 * (mse(image, target) + blocking).clamp(min=PERFECT).log10()


def at_edges(differences: Tensor, axis: int) -> Tensor:
    """Return the differences of neighbours along an axis that lie across a block's edge: every eighth."""
    places = torch.arange(BLOCK - 1, differences.shape[axis], BLOCK, device=differences.device)
    return differences.index_select(axis, places)


def wrong_pixels(image: Tensor, target: Tensor) -> Tensor:
    """Number of values of each image on the wrong side of 0.5, for binary images, to ``(N,)``."""
    return ((image >= 0.5) != (target >= 0.5)).flatten(1).sum(1).to(torch.float32)


def correct(scores: Tensor, labels: Tensor) -> Tensor:
    """Whether the highest score ``(N, K)`` is that of the label ``(N,)``, 0 or 1, to ``(N,)``: its mean is accuracy."""
    return (scores.argmax(1) == labels).to(torch.float32)


@dataclass(frozen=True)
class MetricSpec:
    """A metric's name, function, which way is better, unit, convention, digits to show, and smallest image side.

    binary_only: for images whose every value is black or white. usual: it is measured where nobody asks for it.
    """

    name: str
    summary: str
    function: Callable[[Tensor, Tensor], Tensor]
    higher_is_better: bool = False
    unit: str = ""
    digits: int = 2
    smallest_side: int = 1
    binary_only: bool = False
    usual: bool = True


def one_each(values: object, count: int, what: str) -> Tensor:
    """Bring what a function of one's own measured to one value per image, ``(N,)``: a mean over pixels, or one for all.

    Numbers and arrays will do. Raises CuelloError for anything else.
    """
    if isinstance(values, float | int | np.number | np.ndarray):
        values = torch.as_tensor(values)
    if isinstance(values, Tensor) and values.ndim == 0:
        return values.expand(count)
    if not isinstance(values, Tensor) or len(values) != count:
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise CuelloError(f"{what} returned {got} for {count} images, needed one value each, ({count},).")
    return values if values.ndim == 1 else values.flatten(1).mean(1)


def asked(inner: Callable[..., object], given: Tensor, target: Tensor, what: str) -> Tensor:
    """Call a function of one's own with what a network gives and should give, for one value per image, ``(N,)``.

    Raises CuelloError, with ``what`` it is, where it fails or gives something else.
    """
    with failing(what):
        values = inner(given, target)
    return one_each(values, len(given), what=what)


def own_metric(part: Part) -> MetricSpec:
    """Take a function of one's own, or a class of such, as a metric.

    It is called with images and clean images, ``(N, C, H, W)`` in [0, 1], and returns one value per image. It may state
    higher_is_better, unit, digits and smallest_side.
    """
    inner = part.function

    def function(image: Tensor, target: Tensor) -> Tensor:
        return asked(inner, image, target, what=f"the metric {part.text}").float()

    return MetricSpec(
        part.text, part.summary, function, higher_is_better=part.stated("higher_is_better", False),
        unit=part.stated("unit", ""), digits=part.stated("digits", 4), smallest_side=part.stated("smallest_side", 1),
    )  # fmt: skip


METRICS: Registry[MetricSpec] = Registry(
    "metric",
    [
        MetricSpec("mse", "mean squared error, all channels, white is 1", mse, digits=6),
        MetricSpec(
            "psnr", "mean of the images' peak signal-to-noise ratios, all channels, perfect images left out", psnr,
            higher_is_better=True, unit="dB",
        ),
        MetricSpec(
            "ssim", "structural similarity, window of 11, σ 1.5, whole windows", ssim, higher_is_better=True, digits=4,
            smallest_side=SSIM_WINDOW,
        ),
        MetricSpec(
            "psnr-b", "PSNR in which blocks of 8×8 pixels count too, as JPEG leaves them", psnr_b,
            higher_is_better=True, unit="dB", smallest_side=2 * BLOCK, usual=False,
        ),
        MetricSpec("wrong", "pixels on the wrong side of one half", wrong_pixels, unit="pixels", binary_only=True),
    ],
    adopt=own_metric,
)  # fmt: skip


def metrics_for(size: tuple[int, int], binary: bool) -> list[MetricSpec]:
    """List the usual metrics that images of ``size`` (height, width) allow; ``binary``: clean values are 0 or 1."""
    usual = [spec for spec in METRICS if spec.usual and (binary or not spec.binary_only)]
    return [spec for spec in usual if min(size) >= spec.smallest_side]
