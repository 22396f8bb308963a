"""`cuello train JOB --help`, and of search: examples, what the job needs, then the rest, without that of others."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from cuello.cli.options import PANELS
from cuello.jobs.words import BY_WORD, WORDS, JobWords

OF_OTHERS = re.compile(rf"^(?:{'|'.join(WORDS.names())})(?:, (?:{'|'.join(WORDS.names())}))*: ")
"""How the help of a setting begins that not every job has."""


@dataclass(frozen=True)
class HelpOfJob:
    """How a command's help is led in for one job: what it does, what is typed, and the flags that are its own."""

    sentence: str
    examples: Callable[[JobWords], Sequence[str]]
    first: tuple[str, ...] = ()


def searched(job: JobWords) -> list[str]:
    """Return a job's first examples with something to search in each."""
    overs = ("--over learning-rate=1e-3,1e-2", "--over optimizer=adam,sgd --repeats 3")
    return [
        f"{example.replace('train', 'search', 1)} \\\n  {over}"
        for example, over in zip(job.examples, overs, strict=False)
    ]


HELPS = {
    "train": HelpOfJob("Train a network to {}.", lambda job: job.examples),
    "search": HelpOfJob(
        "Train networks to {} with many settings, and find out which are the best.", searched, first=("over", "space")
    ),
}


def job_asked(words: Sequence[str]) -> JobWords | None:
    """Return the job whose help a command line asks for, if it does: ``train JOB … --help``, or of search."""
    asked = len(words) > 2 and words[0] in HELPS and {"--help", "-h"} & set(words[2:])
    name = BY_WORD.get(words[1].lower()) if asked else None
    return WORDS[name] if name else None


def print_job_help(job: JobWords, command: Callable[..., None]) -> None:
    """Print the help of a command for one job.

    >>> from cuello.cli.train import train
    >>> print_job_help(WORDS["upscale"], train)  # doctest: +ELLIPSIS
    Usage: cuello train upscale DATA [OPTIONS]
    ...
    """
    about = HELPS[command.__name__]
    examples = "\n".join(about.examples(job))
    app = App(
        name="cuello",
        usage=f"Usage: cuello {command.__name__} {job.name} DATA [OPTIONS]",
        help=f"{about.sentence.format(job.summary)}\n\nFor example:\n\n{examples}",
        help_format="plaintext",
        help_flags=(),
        version_flags=(),
        group_parameters=Group("Output and progress", sort_key=len(PANELS)),
        default_parameter=Parameter(show_default=lambda value: None if value is False else value),
    )
    app.default(described(job, command))
    app.help_print([])


def described(job: JobWords, command: Callable[..., None]) -> Callable[..., None]:
    """Return something with the flags of a command as one job has them, to print the help of."""

    def shown(**settings: Any) -> None: ...

    first = ["data", *HELPS[command.__name__].first, *job.options, *job.useful]
    others = {name for other in WORDS for name in other.options} - set(job.options)
    panel = Group(f"For {job.name}", sort_key=-1)
    flags = {one.name: one for one in signature(command).parameters.values() if one.name not in {"job", *others}}
    ordered = [in_panel(flags.pop(name), panel) for name in first] + list(flags.values())
    shown.__dict__["__signature__"] = Signature(ordered)
    shown.__annotations__ = {one.name: one.annotation for one in ordered}
    return shown


def in_panel(flag: Argument, panel: Group) -> Argument:
    """Return a flag moved to a panel, its help without the names of the jobs that have it."""
    helps = [one.help for one in flag.annotation.__metadata__ if isinstance(one, Parameter) and one.help]
    help = OF_OTHERS.sub("", helps[-1])
    help = help[0].upper() + help[1:]
    return flag.replace(annotation=Annotated[flag.annotation, Parameter(group=panel, help=help)])
