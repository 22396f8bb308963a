"""A network that somebody wrote, brought to the contract of the built-in ones."""

import copy
import inspect
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.core.own import Part
from cuello.core.types import Output
from cuello.models.base import ImageNetwork, as_output
from cuello.models.geometry import check_multiple, image_of, measure_receptive_field, measure_stride

Size = tuple[int, int]


class CustomNetwork(ImageNetwork):
    """Somebody's network with what Cuello needs to know about it.

    inner: any module that takes ``(N, C, H, W)`` and returns ``(N, C, scale · H, scale · W)``, as a tensor or as an
    Output; where it states ``conditioned = True``, it is given ``level``, the noise's standard deviation, too. Where it
    has ``encode`` and ``decode``, these are its code; an ``encode`` that returns two tensors gives each image's mean
    and logarithm of the variance.
    stride, receptive_field: as it states them in attributes, or else as measured; a receptive field of None means
    that every pixel depends on the whole image, and images cannot be run in tiles. size: height and width of the only
    images that it takes, or None.
    """

    def __init__(
        self,
        inner: nn.Module,
        channels: int,
        stride: int,
        receptive_field: int | None,
        scale: int = 1,
        size: Size | None = None,
    ):
        super().__init__()
        self.inner = inner
        self.channels, self.stride, self.receptive_field, self.scale = channels, stride, receptive_field, scale
        self.size = size
        self.conditioning = "level" if getattr(inner, "conditioned", False) is True else None
        self.has_code = callable(getattr(inner, "encode", None)) and callable(getattr(inner, "decode", None))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return what the network gives for images ``(N, C, H, W)``; CuelloError where the shape is another."""
        self.check(x)
        result = self.inner(x, level=condition) if self.conditioning else self.inner(x)
        output = as_output(result)
        count, channels, height, width = x.shape
        wanted = (count, channels, self.scale * height, self.scale * width)
        check_image(self.inner, output.image, x, wanted=wanted, scale=self.scale)
        return output

    def check(self, x: Tensor) -> None:
        """Raise CuelloError where images are not of a size that the network takes."""
        check_size(x, self.size)
        check_multiple(x, self.stride)

    def encode(self, x: Tensor) -> Tensor:
        """Map images to codes: the means, where each image has a distribution of them."""
        self.check(x)
        found = self.inner.encode(x)  # type: ignore[operator]
        return found[0] if self.has_posterior else found

    def decode(self, latent: Tensor) -> Tensor:
        return self.inner.decode(latent)  # type: ignore[operator]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.check(x)
        return self.inner.encode(x)  # type: ignore[operator]


class CustomClassifier(ImageNetwork):
    """Somebody's classifier with what Cuello needs to know about it.

    inner: any module that takes ``(N, C, H, W)`` and returns scores before softmax, ``(N, classes)``. size: as in
    CustomNetwork.
    """

    def __init__(self, inner: nn.Module, channels: int, classes: int, size: Size | None = None):
        super().__init__()
        self.inner, self.channels, self.classes, self.size = inner, channels, classes, size

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the scores of images ``(N, C, H, W)``; CuelloError where they are of another shape."""
        check_size(x, self.size)
        scores = self.inner(x)
        wanted = (len(x), self.classes)
        if not isinstance(scores, Tensor) or scores.shape != wanted:
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise CuelloError(
                f"{type(self.inner).__name__} turned images of shape {tuple(x.shape)} into {got}; it needs to return "
                f"scores before softmax of shape {wanted}, one per class: take `classes` in its __init__."
            )
        return scores

    def sequence(self) -> nn.Module:
        """Return what occlusion maps are made of, layer by layer."""
        return self.inner


def check_size(x: Tensor, size: Size | None) -> None:
    """Raise CuelloError unless ``(N, C, H, W)`` images have the height and width that alone fit."""
    if size is not None and tuple(x.shape[2:]) != size:
        height, width = size
        raise CuelloError(
            f"got images of {x.shape[3]}×{x.shape[2]} pixels; this network takes {width}×{height}. Resize them, e.g. "
            f"--resize={width}x{height}."
        )


