"""What `cuello models` says of the trained models that come with the package."""

from collections.abc import Mapping, Sequence
from typing import Any

from cuello.inference.bundled import BUNDLED
from cuello.runs.artefact import load_artefact


def ready_models() -> list[dict[str, Any]]:
    """Return each model as plain values: what it does, how it was trained, what it scores and how that was measured."""
    found = []
    for spec in BUNDLED:
        artefact = load_artefact(spec.path)
        found.append(
            {
                "name": spec.name,
                "summary": spec.summary,
                "ready": True,
                "network": artefact.architecture.name,
                "parameters": sum(tensor.numel() for tensor in artefact.weights.values()),
                "kilobytes": round(spec.path.stat().st_size / 1000),
                "degradation": artefact.noise,
                "training": dict(artefact.training),
                **{key: artefact.metrics[key] for key in ("epochs", "minutes", "machine", "scores")},
            }
        )
    return found


def print_ready() -> None:
    """Print the models, some lines each: a table of all that would be too wide."""
    print("Trained, ready to use: cuello apply NAME IN OUT")
    for model in ready_models():
        print(f"\n{model['name']}: {model['summary']}")
        print(
            f"    {model['parameters']:,} parameters, {model['kilobytes']} kB; trained on {model['training']['data']}, "
            f"{model['epochs']} epochs, {model['minutes']:.0f} min"
        )
        for line in scores_lines(model["scores"]):
            print(f"    {line}")


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
