"""What is measured of the trainings: errors of maps, fidelity on test images, what the classifier says, and times."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig, make_config
from cuello.data.batches import Batches
from cuello.inference.model import Model
from cuello.jobs.catalog import JOBS
from cuello.jobs.classify.evaluation import Classification, evaluate_classes
from cuello.jobs.explain.classifier import unpadded
from cuello.jobs.explain.estimator import estimate
from cuello.jobs.explain.evaluation import MapTargets, seconds_of
from cuello.jobs.explain.settings import FLAT, IMPORTANT_SIDE, LEARNED
from cuello.jobs.images.evaluated import own_images
from cuello.runs.directory import Run
from cuello.saliency import occlusion_map
from cuello.saliency.fidelity import CurveSettings, Fidelity, Measured, Way, areas, break_even, fidelity, random_maps
from cuello.scoring.repeats import Spread, spread
from cuello.studies.base import Outcome
from cuello.studies.occlusion.plans import CLASSIFIER, OURS, SCALES
from cuello.studies.occlusion.source import SETS
from cuello.training.device import use_threads
from cuello.work.processes import Watch

MIXED = "mixed"
TOGETHER, TIMES = 64, 5
"""Images whose exact maps are made at once when timed, and how often that is repeated."""


@dataclass(frozen=True)
class Part:
    """Images with their exact maps.

    images: ``(N, C, H, W)``. exact: ``(N, H, W)``. predicted, labels: ``(N,)``, classes. names: of the images.
    """

    images: Tensor
    exact: np.ndarray
    predicted: Tensor
    labels: Tensor
    names: Sequence[str]


@dataclass(frozen=True)
class Subjects:
    """The images of one training set ("mixed", "real", "bogus"): those trained on (some of them), for validation, for
    the test; and how many were trained on and validated with.
    """

    training: Part
    validation: Part
    test: Part
    trained: int
    validated: int


@dataclass(frozen=True)
class Errors:
    """MSE of a training's maps: of training and of validation images, the network being told what it was told in
    training; and of validation images when it is told the prediction. Means over images.
    """

    training: float
    validation: float
    by_prediction: float


@dataclass(frozen=True)
class Times:
    """Seconds of one map, with one thread: the source's way, one image after another; incrementally, one after another
    and many at once; and of an estimate, by plan, 100 in one pass.
    """

    batches: float
    alone: float
    together: float
    estimates: Mapping[str, float]


@dataclass(frozen=True)
class Findings:
    """All that was measured.

    classified: the classifier on test images. subjects: by training set. models: by plan, a model a seed. errors:
    likewise. tested: by plan, first seed, told the prediction, on test images. areas: by way, of the exact and random
    maps. floors: validation MSE of the mean training map, by training set. classifier: for the maps.
    """

    classified: Classification
    subjects: Mapping[str, Subjects]
    models: Mapping[str, Sequence[Model]]
    errors: Mapping[str, Sequence[Errors]]
    tested: Mapping[str, Fidelity]
    areas: Mapping[Way, Mapping[str, Measured]]
    floors: Mapping[str, float]
    times: Times
    pays: Mapping[str, tuple[float, float]]

    def spread(self, plan: str, value: Callable[[Errors], float]) -> Spread:
        """Return mean and deviation of an error over a plan's seeds."""
        return spread([value(one) for one in self.errors[plan]])

    def by_seed(self, plan: str) -> dict[int, float]:
        """Return the validation MSE of each seed."""
        return {seed: one.validation for seed, one in enumerate(self.errors[plan])}


def make_maps(configs: Sequence[TrainConfig], workers: int, tell: Watch) -> None:
    """Make the exact maps that trainings need, once, before they begin side by side.

    configs: of the trainings. workers: processes.
    """
    every = {(config.only, config.samples, config.validation_samples): config for config in configs}
    for config in every.values():
        processes = max(workers, config.threads or 1)
        JOBS[config.job].data(
            make_config({**config.model_dump(), "threads": processes}),
            lambda doing, done, total: tell(f"{doing} {done:,} of {total:,}", 0.0),
        )


def measure(outcome: Outcome, models: Mapping[str, Sequence[Model]]) -> Findings:
    """Measure everything. models: by plan, one a seed."""
    watch, scale = outcome.watch, SCALES[outcome.data]
    estimators = [plan for plan in outcome.runs if plan != CLASSIFIER]
    subjects, errors = {}, {}
    for plan in estimators:
        part = set_of(outcome.runs[plan][0].config)
        watch(f"measuring {plan}", 1.0)
        if part not in subjects:
            subjects[part] = subjects_of(outcome.runs[plan][0].config, scale.tested)
        told = outcome.runs[plan][0].config.told
        errors[plan] = [errors_of(model, subjects[part], told) for model in models[plan]]
    classifier = models[CLASSIFIER][0]
    test = subjects[MIXED].test
    changed = changing(classifier, test, {"exact": test.exact, "random": random_maps(test.exact.shape)})
    tested = {}
    for plan in estimators:
        watch(f"asking the classifier about {plan}", 1.0)
        tested[plan] = tested_with(classifier, test, maps_of(models[plan][0], test, test.predicted))
    watch("timing", 1.0)
    times = timed(classifier, test, {plan: models[plan][0] for plan in estimators}, scale.timed)
    pays = {}
    for plan in estimators:
        run, own = outcome.runs[plan][0], subjects[set_of(outcome.runs[plan][0].config)]
        cost = own.trained + own.validated, sum(record.seconds for record in run.history), times.estimates[plan]
        pays[plan] = break_even(times.batches, *cost), break_even(times.together, *cost)
    floors = {part: mean_map_error(own) for part, own in subjects.items()}
    return Findings(
        classified(outcome.runs[CLASSIFIER][0], classifier), subjects, models, errors, tested, changed, floors, times,
        pays,
    )  # fmt: skip


