"""Occlusion maps: what a classifier says of an image while a box hides one part of it after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError, closest
from cuello.core.memory import kept_memory
from cuello.core.progress import OnProgress, Progress, listener
from cuello.saliency.answers import OUTPUTS, Outputs, probabilities, settled
from cuello.saliency.boxes import Boxes, filling, make_boxes, padded
from cuello.saliency.copies import AnyClassifier, OccludedCopies, as_classifier, ask, batch_for, leaves_shares
from cuello.saliency.definitions import DEFINITIONS, SCORES, Definition, ScoreSpec
from cuello.saliency.incremental import Incremental
from cuello.saliency.layers import Unreadable, read

Arrays = Tensor | np.ndarray
Method = Literal["auto", "incremental", "batches"]

SAME = 1e-4
"""Two answers differ where they differ by more than this, relative to the largest score (or to 1, if that is more)."""

CHECKED = 4
"""Boxes that are asked the plain way too, to be sure of the incremental result."""


@dataclass(frozen=True)
class OcclusionMaps:
    """Occlusion maps and how they were made.

    maps: ``(N, K, H, W)``, or ``(N, K, C, H, W)`` where channels were covered apart; K classes were asked for. Of the
    images' size, padding cut off. classes: ``(N, K)``, their numbers. scores: ``(N, K)``, without a box: probabilities,
    or logits where the score is one. values: ``(N, K, C or 1, P, Q)``, the score of each box by row and column.
    definition, score: names. method: "incremental" or "batches". reason: why not incremental, or None. batch: copies at
    once, None where the engine chose from class to class. notes: what else the user should know.
    """

    maps: Any
    classes: Any
    scores: Any
    values: Any
    definition: str
    score: str
    method: str
    reason: str | None
    batch: int | None
    notes: tuple[str, ...] = ()


# More than seven parameters: those by name are its settings, each with a default of its own.
def occlusion_map(
    model: Any,
    images: Arrays,
    box: int | tuple[int, int] = 3,
    *,
    stride: int | tuple[int, int] = 1,
    fill: float | str = 0.0,
    sigma: float = 3.0,
    padding: int = 0,
    classes: str | int | Sequence[int] = "predicted",
    definition: str = "mean-drop",
    score: str | None = None,
    outputs: Outputs = "auto",
    channels: Literal["together", "apart"] = "together",
    method: Method = "auto",
    batch_size: int | None = None,
    progress: OnProgress | None = None,
) -> OcclusionMaps:
    """Make exact occlusion maps of a classifier: how its answer depends on each part of each image.

    A box hides ``box`` pixels of the image at a time; with s(b) the score with box b, the map at pixel p is the mean
    (or the sum) of s over the boxes that cover p: ``m(p) = Σ_{b ∋ p} s(b) / |{b ∋ p}|``, then finished as the
    definition says.

    model: a module, or any function of ``(N, C, H, W)`` to class scores before softmax ``(N, K)``, or the path of an
    ONNX file (extra `onnx`). A module works where its parameters are; one in training mode is put into evaluation mode
    and back. images: ``(N, C, H, W)``, floats, in [0, 1] for Cuello's networks, for others as they want them. box,
    stride: pixels, one number or (height, width); the last box of a row is cut off by the edge where the steps do not
    end there. fill: what a box shows: a number, "mean" (of each image and channel) or "blur" (the image under a
    Gaussian of ``sigma`` pixels). padding: pixels of 0 put around the images for the classifier; boxes slide over them
    too, and the maps are cut to the images again. classes: "predicted" (without a box), "all", a class, or several.
    definition: a name in `DEFINITIONS`. score: a name in `SCORES`; by default the definition's own. outputs: what the
    model gives: "logits" (before softmax), "probabilities" (it ends in softmax itself), "independent-logits" or
    "independent-probabilities" (each output is a yes or no of its own, before or after its sigmoid); by default logits,
    of one output independent ones, unless the numbers speak against it.
    channels: whether a box hides all channels, or "apart", one at a time. method: "incremental" works out only what a
    box can reach, for chains of convolutions, poolings and elementwise layers up to the first layer of another kind;
    "batches" asks about whole copies; "auto" takes the first where it can. batch_size: copies at once; by default the
    largest layer of a batch is kept within a processor's cache. progress: called with events, in boxes.

    Results are the same by either method within float32's rounding. Arrays come back as arrays, tensors as tensors
    where the images were. Raises CuelloError for anything that does not fit, among it a model whose answers are not
    repeatable, whose output is no class scores, or, with "incremental", that cannot be read as a chain.

    >>> from torch import nn
    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    >>> found = occlusion_map(network, torch.rand(5, 1, 8, 8), box=3)
    >>> tuple(found.maps.shape), tuple(found.classes.shape), found.method
    ((5, 1, 8, 8), (5, 1), 'incremental')

    Source: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2.
    """
    chosen = DEFINITIONS[definition]
    watched = SCORES[score or chosen.score]
    check_options(watched, channels=channels, method=method, outputs=outputs, batch_size=batch_size, padding=padding)
    classifier = as_classifier(model)
    with torch.no_grad(), kept_memory(give_back=False), evaluating(classifier) as notes:
        pixels = as_images(images, classifier)
        whole = padded(pixels, padding)
        check_size(classifier, whole)
        boxes = make_boxes((whole.shape[2], whole.shape[3]), box, stride)
        fills = filling(pixels, fill, padding=padding, sigma=sigma)
        batch = batch_size or batch_for(classifier, whole[:1])
        plain = OccludedCopies(classifier, boxes, apart=channels == "apart", batch=batch)
        clean = torch.cat([ask(classifier, some) for some in channels_last(whole).split(batch)])
        check_answers(plain, whole, fills, clean=clean)
        means, note = settled(
            classifier.gives if outputs == "auto" else outputs, clean,
            raw=watched.logits, beyond=partial(leaves_shares, classifier, whole[:1]),
        )  # fmt: skip
        numbers = wanted(classes, clean)
        found, reason = evaluated(
            plain, whole, fills, method=method, batch=batch_size, report=listener(progress, ("done", "total"))
        )
        values = scored(watched, found, clean, numbers=numbers, outputs=means)
        maps = combined(chosen, values, boxes)
        if padding:
            maps = maps[..., padding:-padding, padding:-padding]
        if channels == "together":
            maps = maps.squeeze(2)
        base = clean if watched.logits else probabilities(clean, means)
        shown = values.to(clean.dtype)
    return OcclusionMaps(
        maps=like(maps.to(clean.dtype), images),
        classes=like(numbers, images),
        scores=like(base.gather(1, numbers), images),
        values=like(shown, images),
        definition=chosen.name,
        score=watched.name,
        method="batches" if reason else "incremental",
        reason=reason,
        batch=batch if reason else batch_size,
        notes=(*notes, *filter(None, [own_scale(pixels), note, no_change(values, boxes)])),
    )


def check_options(
    watched: ScoreSpec, *, channels: str, method: str, outputs: str, batch_size: int | None, padding: int
) -> None:
    for name, value, known in (
        ("channels", channels, ("together", "apart")),
        ("method", method, ("auto", "incremental", "batches")),
        ("outputs", outputs, OUTPUTS),
    ):
        if value not in known:
            raise CuelloError(f"--{name}: got {value!r}, needed {' or '.join(known)}.{closest(str(value), known)}")
    if batch_size is not None and batch_size < 1:
        raise CuelloError(f"--batch-size: got {batch_size}, needed 1 or more; leave it out for what fits the machine.")
    if padding < 0:
        raise CuelloError(f"--padding: got {padding}, needed 0 or more pixels.")
    if watched.logits and "probabilities" in outputs:
        raise CuelloError(
            f"score: got {watched.name!r} of a model that gives probabilities, which has no logits to show. Take "
            "'probability' or 'drop', or a model without its softmax or sigmoid."
        )


@contextmanager
def evaluating(classifier: AnyClassifier) -> Iterator[list[str]]:
    """Put a module into evaluation mode for the time of the block, and each part back into its own after it."""
    notes: list[str] = []
    modes = {}
    if classifier.module is not None:
        modes = {module: module.training for module in classifier.module.modules()}
        if any(modes.values()):
            notes.append("the model was in training mode; its maps were made in evaluation mode")
            classifier.module.eval()
    try:
        yield notes
    finally:
        for module, mode in modes.items():
            module.training = mode


def as_images(images: Arrays, classifier: AnyClassifier) -> Tensor:
    """Take images as floats on the classifier's device and of its type; CuelloError for what is none."""
    if not isinstance(images, Tensor | np.ndarray):
        raise CuelloError(f"images: got {type(images).__name__}, needed an array or a tensor (N, C, H, W).")
    pixels = from_array(images) if isinstance(images, np.ndarray) else images.detach()
    if pixels.layout != torch.strided or pixels.is_meta or pixels.is_nested:
        raise CuelloError(
            f"images: got a tensor of layout {pixels.layout} on {pixels.device}, needed a plain one with values."
        )
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise CuelloError(
            f"images: got shape {tuple(pixels.shape)}, needed (N, C, H, W), none of them 0. One image: images[None]."
        )
    if not pixels.is_floating_point():
        raise CuelloError(f"images: got {pixels.dtype}, needed floats in [0, 1]: divide by the type's largest value.")
    pixels = pixels.float() if pixels.dtype.itemsize == 1 else pixels  # of which torch knows no minimum
    if not pixels.isfinite().all():
        raise CuelloError("images: got NaN or infinity in some pixels, needed finite numbers.")
    low, high = float(pixels.min()), float(pixels.max())
    if classifier.gives != "auto" and (low < 0 or high > 1):
        raise CuelloError(f"images: got floats from {low:g} to {high:g}, needed 0 to 1: scale them first.")
    parameters = classifier.module.parameters() if classifier.module is not None else iter(())
    first = next((parameter for parameter in parameters if parameter.is_floating_point()), None)
    return pixels.float() if first is None else pixels.to(first.device, first.dtype)


