"""A classifier in an ONNX file, run by onnxruntime (extra `onnx`)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError, first_line


class OnnxClassifier:
    """A function of images ``(N, C, H, W)`` to what an ONNX file gives for them, ``(N, K)``, on the processor.

    path: of a file with one input ``(N, C, H, W)`` of float32 or float64 and class scores as its first output. Where
    the file fixes N, images are run in such groups, the last one filled up. session: one that is open already (whatever
    has ``get_inputs``, ``get_outputs`` and ``run`` as onnxruntime's InferenceSession). threads: of onnxruntime's own.
    Raises CuelloError where onnxruntime is missing, the file is absent or is no such classifier, or images do not fit.
    """

    def __init__(self, path: str | Path, session: Any = None, threads: int | None = None):
        self.path = Path(path)
        self.session = session if session is not None else open_session(self.path, threads or torch.get_num_threads())
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in TYPES:
            told = "; ".join(f"{one.name}: {one.type} {list(one.shape)}" for one in inputs)
            raise CuelloError(
                f"{self.path}: needed one input (N, C, H, W) of float or double, got {told or 'none'}. Export the "
                "classifier alone."
            )
        self.input: str = inputs[0].name
        self.shape: list[Any] = list(inputs[0].shape)
        self.output: str = self.session.get_outputs()[0].name
        self.dtype = TYPES[inputs[0].type]

    def __call__(self, x: Tensor) -> Tensor:
        """Score images ``(N, C, H, W)``: ``(N, K)``, float32."""
        for axis, name in ((1, "channels"), (2, "height"), (3, "width")):
            if isinstance(self.shape[axis], int) and self.shape[axis] != x.shape[axis]:
                raise CuelloError(
                    f"images: got {name} {x.shape[axis]} (padding included), but {self.path} takes {self.shape[axis]}. "
                    "Convert, crop or pad the images."
                )
        pixels = np.ascontiguousarray(x.detach().cpu().numpy(), self.dtype)
        group = self.shape[0] if isinstance(self.shape[0], int) else len(pixels)
        found = [self.run(pixels[start : start + group], group) for start in range(0, len(pixels), group)]
        return torch.from_numpy(np.concatenate(found)).float()

    def run(self, pixels: np.ndarray, group: int) -> np.ndarray:
        """Score at most ``group`` images, which are made that many for the time of the run."""
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], group - len(pixels), axis=0)])
        try:
            found = self.session.run([self.output], {self.input: filled})[0]
        except Exception as error:  # onnxruntime's errors have no common type of their own
            reason = first_line(error)
            raise CuelloError(
                f"{self.path} did not take images of shape {filled.shape}: {reason}. Needed {self.shape}."
            ) from error
        return np.asarray(found)[: len(pixels)]


TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


def open_session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports] (an extra)
    except ImportError as error:
        raise CuelloError(
            f"{path}: ONNX files need a package that is missing ({error}): pip install 'cuello[onnx]'."
        ) from None
    if not path.is_file():
        raise CuelloError(f"{path}: there is no such file; needed an ONNX file of a classifier.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what is wrong is said below
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common type of their own
        reason = first_line(error)
        raise CuelloError(f"{path} cannot be opened as an ONNX file: {reason}.") from error
