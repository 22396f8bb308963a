"""Search spaces written on the command line: NAME=VALUES."""

import re
from collections.abc import Sequence
from typing import Any

from cuello.core.errors import CuelloError, closest
from cuello.models.autoencoder.parts import PARTS
from cuello.search.entries import is_numeric
from cuello.search.space import is_setting

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
SPAN = re.compile(rf"\s*({NUMBER})\.\.({NUMBER})\s*")


def parse_overs(texts: Sequence[str]) -> dict[str, Any]:
    """Return what ``--over NAME=VALUES`` stands for, as a space.toml would say it.

    VALUES: choices with commas; or LOW..HIGH for a number, maybe with ``,log`` or ``,step=N``. What looks like
    ``option=value`` belongs to the choice before it.

    >>> parse_overs(["learning-rate=1e-4..1e-1,log", "model=mlp:35-8-2,activation=relu,mlp:35-20-2"])
    {'learning_rate': {'low': 0.0001, 'high': 0.1, 'log': True}, 'model': ['mlp:35-8-2,activation=relu', 'mlp:35-20-2']}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (name and equals and values.strip()):
            raise CuelloError(
                f"over: got {text!r}, needed NAME=VALUES, as in learning-rate=1e-4..1e-1,log or optimizer=sgd,adam."
            )
        if name in found:
            raise CuelloError(f"over: {name} is given twice; give all its values at once, with commas.")
        found[name] = parse_values(name, values)
    return found


def parse_values(name: str, text: str) -> Any:
    """Return a list of choices, a range, or the only text where it holds placeholders."""
    pieces: list[str] = []
    for piece in text.split(","):
        if pieces and re.match(r"\s*[A-Za-z_]\w*=", piece) and not SPAN.fullmatch(pieces[-1]):
            pieces[-1] += f",{piece}"
        else:
            pieces.append(piece.strip())
    span = SPAN.fullmatch(pieces[0])
    if (
        span
        and not any(SPAN.fullmatch(piece) for piece in pieces[1:])
        and (not is_setting(name) or is_numeric(name) or name in PARTS)
    ):
        return parse_range(name, span, pieces[1:])
    if len(pieces) == 1 and "{" in text:
        return pieces[0]
    return pieces


def parse_range(name: str, span: re.Match[str], options: Sequence[str]) -> dict[str, Any]:
    """Return a range as a table."""
    table: dict[str, Any] = {"low": as_number(span[1]), "high": as_number(span[2])}
    for option in options:
        key, equals, value = option.partition("=")
        if key == "log" and not equals:
            table["log"] = True
        elif key == "step" and re.fullmatch(NUMBER, value):
            table["step"] = as_number(value)
        else:
            raise CuelloError(
                f"over: {name}: got {option!r} after a range.{closest(key, ('log', 'step'))} Needed: log, or step=N."
            )
    return table


def as_number(text: str) -> int | float:
    """Return a number, whole where it is written without point and exponent."""
    return int(text) if re.fullmatch(r"[-+]?\d{1,300}", text) else float(text)
