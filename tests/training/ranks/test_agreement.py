"""Ranks that do not fit together, and trainings that cannot be divided, are refused by name, and nothing is begun."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS: dict[str, Any] = {
    "noise": "salt-pepper:0.2", "model": "conv-8-16-8", "crop": 16, "epochs": 1, "batch_size": 4, "samples": 8,
    "device": "cpu", "report": False, "progress": False,
}  # fmt: skip
CASES: dict[str, Any] = {
    "settings": ({}, {"epochs": 2}, "rank 1 was started with epochs = 2, rank 0 with 1"),
    "images": ({}, {"data": "others"}, "the images of rank 1 in "),
    "no images": ({}, {"data": "nothing"}, "rank 1: "),
    "few images": ({"samples": 1}, {"samples": 1}, "1 images or crops an epoch are fewer than 2 ranks"),
    "small batch": ({"batch_size": 1}, {"batch_size": 1}, "1 images a step are fewer than 2 ranks"),
    "compiled": ({"compile": True}, {"compile": True}, "a compiled network trains in one process"),
    "first fails": ({"output": "taken"}, {}, "exists and is not empty"),
    "all is well": ({}, {}, ""),
}
"""What ranks 0 and 1 are asked, beside what both are, and what rank 0 then says."""


@pytest.fixture(scope="module")
def said(
    make_images: Callable[..., Path], in_ranks: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("agreement")
    places = {"images": make_images(folder / "images"), "others": make_images(folder / "others", count=7)}
    (folder / "taken").mkdir()
    (folder / "taken" / "letter.txt").write_text("mine")

    def calls(rank: int) -> list[tuple[str, dict[str, Any]]]:
        asked = []
        for name, case in CASES.items():
            own: dict[str, Any] = {"output": f"run-{name.replace(' ', '-')}", "data": "images", **case[rank]}
            own["data"] = str(places.get(own["data"], folder / own["data"]))
            asked.append(("train", {**SETTINGS, **own, "output": str(folder / own["output"])}))
        return [*asked, ("threads", {})]

    results = in_ranks(2, calls(0), calls(1))
    return folder, {name: [one[place] for one in results] for place, name in enumerate([*CASES, "threads"])}


@pytest.mark.parametrize("name", CASES)
def test_rank_0_says_what_is_wrong(said: tuple[Path, dict[str, list[str]]], name: str) -> None:
    wanted, (first, other) = CASES[name][2], said[1][name]
    assert wanted in first
    assert bool(first) == bool(wanted)
    assert other.startswith("Elsewhere: " if wanted else "")


def test_nothing_is_begun_that_cannot_be(said: tuple[Path, dict[str, list[str]]]) -> None:
    assert sorted(path.name for path in said[0].iterdir()) == ["images", "others", "run-all-is-well", "taken"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of threads, from Linux")
def test_no_thread_of_a_group_goes_on_after_a_training(said: tuple[Path, dict[str, list[str]]]) -> None:
    for names in said[1]["threads"]:
        assert "python" in names
        assert "gloo" not in names
