"""`cuello study` and `cuello studies`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cuello.studies import catalog
from cuello.studies.base import StudyReport


def test_the_list_names_every_study(command: Callable[..., Any]) -> None:
    assert "salt-pepper" in command("studies").out
    assert json.loads(command("studies", "--json").out)[0]["data"] == ["photos", "bsds400"]


def test_flags_reach_the_study_and_the_report_is_named(
    monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any], tmp_path: Path
) -> None:
    seen = {}

    def pretend(study: object, data: str, output: Path, **options: object) -> StudyReport:
        seen.update(study=study, data=data, output=output, **options)
        return StudyReport(output / "report.html", "All is well.")

    monkeypatch.setattr(catalog, "run_study", pretend)
    flags = ("--data", "bsds400", "-o", tmp_path, "--repeats", 3, "--workers", 2, "--threads", 1, "--quiet")
    answer = command("study", "salt-pepper", *flags)
    assert answer.code == 0
    assert seen["study"] is catalog.STUDIES["salt-pepper"]
    assert (seen["data"], seen["output"], seen["repeats"], seen["threads"]) == ("bsds400", tmp_path, 3, 1)
    assert seen["workers"] == 2
    assert answer.out.splitlines() == ["All is well.", f"report: {tmp_path / 'report.html'}"]
    assert json.loads(command("study", "salt-pepper", *flags, "--json").out)["verdict"] == "All is well."


def test_an_unknown_study_or_data_set_is_the_users_mistake(refused: Callable[..., str]) -> None:
    assert "salt-pepper" in refused("study", "salt-peper")
    assert "photos or bsds400" in refused("study", "salt-pepper", "--data", "set5")
