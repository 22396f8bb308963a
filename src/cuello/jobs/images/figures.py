"""The pictures of an image network's report: learning curves, methods side by side, the sweep, gains, examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cuello.jobs.images.evaluation import OURS, Evaluation
from cuello.jobs.images.examples import Example
from cuello.jobs.images.methods import gains_over, named, order_key, per_image
from cuello.report.figures import Theme, as_png, drawing, shorten
from cuello.scoring.metrics import METRICS


def colours(evaluation: Evaluation, theme: Theme) -> dict[str, str]:
    """Return a colour for every method; ours stands out."""
    names = [method.name for method in evaluation.methods if method.name != OURS]
    return {name: theme.others[position % len(theme.others)] for position, name in enumerate(names)} | {
        OURS: theme.ours
    }


def swept_metric(evaluation: Evaluation) -> str:
    """Return what a sweep is told by: wrong pixels of binary images, else PSNR."""
    return "wrong" if evaluation.sweep[0].wrong else "psnr"


def sweep_curves(evaluation: Evaluation, theme: Theme) -> bytes:
    """Draw every method's mean PSNR, or wrong pixels of binary images, and MSE against the noise level."""
    metric = swept_metric(evaluation)
    levels = [level.level for level in evaluation.sweep]
    palette = colours(evaluation, theme)
    with drawing(theme, 8.4, 3.6, ncols=2) as (figure, (left, right)):
        for name, label in evaluation.labels.items():
            ours = name == OURS
            style: dict[str, Any] = {
                "color": palette[name], "label": label, "marker": "o", "markersize": 5 if ours else 3,
                "linewidth": 2.6 if ours else 1.3, "zorder": 5 if ours else 2,
            }  # fmt: skip
            left.plot(levels, [level.means(metric)[name] for level in evaluation.sweep], **style)
            right.plot(levels, [level.mse[name] for level in evaluation.sweep], **style)
        better = "higher is better" if METRICS[metric].higher_is_better else "lower is better"
        left.set(title=f"{per_image(metric)} ({better})", xlabel="noise level")
        right.set(title="MSE (lower is better)", xlabel="noise level", yscale="log")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
        return as_png(figure)


def method_bars(evaluation: Evaluation, theme: Theme) -> bytes:
    """Draw what decides, of every method, as a bar, the best at the top."""
    methods = sorted(evaluation.methods, key=lambda method: order_key(method.means), reverse=True)
    metric = METRICS[evaluation.deciding]
    with drawing(theme, 8.4, 0.34 * len(methods) + 0.7) as (figure, axes):
        values = [method.mean(metric.name) for method in methods]
        shades = [theme.ours if method.name == OURS else theme.others[0] for method in methods]
        axes.barh([method.label for method in methods], values, color=shades, height=0.66)
        for row, value in enumerate(values):
            axes.text(value, row, f"  {value:.{metric.digits}f}", va="center", fontsize=8, color=theme.text)
        axes.set(xlabel=f"mean {named(metric.name)}", xlim=(0, max(values) * 1.1 or 1))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelcolor=theme.text)
        return as_png(figure)


def gain_histogram(evaluation: Evaluation, against: str, theme: Theme) -> bytes:
    """Draw how much better than one method ours is, image by image."""
    metric = evaluation.deciding
    gains = gains_over(evaluation.ours, evaluation.method(against), metric)
    with drawing(theme, 8.4, 2.4) as (figure, axes):
        axes.hist(gains, bins=min(40, max(5, len(gains) // 4)), color=theme.ours, alpha=0.85)
        axes.axvline(0, color=theme.text, linewidth=1)
        label = evaluation.labels[against]
        axes.set(
            title=f"Gain over {label}, image by image", xlabel=f"{named(metric)} (right of 0: the network is better)",
            ylabel="images",
        )  # fmt: skip
        return as_png(figure)


def example_grid(examples: Sequence[Example], methods: Sequence[str], labels: dict[str, str], theme: Theme) -> bytes:
    """Draw one row an image: clean, degraded, restored by each method, and what ours still gets wrong."""
    columns = ["clean", *(name for name in methods if name != OURS), OURS, "error"]
    clean = "clean" if "input" in methods else "original"
    names = labels | {"input": "degraded input", "clean": clean, "error": "|error| × 4"}
    shown = max(max(example.clean.shape[:2]) for example in examples)
    side = 8.4 / len(columns)
    heights = [example.clean.shape[0] / example.clean.shape[1] for example in examples]
    with drawing(
        theme, 8.4, sum(side * height + 0.12 for height in heights) + 0.25,
        nrows=len(examples), ncols=len(columns), squeeze=False, gridspec_kw={"height_ratios": heights},
    ) as (figure, axes):  # fmt: skip
        for row, example in enumerate(examples):
            for column, name in enumerate(columns):
                panel = axes[row, column]
                if name == "clean":
                    image, caption = example.clean, shorten(f"{example.title}: {example.name}")
                elif name == "error":
                    image, caption = np.abs(example.restored[OURS] - example.clean) * 4, ""
                else:
                    image, caption = example.restored[name], example.caption(name)
                panel.imshow(
                    np.clip(image, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1,
                    interpolation="nearest" if shown <= 128 else "antialiased",
                )  # fmt: skip
                panel.set_axis_off()
                panel.text(
                    0.5,
                    -0.03,
                    caption,
                    transform=panel.transAxes,
                    ha="center",
                    va="top",
                    fontsize=7,
                    color=theme.faint,
                )
                if row == 0:
                    panel.set_title(names[name], fontsize=8, loc="center", color=theme.text)
        return as_png(figure)