def from_array(images: np.ndarray) -> Tensor:
    """Take an array of floats as a tensor, whatever its strides and byte order; CuelloError for other types."""
    if images.dtype.kind != "f":
        raise CuelloError(f"images: got {images.dtype}, needed floats in [0, 1]: divide by the type's largest value.")
    if np.ma.is_masked(images):
        raise CuelloError("images: got an array with masked values; fill them first: images.filled(0).")
    dtype = np.float64 if images.dtype.itemsize > 4 else images.dtype.newbyteorder("=")
    return torch.from_numpy(np.require(images, dtype, ["C", "W"]))


def own_scale(pixels: Tensor) -> str | None:
    """Say how images that are not in [0, 1] are understood: a classifier may want them normalised."""
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and high <= 1:
        return None
    return f"the images hold values from {low:.4g} to {high:.4g}; they and what a box shows are taken as they are"


def check_size(classifier: AnyClassifier, whole: Tensor) -> None:
    """Raise CuelloError where a classifier says of itself that it wants other images than ``(N, C, H, W)``."""
    channels, size = classifier.channels, classifier.size
    if channels is not None and channels != whole.shape[1]:
        raise CuelloError(
            f"images: got {whole.shape[1]} channels, but the classifier takes {channels}. Convert the images."
        )
    if size is not None and tuple(whole.shape[2:]) != size:
        raise CuelloError(
            f"images: got {whole.shape[2]}×{whole.shape[3]} pixels, padding included, but the classifier takes "
            f"{size[0]}×{size[1]}. Crop, resize or pad the images (argument padding)."
        )


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def differ(first: Tensor, second: Tensor) -> bool:
    """Tell whether two answers are not the same, rounding aside (SAME); NaN is never the same."""
    limit = SAME * max(1.0, float(second.abs().max()))
    return not bool((first - second).abs().max() <= limit)


