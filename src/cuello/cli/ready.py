"""What `cuello models` says of the trained models that come with the package."""

from typing import Any

from cuello.bundled import BUNDLED
from cuello.runs.artefact import load_artefact

READY_COLUMNS = ["name", "what it does", "parameters>", "file, kB>", "trained on", "scores, PSNR in dB"]


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


def ready_row(model: dict[str, Any]) -> list[str]:
    """Return a model as a row of READY_COLUMNS."""
    scores: dict[str, list[str]] = {}
    for score in model["scores"]:
        setting = f"×{score['scale']}" if "scale" in score else f"σ {score['sigma']}"
        scores.setdefault(score["yardstick"], []).append(f"{setting} {score['psnr']['value']:.2f}")
    said = "; ".join(f"{name} {', '.join(values)}" for name, values in scores.items())
    return [
        model["name"], model["summary"], f"{model['parameters']:,}", str(model["kilobytes"]),
        f"{model['training']['data']}, {model['minutes']:.0f} min", said,
    ]  # fmt: skip
