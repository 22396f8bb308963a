"""A benchmark in every form: its tables, what differs and whether that is chance, benchmark.html and its figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.files import make_folder, write_text
from cuello.jobs.images.benchmark import Benchmark, BenchmarkRow, Setting
from cuello.jobs.images.benchmark_figures import example_grid, score_dots
from cuello.jobs.images.evaluation import number
from cuello.jobs.images.methods import heading, named, time_text
from cuello.report.figures import save_both
from cuello.report.page import Picture, Section, Table
from cuello.report.result import Result
from cuello.runs.directory import environment
from cuello.scoring.intervals import FEWEST_GROUPS, bootstrap_interval
from cuello.scoring.metrics import METRICS
from cuello.scoring.published import PAPERS
from cuello.scoring.repeats import PairedDifference, paired_difference

PAGE_NAME = "benchmark.html"
FILES = (PAGE_NAME, "benchmark.csv", "figures/scores.png")
NOTE = (
    "Paired by image; the interval is a bootstrap over images, from five on; told apart: every interval leaves out 0."
)
COST_NOTE = (
    "Multiply-adds: for a pixel that goes in. ms: processor time on one core for an image that goes in, of the "
    "network's own channels."
)
NOTE_ON_SEEDS = " Repeats are also paired by seed, with Student's interval."
CSV_DIGITS = {"psnr": 4, "psnr-b": 4, "ssim": 5, "wrong": 2}
MOST_PAIRED = 5
"""With more networks than this, differences are only from the best one."""


@dataclass(frozen=True)
class BenchmarkDifference:
    """By how much one method is better than another at a setting: in dB of PSNR, or in wrong pixels of binary images.

    mean, low, high: over images, each the mean of its repeats, with the 95% bootstrap interval (NaN for fewer than five
    images). wins: images on which the first is better. seeds: paired by seed, where both were repeated.
    """

    setting: Setting
    first: str
    second: str
    mean: float
    low: float
    high: float
    wins: int
    seeds: PairedDifference | None = None

    @property
    def words(self) -> str:
        """Say which is better, if every known interval says so: over images, and over seeds."""
        known = [] if math.isnan(self.low) else [(self.low, self.high)]
        known += [(self.seeds.low, self.seeds.high)] if self.seeds is not None and self.seeds.enough else []
        if not known:
            return "too few images"
        if all(low > 0 for low, _ in known):
            return f"{self.first} is better"
        return f"{self.second} is better" if all(high < 0 for _, high in known) else "cannot be told apart"


def differences_of(found: Benchmark) -> list[BenchmarkDifference]:
    """Compare the networks with each other (many: with the best), and the best with the best other method."""
    differences = []
    for setting in found.settings:
        here = [name for name in found.methods if found.rows_of(setting, name)]
        ranked = sorted(here, key=lambda name: -merit(found, setting, name))
        networks = [name for name in ranked if name in found.networks]
        others = [name for name in ranked if name not in found.networks]
        pairs = list(combinations(networks, 2))
        if len(networks) > MOST_PAIRED:
            pairs = [(networks[0], name) for name in networks[1:]]
        pairs += [(networks[0], others[0])] if networks and others else []
        differences += [difference_of(found, setting, *pair) for pair in pairs]
    return differences


def difference_of(found: Benchmark, setting: Setting, first: str, second: str) -> BenchmarkDifference:
    ours, theirs = found.rows_of(setting, first), found.rows_of(setting, second)
    metric = found.metrics[0]
    gains = sign_of(metric) * (by_image(ours, metric) - by_image(theirs, metric))
    low, high = bootstrap_interval(gains, found.images) if len(gains) >= FEWEST_GROUPS else (math.nan, math.nan)
    by_seed = [
        {row.seed: sign_of(metric) * row.score(metric).mean for row in rows if row.seed is not None}
        for rows in (ours, theirs)
    ]
    seeds = paired_difference(*by_seed) if set(by_seed[0]) & set(by_seed[1]) else None
    return BenchmarkDifference(
        setting, first, second, mean=float(gains.mean()), low=low, high=high, wins=int((gains > 0).sum()), seeds=seeds
    )


def sign_of(metric: str) -> int:
    """Return what turns a metric so that more of it is better."""
    return 1 if METRICS[metric].higher_is_better else -1


def by_image(rows: Sequence[BenchmarkRow], metric: str) -> np.ndarray:
    """Return each image's score, the mean over repeats."""
    return np.mean([row.score(metric).values for row in rows], axis=0)


