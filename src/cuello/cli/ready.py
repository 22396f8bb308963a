"""What `cuello models` says of the trained models that come with the package."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cuello.core.rights import stated
from cuello.inference.bundled import BUNDLED


def ready_models() -> list[dict[str, Any]]:
    """Return each model as plain values: what it does, how it was trained, what it scores and how that was measured."""
    found = []
    for spec in BUNDLED:
        about, shapes = header_of(spec.path)
        found.append(
            {
                "name": spec.name,
                "summary": spec.summary,
                "ready": True,
                "network": about["architecture"]["name"],
                "parameters": sum(math.prod(shape) for shape in shapes),
                "kilobytes": round(spec.path.stat().st_size / 1000),
                "degradation": about["noise"],
                "training": about["training"],
                "rights": stated(about["training"]),
                **{key: about["metrics"][key] for key in ("epochs", "minutes", "machine", "scores")},
            }
        )
    return found


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
        print_text(
            f"    {model['parameters']:,} parameters, {model['kilobytes']} kB; trained on {model['training']['data']}, "
            f"{model['epochs']} epochs, {model['minutes']:.0f} min"
        )
        rights = model["rights"]
        print_text(f"    licence: {rights['licence']}; author: {rights['author']}; citation: {rights['citation']}")
        for line in scores_lines(model["scores"]):
            print_text(f"    {line}")


def scores_lines(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a model scores, a line for each yardstick.

    >>> scores_lines([{"yardstick": "set5", "scale": 2, "psnr": {"value": 37.0, "protocol": "…"}}])
    ['set5: ×2 37.00 dB']
    """
    found: dict[str, list[str]] = {}
    for score in scores:
        setting = f"×{score['scale']}" if "scale" in score else f"σ {score['sigma']}"
        found.setdefault(score["yardstick"], []).append(f"{setting} {score['psnr']['value']:.2f} dB")
    return [f"{name}: {', '.join(values)}" for name, values in found.items()]
