"""Errors a user can act on: what was got, what was needed, what to do."""

import difflib
from collections.abc import Iterable


class CuelloError(Exception):
    """A mistake that the user can mend; its message names the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


class Interrupted(Exception):
    """Work was stopped on purpose (Ctrl-C) after everything was saved; the message says how to go on."""


def unknown(kind: str, name: str, known: Iterable[str]) -> CuelloError:
    """Say that there is nothing of this name, what is nearest, and what there is."""
    every = list(known)
    return CuelloError(f"there is no {kind} called {name!r}.{closest(name, every)} Known: {', '.join(every)}.")


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
