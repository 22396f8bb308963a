"""The kinds of networks, and how to build one from its name or from what an artefact says of it."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pydantic

from cuello.core import own
from cuello.core.errors import CuelloError
from cuello.core.registry import Registry
from cuello.models import custom
from cuello.models.autoencoder.names import problem_of, with_numbers
from cuello.models.autoencoder.network import Autoencoder, AutoencoderConfig
from cuello.models.base import ImageNetwork
from cuello.models.classifier import Classifier, ClassifierConfig
from cuello.models.convolutional import ConvolutionalAutoencoder, ConvolutionalConfig
from cuello.models.denoiser import Denoiser, DenoiserConfig
from cuello.models.doubled import DoubledAutoencoder, DoubledConfig
from cuello.models.espcn import Espcn, EspcnConfig
from cuello.models.estimator import Estimator, EstimatorConfig
from cuello.models.feature_estimator import FeatureEstimator, FeatureEstimatorConfig
from cuello.models.fsrcnn import Fsrcnn, FsrcnnConfig
from cuello.models.impulse import ImpulseConfig, ImpulseNetwork
from cuello.models.limits import MOST_STRIDE, built
from cuello.models.multiscale import MultiScale, MultiScaleConfig
from cuello.models.named import NETWORKS, NetworkSpec, find_network
from cuello.models.residual import ResidualConfig, ResidualNetwork
from cuello.models.strided import StridedAutoencoder, StridedConfig
from cuello.models.unet import UNet, UNetConfig
from cuello.models.upscaler import Upscaler, UpscalerConfig


@dataclass(frozen=True)
class Kind:
    """A family of networks: its name in artefacts, its settings, its class, and what its networks are for.

    sized: made for images of one size. classifies: gives a score a class, and no image. explains: gives the occlusion
    map of a classifier, one channel, and may be told the class. extremes: changes pixels that are exactly 0 or 1 alone.
    """

    name: str
    summary: str
    config: type[pydantic.BaseModel]
    network: Callable[[Any], ImageNetwork]
    purpose: str
    sized: bool = False
    classifies: bool = False
    explains: bool = False
    extremes: bool = False

    @property
    def gives(self) -> str:
        """What comes out: "classes", "maps" or "images"."""
        return "classes" if self.classifies else "maps" if self.explains else "images"


CLEAN, ENLARGE, CODE = "clean images", "enlarge images", "learn a code"
CLASSES, WHY = "tell classes apart", "see why"
"""What networks are for."""

KINDS: Registry[Kind] = Registry(
    "kind of network",
    [
        Kind(
            "impulse",
            "marks impulses and fills them",
            ImpulseConfig,
            network=ImpulseNetwork,
            purpose=CLEAN,
            extremes=True,
        ),
        Kind(
            "convolutional",
            "convolutional autoencoder",
            ConvolutionalConfig,
            network=ConvolutionalAutoencoder,
            purpose=CLEAN,
        ),
        Kind(
            "doubled",
            "autoencoder of doubled convolutions, maybe dense inside",
            DoubledConfig,
            network=DoubledAutoencoder,
            purpose=CLEAN,
        ),
        Kind(
            "autoencoder",
            "encoder, bottleneck and decoder for one size",
            AutoencoderConfig,
            network=Autoencoder,
            purpose=CODE,
            sized=True,
        ),
        Kind("unet", "U-Net that predicts the noise", UNetConfig, network=UNet, purpose=CLEAN),
        Kind(
            "residual",
            "stack of convolutions that predicts the noise",
            ResidualConfig,
            network=ResidualNetwork,
            purpose=CLEAN,
        ),
        Kind(
            "strided",
            "strided convolutions and their mirror",
            StridedConfig,
            network=StridedAutoencoder,
            purpose=ENLARGE,
        ),
        Kind(
            "denoiser",
            "removes Gaussian noise of a level it is told",
            DenoiserConfig,
            network=Denoiser,
            purpose=CLEAN,
        ),
        Kind(
            "multiscale",
            "takes off noise of a level it is told, or other faults, at several resolutions",
            MultiScaleConfig,
            network=MultiScale,
            purpose=CLEAN,
        ),
        Kind("upscaler", "adds to bicubic enlargement", UpscalerConfig, network=Upscaler, purpose=ENLARGE),
        Kind("espcn", "three convolutions and a pixel shuffle", EspcnConfig, network=Espcn, purpose=ENLARGE),
        Kind(
            "fsrcnn",
            "thin convolutions and a transposed one that enlarges",
            FsrcnnConfig,
            network=Fsrcnn,
            purpose=ENLARGE,
        ),
        Kind(
            "classifier",
            "tells which class an image belongs to",
            config=ClassifierConfig,
            network=Classifier,
            purpose=CLASSES,
            sized=True,
            classifies=True,
        ),
        Kind(
            "estimator",
            "occlusion maps in one pass",
            EstimatorConfig,
            network=Estimator,
            purpose=WHY,
            sized=True,
            explains=True,
        ),
        Kind(
            "feature-estimator",
            "occlusion maps in one pass, from the classifier's features",
            FeatureEstimatorConfig,
            network=FeatureEstimator,
            purpose=WHY,
            explains=True,
        ),
    ],
)


@dataclass(frozen=True)
class Architecture:
    """What must be known to build a network again: kind and settings, or how somebody's own is called.

    kind "custom" has the settings ``reference`` (FILE.py:CLASS with its arguments, or a registered name), ``sha256`` of
    that file, ``channels``, ``scale``, ``height`` and ``width`` of the images that it was made for, and ``classes``.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]


