"""What a file's description may say: JSON of a bounded size, and one typed declaration of its parts."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic

from cuello.core.errors import CuelloError

LONGEST_JSON = 32 * 2**20  # letters
MOST_PARTS = 2_000_000  # values, lists and objects together: each takes some 70 bytes

Text = Annotated[str, pydantic.Field(max_length=10_000)]
Name = Annotated[str, pydantic.Field(max_length=1000)]
Finite = Annotated[float, pydantic.Field(allow_inf_nan=False)]

Declared = TypeVar("Declared")


class StoredFields(pydantic.BaseModel):
    """The base of what files say: types as declared, nothing converted, keys of other versions passed over."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True)


def read_json(text: str | bytes) -> Any:
    """Return what JSON says; ValueError where it is none, is no text, is too long or too deeply nested."""
    comma, bracket, brace = (",", "[", "{") if isinstance(text, str) else (b",", b"[", b"{")
    if len(text) > LONGEST_JSON or sum(text.count(mark) for mark in (comma, bracket, brace)) > MOST_PARTS:  # type: ignore[arg-type]
        raise ValueError(f"more than {LONGEST_JSON // 2**20} MiB or {MOST_PARTS:,} parts")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists or objects within each other without end") from None


def checked(declared: type[Declared], found: Any, path: Path) -> Declared:
    """Return what was found in a file as what is declared; CuelloError that names the first part that is another.

    declared: a class of fields with types and limits.
    """
    try:
        return pydantic.TypeAdapter(declared).validate_python(found)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(map(str, first["loc"])) or "its description"
        if first["type"] == "missing":
            raise CuelloError(f"{path} is damaged: it lacks a part of its description ({name!r}).") from None
        needed = first["msg"].removeprefix("Input should be ")
        raise CuelloError(f"{path} is damaged: {name}: got {shortened(first['input'])}, needed {needed}.") from None


def shortened(value: Any, most: int = 60) -> str:
    """Write a value of any size in a few letters.

    >>> shortened([1, 2, 3]), shortened("a" * 100, 8)
    ('[1, 2, 3]', "'aaaaaaa…")
    """
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a number of more than 300 digits"
    if isinstance(value, dict | list) and len(value) > most:
        return f"{type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
