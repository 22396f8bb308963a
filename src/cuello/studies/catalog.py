"""The studies by name."""

from pathlib import Path
from typing import Any

from cuello.core.registry import Registry
from cuello.studies.base import Study, StudyReport, run_study
from cuello.studies.glyphs.study import STUDY as GLYPHS
from cuello.studies.mnist.study import STUDY as MNIST
from cuello.studies.occlusion.study import STUDY as OCCLUSION
from cuello.studies.salt_pepper.study import STUDY as SALT_PEPPER
from cuello.studies.super_resolution.study import STUDY as SUPER_RESOLUTION

STUDIES: Registry[Study] = Registry("study", [SALT_PEPPER, MNIST, OCCLUSION, GLYPHS, SUPER_RESOLUTION])


def study(name: str, data: str | Path | None = None, output: str | Path | None = None, **options: Any) -> StudyReport:
    """Redo a source system's work; return the report's path and what was found.

    name: of the study ("salt-pepper"). data: one of its data sets, by default the small one. output: its folder.
    options: repeats, workers, cluster, watch and settings (device, threads) of ``cuello.studies.base.run_study``.
    Raises CuelloError for an unknown study or data set.
    """
    return run_study(STUDIES[name], data, output, **options)
