"""What the sources of studies say: numbers and texts, in the file source.toml of each study."""

import tomllib
from importlib import resources
from typing import Any


def said(study: str) -> dict[str, Any]:
    """Read what the source of a study says; study: the name of its folder."""
    return tomllib.loads(resources.files("cuello.studies").joinpath(study, "source.toml").read_text("utf-8"))