def check_image(inner: nn.Module, image: Any, x: Tensor, *, wanted: tuple[int, ...], scale: int) -> None:
    """Raise CuelloError where what a network gave is no image of the shape that is wanted."""
    if isinstance(image, Tensor) and image.shape == wanted:
        if not image.is_floating_point():
            raise CuelloError(f"{type(inner).__name__} gives {image.dtype}; it needs to return floats, white being 1.")
        return
    got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
    shape = "the same shape" if scale == 1 else f"shape {wanted}"
    raise CuelloError(
        f"{type(inner).__name__} turned images of shape {tuple(x.shape)} into {got}; "
        f"it needs to return a tensor (or cuello.Output) of {shape}."
    )


def with_code(network: CustomNetwork, size: Size) -> CustomNetwork:
    """Find out on a grey image of a size whether each image has a distribution of codes, and how codes are spread.

    Raises CuelloError where ``encode`` gives no code, or ``decode`` makes no image of it.
    """
    if not network.has_code:
        return network
    inner, name = copy.deepcopy(network.inner).cpu().float().eval(), type(network.inner).__name__
    x = torch.full((1, network.channels, *size), 0.5)
    try:
        with torch.no_grad():
            found = inner.encode(x)  # type: ignore[operator]
            pair = isinstance(found, tuple) and len(found) == 2 and all(isinstance(one, Tensor) for one in found)
            code = found[0] if pair else found
            image = inner.decode(code) if isinstance(code, Tensor) else None  # type: ignore[operator]
    except Exception as error:  # somebody else's code may raise anything
        raise CuelloError(f"{name}: decode(encode(x)) failed: {type(error).__name__}: {error}.") from error
    if not isinstance(code, Tensor):
        raise CuelloError(
            f"{name}.encode returned {type(found).__name__}, needed a tensor (N, numbers), or two of them: mean and "
            "logarithm of the variance."
        )
    if not isinstance(image, Tensor) or image.shape != x.shape:
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise CuelloError(f"{name}.decode made {got} of the code of an image {tuple(x.shape)}, needed its shape.")
    network.has_posterior = pair
    prior = getattr(network.inner, "prior", "normal" if pair else None)
    network.prior = prior if prior in ("normal", "uniform") else None
    return network


def built_custom(
    part: Part, channels: int, *, scale: int = 1, size: Size | None = None, classes: int | None = None
) -> ImageNetwork:
    """Make somebody's network for images of these channels, and find out which sizes it takes.

    part: a class, a function that returns a module, or a module, which is copied with its weights. Called with its own
    arguments, and with those of channels, scale, size (height, width), height, width and classes that it takes.
    size: of the images that it is tried on. classes: how many a classifier tells apart; None: it gives images.
    Raises CuelloError where it is no torch module, cannot be made or run, gives something else, or states another
    ``scale``.
    """
    inner = module_of(part, channels, scale=scale, size=size, classes=classes)
    own = stated(inner, "scale")
    if own not in (None, scale):
        raise CuelloError(
            f"{part.name} states that it makes images {own} times as large, and was to do so {scale} times: "
            + (f"add --scale={own}." if own != 1 else "leave --scale out, or take a network that enlarges.")
        )
    fixed = stated_size(inner)
    try:
        if classes is not None:
            return classifier_of(inner, channels, classes, size=fixed or size or (28, 28), known=fixed)
        return network_of(inner, channels, scale, size=fixed or size, known=fixed)
    except CuelloError:
        raise
    except Exception as error:
        raise CuelloError(
            f"{part.text} failed on an image of {channels} channels: {type(error).__name__}: {error}."
        ) from error


