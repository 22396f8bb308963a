"""Trained networks on clean images that the user brings, degraded as the user says, beside the classical methods."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.progress import within
from cuello.core.types import Batch, Pair
from cuello.data.handed import is_handed
from cuello.degrade import Composition, Degradation, has_range, parse
from cuello.inference.model import Model
from cuello.jobs.base import Request
from cuello.jobs.images.benchmark import (
    Benchmark,
    BenchmarkRow,
    Entrant,
    network_notes,
    one_channel_notes,
    parameters_of,
)
from cuello.jobs.images.evaluated import named_images
from cuello.jobs.images.evaluation import LEFT_OUT, Draw, Tuned, baselines_of, restore, score, tune
from cuello.jobs.images.examples import Example, middle
from cuello.jobs.images.matrix import QUICK_BASELINES
from cuello.jobs.images.methods import Method
from cuello.jobs.images.network_cost import cost_of
from cuello.jobs.images.pairs import Task, check_sweep, multiple_below
from cuello.scoring.baselines import run_baseline
from cuello.scoring.metrics import METRICS, metrics_for, psnr, wrong_pixels
from cuello.scoring.protocols import Protocol, ProtocolScore

METRIC_NAMES = ("wrong", "psnr", "ssim")
Ranges = Literal["middle", "drawn"]
SAID_OF_RANGES: dict[Ranges, str] = {
    "middle": "ranges of the noise count at their middle",
    "drawn": "ranges of the noise: a value drawn anew for every image, the same for all methods",
}
SHOWN_RANKS = (0.15, 0.5, 0.85)
"""Which images are shown, from the hardest (0) to the easiest (1) for the networks."""


def benchmark_set(
    entrants: Sequence[Entrant], request: Request, *, ranges: Ranges = "middle", channels: Literal[1, 3] | None = None
) -> Benchmark:
    """Measure networks on the clean images of a request, degraded by its noise; see ``cuello.benchmark``."""
    degradation = degradation_for(entrants, request.noise)
    check_entrants(entrants, degradation)
    check_channels(entrants, channels)
    lowest = min((entrant.first for entrant in entrants), key=lambda model: model.channels)
    laid = degradation.typical() if ranges == "middle" else degradation
    task = Task(lowest.artefact.job, laid)
    check_sweep(task, request.sweep)
    images, notes = named_images(lowest, request, channels)
    channels = channels or cast("Literal[1, 3]", lowest.channels)
    quick = QUICK_BASELINES if task.scale == 1 else ("all",)
    specs = baselines_of(task, images, quick if request.baselines is None else request.baselines)
    for entrant in entrants:
        if entrant.name in {spec.name for spec in specs}:
            raise CuelloError(
                f"a network cannot be called {entrant.name!r}: a classical method has that name. Rename its folder."
            )
    able = {spec.name for spec in metrics_for(multiple_below(images.size, task.scale), images.binary)}
    draw = Draw(task, images, request.seed or 0, most=request.most)
    spoiled = [task.at(laid.with_main(level)) for level in request.sweep] or [task]
    models = {label: model for entrant in entrants for label, model in repeats_of(entrant).items()}
    metrics = ["mse", *(name for name in METRIC_NAMES if name in able)]
    measured: dict[str, list[Method]] = {}
    examples: list[Example] = []
    for position, at_level in enumerate(spoiled):
        here = replace(draw, task=at_level)
        tuned = tune(specs, here)
        told = within(request.progress, "levels × images", position * draw.count, total=len(spoiled) * draw.count)
        methods = score(models, tuned, here, metrics=metrics, progress=told)
        measured[cast("Degradation", at_level.degradation).spec()] = methods
        examples = examples or examples_of(methods, entrants, tuned, draw=here)
    perfect = ~counted_in_all(list(measured.values()), draw.count)
    if perfect.all() and not images.binary:
        raise CuelloError("every image is restored perfectly by some method, so that no PSNR is left to compare.")
    counted = np.ones_like(perfect) if images.binary else ~perfect
    notes = [
        *notes,
        *([f"measured on {draw.count} of them, spread evenly"] if draw.count < images.count else []),
        *(
            [f"{perfect.sum()} of these are not counted{' in PSNR' if images.binary else ''}: {LEFT_OUT}"]
            if perfect.any()
            else []
        ),
        f"noise of seed {draw.seed}",
        *([SAID_OF_RANGES[ranges]] if has_range(degradation) else []),
        *network_notes(entrants, grey=channels == 1),
        *([] if channels == 1 else one_channel_notes(entrants)),
        *trained_otherwise(entrants, degradation),
    ]
    if any(len(spec.strengths) > 1 for spec in specs):
        notes.append("strengths of classical methods are the best of a few on some of these images, which favours them")
    costs = {entrant.name: cost_of(entrant.first) for entrant in entrants}
    return Benchmark(
        "images" if is_handed(str(request.images)) else Path(str(request.images)).name,
        "noise",
        parameters_of(costs),
        images=tuple(images.names[place] for place, counts in zip(places_of(draw), counted, strict=True) if counts),
        rows=tuple(
            row
            for setting, methods in measured.items()
            for row in rows_of(methods, entrants, setting, perfect=perfect, counted=counted)
        ),
        notes=tuple(notes),
        examples=tuple(examples),
        costs=costs,
    )


def degradation_for(entrants: Sequence[Entrant], noise: str | None) -> Degradation | Composition:
    """Return what is asked for, or what all networks were trained against; CuelloError where that is not one."""
    if noise is not None:
        return parse(noise)
    known = {entrant.name: entrant.first.artefact.noise for entrant in entrants}
    first, *others = dict.fromkeys(known.values())
    if first is None or others:
        said = "; ".join(f"{name}: {noise or 'pairs of images'}" for name, noise in known.items())
        raise CuelloError(
            "what spoils the images is not stated, and the networks were not all trained against the same noise "
            f"({said}). Say it with e.g. --noise=gaussian:25."
        )
    return parse(first)


def check_entrants(entrants: Sequence[Entrant], degradation: Degradation | Composition) -> None:
    """Raise CuelloError, which names the network, where one cannot restore what the degradation leaves."""
    first = entrants[0]
    for entrant in entrants:
        model, artefact = entrant.first, entrant.first.artefact
        if artefact.job not in ("denoise", "upscale"):
            raise CuelloError(
                f"a benchmark is of networks that restore images; {entrant.name} was trained to {artefact.job}. Leave "
                "it out, or use: cuello evaluate"
            )
        if model.scale != degradation.scale:
            raise CuelloError(
                f"{entrant.name} enlarges by {model.scale}, and {degradation.spec()} makes images {degradation.scale} "
                f"times smaller. Name another one with --noise, or leave {entrant.name} out."
            )
        if model.levels != first.first.levels:
            raise CuelloError(
                f"the range of values of {first.name} is {first.first.levels}, that of {entrant.name} is "
                f"{model.levels}: they cannot be measured on the same images. Measure them apart."
            )
        if model.channels != first.first.channels and {model.channels, first.first.channels} != {1, 3}:
            raise CuelloError(
                f"{first.name} takes images of {first.first.channels} channels, {entrant.name} of {model.channels}: "
                "they cannot be measured on the same images. Measure them apart."
            )


def check_channels(entrants: Sequence[Entrant], channels: int | None) -> None:
    """Raise CuelloError, which names the network, where one can be measured neither in grey nor in colour."""
    for entrant in entrants:
        if channels is not None and entrant.first.channels not in (1, 3):
            raise CuelloError(
                f"got --channels={channels}, but {entrant.name} takes images of {entrant.first.channels} channels. "
                "Leave it out."
            )


def trained_otherwise(entrants: Sequence[Entrant], degradation: Degradation | Composition) -> list[str]:
    """Say which networks were trained against another kind of noise."""
    found = []
    for entrant in entrants:
        noise = entrant.first.artefact.noise
        if noise is None or parse(noise).name != degradation.name:
            found.append(f"{entrant.name} was trained against {noise or 'the noise of its own pairs'}")
    return found


def repeats_of(entrant: Entrant) -> dict[str, Model]:
    """Return an entrant's models by a name of each among all methods."""
    several = len(entrant.models) > 1
    return {f"{entrant.name}, seed {seed}" if several else entrant.name: one for seed, one in entrant.models.items()}


