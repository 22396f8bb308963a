"""Which command has which flags: those that all share, and those of each setting."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest

import cuello
from cuello.cli.app import app
from cuello.cli.options import settings_of
from cuello.core.config import CHANGEABLE, TrainConfig
from cuello.core.settings import (
    EvaluateSettings,
    ExplainSettings,
    LatentSettings,
    SearchSettings,
    ServeSettings,
)

SHARED = ("--json", "--quiet", "--device", "--threads", "--overwrite")
LISTS = "it lists what is known: nothing runs, nothing is written"
WITHOUT = {
    **{(name, flag): LISTS for name in ("models", "datasets", "noises", "studies") for flag in SHARED[1:]},
    **{("start", flag): "it asks, and the command that it runs has its own" for flag in SHARED},
    **{("doctor", flag): "it looks at what is there and prints it" for flag in SHARED[1:]},
    **{("summary", flag): "it reads layers and prints them" for flag in SHARED[1:]},
    **{("new", flag): "it writes one file, and never replaces one" for flag in SHARED[1:]},
    **{("web", flag): "it serves pages; the commands that they run have their own" for flag in SHARED},
    ("export", "--device"): "the files that it writes are for any machine",
    ("compare", "--device"): "its times are the processor's, so that tables of several machines are alike",
    ("noise", "--device"): "it measures by NumPy, without a network",
    ("resume", "--overwrite"): "it goes on with what is there",
    ("serve", "--overwrite"): "it writes nothing",
    ("search", "--overwrite"): "the same command goes on; another search gets a folder of its own",
    ("study", "--overwrite"): "the same command goes on; another study gets a folder of its own",
}
"""The shared flags that a command has not, and why."""


def flags_of(name: str) -> set[str]:
    command = app[name]
    assert command.default_command is not None
    return {flag for argument in command.assemble_argument_collection() for flag in argument.names}


def test_every_command_has_the_shared_flags_or_a_reason() -> None:
    commands = [name for name in app if not name.startswith("-")]
    assert len(commands) == 23
    missing = {(name, flag) for name in commands for flag in SHARED if flag not in flags_of(name)}
    assert missing == set(WITHOUT)


DECLARED = {
    "train": (TrainConfig,),
    "search": (TrainConfig, SearchSettings),
    "evaluate": (EvaluateSettings,),
    "explain": (ExplainSettings,),
    "latent": (LatentSettings,),
    "serve": (ServeSettings,),
}
PLACED = {"--job", "--data", "--images", "--class-", "--start", "--end", "--thumbnails"}
"""Settings given by their place, or by a flag of another name."""


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_setting_is_a_flag_with_its_help(name: str, command: Callable[..., Any]) -> None:
    declared = [one for kind in DECLARED[name] for one in settings_of(kind)]
    assert {f"--{one.name.replace('_', '-')}" for one in declared} - PLACED <= flags_of(name)
    shown = " ".join(command(name, "--help").out.replace("│", " ").split())
    assert all(one.help and one.help.split(".")[0].split()[0] in shown for one in declared)


def test_resume_takes_what_may_change() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in TrainConfig.model_fields}
    assert flags & flags_of("resume") == {f"--{name.replace('_', '-')}" for name in CHANGEABLE} | {"--model"}


@pytest.mark.parametrize(
    ("functions", "settings"),
    [
        ((cuello.evaluate, cuello.evaluate_runs), EvaluateSettings),
        ((cuello.explain,), ExplainSettings),
        ((cuello.search.search,), SearchSettings),
        ((cuello.serve,), ServeSettings),
    ],
)
def test_python_takes_the_settings_that_are_flags_with_the_same_defaults(
    functions: tuple[Callable[..., Any], ...], settings: type
) -> None:
    taken = {name: one.default for function in functions for name, one in signature(function).parameters.items()}
    assert {one.name: one.default for one in settings_of(settings)}.items() <= taken.items()
