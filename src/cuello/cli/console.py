"""What surrounds every command: what a console can show, signals that end it, and a terminal that is gone."""

import codecs
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from cuello.core.signals import raised_by_signals

ASCII = {
    "×": "x", "±": "+/-", "–": "-", "—": "-", "…": "...", "·": "*", "→": "->", "σ": "sigma", "β": "beta", "≤": "<=",
    "≥": ">=", "“": '"', "”": '"', "’": "'", "−": "-", "²": "^2", "°": " degrees",
}  # fmt: skip
"""What is written where a console cannot show a sign."""
SURROGATES = range(0xDC80, 0xDD00)
"""How Python keeps the bytes of a file's name that are no text."""


def in_ascii(error: UnicodeError) -> tuple[bytes, int]:
    """Say in ASCII what a console cannot show; bytes of a file's name stay what they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = [
        bytes([ord(sign) - 0xDC00]) if ord(sign) in SURROGATES else ASCII.get(sign, "?").encode()
        for sign in error.object[error.start : error.end]
    ]
    return b"".join(shown), error.end


def show_what_can_be_shown(*streams: TextIO | None) -> None:
    """Let streams write ASCII for what their encoding has not, instead of failing in the middle of a result."""
    codecs.register_error("cuello.in_ascii", in_ascii)
    for stream in streams:
        if (change := getattr(stream, "reconfigure", None)) is not None:
            change(errors="cuello.in_ascii")


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings as notes, without lines of the source, for the time of the block."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *about, **more: f"note: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


@contextmanager
def stopped_by_signals() -> Iterator[list[int]]:
    """Let signals that end a process stop the block as Ctrl-C does, and list those that came."""
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def stop(number: int) -> KeyboardInterrupt:
        leave_terminals(terminals)
        return KeyboardInterrupt()

    with raised_by_signals(stop) as came:
        yield came


def leave_terminals(streams: list[int]) -> None:
    """Send what would go to a terminal that is gone nowhere, so that words of parting are no fault."""
    for stream in streams:
        if not os.isatty(stream):
            lead_nowhere(stream)


def write_nowhere(*streams: TextIO) -> None:
    """Drop what streams still hold and cannot write, so that the end of the process is no second fault."""
    for stream in streams:
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                lead_nowhere(stream.fileno())


def lead_nowhere(stream: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)
