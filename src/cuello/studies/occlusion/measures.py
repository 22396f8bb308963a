"""What is measured of the trainings: errors of maps, fidelity on test images, what the classifier says, and times."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig, make_config
from cuello.core.progress import OnProgress, Progress
from cuello.data.batches import Batches
from cuello.inference.model import Model
from cuello.jobs.catalog import JOBS
from cuello.jobs.classify.evaluation import Classification, evaluate_classes
from cuello.jobs.explain.estimator import estimate
from cuello.jobs.explain.evaluation import seconds_of
from cuello.jobs.explain.settings import FLAT, IMPORTANT_SIDE, LEARNED
from cuello.jobs.images.evaluated import own_images
from cuello.saliency import occlusion_map
from cuello.saliency.fidelity import CurveSettings, Fidelity, Measured, Way, areas, break_even, fidelity, random_maps
from cuello.saliency.occlusion import Method
from cuello.studies.base import StudyOutcome
from cuello.studies.occlusion.plans import CLASSIFIER, MIXED, OURS, SCALES
from cuello.training.device import use_threads

TOGETHER, TIMES = 64, 5
"""Images whose exact maps are made at once when timed, and how often that is repeated."""


@dataclass(frozen=True, kw_only=True)
class ExplainedImages:
    """Images ``(N, C, H, W)`` with their exact maps ``(N, H, W)``, and classes ``(N,)``."""

    images: Tensor
    exact: np.ndarray
    predicted: Tensor
    labels: Tensor


@dataclass(frozen=True)
class TrainingSet:
    """The images of one training set ("mixed", "real", "bogus"): those trained on (some of them), for validation, for
    the test; and how many exact maps its trainings needed.
    """

    training: ExplainedImages
    validation: ExplainedImages
    test: ExplainedImages
    maps: int

    @property
    def floor(self) -> float:
        """Measure the validation MSE of the mean of the training maps, which any estimator should beat."""
        return float(((self.validation.exact - self.training.exact.mean(0)) ** 2).mean())


@dataclass(frozen=True, kw_only=True)
class Errors:
    """MSE of a training's maps: of training and of validation images, the network being told what it was told in
    training; and of validation images when it is told the prediction. Means over images.
    """

    training: float
    validation: float
    by_prediction: float


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of one map, with one thread: the source's way, one image after another; incrementally, one after another
    and many at once; and of an estimate, by plan, 100 in one pass.
    """

    batches: float
    alone: float
    together: float
    estimates: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was measured.

    classified: the classifier on test images. sets: by name. models: by plan, a model a seed. errors: likewise.
    tested: by plan, first seed, told the prediction, on test images. areas: by way, of the exact and random maps.
    repaid: by plan, after how many maps, against batches and against the quickest exact maps.
    """

    classified: Classification
    sets: Mapping[str, TrainingSet]
    models: Mapping[str, Sequence[Model]]
    errors: Mapping[str, Sequence[Errors]]
    tested: Mapping[str, Fidelity]
    areas: Mapping[Way, Mapping[str, Measured]]
    times: Times
    repaid: Mapping[str, tuple[float, float]]

    def by_seed(self, plan: str) -> dict[int, float]:
        return {seed: one.validation for seed, one in enumerate(self.errors[plan])}

    @property
    def best_of_source(self) -> str:
        """Name the source's network, trained on mixed images, whose validation MSE is lowest told the prediction."""
        plans = [plan for plan in self.errors if plan != OURS and not plan.endswith(("-real", "-bogus"))]
        return min(plans, key=lambda plan: fmean(one.by_prediction for one in self.errors[plan]))


def make_maps(configs: Sequence[TrainConfig], workers: int, tell: OnProgress) -> None:
    """Make the exact maps that trainings need, once, before they begin side by side, in ``workers`` processes."""
    every = {(config.only, config.samples, config.validation_samples): config for config in configs}
    for config in every.values():
        processes = max(workers, config.threads or 1)
        JOBS[config.job].data(
            make_config({**config.model_dump(), "threads": processes}),
            lambda event: tell(Progress(f"{event.stage} {event.done:,} of {event.total:,}", 0.0)),
        )


