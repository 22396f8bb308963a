"""What the outputs of a classifier stand for: scores or probabilities, of classes that exclude each other or do not."""

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor

from cuello.core.errors import CuelloError

Outputs = Literal["auto", "logits", "probabilities", "independent-logits", "independent-probabilities"]
"""Scores before softmax, or after it; scores each before a sigmoid of its own, or after it. auto: logits, unless the
numbers speak against it."""

OUTPUTS: tuple[str, ...] = get_args(Outputs)


def settled(said: str, clean: Tensor, *, raw: bool, beyond: Callable[[], bool]) -> tuple[str, str | None]:
    """Decide what outputs stand for, and what the user should know of it, or None.

    said: one of Outputs. clean: what the classifier says of whole images, ``(N, K)``. raw: whether the outputs are
    shown as they are, so that it does not matter which scores they are. beyond: tells whether other images bring
    outputs below 0 or above 1. One output alone cannot go through softmax, which would make it 1 whatever it is. Raises
    CuelloError where the numbers are not what was said, or may be either.
    """
    low, high, one = float(clean.min()), float(clean.max()), clean.shape[1] == 1
    sums = clean.sum(1)
    shares = low >= 0 and high <= 1
    whole = not one and low >= 0 and bool(((sums - 1).abs() < 1e-4).all())
    if said == "probabilities" and one and shares:
        return "independent-probabilities", None
    if said in ("auto", "logits") and whole:
        raise CuelloError(
            "the classifier's outputs are not negative and sum to 1: probabilities, where scores before softmax were "
            "needed. Say --outputs=probabilities, or leave the softmax out of the model."
        )
    if said == "auto" and shares and not raw and not beyond():
        what = "only output lies" if one else "outputs lie"
        plain = "" if one else ", or --outputs=logits where a softmax over all of them is"
        raise CuelloError(
            f"the classifier's {what} between 0 and 1 ({low:.4g} to {high:.4g}) and may be a "
            "probability each. Say --outputs=independent-probabilities where the model ends in a sigmoid, "
            f"--outputs=independent-logits where one is to come{plain}."
        )
    if said == "probabilities" and not whole:
        found = f"sum to {float(sums[0]):.4g} for the first image" if not one else f"reach from {low:.4g} to {high:.4g}"
        other = "independent-probabilities" if shares else "independent-logits" if one else "logits"
        raise CuelloError(f"outputs: said to be probabilities, but they {found}. Say --outputs={other}.")
    if said == "independent-probabilities" and not shares:
        raise CuelloError(
            f"outputs: said to be probabilities, but they reach from {low:.4g} to {high:.4g}. Say "
            "--outputs=independent-logits, if a sigmoid of each is to come."
        )
    if said in ("auto", "logits") and one and not raw:
        return "independent-logits", "the classifier has one output; its probability is taken as the output's sigmoid"
    return "logits" if said == "auto" else said, None


def probabilities(answers: Tensor, outputs: str) -> Tensor:
    """Make probabilities of what a classifier says, classes along the last axis."""
    if outputs == "logits":
        return answers.softmax(-1)
    return answers.sigmoid() if outputs == "independent-logits" else answers
