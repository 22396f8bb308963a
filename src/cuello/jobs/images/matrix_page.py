"""A matrix on disk: matrix.csv, matrix.html and its figures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cuello.core.files import make_folder, write_text
from cuello.degrade.base import show
from cuello.jobs.images.evaluation import LEFT_OUT, number
from cuello.jobs.images.matrix import NETWORK, Matrix
from cuello.jobs.images.matrix_figures import heat_map, level_curves
from cuello.jobs.images.methods import images_in_words, named, text_of, time_text
from cuello.report.figures import save_both
from cuello.report.page import Picture, Section, Table
from cuello.report.result import Result
from cuello.runs.directory import environment

FILES = ("matrix.csv", "matrix.html", "figures/matrix.png", "figures/curves.png")


def save_matrix(folder: Path, matrix: Matrix) -> None:
    """Write matrix.csv, matrix.html, figures/matrix.png and figures/curves.png."""
    make_folder(folder)
    result = result_of(matrix)
    write_text(folder / "matrix.csv", result.csv)
    figures = folder / "figures"
    heat = save_both(figures, "matrix", lambda theme: heat_map(matrix, theme))
    curves = save_both(figures, "curves", lambda theme: level_curves(matrix, theme))
    sections = [
        Section(
            "The matrix",
            parts=[
                Picture(
                    heat,
                    f"{named(matrix.deciding)} by trained and tested noise level",
                    "Rows: trained level; columns: tested level; classical methods below the gap. Star: the best at "
                    "that level. Frame: tested at the level it was trained at.",
                )
            ],
        ),
        Section(
            "By tested level",
            parts=[Picture(curves, f"{named(matrix.deciding)} against the tested noise level, one line per method")],
        ),
        *(
            Section(title, parts=[metric_table(matrix, metric)])
            for metric, title in (("wrong", "Wrong pixels per image"), ("psnr", "PSNR, dB"), ("mse", "MSE, white is 1"))
            if metric in matrix.metrics
        ),
        Section("How it was measured", protocol_lines(matrix), folded=True),
    ]
    subtitle = f"{matrix.noise}, {matrix.protocol['images']} images; every method saw the same degraded pixels"
    title = "Trained level against tested level"
    page = folder / "matrix.html"
    result.write_page(page, title, subtitle=subtitle, sections=sections, environment=environment())


def result_of(matrix: Matrix) -> Result:
    """Return the matrix in every form; levels are texts in JSON, whose keys are. CSV: one line a row and level."""

    def texts(values: Mapping[float, Any]) -> dict[str, Any]:
        return {show(level): value for level, value in values.items()}

    values = {
        "noise": matrix.noise,
        "levels": list(matrix.levels),
        "rows": [
            {
                "name": row.name,
                "label": row.label,
                "trained": row.trained,
                "kind": row.kind,
                "mse": texts(row.mse),
                "psnr": texts({level: number(value) for level, value in row.psnr.items()}),
                **({} if row.wrong is None else {"wrong": texts(row.wrong)}),
                "milliseconds_an_image": row.milliseconds,
            }
            for row in matrix.rows
        ],
        "best": {metric: texts(names) for metric, names in matrix.best.items()},
        "protocol": dict(matrix.protocol),
    }
    rows = [["method", "label", "kind", "trained", "tested", *matrix.metrics]]
    for row in matrix.rows:
        for level in matrix.levels:
            scores = (f"{row.values(metric)[level]:.8g}" for metric in matrix.metrics)
            rows.append([row.name, row.label, row.kind, row.trained, show(level), *scores])
    titles = {
        "wrong": "Wrong pixels per image (fewer are better)", "mse": "MSE (lower is better)",
        "psnr": "PSNR in dB (higher is better)",
    }  # fmt: skip
    where = f"{matrix.protocol['images']} images; {matrix.noise}, tested at:"
    tables = [
        replace(metric_table(matrix, metric), title=f"{title}, {where}")
        for metric, title in titles.items()
        if metric in matrix.metrics
    ]
    verdict = verdict_of(matrix)
    notes = [f"note: {note}" for note in matrix.protocol.get("notes", ())]
    return Result(verdict, values, rows, shown=[*tables, f"*: best of its column. {verdict}", *notes])


def metric_table(matrix: Matrix, metric: str) -> Table:
    """Return a table of one metric: rows as in the matrix, the best of each level with a star."""
    columns = ["method", "trained at", *(f"{show(level)} >" for level in matrix.levels), "ms per image>"]
    rows = [
        [row.label, row.trained or "–", *marked(matrix, metric, row.name), time_text(row.milliseconds)]
        for row in matrix.rows
    ]
    ours = frozenset(position for position, row in enumerate(matrix.rows) if row.kind == NETWORK)
    return Table(columns, rows, "Tested level across. *: best of its column.", ours=ours)


def marked(matrix: Matrix, metric: str, name: str) -> list[str]:
    """Return a row's numbers as texts; the best of a level ends in a star, the others in a space."""
    values, best = matrix.row(name).values(metric), matrix.best[metric]
    return [f"{text_of(metric, values[level])}{'*' if best[level] == name else ' '}" for level in matrix.levels]


def verdict_of(matrix: Matrix) -> str:
    """Say which row is best by what decides at each level, neighbouring levels of one row joined."""
    parts: list[tuple[str, list[str]]] = []
    for level in matrix.levels:
        name = matrix.best[matrix.deciding][level]
        if parts and parts[-1][0] == name:
            parts[-1][1].append(show(level))
        else:
            parts.append((name, [show(level)]))
    said = []
    for name, levels in parts:
        row = matrix.row(name)
        trained = f" (trained at {row.trained})" if row.kind == NETWORK else ""
        said.append(f"{levels[0]}{f' to {levels[-1]}' if len(levels) > 1 else ''}: {row.label}{trained}")
    most = "Fewest wrong pixels" if matrix.deciding == "wrong" else "Highest mean PSNR"
    return f"{most} by tested level: {'; '.join(said)}."


def protocol_lines(matrix: Matrix) -> list[str]:
    """Return the protocol as sentences for the page."""
    protocol = matrix.protocol
    networks = "; ".join(f"{name}: {kind}" for name, kind in protocol["networks"].items())
    return [
        f"{images_in_words(protocol)}, {protocol['channels']} channels, noise "
        f"seed {protocol['noise_seed']}. Values {protocol['range']}.",
        f"Networks: {networks}.",
        f"Strengths {protocol['strengths']}.",
        *([f"The crops are {protocol['crops']}."] if "crops" in protocol else []),
        *(f"At {level}, {count} {LEFT_OUT}." for level, count in protocol.get("left_out_of_psnr", {}).items()),
        *(f"{name.upper()}: {summary}." for name, summary in protocol["metrics"].items()),
        *protocol.get("notes", ()),
    ]
