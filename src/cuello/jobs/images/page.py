"""report.html: one file, nothing loaded from elsewhere, good to read by day and by night."""

import json
from typing import Any

from cuello.core.files import write_text
from cuello.inference.model import Model
from cuello.jobs.images.enlargements import enlargement_grid
from cuello.jobs.images.evaluation import OURS, Evaluation
from cuello.jobs.images.examples import best_classical, choose_rows, make_examples
from cuello.jobs.images.figures import example_grid, gain_histogram, loss_curves, psnr_bars, sweep_curves
from cuello.jobs.images.pairs import Task
from cuello.models.summary import summarise
from cuello.report.figures import save_both
from cuello.report.page import encoded, render
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.scoring.metrics import METRICS


def write_report(run: Run, model: Model, task: Task, evaluation: Evaluation, command: str, notes: list[str]) -> None:
    """Draw the figures and write figures/*.png and report.html of a run.

    command: what to type to repeat the training. notes: what else a reader should know.
    """
    best = best_classical(evaluation)
    enlarges = task.scale > 1
    shown = ("nearest", "bicubic", OURS) if enlarges else ("input", "median-3", best, OURS)
    methods = list(dict.fromkeys(name for name in shown if name in evaluation.labels))
    grid = enlargement_grid if enlarges else example_grid
    examples = make_examples(
        model, task, evaluation, methods, choose_rows(evaluation), evaluation.protocol["noise_seed"]
    )
    history = run.history
    pictures = {
        "examples": save_both(
            run.figures,
            "examples",
            lambda theme: grid(examples, methods, evaluation.labels, theme),
        ),
        "loss": save_both(run.figures, "loss", lambda theme: loss_curves(history, evaluation, theme)),
        "methods": save_both(run.figures, "methods", lambda theme: psnr_bars(evaluation, theme)),
    }
    if evaluation.sweep:
        pictures["sweep"] = save_both(run.figures, "sweep", lambda theme: sweep_curves(evaluation, theme))
    if best is not None and evaluation.subjects.count >= 8:
        pictures["gains"] = save_both(run.figures, "gains", lambda theme: gain_histogram(evaluation, best, theme))
    environment = json.loads(run.environment_path.read_text()) if run.environment_path.is_file() else {}
    page = render(
        "template.html",
        title=run.path.resolve().name,
        model=model.artefact.architecture.name,
        restores=task.restores,
        enlarges=task.scale if enlarges else None,
        noise=evaluation.noise or ("pairs of images" if task.restores else "no noise"),
        verdict=evaluation.verdict,
        good=evaluation.verdict.startswith("Beats"),
        tiles=tiles(evaluation, best),
        table=table(evaluation),
        metrics=[METRICS[name] for name in evaluation.ours.scores],
        differences=evaluation.differences,
        sweep=evaluation.sweep,
        labels=evaluation.labels,
        ours=OURS,
        pictures={name: encoded(themes) for name, themes in pictures.items()},
        facts=facts(model, history),
        config=run.config.model_dump(exclude_none=True),
        command=command,
        protocol=evaluation.protocol,
        environment=environment,
        notes=notes,
    )
    write_text(run.report_path, page)


def tiles(evaluation: Evaluation, best: str | None) -> list[dict[str, str]]:
    """Return the headline numbers: each metric of ours, with the best classical method's and the input's."""
    shown = []
    for name in evaluation.ours.scores:
        metric = METRICS[name]
        simple = "bicubic" if "bicubic" in evaluation.labels else "input"
        others = list(dict.fromkeys(other for other in (best, simple) if other in evaluation.labels))
        shown.append(
            {
                "name": name.upper() if len(name) <= 4 else f"{name} pixels",
                "value": f"{evaluation.ours.mean(name):.{metric.digits}f}",
                "unit": metric.unit,
                "others": " · ".join(
                    f"{evaluation.labels[other]} {evaluation.method(other).mean(name):.{metric.digits}f}"
                    for other in others
                ),
            }
        )
    return shown


def table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the rows of the comparison, best PSNR first, the best value of each metric marked."""
    winners = {}
    for name in evaluation.ours.scores:
        pick = max if METRICS[name].higher_is_better else min
        winners[name] = pick(evaluation.methods, key=lambda method, name=name: method.mean(name)).name
    return [
        {
            "label": method.label,
            "ours": method.name == OURS,
            "strength": "" if method.strength in (None, 0.0) else f"{method.strength:g}",
            "cells": [
                {
                    "text": f"{method.mean(name):.{METRICS[name].digits}f}",
                    "best": winners[name] == method.name,
                }
                for name in method.scores
            ],
            "milliseconds": f"{method.milliseconds:.1f}",
        }
        for method in sorted(evaluation.methods, key=lambda method: -method.mean("psnr"))
    ]


def facts(model: Model, history: list[EpochRecord]) -> list[tuple[str, str]]:
    """Return what is to be known of the network and its training at a glance."""
    summary = summarise(model.network, model.channels)
    of_input = " of the input" if model.scale > 1 else ""
    seconds = sum(record.seconds for record in history)
    training_seconds = sum(record.training_seconds for record in history)
    images = sum(record.images for record in history)
    trained = sum(tensor.numel() for tensor in model.artefact.weights.values()) - summary.frozen
    folded = [("parameters, folded for use", f"{summary.trainable:,}")] if trained > summary.trainable else []
    return [
        ("trainable parameters", f"{max(trained, summary.trainable):,}"),
        *folded,
        (f"multiply-adds a pixel{of_input}", f"{summary.multiply_adds_a_pixel:,.0f}"),
        (
            "receptive field",
            f"{summary.receptive_field} pixels{of_input}" if summary.receptive_field else "the whole image",
        ),
        ("epochs", f"{len(history)}"),
        ("training time", f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"),
        ("training speed", f"{images / training_seconds:,.0f} images a second" if training_seconds else "–"),
        (
            "file",
            f"{sum(t.numel() * t.element_size() for t in model.artefact.weights.values()) / 1000:,.1f} kB of weights",
        ),
    ]
