"""What a page needs to know of a model, as its scripts read it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["image", "classify", "explain", "codes"]


@dataclass(frozen=True)
class PageFacts:
    """What the page's scripts are told.

    name: of the network. kind: what is done with an image. words: which title and sentence the page begins with.
    suffix: what results' names end with. channels, scale, stride: the network's. reach: pixels to each side that a
    result depends on, None for the whole image. size: height and width of the only images that it takes, or None.
    conditioned: whether it takes the noise's level. range: black, white and whether they were estimated, of a network
    trained with a range. inputs: names of the graphs' inputs, by their part. classes: of a classifier. code: the shape
    of one code without the batch; code_range: the values that the map spans.
    """

    name: str
    kind: Kind
    words: Literal["restore", "enlarge", "classify", "explain", "codes"]
    suffix: str
    channels: int
    inputs: Mapping[str, str]
    scale: int = 1
    stride: int = 1
    reach: int | None = None
    size: tuple[int, int] | None = None
    conditioned: bool = False
    level_axes: int = 4
    range: Mapping[str, Any] | None = None
    classes: Sequence[str] = ()
    code: Sequence[int] = ()
    code_range: tuple[float, float] = field(default=(-3.0, 3.0))

    @property
    def text(self) -> str:
        """JSON that may stand within a script element."""
        return json.dumps(asdict(self), ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
