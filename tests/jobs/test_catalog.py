"""A job is one object: nobody outside asks for its name, and every entry of the table keeps the contract."""

import ast
from pathlib import Path

import pytest

import cuello
from cuello.core.config import GIVES, TrainConfig
from cuello.core.errors import CuelloError
from cuello.jobs.base import Job, check_network
from cuello.jobs.catalog import JOBS
from cuello.models.catalog import KINDS
from cuello.models.named import find_network
from cuello.runs.history import EpochRecord
from cuello.scoring.losses import find_loss

ROOT = Path(cuello.__file__).parent
ELSEWHERE = [path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] != "jobs"]
NAMES = set(JOBS.names())


def asked(source: str) -> list[str]:
    """Return where a source text compares a job's name, or asks whether something classifies or explains."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            parts = [part for one in (node.left, *node.comparators) for part in ast.walk(one)]
            names = {part.value for part in parts if isinstance(part, ast.Constant)} & NAMES
            attributes = {part.attr for part in parts if isinstance(part, ast.Attribute)}
            variables = {part.id for part in parts if isinstance(part, ast.Name)}
            if names and "job" in attributes | variables:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Attribute) and node.attr in ("classifies", "explains", "restores"):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_else_asks_for_a_job(path: Path) -> None:
    found = asked(path.read_text())
    if path.relative_to(ROOT).parts[0] == "models":  # where a kind of network says what it gives
        found = [one for one in found if not one.endswith(("classifies", "explains"))]
    assert not found


def test_a_question_would_be_seen() -> None:
    assert asked("if config.job == 'explain': pass")
    assert asked("x = job in ('classify', 'denoise')")
    assert asked("if KINDS[kind].classifies: pass")
    assert not asked("if name == 'photos': pass")


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_contract(job: Job) -> None:
    assert job.name in TrainConfig.model_fields["job"].annotation.__args__  # type: ignore[union-attr]
    assert set(job.options) <= set(TrainConfig.model_fields)
    assert {f"validation_{score.name}" for score in job.scores} <= set(EpochRecord.__dataclass_fields__)
    assert {f"validation_{score.name}" for score in job.binary} <= set(EpochRecord.__dataclass_fields__)
    assert job.deciding in job.results
    assert GIVES[job.name] == job.gives
    check_network(job, job.default_model, find_loss(job.default_loss))
    kind = KINDS[find_network(job.default_model).kind]
    assert kind.gives == job.gives
    others = [other for other in JOBS if other.gives != job.gives]
    for other in others:
        with pytest.raises(CuelloError):
            check_network(job, other.default_model, find_loss(job.default_loss))


def test_every_job_of_the_settings_is_in_the_table() -> None:
    assert set(TrainConfig.model_fields["job"].annotation.__args__) == NAMES  # type: ignore[union-attr]
