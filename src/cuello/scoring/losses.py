"""What training makes small: pure functions, one value per image."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.own import Part, is_own
from cuello.core.registry import Registry
from cuello.scoring.metrics import PERFECT, SSIM_WINDOW, asked, correct, mae, mse, psnr, ssim, wrong_pixels


def charbonnier(image: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier's smooth absolute error of each image, mean(sqrt((x - y)² + ε²)) - ε, to ``(N,)``.

    Source: Charbonnier et al. 1994.
    """
    return ((image - target).square() + epsilon**2).sqrt().flatten(1).mean(1) - epsilon


def psnr_loss(image: Tensor, target: Tensor, floor: float = 1e-5) -> Tensor:
    """Mean squared error of each image in decibels, 10 log10(mean((x - y)²) + floor), to ``(N,)``: PSNR, negative.

    An image with little noise counts as much as one with much: its error may be a hundred times smaller. floor: an
    error beyond which less of it is worth little, 1e-5: 50 dB where white is 1.

    >>> import torch
    >>> round(float(psnr_loss(torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4))), 3)
    -19.996

    Source: Chen et al. 2022, "Simple baselines for image restoration", which trains with it.
    """
    return 10 * (mse(image, target) + floor).log10()


def rmse(image: Tensor, target: Tensor, floor: float = 1e-4) -> Tensor:
    """Root mean squared error of each image, sqrt(mean((x - y)²) + floor²) - floor, to ``(N,)``.

    Between ``mse``, to which crops with little in them are worth nothing, and ``psnr``, to which they are worth most.
    floor: an error below which less of it is worth little, 1e-4: 80 dB where white is 1.

    >>> import torch
    >>> round(float(rmse(torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4))), 3)
    0.1
    """
    return (mse(image, target) + floor**2).sqrt() - floor


def bce(image: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each image, mean(-y log x - (1 - y) log(1 - x)); x is cut to [1e-6, 1 - 1e-6]."""
    x = image.clamp(1e-6, 1 - 1e-6)
    return -(target * x.log() + (1 - target) * (1 - x).log()).flatten(1).mean(1)


def ssim_loss(image: Tensor, target: Tensor) -> Tensor:
    return 1 - ssim(image, target)


def bernoulli(image: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of each image in nats, -Σ y log x + (1 - y) log(1 - x), under x = P(pixel is white).

    A likelihood only of images of two levels; of grey ones it is the usual stand-in, a cross-entropy. x is cut to
    [1e-6, 1 - 1e-6]. Source: Kingma and Welling 2014, appendix C.1.
    """
    return bce(image, target) * target[0].numel()


def gaussian(image: Tensor, target: Tensor, sigma: float = 0.1) -> Tensor:
    """Negative log-likelihood of each image in nats, Σ (x - y)² / 2σ² + log(2πσ²) / 2, every pixel N(x, σ²).

    sigma: σ, where white is 1. Source: Kingma and Welling 2014, appendix C.2, with a variance that is given.
    """
    pixels = target[0].numel()
    return mse(image, target) * (pixels / (2 * sigma**2)) + pixels * math.log(2 * math.pi * sigma**2) / 2


def cross_entropy(scores: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each image in nats, -Σ q log softmax(scores), to ``(N,)``.

    scores: ``(N, K)`` before softmax. labels: ``(N,)`` int64, 0 to K - 1. smoothing: ε, 0 to 1; q is 1 - ε + ε/K for
    the label and ε/K for the other classes. Source of ε: Szegedy et al. 2016, section 7.
    """
    return functional.cross_entropy(scores, labels, label_smoothing=smoothing, reduction="none")


Measures = Callable[[Tensor, Tensor], dict[str, Tensor]]


def image_measures(image: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return MSE, PSNR and wrong pixels of each image; "counted": 1 where it is not perfect, so that its PSNR counts
    (others have 0); "grey": 1 where its target has other values than 0 and 1.
    """
    image = image.float().clamp(0, 1)
    error = mse(image, target)
    counted = (error > PERFECT).to(error.dtype)
    grey = ((target != 0) & (target != 1)).flatten(1).any(1).to(error.dtype)
    return {
        "mse": error, "psnr": psnr(image, target) * counted, "counted": counted, "wrong": wrong_pixels(image, target),
        "grey": grey,
    }  # fmt: skip


def class_measures(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    return {"accuracy": correct(scores, labels)}


@dataclass(frozen=True)
class LossSpec:
    """A loss' name, one line about it, its function and the smallest image side it can take.

    number: what NAME:NUMBER sets, a keyword of the function; None where it takes no number. below: what that number has
    to be smaller than. classifies: it compares scores of classes with labels, not images; None: either.
    measures: what is measured in validation beside it, one value per image, ``(N,)``.
    """

    name: str
    summary: str
    function: Callable[..., Tensor]
    smallest_side: int = 1
    number: str | None = None
    below: float = math.inf
    classifies: bool | None = False
    measures: Measures = image_measures


def own_loss(part: Part) -> LossSpec:
    """Take a function of one's own, or a class of such, as a loss.

    It is called with what the network gives and what it should give; it returns one value per image, ``(N,)``; values a
    pixel are averaged, and one value for all counts for each.
    """
    inner = part.function

    def function(given: Tensor, target: Tensor) -> Tensor:
        if isinstance(inner, nn.Module):
            inner.to(given.device)
        return asked(inner, given, target, what=f"the loss {part.text}")

    return LossSpec(
        part.text, part.summary, function, smallest_side=part.stated("smallest_side", 1), classifies=None,
        measures=lambda given, target: (class_measures if target.ndim == 1 else image_measures)(given, target),
    )  # fmt: skip


LOSSES: Registry[LossSpec] = Registry(
    "loss",
    [
        LossSpec("mse", "mean squared error: the best PSNR", mse),
        LossSpec("l1", "mean absolute error: sharper, less moved by outliers", mae),
        LossSpec("charbonnier", "absolute error made smooth at 0", charbonnier),
        LossSpec("psnr", "mean squared error in decibels: images with little noise count as much as others", psnr_loss),
        LossSpec("rmse", "root mean squared error of each image: between mse and psnr", rmse),
        LossSpec("bce", "binary cross-entropy, for images of two levels", bce),
        LossSpec("ssim", "one minus structural similarity", ssim_loss, smallest_side=SSIM_WINDOW),
        LossSpec("bernoulli", "negative log-likelihood in nats, for images of two levels", bernoulli),
        LossSpec("gaussian", "negative log-likelihood in nats, gaussian:SIGMA", gaussian, number="sigma"),
        LossSpec(
            "cross-entropy", "of classes, in nats; cross-entropy:ε smooths the labels", cross_entropy,
            number="smoothing", below=1, classifies=True, measures=class_measures,
        ),
    ],
    adopt=own_loss,
)  # fmt: skip


def find_loss(text: str) -> LossSpec:
    """Find the loss that NAME or NAME:NUMBER stands for; CuelloError where there is none, or the number is wrong.

    >>> find_loss("gaussian:0.5").name
    'gaussian'
    """
    if is_own("loss", text):
        return LOSSES[text]
    name, colon, value = text.partition(":")
    spec = LOSSES[name]
    if not colon:
        return spec
    if spec.number is None:
        raise CuelloError(f"the loss {name!r} takes no number, got {text!r}: write {name}.")
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < spec.below:
        limit = f" and below {spec.below:g}" if spec.below < math.inf else ""
        raise CuelloError(f"the loss {text!r}: {spec.number} needs to be a number above 0{limit}, e.g. {name}:0.1.")
    return replace(spec, function=partial(spec.function, **{spec.number: number}))
