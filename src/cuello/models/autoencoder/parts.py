"""Autoencoders by their parts: the numbers of the code, of hidden layers, of filters, made into a description."""

from collections.abc import Mapping
from typing import Any

from cuello.core.errors import CuelloError
from cuello.models.autoencoder.names import ANY, FAMILIES

PARTS = ("latent", "hidden", "filters", "activation", "dropout")
"""Settings that say what stands in a description."""
CONVOLUTIONAL = {"mlp": "ae"}
"""What a family of dense layers is called with convolutions."""
IN_SPACE = ("vq", "fsq")
"""Families whose code lies in space where there are convolutions."""
USUAL_HIDDEN = "256,64"
"""Hidden layers where a code is all that is said."""


def described_by(parts: Mapping[str, Any], family: str) -> str:
    """Return the description that parts come to; CuelloError where they are incomplete.

    parts: those of PARTS that are given, hidden and filters as numbers with commas between ("none": no hidden layer).

    >>> described_by({"latent": 8, "hidden": "256,64", "activation": "relu"}, "mlp")
    'mlp:auto-256-64-8,activation=relu'
    >>> described_by({"latent": 16, "filters": "16,32"}, "vae")
    'vae:c16-c32-16'
    """
    filters, hidden = (widths_of(parts, name) for name in ("filters", "hidden"))
    if "latent" not in parts:
        given = ", ".join(f"--{name}={value}" for name, value in parts.items())
        raise CuelloError(f"got {given} without the numbers of the code. Add them, e.g. --latent=8.")
    if not filters and "hidden" not in parts:
        hidden = USUAL_HIDDEN.split(",")
    family = CONVOLUTIONAL.get(family, family) if filters else family
    code = f"c{parts['latent']}" if filters and family in IN_SPACE and not hidden else str(parts["latent"])
    first = [f"c{width}" for width in filters] or [ANY]
    options = "".join(f",{name}={parts[name]}" for name in ("activation", "dropout") if name in parts)
    return f"{family}:{'-'.join([*first, *hidden, code])}{options}"


def widths_of(parts: Mapping[str, Any], name: str) -> list[str]:
    """Return numbers written with commas; CuelloError where they are none."""
    text = parts.get(name, "none")
    widths = [] if text == "none" else text.split(",")
    if not all(width.isascii() and width.isdigit() and int(width) for width in widths):
        none = ", or none" if name == "hidden" else ""
        raise CuelloError(f"{name}: got {text!r}, needed whole numbers with commas between, such as 256,64{none}.")
    return widths


def with_described(settings: Mapping[str, Any], usual: str | None) -> dict[str, Any]:
    """Return settings with the parts of a network made into its description, as ``model``.

    usual: the family where ``model`` names none, None for a job without autoencoders. Raises CuelloError where the
    parts do not go with the model.
    """
    parts = {name: settings[name] for name in PARTS if settings.get(name) is not None}
    rest = {name: value for name, value in settings.items() if name not in PARTS}
    if not parts:
        return rest
    model, (first, value) = settings.get("model"), next(iter(parts.items()))
    families = ", ".join(FAMILIES)
    if usual is None:
        raise CuelloError(
            f"got --{first}={value}, which describes an autoencoder; there is none in the job {settings['job']!r}. "
            "Leave it out."
        )
    if model not in (None, "auto", *FAMILIES):
        raise CuelloError(
            f"got --{first}={value} and --model={model}, which says itself what the network is. Leave out one of them, "
            f"or name a family as the model: {families}."
        )
    return {**rest, "model": described_by(parts, model if model in FAMILIES else usual)}