def architecture_of(
    name: str,
    channels: int,
    size: tuple[int, int] | None = None,
    scale: int | None = None,
    classes: int | None = None,
) -> Architecture:
    """Return the architecture that a name (or a description, or one's own) stands for.

    channels, size (height, width): of the images; size by default what the network is meant for. scale: how many times
    larger the result is than what goes in; by default what the network usually does. classes: how many a classifier
    tells apart, by default two; or an estimator's classifier, for which see
    `estimators.estimator_of`. Raises CuelloError where they are not what the network is made for.
    """
    if own.is_own("network", name):
        checksum = own.source_checksum(name) if own.is_reference(name) else ""
        settings = {"reference": name, "sha256": checksum, "channels": channels, "scale": scale or 1}
        settings |= {"height": size[0], "width": size[1]} if size is not None else {}
        settings |= {"classes": classes} if classes is not None else {}
        return Architecture(own.short(name), "custom", settings)
    spec = find_network(name)
    settings = {**spec.settings, "channels": channels}
    if scale is not None:
        check_scale(spec, scale)
    if spec.scales != (1,):
        settings |= {"scale": scale or spec.scales[0]}
    if KINDS[spec.kind].sized:
        if size is None:
            check_channels(spec, channels)
        height, width = size or usual_size(spec, channels)
        check_numbers(spec, channels, height, width=width)
        name = with_numbers(name, channels * height * width)
        settings |= {"height": height, "width": width}
    if (KINDS[spec.kind].classifies or KINDS[spec.kind].explains) and classes is not None:
        settings |= {"classes": classes}
    try:
        config = KINDS[spec.kind].config.model_validate(settings)
    except pydantic.ValidationError as error:
        raise CuelloError(f"the network {name!r} does not fit these images: {problem_of(error.errors()[0])}.") from None
    return Architecture(name, spec.kind, config.model_dump(mode="json"))


def check_scale(spec: NetworkSpec, scale: int) -> None:
    """Raise CuelloError where a network does not enlarge images so many times."""
    if scale in spec.scales:
        return
    if spec.scales == (1,):
        able = ", ".join(other.name for other in NETWORKS if scale in other.scales)
        raise CuelloError(
            f"the network {spec.name!r} gives images of the size it gets, and --scale={scale} asks for larger ones. "
            f"Networks that enlarge by {scale}: {able or 'none'}. For pairs of equal size, leave --scale out."
        )
    known = ", ".join(map(str, spec.scales))
    if scale == 1:
        raise CuelloError(
            f"the network {spec.name!r} enlarges images, and these pairs have equal sizes. Name a scale (--scale=2; it "
            f"does {known}), or a network that keeps the size (see `cuello models`)."
        )
    raise CuelloError(f"the network {spec.name!r} enlarges by {known}; got --scale={scale}.")


