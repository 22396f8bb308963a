"""Methods side by side: the scores of each, what decides between them, by how much ours is better, and the verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cuello.core.own import may_run, short
from cuello.scoring.intervals import FEWEST_GROUPS, bootstrap_interval
from cuello.scoring.metrics import METRICS, PERFECT

SIMPLE = {"median-3": "a 3×3 median filter", "bicubic": "bicubic interpolation"}
"""The classical methods that everybody knows: a verdict names them."""
AMOUNTS = {"psnr": ("dB", "dB worse"), "wrong": ("wrong pixels per image", "more wrong pixels per image"),
           "mse": ("in MSE", "higher in MSE")}  # fmt: skip
"""How a verdict writes a gain, and a loss, by the metric that decides."""


@dataclass(frozen=True)
class Method:
    """One row of the table: a method's scores.

    label: how a table calls it. scores: metric name to one value per image. strength: of a classical method, chosen
    on a few of the images; None for the network. milliseconds: an image, on this machine. counted: ``(N,)`` bool, the
    images whose PSNR counts, the same for all methods of a table; None: all.
    """

    name: str
    label: str
    scores: dict[str, np.ndarray]
    strength: float | None
    milliseconds: float
    counted: np.ndarray | None = None

    def values(self, metric: str) -> np.ndarray:
        """Return the metric of every image that counts."""
        found = self.scores[metric]
        return found if metric != "psnr" or self.counted is None else found[self.counted]

    def mean(self, metric: str) -> float:
        """Return the metric's mean over the images that count; NaN where none does."""
        values = self.values(metric)
        return float(values.mean()) if len(values) else math.nan

    @property
    def means(self) -> dict[str, float]:
        return {metric: self.mean(metric) for metric in self.scores}


def images_in_words(protocol: Mapping[str, Any]) -> str:
    """Say how many images were scored, and of how many images they are crops where that differs.

    >>> images_in_words({"images": 10000, "photographs": 10000})
    '10,000 images'
    """
    scored, whole = protocol["images"], protocol["photographs"]
    return f"{scored:,} images" if scored == whole else f"{scored:,} crops of {whole:,} images"


NO_TIME = 0.005
"""Milliseconds below which nothing was done: the input as it is."""


def time_text(milliseconds: float) -> str:
    """Write the time for one image.

    >>> time_text(0.0), time_text(0.03), time_text(12.34)
    ('–', '<0.1', '12.3')
    """
    return "–" if milliseconds < NO_TIME else f"{milliseconds:.1f}" if milliseconds >= 0.05 else "<0.1"


def counted_images(errors: Sequence[np.ndarray]) -> np.ndarray | None:
    """Tell on which images PSNR says something: those that no method restores perfectly; None: all.

    errors: the mean squared errors of every method, one value per image.
    """
    counted = np.all([mse > PERFECT for mse in errors], axis=0)
    return None if counted.all() else counted


def left_out(methods: Sequence[Method]) -> int:
    """Count the images that are left out of every mean of PSNR."""
    counted = methods[0].counted
    return 0 if counted is None else int((~counted).sum())


def deciding_of(means: Mapping[str, Any]) -> str:
    """Name the metric that methods are judged by: wrong pixels of binary images, else PSNR, where there is one.

    >>> deciding_of({"mse": 0.1, "psnr": 10.0}), deciding_of({"mse": 0.1, "psnr": 10.0, "wrong": 2.0})
    ('psnr', 'wrong')
    """
    if "wrong" in means:
        return "wrong"
    psnr = means.get("psnr")
    return "mse" if psnr is None or math.isnan(psnr) else "psnr"


def order_key(means: Mapping[str, Any]) -> tuple[float, float]:
    """Return what methods are sorted by, the best first: what decides, then the mean squared error."""
    name = deciding_of(means)
    return -means[name] if METRICS[name].higher_is_better else means[name], means.get("mse", 0.0)


def heading(metric: str) -> str:
    """Return how a table calls a metric."""
    if metric == "wrong":
        return "wrong pixels"
    return metric.upper() if metric in METRICS else short(metric)


def named(metric: str) -> str:
    """Return a metric with its unit, for an axis.

    >>> [named(metric) for metric in ("psnr", "wrong", "mse")]
    ['PSNR, dB', 'wrong pixels', 'MSE']
    """
    unit = METRICS[metric].unit
    return heading(metric) if metric == "wrong" or not unit else f"{heading(metric)}, {unit}"


