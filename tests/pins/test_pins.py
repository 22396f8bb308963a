"""Behaviour does not change by a bit: small pieces of every kind of work against what they once came to.

On the processor that pins.json was made on every bit counts; elsewhere, where sums are rounded otherwise, numbers are
compared. `python tests/pins/make.py` writes the pins anew, where a change is wanted.
"""

from pathlib import Path

import numpy as np
import pytest
from pinning import differences, pins_of, platform, read_pins
from scenarios import SCENARIOS, working_in

PLATFORM, PINS = read_pins()


def test_every_scenario_is_pinned() -> None:
    assert set(PINS) == set(SCENARIOS)
    assert all(len(own) > 1 for own in PINS.values())


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_has_changed(name: str, tmp_path: Path) -> None:
    with working_in(tmp_path):
        SCENARIOS[name]()
    found = differences(pins_of(tmp_path), PINS[name], exact=platform() == PLATFORM)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("factor", "exact", "noticed"),
    [(1, True, False), (1 + 1e-7, True, True), (1 + 1e-7, False, False), (1.1, True, True), (1.1, False, True)],
)
def test_what_changes_is_noticed(factor: float, exact: bool, noticed: bool, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).random(100)
    np.save(tmp_path / "numbers.npy", numbers)
    (tmp_path / "said.json").write_text('{"verdict": "is ahead by 1.2 dB", "seconds": 3.0}')
    pinned = pins_of(tmp_path)
    np.save(tmp_path / "numbers.npy", numbers * factor)
    (tmp_path / "said.json").write_text('{"verdict": "is ahead by 1.2 dB", "seconds": 4.0}')
    assert bool(differences(pins_of(tmp_path), pinned, exact)) == noticed
    (tmp_path / "said.json").write_text('{"verdict": "is behind by 1.2 dB", "seconds": 4.0}')
    (tmp_path / "more.txt").write_text("new")
    found = differences(pins_of(tmp_path), pinned, exact)
    assert {"more.txt is new"} < set(found)
    assert any(line.startswith("said.json: /verdict") for line in found)
