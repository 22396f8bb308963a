"""The list of networks: it is what building and counting every network gives, a line each."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cuello.inference.bundled import BUNDLED
from cuello.models.listing import PLANES, counted, listed


@pytest.mark.parametrize("channels", PLANES)
def test_the_kept_counts_are_those_of_the_networks(channels: int) -> None:
    found = json.loads(json.dumps(counted(channels)))
    assert listed(channels) == found, "count anew: python -m cuello.models.listing"


def test_ready_models_come_first_then_a_line_a_network_by_purpose(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = command("models").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "READY TO USE: cuello apply NAME IN OUT"
    assert [name for line in lines if (name := line.split(":")[0]) in BUNDLED] == BUNDLED.names()
    start = next(place for place, line in enumerate(lines) if line.startswith("network to train"))
    table = [line for line in lines[start + 1 : lines.index("", start + len(listed(3)))] if line]
    names = [line.split()[0] for line in table if line != line.upper()]
    assert set(names) == {row["name"] for row in listed(3)}
    assert len(names) == len(listed(3))
    headings = [line for line in table if line == line.upper()]
    assert headings == [purpose.upper() for purpose in dict.fromkeys(row["purpose"] for row in listed(3))]
    found, heading = {}, ""
    for line in table:
        heading = line if line == line.upper() else heading
        found[line.split()[0]] = heading
    assert all(found[row["name"]] == row["purpose"].upper() for row in listed(3))
    assert "pixels" in command("models", "--long").out