def module_of(part: Part, channels: int, *, scale: int, size: Size | None, classes: int | None) -> nn.Module:
    """Make the module itself; CuelloError where it is none."""
    if isinstance(part.thing, nn.Module):
        if part.arguments:
            raise CuelloError(f"{part.text}: {part.name} is a module, not a class, and takes no arguments.")
        return copy.deepcopy(part.thing)
    if not callable(part.thing) or (inspect.isclass(part.thing) and not issubclass(part.thing, nn.Module)):
        raise CuelloError(
            f"{part.text} is not a torch.nn.Module but {type(part.thing).__name__}: name a class that is one, or a "
            "function that returns one."
        )
    height, width = size or (None, None)
    offered = {
        "channels": channels, "scale": scale, "size": size, "height": height, "width": width, "classes": classes,
    }  # fmt: skip
    inner = part.made(**{name: value for name, value in offered.items() if value is not None})
    if not isinstance(inner, nn.Module):
        raise CuelloError(f"{part.text} returned {type(inner).__name__}, needed a torch.nn.Module.")
    return inner


def network_of(inner: nn.Module, channels: int, scale: int, *, size: Size | None, known: Size | None) -> CustomNetwork:
    """Find out which sizes a network of images takes: on the size that is its own first, so that one for it alone is
    never tried on another and refused.
    """
    own = stated(inner, "stride")
    if size is not None:
        try:
            try_image(inner, channels, size, scale=scale)
        except Exception:  # somebody else's code may raise anything; the stride may tell what is wrong with the size
            with suppress(CuelloError):
                own = own or measure_stride(inner, channels, scale=scale)
            check_multiple(torch.empty(1, 1, *size), own or 1)
            raise
        if known is not None or not takes_others(inner, channels, size):
            return with_code(CustomNetwork(inner, channels, 1, receptive_field=None, scale=scale, size=size), size)
    stride = own or measure_stride(inner, channels, scale=scale)
    field = stated(inner, "receptive_field") or measure_receptive_field(inner, channels, stride, scale=scale)
    return with_code(CustomNetwork(inner, channels, stride, receptive_field=field, scale=scale), size or (32, 32))


def try_image(inner: nn.Module, channels: int, size: Size, scale: int) -> None:
    """Let a network answer one grey image of a size; CuelloError where it gives no image of the right size back."""
    x = torch.full((1, channels, *size), 0.5)
    with torch.no_grad():
        image = image_of(copy.deepcopy(inner).cpu().float().eval(), x)
    check_image(inner, image, x, wanted=(1, channels, *(scale * side for side in size)), scale=scale)


def classifier_of(inner: nn.Module, channels: int, classes: int, *, size: Size, known: Size | None) -> CustomClassifier:
    """Find out whether a classifier takes other sizes than the one that it is tried on."""
    made = CustomClassifier(inner, channels, classes)
    with torch.no_grad():
        copy.deepcopy(made).cpu().float().eval()(torch.full((1, channels, *size), 0.5))
    made.size = size if known is not None or not takes_others(inner, channels, size) else None
    return made


def takes_others(inner: nn.Module, channels: int, size: Size) -> bool:
    """Tell whether a network that takes one size takes another too, with sides twice as long, and follows it."""
    tried = copy.deepcopy(inner).cpu().float().eval()
    height, width = size
    try:
        with torch.no_grad():
            there, larger = (
                as_output(tried(torch.full((1, channels, times * height, times * width), 0.5))).image
                for times in (1, 2)
            )
    except Exception:  # somebody else's code may raise anything
        return False
    same = there.ndim == 2
    return larger.shape == (there.shape if same else (1, channels, 2 * there.shape[2], 2 * there.shape[3]))


def stated(network: nn.Module, name: str) -> int | None:
    """Return a whole number above 0 that a network states in an attribute; torch's own layers keep other things there.

    >>> stated(nn.Conv2d(1, 1, 3), "stride") is None
    True
    """
    value = getattr(network, name, None)
    return value if isinstance(value, int) and value > 0 else None


def stated_size(network: nn.Module) -> Size | None:
    """Return height and width that a network states in an attribute ``size``, where that is such a pair.

    >>> stated_size(nn.Identity()) is None
    True
    """
    value = getattr(network, "size", None)
    return value if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int) for v in value) else None
