"""report.html of a network that gives images: what it does, beside the classical methods or principal components."""

from collections.abc import Sequence

from cuello.inference.model import Model
from cuello.jobs.images.enlargements import enlargement_grid
from cuello.jobs.images.evaluation import LEFT_OUT, OURS, Evaluation
from cuello.jobs.images.examples import best_classical, choose_rows, details_of, make_examples
from cuello.jobs.images.figures import example_grid, gain_histogram, method_bars, sweep_curves, swept_metric
from cuello.jobs.images.methods import heading, images_in_words, in_order, named, order_key, text_of, time_text
from cuello.jobs.images.pairs import Task
from cuello.report.figures import save_both
from cuello.report.page import Facts, Headline, Headlines, Picture, Section, Table
from cuello.report.result import Result
from cuello.report.run_sections import curves_picture, run_sections, write_run_page
from cuello.runs.directory import Run
from cuello.scoring.metrics import METRICS


def write_report(
    run: Run, model: Model, task: Task, *, evaluation: Evaluation, result: Result, command: str, notes: Sequence[str]
) -> None:
    """Draw the figures and write figures/*.png and report.html of a run.

    result: the same in every form. command: what to type to repeat the training. notes: what else a reader should know.
    """
    best, restores = best_classical(evaluation), task.restores
    curves = curves_picture(
        run, "loss", left="Loss by epoch", right="Validation PSNR, dB", value=lambda record: record.validation_psnr
    )
    summaries = [(name, METRICS[name].summary) for name in evaluation.ours.scores]
    sections = [
        Section("", parts=[Headlines(tiles(evaluation, best))]),
        examples_section(run, model, task=task, evaluation=evaluation, best=best),
        methods_section(run, task, evaluation),
        gains_section(run, evaluation, best),
        *([sweep_section(run, evaluation)] if evaluation.sweep else []),
        *([Section("Notes", notes)] if notes else []),
        *run_sections(run, model, curves, command=command),
        Section("Metrics", parts=[Facts(summaries)], folded=True),
    ]
    noise = evaluation.noise or ("pairs of images" if restores else "no noise")
    subtitle = f"{model.artefact.architecture.name} · {run.config.job} · {noise} · {run.config.data}"
    write_run_page(run, result, subtitle, sections=sections)


def tiles(evaluation: Evaluation, best: str | None) -> list[Headline]:
    """Return the headline numbers: each metric of ours, with the best classical method's and the input's."""
    simple = "bicubic" if "bicubic" in evaluation.labels else "input"
    others = [evaluation.method(name) for name in dict.fromkeys((best, simple)) if name in evaluation.labels]
    found = []
    for name in in_order(list(evaluation.ours.scores)):
        beside = " · ".join(f"{other.label} {text_of(name, other.mean(name))}" for other in others)
        ours = text_of(name, evaluation.ours.mean(name))
        unit = "an image" if name == "wrong" else METRICS[name].unit
        found.append(Headline(heading(name), ours, unit, others=beside))
    return found


def examples_section(run: Run, model: Model, task: Task, evaluation: Evaluation, best: str | None) -> Section:
    """Show what the network and the compared methods make of some images."""
    enlarges = task.scale > 1
    wanted = ("nearest", "bicubic", OURS) if enlarges else ("input", "median-3", best, OURS)
    methods = [name for name in dict.fromkeys(wanted) if name in evaluation.labels]
    seed = evaluation.protocol["noise_seed"]
    rows = choose_rows(evaluation, details_of(evaluation.images))
    examples = make_examples(model, task, evaluation=evaluation, methods=methods, rows=rows, seed=seed)
    grid = enlargement_grid if enlarges else example_grid
    themes = save_both(run.figures, "examples", lambda theme: grid(examples, methods, evaluation.labels, theme=theme))
    what = heading(evaluation.deciding)
    chosen = (
        f"Typical, best and worst by the network's {what}, the first two of images with detail in them; of larger "
        "images the part with the most detail is shown."
    )
    numbers = "Numbers count wrong pixels." if evaluation.deciding == "wrong" else "Numbers are PSNR."
    if enlarges:
        alt = (
            "Images: the target, and a part of it: the input, enlarged by bicubic interpolation and by the network, "
            "and the target"
        )
        note = (
            f"The network makes images {task.scale} times larger. The square in each image, where bicubic "
            "interpolation is furthest off, is shown from the input (each of its pixels a square), by bicubic "
            f"interpolation, by the network and in the target. Numbers are PSNR over the whole image. {chosen}"
        )
    else:
        known = "clean, degraded, restored" if task.restores else "original, reconstructed"
        alt = f"Images: {known} by the compared methods, and the remaining error"
        note = f"{numbers} {chosen} The last column is the network's remaining error, four times enlarged."
    return Section("What it does", parts=[Picture(themes, alt, note)])


