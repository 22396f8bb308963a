"""The networks by name, and how to build one from its name or from what an artefact says of it."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pydantic

from cuello.errors import CuelloError
from cuello.models import custom
from cuello.models.convolutional import ConvolutionalAutoencoder, ConvolutionalConfig
from cuello.models.doubled import DoubledAutoencoder, DoubledConfig
from cuello.models.impulse import ImpulseConfig, ImpulseNetwork
from cuello.models.residual import ResidualConfig, ResidualNetwork
from cuello.models.unet import UNet, UNetConfig
from cuello.registry import Registry
from cuello.types import Output

if TYPE_CHECKING:
    from torch import Tensor, nn


class Network(Protocol):
    """What every network offers; see the built-in ones for examples.

    channels: of the images. stride: the multiple, in pixels, that height and width must be of. receptive_field: side,
    in pixels, of the square centred on an output pixel outside of which no input changes it; None: the whole image.
    """

    @property
    def channels(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def receptive_field(self) -> int | None: ...

    def __call__(self, x: "Tensor", condition: "Tensor | None" = None) -> Output: ...


@dataclass(frozen=True)
class Kind:
    """A family of networks: its name in artefacts, its settings, its class."""

    name: str
    summary: str
    config: type[pydantic.BaseModel]
    network: "type[nn.Module]"


KINDS: Registry[Kind] = Registry(
    "kind of network",
    [
        Kind("impulse", "marks impulses and fills them", ImpulseConfig, ImpulseNetwork),
        Kind("convolutional", "convolutional autoencoder", ConvolutionalConfig, ConvolutionalAutoencoder),
        Kind("doubled", "autoencoder of doubled convolutions, maybe dense inside", DoubledConfig, DoubledAutoencoder),
        Kind("unet", "U-Net that predicts the noise", UNetConfig, UNet),
        Kind("residual", "stack of convolutions that predicts the noise", ResidualConfig, ResidualNetwork),
    ],
)


@dataclass(frozen=True)
class NetworkSpec:
    """A named network: its kind, the settings that make it, and the training settings recommended for it."""

    name: str
    summary: str
    kind: str
    settings: Mapping[str, Any]
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Architecture:
    """What must be known to build a network again: kind and settings, or a reference to somebody's own file.

    kind "custom" has the settings ``reference`` (FILE.py:CLASS), ``sha256`` of that file, and ``channels``.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]


def convolutional(filters: tuple[int, ...], summary: str) -> NetworkSpec:
    """Name one of the convolutional autoencoders by its filters."""
    name = "conv-" + ("-".join(map(str, filters)) or "single")
    return NetworkSpec(name, summary, "convolutional", {"filters": filters}, CONVOLUTIONAL_RECIPE)


IMPULSE_RECIPE: dict[str, Any] = {
    "optimizer": "adamw", "learning_rate": 1e-2, "batch_size": 16, "warmup_epochs": 0.3, "augment": True, "epochs": 8,
}  # fmt: skip
CONVOLUTIONAL_RECIPE = {"batch_size": 64, "learning_rate": 1e-2, "warmup_epochs": 0.5}
DOUBLED_RECIPE = {"batch_size": 64, "learning_rate": 1e-3, "warmup_epochs": 0.5}
RESIDUAL_RECIPE = {"batch_size": 32, "learning_rate": 2e-3, "warmup_epochs": 0.5, "clip": 1.0}

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
        NetworkSpec("dncnn-s", "DnCNN-like, small", "residual", {"depth": 6, "width": 16}, RESIDUAL_RECIPE),
        NetworkSpec("dncnn-m", "… medium", "residual", {"depth": 10, "width": 32}, RESIDUAL_RECIPE),
        NetworkSpec("dncnn-l", "… as large as the paper's", "residual", {"depth": 17, "width": 64}, RESIDUAL_RECIPE),
    ],
)


def architecture_of(name: str, channels: int) -> Architecture:
    """Return the architecture that a name (or FILE.py:CLASS) stands for, for images of ``channels`` channels."""
    if custom.is_reference(name):
        settings = {"reference": name, "sha256": custom.source_checksum(name), "channels": channels}
        return Architecture(name, "custom", settings)
    spec = NETWORKS[name]
    config = KINDS[spec.kind].config.model_validate({**spec.settings, "channels": channels})
    return Architecture(name, spec.kind, config.model_dump(mode="json"))


def build(architecture: Architecture, allowed_code: str | None = None) -> "nn.Module":
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


def build_custom(architecture: Architecture, allowed_code: str | None) -> "nn.Module":
    """Make somebody's own network, if the user named its code."""
    reference = architecture.settings["reference"]
    if allowed_code is None:
        raise CuelloError(
            f"this model's network is code of somebody's own ({reference}), and code is run only if you name it: "
            f"add --model {reference} (in Python: network={reference!r}) with the path where you have that file."
        )
    if not custom.is_reference(allowed_code):
        raise CuelloError(f"this model's network is {reference}; got --model {allowed_code}, needed FILE.py:CLASS.")
    if custom.source_checksum(allowed_code) != architecture.settings["sha256"]:
        warnings.warn(f"{allowed_code} has changed since this model was trained with it.", stacklevel=2)
    return custom.build_custom(allowed_code, architecture.settings["channels"])
