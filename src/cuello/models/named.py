"""The networks by name: their settings, what they are for, and how they are best trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cuello.core.errors import CuelloError, closest
from cuello.core.registry import Registry
from cuello.models.autoencoder.names import FAMILIES, is_description, parse_description

LONGEST_NAME = 1000


@dataclass(frozen=True, kw_only=True)
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


def family(
    kind: str, recipe: Mapping[str, Any], networks: Mapping[str, tuple[str, Any]], **about: Any
) -> list[NetworkSpec]:
    """List networks of one kind, given as a summary and settings each."""
    return [
        NetworkSpec(name=name, summary=summary, kind=kind, settings=settings, recipe=recipe, **about)
        for name, (summary, settings) in networks.items()
    ]


def described(
    networks: Mapping[str, tuple[str, str]],
    *,
    size: tuple[int, int] = (28, 28),
    recipe: Mapping[str, Any] | None = None,
    any_size: bool = True,
) -> list[NetworkSpec]:
    """List autoencoders, given as a description and a summary each.

    size: height and width of the images they are meant for. recipe: what is put over the family's. any_size: images of
    others fit too, whatever number of theirs the description begins with.
    """
    found = []
    for name, (description, summary) in networks.items():
        spec = find_network(description)
        spec = replace(spec, name=name, summary=summary, size=size, recipe={**spec.recipe, **(recipe or {})})
        if any_size or spec.pixels is None:
            found.append(replace(spec, pixels=None))
        else:
            found.append(replace(spec, channels=spec.pixels // (size[0] * size[1])))
    return found


def find_network(name: str) -> NetworkSpec:
    """Return the network that a name, or a description such as ``mlp:35-20-2``, stands for; CuelloError for others."""
    if len(name) > LONGEST_NAME:
        raise CuelloError(f"the name {name[:20]!r}… has {len(name)} letters, needed {LONGEST_NAME} at most.")
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
    return NetworkSpec(
        name=name, summary=about.summary, kind="autoencoder", settings=settings, recipe=about.recipe, pixels=pixels,
        description=name,
    )  # fmt: skip


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
QUICK_RECIPE = {**DENOISER_RECIPE, "optimizer": "muon", "learning_rate": 1e-2, "loss": "rmse"}
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

CLASSIFY_HITS: dict[str, Any] = {
    "stages": ((32, 32), (64, 64, 64)), "first": 4, "unpadded": 1, "pad": 3, "activation": "none", "dense": (64, 64),
    "dropout": 0.5,
}  # fmt: skip

NETWORKS: Registry[NetworkSpec] = Registry(
    "network",
    [
        *family("impulse", IMPULSE_RECIPE, {
            "impulse-s": ("marks impulses and fills them, small", {}),
            "impulse-m": ("… medium", {"features": 40, "passes": 2}),
            "impulse-l": ("… large", {"features": 80, "passes": 3}),
        }),
        *family("convolutional", CONVOLUTIONAL_RECIPE, {
            "conv-8-16-8": ("the salt-pepper source's chosen autoencoder", {"filters": (8, 16, 8)}),
            "conv-16-32-16": ("… with twice the filters", {"filters": (16, 32, 16)}),
            "conv-32-64-32": ("… with four times the filters", {"filters": (32, 64, 32)}),
            "conv-32-64-128-64-32": ("… with six convolutions", {"filters": (32, 64, 128, 64, 32)}),
            "conv-16": ("… with two convolutions", {"filters": (16,)}),
            "conv-single": ("… with a single convolution", {"filters": ()}),
        }),
        *family("doubled", DOUBLED_RECIPE, {
            "doubled-32-64-128": ("… with doubled convolutions", {}),
            "dense-8-16-32": (
                "… and dense layers, 8 filters at first (guessed from a count)", {"filters": (8, 16, 32), "code": 108},
            ),
            "dense-32-64-128": ("… and dense layers, more filters (guessed from a count)", {"code": 310}),
        }),
        *family("unet", RESIDUAL_RECIPE, {
            "unet-s": ("U-Net that predicts the noise, small", {"width": 8, "depth": 2}),
            "unet-m": ("… medium", {"width": 16, "depth": 3}),
            "unet-l": ("… large", {"width": 32, "depth": 4}),
        }),
        *described({
            "mlp-20-2": ("mlp:35-20-2,code=tanh", "dense autoencoder, tanh: of the glyphs source"),
            "mlp-32-8-2": ("mlp:35-32-8-2,code=tanh", "… with three hidden layers"),
        }, size=(7, 5)),
        *described({
            "mnist-dense": ("mlp:784-512,code=relu", "the mnist source's dense autoencoder (its ReLU is a guess)"),
            "mnist-conv": (
                "ae:784-c16-c8-c8,activation=relu,code=relu,weights=glorot,unpadded=3",
                "… its convolutional one, with a code of 4×4×8",
            ),
        }, recipe=MNIST_RECIPE, any_size=False),
        *described({
            "conv-128": ("ae:c32-c64-128,halving=stride", "convolutional autoencoder, a code of 128 numbers"),
            "vae-200-2": ("vae:784-200-2,activation=relu", "variational autoencoder, dense"),
        }),
        *described({
            "vae-400-200-2": ("vae:400-200-2", "… the glyphs source's, for 400 pixels"),
        }, size=(20, 20), any_size=False),
        *described({
            "conv-vae-16": ("vae:c16-c32-16,halving=stride", "… convolutional, a code of 16 numbers"),
            "infovae-200-8": ("infovae:784-200-8,activation=relu", "InfoVAE: all codes together near N(0, 1)"),
            "wae-200-8": ("wae:784-200-8,activation=relu", "Wasserstein autoencoder, dense"),
            "contractive-200-32": (
                "contractive:784-200-32,activation=relu", "autoencoder whose code small changes of the image hardly "
                "move",
            ),
            "sparse-400": ("sparse:784-400", "autoencoder most of whose code is near 0"),
            "vq-c32-c16": ("vq:c32-c16,halving=stride", "convolutional autoencoder with a codebook"),
            "fsq-c32-c4": ("fsq:c32-c4,halving=stride,levels=8-5-5-5", "convolutional autoencoder with a rounded code"),
        }),
        *family("residual", RESIDUAL_RECIPE, {
            "dncnn-s": ("DnCNN-like, small", {"depth": 6, "width": 16}),
            "dncnn-m": ("… medium", {"depth": 10, "width": 32}),
            "dncnn-l": ("… as large as the paper's", {"depth": 17, "width": 64}),
        }),
        *family("denoiser", DENOISER_RECIPE, {"denoise-s": ("Gaussian noise of any level, one model", {})}),
        *family("multiscale", DENOISER_RECIPE, {
            "denoise-m": ("… at two resolutions, for the same minutes better", {}),
            "restore-m": (
                "takes off JPEG's artefacts, blur and the like, at two resolutions, told how strong they are or not",
                {"told": False, "hinted": True},
            ),
        }),
        *family("multiscale", QUICK_RECIPE, {
            "denoise-quick": ("… as denoise-m, for trainings of a few minutes", {"folded": True}),
        }),
        *family("upscaler", UPSCALER_RECIPE, {
            "up-s": ("bicubic enlargement and what it lacks, small", {}),
            "up-m": ("… medium", {"width": 24, "depth": 5}),
        }, scales=SCALES),
        *family("upscaler", QUICK_RECIPE, {
            "up-quick": ("… as up-s, for trainings of a few minutes", {"folded": True}),
        }, scales=SCALES),
        *family("espcn", UPSCALING_RECIPE, {"espcn": ("ESPCN of 2016", {})}, scales=SCALES),
        *family("fsrcnn", UPSCALING_RECIPE, {"fsrcnn": ("FSRCNN of 2016", {})}, scales=SCALES),
        *family("strided", STRIDED_RECIPE, {
            "strided-3": ("the super-resolution source's, three layers", {}),
            "strided-4": ("… four layers", {"filters": FOUR_STRIDED}),
            "strided-4-tanh": ("… tanh", {"filters": FOUR_STRIDED, "activation": "tanh"}),
            "strided-4-sigmoid": ("… sigmoid", {"filters": FOUR_STRIDED, "activation": "sigmoid"}),
            "strided-4-norm": (
                "… batch normalisation and dropout (its share is a guess)",
                {"filters": FOUR_STRIDED, "norm": True, "dropout": 0.2},
            ),
            "strided-unet": (
                "… its U-Net of five convolutions", {"filters": (32, 64, 128, 256, 512), "bottom": None, "skips": True},
            ),
        }),
        *family("classifier", CLASSIFIER_RECIPE, {
            "classify-s": ("classifier, small, images of any size", CLASSIFY_S),
            "classify-mnist": (
                "… two convolutions and dense layers, for small images",
                {"stages": ((16,), (32,)), "dense": (64,), "dropout": 0.5},
            ),
        }),
        *family("classifier", HITS_RECIPE, {
            "classify-hits": ("… the occlusion source's, without activations", CLASSIFY_HITS),
        }, size=(21, 21)),
        *family("estimator", ESTIMATOR_RECIPE, {
            "explain-hits": ("estimates occlusion maps: the occlusion source's, from fresh weights", {}),
            "explain-hits-frozen": ("… the classifier's convolutions, frozen", {"encoder": "frozen"}),
            "explain-hits-fine-tuned": ("… the classifier's convolutions, trained on", {"encoder": "fine-tuned"}),
            "explain-hits-number": ("… told the class as a number", {"condition": "number"}),
            "explain-hits-one-hot": ("… told the class, one-hot", {"condition": "one-hot"}),
            "explain-hits-embedding": ("… told the class, an embedding", {"condition": "embedding"}),
            "explain-hits-cut-2": ("… cut at the second pooling: no dense layer", {"cut": 2}),
            "explain-hits-cut-1": ("… cut at the first pooling", {"cut": 1}),
        }, size=(21, 21)),
        *family("feature-estimator", FEATURE_ESTIMATOR_RECIPE, {
            "explain-s": (
                "… from the classifier's features, small, images of any size", {"classifier": CLASSIFY_S},
            ),
        }),
    ],
)  # fmt: skip
