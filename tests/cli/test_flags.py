"""Which command has which flags: those that all share, and those of each setting."""

from cuello.cli.app import app
from cuello.core.config import CHANGEABLE, TrainConfig

SHARED = ("--json", "--quiet", "--device", "--threads", "--overwrite")
LISTS = "it lists what is known: nothing runs, nothing is written"
WITHOUT = {
    **{(name, flag): LISTS for name in ("models", "datasets", "noises", "studies") for flag in SHARED[1:]},
    **{("summary", flag): "it reads layers and prints them" for flag in SHARED[1:]},
    ("compare", "--device"): "its times are the processor's, so that tables of several machines are alike",
    ("resume", "--overwrite"): "it goes on with what is there",
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
    assert len(commands) == 15
    missing = {(name, flag) for name in commands for flag in SHARED if flag not in flags_of(name)}
    assert missing == set(WITHOUT)


def test_every_setting_is_a_flag_where_it_may_be_given() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in TrainConfig.model_fields} - {"--job", "--data"}
    assert flags <= flags_of("train")
    assert flags <= flags_of("search")
    assert flags & flags_of("resume") == {f"--{name.replace('_', '-')}" for name in CHANGEABLE} | {"--model"}
