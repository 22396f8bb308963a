"""NOTICE names everybody whose photographs the ready models learned from, and goes with the package."""

import tomllib
from pathlib import Path

import pytest

from cuello.data.catalog import CATALOG
from cuello.inference.bundled import BUNDLED
from cuello.runs.artefact import load_artefact

ROOT = Path(__file__).parents[1]
NOTICE = (ROOT / "NOTICE").read_text("utf-8")


def part_of(data: str) -> str:
    """Return what NOTICE says of a data set: from its heading, such as "1. NAME", to the next one."""
    _, heading, rest = NOTICE.partition(f". {data}\n")
    assert heading, f"NOTICE has no part on {data}"
    return rest.partition("\n\n\n")[0]


def test_it_goes_with_the_package() -> None:
    assert "NOTICE" in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["license-files"]


@pytest.mark.parametrize("name", BUNDLED.names())
def test_it_tells_of_the_images_of_every_ready_model(name: str) -> None:
    assert part_of(str(load_artefact(BUNDLED[name].path).training["data"]))


def test_every_photograph_of_open_photos_is_under_its_author_and_licence() -> None:
    said = part_of("open-photos").split("\n\n")
    for file in CATALOG["open-photos"].files():
        work = file.name.partition("_by_")[0].removesuffix(".png")
        names = "kodak_01 to kodak_24" if work.startswith("kodak_") else work
        (part,) = [one for one in said if names in one.splitlines()[0].split(", ") or one.startswith(names + "\n")]
        assert file.author in part
        if file.licence.startswith("CC"):
            assert f"({file.licence})" in part
            assert "https://creativecommons.org/" in part
        else:
            assert "for unrestricted use" in part
        owner, repository = file.url.removeprefix("https://raw.githubusercontent.com/").split("/")[:2]
        assert f"https://github.com/{owner}/{repository}" in part
