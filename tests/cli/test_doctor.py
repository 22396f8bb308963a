"""`cuello doctor`: what is installed, on what it runs, and what is missing for what."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cuello.cli import doctor
from cuello.core.version import VERSION

Command = Callable[..., Any]
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement)[0]


def test_its_tables_are_those_of_the_project() -> None:
    assert [name_of(one) for one in PROJECT["dependencies"]] == sorted(doctor.PACKAGES, key=list(doctor.PACKAGES).index)
    extras = {name: set(map(name_of, found)) for name, found in PROJECT["optional-dependencies"].items()}
    del extras["dev"]
    extras["postgres"].remove("cuello")  # what it builds on is another extra
    ours: dict[str, set[str]] = {}
    for one in doctor.OPTIONALS:
        ours.setdefault(one.extra, set()).add(one.package)
    assert ours == extras


def test_what_it_says(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(doctor, "version_of", lambda name: None if name == "optuna" else "1.2")
    monkeypatch.setattr("cuello.cli.doctor.shutil.which", lambda name: "/usr/bin/c++" if name == "c++" else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = command("doctor", "--json")
    assert (answer.code, answer.error) == (0, "")
    found = json.loads(answer.out)
    assert found["machine"]["cuello"] == VERSION
    assert (found["machine"]["threads"], found["machine"]["device"]) == (1, "cpu")
    assert found["machine"]["torch"].startswith(torch.__version__)
    assert found["packages"]["numpy"] == "1.2"
    remedy = "pip install 'cuello[search]'"
    assert found["missing"] == [{"what": "optuna", "for": "search --sampler random or tpe", "remedy": remedy}]
    shown = command("doctor").out
    assert f"{remedy}\n    optuna, for search --sampler random or tpe" in shown
    assert torch.get_num_threads() == threads


def test_a_machine_without_a_compiler_and_with_everything_else(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda name: "1.2")
    monkeypatch.setattr("cuello.cli.doctor.shutil.which", lambda name: None)
    assert "a C++ compiler, for train --compile" in command("doctor").out
    monkeypatch.setattr("cuello.cli.doctor.shutil.which", lambda name: "/usr/bin/c++")
    assert "Nothing is missing." in command("doctor").out


def test_a_torch_that_cannot_be_loaded_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    answer = command("doctor", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["machine"]["torch"].startswith("cannot be loaded: ")


def test_the_version_names_python_and_torch(command: Command) -> None:
    said = command("--version").out
    assert said.startswith(f"cuello {VERSION} (Python 3.")
    assert f"torch {torch.__version__})" in said
