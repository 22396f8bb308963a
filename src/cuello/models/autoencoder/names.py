"""Networks by description: FAMILY:WIDTHS,option=value.

WIDTHS go from the image to the code, with hyphens: the numbers of an image (C · H · W), each layer, the code. A width
is a dense layer of so many numbers; with a c before it, a convolution of so many filters that halves the sides.
Convolutions come first, dense layers follow; the decoder has all of it mirrored. A code with a c lies in space: so many
numbers at each place of the smallest picture. The image's numbers may be written auto, for images of any size; where a
convolution comes first, they may be left out.

    mlp:35-20-2,activation=relu     35 pixels, a dense layer of 20 numbers, a code of 2
    vae:784-c16-c32-16,beta=4       28×28 pixels, 14×14 with 16 filters, 7×7 with 32, a code of 16
    ae:c16-c8-c8,code=relu          a code of 8 numbers at each place of an eighth of the image's sides
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pydantic

from cuello.core.errors import CuelloError, closest
from cuello.core.own import is_reference
from cuello.models.autoencoder.base import BottleneckSettings
from cuello.models.autoencoder.deterministic import ContractiveConfig, PlainConfig, SparseConfig
from cuello.models.autoencoder.network import UNFIT_SIZE, AutoencoderConfig
from cuello.models.autoencoder.quantised import ScalarConfig, VectorConfig
from cuello.models.autoencoder.variational import InfoConfig, VariationalConfig, WassersteinConfig


class Family(NamedTuple):
    """What a first word stands for: one line about the networks, their bottleneck, their recipe.

    dense: whether all layers must be dense.
    """

    summary: str
    bottleneck: BottleneckSettings
    recipe: Mapping[str, Any]
    dense: bool = False


DENSE_RECIPE: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 64, "schedule": "cosine"}
RECIPE: dict[str, Any] = {**DENSE_RECIPE, "learning_rate": 3e-3, "warmup_epochs": 0.5}
LIKELIHOOD_RECIPE: dict[str, Any] = {**RECIPE, "loss": "bernoulli"}
FAMILIES: dict[str, Family] = {
    "mlp": Family("dense autoencoder", PlainConfig(), DENSE_RECIPE, dense=True),
    "ae": Family("autoencoder, dense or convolutional", PlainConfig(), RECIPE),
    "vae": Family("variational autoencoder", VariationalConfig(), LIKELIHOOD_RECIPE),
    "infovae": Family("InfoVAE: all codes together near N(0, 1)", InfoConfig(), LIKELIHOOD_RECIPE),
    "wae": Family("Wasserstein autoencoder", WassersteinConfig(), RECIPE),
    "contractive": Family("autoencoder whose code small changes of the image hardly move", ContractiveConfig(), RECIPE),
    "sparse": Family("autoencoder most of whose code is near 0", SparseConfig(), RECIPE),
    "vq": Family("autoencoder with a codebook", VectorConfig(), RECIPE),
    "fsq": Family("autoencoder with a rounded code", ScalarConfig(), RECIPE),
}
"""First words of descriptions."""

LAYER_OPTIONS = {
    "dense": ("activation", "dropout"),
    "conv": ("activation", "dropout", "weights", "kernel", "halving", "unpadded"),
}
OWN_OPTIONS = ("output", "centred")
ANY = "auto"
"""Written for the numbers of an image: those of the images that come."""


class Described(NamedTuple):
    """What a description says: family, numbers of an image (None for any), and settings of an AutoencoderConfig."""

    family: str
    pixels: int | None
    settings: dict[str, Any]


def is_description(name: str) -> bool:
    """Tell whether a name is meant to describe a network: FAMILY:WIDTHS, or a family alone."""
    return (":" in name and not is_reference(name)) or name in FAMILIES


def parse_description(text: str) -> Described:
    """Take FAMILY:WIDTHS,option=value apart; CuelloError that says what is wrong and what there is.

    Options: activation (of hidden layers), dropout (share of what goes into every layer but the first), code
    (activation of the code, where it is plain, sparse or contractive), output, centred (yes or no); of convolutions
    weights, kernel, halving, unpadded; the bottleneck's own settings.

    >>> parse_description("mlp:35-20-2,activation=relu").settings["layers"]
    {'kind': 'dense', 'hidden': [20], 'activation': 'relu'}
    """
    family, _, rest = text.partition(":")
    if family not in FAMILIES:
        raise CuelloError(
            f"{text!r}: there is no family of networks called {family!r}.{closest(family, FAMILIES)} "
            f"Known: {', '.join(FAMILIES)}; or FILE.py:CLASS for your own."
        )
    widths, *options = rest.split(",")
    pixels, layers, code = parse_widths(text, family, widths)
    bottleneck = FAMILIES[family].bottleneck.model_dump()
    settings: dict[str, Any] = {"code": code, "layers": layers, "bottleneck": bottleneck}
    places: dict[str, tuple[dict[str, Any], str]] = {name: (layers, name) for name in LAYER_OPTIONS[layers["kind"]]}
    places |= {name: (settings, name) for name in OWN_OPTIONS}
    places |= {"code" if name == "activation" else name: (bottleneck, name) for name in bottleneck if name != "kind"}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or name not in places:
            raise CuelloError(
                f"{text!r}: there is no option {option!r}.{closest(name, places)} Options are written NAME=VALUE; for "
                f"{family} with {'convolutions' if layers['kind'] == 'conv' else 'dense layers'}: {', '.join(places)}."
            )
        place, key = places[name]
        place[key] = value
    check_settings(text, settings)
    return Described(family, pixels, settings)


def parse_widths(text: str, family: str, widths: str) -> tuple[int | None, dict[str, Any], int]:
    """Return an image's numbers (None for any), settings of the layers, and the code's numbers."""
    if not re.fullmatch(rf"((\d+|{ANY})-(c\d+-)*|(c\d+-)+)(\d+-)*c?\d+", widths):
        others = "" if FAMILIES[family].dense else f", or with convolutions first, {family}:784-c16-c32-8"
        raise CuelloError(
            f"{text!r}: got the widths {widths!r}, needed whole numbers with hyphens, from the image to the code, "
            f"as in {family}:35-20-2{others}."
        )
    *hidden, code = widths.split("-")
    first = None if hidden[0].startswith("c") else hidden.pop(0)
    pixels = None if first in (None, ANY) else int(first)
    filters = [int(width[1:]) for width in hidden if width.startswith("c")]
    dense = [int(width) for width in hidden if not width.startswith("c")]
    numbers, space = int(code.removeprefix("c")), code.startswith("c")
    if not (filters or space):
        return pixels, {"kind": "dense", "hidden": dense}, numbers
    if FAMILIES[family].dense:
        raise CuelloError(f"{text!r}: {family} has dense layers only. With convolutions it is called ae:{widths}.")
    return pixels, {"kind": "conv", "filters": filters, "hidden": dense, "space": space}, numbers


def with_numbers(name: str, pixels: int) -> str:
    """Return a description with the numbers of an image that it leaves open; other names as they are.

    >>> with_numbers("mlp:auto-64-8,activation=relu", 784)
    'mlp:784-64-8,activation=relu'
    """
    family, colon, rest = name.partition(f":{ANY}-")
    return f"{family}:{pixels}-{rest}" if colon else name


def check_settings(text: str, settings: Mapping[str, Any]) -> None:
    """Raise CuelloError for the first setting that no images could fit."""
    try:
        AutoencoderConfig.model_validate(settings)
    except pydantic.ValidationError as error:
        wrong = [problem for problem in error.errors() if problem["type"] != UNFIT_SIZE]
        if wrong:
            raise CuelloError(f"{text!r}: {problem_of(wrong[0])}.") from None


def problem_of(problem: Any) -> str:
    """Put one of pydantic's problems in words: which setting, what was got, what is needed."""
    if problem["type"] in ("value_error", UNFIT_SIZE):
        return problem["msg"].removeprefix("Value error, ")
    needed = problem["msg"].removeprefix("Input should be ")
    setting = [part for part in problem["loc"] if isinstance(part, str)][-1]
    return f"{setting}: got {problem['input']!r}, needed {needed[0].lower()}{needed[1:]}"
