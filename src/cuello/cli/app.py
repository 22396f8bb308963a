"""The commands: each parses, calls one function of the package, and renders what comes back.

They are loaded when they are called, and import what is heavy when they run, so that `cuello --help` answers at once.
"""

import platform
import re
import signal
import sys
from contextlib import suppress
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import NoReturn

from cyclopts import App, Group, Parameter

from cuello.cli.console import plain_warnings, show_what_can_be_shown, stopped_by_signals, write_nowhere
from cuello.core.errors import CuelloError, Elsewhere, HandedOver, Interrupted, at_command_line, closest
from cuello.core.version import VERSION
from cuello.jobs.words import BY_WORD

COMMANDS = {
    "Begin": {"start": "start", "new": "new"},
    "Train": {"train": "train", "resume": "train", "search": "search"},
    "Use": {
        "denoise": "denoise",
        "apply": "apply",
        "export": "export",
        "explain": "explain",
        "latent": "latent",
        "web": "web",
        "serve": "serve",
    },
    "Judge": {
        "noise": "noise",
        "evaluate": "evaluate",
        "compare": "compare",
        "benchmark": "benchmark",
        "study": "study",
    },
    "See what there is": {
        **dict.fromkeys(("models", "datasets", "noises", "studies", "summary"), "lists"),
        "doctor": "doctor",
    },
}
"""By panel of the help, its commands, and the module of each."""

OTHERS = Group("Options", sort_key=len(COMMANDS))


def versions() -> str:
    """Return the versions of what matters most."""
    from importlib import metadata

    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = "missing"
    return f"cuello {VERSION} (Python {platform.python_version()}, torch {torch})"


app = App(
    name="cuello",
    version=versions,
    help_format="plaintext",
    group_commands=OTHERS,
    default_parameter=Parameter(show_default=lambda value: None if value is False else value),
    suppress_keyboard_interrupt=False,  # main says that it stopped
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0; 1 where some files failed; 2 for a user's mistake; 128 and its number after a
    signal, so 130 after Ctrl-C.
    """
    show_what_can_be_shown(sys.stdout, sys.stderr)
    with at_command_line(), plain_warnings(), stopped_by_signals() as came:
        try:
            call(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()
        except Elsewhere:
            sys.exit(2)
        except CuelloError as error:
            print(f"cuello: {error}", file=sys.stderr)
            sys.exit(2)
        except HandedOver as written:
            print(written)
        except Interrupted as stopped:
            print(f"cuello: {stopped}", file=sys.stderr)
            sys.exit(128 + (came or [signal.SIGINT])[0])
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)
        except OSError as error:  # of a console or a place that nobody thought of: a disk that is full, say
            with suppress(OSError):
                print(
                    f"cuello: {error.strerror or error}{f': {error.filename}' if error.filename else ''}",
                    file=sys.stderr,
                )
            write_nowhere(sys.stdout, sys.stderr)
            sys.exit(2)
        except (KeyboardInterrupt, Exception) as error:
            if not (came or isinstance(error, KeyboardInterrupt)):
                raise
            print("cuello: stopped", file=sys.stderr)  # also where a library made an error of its own of it
            sys.exit(128 + (came or [signal.SIGINT])[0])
    sys.exit(0)


def call(words: list[str]) -> None:
    """Run one command line: a command, the help of one job, or, without words, what one can do."""
    from cuello.cli.job_help import job_asked, print_job_help
    from cuello.cli.purposes import ABOUT, print_purposes, purposes_text

    if not words:
        print_purposes()
        offer_questions()
        return
    if (job := job_asked(words)) is not None:
        print_job_help(job, getattr(import_module(f"cuello.cli.{words[0]}"), words[0]))
        return
    if not words[0].startswith("-") and words[0] not in app:
        raise no_command(words[0])
    app.help = f"{ABOUT}\n\n{purposes_text()}\n\nSettings of one job: cuello train JOB --help"
    app(words, result_action="return_value")


def offer_questions() -> None:
    """At a terminal, offer the three questions that lead to a command."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    from rich.prompt import Confirm

    from cuello.cli.start import start

    try:
        wanted = Confirm.ask("\nAnswer three questions to find the line for your images?", default=False)
    except EOFError:
        return
    if wanted:
        start()


def no_command(word: str) -> CuelloError:
    """Say that a word is no command, and which it may have been meant for."""
    if (job := BY_WORD.get(word.lower())) is not None:
        return CuelloError(f"{word!r} is not a command. To train a network for it, type: cuello train {job} DATA")
    commands = [name for panel in COMMANDS.values() for name in panel]
    return CuelloError(f"there is no command called {word!r}.{closest(word, commands)} All: cuello --help")


USAGES = {
    "apply": "Usage: cuello apply MODEL IN [IN ...] OUT [OPTIONS]",
    "denoise": "Usage: cuello denoise IN [IN ...] OUT [OPTIONS]",
    "evaluate": "Usage: cuello evaluate RUN [RUN ...] [IMAGES] [OPTIONS]",
    "noise": "Usage: cuello noise IMAGES [IMAGES ...] [OPTIONS]",
    "serve": "Usage: cuello serve MODEL [MODEL ...] [OPTIONS]",
}
"""Of commands that take any number of places."""
WRAPPED = 90
"""A line of help with so many characters goes on in the next one, which is wrapped anew for the terminal."""


def help_of(text: str, name: str) -> str:
    """Find a command's docstring in the text of its file, so that nothing is loaded for `cuello --help`."""
    written = cleandoc(text.partition(f"\ndef {name}(")[2].split('"""')[1])
    return re.sub(rf"(?m)^(.{{{WRAPPED},}})\n(?=.)", r"\1 ", written)


def add_commands() -> None:
    """Give the app its commands, with their help, in panels by purpose."""
    for place, (panel, commands) in enumerate(COMMANDS.items()):
        group = Group(panel, sort_key=place)
        for name, module in commands.items():
            text = Path(__file__).with_name(f"{module}.py").read_text("utf-8")
            app.command(
                f"cuello.cli.{module}:{name}", name=name, help=help_of(text, name), usage=USAGES.get(name), group=group
            )


add_commands()
