"""The networks by name, and how to build one from its name or from what an artefact says of it."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pydantic

from cuello.core.errors import CuelloError, closest
from cuello.core.registry import Registry
from cuello.models import custom
from cuello.models.autoencoder.names import FAMILIES, is_description, parse_description, problem_of
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
from cuello.models.residual import ResidualConfig, ResidualNetwork
from cuello.models.strided import StridedAutoencoder, StridedConfig
from cuello.models.unet import UNet, UNetConfig
from cuello.models.upscaler import Upscaler, UpscalerConfig


@dataclass(frozen=True)
class Kind:
    """A family of networks: its name in artefacts, its settings, its class.

    sized: made for images of one size. classifies: gives a score a class, and no image. explains: gives the occlusion
    map of a classifier, one channel, and may be told the class.
    """

    name: str
    summary: str
    config: type[pydantic.BaseModel]
    network: Callable[[Any], ImageNetwork]
    sized: bool = False
    classifies: bool = False
    explains: bool = False


KINDS: Registry[Kind] = Registry(
    "kind of network",
    [
        Kind("impulse", "marks impulses and fills them", ImpulseConfig, ImpulseNetwork),
        Kind("convolutional", "convolutional autoencoder", ConvolutionalConfig, ConvolutionalAutoencoder),
        Kind("doubled", "autoencoder of doubled convolutions, maybe dense inside", DoubledConfig, DoubledAutoencoder),
        Kind("autoencoder", "encoder, bottleneck and decoder for one size", AutoencoderConfig, Autoencoder, sized=True),
        Kind("unet", "U-Net that predicts the noise", UNetConfig, UNet),
        Kind("residual", "stack of convolutions that predicts the noise", ResidualConfig, ResidualNetwork),
        Kind("strided", "strided convolutions and their mirror", StridedConfig, StridedAutoencoder),
        Kind("denoiser", "takes off Gaussian noise of a level it is told", DenoiserConfig, Denoiser),
        Kind("upscaler", "adds to bicubic enlargement", UpscalerConfig, Upscaler),
        Kind("espcn", "three convolutions and a pixel shuffle", EspcnConfig, Espcn),
        Kind("fsrcnn", "thin convolutions and a transposed one that enlarges", FsrcnnConfig, Fsrcnn),
        Kind("classifier", "tells which class an image belongs to", ClassifierConfig, Classifier, True, True),
        Kind("estimator", "occlusion maps in one pass", EstimatorConfig, Estimator, sized=True, explains=True),
        Kind(
            "feature-estimator",
            "occlusion maps in one pass, from the classifier's features",
            FeatureEstimatorConfig,
            FeatureEstimator,
            explains=True,
        ),
    ],
)


@dataclass(frozen=True)
class NetworkSpec:
    """A named network: its kind, the settings that make it, and the training settings recommended for it.

    Where its kind is made for images of one size: size is the height and width that it is meant for; pixels are the
    numbers of an image (C · H · W) that alone it takes, None for any; channels are those of its images, None for any;
    description is what it can be written as. scales: how many times it can enlarge images, the usual one first.
    """

    name: str
    summary: str
    kind: str
    settings: Mapping[str, Any]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    pixels: int | None = None
    channels: int | None = None
    description: str | None = None
    scales: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Architecture:
    """What must be known to build a network again: kind and settings, or a reference to somebody's own file.

    kind "custom" has the settings ``reference`` (FILE.py:CLASS), ``sha256`` of that file, ``channels`` and ``scale``.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]


def convolutional(filters: tuple[int, ...], summary: str) -> NetworkSpec:
    """Name one of the convolutional autoencoders by its filters."""
    name = "conv-" + ("-".join(map(str, filters)) or "single")
    return NetworkSpec(name, summary, "convolutional", {"filters": filters}, CONVOLUTIONAL_RECIPE)