def merit(found: Benchmark, setting: Setting, method: str) -> float:
    """Return what decides, turned so that more is better; minus infinity where there is none."""
    spread = found.spread(setting, method, found.metrics[0])
    return sign_of(found.metrics[0]) * spread.mean if spread and math.isfinite(spread.mean) else -math.inf


def spread_words(found: Benchmark, setting: Setting, method: str, metric: str) -> str:
    """Write a method's mean, and the deviation over repeats where there are several."""
    spread, digits = found.spread(setting, method, metric), METRICS[metric].digits
    if spread is None:
        return ""
    if math.isnan(spread.mean):
        return "–"
    deviation = "" if math.isnan(spread.deviation) else f" ±{spread.deviation:.{digits}f}"
    return f"{spread.mean:.{digits}f}{deviation}"


def table_rows(found: Benchmark) -> list[list[str]]:
    """Return a table for people, by setting and what decides: setting, method, parameters, scores, origin."""
    metrics = metrics_of(found)
    rows: list[tuple[int, float, list[str]]] = []
    places = {setting: place for place, setting in enumerate(found.settings)}
    for setting in found.settings:
        for method in found.methods:
            if repeats := found.rows_of(setting, method):
                size = f"{found.networks[method]:,}" if method in found.networks else ""
                scores = [spread_words(found, setting, method, metric=metric) for metric in metrics]
                name = f"{method}, {len(repeats)} runs" if len(repeats) > 1 else method
                cells = [name, size, *scores[:-1], scores[-1].partition(" ")[0], "measured here"]
                rows.append((places[setting], merit(found, setting, method), cells))
    for other in found.published:
        paper = PAPERS[other.method]
        size = f"about {paper.parameters:,}" if paper.parameters else ""
        printed = {
            "psnr": f"{other.psnr:.2f}",
            "psnr-b": "" if other.psnr_b is None else f"{other.psnr_b:.2f}",
            "ssim": "" if other.ssim is None else as_printed(other.ssim),
        }
        cells = [other.method, size, *(printed.get(metric, "") for metric in metrics), "published"]
        rows.append((places[other.setting], other.psnr, cells))
    return [[str(found.settings[place]), *cells] for place, _, cells in sorted(rows, key=lambda row: row[:2])]


def metrics_of(found: Benchmark) -> list[str]:
    """Return the metrics of a table's columns."""
    return [name for name in ("wrong", "psnr", "psnr-b", "ssim") if name in ("psnr", "ssim", *found.metrics)]


def as_printed(ssim: float) -> str:
    """Write a published SSIM with the three or four digits that it was printed with.

    >>> as_printed(0.76), as_printed(0.8101)
    ('0.760', '0.8101')
    """
    return f"{ssim:.4f}" if f"{ssim:.4f}"[-1] != "0" else f"{ssim:.3f}"


def score_table(found: Benchmark) -> Table:
    columns = [f"{found.unit}>", "method", "parameters>", *(f"{heading(one)}>" for one in metrics_of(found)), "from"]
    rows = table_rows(found)
    ours = frozenset(place for place, row in enumerate(rows) if row[2] and row[-1] != "published")
    repeated = any(row.seed is not None for row in found.rows)
    note = "±: standard deviation over runs that differ only in the seed." if repeated else ""
    return Table(columns, rows, note, ours=ours)


def cost_table(found: Benchmark) -> Table:
    """Show what one image costs each network."""
    (height, width), *others = dict.fromkeys(cost.size for cost in found.costs.values())
    size = "" if others else f", {width}×{height}"
    columns = ["network", "parameters>", "multiply-adds>", f"ms{size}>"]
    rows = [
        [
            name,
            f"{cost.parameters:,}",
            "–" if cost.multiply_adds is None else f"{cost.multiply_adds:,.0f}",
            "–" if cost.milliseconds is None else time_text(cost.milliseconds),
        ]
        for name, cost in found.costs.items()
    ]
    return Table(columns, rows, COST_NOTE, title="What the networks cost")