def measure(outcome: StudyOutcome) -> Findings:
    watch, scale, models = outcome.watch, SCALES[outcome.data], outcome.models()
    runs = {plan: found[0] for plan, found in outcome.runs.items() if plan != CLASSIFIER}
    sets: dict[str, TrainingSet] = {}
    errors = {}
    for plan, run in runs.items():
        watch(Progress(f"measuring {plan}", 1))
        name = run.config.only or MIXED
        if name not in sets:
            sets[name] = training_set(run.config, scale.tested)
        errors[plan] = [errors_of(model, sets[name], run.config.told) for model in models[plan]]
    classifier, test = models[CLASSIFIER][0], sets[MIXED].test
    tested = {}
    for plan in runs:
        watch(Progress(f"asking the classifier about {plan}", 1))
        maps = maps_of(models[plan][0], test, test.predicted)
        found = fidelity(test.exact, maps, important=IMPORTANT_SIDE, flat=FLAT)
        tested[plan] = replace(found, **changing(classifier, test, {"estimated": maps}))
    watch(Progress("timing", 1))
    times = timed(classifier, test, {plan: models[plan][0] for plan in runs}, count=scale.timed)

    def repaid(plan: str, exact: float) -> float:
        maps, seconds = sets[runs[plan].config.only or MIXED].maps, sum(one.seconds for one in runs[plan].history)
        return break_even(exact, maps, seconds, estimate_seconds=times.estimates[plan])

    config = outcome.runs[CLASSIFIER][0].config
    return Findings(
        classified=evaluate_classes(classifier, own_images(JOBS[config.job].data(config).prepared)[0]),
        sets=sets,
        models=models,
        errors=errors,
        tested=tested,
        areas=changing(classifier, test, {"exact": test.exact, "random": random_maps(test.exact.shape)}),
        times=times,
        repaid={plan: (repaid(plan, times.batches), repaid(plan, times.together)) for plan in runs},
    )


def training_set(config: TrainConfig, tested: int) -> TrainingSet:
    """Take the images of a training; of those trained on as many as are kept for validation, of the test ``tested``,
    spread evenly.
    """
    data = JOBS[config.job].data(config)
    prepared, learned = data.prepared, data.about
    assert learned is not None
    assert learned.labels is not None
    assert prepared.test is not None
    labels = np.asarray(learned.labels)

    def part(batches: Batches, most: int) -> ExplainedImages:
        rows = np.unique(np.linspace(0, batches.count - 1, min(most, batches.count)).astype(int))
        images, targets = batches.take(rows)
        assert targets is not None
        places = batches.crops.places[rows, 0]
        return ExplainedImages(
            images=images.contiguous(),
            exact=targets[:, 0].numpy(),
            predicted=torch.from_numpy(learned.predicted[places]),
            labels=torch.from_numpy(labels[places]),
        )

    kept = prepared.validation.count
    parts = part(prepared.training, kept), part(prepared.validation, kept), part(prepared.test, tested)
    return TrainingSet(*parts, maps=prepared.training.count + kept)


def maps_of(model: Model, part: ExplainedImages, classes: Tensor) -> np.ndarray:
    """Let an estimator that is told these classes give its maps ``(N, H, W)``."""
    return estimate(model, part.images, classes).numpy()


def squared_errors(model: Model, part: ExplainedImages, classes: Tensor) -> np.ndarray:
    return ((maps_of(model, part, classes).astype(np.float64) - part.exact) ** 2).mean((1, 2))


def errors_of(model: Model, images: TrainingSet, told: str) -> Errors:
    """Measure a training's errors; told: "label" or "prediction", in training."""
    training, validation = (
        float(squared_errors(model, part, part.labels if told == "label" else part.predicted).mean())
        for part in (images.training, images.validation)
    )
    own = images.validation
    by_prediction = float(squared_errors(model, own, own.predicted).mean()) if told == "label" else validation
    return Errors(training=training, validation=validation, by_prediction=by_prediction)


def changing(
    classifier: Model, part: ExplainedImages, maps: Mapping[str, np.ndarray]
) -> dict[Way, dict[str, Measured]]:
    """Measure the classifier's probability while the pixels that maps call important are removed, or put in."""
    settings = CurveSettings(important=IMPORTANT_SIDE)
    return areas(classifier.network, part.images, maps, classes=part.predicted.tolist(), settings=settings)


def timed(classifier: Model, part: ExplainedImages, estimators: Mapping[str, Model], *, count: int) -> Times:
    """Measure the seconds of a map, with one thread, by turns and as medians, so that whatever else the machine does
    meets all alike. count: images whose maps are made one after another.
    """
    network, padding = classifier.network.unpadded()
    many = torch.cat([part.images] * -(-TOGETHER // len(part.images)))[:TOGETHER]

    def seconds(method: Method, images: Tensor) -> float:
        start = time.perf_counter()
        occlusion_map(network, images, 3, padding=padding, definition=LEARNED, method=method)
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
    batches, alone = (median(values) for values in zip(*found, strict=True))
    return Times(batches=batches, alone=alone, together=median(together), estimates=estimates)