def check_answers(plain: OccludedCopies, whole: Tensor, fills: Tensor, *, clean: Tensor) -> None:
    """Raise CuelloError where answers are no numbers, or change from call to call or with the company.

    The first image is asked about again, together with a copy of it under the last box.
    """
    if not clean.isfinite().all():
        raise CuelloError("the classifier gave NaN or infinity for the images themselves; needed finite scores.")
    last = torch.tensor([len(plain.boxes) - 1], device=whole.device)
    again = ask(plain.classifier, channels_last(torch.cat([whole[:1], plain.copies(whole[:1], fills[:1], last)])))
    if differ(again[:1], clean[:1]):
        raise CuelloError(
            "the classifier's scores of one image changed from call to call, or with the other images of the batch; a "
            "map would show that instead of the boxes. Switch its random parts off (dropout, sampling: model.eval()), "
            "and use batch norm with running statistics."
        )


def wanted(classes: str | int | Sequence[int], clean: Tensor) -> Tensor:
    """Number the classes to be explained, ``(N, K)``; CuelloError for one that does not exist."""
    count = clean.shape[1]
    if isinstance(classes, str):
        if classes == "predicted":
            return clean.argmax(1, keepdim=True)
        if classes == "all":
            return torch.arange(count, device=clean.device).expand(len(clean), -1)
        raise CuelloError(f"classes: got {classes!r}, needed 'predicted', 'all', or numbers from 0 to {count - 1}.")
    numbers = [classes] if isinstance(classes, int) else list(classes)
    if not numbers or any(isinstance(one, bool) or not 0 <= one < count for one in numbers):
        raise CuelloError(
            f"classes: got {classes!r}, needed numbers from 0 to {count - 1}: the model has {count} classes."
        )
    return torch.tensor(numbers, device=clean.device).expand(len(clean), -1)


