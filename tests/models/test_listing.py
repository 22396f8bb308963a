"""The list of networks: it is what building and counting every network gives, a line each."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cuello.models.listing import PLANES, counted, listed


@pytest.mark.parametrize("channels", PLANES)
def test_the_kept_counts_are_those_of_the_networks(channels: int) -> None:
    found = json.loads(json.dumps(counted(channels)))
    assert listed(channels) == found, "count anew: python -m cuello.models.listing"


def test_a_line_a_network_at_80_columns(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = command("models").out.splitlines()
    assert all(len(line) <= 80 for line in lines[: len(listed(3)) + 1])
    names = [line.split()[0] for line in lines[1 : len(listed(3)) + 1]]
    assert names == [row["name"] for row in listed(3)]
    assert "sees pixels" in command("models", "--long").out
