"""How occlusion maps are made: declared and checked once, for estimators that learn them and for who asks for them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, silent
from cuello.saliency import DEFINITIONS, OcclusionMaps, occlusion_map
from cuello.saliency.answers import Outputs
from cuello.saliency.fidelity import IMPORTANT

LEARNED = "standardised-sum"
"""The definition of the maps that estimators learn: they lie in [0, 1], as a network's output does."""

IMPORTANT_SIDE = IMPORTANT[DEFINITIONS[LEARNED].score]
"""Whether high or low numbers of these maps are at the pixels that the class needs."""

FLAT = 0.02
"""A map that spreads by no more than this, of its scale from 0 to 1, is flat: the class stays whatever is hidden."""


@dataclass(frozen=True)
class MapSettings:
    """Settings of `cuello.occlusion_map`; score: None is the definition's own.

    fill: a number, "mean" or "blur", as it was written, for kept maps are found again by it. Raises CuelloError for
    anything else.
    """

    box: int = 3
    stride: int = 1
    fill: str = "0"
    sigma: float = 3.0
    definition: str = "mean-drop"
    score: str | None = None
    outputs: Outputs = "logits"

    def __post_init__(self) -> None:
        if isinstance(self.shown, float) and not math.isfinite(self.shown):
            raise CuelloError(f"--fill: got {self.fill!r}, needed a number, mean or blur.")

    @property
    def shown(self) -> float | str:
        """What a box shows, as `occlusion_map` takes it.

        >>> MapSettings(fill="0").shown, MapSettings(fill="blur").shown
        (0.0, 'blur')
        """
        if self.fill in ("mean", "blur"):
            return self.fill
        try:
            return float(self.fill)
        except ValueError:
            return math.nan

    @property
    def watched(self) -> str:
        return self.score or DEFINITIONS[self.definition].score

    def maps(
        self,
        network: Any,
        pixels: Tensor,
        *,
        padding: int = 0,
        classes: str | Sequence[int] = "predicted",
        progress: OnProgress = silent,
    ) -> OcclusionMaps:
        """Make exact maps of images ``(N, C, H, W)``, as `occlusion_map` does."""
        return occlusion_map(
            network, pixels, self.box, stride=self.stride, fill=self.shown, sigma=self.sigma, padding=padding,
            classes=classes, definition=self.definition, score=self.score, outputs=self.outputs, progress=progress,
        )  # fmt: skip


def learned_settings(training: Mapping[str, Any]) -> MapSettings:
    """Read what maps an estimator learns out of its training's settings."""
    box, stride, fill = (training.get(name, getattr(MapSettings, name)) for name in ("box", "stride", "fill"))
    return MapSettings(int(box), int(stride), str(fill), definition=LEARNED)
