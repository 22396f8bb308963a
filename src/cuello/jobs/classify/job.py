"""The job classify: images to their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError, first_few
from cuello.core.progress import OnProgress, silent
from cuello.core.types import Batch, Pair
from cuello.data.catalog import open_within
from cuello.data.classes import aligned, classified
from cuello.data.images import Images, load_images, parse_size
from cuello.data.split import Split
from cuello.inference.model import Model
from cuello.jobs.base import (
    ACCURACY,
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
from cuello.jobs.classify.evaluation import evaluate_classes, result_of, shown
from cuello.jobs.classify.page import write_classification
from cuello.jobs.data import cut, fingerprint_of, labels_checksum, open_images, parts_of
from cuello.jobs.images.evaluated import EvaluatedImages, evaluated_images, notes_on, own_images
from cuello.jobs.images.job import ONLY_OTHERS, check_no_scale, image_network
from cuello.jobs.networks import Chosen, network_for_classes
from cuello.jobs.ranking import ranked_models
from cuello.models.base import ImageNetwork
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.scoring.references import Reference, fit_class_references


@dataclass(frozen=True)
class ClassifyJob:
    """Image to its class."""

    name: str = "classify"
    summary: str = "image to its class"
    default_model: str = "classify-s"
    default_loss: str = "cross-entropy"
    options: tuple[str, ...] = ()
    scores: tuple[Score, ...] = (ACCURACY,)
    results: tuple[Score, ...] = (ACCURACY,)
    deciding: Score = ACCURACY
    binary: tuple[Score, ...] = ()
    gives: str = "classes"

    def chosen(self, config: TrainConfig) -> Chosen:
        return network_for_classes(config)

    def recommended(self, config: TrainConfig) -> Mapping[str, Any]:
        return {}

    def completed(self, config: TrainConfig) -> TrainConfig:
        return config

    def pairing(self, config: TrainConfig, sweep: Sequence[float] = ()) -> GivenPairing:
        """Return what makes the pairs; CuelloError for settings of other jobs."""
        check_plain(self, config, "its class")
        check_options(self, config, ONLY_OTHERS)
        check_no_scale(self.name, config)
        check_no_sweep(self, sweep)
        return GivenPairing(labelled)

    def data(self, config: TrainConfig, progress: OnProgress = silent) -> JobData:
        """Read images with labels; CuelloError where a class has none left for training."""
        images = open_images(config, progress)
        known = images.fingerprint or fingerprint_of(images)
        parts = parts_of(images, config)
        images = classified(images)
        check_classes(images, parts)
        images = replace(images, notes=[*images.notes, *few_examples(images)])
        return JobData(cut(images, parts, config, known=f"{known}/{labels_checksum(images)}", labelled=True))

    def network(self, config: TrainConfig, data: JobData) -> tuple[ImageNetwork, Artefact]:
        return image_network(config, data, classes=tuple(data.prepared.images.label_names or ()))

    def evaluate(self, model: Model, own: OwnData | None, request: Request) -> JobEvaluation:
        """Judge a classifier beside simple methods fitted to its training images; alone where it is a bare file."""
        request.refuse_given(f"{request.path} is a classifier")
        data = own() if own is not None else None
        if request.images is not None:
            images, notes = named_examples(model, request)
        else:
            images, notes = own_images(request.own_data(data).prepared)
        references = class_references_of(model, data) if data is not None else ()
        return JobEvaluation(evaluate_classes(model, images, references, progress=request.progress), notes)

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
        write_classification(run, model, judged.evaluation, result=result, command=command, notes=judged.notes)

    def reached(self, metrics: Mapping[str, Any]) -> Mapping[str, float]:
        return {"accuracy": metrics["methods"]["network"]["accuracy"]}

    def decided(self, metrics: Mapping[str, Any]) -> Score:
        return self.deciding

    def first(self, data: JobData) -> Score | None:
        return None

    def best_other(self, metrics: Mapping[str, Any]) -> tuple[str, float] | None:
        """Return label and accuracy of the best simple method."""
        rows = metrics["methods"].items()
        found = [(row["accuracy"], row["label"]) for name, row in rows if name != "network"]
        return (max(found)[1], max(found)[0]) if found else None

    def answer(self, model: Model, images: Tensor) -> Tensor:
        return model.class_scores(images)

    def title(self, config: TrainConfig) -> str:
        return self.name


def labelled(batch: Batch) -> Pair:
    """Return the batch's images and classes; CuelloError where it has none."""
    if batch.labels is None:
        raise CuelloError("a classifier needs images with labels: one subfolder per class, or an .npz with 'labels'.")
    return Pair(batch.images, batch.labels)


def check_classes(images: Images, parts: Split) -> None:
    """Raise CuelloError that names a class none of whose images is left for training."""
    names, labels = images.label_names or (), images.labels
    missing = np.setdiff1d(np.arange(len(names)), () if labels is None else labels[parts.train])
    if len(missing):
        raise CuelloError(
            f"the class {names[int(missing[0])]!r} has no image left for training: all of it is kept for "
            "validation and testing. Give more images of it, or lower --validation or --test."
        )


def few_examples(images: Images) -> list[str]:
    """Say which classes have one image alone."""
    counts = np.bincount(np.asarray(images.labels), minlength=len(images.label_names or ()))
    alone = [name for name, count in zip(images.label_names or (), counts, strict=True) if count == 1]
    if not alone or counts.max() == 1:
        return []
    return [f"classes of one image alone are learned from it and never judged: {first_few(alone)}"]


def class_references_of(model: Model, data: JobData) -> list[Reference]:
    """Fit what a classifier is measured against to its training images."""
    pairs = (labelled(batch) for batch in data.prepared.training.epoch(0))
    return fit_class_references(((pair.x, pair.target) for pair in pairs), model.classes)


def named_examples(model: Model, request: Request) -> tuple[EvaluatedImages, list[str]]:
    """Read images with labels that a classifier knows, and say in notes which they are."""
    size = parse_size(make_config(model.artefact.training).resize)
    source = open_within(str(request.images), request.range, model.levels)
    loaded = aligned(
        load_images(source, model.channels, size, on_error=request.on_error, progress=request.progress), model.classes
    )
    return evaluated_images(loaded, labelled=True), notes_on(loaded, request)