def counted_in_all(measured: Sequence[Sequence[Method]], count: int) -> np.ndarray:
    """Tell which images no method restores perfectly at any setting, ``(N,)``."""
    counted = np.ones(count, bool)
    for methods in measured:
        counted &= True if methods[0].counted is None else methods[0].counted
    return counted


def rows_of(
    methods: Sequence[Method], entrants: Sequence[Entrant], setting: str, *, perfect: np.ndarray, counted: np.ndarray
) -> list[BenchmarkRow]:
    """Return what was measured at one setting, of images that count: classical methods by label, then networks.

    perfect: images without a PSNR, which is then NaN.
    """
    owners = {
        label: (entrant.name, seed if len(entrant.models) > 1 else None)
        for entrant in entrants
        for label, seed in zip(repeats_of(entrant), entrant.models, strict=True)
    }
    found = []
    for method in methods:
        name, seed = owners.get(method.name, (method.label, None))
        scores = tuple(
            ProtocolScore(Protocol(metric, rounded=False), tuple(map(float, values[counted])))
            for metric in METRIC_NAMES
            if metric in method.scores
            for values in [np.where(perfect & (metric == "psnr"), np.nan, method.scores[metric])]
        )
        found.append(BenchmarkRow(name, setting, scores, seed=seed))
    return found


