"""Classical methods, on the same degraded pixels: what a network has to beat.

Each takes one noisy image ``(H, W, C)``, float32 in [0, 1], and a strength from its Spec's list, and returns the
same shape; or, to be upscaled, a larger one. Heavy libraries are imported where they are used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.own import Part, failing, short
from cuello.core.registry import Registry
from cuello.core.resample import ResizeMethod, resize
from cuello.degrade.level import noise_levels

Image = np.ndarray
STEPS = 100
"""Of total variation."""


def unchanged(image: Image, strength: float) -> Image:
    """Do nothing."""
    return image


def median(image: Image, strength: float) -> Image:
    """Median over a square of ``strength`` pixels per side, each channel on its own; edges mirrored."""
    from scipy.ndimage import median_filter

    side = int(strength)
    return median_filter(image, size=(side, side, 1), mode="reflect")


def adaptive_median(image: Image, strength: float) -> Image:
    """Adaptive median: only extreme values are replaced, by the median of a window that grows until it is not extreme.

    strength: the largest window's side in pixels. Source: Gonzalez and Woods, Digital Image Processing, section 5.3.
    """
    from scipy.ndimage import maximum_filter, median_filter, minimum_filter

    out = image.copy()
    undecided = np.ones(image.shape, bool)
    middle = image
    for side in range(3, int(strength) + 1, 2):
        window = {"size": (side, side, 1), "mode": "reflect"}
        low, high = minimum_filter(image, **window), maximum_filter(image, **window)
        middle = median_filter(image, **window)
        good = undecided & (low < middle) & (middle < high)
        keep = (low < image) & (image < high)
        out[good & ~keep] = middle[good & ~keep]
        undecided &= ~good
        if not undecided.any():
            return out
    out[undecided] = middle[undecided]
    return out


def gaussian(image: Image, strength: float) -> Image:
    """Gaussian blur with a standard deviation of ``strength`` pixels; edges mirrored."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, sigma=(strength, strength, 0), mode="reflect")


def non_local_means(image: Image, strength: float) -> Image:
    """Non-local means (Buades et al. 2005) with 5×5 patches; ``strength``: h as a multiple of the estimated noise σ."""
    from skimage.restoration import denoise_nl_means

    sigma = max(float(np.mean(noise_levels(image))), 1e-3)
    restored = denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=strength * sigma, sigma=sigma, fast_mode=True, channel_axis=-1
    )
    return restored.reshape(image.shape).astype(np.float32)  # scikit-image drops the axis of a single channel


def total_variation(image: Image, strength: float) -> Image:
    """Total variation (Chambolle 2004); ``strength``: its weight, larger is smoother.

    Always of ``STEPS`` steps: stopped by its energy, which goes up and down, it ends after four steps on one image and
    after forty on one that differs by a hundredth of its noise.
    """
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=strength, eps=0, max_num_iter=STEPS, channel_axis=-1).astype(np.float32)


def wavelet(image: Image, strength: float) -> Image:
    """BayesShrink on Daubechies wavelets (Chang et al. 2000); ``strength``: multiple of the estimated noise σ."""
    from skimage.restoration import denoise_wavelet

    sigma = [max(strength * level, 1e-3) for level in noise_levels(image)]
    return denoise_wavelet(image, sigma=sigma, wavelet="db2", rescale_sigma=True, channel_axis=-1).astype(np.float32)


def enlarged(image: Image, strength: float, scale: int, method: ResizeMethod) -> Image:
    """Enlarge by MATLAB's imresize: ``(H, W, C)`` to ``(scale H, scale W, C)``; ``strength`` is not used."""
    larger = resize(torch.from_numpy(image).permute(2, 0, 1)[None], scale=scale, method=method)
    return larger[0].permute(1, 2, 0).numpy()


@dataclass(frozen=True)
class BaselineSpec:
    """A classical method: name, one line, function, the strengths to choose from, and the smallest image side.

    label: how a table calls it.
    """

    name: str
    label: str
    summary: str
    function: Callable[[Image, float], Image]
    strengths: tuple[float, ...] = (0.0,)
    smallest_side: int = 1