def described(
    name: str,
    description: str,
    summary: str,
    size: tuple[int, int],
    recipe: Mapping[str, Any] | None = None,
    any_size: bool = False,
) -> NetworkSpec:
    """Name an autoencoder by its description.

    size: height and width of the images it is meant for. recipe: what is put over the family's. any_size: images of
    others fit too, whatever number of theirs the description begins with.
    """
    spec = find_network(description)
    found = replace(spec, name=name, summary=summary, size=size, recipe={**spec.recipe, **(recipe or {})})
    if any_size or spec.pixels is None:
        return replace(found, pixels=None)
    return replace(found, channels=spec.pixels // (size[0] * size[1]))


def estimator(ending: str, summary: str, settings: Mapping[str, Any]) -> NetworkSpec:
    """Name one of the occlusion source's estimators."""
    return NetworkSpec(f"explain-hits{ending}", summary, "estimator", settings, ESTIMATOR_RECIPE, size=(21, 21))


def find_network(name: str) -> NetworkSpec:
    """Return the network that a name, or a description such as ``mlp:35-20-2``, stands for; CuelloError for others."""
    if not is_description(name):
        first = name.partition("-")[0]
        if name not in NETWORKS and first in FAMILIES:
            raise CuelloError(
                f"there is no network called {name!r}.{closest(name, NETWORKS.names())} Other widths are written "
                f"with a colon and the numbers of an image first, as in {first}:784-20-2."
            )
        return NETWORKS[name]
    family, pixels, settings = parse_description(name)
    about = FAMILIES[family]
    return NetworkSpec(name, about.summary, "autoencoder", settings, about.recipe, pixels=pixels, description=name)


IMPULSE_RECIPE: dict[str, Any] = {
    "optimizer": "adamw", "learning_rate": 1e-2, "batch_size": 16, "warmup_epochs": 0.3, "augment": True, "epochs": 8,
}  # fmt: skip
CONVOLUTIONAL_RECIPE = {"batch_size": 64, "learning_rate": 1e-2, "warmup_epochs": 0.5}
DOUBLED_RECIPE = {"batch_size": 64, "learning_rate": 1e-3, "warmup_epochs": 0.5}
MNIST_RECIPE: dict[str, Any] = {  # the source's; Adam soon makes all images of the convolutional one black, for good
    "optimizer": "sgd", "learning_rate": 1.0, "momentum": 0.5, "nesterov": True, "schedule": "constant",
    "warmup_epochs": 0.0, "batch_size": 128, "epochs": 50,
}  # fmt: skip
RESIDUAL_RECIPE = {"batch_size": 32, "learning_rate": 2e-3, "warmup_epochs": 0.5, "clip": 1.0}
DENOISER_RECIPE: dict[str, Any] = {
    "optimizer": "adamw", "batch_size": 16, "learning_rate": 2e-3, "warmup_epochs": 0.3, "augment": True, "clip": 1.0,
    "loss": "l1", "ema": 0.999,
}  # fmt: skip
UPSCALING_RECIPE: dict[str, Any] = {
    "optimizer": "adamw", "batch_size": 16, "learning_rate": 2e-3, "warmup_epochs": 0.3, "augment": True, "clip": 1.0,
}  # fmt: skip
UPSCALER_RECIPE = {**UPSCALING_RECIPE, "loss": "l1", "ema": 0.999}
STRIDED_RECIPE: dict[str, Any] = {  # the source's
    "optimizer": "adam", "learning_rate": 1e-2, "weight_decay": 1e-5, "schedule": "constant", "warmup_epochs": 0.0,
    "batch_size": 64, "epochs": 20,
}  # fmt: skip
HITS_RECIPE: dict[str, Any] = {  # the source's
    "optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "batch_size": 10, "patience": 3,
}  # fmt: skip
CLASSIFIER_RECIPE: dict[str, Any] = {
    "optimizer": "adamw", "learning_rate": 3e-3, "weight_decay": 1e-2, "batch_size": 32, "warmup_epochs": 0.3,
    "epochs": 15,
}  # fmt: skip
ESTIMATOR_RECIPE: dict[str, Any] = {  # the source's
    "optimizer": "adadelta", "learning_rate": 1.0, "schedule": "constant", "warmup_epochs": 0.0, "batch_size": 10,
    "loss": "bce", "patience": 3,
}  # fmt: skip
FEATURE_ESTIMATOR_RECIPE: dict[str, Any] = {
    "optimizer": "adamw", "learning_rate": 3e-3, "batch_size": 32, "warmup_epochs": 0.3, "loss": "bce", "epochs": 15,
}  # fmt: skip
CLASSIFY_S: dict[str, Any] = {"stages": ((16,), (32,), (64,)), "norm": True, "pooling": "global"}
FOUR_STRIDED = (16, 32, 64, 128)
SCALES = (2, 3, 4, 5, 6, 7, 8)

NETWORKS: Registry[NetworkSpec] = Registry(
    "network",
    [
        NetworkSpec("impulse-s", "marks impulses and fills them, small", "impulse", {}, IMPULSE_RECIPE),
        NetworkSpec("impulse-m", "… medium", "impulse", {"features": 40, "passes": 2}, IMPULSE_RECIPE),
        NetworkSpec("impulse-l", "… large", "impulse", {"features": 80, "passes": 3}, IMPULSE_RECIPE),
        convolutional((8, 16, 8), "the salt-pepper source's chosen autoencoder"),
        convolutional((16, 32, 16), "its sibling with twice the filters"),
        convolutional((32, 64, 32), "its sibling with four times the filters"),
        convolutional((32, 64, 128, 64, 32), "its sibling with six convolutions"),
        convolutional((16,), "its sibling with two convolutions"),
        convolutional((), "its sibling with a single convolution"),
        NetworkSpec("doubled-32-64-128", "its sibling with doubled convolutions", "doubled", {}, DOUBLED_RECIPE),
        NetworkSpec(
            "dense-8-16-32",
            "… and dense layers, 8 filters at first (guessed from a count)",
            "doubled",
            {"filters": (8, 16, 32), "code": 108},
            DOUBLED_RECIPE,
        ),
        NetworkSpec(
            "dense-32-64-128",
            "… and dense layers, more filters (guessed from a count)",
            "doubled",
            {"code": 310},
            DOUBLED_RECIPE,
        ),
        NetworkSpec(
            "unet-s", "U-Net that predicts the noise, small", "unet", {"width": 8, "depth": 2}, RESIDUAL_RECIPE
        ),
        NetworkSpec("unet-m", "… medium", "unet", {"width": 16, "depth": 3}, RESIDUAL_RECIPE),
        NetworkSpec("unet-l", "… large", "unet", {"width": 32, "depth": 4}, RESIDUAL_RECIPE),
        described(
            "mlp-20-2", "mlp:35-20-2,code=tanh", "dense autoencoder, tanh: of the glyphs source", (7, 5), any_size=True
        ),
        described("mlp-32-8-2", "mlp:35-32-8-2,code=tanh", "… with three hidden layers", (7, 5), any_size=True),
        described(
            "mnist-dense",
            "mlp:784-512,code=relu",
            "the mnist source's dense autoencoder (its ReLU is a guess)",
            (28, 28),
            recipe=MNIST_RECIPE,
        ),
        described(
            "mnist-conv",
            "ae:784-c16-c8-c8,activation=relu,code=relu,weights=glorot,unpadded=3",
            "… its convolutional one, with a code of 4×4×8",
            (28, 28),
            recipe=MNIST_RECIPE,
        ),
        described(
            "conv-128",
            "ae:c32-c64-128,halving=stride",
            "convolutional autoencoder, a code of 128 numbers",
            (28, 28),
            any_size=True,
        ),
        described(
            "vae-200-2", "vae:784-200-2,activation=relu", "variational autoencoder, dense", (28, 28), any_size=True
        ),
        described("vae-400-200-2", "vae:400-200-2", "… the glyphs source's, for 400 pixels", (20, 20)),
        described(
            "conv-vae-16",
            "vae:c16-c32-16,halving=stride",
            "… convolutional, a code of 16 numbers",
            (28, 28),
            any_size=True,
        ),
        described(
            "infovae-200-8",
            "infovae:784-200-8,activation=relu",
            "InfoVAE: all codes together near N(0, 1)",
            (28, 28),
            any_size=True,
        ),
        described(
            "wae-200-8", "wae:784-200-8,activation=relu", "Wasserstein autoencoder, dense", (28, 28), any_size=True
        ),
        described(
            "contractive-200-32",
            "contractive:784-200-32,activation=relu",
            "autoencoder whose code small changes hardly move",
            (28, 28),
            any_size=True,
        ),
        described("sparse-400", "sparse:784-400", "autoencoder most of whose code is near 0", (28, 28), any_size=True),
        described(
            "vq-c32-c16",
            "vq:c32-c16,halving=stride",
            "convolutional autoencoder with a codebook",
            (28, 28),
            any_size=True,
        ),
        described(
            "fsq-c32-c4",
            "fsq:c32-c4,halving=stride,levels=8-5-5-5",
            "convolutional autoencoder with a rounded code",
            (28, 28),
            any_size=True,
        ),
        NetworkSpec("dncnn-s", "DnCNN-like, small", "residual", {"depth": 6, "width": 16}, RESIDUAL_RECIPE),
        NetworkSpec("dncnn-m", "… medium", "residual", {"depth": 10, "width": 32}, RESIDUAL_RECIPE),
        NetworkSpec("dncnn-l", "… as large as the paper's", "residual", {"depth": 17, "width": 64}, RESIDUAL_RECIPE),
        NetworkSpec("denoise-s", "Gaussian noise of any level, one model", "denoiser", {}, DENOISER_RECIPE),
        NetworkSpec(
            "up-s", "enlarges: bicubic and what it lacks, small", "upscaler", {}, UPSCALER_RECIPE, scales=SCALES
        ),
        NetworkSpec("up-m", "… medium", "upscaler", {"width": 24, "depth": 5}, UPSCALER_RECIPE, scales=SCALES),
        NetworkSpec("espcn", "enlarges: ESPCN of 2016", "espcn", {}, UPSCALING_RECIPE, scales=SCALES),
        NetworkSpec("fsrcnn", "enlarges: FSRCNN of 2016", "fsrcnn", {}, UPSCALING_RECIPE, scales=SCALES),
        NetworkSpec("strided-3", "the super-resolution source's, three layers", "strided", {}, STRIDED_RECIPE),
        NetworkSpec("strided-4", "… four layers", "strided", {"filters": FOUR_STRIDED}, STRIDED_RECIPE),
        NetworkSpec(
            "strided-4-tanh", "… tanh", "strided", {"filters": FOUR_STRIDED, "activation": "tanh"}, STRIDED_RECIPE
        ),
        NetworkSpec(
            "strided-4-sigmoid",
            "… sigmoid",
            "strided",
            {"filters": FOUR_STRIDED, "activation": "sigmoid"},
            STRIDED_RECIPE,
        ),
        NetworkSpec(
            "strided-4-norm",
            "… batch normalisation and dropout (its share is a guess)",
            "strided",
            {"filters": FOUR_STRIDED, "norm": True, "dropout": 0.2},
            STRIDED_RECIPE,
        ),
        NetworkSpec(
            "strided-unet",
            "… its U-Net of five convolutions",
            "strided",
            {"filters": (32, 64, 128, 256, 512), "bottom": None, "skips": True},
            STRIDED_RECIPE,
        ),
        NetworkSpec(
            "classify-s",
            "classifier, small, images of any size",
            "classifier",
            CLASSIFY_S,
            CLASSIFIER_RECIPE,
        ),
        NetworkSpec(
            "classify-mnist",
            "… two convolutions and dense layers, for small images",
            "classifier",
            {"stages": ((16,), (32,)), "dense": (64,), "dropout": 0.5},
            CLASSIFIER_RECIPE,
        ),
        NetworkSpec(
            "classify-hits",
            "… the occlusion source's, without activations",
            "classifier",
            {
                "stages": ((32, 32), (64, 64, 64)),
                "first": 4,
                "unpadded": 1,
                "pad": 3,
                "activation": "none",
                "dense": (64, 64),
                "dropout": 0.5,
            },
            HITS_RECIPE,
            size=(21, 21),
        ),
        estimator("", "estimates occlusion maps: the occlusion source's, from fresh weights", {}),
        estimator("-frozen", "… the classifier's convolutions, frozen", {"encoder": "frozen"}),
        estimator("-fine-tuned", "… the classifier's convolutions, trained on", {"encoder": "fine-tuned"}),
        estimator("-number", "… told the class as a number", {"condition": "number"}),
        estimator("-one-hot", "… told the class, one-hot", {"condition": "one-hot"}),
        estimator("-embedding", "… told the class, an embedding", {"condition": "embedding"}),
        estimator("-cut-2", "… cut at the second pooling: no dense layer", {"cut": 2}),
        estimator("-cut-1", "… cut at the first pooling", {"cut": 1}),
        NetworkSpec(
            "explain-s",
            "… from the classifier's features, small, images of any size",
            "feature-estimator",
            {"classifier": CLASSIFY_S},
            FEATURE_ESTIMATOR_RECIPE,
        ),
    ],
)


def architecture_of(
    name: str,
    channels: int,
    size: tuple[int, int] | None = None,
    scale: int | None = None,
    classes: int | None = None,
) -> Architecture:
    """Return the architecture that a name (or a description, or FILE.py:CLASS) stands for.

    channels, size (height, width): of the images; size by default what the network is meant for. scale: how many times
    larger the result is than what goes in; by default what the network usually does. classes: how many a classifier
    tells apart, by default two; or an estimator's classifier, for which see
    `estimators.estimator_of`. Raises CuelloError where they are not what the network is made for.
    """
    if custom.is_reference(name):
        checksum = custom.source_checksum(name)
        settings = {"reference": name, "sha256": checksum, "channels": channels, "scale": scale or 1}
        return Architecture(name, "custom", settings)
    spec = find_network(name)
    settings = {**spec.settings, "channels": channels}
    if scale is not None:
        check_scale(spec, scale)
    if spec.scales != (1,):
        settings |= {"scale": scale or spec.scales[0]}
    if KINDS[spec.kind].sized:
        height, width = size or usual_size(spec, channels)
        check_numbers(spec, channels, height, width)
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


def usual_size(spec: NetworkSpec, channels: int) -> tuple[int, int]:
    """Return height and width of the images that a network for one size is meant for; a square where only that fits."""
    if spec.size is not None:
        return spec.size
    if spec.pixels is None:
        return 28, 28
    numbers = spec.pixels // channels
    side = math.isqrt(numbers)
    return (side, side) if side * side == numbers else (max(1, numbers), 1)


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


def build(architecture: Architecture, allowed_code: str | None = None) -> ImageNetwork:
    """Make the network of an architecture, with fresh weights from torch's default generator.

    allowed_code: the FILE.py:CLASS that the user named; a custom architecture is built from nothing else.
    Raises CuelloError where the settings are not this version's, or code would run that the user did not name.
    """
    if architecture.kind == "custom":
        return build_custom(architecture, allowed_code)
    kind = KINDS[architecture.kind]
    try:
        return kind.network(kind.config.model_validate(dict(architecture.settings)))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise CuelloError(
            f"the network {architecture.name!r} has settings this version does not know "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}). Use the version of cuello that wrote it."
        ) from None


def build_custom(architecture: Architecture, allowed_code: str | None) -> ImageNetwork:
    """Make somebody's own network, if the user named its code."""
    reference = architecture.settings["reference"]
    if allowed_code is None:
        raise CuelloError(
            f"this model's network is code of somebody's own ({reference}), and code is run only if you name it: "
            f"add --network={reference} with the path where you have that file."
        )
    if not custom.is_reference(allowed_code):
        raise CuelloError(f"this model's network is {reference}; got --network={allowed_code}, needed FILE.py:CLASS.")
    if custom.source_checksum(allowed_code) != architecture.settings["sha256"]:
        warnings.warn(f"{allowed_code} has changed since this model was trained with it.", stacklevel=2)
    return custom.build_custom(allowed_code, architecture.settings["channels"], architecture.settings.get("scale", 1))
