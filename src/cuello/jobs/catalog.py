"""The jobs by name. A new one is a folder beside this file and a line here."""

from typing import Any

from cuello.core.config import TrainConfig
from cuello.core.registry import Registry
from cuello.jobs.base import Job
from cuello.jobs.classify.job import ClassifyJob
from cuello.jobs.explain.job import ExplainJob
from cuello.jobs.images.job import DENOISE, GENERATE, RECONSTRUCT, UPSCALE

JOBS: Registry[Job] = Registry("job", [DENOISE, UPSCALE, RECONSTRUCT, GENERATE, ClassifyJob(), ExplainJob()])


def task_of(config: TrainConfig) -> Any:
    """Return what makes the (input, target) pairs of a configuration; CuelloError where its settings do not fit."""
    return JOBS[config.job].pairing(config)
