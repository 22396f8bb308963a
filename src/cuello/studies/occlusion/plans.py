"""What is trained: the classifier, the source's estimators of its occlusion maps as it trains them, and ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cuello.studies.base import Plan
from cuello.studies.occlusion.source import SETS

CLASSIFIER, OURS = "classifier", "explain-s"
ENCODERS = {"normal": "explain-hits", "frozen": "explain-hits-frozen"}
TOLD = {
    "number": "explain-hits-number",
    "one-hot": "explain-hits-one-hot",
    "embedding": "explain-hits-embedding",
}
CUTS = {"whole": "explain-hits", "two poolings": "explain-hits-cut-2", "one pooling": "explain-hits-cut-1"}
CONDITIONED = "one-hot"
"""How the conditioned network of experiment 4 is told the class: as the source's best."""
SEEDS = 5


@dataclass(frozen=True)
class Scale:
    """How much of it.

    classifier: epochs of the classifier. samples, validation_samples: images of a training, the same ones in every
    epoch, and of its validation; each has an exact map. epochs: of an estimator, at most. tested: images on which all
    are compared. seeds: trainings of experiment 4. timed: images for the times of exact maps.
    """

    classifier: int
    samples: int
    validation_samples: int
    epochs: int
    tested: int
    seeds: int
    timed: int


SCALES: dict[str, Scale] = {"transients-snr": Scale(3, 4_000, 800, 6, 150, SEEDS, 5)}
"""The source makes 40,000 maps and keeps a quarter for validation; its number of epochs is not known."""


def encoder_plan(encoder: str, part: str = "mixed") -> str:
    """Return the plan of an encoder ("normal", "frozen") trained on "mixed" images, or on those of one class."""
    return f"{encoder}-{part}"


def told_plan(told: str) -> str:
    """Return the plan of a network that is told the label in some way."""
    return f"told-{told}"


def cut_plan(cut: str) -> str:
    """Return the plan of a network cut somewhere; the whole one is experiment 1's."""
    return encoder_plan("normal") if cut == "whole" else f"cut-at-{cut.replace(' ', '-')}"


def plans(data: str) -> Sequence[Plan]:
    """Return all trainings; experiment 4 takes the first two rows of its networks from experiments 1 and 2."""
    scale = SCALES[data]
    shared: dict[str, Any] = {
        "job": "explain", "samples": scale.samples, "validation_samples": scale.validation_samples,
        "epochs": scale.epochs,
    }  # fmt: skip

    def one(name: str, model: str, own: Mapping[str, Any] | None = None, seeds: int = 1) -> Plan:
        settings = {**shared, "model": model, **(own or {})}
        return Plan(name, settings, most_repeats=seeds, uses={"classifier": CLASSIFIER})

    classifier = {"job": "classify", "model": "classify-hits", "epochs": scale.classifier}
    found = [Plan(CLASSIFIER, classifier, most_repeats=1)]
    for encoder, model in ENCODERS.items():
        for part in SETS:
            own = {} if part == "mixed" else {"only": part}
            repeated = encoder == "frozen" and part == "mixed"
            found.append(one(encoder_plan(encoder, part), model, own, scale.seeds if repeated else 1))
    for told, model in TOLD.items():
        found.append(one(told_plan(told), model, {"told": "label"}, scale.seeds if told == CONDITIONED else 1))
    for cut, model in CUTS.items():
        if cut != "whole":
            found.append(one(cut_plan(cut), model))
    return [*found, one(OURS, OURS)]