def difference_tables(found: Benchmark, differences: Sequence[BenchmarkDifference], wide: bool) -> list[Table]:
    """Show the differences of what decides, a table a setting; what was repeated has an interval over seeds too.

    wide: also on how many images the first is better, and which is, in words.
    """
    tables = []
    what, *named = {
        "psnr": ("PSNR", "PSNR of", "minus that of", "dB>"),
        "wrong": ("wrong pixels", "wrong pixels of", "fewer than those of", "by>"),
    }[found.metrics[0]]
    for setting in found.settings:
        here = [item for item in differences if item.setting == setting]
        seeds = any(item.seeds is not None for item in here)
        columns = [*named, "95%, images>", *(["95%, seeds>"] if seeds else [])]
        columns += ["better on>", "conclusion"] if wide else ["told apart"]
        rows = []
        for item in here:
            cells = [item.first, item.second, f"{item.mean:+.2f}", interval(item.low, item.high)]
            if seeds:
                cells.append("–" if item.seeds is None else interval(item.seeds.low, item.seeds.high))
            told = {"cannot be told apart": "no", "too few images": "too few images"}.get(item.words, "yes")
            cells += [f"{item.wins} of {len(found.images)}", item.words] if wide else [told]
            rows.append(cells)
        if rows:
            note = NOTE + (NOTE_ON_SEEDS if seeds else "") if setting == found.settings[-1] else ""
            tables.append(Table(columns, rows, note, title=f"Differences of {what}, {found.unit} {setting}"))
    return tables


def interval(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:+.2f} to {high:+.2f}"


def headline(found: Benchmark, differences: Sequence[BenchmarkDifference]) -> str:
    """Say, at each setting, which measured method is best, and whether the next can be told from it."""
    parts, metric = [], found.metrics[0]
    unit = " dB" if metric == "psnr" else ""
    for setting in found.settings:
        here = [name for name in found.methods if found.rows_of(setting, name)]
        first, *others = sorted(here, key=lambda name: -merit(found, setting, name))
        said = f"{setting}: {first}, {abs(merit(found, setting, first)):.2f}{unit}"
        if others:
            pair = {first, others[0]}
            known = next(
                (one for one in differences if one.setting == setting and {one.first, one.second} == pair), None
            )
            apart = f", {known.words}" if known is not None and not known.words.endswith("better") else ""
            said += f" (next {others[0]}, {abs(merit(found, setting, others[0])):.2f}{apart})"
        parts.append(said)
    return f"{'Highest mean PSNR' if unit else 'Fewest wrong pixels per image'}. {'; '.join(parts)}."


def result_of(found: Benchmark) -> Result:
    """Return the result in every form; CSV: one line a method, repeat and setting, measured here and published."""
    protocol = found.rows[0].score(found.metrics[0]).protocol
    differences = differences_of(found)
    values = {
        "benchmark": found.name,
        "model": found.model,
        "parameters": found.parameters,
        "networks": dict(found.networks),
        "protocol": {score.protocol.metric: str(score.protocol) for row in found.rows for score in row.scores},
        "costs": {
            name: {
                "parameters": cost.parameters, "multiply_adds_a_pixel": cost.multiply_adds,
                "milliseconds": cost.milliseconds, "size": list(cost.size),
            }
            for name, cost in found.costs.items()
        },
        "notes": list(found.notes),
        "images": list(found.images),
        "measured": [
            {
                "method": row.method,
                found.unit: row.setting,
                **({} if row.seed is None else {"seed": row.seed}),
                **{score.protocol.metric: number(score.mean) for score in row.scores},
                "each": {score.protocol.metric: [number(value) for value in score.values] for score in row.scores},
            }
            for row in found.rows
        ],
        "differences": [difference_values(found, item) for item in differences],
        "published": [
            {
                "method": row.method, found.unit: row.setting, "psnr": row.psnr, "ssim": row.ssim,
                **({} if row.psnr_b is None else {"psnr-b": row.psnr_b}),
                "parameters": PAPERS[row.method].parameters, "source": PAPERS[row.method].source,
            }
            for row in found.published
        ],
    }  # fmt: skip
    verdict = f"{found.name}, {len(found.images)} images: {protocol}, mean over images"
    shown: list[Table | str] = [verdict, score_table(found), *([cost_table(found)] if found.costs else [])]
    if len(found.networks) > 1 or not found.published:
        shown += [*difference_tables(found, differences, wide=False), headline(found, differences)]
    return Result(verdict, values, csv_rows(found), shown=[*shown, *(f"note: {note}" for note in found.notes)])