def methods_section(run: Run, task: Task, evaluation: Evaluation) -> Section:
    """Compare all methods, the best first, the best value of each metric marked."""
    protocol, restores = evaluation.protocol, task.restores
    metrics = [METRICS[name] for name in in_order(list(evaluation.ours.scores))]
    methods = sorted(evaluation.methods, key=lambda method: order_key(method.means))
    columns, rows, best = ["method"], [[method.label] for method in methods], set()
    for metric in metrics:
        columns.append(f"{named(metric.name)} {'↑' if metric.higher_is_better else '↓'}>")
        means = [method.mean(metric.name) for method in methods]
        for row, mean in zip(rows, means, strict=True):
            row.append(text_of(metric.name, mean))
        pick = max if metric.higher_is_better else min
        best.add((means.index(pick(means)), len(columns) - 1))
    if "strengths" in protocol:
        columns.append("strength>")
        for row, method in zip(rows, methods, strict=True):
            row.append(f"{method.strength:g}" if method.strength else "")
    columns.append("ms per image>")
    for row, method in zip(rows, methods, strict=True):
        row.append(time_text(method.milliseconds))
    same = "small images" if task.scale > 1 else "degraded pixels" if restores else "images"
    said = [
        f"Means over {images_in_words(protocol)}, all methods on the same {same}; values {protocol['range']}.",
        *([f"Strengths {protocol['strengths']}."] if "strengths" in protocol else []),
        *([f"{protocol['told'].capitalize()}."] if "told" in protocol else []),
        *([f"{protocol['left_out_of_psnr']} {LEFT_OUT}."] if "left_out_of_psnr" in protocol else []),
        *([f"The crops are {protocol['crops']}."] if "crops" in protocol else []),
    ]
    if not restores:
        said.append("PCA is the best linear code of as many numbers as the network's, fitted to the training images.")
    ours = frozenset(place for place, method in enumerate(methods) if method.name == OURS)
    themes = save_both(run.figures, "methods", lambda theme: method_bars(evaluation, theme))
    table = Table(columns, rows, " ".join(said), ours=ours, best=frozenset(best))
    title = "Against the classical methods" if restores else "Against principal components"
    return Section(title, parts=[Picture(themes, f"Mean {named(evaluation.deciding)}, of every method"), table])


def gains_section(run: Run, evaluation: Evaluation, best: str | None) -> Section:
    """Say how much better the network is than each method, and, over the best of them, image by image."""
    rows = []
    for item in evaluation.differences:
        gain = f"{item.mean:+.{METRICS[item.metric].digits}f}"
        rows.append([item.label, gain, item.interval or "too few images", f"{item.wins} of {item.images}"])
    note = "Paired, image by image; the interval is a bootstrap over whole images, not crops."
    parts: list[Table | Picture] = [Table(["over", "mean gain>", "95% interval>", "better on>"], rows, note)]
    if best is not None and evaluation.images.count >= 8:
        themes = save_both(run.figures, "gains", lambda theme: gain_histogram(evaluation, best, theme))
        parts.insert(0, Picture(themes, "Histogram of the gain over the best other method"))
    unit = {"psnr": "dB of PSNR", "wrong": "fewer wrong pixels per image", "mse": "lower MSE"}[evaluation.deciding]
    return Section(f"Gain of the network, {unit}", parts=parts)


def sweep_section(run: Run, evaluation: Evaluation) -> Section:
    """Compare all methods at other levels of the noise."""
    themes = save_both(run.figures, "sweep", lambda theme: sweep_curves(evaluation, theme))
    metric = swept_metric(evaluation)
    columns = [f"{named(metric)} at level", *(f"{level.level:g}>" for level in evaluation.sweep)]
    methods = sorted(evaluation.methods, key=lambda method: order_key(method.means))
    rows = [
        [method.label, *(text_of(metric, level.means(metric)[method.name]) for level in evaluation.sweep)]
        for method in methods
    ]
    note = (
        f"On {evaluation.protocol['sweep_images']} of the images, strengths of the classical methods chosen anew at "
        "each level."
    )
    ours = frozenset(place for place, method in enumerate(methods) if method.name == OURS)
    picture = Picture(themes, f"{heading(metric)} and MSE of every method against the noise level")
    return Section("Other noise levels, same weights", parts=[picture, Table(columns, rows, note, ours=ours)])
