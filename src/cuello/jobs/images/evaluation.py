"""An honest yardstick: the network beside the classical methods, on the same degraded pixels."""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, Progress, silent
from cuello.core.registry import Registry
from cuello.core.types import Batch, Pair
from cuello.degrade import Composition, Degradation
from cuello.inference.model import TILE, Model
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.jobs.images.methods import (
    Difference,
    Method,
    counted_images,
    deciding_of,
    difference,
    heading,
    in_order,
    left_out,
    order_key,
    per_image,
    text_of,
    time_text,
    verdict_of,
)
from cuello.jobs.images.pairs import Task, multiple_below
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.scoring.baselines import BASELINES, BaselineSpec, best_strength, enlargers, run_baseline
from cuello.scoring.metrics import METRICS, metrics_for
from cuello.scoring.references import Reference

OURS = "network"
TUNING_IMAGES = 8
SWEEP_IMAGES = 64
DETAILED = "places with detail: of four or more drawn at random in a photograph, the one with most"
LEFT_OUT = "images that a method restores perfectly, for which there is no PSNR, are left out of its means"


@dataclass(frozen=True)
class SweepLevel:
    """One level of a noise sweep: the main parameter's value and every method's mean MSE and PSNR.

    wrong: of binary images, every method's wrong pixels per image; empty of others.
    """

    level: float
    mse: dict[str, float]
    psnr: dict[str, float]
    wrong: dict[str, float] = field(default_factory=dict)

    def means(self, metric: str) -> dict[str, float]:
        """Return a metric's mean by method."""
        return {"mse": self.mse, "psnr": self.psnr, "wrong": self.wrong}[metric]


@dataclass(frozen=True)
class Evaluation:
    """The result: methods in the order of the table (the network last), differences, verdict, sweep, protocol.

    differences: of ours from each other method, in what decides (``deciding``). references: those of the methods that
    were fitted to the training images.
    """

    methods: list[Method]
    differences: list[Difference]
    verdict: str
    sweep: list[SweepLevel]
    images: EvaluatedImages
    noise: str | None
    protocol: dict[str, Any]
    references: Sequence[Reference] = ()

    @property
    def subjects(self) -> EvaluatedImages:
        """The old name of ``images``."""
        warnings.warn("Evaluation.subjects is now Evaluation.images.", DeprecationWarning, stacklevel=2)
        return self.images

    def method(self, name: str) -> Method:
        """Return the row called ``name``."""
        return next(method for method in self.methods if method.name == name)

    @property
    def ours(self) -> Method:
        """The network's row."""
        return self.method(OURS)

    @property
    def deciding(self) -> str:
        """The metric that decides: wrong pixels of binary images, else PSNR, where there is one."""
        return deciding_of(self.ours.means)

    @property
    def labels(self) -> dict[str, str]:
        """Names of the methods and how a table calls them."""
        return {method.name: method.label for method in self.methods}


# More than seven parameters: those by name are independent settings of one evaluation, each with its default.
def evaluate_model(
    model: Model,
    task: Task,
    images: EvaluatedImages,
    *,
    seed: int = 0,
    sweep: Sequence[float] = (),
    baselines: Sequence[str] | None = None,
    metrics: Sequence[str] = (),
    references: Sequence[Reference] = (),
    progress: OnProgress = silent,
) -> Evaluation:
    """Score the network and the classical methods.

    task: what degrades the images; ranges in it count at their middle. seed: of the noise. sweep: values of the
    degradation's main parameter to try as well. baselines: names of classical methods, by default (or with "all") all
    that the images' size allows; none where the job does not restore. metrics: others beside the usual.
    references: methods fitted to the training images, for codes. progress: called with events.
    """
    level = task.typical()
    usual = ("all",) if task.restores else ()
    specs = baselines_of(task, images, usual if baselines is None else baselines)
    usual_metrics = [spec.name for spec in metrics_for(multiple_below(images.size, task.scale), images.binary)]
    metrics = list(dict.fromkeys([*usual_metrics, *metrics]))
    ours = {OURS: model}
    draw = Draw(level, images, seed)
    methods = score(
        ours, tune(specs, draw), draw, metrics=metrics, references=references, doing="evaluating", progress=progress
    )
    levels, swept = [], ["mse", "psnr", *(["wrong"] if images.binary else [])]
    for value in sweep:
        if level.degradation is None:
            break
        at_level = replace(draw, task=level.at(level.degradation.with_main(value)))
        rows = score(
            ours, tune(specs, at_level), replace(at_level, most=SWEEP_IMAGES), metrics=swept,
            doing=f"noise {value:g}", progress=progress,
        )  # fmt: skip
        means = {metric: {row.name: row.mean(metric) for row in rows} for metric in swept}
        levels.append(SweepLevel(value, **means))
    deciding = deciding_of(methods[-1].means)
    differences = [difference(methods[-1], row, images.names, metric=deciding) for row in methods[:-1]]
    protocol = {
        "images": images.count,
        "photographs": len(set(images.names)),
        "channels": model.channels,
        "range": "0 to 1, results cut to it, not rounded",
        "metrics": {name: METRICS[name].summary for name in metrics},
        "noise_seed": seed,
        "strengths": f"of classical methods: the best of a few on {min(TUNING_IMAGES, images.count)} of these very "
        "images, which favours them",
        "sweep_images": min(SWEEP_IMAGES, images.count) if levels else 0,
    }
    if images.detailed:
        protocol["crops"] = DETAILED
    if dropped := left_out(methods):
        protocol["left_out_of_psnr"] = dropped
    spec = level.degradation.spec() if level.degradation is not None else None
    if task.scale > 1:
        protocol["scale"] = task.scale
    if not any(len(spec.strengths) > 1 for spec in specs):
        del protocol["strengths"]
    if model.conditioned and next(iter(replace(draw, most=1).pairs())).level is not None:
        protocol["told"] = "the network is told the noise's standard deviation"
    verdict = verdict_of(differences, "reference" if references else "classical method")
    return Evaluation(
        methods=methods, differences=differences, verdict=verdict, sweep=levels, images=images, noise=spec,
        protocol=protocol, references=tuple(references),
    )  # fmt: skip


