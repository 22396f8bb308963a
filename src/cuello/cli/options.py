"""Flags that several commands share."""

from typing import Annotated

from cyclopts import Parameter

from cuello.core.errors import CuelloError

JSON = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON to stdout, for machines.")]
Quiet = Annotated[bool, Parameter(negative="", help="Show no progress.")]
OwnCode = Annotated[
    str | None, Parameter(name="--model", help="FILE.py:CLASS, for a model whose network is your own code.")
]
Sweep = Annotated[str | None, Parameter(help="Noise levels to try the finished network at, with commas: 0.1,0.2,0.5.")]

Track = Annotated[
    str | None,
    Parameter(help="Follow the training elsewhere too: tensorboard, mlflow, or both with a comma."),
]


def names(text: str | None) -> tuple[str, ...]:
    """Read names written with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def levels(text: str | None) -> tuple[float, ...]:
    """Read noise levels written with commas."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise CuelloError(f"sweep: got {text!r}, needed numbers with commas between, such as 0.1,0.2,0.5.") from None
