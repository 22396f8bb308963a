"""What training makes small: pure functions, one value an image."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from cuello.metrics import SSIM_WINDOW, mae, mse, ssim
from cuello.registry import Registry


def charbonnier(image: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier's smooth absolute error of each image, mean(sqrt((x - y)² + ε²)) - ε, to ``(N,)``.

    Source: Charbonnier et al. 1994.
    """
    return ((image - target).square() + epsilon**2).sqrt().flatten(1).mean(1) - epsilon


def bce(image: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each image, mean(-y log x - (1 - y) log(1 - x)); x is cut to [1e-6, 1 - 1e-6]."""
    x = image.clamp(1e-6, 1 - 1e-6)
    return -(target * x.log() + (1 - target) * (1 - x).log()).flatten(1).mean(1)


def ssim_loss(image: Tensor, target: Tensor) -> Tensor:
    """One minus the structural similarity of each image, 0 where identical."""
    return 1 - ssim(image, target)


@dataclass(frozen=True)
class LossSpec:
    """A loss' name, one line about it, its function and the smallest image side it can take."""

    name: str
    summary: str
    function: Callable[[Tensor, Tensor], Tensor]
    smallest_side: int = 1


LOSSES: Registry[LossSpec] = Registry(
    "loss",
    [
        LossSpec("mse", "mean squared error: the best PSNR", mse),
        LossSpec("l1", "mean absolute error: sharper, less moved by outliers", mae),
        LossSpec("charbonnier", "absolute error made smooth at 0", charbonnier),
        LossSpec("bce", "binary cross-entropy, for images of two levels", bce),
        LossSpec("ssim", "one minus structural similarity", ssim_loss, SSIM_WINDOW),
    ],
)
