"""Flags that several commands share."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from cuello.core.errors import CuelloError

if TYPE_CHECKING:
    from cuello.core.config import TrainConfig

Command = TypeVar("Command", bound=Callable[..., None])

PANELS = ("Job", "Data", "Network", "Training", "Stopping", "Machine")
"""Of the help of many settings, in their order."""

JSON = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON to stdout, for machines.")]
Quiet = Annotated[bool, Parameter(negative="", help="Show no progress.")]
OwnCode = Annotated[
    str | None, Parameter(name="--model", help="FILE.py:CLASS, for a model whose network is your own code.")
]
Sweep = Annotated[str | None, Parameter(help="Noise levels to try the finished network at, with commas: 0.1,0.2,0.5.")]

Overwrite = Annotated[bool, Parameter(negative="", help="Replace what an earlier call wrote there.")]
Device = Annotated[str, Parameter(help="cpu, cuda, cuda:N or mps.")]
Threads = Annotated[int | None, Parameter(help="Processor threads; by default OMP_NUM_THREADS or all cores.")]
Report = Annotated[bool, Parameter(help="Evaluate and write the report.")]
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


def takes(settings: "type[TrainConfig]", *names: str, optional: bool = False) -> Callable[[Command], Command]:
    """Give a command the flags of settings, each declared once, in the place of its ``**settings``.

    names: which ones, by default all; a parameter of the command that has a setting's name becomes that setting, and is
    given by position. optional: a flag that is left out changes nothing, so no default is shown.
    """

    def give(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        flags = {
            name: flag_of(settings, name, optional or name in signature.parameters)
            for name in names or settings.model_fields
        }
        placed = [one.replace(annotation=flags.pop(one.name).annotation) if one.name in flags else one for one in own]
        whole = signature.replace(parameters=[*placed, *flags.values()])
        command.__signature__ = whole  # type: ignore[attr-defined]
        command.__annotations__ = {name: parameter.annotation for name, parameter in whole.parameters.items()}
        return command

    return give


def flag_of(settings: "type[TrainConfig]", name: str, optional: bool) -> inspect.Parameter:
    """Make a flag of a setting, in the panel that it belongs to."""
    field = settings.model_fields[name]
    panel = str(field.json_schema_extra["group"])  # type: ignore[index]
    about = Parameter(
        help=field.description,
        group=Group(panel, sort_key=PANELS.index(panel)),
        negative="" if field.default is not False else None,
        allow_leading_hyphen=name == "range",  # --range -1000..3000
    )
    kind: Any = Annotated[field.annotation | None if optional else field.annotation, about]  # type: ignore
    default = None if optional else field.default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