def places_of(draw: Draw) -> list[int]:
    """Return which of all images are drawn."""
    return [int(place) for place in np.linspace(0, draw.images.count - 1, draw.count).round()]


def examples_of(methods: Sequence[Method], entrants: Sequence[Entrant], tuned: Tuned, *, draw: Draw) -> list[Example]:
    """Restore some images again, hard and easy ones: the input, the best classical method, a repeat of each network."""
    deciding = "wrong" if "wrong" in methods[0].scores else "psnr"
    sign = 1 if METRICS[deciding].higher_is_better else -1
    scores = {method.name: sign * method.scores[deciding] for method in methods}
    means = {method.name: sign * method.mean(deciding) for method in methods}
    firsts = {entrant.name: next(iter(repeats_of(entrant))) for entrant in entrants}
    order = np.argsort(np.mean([scores[label] for label in firsts.values()], axis=0), kind="stable")
    chosen = dict.fromkeys(int(order[round(rank * (len(order) - 1))]) for rank in SHOWN_RANKS)
    best = max((pair for pair in tuned if pair[0].name != "input"), key=lambda pair: means[pair[0].name], default=None)
    places = places_of(draw)
    found = []
    for place in chosen:
        pair = pair_at(draw, places[place])
        restored = {"degraded input": pair.x} if draw.task.scale == 1 else {}
        if best is not None:
            restored[best[0].label] = torch.from_numpy(run_baseline(best[0], pair.x.numpy(), best[1]))
        restored |= {entrant.name: restore(entrant.first, pair.x, pair.level) for entrant in entrants}
        shown: Mapping[str, np.ndarray] = {name: middle(image) for name, image in restored.items()}
        cut = {name: image.clamp(0, 1) for name, image in restored.items()}
        values = {name: float(psnr(image, pair.target)) for name, image in cut.items()}
        wrong = {name: int(wrong_pixels(image, pair.target)) for name, image in cut.items()}
        found.append(
            Example(
                "", draw.images.names[places[place]], clean=middle(pair.target), restored=dict(shown), psnr=values,
                wrong=wrong if deciding == "wrong" else {},
            )
        )  # fmt: skip
    return found


def pair_at(draw: Draw, place: int) -> Pair:
    """Return one image degraded as it was when methods were measured."""
    for batch in draw.images.batches():
        keep = batch.ids == place
        if keep.any():
            return draw.task.pair_each(Batch(batch.images[keep], batch.ids[keep]), draw.seed)
    raise CuelloError(f"{draw.images.names[place]} is gone.")
