"""Modules by the names that they had before they moved into folders: they work for this version, with a warning."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

MODULES = {
    "application": "inference.files",
    "baselines": "scoring.baselines",
    "benchmarking": "jobs.images.benchmark",
    "bundled": "inference.bundled",
    "classification": "jobs.classify.evaluation",
    "conditioning": "models.base",
    "config": "core.config",
    "errors": "core.errors",
    "estimated_maps": "jobs.explain.estimator",
    "estimation": "jobs.explain.evaluation",
    "evaluation": "jobs.images.evaluation",
    "exact_maps": "jobs.explain.exact",
    "explaining": "jobs.explain.explain",
    "files": "core.files",
    "intervals": "scoring.intervals",
    "judging": "work.evaluate",
    "likelihood": "latent.likelihood",
    "limits": "studies.glyphs.limits",
    "losses": "scoring.losses",
    "map_check": "jobs.explain.check",
    "matrix": "jobs.images.matrix",
    "memory": "core.memory",
    "metrics": "scoring.metrics",
    "preparation": "jobs.data",
    "protocols": "scoring.protocols",
    "published": "scoring.published",
    "references": "scoring.references",
    "registry": "core.registry",
    "repeats": "scoring.repeats",
    "resample": "core.resample",
    "seeding": "core.seeding",
    "series": "work.repeats",
    "subjects": "jobs.explain.classifier",
    "tasks": "jobs.images.pairs",
    "together": "work.at_once",
    "types": "core.types",
    "workflow": "work.train",
}
"""Old name to new name, both within the package."""


class Renamed:
    """Finds a module by its old name, and loads it as the one that has the new name."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what loads an old name; None for every other."""
        package, _, module = name.partition(".")
        return ModuleSpec(name, cast("Any", self)) if package == "cuello" and module in MODULES else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an empty module, which ``exec_module`` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new name in the place of the old one, and say so."""
        old = module.__name__
        new = f"cuello.{MODULES[old.partition('.')[2]]}"
        warnings.warn(f"{old} is now {new}; the old name goes with the next version.", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


def know_old_names() -> None:
    """Let the old names be imported from now on."""
    if not any(isinstance(finder, Renamed) for finder in sys.meta_path):
        sys.meta_path.append(Renamed())
