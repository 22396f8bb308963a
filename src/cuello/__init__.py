"""Small image autoencoders, trained in minutes, judged honestly, handed over as one safe file.

>>> import cuello
>>> callable(cuello.train) and callable(cuello.load)
True
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cuello import latent, search
    from cuello.application import apply
    from cuello.benchmarking import benchmark
    from cuello.comparison import compare
    from cuello.config import TrainConfig
    from cuello.errors import CuelloError
    from cuello.explaining import explain
    from cuello.inference import Model, load
    from cuello.judging import evaluate, evaluate_classifier, evaluate_runs
    from cuello.runs.directory import Run
    from cuello.saliency import OcclusionMaps, occlusion_map
    from cuello.series import train_repeats
    from cuello.studies.catalog import study
    from cuello.types import Output
    from cuello.workflow import resume, train

__all__ = [
    "CuelloError",
    "Model",
    "OcclusionMaps",
    "Output",
    "Run",
    "TrainConfig",
    "apply",
    "benchmark",
    "compare",
    "evaluate",
    "evaluate_classifier",
    "evaluate_runs",
    "explain",
    "latent",
    "load",
    "occlusion_map",
    "resume",
    "search",
    "study",
    "train",
    "train_repeats",
]

_HOMES = {
    "CuelloError": "cuello.errors",
    "Model": "cuello.inference",
    "OcclusionMaps": "cuello.saliency",
    "Output": "cuello.types",
    "Run": "cuello.runs.directory",
    "TrainConfig": "cuello.config",
    "apply": "cuello.application",
    "benchmark": "cuello.benchmarking",
    "compare": "cuello.comparison",
    "evaluate": "cuello.judging",
    "evaluate_classifier": "cuello.judging",
    "evaluate_runs": "cuello.judging",
    "explain": "cuello.explaining",
    "load": "cuello.inference",
    "occlusion_map": "cuello.saliency",
    "resume": "cuello.workflow",
    "study": "cuello.studies.catalog",
    "train": "cuello.workflow",
    "train_repeats": "cuello.series",
}

_MODULES = ("latent", "search")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import cuello` and `cuello --help` stay fast."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"cuello.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'cuello' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
