"""The job explain: a classifier's occlusion maps, estimated in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, closest
from cuello.core.files import printable
from cuello.core.progress import OnProgress, silent
from cuello.core.types import Batch, Pair
from cuello.data.classes import classified
from cuello.data.images import Images, subset
from cuello.inference.model import Model
from cuello.jobs.base import (
    MSE,
    PEARSON,
    PSNR,
    GivenPairing,
    JobData,
    JobEvaluation,
    JointEvaluation,
    OwnData,
    Request,
    Score,
    check_no_sweep,
    check_options,
    check_plain,
)
from cuello.jobs.data import batches_of, cut, fingerprint_of, labels_checksum, open_images, parts_of
from cuello.jobs.explain.estimator import estimate
from cuello.jobs.explain.evaluation import evaluate_estimator, learned_classifier, result_of, shown, with_maps
from cuello.jobs.explain.page import write_estimation
from cuello.jobs.explain.settings import learned_settings
from cuello.jobs.images.evaluated import own_images
from cuello.jobs.images.job import ONLY_EXPLAIN, ONLY_OTHERS, check_no_scale
from cuello.jobs.networks import Chosen
from cuello.jobs.ranking import ranked_models
from cuello.models.base import ImageNetwork
from cuello.models.estimators import build_estimator, estimator_of
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.runs.rights import words_to_keep


@dataclass(frozen=True)
class ExplainJob:
    """Image to a classifier's occlusion map, in one pass."""

    name: str = "explain"
    summary: str = "image to a classifier's occlusion map, in one pass"
    default_model: str = "explain-s"
    default_loss: str = "bce"
    options: tuple[str, ...] = tuple(ONLY_EXPLAIN)
    scores: tuple[Score, ...] = (MSE, PSNR)
    results: tuple[Score, ...] = (MSE, PEARSON)
    deciding: Score = PEARSON
    binary: tuple[Score, ...] = ()
    gives: str = "maps"

    def chosen(self, config: TrainConfig) -> Chosen:
        return Chosen(self.default_model, "which has the classifier's own layers within, for images that it takes")

    def recommended(self, config: TrainConfig) -> Mapping[str, Any]:
        return {}

    def completed(self, config: TrainConfig) -> TrainConfig:
        return config

    def pairing(self, config: TrainConfig, sweep: Sequence[float] = ()) -> GivenPairing:
        check_plain(self, config, "its occlusion map")
        check_settings(config)
        check_options(self, config, ONLY_OTHERS)
        check_no_scale(self.name, config)
        check_no_sweep(self, sweep)
        return GivenPairing(mapped)

    def data(self, config: TrainConfig, progress: OnProgress = silent) -> JobData:
        """Read images and make the exact maps of those that are used, or find them among the kept ones."""
        classifier = learned_classifier(str(config.classifier))
        images = open_images(config, progress)
        if config.only is not None:
            images = of_class(images, config.only)
        known = images.fingerprint or fingerprint_of(images)
        parts = parts_of(images, config)
        if images.streamed:
            raise CuelloError("the job explain takes images in memory only: add --storage=memory.")
        used = [part.crops.places[:, 0] for part in batches_of(images, parts, config) if part is not None]
        used = np.unique(np.concatenate(used))
        images, learned = with_maps(images, used, classifier, config=config, progress=progress)
        known = f"{known}/{labels_checksum(images)}"
        return JobData(cut(images, parts, config, known=known, labelled=True), learned)

    def network(self, config: TrainConfig, data: JobData) -> tuple[ImageNetwork, Artefact]:
        """Build an estimator out of the classifier's layers, with the classifier's weights where it wants them."""
        classifier, settings = data.about.classifier, config.model_dump(exclude_none=True)
        theirs = classifier.artefact
        architecture = estimator_of(config.model, theirs.architecture, size=data.prepared.training.size)
        network = build_estimator(architecture, classifier.network)
        return network, Artefact(
            architecture, config.job, None, weights={}, training=settings, classifier=theirs.checksum,
            trained_on=words_to_keep(config.data),
        )  # fmt: skip

    def evaluate(self, model: Model, own: OwnData | None, request: Request) -> JobEvaluation:
        request.refuse_given(f"{request.path} estimates occlusion maps")
        if request.images is not None:
            raise CuelloError(
                f"{request.path} estimates occlusion maps, and is judged on its own images, whose exact maps are kept. "
                "Of other images: cuello explain CLASSIFIER IMAGES --model RUN --check 1."
            )
        data = request.own_data(own() if own is not None else None)
        prepared = data.prepared
        found = evaluate_estimator(
            model, data.about, prepared.test or prepared.validation,
            history=request.history, training_maps=len(np.unique(prepared.training.crops.places[:, 0])),
            progress=request.progress,
        )  # fmt: skip
        return JobEvaluation(found, own_images(prepared)[1])

    def evaluate_several(
        self, models: Mapping[str, Model], own: Mapping[str, OwnData], request: Request
    ) -> JointEvaluation:
        return ranked_models(self, models, own, request=request)

    def result(self, found: Any) -> Result:
        return result_of(found)

    def reached_words(self, metrics: Mapping[str, Any]) -> Sequence[Table | str]:
        return shown(metrics)

    def save(self, run: Run, model: Model, judged: JobEvaluation, command: str) -> None:
        result = result_of(judged.evaluation)
        result.save(run)
        write_estimation(run, model, judged.evaluation, result=result, command=command, notes=judged.notes)

    def reached(self, metrics: Mapping[str, Any]) -> Mapping[str, float]:
        return {name: metrics["fidelity"][name]["mean"] for name in ("mse", "pearson")}

    def decided(self, metrics: Mapping[str, Any]) -> Score:
        return self.deciding

    def first(self, data: JobData) -> Score | None:
        return None

    def best_other(self, metrics: Mapping[str, Any]) -> tuple[str, float] | None:
        """Exact maps are what is estimated, and nothing else estimates them."""
        return None

    def answer(self, model: Model, images: Tensor) -> Tensor:
        """Estimate the maps of the first class."""
        return estimate(model, images, torch.zeros(len(images), dtype=torch.int64))

    def title(self, config: TrainConfig) -> str:
        return self.name


def mapped(batch: Batch) -> Pair:
    """Return the batch's images and occlusion maps, with the class that a network is told."""
    if batch.targets is None or batch.labels is None:
        raise ValueError("the occlusion maps of these images were not made")
    return Pair(batch.images, batch.targets, condition=batch.labels)


def check_settings(config: TrainConfig) -> None:
    if config.classifier is None:
        raise CuelloError(
            "whose occlusion maps are to be learned is not stated: add --classifier=RUN, of `cuello train classify`."
        )
    if config.augment:
        raise CuelloError(
            "got --augment=True for explain: a classifier's map of a turned image is not the turned map. Leave it out."
        )
    if config.crop is not None:
        raise CuelloError(f"got --crop={config.crop} for explain, which takes whole images. Use --resize.")
    learned_settings(config.model_dump())


def of_class(images: Images, name: str) -> Images:
    named = classified(images)
    names, name = list(named.label_names or ()), printable(name)
    if name not in names:
        raise CuelloError(f"--only: got {name!r}, needed one of {', '.join(names)}.{closest(name, names)}")
    return subset(named, np.flatnonzero(named.labels == names.index(name)).tolist())
