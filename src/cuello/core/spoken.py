"""Places that are spoken of by another name: a folder of the cache is called by the URL that it was fetched from."""

from pathlib import Path

SPOKEN: dict[str, str] = {}
"""What a folder is called, by its path."""


def speak_of(folder: Path, name: str) -> None:
    """Let everything below ``folder`` be spoken of by ``name``, as long as the process lasts."""
    SPOKEN[str(folder)] = name


def spoken(text: str) -> str:
    """Say in a text what places are called.

    >>> speak_of(Path("cache/4f2a"), "s3://bucket")
    >>> spoken("cache/4f2a/a.png is no image")
    's3://bucket/a.png is no image'
    """
    for folder, name in SPOKEN.items():
        if folder in text:
            text = text.replace(folder, name)
    return text
