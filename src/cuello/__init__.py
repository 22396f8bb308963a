"""Small image autoencoders, trained in minutes, judged honestly, handed over as one safe file.

>>> import cuello
>>> callable(cuello.train) and callable(cuello.load)
True
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cuello.application import apply
    from cuello.config import TrainConfig
    from cuello.errors import CuelloError
    from cuello.inference import Model, load
    from cuello.runs.directory import Run
    from cuello.types import Output
    from cuello.workflow import evaluate, resume, train

__all__ = [
    "CuelloError",
    "Model",
    "Output",
    "Run",
    "TrainConfig",
    "apply",
    "evaluate",
    "load",
    "resume",
    "train",
]

_HOMES = {
    "CuelloError": "cuello.errors",
    "Model": "cuello.inference",
    "Output": "cuello.types",
    "Run": "cuello.runs.directory",
    "TrainConfig": "cuello.config",
    "apply": "cuello.application",
    "evaluate": "cuello.workflow",
    "load": "cuello.inference",
    "resume": "cuello.workflow",
    "train": "cuello.workflow",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import cuello` and `cuello --help` stay fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cuello' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
