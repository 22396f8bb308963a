"""What an occlusion map is: the score that is watched, how boxes are put together, and what is done to the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cuello.core.registry import Registry

Combine = Literal["sum", "mean"]


@dataclass(frozen=True)
class ScoreSpec:
    """A number of a class under a box. of: (what the classifier says with the box, and without) to scores.

    Both are probabilities, ``(N, B, K)`` and ``(N, 1, K)``, or logits where ``logits`` is set.
    """

    name: str
    summary: str
    logits: bool
    of: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Definition:
    """One way to make a map.

    score: watched unless the user asks for another one. combine: over the boxes that cover a pixel. source: where it
    comes from. finish: done to maps ``(N, K, C, H, W)``, padding still on.
    """

    name: str
    summary: str
    score: str
    combine: Combine
    source: str
    finish: Callable[[Tensor], Tensor] = lambda maps: maps


def standardised(maps: Tensor) -> Tensor:
    """Standardise each map, clip it to ±1 standard deviation, move it to [0, 1]: ``(clip((m − μ) / σ, ±1) + 1) / 2``.

    maps: ``(…, H, W)``; μ and σ (of the whole, divided by H W) are of each map. A constant map becomes 0.5.

    >>> standardised(torch.tensor([[0.0, 4.0]]))
    tensor([[0., 1.]])
    """
    exact = maps.double()
    centred = exact - exact.mean((-2, -1), keepdim=True)
    deviation = centred.square().mean((-2, -1), keepdim=True).sqrt()
    flat = deviation <= 1e-12 * exact.abs().amax((-2, -1), keepdim=True)
    return ((centred / deviation.masked_fill(flat, torch.inf)).clamp(-1, 1) / 2 + 0.5).to(maps.dtype)


def under_box(boxed: Tensor, clean: Tensor) -> Tensor:
    return boxed


def fall(boxed: Tensor, clean: Tensor) -> Tensor:
    return clean - boxed


SCORES = Registry[ScoreSpec](
    "score",
    [
        ScoreSpec("probability", "probability of the class under the box", logits=False, of=under_box),
        ScoreSpec("logit", "score of the class before softmax, under the box", logits=True, of=under_box),
        ScoreSpec("drop", "probability without the box minus with it", logits=False, of=fall),
        ScoreSpec("logit-drop", "logit without the box minus with it", logits=True, of=fall),
    ],
)

DEFINITIONS = Registry[Definition](
    "definition of occlusion maps",
    [
        Definition(
            "mean-drop",
            "mean fall of the probability over the boxes that cover a pixel: what the class loses without it",
            score="drop",
            combine="mean",
            source="Zeiler and Fergus 2014, section 4.2, as a difference; Captum's Occlusion of the probabilities",
        ),
        Definition(
            "captum",
            "mean fall of the network's own output (before softmax) over the boxes that cover a pixel",
            score="logit-drop",
            combine="mean",
            source="Captum, Occlusion.attribute of the network itself",
        ),
        Definition(
            "mean",
            "mean probability of the class over the boxes that cover a pixel: low where the class depends on it",
            score="probability",
            combine="mean",
            source="Zeiler and Fergus 2014, section 4.2 and figure 7 (d)",
        ),
        Definition(
            "sum",
            "sum of the probabilities of the class over the boxes that cover a pixel",
            score="probability",
            combine="sum",
            source="the `occlusion` source, before it is standardised",
        ),
        Definition(
            "standardised-sum",
            "the sum, standardised over the padded image, clipped to ±1 standard deviation, moved to [0, 1]",
            score="probability",
            combine="sum",
            source="the `occlusion` source",
            finish=standardised,
        ),
    ],
)
