"""Names of files as text that every machine reads alike, and as this process' locale knows them.

Python reads names of files in the locale's encoding. Where that is ASCII, "ü" becomes two signs that stand for its
bytes in UTF-8; what is written, compared or counted must not depend on that.
"""

import os
from collections.abc import Callable
from typing import Any

EVERYWHERE = ("utf-8", "surrogateescape")


def portable(name: str) -> str:
    """Return a name of a file, as this process has it, as text in UTF-8; bytes that are none stay as Python keeps them.

    >>> portable("fotos-\\udcc3\\udcbc")
    'fotos-ü'
    """
    try:
        return os.fsencode(name).decode(*EVERYWHERE)
    except UnicodeEncodeError:  # text of another origin, such as a setting
        return name.encode(*EVERYWHERE).decode(*EVERYWHERE)


def native(text: str) -> str:
    """Return a portable name as this process needs it to find the file."""
    return os.fsdecode(text.encode(*EVERYWHERE))


def in_every(content: Any, change: Callable[[str], str]) -> Any:
    """Change every string in what JSON or TOML can hold, names of settings aside."""
    if isinstance(content, str):
        return change(content)
    if isinstance(content, dict):
        return {name: in_every(value, change) for name, value in content.items()}
    return [in_every(value, change) for value in content] if isinstance(content, list | tuple) else content


def as_utf8(text: str) -> bytes:
    """Return a file's content; bytes of names become the signs they stand for, or escapes where they are none."""
    return text.encode(*EVERYWHERE).decode("utf-8", "backslashreplace").encode()
