"""The Dockerfile, read line by line: what it must keep to, where no linter and no daemon is at hand."""

import re
import tomllib
from pathlib import Path

import pytest

import cuello

ROOT = Path(cuello.__file__).parents[2]
FILE = ROOT / "Dockerfile"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the package is installed without its sources")


def steps() -> list[tuple[str, str]]:
    """Give the instructions, each with what follows it, continued lines put together."""
    text = re.sub(r"(?m)^\s*#.*\n", "", FILE.read_text("utf-8"))
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    every = steps()
    return every[max(place for place, (name, _) in enumerate(every) if name == "FROM") :]


def test_bases_are_pinned_and_nothing_is_added_from_elsewhere() -> None:
    bases = [rest.split()[0] for name, rest in steps() if name == "FROM"]
    assert len(bases) == 2
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    assert not [name for name, _ in steps() if name == "ADD"]
    assert all(re.search("cuello|pip", rest) for name, rest in steps() if name == "RUN")


def test_it_runs_as_nobody_in_particular_and_installs_nothing_then() -> None:
    stage = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", stage["USER"])
    assert all("pip" not in rest for name, rest in last_stage() if name == "RUN")
    assert "apt-get" not in FILE.read_text("utf-8")
    names = [name for name, _ in last_stage()]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))


def test_torch_is_the_pinned_build_for_processors() -> None:
    (install,) = [rest for name, rest in steps() if name == "RUN" and "[serve]" in rest]
    assert "--torch-backend cpu" in install
    assert "-c constraints.txt" in install
    assert "build --wheel" in install


def test_it_stops_by_sigterm_and_is_looked_after() -> None:
    stage = dict(last_stage())
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert stage["ENTRYPOINT"] == '["cuello"]', "no shell stands between, which would keep the signal"
    assert "/health" in stage["HEALTHCHECK"]
    assert stage["EXPOSE"] == "8000"


def test_all_that_the_wheel_is_built_from_is_copied() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project, wheel = about["project"], about["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", project["readme"], *project["license-files"]}
    needed |= {place.partition("/")[0] for place in wheel["packages"]}
    needed |= {hook.get("path", "hatch_build.py") for hook in wheel["hooks"].values()}
    assert needed <= set(copied())


def copied() -> list[str]:
    """Name what the first stage copies from the sources."""
    return [one for name, rest in steps() if name == "COPY" and "--from" not in rest for one in rest.split()[:-1]]


def test_what_the_build_sees_is_listed() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert "*" in ignored
    assert copied()
    assert {f"!{one}" for one in copied()} <= set(ignored)
    assert all((ROOT / one).exists() for one in copied())