def per_image(metric: str) -> str:
    """Return what decides with its unit, as a title begins.

    >>> per_image("psnr"), per_image("wrong")
    ('PSNR in dB', 'Wrong pixels per image')
    """
    return {"psnr": "PSNR in dB", "wrong": "Wrong pixels per image", "mse": "MSE"}[metric]


def in_order(metrics: Sequence[str]) -> list[str]:
    """Return names of metrics as tables have them: wrong pixels first."""
    return sorted(metrics, key=lambda name: name != "wrong")


def text_of(metric: str, value: float | None) -> str:
    """Write a metric's value; "–" where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits_of(metric)}f}"


def digits_of(metric: str) -> int:
    """Return how many digits to show; four where a metric of one's own is only read from a file, and not run."""
    return METRICS[metric].digits if metric in METRICS or may_run("metric", metric) else 4


@dataclass(frozen=True)
class Difference:
    """How much better ours is than a method: mean, its 95% interval, and on how many images ours is better.

    metric: what it is measured in: dB of PSNR, or wrong pixels, or MSE, fewer of which are better.
    """

    against: str
    label: str
    mean: float
    low: float
    high: float
    wins: int
    images: int
    metric: str = "psnr"

    @property
    def interval(self) -> str:
        """The interval in words; "" where there is none."""
        digits = METRICS[self.metric].digits
        return "" if math.isnan(self.low) else f"{self.low:+.{digits}f} to {self.high:+.{digits}f}"


def gains_over(ours: Method, other: Method, metric: str) -> np.ndarray:
    """Return by how much ours is better on every image that counts."""
    gains = ours.values(metric) - other.values(metric)
    return gains if METRICS[metric].higher_is_better else -gains


def difference(ours: Method, other: Method, photographs: Sequence[str], metric: str = "psnr") -> Difference:
    """Compare two methods image by image, with a 95% bootstrap interval of the mean.

    Whole photographs are drawn, with all their crops, because crops of one photograph are alike (Davison and Hinkley
    1997, section 3.8). With fewer than FEWEST_GROUPS the interval is not a number.
    """
    gains = gains_over(ours, other, metric)
    groups = np.asarray(photographs)
    if metric == "psnr" and ours.counted is not None:
        groups = groups[ours.counted]
    enough = len(set(groups.tolist())) >= FEWEST_GROUPS
    low, high = bootstrap_interval(gains, groups.tolist()) if enough else (math.nan, math.nan)
    return Difference(
        against=other.name, label=other.label, mean=float(gains.mean()) if len(gains) else math.nan, low=low, high=high,
        wins=int((gains > 0).sum()), images=len(gains), metric=metric,
    )  # fmt: skip


def verdict_of(differences: Sequence[Difference], others: str = "classical method") -> str:
    """Say in one sentence whether the network beats the best of the others."""
    if not differences:
        return f"Nothing to compare with: no {others} was run."
    best = min(differences, key=lambda item: item.mean)  # the method that ours gains least over
    more, less = AMOUNTS[best.metric]
    digits = METRICS[best.metric].digits
    what = "doing nothing" if best.against == "input" else f"the best {others} ({best.label})"
    interval = f" (95% interval {best.interval})" if best.interval else ""
    on = f"on {best.wins} of {best.images} images"
    simple = next((item for item in differences if item.against in SIMPLE and item is not best), None)
    also = ""
    if simple is not None and simple.against == "bicubic":
        gain = f"{simple.mean:+.{digits}f} {more}"
        also = f" Against bicubic: {gain}, better on {simple.wins} of {simple.images}."
    if best.mean > 0 and not best.low <= 0:
        return f"Beats {what} by {best.mean:.{digits}f} {more}{interval}, {on}.{also}"
    if best.mean < 0 and not best.high >= 0:
        also = f" Does not beat even {SIMPLE[simple.against]}." if simple is not None and simple.mean < 0 else also
        return f"Does not beat {what}: {-best.mean:.{digits}f} {less}{interval}, better {on}.{also}"
    return f"Cannot be told apart from {what}: {best.mean:+.{digits}f} {more}{interval}, better {on}.{also}"
