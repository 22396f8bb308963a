"""The matrix: networks trained at different noise levels, each tested at every level, beside the classical methods."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, silent, within
from cuello.degrade import Composition, Degradation, Range
from cuello.degrade.base import show
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.jobs.images.evaluation import DETAILED, TUNING_IMAGES, Draw, baselines_of, has_levels, score, tune
from cuello.jobs.images.methods import left_out
from cuello.jobs.images.pairs import Task
from cuello.scoring.metrics import METRICS

NETWORK, CLASSICAL = "network", "classical"
METRIC_NAMES = ("mse", "psnr")
QUICK_BASELINES = ("input", "median-3", "median-5", "adaptive-median", "gaussian", "wavelet")
"""Classical methods that take milliseconds an image; they are tuned anew at every level."""


@dataclass(frozen=True)
class MatrixRow:
    """One method at every level.

    name: unique in the matrix. label: how a table calls it. trained: the level it was trained at, as a spec string
    has it ("0.2", "0.1..0.9"), or "" for a classical method. kind: "network" or "classical". mse, psnr: tested level
    to the mean over images, white is 1, dB; NaN where no PSNR counts. milliseconds: an image, on this machine, mean
    over the levels. wrong: tested level to wrong pixels per image, of binary images; None of others.
    """

    name: str
    label: str
    trained: str
    kind: str
    mse: Mapping[float, float]
    psnr: Mapping[float, float]
    milliseconds: float
    wrong: Mapping[float, float] | None = None

    @property
    def means(self) -> dict[str, Mapping[float, float]]:
        """The means by metric and level."""
        return {"mse": self.mse, "psnr": self.psnr} | ({} if self.wrong is None else {"wrong": self.wrong})

    def values(self, metric: str) -> Mapping[float, float]:
        """Return the means of a metric by level."""
        return self.means[metric]


@dataclass(frozen=True)
class Matrix:
    """The result: tested levels, rows (networks by trained level, then classical methods), what was done.

    noise: the degradation without its level. best: metric ("mse", "psnr", "wrong") to level to the name of the best
    row.
    protocol: what the numbers depend on, for people and for --json.
    """

    levels: tuple[float, ...]
    rows: tuple[MatrixRow, ...]
    noise: str
    protocol: Mapping[str, Any]
    best: Mapping[str, Mapping[float, str]]

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was measured."""
        return tuple(self.rows[0].means)

    @property
    def deciding(self) -> str:
        """The metric that a verdict goes by: wrong pixels of binary images, else PSNR."""
        return "wrong" if "wrong" in self.metrics else "psnr"

    def row(self, name: str) -> MatrixRow:
        """Return the row called ``name``."""
        return next(row for row in self.rows if row.name == name)

    def of_kind(self, kind: str) -> list[MatrixRow]:
        """Return the rows that are "network" or "classical"."""
        return [row for row in self.rows if row.kind == kind]


# More than seven parameters: those by name are independent settings of one evaluation, each with its default.
def evaluate_matrix(
    models: Mapping[str, Model],
    tasks: Mapping[str, Task],
    images: EvaluatedImages,
    levels: Sequence[float] = (),
    *,
    baselines: Sequence[str] | None = None,
    seed: int = 0,
    most: int | None = None,
    progress: OnProgress = silent,
) -> Matrix:
    """Test every network at every noise level; at each level all methods see the same degraded pixels.

    models: networks by the name of their row. tasks: by the same names, what each was trained for. levels: values of
    the noise's main parameter; by default those the networks were trained at. baselines: names of classical methods,
    by default QUICK_BASELINES (upscale: all); their strengths are chosen anew at each level. seed: of the noise. most:
    how many images at most, spread evenly; by default all. progress: called with events.
    Raises CuelloError where the networks were not trained for the same job, channels and kind of noise.
    """
    check_alike(models, tasks)
    task = next(iter(tasks.values()))
    degradation = degradation_of(task)
    chosen = tuple(dict.fromkeys(float(level) for level in levels)) or trained_levels(tasks)
    spoiled = [task.at(degradation.typical().with_main(level)) for level in chosen]
    quick = QUICK_BASELINES if task.scale == 1 else ("all",)
    specs = baselines_of(task, images, quick if baselines is None else baselines)
    for name in models:
        if name in {spec.name for spec in specs}:
            raise CuelloError(f"a network cannot be called {name!r}: a classical method has that name. Rename it.")
    ordered = {name: models[name] for name in sorted(models, key=lambda name: order_of(tasks[name]))}
    draw = Draw(task, images, seed, most=most or None)
    metrics = (*METRIC_NAMES, "wrong") if images.binary else METRIC_NAMES
    found = []
    for position, at_level in enumerate(spoiled):
        told = within(progress, "levels × images", position * draw.count, total=len(chosen) * draw.count)
        here = replace(draw, task=at_level)
        tuned = tune(specs, here)
        found.append(score(ordered, tuned, here, metrics=metrics, progress=told))
    networks, classical = len(ordered), len(specs)
    rows = []
    for position in [*range(classical, classical + networks), *range(classical)]:
        own = [methods[position] for methods in found]
        name = own[0].name
        means = {m: {lv: one.mean(m) for lv, one in zip(chosen, own, strict=True)} for m in metrics}
        is_network = name in models
        rows.append(
            MatrixRow(
                name=name,
                label=name if is_network else own[0].label,
                trained=trained_at(tasks[name]) if is_network else "",
                kind=NETWORK if is_network else CLASSICAL,
                mse=means["mse"],
                psnr=means["psnr"],
                milliseconds=sum(one.milliseconds for one in own) / len(own),
                wrong=means.get("wrong"),
            )
        )
    protocol = {
        "images": draw.count,
        "photographs": len(set(images.names)),
        "channels": next(iter(models.values())).channels,
        "range": "0 to 1, results cut to it, not rounded",
        "metrics": {metric: METRICS[metric].summary for metric in metrics},
        "noise_seed": seed,
        "networks": {name: model.artefact.architecture.name for name, model in ordered.items()},
        "strengths": f"of classical methods: at each level the best of a few on {min(TUNING_IMAGES, images.count)} "
        "of these very images, which favours them",
    }
    if images.detailed:
        protocol["crops"] = DETAILED
    if dropped := {show(level): count for level, own in zip(chosen, found, strict=True) if (count := left_out(own))}:
        protocol["left_out_of_psnr"] = dropped
    best = best_rows(chosen, rows)
    return Matrix(levels=chosen, rows=tuple(rows), noise=kind_of(degradation), protocol=protocol, best=best)


