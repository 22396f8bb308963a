"""How far an exported file's results are from torch's, on photographs of sizes that it was not made with."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.exporting.graph import Mapped, unwritable
from cuello.exporting.precision import Given
from cuello.inference.model import Model
from cuello.jobs.explain.estimator import gives_maps

TRIED = ((61, 83), (97, 40), (128, 255))
"""Heights and widths that a file is tried with, none of which it was made with."""


def largest_difference(model: Model, content: bytes, sizes: Sequence[tuple[int, int]] = TRIED, most: int = 1) -> float:
    """Return the largest difference between what ONNX Runtime makes of a file's graph and what the model gives.

    Of white, or of a probability. sizes: heights and widths, for networks that take any. most: batches have from one
    image to so many. Infinite where results have other shapes; CuelloError where ONNX Runtime cannot run the file.
    """
    answer = answering(content)
    told = model.network.conditioning == "class"
    differences = []
    for place, (height, width) in enumerate([model.size] if model.size else sizes):
        white = 255 if place else 1
        for count in range(1, most + 1):
            images = photographs(count, height, width, channels=model.channels)
            given: dict[str, Any] = {"image": np.ascontiguousarray(images.transpose(0, 3, 1, 2)) * np.float32(white)}
            given |= {"white": np.array([white], np.float32)} if place else {}
            given |= {"condition": alike(model, count).numpy()} if told else {}
            try:
                found = answer(given)
            except Exception as error:  # of onnxruntime's own kinds, which share no class
                raise unwritable(error) from None
            wanted = expected(model, images)
            if found.shape != wanted.shape:
                return float("inf")
            unit = 1 if model.classes or gives_maps(model) else white
            differences.append(float(np.abs(found / unit - wanted).max()))
    return max(differences)


def answering(content: bytes) -> Callable[[Given], np.ndarray]:
    """Return what runs a file: inputs by name to its result."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it warns of inputs that have a usual value; what is wrong is raised
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda given: np.asarray(session.run(None, dict(given))[0])


def expected(model: Model, images: np.ndarray) -> np.ndarray:
    """Return what a file must give for images ``(N, H, W, C)``, by torch: channels second, or probabilities."""
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    if model.classes:
        return model.classify(x).numpy()
    if not gives_maps(model):
        return np.stack([model.restore(image) for image in images]).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        return Mapped(model.network)(x, alike(model, len(x)) if model.network.conditioning == "class" else None).numpy()


def alike(model: Model, count: int = 1) -> Tensor:
    """Return the same probability for each class that an estimator is told, ``(N, K)``."""
    classes = model.artefact.architecture.settings["classes"]
    return torch.full((count, classes), 1 / classes)


def photographs(count: int, height: int, width: int, *, channels: int) -> np.ndarray:
    """Cut photographs, ``(N, H, W, C)`` float32 in [0, 1], each another; repeated where they are smaller."""
    from skimage import data

    picture = data.astronaut()
    columns = (np.arange(width) + 150) % picture.shape[1]
    return np.stack(
        [
            picture[(np.arange(height) + 97 * place) % picture.shape[0]][:, columns][:, :, np.arange(channels) % 3]
            for place in range(count)
        ]
    ).astype(np.float32) / np.float32(255)