def baselines_for(task: Task) -> Registry[BaselineSpec]:
    """Return the table of the classical methods of a task: those that enlarge, or those that keep the size."""
    return enlargers(task.scale) if task.scale > 1 else BASELINES


def baselines_of(task: Task, images: EvaluatedImages, names: Sequence[str]) -> list[BaselineSpec]:
    """Return the classical methods of these names ("all": every one) that the images are large enough for."""
    table = baselines_for(task)
    chosen = [table[name] for name in (table.names() if "all" in names else names)]
    return [spec for spec in chosen if min(images.size) >= spec.smallest_side]


@dataclass(frozen=True)
class Draw:
    """The degraded images on which methods are compared: each sees the same pixels.

    seed: of the noise; every image has its own. most: how many images at most, spread evenly; None: all.
    """

    task: Task
    images: EvaluatedImages
    seed: int
    most: int | None = None

    @property
    def count(self) -> int:
        return self.images.count if self.most is None else min(self.most, self.images.count)

    def pairs(self) -> Iterable[Pair]:
        """Yield the pairs in batches."""
        wanted = None
        if self.count < self.images.count:
            wanted = torch.from_numpy(np.linspace(0, self.images.count - 1, self.count).round().astype(np.int64))
        for batch in self.images.batches():
            if wanted is None:
                yield self.task.pair_each(batch, self.seed)
            elif (keep := torch.isin(batch.ids, wanted)).any():
                targets = batch.targets[keep] if batch.targets is not None else None
                yield self.task.pair_each(Batch(batch.images[keep], batch.ids[keep], targets), self.seed)


Tuned = Sequence[tuple[BaselineSpec, float]]
"""Classical methods, each with its strength."""