def best_rows(levels: Sequence[float], rows: Sequence[MatrixRow]) -> dict[str, dict[float, str]]:
    """Return, for each metric and level, the name of the best row.

    Of equal ones it is that with the lower mean squared error, or the first.
    At a level at which no PSNR counts the best is the best by its mean squared error.
    """

    def best_at(metric: str, level: float) -> str:
        metric = "mse" if any(math.isnan(row.values(metric)[level]) for row in rows) else metric
        sign = -1 if METRICS[metric].higher_is_better else 1
        return min(rows, key=lambda row: (sign * row.values(metric)[level], row.mse[level])).name

    return {metric: {level: best_at(metric, level) for level in levels} for metric in rows[0].means}


def check_alike(models: Mapping[str, Model], tasks: Mapping[str, Task]) -> None:
    """Raise CuelloError that names what differs where the networks do not belong into one matrix."""
    if not models or set(models) != set(tasks):
        raise CuelloError(f"got the networks {list(models)} and tasks for {list(tasks)}: needed one task per network.")
    names = list(models)
    first, level = names[0], typical_level(degradation_of(tasks[names[0]], names[0]))
    for name in names[1:]:
        here, there = degradation_of(tasks[first], first), degradation_of(tasks[name], name)
        if here.name != there.name:
            differs = "noise", here.spec(), there.spec()
        elif here.with_main(level) != there.with_main(level):
            differs = "noise, beside its level,", here.spec(), there.spec()
        elif tasks[first].job != tasks[name].job:
            differs = "job", tasks[first].job, tasks[name].job
        elif models[first].channels != models[name].channels:
            differs = "number of channels", models[first].channels, models[name].channels
        elif models[first].levels != models[name].levels:
            differs = "range of values", models[first].levels, models[name].levels
        else:
            continue
        what, ours, others = differs
        raise CuelloError(
            f"the {what} of {first} is {ours}, that of {name} is {others}: in one matrix only the noise level may "
            "differ. Evaluate them apart."
        )


def degradation_of(task: Task, name: str = "this network") -> Degradation | Composition:
    """Return what a task degrades images with; CuelloError where that has no level to vary."""
    if task.degradation is None or not has_levels(task.degradation):
        what = "pairs of images" if task.degradation is None else repr(task.degradation.name)
        raise CuelloError(f"{name} was trained on {what}: there is no noise level to vary. Evaluate it by itself.")
    return task.degradation


def main_value(degradation: Degradation | Composition) -> float | Range:
    """Return the value of the parameter that a sweep varies: a number, or a range."""
    part = degradation.parts[degradation.varied] if isinstance(degradation, Composition) else degradation
    return getattr(part, part.main)


def typical_level(degradation: Degradation | Composition) -> float:
    """Return the level, a range's middle."""
    return float(cast("float", main_value(degradation.typical())))


def trained_at(task: Task) -> str:
    """Return the level that a network was trained at as a spec string has it: "0.2", "0.1..0.9"."""
    return show(main_value(degradation_of(task)))


def order_of(task: Task) -> tuple[bool, float]:
    """Return what rows are sorted by: single levels rising, then ranges by their middle."""
    degradation = degradation_of(task)
    return isinstance(main_value(degradation), Range), typical_level(degradation)


def trained_levels(tasks: Mapping[str, Task]) -> tuple[float, ...]:
    """Return the different levels that networks were trained at, rising; ranges count only where there is no other."""
    degradations = [degradation_of(task, name) for name, task in tasks.items()]
    single = [one for one in degradations if not isinstance(main_value(one), Range)]
    return tuple(sorted({typical_level(one) for one in single or degradations}))


def kind_of(degradation: Degradation | Composition) -> str:
    """Return the spec string without the level: "salt-pepper", "gaussian,clip=no", "blur+gaussian:10"."""
    parts = degradation.parts if isinstance(degradation, Composition) else (degradation,)
    texts = [part.spec() for part in parts]
    place = degradation.varied if isinstance(degradation, Composition) else 0
    _, comma, others = texts[place].partition(":")[2].partition(",")
    texts[place] = parts[place].name + comma + others
    return "+".join(texts)
