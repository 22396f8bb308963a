"""The report of noise: tables for a terminal, values for machines, a page with pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cuello.core.files import write_text
from cuello.denoising.advice import advice, kind_in_words, neighbours, ordinal, sigmas
from cuello.denoising.noise_pictures import autocorrelations, hundredths, shown, variances
from cuello.noise_models.survey import NoiseSurvey
from cuello.report.figures import save_both
from cuello.report.page import Picture, Section, Table
from cuello.report.result import Result

if TYPE_CHECKING:
    from cuello.denoising.noise import NoiseReport

FILES = ("report.html", "noise.json", "figures/variance.png", "figures/autocorrelation.png")
"""What is written."""
ACROSS = 3
"""Channels side by side in a table that a narrow terminal holds."""
LISTED = 20
"""Hot and dead pixels that a page names."""


def number(value: float) -> str:
    """Write a number with three digits, without an exponent where that is short.

    >>> number(0.0123456), number(12345.6), number(0)
    ('0.0123', '12346', '0')
    """
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def percent(share: float) -> str:
    return "0" if share == 0 else "<0.01%" if share < 1e-4 else f"{share:.2%}"


def at_brightness(place: int) -> Callable[[NoiseSurvey], str]:
    """Give what writes the deviation where it is dark (0), of middle brightness (1) or bright (2)."""

    def write(found: NoiseSurvey) -> str:
        value, level = sigmas(found)[place]
        return f"{number(level)} at {value:.0f}" if abs(value) >= 10 else f"{number(level)} at {value:.2g}"

    return write


ROWS: tuple[tuple[str, Callable[[NoiseSurvey], str]], ...] = (
    ("gain", lambda one: number(one.model.gain)),
    ("σ of reading", lambda one: number(one.model.read) if one.model.base > 0 else "–"),
    ("no noise at", lambda one: number(one.model.darkest) if one.model.gain and one.model.base < 0 else "–"),
    ("σ where dark", at_brightness(0)),
    ("σ in the middle", at_brightness(1)),
    ("σ where bright", at_brightness(2)),
    ("line fits to", lambda one: percent(one.curve.misfit) if one.curve and one.fits else "does not fit"),
    ("shared, beside", lambda one: hundredths(neighbours(one)[0])),
    ("shared, below", lambda one: hundredths(neighbours(one)[1])),
    ("white at every", lambda one: "pixel" if one.white else f"{ordinal(one.spacing)} pixel"),
    ("stripes, rows", lambda one: number(one.stripes[0])),
    ("stripes, columns", lambda one: number(one.stripes[1])),
    ("cut off, dark", lambda one: percent(one.clipped_low)),
    ("cut off, bright", lambda one: percent(one.clipped_high)),
    ("hot pixels", lambda one: f"{len(one.hot):,}"),
    ("dead pixels", lambda one: f"{len(one.dead):,}"),
    ("impulses", lambda one: percent(one.impulses)),
    ("JPEG blocks", lambda one: f"+{one.jpeg_blocks:.0%}" if one.jpeg_blocks >= 0.005 else "none"),
)
"""What a table says of every channel with noise."""


def channel_tables(names: Sequence[str], channels: Sequence[NoiseSurvey]) -> list[Table]:
    """Make the tables of all channels with noise, some side by side."""
    noisy = [(name, one) for name, one in zip(names, channels, strict=True) if one.curve is not None]
    tables = []
    for start in range(0, len(noisy), ACROSS):
        some = noisy[start : start + ACROSS]
        rows = [[label, *(write(one) for _, one in some)] for label, write in ROWS]
        rows.append(["values", *(f"{number(one.range[0])}…{number(one.range[1])}" for _, one in some)])
        tables.append(Table(["noise", *(f"{name}>" for name, _ in some)], rows))
    return tables


def values_of(name: str, found: NoiseSurvey) -> dict[str, Any]:
    """Give what was measured in one channel as plain values."""
    curve = found.curve
    return {
        "name": name,
        "kind": found.kind,
        "gain": found.model.gain,
        "base": found.model.base,
        "read": found.model.read,
        "no_noise_at": found.model.darkest if found.model.gain else None,
        "sigma": [{"brightness": at, "sigma": level} for at, level in sigmas(found)],
        "measured": "from image to image" if found.temporal else "in each image",
        "fits": found.fits,
        "misfit": None if curve is None else curve.misfit,
        "curve": None
        if curve is None
        else {one: np.asarray(getattr(curve, one)).tolist() for one in ("brightness", "variance", "weight")},
        "correlation": found.correlation.round(5).tolist(),
        "spacing": found.spacing,
        "stripes": {"rows": found.stripes[0], "columns": found.stripes[1]},
        "clipped": {"low": found.clipped_low, "high": found.clipped_high},
        "hot": found.hot.tolist(),
        "dead": found.dead.tolist(),
        "impulses": found.impulses,
        "jpeg_blocks": found.jpeg_blocks,
        "range": list(found.range),
        "notes": list(found.notes),
    }


def verdict_of(names: Sequence[str], channels: Sequence[NoiseSurvey]) -> str:
    """Say what the noise is in a sentence; of several channels, each."""
    said = [kind_in_words(one) for one in channels]
    if len(set(said)) == 1:
        return f"{said[0][0].upper()}{said[0][1:]}."
    return ". ".join(f"{name[0].upper()}{name[1:]}: {one}" for name, one in zip(names, said, strict=True)) + "."


def measured_text(report: "NoiseReport") -> str:
    """Say in how many images, and how, noise was measured."""
    count = f"{report.images} image{'s' if report.images > 1 else ''}"
    temporal = [one.temporal for one in report.channels]
    how = "from image to image, as the scene stands still" if any(temporal) else "in each image, where it is flattest"
    return f"Measured in {count} of {report.name}, {how}."


def result_of(report: "NoiseReport") -> Result:
    """Give a report in every form."""
    verdict = verdict_of(report.names, report.channels)
    follows = advice(report.channels)
    tables = channel_tables(report.names, report.channels)
    notes = [f"note: {note}" for note in report.notes]
    values = {
        "images": report.images,
        "name": report.name,
        "verdict": verdict,
        "channels": [values_of(name, one) for name, one in zip(report.names, report.channels, strict=True)],
        "advice": follows,
        "left_out": [{"image": name, "reason": reason} for name, reason in report.left_out],
        "failed": [{"file": name, "problem": problem} for name, problem in report.failed],
        "notes": list(report.notes),
    }
    flat = {key for one in values["channels"] for key, value in one.items() if not isinstance(value, list | dict)}
    columns = [key for key in values["channels"][0] if key in flat]
    rows = [columns, *([one[key] for key in columns] for one in values["channels"])]
    return Result(
        verdict,
        values,
        rows,
        shown=[verdict, *tables, measured_text(report), *notes, "", "What follows:", *(f"- {one}" for one in follows)],
    )


def write_report(folder: Path, report: "NoiseReport") -> None:
    """Write report.html, noise.json and the pictures into a folder."""
    from cuello.runs.directory import environment

    result = result_of(report)
    sections = [Section("What follows", advice(report.channels))]
    if shown(report.names, report.channels):
        sections += noise_sections(folder, report)
    if report.notes or report.left_out or report.failed:
        rows = [[name, reason] for name, reason in (*report.failed, *report.left_out)]
        parts = [Table(["image", "why"], rows)] if rows else []
        sections.append(Section("Notes", report.notes, parts))
    write_text(folder / "noise.json", result.json + "\n")
    result.write_page(
        folder / "report.html", f"Noise of {report.name}", subtitle=measured_text(report), sections=sections,
        environment=environment(),
    )  # fmt: skip


def noise_sections(folder: Path, report: "NoiseReport") -> list[Section]:
    """Make the sections with pictures and tables of channels that have noise."""
    names, channels = report.names, report.channels
    figures = folder / "figures"
    curve = save_both(figures, "variance", lambda theme: variances(names, channels, theme))
    around = save_both(figures, "autocorrelation", lambda theme: autocorrelations(names, channels, theme))
    sections = [
        Section(
            "Variance against brightness",
            ["A camera's noise lies on a line: its slope is the gain, what a photon counts for."],
            [Picture(curve, "variance of the noise against brightness, with a line")],
        ),
        Section(
            "Autocorrelation",
            ["Of a pixel's noise with that of the pixels around it: near 0 everywhere but in the middle, it is white."],
            [Picture(around, "correlation of noise with that of the pixels around")],
        ),
        Section("In numbers", parts=channel_tables(names, channels)),
    ]
    rows = [
        [name, kind, f"{row}, {column}"]
        for name, one in zip(names, channels, strict=True)
        for kind, places in (("hot", one.hot), ("dead", one.dead))
        for row, column in places[:LISTED]
    ]
    if rows:
        more = "" if len(rows) < LISTED else f"Of each kind up to {LISTED}; noise.json has all."
        sections.append(Section("Defects", parts=[Table(["channel", "kind", "row, column>"], rows, more)], folded=True))
    return sections
