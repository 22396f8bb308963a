"""What a training is told, as words of a command line, from what stands in a form."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError
from cuello.jobs.words import WORDS
from cuello.web.commands import CommandLine, plain_name, started

FIRST = (
    "noise", "target", "scale", "classifier", "box", "stride", "resize", "crop", "latent", "hidden", "filters",
    "model", "epochs", "max_minutes",
)  # fmt: skip
"""Settings that stand at the top of the form, where the job has them."""
EVERY_JOB = ("crop", "resize", "model", "epochs", "max_minutes")
LEFT = ("job", "data")


def first_settings(job: str) -> list[str]:
    """Name the settings of a job that most people want."""
    own = {*WORDS[job].options, *WORDS[job].useful, *EVERY_JOB}
    return [name for name in FIRST if name in own]


def other_settings(job: str) -> list[str]:
    """Name all further settings of a job, in the order in which they are declared."""
    of_others = {name for one in WORDS.names() for name in WORDS[one].options} - set(WORDS[job].options)
    shown = {*first_settings(job), *of_others, *LEFT}
    return [name for name in TrainConfig.model_fields if name not in shown]


def example_of(job: str) -> dict[str, str]:
    """Return the data and the settings of a job's first example, which are good ones to begin with.

    >>> example_of("denoise")
    {'data': 'photos', 'noise': 'gaussian:25', 'crop': '64'}
    """
    words = shlex.split(WORDS[job].examples[0])[3:]
    found, flags = {"data": words[0]}, words[1:]
    for flag, value in zip(flags[::2], flags[1::2], strict=False):
        found[flag.removeprefix("--").replace("-", "_")] = value
    return found


def is_switch(name: str) -> bool:
    """Tell whether a setting is yes or no."""
    annotation: Any = TrainConfig.model_fields[name].annotation
    return annotation is bool or bool in get_args(annotation)


def train_command(job: str, data: str, *, output: Path, settings: Mapping[str, str]) -> CommandLine:
    """Make the command of a training; empty settings are left to their defaults.

    >>> str(train_command("denoise", "~x", output=Path("runs/a"), settings={"crop": "64", "augment": "yes", "ema": ""}))
    "cuello train denoise './~x' --crop 64 --augment -o runs/a"
    """
    place = data.strip()
    if place.startswith("~/"):  # which a shell would not find in quotes
        place = str(Path(place).expanduser())
    words = ["train", job, f"./{place}" if place.startswith(("-", "~")) else place]
    for name, value in settings.items():
        flag, text = f"--{name.replace('_', '-')}", value.strip()
        if is_switch(name):
            words += [flag] if text == "yes" else [f"--no-{flag[2:]}"] if text == "no" else []
        elif text.startswith("-"):
            words.append(f"{flag}={text}")
        elif text:
            words += [flag, text]
    return CommandLine([*words, "-o", str(output)])


def check(job: str, data: str, settings: Mapping[str, str]) -> None:
    """Raise CuelloError for what can be seen to be wrong before anything is started."""
    if not data.strip():
        raise CuelloError("which images? Name a folder, a file or a data set.")
    given: dict[str, Any] = {"job": job, "data": data}
    for name, value in settings.items():
        text = value.strip()
        if text:
            given[name] = text == "yes" if is_switch(name) else int(text) if name == "channels" else text
    make_config(given)


def free_name(root: Path, job: str, wanted: str = "") -> str:
    """Return a name for a new run: the wanted one, if it is free, or the job's, with a number where that is taken."""
    if wanted.strip():
        name = plain_name(wanted)
        if is_taken(root, name):
            raise CuelloError(f"there is something called {name} in {root} already. Choose another name.")
        return name
    names = [job, *(f"{job}-{number}" for number in range(2, 10_000))]
    return next(name for name in names if not is_taken(root, name))


def is_taken(root: Path, name: str) -> bool:
    """Tell whether there is something of that name, or a run of that name has just been started."""
    record = started(root, name)
    return (root / name).exists() or (record is not None and not record.owner.has_ended)
