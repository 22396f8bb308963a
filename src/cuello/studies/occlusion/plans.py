"""What is trained: the classifier, the source's estimators of its occlusion maps as it trains them, and ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cuello.studies.base import StudyPlan
from cuello.studies.occlusion.source import SETS

CLASSIFIER, OURS, MIXED = "classifier", "explain-s", "mixed"
ENCODERS = {"normal": "explain-hits", "frozen": "explain-hits-frozen"}
TOLD = {"number": "explain-hits-number", "one-hot": "explain-hits-one-hot", "embedding": "explain-hits-embedding"}
CUTS = {"whole": "explain-hits", "two poolings": "explain-hits-cut-2", "one pooling": "explain-hits-cut-1"}
CONDITIONED = "one-hot"
"""How the conditioned network of experiment 4 is told the class: as the source's best."""
SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class MapsAndEpochs:
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
    seeds: int = SEEDS
    timed: int


SCALES = {
    "transients-snr": MapsAndEpochs(classifier=3, samples=4_000, validation_samples=800, epochs=6, tested=150, timed=5)
}
"""The source makes 40,000 maps and keeps a quarter for validation; its number of epochs is not known."""


def encoder_plan(encoder: str, part: str = MIXED) -> str:
    """Name the training of an encoder ("normal", "frozen") on "mixed" images, or on those of one class."""
    return f"{encoder}-{part}"


def told_plan(told: str) -> str:
    return f"told-{told}"


def cut_plan(cut: str) -> str:
    """Name the training of a network cut somewhere; the whole one is experiment 1's."""
    return encoder_plan("normal") if cut == "whole" else f"cut-at-{cut.replace(' ', '-')}"


LABELS = {
    **{encoder_plan(name): name for name in ENCODERS},
    **{told_plan(name): f"told the label, {name}" for name in TOLD},
    **{cut_plan(name): f"cut at {name}" for name in CUTS if name != "whole"},
    OURS: f"ours: {OURS}",
}
"""What estimators are called in tables, by plan; networks trained on one class are left out."""


def plans(data: str) -> Sequence[StudyPlan]:
    """List all trainings; experiment 4 takes the first two rows of its networks from experiments 1 and 2."""
    scale = SCALES[data]
    shared: dict[str, Any] = {
        "job": "explain", "samples": scale.samples, "validation_samples": scale.validation_samples,
        "epochs": scale.epochs,
    }  # fmt: skip

    def estimator(name: str, model: str, *, repeated: bool = False, **own: Any) -> StudyPlan:
        settings = {**shared, "model": model, **own}
        return StudyPlan(name, settings, most_repeats=scale.seeds if repeated else 1, uses={"classifier": CLASSIFIER})

    classifier = {"job": "classify", "model": "classify-hits", "epochs": scale.classifier}
    found = [StudyPlan(CLASSIFIER, classifier, most_repeats=1)]
    for encoder, model in ENCODERS.items():
        found.append(estimator(encoder_plan(encoder), model, repeated=encoder == "frozen"))
        found += [estimator(encoder_plan(encoder, part), model, only=part) for part in SETS if part != MIXED]
    for told, model in TOLD.items():
        found.append(estimator(told_plan(told), model, repeated=told == CONDITIONED, told="label"))
    found += [estimator(cut_plan(cut), model) for cut, model in CUTS.items() if cut != "whole"]
    return [*found, estimator(OURS, OURS)]
