"""How a published number was measured: channel, border, rounding. Numbers measured differently are not compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.scoring.metrics import METRICS, counts


def luma(images: Tensor) -> Tensor:
    """Compute Y of YCbCr, as MATLAB's rgb2ycbcr does: BT.601, black at 16 and white at 235 of 255.

    ``Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255``

    images: ``(N, 3, H, W)`` in [0, 1]. Returns ``(N, 1, H, W)``, not rounded. Raises CuelloError for other channels.

    >>> [round(value, 3) for value in (luma(torch.ones(1, 3, 1, 1)) * 255).flatten().tolist()]
    [235.0]

    Source: ITU-R BT.601, section 3.5.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise CuelloError(f"got images of shape {tuple(images.shape)}, needed colour: (N, 3, H, W).")
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=images.dtype, device=images.device) / 255
    return torch.einsum("nchw,c->nhw", images, weights)[:, None] + 16 / 255


def to_8_bits(images: Tensor) -> Tensor:
    """Round values in [0, 1] to the nearest of 256 levels, halves up, as MATLAB's im2uint8 rounds."""
    return (images.clamp(0, 1) * 255 + 0.5).floor() / 255


MetricName = Literal["psnr", "psnr-b", "ssim", "wrong"]


@dataclass(frozen=True)
class Protocol:
    """How an image is measured against what it should be. ``str`` says it in words.

    metric: ``psnr`` (dB, white is 1 or 255), ``psnr-b`` (the same with blocks of 8×8 counted), ``ssim`` (windows of 11,
    σ 1.5, whole windows), or, of binary images, ``wrong`` (pixels on the wrong side of one half). channel: ``all`` of
    the image, together; ``luma``: Y of YCbCr, colour images being converted and single-channel ones taken for Y.
    border: pixels cut at every edge. rounded: to 8 bits, before the conversion to Y and after it. What is outside of
    [0, 1] is cut off in any case. Several images: the mean of their values.

    >>> print(Protocol("psnr", "luma", border=2))
    PSNR in dB on Y of YCbCr (BT.601, 16 to 235), cut to [0, 1], rounded to 8 bits, 2 pixels cut at every edge
    """

    metric: MetricName = "psnr"
    channel: Literal["all", "luma"] = "all"
    border: int = 0
    rounded: bool = True

    def __str__(self) -> str:
        spec = METRICS[self.metric]
        what = spec.summary if spec.binary_only else f"{spec.name.upper()}{f' in {spec.unit}' if spec.unit else ''}"
        channel = "Y of YCbCr (BT.601, 16 to 235)" if self.channel == "luma" else "all channels"
        rounded = "rounded to 8 bits" if self.rounded else "not rounded"
        edge = f"{self.border} pixel{'s' if self.border > 1 else ''} cut at every edge" if self.border else "edges kept"
        return f"{what} on {channel}, cut to [0, 1], {rounded}, {edge}"

    def values(self, images: Tensor, targets: Tensor) -> Tensor:
        """Measure each image, ``(N,)`` float64.

        images, targets: ``(N, C, H, W)`` with white as 1, of one shape; for ``luma`` 3 channels, or 1 that is Y.
        Raises CuelloError for shapes that differ, and for images that the border leaves too little of.
        """
        if images.shape != targets.shape or images.ndim != 4:
            raise CuelloError(
                f"got images of shape {tuple(images.shape)} and what they should be of {tuple(targets.shape)}, needed "
                "one shape (N, C, H, W) for both."
            )
        needed = METRICS[self.metric].smallest_side + 2 * self.border
        if min(images.shape[2:]) < needed:
            raise CuelloError(
                f"images of {images.shape[3]}×{images.shape[2]} pixels are too small for {self}: needed at least "
                f"{needed} pixels per side."
            )
        return METRICS[self.metric].function(self.prepared(images), self.prepared(targets))

    def prepared(self, images: Tensor) -> Tensor:
        """Bring images to float64 as they are measured: cut, rounded, converted, without the border."""
        images = images.double().clamp(0, 1)
        images = to_8_bits(images) if self.rounded else images
        if self.channel == "luma" and images.shape[1] != 1:
            images = luma(images)
            images = to_8_bits(images) if self.rounded else images
        height, width = images.shape[2:]
        return images[:, :, self.border : height - self.border, self.border : width - self.border]

    def score(self, images: Sequence[Tensor], targets: Sequence[Tensor]) -> "ProtocolScore":
        """Measure images ``(C, H, W)`` of any sizes against their targets."""
        pairs = zip(images, targets, strict=True)
        return ProtocolScore(self, tuple(float(self.values(image[None], target[None])[0]) for image, target in pairs))


@dataclass(frozen=True)
class ProtocolScore:
    """What a protocol gave: one value per image, NaN for one that does not count, which no mean takes in.

    Scores compare and subtract only under one protocol.

    The mean of a PSNR leaves out perfect images as well; it is NaN where none is left. A difference is of the images
    that count in both.

    >>> ProtocolScore(Protocol(), (30.0, 31.0)) > ProtocolScore(Protocol(), (30.0, 30.5))
    True
    >>> round(ProtocolScore(Protocol(), (30.0, 31.0)) - ProtocolScore(Protocol(), (30.0, 30.5)), 2)
    0.25
    """

    protocol: Protocol
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return mean_of(self.values, self.counted)

    @property
    def counted(self) -> np.ndarray:
        """Which images count, ``(N,)``: those with a value, which is no PSNR of a perfect image."""
        return counts(self.values) if self.protocol.metric in ("psnr", "psnr-b") else ~np.isnan(self.values)

    def __str__(self) -> str:
        return f"{self.mean:.{METRICS[self.protocol.metric].digits}f} ({self.protocol})"

    def __sub__(self, other: "ProtocolScore") -> float:
        self._check(other)
        both = self.counted & other.counted
        return mean_of(self.values, both) - mean_of(other.values, both)

    def __lt__(self, other: "ProtocolScore") -> bool:
        return self - other < 0

    def __gt__(self, other: "ProtocolScore") -> bool:
        return self - other > 0

    def _check(self, other: "ProtocolScore") -> None:
        """Raise CuelloError unless both were measured alike, on as many images."""
        if not isinstance(other, ProtocolScore):
            raise CuelloError(
                f"got {other!r} to compare with a score, needed a ProtocolScore: a bare number does not say how it was "
                "measured."
            )
        if self.protocol != other.protocol:
            raise CuelloError(
                f"these numbers were measured differently and cannot be compared: {self.mean:g} is {self.protocol}; "
                f"{other.mean:g} is {other.protocol}. Measure both under one protocol."
            )
        if len(self.values) != len(other.values):
            raise CuelloError(
                f"these numbers are means over {len(self.values)} and {len(other.values)} images and cannot be "
                "compared. Measure both on the same images."
            )


def mean_of(values: Sequence[float] | np.ndarray, counted: np.ndarray) -> float:
    """Return the mean of the values that count, NaN where none does."""
    return float(np.mean(np.asarray(values)[counted])) if counted.any() else math.nan


def super_resolution(scale: int, metric: MetricName = "psnr") -> Protocol:
    """Measure as super-resolution is since SRCNN: luma, 8 bits, as many pixels cut as the scale."""
    return Protocol(metric, "luma", border=scale)


def whole_image(metric: MetricName = "psnr") -> Protocol:
    """Measure as Gaussian denoising and JPEG's artefacts are since DnCNN: the whole image, all channels, 8 bits."""
    return Protocol(metric, "all")
