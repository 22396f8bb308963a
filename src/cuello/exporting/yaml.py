"""YAML, of what JSON can hold: written so that people can read it, without a package for it."""

import json
from typing import Any


def yaml_of(value: Any, indent: int = 0) -> str:
    """Write mappings and lists a line an entry, texts and numbers as JSON, which YAML understands.

    >>> print(yaml_of({"license": "mit", "tags": ["a", "b"], "results": [{"value": 1.5, "name": "x"}]}), end="")
    license: "mit"
    tags:
      - "a"
      - "b"
    results:
      - value: 1.5
        name: "x"
    """
    margin, text = " " * indent, ""
    if isinstance(value, dict):
        for name, one in value.items():
            nested = isinstance(one, dict | list) and one
            text += f"{margin}{name}:\n{yaml_of(one, indent + 2)}" if nested else f"{margin}{name}: {scalar(one)}\n"
        return text
    for one in value:
        if isinstance(one, dict) and one:
            text += f"{margin}- {yaml_of(one, indent + 2).lstrip()}"
        else:
            text += f"{margin}- {scalar(one)}\n"
    return text


def scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
