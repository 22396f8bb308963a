"""Several models of one job, judged on the same images and put in order: for jobs without levels of noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.files import make_folder, write_text
from cuello.inference.model import Model
from cuello.jobs.base import Job, JobEvaluation, JointEvaluation, OwnData, Request, Score
from cuello.report.page import Section, Table
from cuello.report.result import Result
from cuello.runs.directory import environment


@dataclass(frozen=True)
class RankedModel:
    """A model: the name of its run, its network, and its scores by name."""

    name: str
    network: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Ranking:
    """Several models on the same images, the best first. images: how many. notes: which they are."""

    scores: tuple[Score, ...]
    deciding: Score
    rows: tuple[RankedModel, ...]
    images: int
    notes: list[str] = field(default_factory=list)


FILES = ("matrix.csv", "matrix.html")


def ranked_models(
    job: Job, models: Mapping[str, Model], own: Mapping[str, OwnData], *, request: Request
) -> JointEvaluation:
    """Judge several models, and return the ranking with its forms."""
    if request.most is not None:
        raise CuelloError(f"most: got {request.most}, but {job.name} is judged on all images. Leave it out.")
    ranking = rank(job, models, own, request=request)
    return JointEvaluation(ranking, ranking_result(ranking), lambda folder: save_ranking(folder, ranking))


def rank(job: Job, models: Mapping[str, Model], own: Mapping[str, OwnData], *, request: Request) -> Ranking:
    """Judge every model alone, and put them in order of what decides.

    own: gives each run's data; a file without a run has none. Raises CuelloError as ``job.evaluate`` does.
    """
    judged = {name: job.evaluate(model, own.get(name), request) for name, model in models.items()}
    values = {name: job.result(one.evaluation).values for name, one in judged.items()}
    rows = [
        RankedModel(name, model.artefact.architecture.name, job.reached(values[name])) for name, model in models.items()
    ]
    rows.sort(key=lambda row: row.scores[job.deciding.name], reverse=job.deciding.higher_is_better)
    first: JobEvaluation = next(iter(judged.values()))
    images = int(next(iter(values.values()))["images"])
    return Ranking(job.results, job.deciding, rows=tuple(rows), images=images, notes=first.notes)


def ranking_result(ranking: Ranking) -> Result:
    """Return a ranking in every form."""
    names = [score.name for score in ranking.scores]
    values: dict[str, Any] = {
        "images": ranking.images,
        "rows": [{"name": row.name, "network": row.network, **row.scores} for row in ranking.rows],
        "notes": ranking.notes,
    }
    rows = [["name", "network", *names]]
    rows += [[row.name, row.network, *(f"{row.scores[name]:.8g}" for name in names)] for row in ranking.rows]
    best, score = ranking.rows[0], ranking.deciding
    verdict = f"The best of {len(ranking.rows)} by {score.label} is {best.name}: {score.text(best.scores[score.name])}."
    notes = [f"note: {note}" for note in ranking.notes]
    return Result(verdict, values, rows, shown=[ranking_table(ranking), verdict, *notes])


def ranking_table(ranking: Ranking) -> Table:
    """Return a row a model, the best first."""
    columns = ["run", "network", *(f"{score.heading}>" for score in ranking.scores)]
    rows = [
        [row.name, row.network, *(score.text(row.scores[score.name]) for score in ranking.scores)]
        for row in ranking.rows
    ]
    return Table(columns, rows, f"On the same {ranking.images:,} images, best first.", ours=frozenset({0}))


def save_ranking(folder: Path, ranking: Ranking) -> None:
    """Write matrix.csv and matrix.html."""
    make_folder(folder)
    result = ranking_result(ranking)
    write_text(folder / FILES[0], result.csv)
    sections = [Section("The models", ranking.notes, [ranking_table(ranking)])]
    subtitle = f"{len(ranking.rows)} models, {ranking.images:,} images"
    page = folder / FILES[1]
    result.write_page(page, "Models side by side", subtitle=subtitle, sections=sections, environment=environment())
