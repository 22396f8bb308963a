"""Flags: those that several commands share, and those made of declared settings."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter, Token

from cuello.core.errors import CuelloError, at_command_line, worded
from cuello.core.own import divided
from cuello.jobs.words import job_named

PANELS = ("Job", "Data", "Network", "Training", "Stopping", "Machine", "Licence and author")
"""Of the help of many settings, in their order."""

JSON = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON to stdout, for machines.")]
Quiet = Annotated[bool, Parameter(negative="", help="Show no progress.")]
OwnCode = Annotated[
    str | None, Parameter(name="--model", help="FILE.py:CLASS, for a model whose network is your own code.")
]
Own = Annotated[
    Sequence[str],
    Parameter(
        name="--own",
        negative="",
        show_default=False,
        help="FILE.py with your own code that this run names: its network, loss, noise …; no other code is run. May be "
        "repeated.",
    ),
]
Overwrite = Annotated[bool, Parameter(negative="", help="Replace what an earlier call wrote there.")]
Device = Annotated[str, Parameter(help="cpu, cuda, cuda:N or mps.")]
Threads = Annotated[int | None, Parameter(help="Processor threads; by default OMP_NUM_THREADS or all cores.")]
AtOnce = Annotated[
    int | None,
    Parameter(
        name="--workers",
        help="Trainings at once, each in a process of its own with one thread; by default one after another.",
    ),
]
OnCluster = Annotated[
    str | None,
    Parameter(
        name="--cluster",
        help="Where trainings are made: processes (of this machine), ray (a head on this machine), ray://HOST:PORT (a "
        "cluster of machines), or slurm (writes a job for sbatch; the same command again reads what it made).",
    ),
]
Report = Annotated[bool, Parameter(help="Evaluate and write the report.")]


def with_commas(kind: Any, tokens: Sequence[Token]) -> tuple[Any, ...]:
    """Read numbers or names written with commas."""
    name, text = (tokens[0].keyword or "").lstrip("-"), tokens[0].value
    if float not in get_args(kind):
        names: list[str] = []
        for part in filter(None, map(str.strip, divided(text))):
            if "=" in part and names:  # an argument of the one before, which is one's own
                names[-1] += f",{part}"
            else:
                names.append(part)
        return tuple(names)
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise CuelloError(f"{name}: got {text!r}, needed numbers with commas between, such as 0.1,0.2,0.5.") from None


def checked_job(kind: Any, tokens: Sequence[Token]) -> str:
    """Read a job's name, or another word for it; CuelloError with the nearest where it is none."""
    job_named(tokens[0].value)
    return tokens[0].value


ANY_WORD = Parameter(converter=checked_job, n_tokens=1)
AS_TEXT = Parameter(converter=lambda kind, tokens: tokens[0].value, n_tokens=1)
NO_DEFAULT = Parameter(show_default=False)
LISTED = Parameter(converter=with_commas, n_tokens=1, negative="", show_default=False)
Sweep = Annotated[
    Sequence[float], Parameter(help="Noise levels to try the finished network at, with commas: 0.1,0.2,0.5."), LISTED
]
Track = Annotated[
    Sequence[str],
    Parameter(help="Follow the training elsewhere too: tensorboard, mlflow, or both with a comma."),
    LISTED,
]


def takes(
    *declared: type, only: Sequence[str] = (), **shown: Parameter
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of declared settings in the place of its ``**settings``, which holds what is given.

    A parameter of the command that has a setting's name becomes that setting, given by its place. only: these settings,
    of something that has its own already, so no default is shown. shown: how a flag differs from its setting.
    """

    def give(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        flags = {
            one.name: one.flag(
                *filter(None, [shown.get(one.name)]), optional=bool(only) or one.name in signature.parameters
            )
            for kind in declared
            for one in settings_of(kind)
            if not only or one.name in only
        }
        own = [one.replace(annotation=flags.pop(one.name).annotation) if one.name in flags else one for one in own]
        places = [one for one in own if one.kind is not one.KEYWORD_ONLY]
        whole = signature.replace(parameters=[*places, *flags.values(), *own[len(places) :]])
        command.__dict__["__signature__"] = whole
        command.__annotations__ = {name: parameter.annotation for name, parameter in whole.parameters.items()}
        return command

    return give


@dataclass(frozen=True)
class Setting:
    """A declared setting: its name, type, default and help, and the panel of the help that it is shown in."""

    name: str
    kind: Any
    default: Any
    help: str
    panel: str = ""

    def flag(self, *shown: Parameter, optional: bool) -> inspect.Parameter:
        """Make a flag of it. optional: None, for not given, is allowed and the default."""
        kind, default = (self.kind | None, None) if optional else (self.kind, self.default)
        if any(one.converter for one in shown):
            kind = str | None if optional else str  # what it stands for is found out later
        leading = self.name == "range"  # --range -1000..3000
        negative = None if self.panel and self.default is False else ""
        with at_command_line():
            help = worded(self.help)
        about = [Parameter(help=help, negative=negative, allow_leading_hyphen=leading)]
        if self.panel:
            about.append(Parameter(group=Group(self.panel, sort_key=PANELS.index(self.panel))))
        if any(get_origin(part) is Sequence for part in (kind, *get_args(kind))):
            about.append(LISTED)
        for one in (*about, *shown):
            kind = Annotated[kind, one]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def settings_of(declared: Any) -> list[Setting]:
    """List the settings of TrainConfig, or of a dataclass with ``Annotated[type, help]``."""
    if is_dataclass(declared):
        hints = get_type_hints(declared, include_extras=True)
        return [
            Setting(one.name, hints[one.name].__origin__, default=one.default, help=hints[one.name].__metadata__[0])
            for one in fields(declared)
        ]
    return [
        Setting(
            name, field.annotation, default=field.default, help=field.description,
            panel=field.json_schema_extra["group"],
        )
        for name, field in declared.model_fields.items()
    ]  # fmt: skip