def cost_cells(found: Benchmark, method: str) -> list[str | None]:
    """Return multiply-adds a pixel and milliseconds of a network, where they are known."""
    cost = found.costs.get(method)
    numbers = (None, None) if cost is None else (cost.multiply_adds, cost.milliseconds)
    return [None if number is None else f"{number:.{digits}f}" for number, digits in zip(numbers, (0, 2), strict=True)]


def csv_rows(found: Benchmark) -> list[list[Any]]:
    """Return a line for every method, repeat and setting: measured here, and published, with its source."""
    scored = ["psnr", "ssim", *(name for name in ("wrong", "psnr-b") if name in found.metrics)]
    rows: list[list[Any]] = [
        [
            *("benchmark", "method", "seed", "parameters", "multiply_adds_a_pixel", "milliseconds", found.unit),
            *(*scored, "origin", "protocol or source"),
        ]
    ]
    for row in found.rows:
        means = {score.protocol.metric: score.mean for score in row.scores}
        scores = [f"{means[name]:.{CSV_DIGITS[name]}f}" if name in means else None for name in scored]
        about = [row.seed, found.networks.get(row.method), *cost_cells(found, row.method), row.setting]
        protocol = str(row.score(found.metrics[0]).protocol)
        rows.append([found.name, row.method, *about, *scores, "measured here", protocol])
    for other in found.published:
        paper = PAPERS[other.method]
        printed = {"psnr": other.psnr, "ssim": other.ssim, "psnr-b": other.psnr_b}
        about = [None, paper.parameters, None, None, other.setting, *(printed.get(name) for name in scored)]
        rows.append([found.name, other.method, *about, "published", paper.source])
    return rows


def difference_values(found: Benchmark, item: BenchmarkDifference) -> dict[str, Any]:
    seeds = item.seeds if item.seeds is not None and item.seeds.enough else None
    return {
        found.unit: item.setting,
        "first": item.first,
        "second": item.second,
        "mean": item.mean,
        "interval_over_images": None if math.isnan(item.low) else [item.low, item.high],
        "interval_over_seeds": None if seeds is None else [seeds.low, seeds.high],
        "better_on": item.wins,
        "conclusion": item.words,
    }


def save_benchmark(folder: Path, found: Benchmark) -> None:
    """Write benchmark.html, benchmark.csv and the figures."""
    make_folder(folder)
    result, differences = result_of(found), differences_of(found)
    write_text(folder / "benchmark.csv", result.csv)
    figures = folder / "figures"
    dots = save_both(figures, "scores", lambda theme: score_dots(found, theme))
    shown = heading(found.metrics[0])
    note = "Filled: measured here; a dot a run where there are repeats. Hollow: published."
    sections = [Section("Scores", parts=[Picture(dots, f"{shown} of every method", note), score_table(found)])]
    sections += [Section("What the networks cost", parts=[cost_table(found)])] if found.costs else []
    sections += [Section(table.title, parts=[table]) for table in difference_tables(found, differences, wide=True)]
    if found.examples:
        images = save_both(figures, "images", lambda theme: example_grid(found, theme))
        about = (
            f"{found.settings[0]}; a hard, a usual and an easy image. Numbers: {named(found.metrics[0])}, of all of it."
        )
        sections.append(Section("What it looks like", parts=[Picture(images, "Images, restored by each", about)]))
    protocol = found.rows[0].score(found.metrics[0]).protocol
    sections.append(Section("How it was measured", [f"{protocol}, mean over images.", *found.notes]))
    subtitle = f"{len(found.images)} images; every method saw the same degraded pixels"
    result = replace(result, verdict=headline(found, differences))
    result.write_page(
        folder / PAGE_NAME, f"Benchmark: {found.name}", subtitle=subtitle, sections=sections,
        environment=environment(),
    )  # fmt: skip
