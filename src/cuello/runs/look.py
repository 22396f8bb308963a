"""What a run or a model looks like in Python: a few lines, a small page for notebooks, curves on anybody's axes."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cuello.core.errors import CuelloError
from cuello.runs.history import EpochRecord, best_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cuello.core.config import TrainConfig

Facts = Sequence[tuple[str, str]]
SHOWN_SCORES = {
    "wrong": ("wrong pixels", "{:.2f}"), "psnr": ("PSNR, dB", "{:.2f}"), "ssim": ("SSIM", "{:.3f}"),
    "mse": ("MSE", "{:.5f}"), "accuracy": ("accuracy", "{:.1%}"),
}  # fmt: skip
EXAMPLES = ("examples", "mistakes")
"""Names of the figures that show images, the first that there is."""
WIDEST, DPI = 720, 144
"""Pixels of a picture in a notebook's page, and dots an inch of figures."""


# In words


def lines(title: str, facts: Facts) -> str:
    """Write a title and facts below one another.

    >>> print(lines("Run('a')", [("job", "denoise"), ("network", "unet-s")]))
    Run('a')
      job      denoise
      network  unet-s
    """
    width = max(len(name) for name, _ in facts)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in facts)])


def job_words(job: str, noise: str | None) -> str:
    return f"{job}, noise {noise}" if noise else job


def score_words(found: Mapping[str, Any]) -> str:
    """Say what an epoch reached in validation; found: its fields by name."""
    known = {name.removeprefix("validation_"): value for name, value in found.items() if name.startswith("validation_")}
    words = [f"validation loss {known['loss']:.5g}"] if known.get("loss") is not None else []
    if known.get("accuracy") is not None:
        words.append(f"accuracy {known['accuracy']:.1%}")
    elif known.get("psnr") is not None and np.isfinite(known["psnr"]):
        words.append(f"PSNR {known['psnr']:.2f} dB")
    return ", ".join(words)


def run_facts(config: "TrainConfig", records: Sequence[EpochRecord], metrics: Mapping[str, Any]) -> Facts:
    """Say what a run is in four facts."""
    best = best_epoch(records)
    reached = "no epoch has ended" if best is None else f"epoch {best.epoch} of {len(records)} is the best"
    scores = f", {score_words(asdict(best))}" if best is not None else ""
    return [
        ("job", job_words(config.job, config.noise)),
        ("images", config.data),
        ("network", f"{config.model}: {reached}{scores}"),
        ("verdict", str(metrics.get("verdict", "not evaluated yet"))),
    ]


# For notebooks


def page(title: str, facts: Facts, metrics: Mapping[str, Any], picture: bytes | None) -> str:
    """Make a small page: what it is, scores beside other methods, examples."""
    left = "text-align:left;vertical-align:top;padding:1px 8px"
    rows = "".join(f"<tr><th style='{left}'>{escape(name)}</th><td style='{left}'>{escape(text)}</td></tr>"
                   for name, text in facts)  # fmt: skip
    shown = inline(picture) if picture is not None else ""
    return f"<div><b>{escape(title)}</b><table>{rows}</table>{scores_table(metrics)}{shown}</div>"


def scores_table(metrics: Mapping[str, Any]) -> str:
    """Make a table of the methods that an evaluation compared, the network last and bold; "" where there are none."""
    methods = metrics.get("methods")
    if not isinstance(methods, Mapping) or not all(isinstance(one, Mapping) for one in methods.values()):
        return ""
    names = [name for name in SHOWN_SCORES if any(isinstance(one.get(name), int | float) for one in methods.values())]
    right, rows = "text-align:right;padding:1px 8px", []
    heads = "".join(f"<th style='{right}'>{SHOWN_SCORES[name][0]}</th>" for name in names)
    for key, method in methods.items():
        values = [SHOWN_SCORES[name][1].format(method[name]) if method.get(name) is not None else "" for name in names]
        cells = [f"<td style='text-align:left;padding:1px 8px'>{escape(str(method.get('label', key)))}</td>"]
        cells += [f"<td style='{right}'>{value}</td>" for value in values]
        bold = " style='font-weight:bold'" if key == "network" else ""
        rows.append(f"<tr{bold}>{''.join(cells)}</tr>")
    return f"<table><tr><th></th>{heads}</tr>{''.join(rows)}</table>" if names else ""


def inline(picture: bytes) -> str:
    """Put a PNG into a page, made smaller where it is wide."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture))
    if image.width > WIDEST:
        stream = io.BytesIO()
        smaller = image.convert("RGB").resize(
            (WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS
        )
        smaller.save(stream, "png", optimize=True)
        picture = stream.getvalue()
    return f"<img alt='examples' src='data:image/png;base64,{base64.b64encode(picture).decode()}'>"


def example_picture(figures: Path) -> bytes | None:
    """Read the figure with images of a run's report, None where there is none."""
    for name in EXAMPLES:
        try:
            return (figures / f"{name}.png").read_bytes()
        except OSError:
            continue
    return None