def own_baseline(part: Part) -> BaselineSpec:
    """Take a function of one's own, or a class of such, as a classical method.

    It is called with an image ``(H, W, C)``, float32 in [0, 1], and, where it states ``strengths``, with one of these,
    of which the best is chosen on a few images. It may state ``label`` and ``smallest_side``.
    """
    inner, strengths = part.function, tuple(map(float, part.stated("strengths", ())))

    def function(image: Image, strength: float) -> Image:
        with failing(f"the classical method {part.text}"):
            found = np.asarray(inner(image.copy(), strength) if strengths else inner(image.copy()), dtype=np.float32)
        found = found[:, :, None] if found.ndim == 2 and image.shape[2] == 1 else found
        if found.ndim != 3 or found.shape[2] != image.shape[2]:
            raise CuelloError(f"{part.text} made {found.shape} of an image {image.shape}, needed (H, W, C).")
        return found

    return BaselineSpec(
        part.text, part.stated("label", short(part.text)), part.summary, function=function,
        strengths=strengths or (0.0,), smallest_side=part.stated("smallest_side", 1),
    )  # fmt: skip


BASELINES: Registry[BaselineSpec] = Registry(
    "baseline",
    [
        BaselineSpec("input", "degraded input", "nothing done", function=unchanged),
        BaselineSpec("median-3", "median 3×3", "median over 3×3 pixels", function=median, strengths=(3,)),
        BaselineSpec("median-5", "median 5×5", "median over 5×5 pixels", function=median, strengths=(5,)),
        BaselineSpec(
            "adaptive-median", "adaptive median", "median that grows with the noise", function=adaptive_median,
            strengths=(7, 11, 19), smallest_side=3,
        ),
        BaselineSpec(
            "gaussian", "Gaussian blur", "Gaussian blur", function=gaussian, strengths=(0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
        ),
        BaselineSpec(
            "nlm", "non-local means", "average of similar patches", function=non_local_means,
            strengths=(0.6, 0.9, 1.2, 2.0), smallest_side=7,
        ),
        BaselineSpec(
            "tv", "total variation", "total variation", function=total_variation,
            strengths=(0.03, 0.06, 0.1, 0.2, 0.4, 0.8), smallest_side=2,
        ),
        BaselineSpec(
            "wavelet", "wavelet shrinkage", "wavelet shrinkage", function=wavelet, strengths=(0.5, 1.0, 1.5, 2.5),
            smallest_side=8,
        ),
    ],
    adopt=own_baseline,
)  # fmt: skip

ENLARGERS: dict[ResizeMethod, tuple[str, str]] = {
    "nearest": ("nearest neighbour", "the input, each pixel a square"),
    "bilinear": ("bilinear", "straight lines between pixels"),
    "bicubic": ("bicubic", "Keys' cubic between pixels, the literature's yardstick"),
    "lanczos": ("Lanczos", "windowed sinc of three lobes"),
}


def enlargers(scale: int) -> Registry[BaselineSpec]:
    """List the classical methods that make images ``scale`` times larger; they have nothing to choose.

    >>> enlargers(2).names()
    ['nearest', 'bilinear', 'bicubic', 'lanczos']
    """
    return Registry(
        "baseline",
        [
            BaselineSpec(method, label, summary, function=partial(enlarged, scale=scale, method=method))
            for method, (label, summary) in ENLARGERS.items()
        ],
        adopt=own_baseline,
    )


def run_baseline(spec: BaselineSpec, images: np.ndarray, strength: float) -> np.ndarray:
    """Apply a method to each image of ``(N, C, H, W)`` float32; the result, of the size it gives, is cut to [0, 1]."""
    restored = [
        np.asarray(spec.function(np.ascontiguousarray(image.transpose(1, 2, 0)), strength)).transpose(2, 0, 1)
        for image in images
    ]
    return np.stack(restored).clip(0, 1).astype(np.float32)


def best_strength(spec: BaselineSpec, noisy: np.ndarray, clean: np.ndarray) -> float:
    """Choose the strength with the smallest mean squared error on these ``(N, C, H, W)`` images."""
    if len(spec.strengths) == 1:
        return spec.strengths[0]
    errors = [float(np.mean((run_baseline(spec, noisy, strength) - clean) ** 2)) for strength in spec.strengths]
    return spec.strengths[int(np.argmin(errors))]