def evaluated(
    plain: OccludedCopies, whole: Tensor, fills: Tensor, *, method: str, batch: int | None, report: OnProgress
) -> tuple[Tensor, str | None]:
    """Ask the classifier with each box, ``(N, P, Q, C or 1, K)``, and say why not incrementally, or None."""
    total = len(whole) * len(plain.boxes) * (whole.shape[1] if plain.apart else 1)
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        report(Progress("boxes", done, total))

    reason = "method='batches' was asked for"
    if method != "batches":
        try:
            found = incremental(plain, whole, batch)
            return found.outputs(whole, fills, progress, check=checking(plain, whole, fills)), None
        except Unreadable as refused:
            reason, done = str(refused), 0
        if method == "incremental":
            raise CuelloError(f"method: the model cannot be evaluated incrementally: {reason}. Use method='auto'.")
    return plain.outputs(whole, fills, progress), reason


def incremental(plain: OccludedCopies, whole: Tensor, batch: int | None) -> Incremental:
    """Prepare the incremental evaluation of a classifier; Unreadable where there is none."""
    if (network := plain.classifier.chain) is None:
        raise Unreadable("it is not a torch module")
    if whole.dtype not in (torch.float32, torch.float64):
        raise Unreadable(f"its numbers are {whole.dtype}, too coarse for it")
    return Incremental(read(network, whole[:1]), plain.boxes, apart=plain.apart, batch=batch)


def checking(plain: OccludedCopies, whole: Tensor, fills: Tensor) -> Callable[[Tensor], None]:
    """Make a check of incremental results: a few boxes of the first image are asked about the plain way too."""

    def check(found: Tensor) -> None:
        said = found[0].flatten(0, 2)
        some = torch.linspace(0, len(said) - 1, min(CHECKED, len(said)), device=said.device).long()
        if differ(said[some], plain.some(whole[:1], fills[:1], some)):
            raise Unreadable("a few boxes tried incrementally gave other answers than the model itself")

    return check


def scored(watched: ScoreSpec, found: Tensor, clean: Tensor, *, numbers: Tensor, outputs: str) -> Tensor:
    """Work out the score of each box, ``(N, K, C or 1, P, Q)``, of what a classifier says, ``(N, P, Q, C or 1, all)``.

    In float64: float32 has no probabilities between 1 - 6e-8 and 1, where those of a classifier that is sure lie.
    """
    shape = found.shape
    boxed, base = found.flatten(1, 3).double(), clean[:, None].double()
    if not watched.logits:
        boxed, base = probabilities(boxed, outputs), probabilities(base, outputs)
    index = numbers[:, None]
    boxed, base = boxed.gather(2, index.expand(-1, boxed.shape[1], -1)), base.gather(2, index)
    return watched.of(boxed, base).view(*shape[:4], -1).permute(0, 4, 3, 1, 2)


def no_change(values: Tensor, boxes: Boxes) -> str | None:
    """Say so where the score of each class asked for, ``(N, K, C or 1, P, Q)``, is the same under all boxes."""
    if len(boxes) == 1 or bool((values != values[..., :1, :1]).any()):
        return None
    return "no box changes the score of any image; the maps say nothing of where the classifier looks"


def combined(definition: Definition, values: Tensor, boxes: Boxes) -> Tensor:
    """Put maps ``(N, K, C or 1, H, W)`` together of the score of each box, ``(N, K, C or 1, P, Q)``; float64 inside."""
    rows, columns = boxes.rows.covered().to(values.device), boxes.columns.covered().to(values.device)
    maps = rows @ values.double() @ columns.T
    if definition.combine == "mean":
        maps = maps / (rows.sum(1)[:, None] * columns.sum(1))
    return definition.finish(maps)


def like(result: Tensor, images: Arrays) -> Arrays:
    return result.cpu().numpy() if isinstance(images, np.ndarray) else result.to(images.device)
