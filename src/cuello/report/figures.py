"""The pictures of a report, each drawn for a light and for a dark page."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cuello.core.files import as_cuello_error, replacing
from cuello.runs.history import EpochRecord, best_epoch
from cuello.runs.look import draw_curve, draw_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a page: background, text, faint text and lines; ours, and the classical methods in order."""

    name: str
    background: str
    text: str
    faint: str
    line: str
    ours: str
    others: tuple[str, ...]


LIGHT = Theme(
    "light", background="#ffffff", text="#1d232b", faint="#667080", line="#dfe3e8", ours="#c2410c",
    others=("#8a94a3", "#2563a8", "#4d9dc6", "#0f766e", "#7c5cb8", "#a16207", "#b4487c", "#5b6b2f"),
)  # fmt: skip
DARK = Theme(
    "dark", background="#14181d", text="#e6e9ed", faint="#98a2b0", line="#2c333c", ours="#fb923c",
    others=("#7f8a99", "#6ea8e8", "#9bd0ea", "#4fc3b0", "#b39be6", "#d8ab4c", "#e58ab4", "#a9bd6c"),
)  # fmt: skip
THEMES = (LIGHT, DARK)


@contextmanager
def drawing(theme: Theme, width: float, height: float, **subplots: Any) -> Iterator[tuple["Figure", Any]]:
    """Give a figure (inches) and its axes in the theme's colours.

    It is drawn without pyplot, whose backend, settings and open figures are the caller's.
    """
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "figure.facecolor": theme.background, "axes.facecolor": theme.background, "savefig.facecolor": theme.background,
        "text.color": theme.text, "axes.labelcolor": theme.text, "axes.edgecolor": theme.line,
        "xtick.color": theme.faint, "ytick.color": theme.faint, "grid.color": theme.line,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
        "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "legend.frameon": False, "lines.linewidth": 1.8,
    }  # fmt: skip
    with matplotlib.style.context(["default", style]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(**subplots)


def save_both(folder: Path, name: str, draw: Callable[[Theme], bytes]) -> dict[str, bytes]:
    """Draw a picture in each theme; the light one is also written to ``folder/NAME.png``."""
    pictures = {theme.name: draw(theme) for theme in THEMES}
    try:
        folder.mkdir(exist_ok=True)  # and not what is above it, which may have been removed meanwhile
    except OSError as error:
        raise as_cuello_error(error, folder) from error
    with replacing(folder / f"{name}.png") as temporary:
        temporary.write_bytes(pictures["light"])
    return pictures


def as_png(figure: "Figure") -> bytes:
    """Draw a PNG at 144 dots an inch."""
    import io

    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=144)
    return stream.getvalue()


def learning_curves(
    history: Sequence[EpochRecord],
    theme: Theme,
    left_title: str,
    right_title: str,
    value: Callable[[EpochRecord], float],
) -> bytes:
    """Draw loss of training and validation by epoch, on a log axis, and beside it a value of the validation."""
    best = best_epoch(history)
    with drawing(theme, 8.4, 3.0, ncols=2) as (figure, (left, right)):
        draw_loss(left, history, (theme.others[1], theme.ours))
        draw_curve(right, history, [value(record) for record in history], colour=theme.ours, label=None)
        left.set(title=left_title)
        right.set(title=right_title)
        if best is not None:
            left.annotate(
                f"best: epoch {best.epoch}", (best.epoch, best.validation_loss), xytext=(-4, 8),
                textcoords="offset points", ha="right", color=theme.faint, fontsize=8,
            )  # fmt: skip
        left.legend(loc="best")
        return as_png(figure)


def whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def shorten(text: str, most: int = 24, end: int = 8) -> str:
    """Leave out the middle of a text of more than ``most`` characters; ``end``: how many of the last to keep.

    >>> shorten("surprisingly", 7, end=2), shorten("surprised", 7, end=0)
    ('surp…ly', 'surpri…')
    """
    return text if len(text) <= most else f"{text[: max(1, most - end - 1)]}…{text[len(text) - end :]}"
