"""Small image autoencoders, trained in minutes, judged honestly, handed over as one safe file.

>>> import cuello
>>> callable(cuello.train) and callable(cuello.load)
True
"""

from typing import TYPE_CHECKING, Any

from cuello.core.openmp import load_torch_calmly
from cuello.core.renamed import know_old_names
from cuello.core.version import VERSION

if TYPE_CHECKING:
    from cuello import latent, search
    from cuello.core.config import TrainConfig
    from cuello.core.errors import CuelloError
    from cuello.core.own import allow
    from cuello.core.types import Output
    from cuello.denoising.denoise import denoise
    from cuello.denoising.noise import noise
    from cuello.exporting.export import export
    from cuello.inference.model import Model, load
    from cuello.jobs.explain.explain import explain
    from cuello.runs.directory import Run
    from cuello.saliency import OcclusionMaps, occlusion_map
    from cuello.serving.server import serve
    from cuello.studies.catalog import study
    from cuello.work.apply import apply
    from cuello.work.benchmark import benchmark
    from cuello.work.check import check, register
    from cuello.work.compare import compare
    from cuello.work.evaluate import evaluate, evaluate_classifier, evaluate_runs
    from cuello.work.folds import train_folds
    from cuello.work.repeats import train_repeats
    from cuello.work.train import resume, train

__version__ = VERSION
know_old_names()
load_torch_calmly()

__all__ = [
    "CuelloError",
    "Model",
    "OcclusionMaps",
    "Output",
    "Run",
    "TrainConfig",
    "allow",
    "apply",
    "benchmark",
    "check",
    "compare",
    "denoise",
    "evaluate",
    "evaluate_classifier",
    "evaluate_runs",
    "explain",
    "export",
    "latent",
    "load",
    "noise",
    "occlusion_map",
    "register",
    "resume",
    "search",
    "serve",
    "study",
    "train",
    "train_folds",
    "train_repeats",
]

_HOMES = {
    "CuelloError": "cuello.core.errors",
    "Model": "cuello.inference.model",
    "OcclusionMaps": "cuello.saliency",
    "Output": "cuello.core.types",
    "Run": "cuello.runs.directory",
    "TrainConfig": "cuello.core.config",
    "allow": "cuello.core.own",
    "apply": "cuello.work.apply",
    "benchmark": "cuello.work.benchmark",
    "check": "cuello.work.check",
    "compare": "cuello.work.compare",
    "denoise": "cuello.denoising.denoise",
    "noise": "cuello.denoising.noise",
    "evaluate": "cuello.work.evaluate",
    "evaluate_classifier": "cuello.work.evaluate",
    "evaluate_runs": "cuello.work.evaluate",
    "explain": "cuello.jobs.explain.explain",
    "export": "cuello.exporting.export",
    "load": "cuello.inference.model",
    "occlusion_map": "cuello.saliency",
    "register": "cuello.work.check",
    "resume": "cuello.work.train",
    "serve": "cuello.serving.server",
    "study": "cuello.studies.catalog",
    "train": "cuello.work.train",
    "train_folds": "cuello.work.folds",
    "train_repeats": "cuello.work.repeats",
}

_MODULES = ("latent", "search")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import cuello` and `cuello --help` stay fast."""
    import random
    import warnings
    from importlib import import_module

    if name not in _MODULES and name not in _HOMES:
        raise AttributeError(f"module 'cuello' has no attribute {name!r}")
    drawn = random.getstate()
    try:
        with warnings.catch_warnings():  # scipy adds filters of its own while it is loaded
            if name in _MODULES:
                return import_module(f"cuello.{name}")
            value = getattr(import_module(_HOMES[name]), name)
    finally:
        random.setstate(drawn)  # rich draws one of the caller's random numbers while it is loaded
    globals()[name] = value
    return value
