"""Errors a user can act on: what was got, what was needed, what to do."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cuello.core.spoken import spoken

AT_COMMAND_LINE: ContextVar[bool] = ContextVar("AT_COMMAND_LINE", default=False)
COMMAND, SETTING = r"cuello [a-z]+ .*?(?=\.\s|[;,)`]|$)", r"--([a-z][a-z-]*_?)(?:=([^\s;)]*[^\s;,).:]))?"
MENTION = re.compile(f"{COMMAND}|{SETTING}", re.M)
FLAGS = {"network": "model", "class_": "class", "start": "from", "end": "to"}
PARAMETERS = {"over": "space"}
"""Flags by parameter, and parameters by flag, where they are called differently."""


@contextmanager
def at_command_line() -> Iterator[None]:
    """Let all messages speak of flags for the time of the block."""
    before = AT_COMMAND_LINE.set(True)
    try:
        yield
    finally:
        AT_COMMAND_LINE.reset(before)


def worded(text: str) -> str:
    """Put a text that mentions settings, each ``--name`` or ``--name=value``, in the words of who reads it.

    At the command line these are flags, in Python parameters. Commands to type stay as they are.

    >>> worded("Use --on-error=skip, or type: cuello train denoise DATA --scale 2.")
    "Use on_error='skip', or type: cuello train denoise DATA --scale 2."
    >>> with at_command_line():
    ...     worded("Use --on-error=skip, or leave out --class_.")
    'Use --on-error skip, or leave out --class.'
    """
    return MENTION.sub(as_flag if AT_COMMAND_LINE.get() else as_parameter, text)


def as_flag(mention: re.Match[str]) -> str:
    name, value = mention.groups()
    if name == "thumbnails":
        return "--images" if value == "True" else "--labels"
    if not name or value == "False":
        return f"--no-{name}" if name else mention[0]
    return f"--{FLAGS.get(name, name)}{f' {value}' if value not in (None, 'True') else ''}"


def as_parameter(mention: re.Match[str]) -> str:
    name, value = mention.groups()
    if not name:
        return mention[0]
    name = PARAMETERS.get(name, name).replace("-", "_")
    literal = value is None or re.fullmatch(r"-?\d*(\.\d+)?(e-?\d+)?|[\d.]+(,[\d.]+)+|[A-Z]+|True|False|'.*", value)
    return name if value is None else f"{name}={value if literal else repr(value)}"


class Message(Exception):
    """Its message is put in the words of who reads it; see ``worded`` and ``spoken``."""

    def __str__(self) -> str:
        return worded(spoken(super().__str__()))


class CuelloError(Message):
    """A mistake that the user can mend; its message names the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


class Fault(CuelloError):
    """What is no mistake in what was asked for, and may be gone when it is asked again: a full disk, images that are
    away, somebody else at work. It says nothing about a single training.
    """


class Elsewhere(CuelloError):
    """A mistake that another process of the same training tells of: this one ends without a word."""


class Interrupted(Message):
    """Work was stopped on purpose (Ctrl-C) after everything was saved; the message says how to go on."""


class HandedOver(Message):
    """Work is written down for others to do, as a scheduler; the message says what to do next. It is no failure: the
    command line prints it and exits with code 0.
    """


def unknown(kind: str, name: str, known: Iterable[str]) -> CuelloError:
    """Say that there is nothing of this name, what is nearest, and what there is."""
    every = list(known)
    return CuelloError(f"there is no {kind} called {name!r}.{closest(name, every)} Known: {', '.join(every)}.")


def first_line(error: BaseException) -> str:
    """Return what an error of another program says, in a line: its first, or the name of its kind.

    >>> first_line(ValueError("no such axis\\nin layer 3")), first_line(KeyboardInterrupt())
    ('no such axis', 'KeyboardInterrupt')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def first_few(names: Iterable[str], most: int = 3) -> str:
    """List the first names, for a message.

    >>> first_few(["a", "b", "c"], 2)
    'a, b, …'
    """
    every = list(names)
    return ", ".join(every[:most]) + (", …" if len(every) > most else "")


def closest(name: str, known: Iterable[str]) -> str:
    """Say ``" Did you mean 'x'?"`` for the nearest known name, or an empty string.

    >>> closest("salt-peper", ["gaussian", "salt-pepper"])
    " Did you mean 'salt-pepper'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
