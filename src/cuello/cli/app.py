"""The commands: each parses, calls one function of the package, and renders what comes back.

They are loaded when they are called, and import what is heavy when they run, so that `cuello --help` answers at once.
"""

import re
import signal
import sys
from contextlib import suppress
from inspect import cleandoc
from pathlib import Path
from typing import NoReturn

from cyclopts import App

from cuello.cli.console import plain_warnings, show_what_can_be_shown, stopped_by_signals, write_nowhere
from cuello.core.errors import CuelloError, Interrupted, at_command_line
from cuello.core.version import VERSION

COMMANDS = {
    "train": ("train", "resume"),
    "apply": ("apply",),
    "evaluate": ("evaluate",),
    "compare": ("compare",),
    "search": ("search",),
    "explain": ("explain",),
    "latent": ("latent",),
    "benchmark": ("benchmark",),
    "study": ("study",),
    "lists": ("models", "datasets", "noises", "studies", "summary"),
}
"""By module, its commands."""

app = App(
    name="cuello",
    version=VERSION,
    help="""Train small image networks in minutes, see honestly whether they beat the classical methods,
use them anywhere.

Start with:  cuello train denoise photos --noise salt-pepper:0.2 --crop 64 -o runs/first
then open runs/first/report.html and:  cuello apply runs/first noisy/ clean/""",
    help_format="plaintext",
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0; 1 where some files failed; 2 for a user's mistake; 128 and its number after a
    signal, so 130 after Ctrl-C.
    """
    show_what_can_be_shown(sys.stdout, sys.stderr)
    with at_command_line(), plain_warnings(), stopped_by_signals() as came:
        try:
            app(arguments, result_action="return_value")
            sys.stdout.flush()
        except CuelloError as error:
            print(f"cuello: {error}", file=sys.stderr)
            sys.exit(2)
        except Interrupted as stopped:
            print(f"cuello: {stopped}", file=sys.stderr)
            sys.exit(128 + (came or [signal.SIGINT])[0])
        except KeyboardInterrupt:
            print("cuello: stopped", file=sys.stderr)
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
    sys.exit(0)


WRAPPED = 90
"""A line of help with so many characters goes on in the next one, which is wrapped anew for the terminal."""


def help_of(text: str, name: str) -> str:
    """Find a command's docstring in the text of its file, so that nothing is loaded for `cuello --help`."""
    written = cleandoc(text.partition(f"\ndef {name}(")[2].split('"""')[1])
    return re.sub(rf"(?m)^(.{{{WRAPPED},}})\n(?=.)", r"\1 ", written)


for module, names in COMMANDS.items():
    text = Path(__file__).with_name(f"{module}.py").read_text("utf-8")
    for name in names:
        usage = "Usage: cuello evaluate RUN [RUN ...] [IMAGES] [OPTIONS]" if name == "evaluate" else None
        app.command(f"cuello.cli.{module}:{name}", name=name, help=help_of(text, name), usage=usage)