def set_of(config: TrainConfig) -> str:
    """Return the name of a training set."""
    return MIXED if config.only is None else next(name for name in SETS if name == config.only)


def subjects_of(config: TrainConfig, tested: int) -> Subjects:
    """Return the images of a training; of those trained on as many as are kept for validation, of the test ``tested``,
    spread evenly.
    """
    prepared, learned = JOBS[config.job].data(config)
    assert learned is not None
    assert prepared.test is not None
    validated = prepared.validation.count
    return Subjects(
        part_of(prepared.training, learned, validated),
        part_of(prepared.validation, learned, validated),
        part_of(prepared.test, learned, tested),
        prepared.training.count,
        validated,
    )


def part_of(batches: Batches, learned: MapTargets, most: int) -> Part:
    """Return some of a part's images, at most ``most``, with their maps."""
    rows = np.unique(np.linspace(0, batches.count - 1, min(most, batches.count)).astype(int))
    images, targets = batches.take(rows)
    assert targets is not None
    assert learned.labels is not None
    places = batches.crops.places[rows, 0]
    return Part(
        images.contiguous(), targets[:, 0].numpy(), torch.from_numpy(learned.predicted[places]),
        torch.from_numpy(np.asarray(learned.labels)[places]), [batches.describe(int(row))[0] for row in rows],
    )  # fmt: skip


def maps_of(model: Model, part: Part, classes: Tensor) -> np.ndarray:
    """Return the maps ``(N, H, W)`` that an estimator gives, told these classes."""
    return estimate(model, part.images, classes).numpy()


def squared_errors(model: Model, part: Part, classes: Tensor) -> np.ndarray:
    """Return each map's MSE, ``(N,)``."""
    return ((maps_of(model, part, classes).astype(np.float64) - part.exact) ** 2).mean((1, 2))


def errors_of(model: Model, subjects: Subjects, told: str) -> Errors:
    """Return a training's errors; told: "label" or "prediction", in training."""
    training, validation = (
        float(squared_errors(model, part, part.labels if told == "label" else part.predicted).mean())
        for part in (subjects.training, subjects.validation)
    )
    own = subjects.validation
    by_prediction = float(squared_errors(model, own, own.predicted).mean()) if told == "label" else validation
    return Errors(training, validation, by_prediction)


def mean_map_error(subjects: Subjects) -> float:
    """Return the validation MSE of the mean of the training maps, which any estimator should beat."""
    return float(((subjects.validation.exact - subjects.training.exact.mean(0)) ** 2).mean())


def changing(classifier: Model, part: Part, maps: Mapping[str, np.ndarray]) -> dict[Way, dict[str, Measured]]:
    """Measure the classifier's probability while the pixels that maps call important are removed, or put in."""
    return areas(
        classifier.network, part.images, maps, classes=part.predicted.tolist(),
        settings=CurveSettings(important=IMPORTANT_SIDE),
    )  # fmt: skip


def tested_with(classifier: Model, part: Part, maps: np.ndarray) -> Fidelity:
    """Return how near maps are to the exact ones, and their areas of deletion and insertion."""
    found = fidelity(part.exact, maps, important=IMPORTANT_SIDE, flat=FLAT)
    return replace(found, **changing(classifier, part, {"estimated": maps}))


def classified(run: Run, classifier: Model) -> Classification:
    """Let the classifier say the class of its test images."""
    prepared = JOBS[run.config.job].data(run.config).prepared
    return evaluate_classes(classifier, own_images(prepared)[0])


def timed(classifier: Model, part: Part, estimators: Mapping[str, Model], count: int) -> Times:
    """Return the seconds of a map, with one thread, by turns and as medians, so that whatever else the machine does
    meets all alike. count: images whose maps are made one after another.
    """
    network, padding = unpadded(classifier)
    times = -(-TOGETHER // len(part.images))
    many = part.images.repeat(times, 1, 1, 1)[:TOGETHER]

    def seconds(method: str, images: Tensor) -> float:
        start = time.perf_counter()
        occlusion_map(network, images, 3, padding=padding, definition=LEARNED, method=method)  # type: ignore[arg-type]
        return (time.perf_counter() - start) / len(images)

    before = torch.get_num_threads()
    use_threads(1)
    try:
        seconds("incremental", many[:1])  # the first call of all prepares much
        found = [(seconds("batches", many[row : row + 1]), seconds("incremental", many[row : row + 1]))
                 for row in range(min(count, len(many)))]  # fmt: skip
        together = [seconds("incremental", many) for _ in range(min(count, TIMES))]
        estimates = {plan: seconds_of(model, part.images, part.predicted) for plan, model in estimators.items()}
    finally:
        use_threads(before)
    plain, alone = (statistics.median(values) for values in zip(*found, strict=True))
    return Times(plain, alone, statistics.median(together), estimates)


def best_of_source(findings: Findings) -> str:
    """Return the source's network, trained on mixed images, whose validation MSE is lowest when told the prediction."""
    plans = [plan for plan in findings.errors if plan != OURS and not plan.endswith(("-real", "-bogus"))]
    return min(plans, key=lambda plan: findings.spread(plan, lambda one: one.by_prediction).mean)
