"""The runs of one folder, repeats or others, each judged as one run is: what each reached, and how far they spread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.jobs.base import Job, Score
from cuello.jobs.catalog import JOBS
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.artefact import load_artefact, runs_inside
from cuello.scoring.repeats import Spread, spread


@dataclass(frozen=True)
class JudgedRuns:
    """Runs of one job, judged. evaluations: by the name of their folder, what judging one of them gives."""

    folder: Path
    job: Job
    evaluations: Mapping[str, Any]

    @property
    def scores(self) -> list[Score]:
        """What was measured for all of them, what decides first."""
        common = set.intersection(*(set(one) for one in self.reached.values()))
        known = {score.name: score for score in (*self.job.results, *self.job.binary)}
        return [score for name, score in known.items() if name in common]

    @property
    def reached(self) -> dict[str, Mapping[str, float]]:
        """Each run's scores."""
        return {name: self.job.reached(self.job.result(one).values) for name, one in self.evaluations.items()}

    def spread(self, score: str) -> Spread:
        """Mean and standard deviation of a score over the runs."""
        return spread([one[score] for one in self.reached.values()])


def judge_runs(folder: Path, judge: Callable[[Path], Any]) -> JudgedRuns:
    """Judge every run of a folder; CuelloError where they were trained for several jobs. judge: takes a run's path."""
    runs = runs_inside(folder)
    jobs = {run.name: load_artefact(run).job for run in runs}
    if len(set(jobs.values())) > 1:
        told = ", ".join(f"{name} to {job}" for name, job in jobs.items())
        raise CuelloError(f"the runs of {folder} were trained for several jobs ({told}): name them one by one.")
    return JudgedRuns(folder, JOBS[jobs[runs[0].name]], {run.name: judge(run) for run in runs})


def result_of(found: JudgedRuns) -> Result:
    """Return the judged runs in every form: a row each, and their mean ± standard deviation."""
    scores, reached = found.scores, found.reached
    spreads = {score.name: found.spread(score.name) for score in scores}
    rows = [[name, *(score.text(one[score.name]) for score in scores)] for name, one in reached.items()]
    mean = ["mean ± sd", *(f"{score.text(spreads[score.name].mean)} ± {deviation(score, spreads)}" for score in scores)]
    table = Table(["run", *(f"{score.heading}>" for score in scores)], [*rows, mean])
    verdicts = {name: found.job.result(one).verdict for name, one in found.evaluations.items()}
    values = {
        "runs": {name: found.job.result(one).values for name, one in found.evaluations.items()},
        "mean": {name: one.mean for name, one in spreads.items()},
        "sd": {name: one.deviation for name, one in spreads.items()},
    }
    csv = [["run", *(score.name for score in scores)]]
    csv += [[name, *(f"{one[score.name]:.8g}" for score in scores)] for name, one in reached.items()]
    said = [f"{name}: {verdict}" for name, verdict in verdicts.items()]
    parts = [f"{score.label} {score.text(spreads[score.name].mean)} ± {deviation(score, spreads)}" for score in scores]
    return Result(f"{len(reached)} runs: {', '.join(parts)}.", values, csv, shown=[table, *said])


def deviation(score: Score, spreads: Mapping[str, Spread]) -> str:
    return score.text(spreads[score.name].deviation)
