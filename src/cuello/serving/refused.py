"""Requests that are refused: a status, a word for programs, and a sentence for people."""

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cuello.core.errors import MENTION, CuelloError, Fault

CLOSED = 499
"""What is counted for a client that hung up; nobody is told it."""


@dataclass(eq=False)
class Refused(Exception):
    """A request that is refused.

    error: what is wrong, in a word. message: what was got, what was needed, what to do. headers: of the answer.
    """

    status: int
    error: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


BUSY = {"Retry-After": "1"}
FULL = (errno.ENOSPC, errno.EDQUOT)


def refusal(error: Exception) -> Refused:
    """Say with which status an error is answered, in the words of a request."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "more memory than" in str(error):
        return Refused(
            503, "memory", "the image needs more memory than is free. Send a smaller one, or later.", headers=BUSY
        )
    if isinstance(error, CuelloError):
        said = in_query(error)
        if "decompression bomb" in said:
            return Refused(413, "pixels", said)
        if "its weights are damaged" in said:
            return Refused(500, "network", said)
        cause = error.__cause__
        if isinstance(error, Fault) and isinstance(cause, OSError) and cause.errno in FULL:
            return Refused(503, "storage", said, headers=BUSY)
        return Refused(422, "image", said)
    if isinstance(error, OSError) and error.errno in FULL:
        said = "there is no space left to work on the image. Send a smaller one, or later."
        return Refused(503, "storage", said, headers=BUSY)
    return Refused(500, "internal", f"the image could not be worked on ({type(error).__name__}). It is no fault of "
                   "the request: tell who runs the service.")  # fmt: skip


def in_query(error: Exception) -> str:
    """Word a message for a request, where settings are parts of the address: ``?range=auto``."""
    text = str(error.args[0]) if error.args else str(error)
    return MENTION.sub(as_query, text)


def as_query(mention: re.Match[str]) -> str:
    name, value = mention.groups()
    if not name:
        return mention[0]
    return f"?{name.strip('_')}{'' if value is None else f'={value}'}"