def usual_channels(name: str) -> int:
    """Return how many channels a network's images have where nobody says: 3, or what its numbers can be.

    >>> [usual_channels(name) for name in ("unet-s", "vae:784-400-2", "vae:2352-400-2", "mlp:35-2")]
    [3, 1, 3, 1]
    """
    if own.is_own("network", name):
        return 3
    spec = find_network(name)
    square = spec.pixels is None or 3 * math.isqrt(spec.pixels // 3) ** 2 == spec.pixels
    return spec.channels or (3 if square else 1)


def usual_size(spec: NetworkSpec, channels: int) -> tuple[int, int]:
    """Return height and width of the images that a network for one size is meant for.

    Where it is made for a count of numbers alone, the sides are as equal as they can be.
    """
    if spec.size is not None:
        return spec.size
    if spec.pixels is None:
        return 28, 28
    numbers = max(1, spec.pixels // channels)
    width = next(side for side in range(math.isqrt(numbers), 0, -1) if numbers % side == 0)
    return numbers // width, width


def check_channels(spec: NetworkSpec, channels: int) -> None:
    """Raise CuelloError where no images of so many channels have the numbers that a network is made for."""
    if spec.pixels is not None and spec.pixels % channels:
        fits = usual_channels(spec.name)
        rows, columns = usual_size(spec, fits)
        known = f"{columns}×{rows} pixels of {fits} channel{'s' if fits > 1 else ''}"
        raise CuelloError(
            f"the network {spec.name!r} is made for images of {spec.pixels} numbers, which {channels} channels cannot "
            f"have; {known} have them. Use --channels={fits}."
        )


def check_numbers(spec: NetworkSpec, channels: int, height: int, width: int) -> None:
    """Raise CuelloError where images have not the numbers that a network is made for."""
    numbers = channels * height * width
    if spec.pixels in (None, numbers):
        return
    remedies = []
    if channels > 1 and (spec.channels == 1 or height * width == spec.pixels):
        remedies.append("make them grey (--channels=1)")
    rows, columns = usual_size(spec, spec.channels or channels)
    known = spec.size is not None or rows == columns
    if known and (rows, columns) != (height, width) and rows * columns * (spec.channels or channels) == spec.pixels:
        remedies.append(f"resize them (--resize={columns}x{rows})")
    if spec.description is not None:
        family, _, widths = spec.description.partition(":")
        remedies.append(f"write widths for them (--model={family}:{numbers}-{widths.partition('-')[2]})")
    remedy = ", or ".join(remedies)
    raise CuelloError(
        f"the network {spec.name!r} is made for images of {spec.pixels} numbers; these have {width}×{height} pixels "
        f"and {channels} channel{'s' if channels > 1 else ''}, {numbers} numbers. {remedy[:1].upper()}{remedy[1:]}."
    )


def build(architecture: Architecture, named: Any = None, most: int | None = None) -> ImageNetwork:
    """Make the network of an architecture, with fresh weights from torch's default generator.

    named: what the caller names for a network of somebody's own: FILE.py:CLASS, a registered name, or the class itself;
    None: it is built only where its file may run. most: bytes that the weights may take; by default what training can
    have of the free memory.
    Raises CuelloError where the settings are not this version's, too large, or code would run that the user did not
    name.
    """
    if architecture.kind == "custom":
        return build_custom(architecture, named)
    kind, config = KINDS[architecture.kind], config_of(architecture)
    try:
        network = built(lambda: kind.network(config), architecture.name, most)
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        raise CuelloError(f"the network {architecture.name!r} could not be made: {error}.") from error
    if network.stride > MOST_STRIDE:
        raise CuelloError(
            f"the network {architecture.name!r} takes images whose sides are a multiple of {network.stride} pixels, at "
            f"most {MOST_STRIDE} are possible. Take fewer layers that halve the sides."
        )
    return network


def config_of(architecture: Architecture) -> pydantic.BaseModel:
    """Return the checked settings of one of Cuello's own networks; CuelloError where they are not this version's."""
    try:
        return KINDS[architecture.kind].config.model_validate(dict(architecture.settings))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise CuelloError(
            f"the network {architecture.name!r} has settings this version does not know "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}). Use the version of cuello that wrote it."
        ) from None


def build_custom(architecture: Architecture, named: Any = None) -> ImageNetwork:
    """Make somebody's own network, if the caller named its code."""
    settings = architecture.settings
    part = part_of(settings["reference"], named)
    if settings["sha256"] and part.checksum and part.checksum != settings["sha256"]:
        warnings.warn(f"{part.path} has changed since this model was trained with it.", stacklevel=2)
    size = (settings["height"], settings["width"]) if "height" in settings else None
    return custom.built_custom(
        part, settings["channels"], scale=settings.get("scale", 1), size=size, classes=settings.get("classes")
    )


def part_of(reference: str, named: Any) -> own.Part:
    """Return what an architecture of the kind "custom" is built from; CuelloError where the caller did not name it."""
    text = reference if named is None else own.text_of("network", named)
    if named is None and not own.may_run("network", reference):
        raise CuelloError(
            f"this model's network is somebody's own code ({reference}), and code is run only if you name it: "
            f"add --network={reference} with the path where you have that file."
        )
    with own.naming(text):
        part = own.find("network", text) if own.is_own("network", text) else None
    if part is None:
        raise CuelloError(f"this model's network is {reference}; got --network={text}, needed FILE.py:CLASS.")
    return part if part.arguments else replace(part, arguments=own.arguments_of(reference))