def tune(specs: Sequence[BaselineSpec], draw: Draw) -> Tuned:
    """Choose each classical method's strength on a few of the images."""
    few = list(replace(draw, most=TUNING_IMAGES).pairs())
    tuned = []
    for spec in specs:
        votes = sorted(best_strength(spec, pair.x.numpy(), pair.target.numpy()) for pair in few)
        tuned.append((spec, float(np.median(votes)) if len(votes) % 2 else votes[len(votes) // 2]))
    return tuned


def score(
    models: Mapping[str, Model],
    classical: Tuned,
    draw: Draw,
    *,
    metrics: Sequence[str],
    references: Sequence[Reference] = (),
    doing: str = "",
    progress: OnProgress = silent,
) -> list[Method]:
    """Run every method on the same draw of every image and return their rows, the networks' last.

    models: networks by the name of their row, which no classical method may have. metrics: names, "mse" among them.
    """

    def run_classical(spec: BaselineSpec, strength: float) -> Callable[[Pair], torch.Tensor]:
        return lambda pair: torch.from_numpy(run_baseline(spec, pair.x.numpy(), strength))

    def run_learned(model: Model) -> Callable[[Pair], torch.Tensor]:
        return lambda pair: restore(model, pair.x, pair.level)

    def run_reference(fitted: Reference) -> Callable[[Pair], torch.Tensor]:
        return lambda pair: fitted.run(pair.x)

    strengths = {spec.name: strength for spec, strength in classical}
    runs = {spec.name: (spec.label, run_classical(spec, strength)) for spec, strength in classical}
    runs |= {fitted.name: (fitted.label, run_reference(fitted)) for fitted in references}
    runs |= {name: (model.artefact.architecture.name, run_learned(model)) for name, model in models.items()}
    scores: dict[str, dict[str, list[np.ndarray]]] = {name: {metric: [] for metric in metrics} for name in runs}
    seconds = dict.fromkeys(runs, 0.0)
    done = 0
    for pair in draw.pairs():
        for name, (_, run) in runs.items():
            start = time.perf_counter()
            restored = run(pair)
            seconds[name] += time.perf_counter() - start
            if restored.shape != pair.target.shape:
                raise CuelloError(
                    f"{name} gave images of shape {tuple(restored.shape)}, needed {tuple(pair.target.shape)}."
                )
            for metric in metrics:
                scores[name][metric].append(METRICS[metric].function(restored, pair.target).numpy())
        done += len(pair.x)
        progress(Progress(doing, done, draw.count))
    found = {name: {metric: np.concatenate(parts) for metric, parts in own.items()} for name, own in scores.items()}
    counted = counted_images([own["mse"] for own in found.values()])
    return [
        Method(
            name=name,
            label=label,
            scores=found[name],
            strength=strengths.get(name),
            milliseconds=1000 * seconds[name] / max(done, 1),
            counted=counted,
        )
        for name, (label, _) in runs.items()
    ]


def restore(model: Model, noisy: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
    """Restore a batch ``(N, C, H, W)``: at once where it is small, else image by image in tiles.

    level: ``(N, 1, 1, 1)``, the noise in each, for a network that takes it; others pass it over.
    """
    if max(noisy.shape[2:]) <= TILE and noisy.shape[1] == model.channels:
        return model.restore_batch(noisy, level)
    if level is None or not model.conditioned:
        return model(noisy)
    return torch.cat([model(noisy[row : row + 1], float(level[row])) for row in range(len(noisy))])


def result_of(evaluation: Evaluation) -> Result:
    """Return the evaluation in every form; CSV: one row an image, its photograph, place, and every method's metrics."""
    gains: dict[str, Sequence[Difference]] = {"psnr": evaluation.differences}
    if (deciding := evaluation.deciding) != "psnr":
        names, others = evaluation.images.names, evaluation.methods[:-1]
        gains = {"psnr": [difference(evaluation.ours, row, names) for row in others], deciding: evaluation.differences}
    values = {
        "verdict": evaluation.verdict,
        "noise": evaluation.noise,
        "methods": {
            method.name: {
                "label": method.label,
                **{metric: number(mean) for metric, mean in method.means.items()},
                "strength": method.strength,
                "milliseconds_an_image": method.milliseconds,
            }
            for method in evaluation.methods
        },
        **{f"gain_in_{metric}": {item.against: gain_json(item) for item in items} for metric, items in gains.items()},
        "sweep": [
            {
                "level": level.level,
                "mse": level.mse,
                "psnr": {name: number(value) for name, value in level.psnr.items()},
                **({"wrong": level.wrong} if level.wrong else {}),
            }
            for level in evaluation.sweep
        ],
        "protocol": evaluation.protocol,
    }
    columns = [(method, metric) for method in evaluation.methods for metric in method.scores]
    rows: list[list[Any]] = [["image", "top", "left", *(f"{method.name} {metric}" for method, metric in columns)]]
    for row, (name, place) in enumerate(zip(evaluation.images.names, evaluation.images.places, strict=True)):
        rows.append([name, *place, *(f"{method.scores[metric][row]:.6g}" for method, metric in columns)])
    beats = evaluation.verdict.startswith("Beats")
    return Result(evaluation.verdict, values, rows, shown=shown(values), good=beats)


def gain_json(item: Difference) -> dict[str, Any]:
    """Return a difference for metrics.json."""
    interval = [number(item.low), number(item.high)]
    return {"mean": number(item.mean), "interval": interval, "better_on": item.wins, "images": item.images}


def number(value: float) -> float | None:
    """Return a value for JSON, which knows no NaN."""
    return None if np.isnan(value) else value


def shown(values: Mapping[str, Any]) -> list[Table | str]:
    """Return what a terminal shows of metrics.json: the comparison, best first, the sweep, and the verdict."""
    methods, sweep = values["methods"], values["sweep"]
    metrics = in_order([name for name in methods[OURS] if name in values["protocol"]["metrics"]])
    rows = [
        [
            method["label"],
            *(text_of(name, method[name]) for name in metrics),
            time_text(method["milliseconds_an_image"]),
        ]
        for method in sorted(methods.values(), key=order_key)
    ]
    columns = ["method", *(f"{heading(name)}>" for name in metrics), "ms per image>"]
    where = f"{values['protocol']['images']} images, noise {values['noise'] or 'their own'}"
    found: list[Table | str] = [Table(columns, rows, title=where)]
    if sweep:
        metric = "wrong" if "wrong" in sweep[0] else "psnr"
        rows = [
            [method["label"], *(text_of(metric, level[metric][name]) for level in sweep)]
            for name, method in sorted(methods.items(), key=lambda item: order_key(item[1]))
        ]
        levels = [f"{level['level']:g}>" for level in sweep]
        found.append(Table(["method", *levels], rows, title=f"{per_image(metric)} by noise level"))
    if dropped := values["protocol"].get("left_out_of_psnr"):
        found.append(f"{dropped} {LEFT_OUT}.")
    return [*found, values["verdict"]]


def has_levels(degradation: Degradation | Composition | None) -> bool:
    """Tell whether a sweep can vary the degradation."""
    return degradation is not None and degradation.varies
