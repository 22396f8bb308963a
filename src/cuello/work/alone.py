"""A network for somebody's own noisy images, trained on them alone, without a run to keep."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cuello.core.progress import OnProgress
from cuello.inference.model import Model, load
from cuello.work.train import train


def trained_alone(
    images: Sequence[np.ndarray], *, minutes: float = 5.0, progress: OnProgress | bool | None = None, **settings: Any
) -> Model:
    """Train a network on noisy images alone and return it; nothing is written that stays.

    images: arrays ``(H, W)`` or ``(H, W, C)`` of one type and number of channels, in any unit, the noise of one camera
    and setting. minutes: of training, at most. settings: those of ``cuello.core.config.TrainConfig``, such as
    ``method``, ``epochs`` or ``seed``. The model takes and gives such images in their own unit.
    Raises CuelloError where the images have no noise to learn from.
    """
    with TemporaryDirectory(prefix="cuello-") as folder:
        run = train(
            "denoise", list(images), output=Path(folder) / "run", report=False, progress=progress,
            **{"max_minutes": minutes, **settings},
        )  # fmt: skip
        return replace(load(run.path), path=None)
