"""The jobs whose target is an image: denoise, upscale, and the two that go through a code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, silent
from cuello.degrade import parse
from cuello.degrade.noise import Gaussian
from cuello.inference.model import Model
from cuello.jobs.base import (
    MSE,
    PSNR,
    WRONG,
    JobData,
    JobEvaluation,
    JointEvaluation,
    OwnData,
    Request,
    Score,
    check_options,
    check_plain,
)
from cuello.jobs.data import prepare
from cuello.jobs.images.blind import BlindTask, asks_blind, blind_data, check_blind, is_blind, recommended
from cuello.jobs.images.blind_evaluation import BlindEvaluation, evaluate_blind
from cuello.jobs.images.blind_evaluation import result_of as blind_result
from cuello.jobs.images.blind_page import write_blind_report
from cuello.jobs.images.evaluated import is_binary, named_images, own_images
from cuello.jobs.images.evaluation import evaluate_model, result_of
from cuello.jobs.images.matrix import check_alike, evaluate_matrix
from cuello.jobs.images.matrix_page import result_of as matrix_result
from cuello.jobs.images.matrix_page import save_matrix
from cuello.jobs.images.methods import deciding_of, order_key, text_of
from cuello.jobs.images.page import write_report
from cuello.jobs.images.pairs import Task, check_sweep, same_size, shrinking, with_fitting_crop
from cuello.jobs.networks import Chosen, network_for_code, network_for_new_images, network_for_noise
from cuello.models.base import ImageNetwork
from cuello.models.catalog import architecture_of, build
from cuello.models.geometry import check_multiple
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.runs.rights import words_to_keep
from cuello.scoring.references import Reference, fit_references

SHOWN_BESIDE = ("median-3", "bicubic", "input", "pca", "mean")
"""Methods beside the network in a few lines, the first that there is."""

ONLY_EXPLAIN = dict.fromkeys(("classifier", "box", "stride", "fill", "told", "only"), "explain")
ONLY_OTHERS = {**ONLY_EXPLAIN, "method": "denoise", "noisy_target": "denoise"}


def image_network(config: TrainConfig, data: JobData, classes: tuple[str, ...] = ()) -> tuple[ImageNetwork, Artefact]:
    """Build a network by name, or somebody's own, for the size of the training images."""
    prepared, scale = data.prepared, config.scale or 1
    height, width = (side // scale for side in prepared.training.size)
    channels = prepared.images.channels
    architecture = architecture_of(config.model, channels, (height, width), scale=scale, classes=len(classes) or None)
    network = build(architecture)
    check_multiple(torch.empty(1, 1, height, width), network.stride)
    settings = config.model_dump(exclude_none=True)
    return network, Artefact(
        architecture, config.job, config.noise, weights={}, training=settings, classes=classes,
        trained_on=words_to_keep(config.data),
    )  # fmt: skip


def evaluate_images(model: Model, task: Task, own: OwnData | None, request: Request) -> JobEvaluation:
    """Judge a network beside classical methods, or, where it has a code, beside what was fitted to the same images."""
    check_sweep(task, request.sweep)
    references: Sequence[Reference] = ()
    if request.images is None:
        data = request.own_data(own() if own is not None else None)
        images, notes = own_images(data.prepared)
        references = references_of(task, model, data)
    else:
        images, notes = named_images(model, request)
        if own is not None and not task.restores:
            references = references_of(task, model, own())
    settings = make_config(model.artefact.training)
    seed = settings.split_seed if request.seed is None else request.seed
    found = evaluate_model(
        model, task, images, seed=seed, sweep=request.sweep, baselines=request.baselines, metrics=request.metrics,
        references=references, progress=request.progress,
    )  # fmt: skip
    return JobEvaluation(found, notes, task)


def references_of(task: Task, model: Model, data: JobData) -> list[Reference]:
    """Fit what a code is measured against to the training images; nothing for jobs that restore."""
    if task.restores or not model.network.has_code:
        return []
    training = data.prepared.training
    first = next(iter(training.epoch(0))).images[:1]
    numbers = int(model.encode(first)[0].numel())
    return fit_references((batch.images for batch in training.epoch(0)), numbers)


@dataclass(frozen=True)
class ImageJob:
    """A job whose target is an image.

    task: makes the pairs of a configuration. choose: a network, where none is named. judged_on: the task that a model
    is evaluated on: its own, or with another noise, or on pairs. shrinks: what goes in is smaller than what comes out.
    """

    name: str
    summary: str
    default_model: str
    task: Callable[[TrainConfig], Task]
    choose: Callable[[TrainConfig], Chosen]
    judged_on: Callable[[Model, str | None, str | Path | None], Task]
    options: tuple[str, ...] = ()
    shrinks: bool = False
    default_loss: str = "mse"
    scores: tuple[Score, ...] = (MSE, PSNR)
    results: tuple[Score, ...] = (MSE, PSNR)
    deciding: Score = PSNR
    binary: tuple[Score, ...] = (WRONG,)
    gives: str = "images"

    def chosen(self, config: TrainConfig) -> Chosen:
        return self.choose(config)

    def recommended(self, config: TrainConfig) -> Mapping[str, Any]:
        return recommended(config) if "method" in self.options and asks_blind(config) else {}

    def completed(self, config: TrainConfig) -> TrainConfig:
        """Return the configuration; of an upscaling with noise and scale, where one of them says the other."""
        if not self.shrinks or config.target is not None:
            return config
        task = self.task(config)
        stated: dict[str, Any] = {"noise": task.degradation.spec()} if task.degradation is not None else {}
        stated |= {"scale": task.scale} if task.scale > 1 else {}
        return make_config({**config.model_dump(exclude_unset=True), **stated})

    def pairing(self, config: TrainConfig, sweep: Sequence[float] = ()) -> Task:
        """Return what makes the pairs; CuelloError where noise or scale is missing, or does not belong there."""
        task = self.task(config)
        check_sweep(task, sweep)
        return task

    def data(self, config: TrainConfig, progress: OnProgress = silent) -> JobData:
        return blind_data(config, progress) if is_blind(config) else JobData(prepare(config, progress))

    def network(self, config: TrainConfig, data: JobData) -> tuple[ImageNetwork, Artefact]:
        network, artefact = image_network(config, data)
        if isinstance(task := data.pairing, BlindTask):
            artefact = replace(
                artefact, method=task.method.name, noise_models=task.models, noise_correlation=task.correlation
            )
        return network, artefact

    def evaluate(self, model: Model, own: OwnData | None, request: Request) -> JobEvaluation:
        """Judge a network beside classical methods, or beside principal components where it has a code.

        One that learned from noisy images, on images without clean ones: by what it took away.
        """
        if model.artefact.method and request.noise is None and request.target is None:
            return evaluate_blind(model, own, request)
        return evaluate_images(model, self.judged_on(model, request.noise, request.target), own, request=request)

    def evaluate_several(
        self, models: Mapping[str, Model], own: Mapping[str, OwnData], request: Request
    ) -> JointEvaluation:
        """Test models trained at several noise levels at every level: the matrix."""
        tasks = {name: self.judged_on(model, None, None) for name, model in models.items()}
        check_alike(models, tasks)
        for task in tasks.values():
            check_sweep(task, request.sweep)
        first = next(iter(models))
        if request.images is None:
            images, notes = own_images(own[first]().prepared)
        else:
            images, notes = named_images(models[first], request)
        seed = make_config(models[first].artefact.training).split_seed if request.seed is None else request.seed
        matrix = evaluate_matrix(
            models, tasks, images, levels=request.sweep, baselines=request.baselines, seed=seed, most=request.most,
            progress=request.progress,
        )  # fmt: skip
        matrix = replace(matrix, protocol={**matrix.protocol, "notes": notes})
        return JointEvaluation(matrix, matrix_result(matrix), lambda folder: save_matrix(folder, matrix))

    def result(self, found: Any) -> Result:
        return blind_result(found) if isinstance(found, BlindEvaluation) else result_of(found)

    def reached_words(self, metrics: Mapping[str, Any]) -> Sequence[Table | str]:
        methods = metrics["methods"]
        if "removed" in metrics:
            return [metrics["verdict"]]
        other = next((methods[name] for name in SHOWN_BESIDE if name in methods), None)
        lines, rows = [], [methods["network"], *([other] if other else [])]
        width = max(18, *(len(row["label"]) for row in rows))
        for row in rows:
            similarity = f"  SSIM {row['ssim']:.4f}" if "ssim" in row else ""
            wrong = f"{row['wrong']:.2f} wrong pixels  " if "wrong" in row else ""
            psnr = f"{text_of('psnr', row['psnr'])} dB"
            lines.append(f"{row['label']:<{width}} {wrong}MSE {row['mse']:.5f}  PSNR {psnr}{similarity}")
        return [*lines, metrics["verdict"]]

    def save(self, run: Run, model: Model, judged: JobEvaluation, command: str) -> None:
        result = self.result(judged.evaluation)
        result.save(run)
        if isinstance(judged.evaluation, BlindEvaluation):
            write_blind_report(run, model, judged.evaluation, result=result, command=command, notes=judged.notes)
            return
        write_report(
            run, model, judged.about, evaluation=judged.evaluation, result=result, command=command, notes=judged.notes
        )

    def reached(self, metrics: Mapping[str, Any]) -> Mapping[str, float]:
        ours = metrics["methods"]["network"]
        found = {"psnr": ours["psnr"], **{name: ours[name] for name in ("mse", "wrong") if name in ours}}
        return {name: value for name, value in found.items() if value is not None}

    def decided(self, metrics: Mapping[str, Any]) -> Score:
        scores = {score.name: score for score in (*self.results, *self.binary)}
        return scores[deciding_of(metrics["methods"]["network"])]

    def first(self, data: JobData) -> Score | None:
        return WRONG if is_binary(data.prepared.images) else None

    def best_other(self, metrics: Mapping[str, Any]) -> tuple[str, float] | None:
        """Return the best other method's label and its value of what decides; doing nothing is none."""
        others = [row for name, row in metrics["methods"].items() if name not in ("network", "input")]
        best = min(others, key=order_key, default=None)
        return None if best is None else (best["label"], best[self.decided(metrics).name])

    def answer(self, model: Model, images: Tensor) -> Tensor:
        return model.restore_batch(images)

    def title(self, config: TrainConfig) -> str:
        if not self.restores:
            return self.name
        alone = config.target is None and is_blind(config)
        return f"{self.name} {config.noise or ('noisy images alone' if alone else 'pairs of images')}"

    @property
    def restores(self) -> bool:
        """Whether something else goes in than should come out."""
        return "noise" in self.options


def task_of_pairs(job: str, config: TrainConfig) -> Task:
    """Return the task of data that come in pairs, which bring their own noise."""
    if config.noise is not None:
        raise CuelloError(
            f"got --noise={config.noise} and --target={config.target}: pairs bring their own noise. Leave one out."
        )
    return with_fitting_crop(Task(job, None, config.scale or 1), config.crop)


def denoising(config: TrainConfig) -> Task:
    """Return the task of denoise; CuelloError where the noise is missing, or makes images smaller.

    What noisy images alone are learned from follows from the images: see ``BlindTask``.
    """
    check_options(DENOISE, config, ONLY_OTHERS)
    check_no_scale("denoise", config)
    check_blind(config)
    if config.target is not None or config.noise is None:
        return task_of_pairs("denoise", config)
    return Task("denoise", same_size(config.noise, "denoise"))


def upscaling(config: TrainConfig) -> Task:
    """Return the task of upscale; CuelloError where it is not said how many times larger, or said twice."""
    check_options(UPSCALE, config, ONLY_OTHERS)
    if config.target is None:
        return with_fitting_crop(Task("upscale", shrinking(config.noise, config.scale)), config.crop)
    if config.noise is None and config.scale is None:
        raise CuelloError("got pairs to upscale without their scale: add e.g. --scale=2.")
    return task_of_pairs("upscale", config)


def coding(config: TrainConfig) -> Task:
    """Return the task of an image that goes through a code to itself."""
    job = RECONSTRUCT if config.job == RECONSTRUCT.name else GENERATE
    check_plain(job, config, "it")
    check_options(job, config, ONLY_OTHERS)
    check_no_scale(job.name, config)
    return Task(job.name, None, restores=False)


def for_restoring(config: TrainConfig) -> Chosen:
    """Choose the network that is made for the noise of denoise or upscale."""
    task = (upscaling if config.job == UPSCALE.name else denoising)(config)
    if config.job == DENOISE.name and asks_blind(config):
        found = network_for_noise(config, Gaussian())
        return replace(found, why="for noise of one deviation, as that of these images is made")
    return network_for_noise(config, task.degradation, scale=task.scale)


def check_no_scale(job: str, config: TrainConfig) -> None:
    """Raise CuelloError where a scale is given to a job that keeps the size."""
    if config.scale is not None:
        raise CuelloError(f"got --scale={config.scale} for {job}: only upscale makes images larger. Leave it out.")


def judged_on_noise(model: Model, noise: str | None, target: str | Path | None) -> Task:
    """Return the task to evaluate a denoiser on."""
    spec = noise or model.artefact.noise
    if target is not None or spec is None:
        return Task("denoise", None, model.scale)
    return Task("denoise", same_size(spec, "denoise"))


def judged_on_small(model: Model, noise: str | None, target: str | Path | None) -> Task:
    """Return the task to evaluate an upscaler on; CuelloError where the noise does not fit its scale."""
    spec, scale = noise or model.artefact.noise, model.scale
    if target is not None or spec is None:
        return Task("upscale", None, scale)
    if parse(spec).scale not in (1, scale):
        raise CuelloError(
            f"got --noise={spec}, which makes images {parse(spec).scale} times smaller; this network makes them "
            f"{scale} times larger. Write {'a noise that keeps the size' if scale == 1 else f'down:{scale}'}."
        )
    return Task("upscale", shrinking(spec, scale if scale > 1 else None))


def judged_on_itself(model: Model, noise: str | None, target: str | Path | None) -> Task:
    """Return the task to evaluate a code on: the image itself, or, where a noise is named, the clean image."""
    if target is None and noise is not None:
        return Task(model.artefact.job, same_size(noise, model.artefact.job), restores=False)
    return Task(model.artefact.job, None, model.scale, restores=False)


DENOISE = ImageJob(
    name="denoise",
    summary="noisy image to clean image",
    default_model="dncnn-s",
    task=denoising,
    choose=for_restoring,
    judged_on=judged_on_noise,
    options=("noise", "target", "noisy_target", "method"),
)
UPSCALE = ImageJob(
    name="upscale",
    summary="small image to large image",
    default_model="up-s",
    task=upscaling,
    choose=for_restoring,
    judged_on=judged_on_small,
    options=("noise", "target", "scale"),
    shrinks=True,
)
RECONSTRUCT = ImageJob(
    name="reconstruct",
    summary="image to itself, through a code of few numbers",
    default_model="mlp-32-8-2",
    task=coding,
    choose=network_for_code,
    judged_on=judged_on_itself,
)
GENERATE = ImageJob(
    name="generate",
    summary="new images from codes drawn at random",
    default_model="vae-200-2",
    task=coding,
    choose=network_for_new_images,
    judged_on=judged_on_itself,
)
