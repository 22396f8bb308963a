"""Occluded copies of images through any classifier, a batch at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError, first_line
from cuello.models.base import ImageNetwork
from cuello.saliency.answers import Outputs
from cuello.saliency.boxes import Boxes


@dataclass(frozen=True)
class AnyClassifier:
    """Any function of images ``(N, C, H, W)`` to class scores ``(N, K)``, with what it says of itself.

    module: the function as a torch module, or None where it is none. channels, size (height, width): of the only images
    that it takes, or None. gives: what its outputs are known to stand for, or "auto", see `answers.Outputs`.
    """

    function: Callable[[Tensor], Tensor]
    module: nn.Module | None = None
    channels: int | None = None
    size: tuple[int, int] | None = None
    gives: Outputs = "auto"

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    @property
    def chain(self) -> nn.Module | None:
        """The module that is read layer by layer: Cuello's classifiers say what they are made of."""
        sequence = getattr(self.module, "sequence", None)
        return cast("nn.Module", sequence()) if callable(sequence) else self.module


OWN_ONES = (
    "Cuello's own are loaded by `cuello.load(PATH)`, of which `.network` is one; `cuello.explain` takes their paths."
)


def as_classifier(model: Any) -> AnyClassifier:
    """Take a model as something to be called: the path of an ONNX file is opened."""
    if isinstance(model, str | Path):
        from cuello.saliency.onnx import OnnxClassifier

        file = Path(model).expanduser()
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "is not there"
            raise CuelloError(f"model: {model} {what}, needed an ONNX file, or a network: {OWN_ONES}")
        if file.suffix == ".safetensors":
            raise CuelloError(f"model: {model} holds weights alone, needed a network or an ONNX file: {OWN_ONES}")
        return AnyClassifier(OnnxClassifier(model))
    if not callable(model):
        raise CuelloError(
            f"model: got {type(model).__name__}, needed a torch module, a function of images (N, C, H, W) to class "
            "scores (N, K), or the path of an ONNX file."
        )
    channels, size = getattr(model, "channels", None), getattr(model, "size", None)
    return AnyClassifier(
        cast("Callable[[Tensor], Tensor]", model),
        model if isinstance(model, nn.Module) else None,
        channels if isinstance(channels, int) else None,
        size=size if isinstance(size, tuple) and len(size) == 2 else None,
        gives="logits" if isinstance(model, ImageNetwork) else "auto",
    )


LAYER_BYTES = 8 * 2**20
"""Bytes of the largest layer of a batch on a processor: about what its last cache level leaves to one core."""

DEVICE_SHARE = 8
"""On a GPU the largest layer gets one part in so many of the free memory."""

UNKNOWN_LAYER = 32
"""How many times larger than its input the largest layer is taken to be where nobody can look inside."""

MOST_BATCH = 1024


def ask(classifier: AnyClassifier, x: Tensor) -> Tensor:
    """Ask for class scores ``(N, K)`` of images; CuelloError where that is not what the classifier gives."""
    try:
        scores = classifier(x)
    except CuelloError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = first_line(error)
        raise CuelloError(
            f"the classifier did not take images of shape {tuple(x.shape)} ({reason}). Needed: channels and size as "
            "it was trained with, padding included; see the arguments images and padding."
        ) from error
    if not isinstance(scores, Tensor):
        raise CuelloError(
            f"the classifier gave {type(scores).__name__}, needed a tensor of class scores (N, K). Wrap it in a "
            "function that returns that."
        )
    if scores.ndim != 2 or len(scores) != len(x) or scores.shape[1] == 0 or not scores.is_floating_point():
        raise CuelloError(
            f"the classifier gave {scores.dtype} of shape {tuple(scores.shape)} for {len(x)} images, needed class "
            f"scores before softmax, ({len(x)}, K). Wrap it in a function that returns that."
        )
    return scores


def leaves_shares(classifier: AnyClassifier, images: Tensor) -> bool:
    """Tell whether images of strange brightness bring scores below 0 or above 1, which no probability is."""
    try:
        found = torch.cat([ask(classifier, images * factor) for factor in (-1, 1e3, -1e3)])
    except Exception:  # whatever a stranger's code raises at images out of [0, 1], they show nothing
        return False
    return bool(found.isfinite().all() and ((found < 0) | (found > 1)).any())


def largest_layer(classifier: AnyClassifier, image: Tensor) -> int:
    """Count the most numbers that a module of the classifier gives for one image, ``(1, C, H, W)``.

    Of anything but a module: UNKNOWN_LAYER times the image's.
    """
    if classifier.module is None:
        return UNKNOWN_LAYER * image.numel()
    most = [image.numel()]

    def look(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            most.append(output.numel())

    handles = [module.register_forward_hook(look) for module in classifier.module.modules()]
    try:
        ask(classifier, image)
    finally:
        for handle in handles:
            handle.remove()
    return max(most)


def batch_for(classifier: AnyClassifier, image: Tensor) -> int:
    """Count the copies of an image to ask about at once, 1 to MOST_BATCH: see LAYER_BYTES and DEVICE_SHARE."""
    bytes_each = largest_layer(classifier, image) * image.element_size()
    room = LAYER_BYTES
    if image.is_cuda:
        room = torch.cuda.mem_get_info(image.device)[0] // DEVICE_SHARE
    return max(1, min(MOST_BATCH, room // bytes_each))


@dataclass(frozen=True)
class OccludedCopies:
    """Boxes put on copies of whole images, ``batch`` copies at a time. apart: a box covers one channel."""

    classifier: AnyClassifier
    boxes: Boxes
    apart: bool
    batch: int

    def outputs(self, images: Tensor, fills: Tensor, progress: Callable[[int], None]) -> Tensor:
        """Return what the classifier says with each box, ``(N, P, Q, C or 1, K)``; see Incremental.outputs."""
        channels = images.shape[1] if self.apart else 1
        total = len(images) * len(self.boxes) * channels
        found = []
        for start in range(0, total, self.batch):
            number = torch.arange(start, min(start + self.batch, total), device=images.device)
            found.append(self.some(images, fills, number))
            progress(len(number))
        return torch.cat(found).view(len(images), len(self.boxes.rows), len(self.boxes.columns), channels, -1)

    def some(self, images: Tensor, fills: Tensor, number: Tensor) -> Tensor:
        """Ask about some copies, ``(B, K)``: image by image, box by box, channel by channel."""
        return ask(self.classifier, self.copies(images, fills, number))

    def copies(self, images: Tensor, fills: Tensor, number: Tensor) -> Tensor:
        """Return occluded copies, ``(B, C, H, W)``, channels last in memory."""
        channels = images.shape[1] if self.apart else 1
        image, box = number // (len(self.boxes) * channels), number // channels % len(self.boxes)
        under = self.boxes.masks(box)
        if self.apart:
            one = (number % channels)[:, None] == torch.arange(channels, device=number.device)
            under = under & one[:, :, None, None]
        found = torch.where(under, fills[image], images[image])
        return found.contiguous(memory_format=torch.channels_last)