# On axes


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> "Figure":
    """Make a figure (inches) without pyplot, whose backend and open figures are the caller's; notebooks show it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            self.savefig(stream, format="png")
            return stream.getvalue()

    figure = ShownFigure(figsize=(width, height), layout=layout, dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def draw_loss(axes: "Axes", records: Sequence[EpochRecord], colours: Sequence[str | None] = (None, None)) -> None:
    """Draw the loss of training and validation by epoch on a log axis, with a dot at the epoch that is kept."""
    draw_curve(axes, records, [record.loss for record in records], colour=colours[0], label="training")
    draw_curve(axes, records, [one.validation_loss for one in records], colour=colours[1], label="validation")
    positive = all(min(record.loss, record.validation_loss) > 0 for record in records)
    axes.set_yscale("log" if positive else "linear")


def draw_curve(
    axes: "Axes", records: Sequence[EpochRecord], values: Sequence[float], *, colour: str | None, label: str | None
) -> None:
    """Draw one value an epoch; a dot marks the best epoch, but not of the training itself."""
    from matplotlib.ticker import MaxNLocator

    epochs, best = [record.epoch for record in records], best_epoch(records)
    marker = "o" if len(epochs) == 1 else None
    (line,) = axes.plot(epochs, values, color=colour, label=label, marker=marker)
    if best is not None and label != "training":
        axes.plot([best.epoch], [values[epochs.index(best.epoch)]], "o", color=line.get_color(), markersize=5)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)


def plot_history(records: Sequence[EpochRecord], ax: Any = None, what: str | None = None) -> Any:
    """Draw a history: one of its values on the caller's axes, or loss and score on a figure of its own.

    what: "loss", or a field of an epoch's record, as "validation_psnr", "learning_rate" or "seconds". Returns the
    figure, or the axes that were given. Raises CuelloError for another field, and before the first epoch.
    """
    if not records:
        raise CuelloError("no epoch has ended yet, so that there is nothing to draw.")
    known = [name for name, value in asdict(records[0]).items() if value is not None and np.isfinite(value)]
    if what is not None and what not in known:
        raise CuelloError(f"what: got {what!r}, needed one of {', '.join(known)}.")
    if ax is not None:
        draw_what(ax, records, what or "loss")
        return ax
    score = next((name for name in ("validation_accuracy", "validation_psnr") if name in known), None)
    shown = [what] if what is not None else ["loss", *([score] if score else [])]
    figure = new_figure(4.2 * len(shown), 3.0)
    for axes, name in zip(np.atleast_1d(figure.subplots(ncols=len(shown))), shown, strict=True):
        draw_what(axes, records, name)
    return figure


def draw_what(axes: "Axes", records: Sequence[EpochRecord], what: str) -> None:
    titles = {"validation_psnr": "validation PSNR, dB", "validation_accuracy": "validation accuracy"}
    if what == "loss":
        draw_loss(axes, records)
        axes.legend()
    else:
        draw_curve(axes, records, [getattr(record, what) for record in records], colour=None, label=None)
    axes.set_title(titles.get(what, what.replace("_", " ")))


def plot_picture(picture: bytes, ax: Any = None) -> Any:
    """Show a PNG on the caller's axes, or on a figure of its own, which is returned; else the axes are."""
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    figure = None if ax is not None else new_figure(pixels.shape[1] / DPI, pixels.shape[0] / DPI, layout=None)
    axes: Any = ax if figure is None else figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels)
    axes.set_axis_off()
    return axes if figure is None else figure


class History(list[EpochRecord]):
    """The epochs of a run, the first one first; in a notebook a table."""

    def plot(self, ax: Any = None, what: str | None = None) -> Any:
        """Draw it; see ``plot_history``."""
        return plot_history(self, ax, what)

    def _repr_html_(self) -> str:
        if not self:
            return "<i>no epoch has ended</i>"
        best = best_epoch(self)
        names = [name for name, value in asdict(self[0]).items() if value is not None and np.isfinite(value)]
        rows = [
            f"<tr{' style=font-weight:bold' if record == best else ''}>"
            + "".join(f"<td>{getattr(record, name):,.5g}</td>" for name in names)
            + "</tr>"
            for record in self
        ]
        if len(rows) > 24:
            rows[10:-10] = [f"<tr><td colspan={len(names)}>… {len(rows) - 20} more epochs</td></tr>"]
        heads = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names)
        return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"


class ReportPage:
    """A run's report: its path, which a notebook shows as the page."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        text = escape(self.path.read_text("utf-8"), quote=True)
        return f"<iframe srcdoc=\"{text}\" style='width:100%;height:640px;border:0' title='report'></iframe>"
