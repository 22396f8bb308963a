"""Networks of somebody's own whose way depends on pixels, which no ONNX graph can follow."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from cuello.core.errors import CuelloError
from cuello.models.custom import CustomNetwork

READS = ("__bool__", "item", "__int__", "__float__", "__index__", "tolist", "numpy")
"""Methods of a tensor that hand its values to Python."""
MARK = "_of_pixels"


class Watch(TorchFunctionMode):
    """Marks what is computed of marked tensors, and refuses that Python reads it."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = [one for one in tree_leaves((args, kwargs or {})) if isinstance(one, Tensor)]
        marked = any(hasattr(one, MARK) for one in given)
        if marked and getattr(func, "__name__", "") in READS:
            raise reading(func)
        found = func(*args, **(kwargs or {}))
        for one in tree_leaves(found) if marked else ():
            if isinstance(one, Tensor):
                setattr(one, MARK, True)
        return found


def check_branches(module: nn.Module, given: Sequence[Tensor]) -> None:
    """Raise CuelloError where somebody's own network reads values that depend on what goes in, with the line."""
    if not any(isinstance(one, CustomNetwork) for one in module.modules()):
        return
    copies = [one.clone() for one in given]
    for one in copies:
        setattr(one, MARK, True)
    with torch.inference_mode(), Watch():
        module.eval()(*copies)


def reading(func: Callable[..., Any]) -> CuelloError:
    """Say where a network reads a value, and what can be done."""
    torch_folder = str(Path(torch.__file__).parent)
    frames = [one for one in traceback.extract_stack() if not one.filename.startswith((torch_folder, __file__))]
    line = frames[-1]
    name = {"__bool__": "a condition (if, while, and, or)"}.get(func.__name__, f"{func.__name__.strip('_')}()")
    return CuelloError(
        f"the network cannot be written as ONNX: {Path(line.filename).name}, line {line.lineno}, reads values of a "
        f"tensor by {name}: {(line.line or '').strip()[:120]!r}. Which way a graph takes cannot depend on pixels: "
        "compute both and choose with torch.where, or use the model through cuello apply RUN."
    )
