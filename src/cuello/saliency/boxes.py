"""Where the boxes of an occlusion map lie, and what they are filled with."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.degrade.optics import Blur

Pair = tuple[int, int]


@dataclass(frozen=True)
class Spans:
    """Where boxes begin and end along one side of an image: box p covers pixels ``starts[p]`` to ``ends[p] - 1``.

    side: pixels of that side.
    """

    side: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, number: int) -> "Spans":
        return Spans(self.side, self.starts[number : number + 1], self.ends[number : number + 1])

    def covered(self) -> Tensor:
        """Return ``(side, P)``: 1 where a box covers a pixel, else 0; float64."""
        pixels = torch.arange(self.side)[:, None]
        return ((pixels >= torch.tensor(self.starts)) & (pixels < torch.tensor(self.ends))).double()


@dataclass(frozen=True)
class Boxes:
    """The boxes of a map: every row span with every column span, rows first."""

    rows: Spans
    columns: Spans

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def masks(self, numbers: Tensor) -> Tensor:
        """Return ``(B, 1, H, W)``, true under the boxes with these numbers, ``(B,)``."""
        rows = self.rows.covered().bool().T.to(numbers.device)[numbers // len(self.columns)]
        columns = self.columns.covered().bool().T.to(numbers.device)[numbers % len(self.columns)]
        return (rows[:, :, None] & columns[:, None, :])[:, None]


def spans(side: int, box: int, stride: int, name: str) -> Spans:
    """Lay boxes of ``box`` pixels that move by ``stride`` from 0 until they have reached the edge.

    The last one is cut off by the edge where the steps do not end there, so every pixel is covered (as in Captum).
    name: of the side, for messages. Raises CuelloError for a box that is larger than the side, or a stride that leaves
    gaps.

    >>> spans(6, 3, 2, "height")
    Spans(side=6, starts=(0, 2, 4), ends=(3, 5, 6))
    """
    if not 1 <= box <= side:
        raise CuelloError(
            f"--box: got {box} pixels of {name} for images of {side}, padding included; needed 1 to {side}. "
            "Use a smaller box or larger images."
        )
    if stride < 1 or (stride > box and box < side):
        raise CuelloError(
            f"--stride: got {stride} for a box of {box} pixels of {name}; needed 1 to {box}, so that no pixel is left "
            "out."
        )
    steps = -(-(side - box) // stride)
    starts = tuple(range(0, steps * stride + 1, stride))
    return Spans(side, starts, tuple(min(start + box, side) for start in starts))


def pair(value: int | Pair, name: str) -> Pair:
    """Return ``(height, width)`` of one number or two; CuelloError for anything else."""
    both = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, tuple | list) else ()
    if len(both) != 2 or not all(isinstance(one, int) and not isinstance(one, bool) for one in both):
        raise CuelloError(f"--{name}: got {value!r}, needed a whole number of pixels or a pair (height, width).")
    return both


def make_boxes(size: Pair, box: int | Pair, stride: int | Pair) -> Boxes:
    """Lay boxes over images of ``size`` (height, width), all three in pixels; errors as in ``spans``.

    >>> len(make_boxes((27, 27), 3, 1))
    625
    """
    (height, width), (down, right) = pair(box, "box"), pair(stride, "stride")
    return Boxes(
        spans(size[0], box=height, stride=down, name="height"), spans(size[1], box=width, stride=right, name="width")
    )


def filling(images: Tensor, fill: float | str, *, padding: int, sigma: float) -> Tensor:
    """Make what boxes show, ``(N, C, H + 2 padding, W + 2 padding)``.

    images: ``(N, C, H, W)``, not padded yet. fill: a number; "mean", the mean of each image and channel, padding not
    counted; or "blur", the padded image under a Gaussian of ``sigma`` pixels (`degrade.Blur`). Raises CuelloError for
    any other name.
    """
    whole = padded(images, padding)
    if isinstance(fill, bool) or not isinstance(fill, int | float | str):
        raise CuelloError(f"--fill: got {fill!r}, needed a number, 'mean' or 'blur'.")
    if isinstance(fill, int | float):
        return torch.full_like(whole, float(fill))
    if fill == "mean":
        return images.mean((2, 3), keepdim=True).expand_as(whole).contiguous()
    if fill == "blur":
        if not 0 < sigma <= 50:
            raise CuelloError(f"sigma: got {sigma}, needed more than 0 and at most 50 pixels.")
        return Blur(sigma=sigma)(whole.float(), torch.Generator()).to(whole)
    raise CuelloError(f"--fill: got {fill!r}, needed a number, 'mean' or 'blur'.")


def padded(images: Tensor, padding: int) -> Tensor:
    return torch.nn.functional.pad(images, [padding] * 4) if padding else images
