"""What `cuello models` says of the trained models that come with the package."""

import json
import math
import struct
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.mixtures import MIXTURES
from cuello.core.rights import stated
from cuello.inference.bundled import BUNDLED, BundledSpec

INDENT, WIDTH = " " * 4, 80
KEPT = ("epochs", "minutes", "machine", "scores", "multiply_adds_a_pixel", "commands")
"""What ``benchmarks/bundle.py`` writes of each."""


def ready_models() -> list[dict[str, Any]]:
    """Return each model as plain values: what it does, how it was trained, what it scores and how that was measured."""
    return [ready_model(spec) for spec in BUNDLED]


def ready_model(spec: BundledSpec) -> dict[str, Any]:
    """Return a model as plain values: what it is for and not for, whose, how it was trained, and what it scores."""
    about, shapes = header_of(spec.path)
    training, metrics = about["training"], about["metrics"]
    return {
        "name": spec.name,
        "summary": spec.summary,
        "not_for": spec.not_for,
        "ready": True,
        "network": about["architecture"]["name"],
        "channels": about["architecture"]["settings"]["channels"],
        "parameters": sum(math.prod(shape) for shape in shapes),
        "kilobytes": round(spec.path.stat().st_size / 1000),
        "degradation": about["noise"],
        "training": training,
        "trained_on": about["trained_on"],
        "rights": stated(training),
        **{key: metrics[key] for key in KEPT},
    }


def header_of(path: Path) -> tuple[dict[str, Any], list[list[int]]]:
    """Return what a ready model's file says of itself, and the shapes of its tensors, without reading these.

    A safetensors file begins with the length of its header, 8 bytes, little end first, and the header, which is JSON.
    """
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    about = json.loads(header.pop("__metadata__")["cuello"])
    return about, [tensor["shape"] for tensor in header.values()]


def print_ready() -> None:
    """Print the models, some lines each: a table of all that would be too wide."""
    from cuello.cli.render import print_text

    print("READY TO USE: cuello apply NAME IN OUT")
    for model in ready_models():
        print_text(f"{model['name']}: {model['summary']}")
        for line in short_lines(model):
            print_text(textwrap.fill(line, WIDTH, initial_indent=INDENT, subsequent_indent=2 * INDENT))


def short_lines(model: Mapping[str, Any]) -> list[str]:
    """Say a model in few lines: what it is not for, what it scores, what it is made of, whose it is."""
    data, rights = model["training"]["data"], model["rights"]
    return [
        f"not for: {model['not_for']}",
        *scores_lines(model["scores"], beside=False),
        f"{model['parameters']:,} parameters, {model['kilobytes']} kB",
        f"trained on: {data}, {model['epochs']} epochs, {minutes_text(model['minutes'])}",
        f"licence: {rights['licence']}; author: {rights['author']}",
    ]


def minutes_text(minutes: float) -> str:
    """Say how long a training took.

    >>> minutes_text(38.9), minutes_text(150)
    ('39 min', '2.5 h')
    """
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def chosen(name: str) -> BundledSpec:
    """Return the model of that name; CuelloError where there is none, with what a network to train is asked for by."""
    from cuello.models.listing import listed

    if name not in BUNDLED and any(row["name"] == name for row in listed(3)):
        raise CuelloError(
            f"{name!r} is a network to train, no trained model. Its layers: cuello summary {name}. Trained ones: "
            f"{', '.join(BUNDLED.names())}."
        )
    return BUNDLED[name]


def print_one(spec: BundledSpec) -> None:
    """Print all that is known of a model."""
    from cuello.cli.render import print_text

    for name, lines in described(ready_model(spec)):
        print_text("\n".join([f"{name}:", *(INDENT + line for line in lines)]))


def described(model: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Say all that is known of a model, as headings with lines."""
    made_of = [
        f"{model['network']}, {model['parameters']:,} parameters, {model['kilobytes']} kB",
        f"{model['multiply_adds_a_pixel']:,.0f} multiply-adds per pixel of the input",
    ]
    colours = {1: "one; colours go through it one by one"}.get(model["channels"], "red, green and blue together")
    protocols = dict.fromkeys(f"({score['psnr']['protocol']})" for score in model["scores"])
    length = f"{model['epochs']} epochs, {minutes_text(model['minutes'])} on {model['machine']}"
    return [
        (model["name"], [model["summary"]]),
        ("not for", [model["not_for"]]),
        ("use", [f"cuello apply {model['name']} IN OUT"]),
        ("channels", [colours]),
        ("network", made_of),
        ("scores", [*scores_lines(model["scores"]), *protocols]),
        ("trained on", [model["trained_on"]]),
        ("trained against", [str(model["degradation"])]),
        ("training", [length, *model["commands"]]),
        *((name, [text]) for name, text in model["rights"].items()),
    ]


def scores_lines(scores: Sequence[Mapping[str, Any]], *, beside: bool = True) -> list[str]:
    """Say what a model scores, a line for each yardstick.

    beside: with what a method reaches that has learned nothing, in brackets.

    >>> scores_lines([{"yardstick": "set5", "scale": 2, "psnr": {"value": 37.0, "protocol": "…"}}])
    ['set5: ×2 37.00 dB']
    >>> scores_lines([{"yardstick": "cbsd68", "noise": "jpeg:10", "psnr": {"value": 29.0}, "beside": {"input": 27.8}}])
    ['cbsd68: jpeg:10 29.00 dB (input 27.80)']
    """
    found: dict[str, list[str]] = {}
    for score in scores:
        others = ", ".join(f"{method} {value:.2f}" for method, value in score.get("beside", {}).items())
        said = f"{setting_of(score)} {score['psnr']['value']:.2f} dB{f' ({others})' if beside and others else ''}"
        found.setdefault(score["yardstick"], []).append(said)
    return [f"{name}: {', '.join(values)}" for name, values in found.items()]


SIGNS = {"scale": "×", "sigma": "σ ", "quality": "quality "}
"""What stands before a setting, by what it is."""


def setting_of(score: Mapping[str, Any]) -> str:
    """Say at which setting a score was measured; a degradation says itself what it is, by its name if it has one.

    >>> setting_of({"noise": "blur:0..1+down:2+gaussian:0..10+jpeg:60..95"})
    'real-x2'
    """
    noise = str(score.get("noise", ""))
    named = {spec: name for name, spec in MIXTURES.items()}
    return next((f"{sign}{score[unit]}" for unit, sign in SIGNS.items() if unit in score), named.get(noise, noise))
