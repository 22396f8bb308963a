"""One mistake in two languages: Python is told of parameters, the command line of flags."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cuello

MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "add e.g. noise='salt-pepper:0.2' (see", "add e.g. --noise salt-pepper:0.2 (see"),
    ({"learning_rate": -1.0}, "learning_rate: got -1.0", "--learning-rate: got -1.0"),
    ({"scale": 9}, "Without noise, scale=2 means noise='down:2'", "Without --noise, --scale 2 means --noise down:2"),
    ({"noise": "blur:1", "scale": 2}, "got scale=2 for denoise", "got --scale 2 for denoise"),
    ({"noise": "blur:1", "target": "clean"}, "noise='blur:1' and target='clean'", "--noise blur:1 and --target clean"),
    ({"noise": "blur:1", "validation": 0.9}, "lower validation or test (test=0 keeps", "(--test 0 keeps"),
    (
        {"noise": "blur:1", "loss": "ssim", "crop": 8},
        "another loss or a larger crop.",
        "another --loss or a larger --crop.",
    ),
    ({"noise": "blur:1", "track": "tensorbord"}, "Did you mean 'tensorboard'?", "Did you mean 'tensorboard'?"),
    ({"noise": "down:2"}, "Use: cuello train upscale", "Use: cuello train upscale"),
]


@pytest.mark.parametrize(("settings", "parameters", "flags"), MISTAKES)
def test_a_mistake(
    images: Path, tmp_path: Path, refused: Callable[..., str], settings: dict[str, Any], parameters: str, flags: str
) -> None:
    common = {"model": "conv-8-16-8", "crop": 16, "device": "cpu", "threads": 1, **settings}
    words = [word for name, value in common.items() for word in (f"--{name.replace('_', '-')}", value)]
    if "track" in common:
        common["track"] = (common["track"],)
    with pytest.raises(cuello.CuelloError) as caught:
        cuello.train("denoise", images, output=tmp_path / "run", **common)
    said = str(caught.value)
    assert parameters in said
    assert "--" not in said.partition("cuello train")[0]
    assert flags in refused("train", "denoise", images, "-o", tmp_path / "run", *words)
    assert str(caught.value) == said, "the command line has no say in Python after it"


def test_what_is_done_with_a_run(trained: Any, refused: Callable[..., str]) -> None:
    image = next(Path(trained.config.data).glob("*.png"))
    with pytest.raises(cuello.CuelloError, match="in_place=True") as caught:
        cuello.apply(cuello.load(trained.path), image, image)
    assert "overwrite" not in str(caught.value)
    said = refused("apply", trained.path, image, image)
    assert "--in-place, which keeps each original as NAME.orig" in said
    assert "--overwrite" not in said
    with pytest.raises(cuello.CuelloError, match=r"Leave out epoch or lower it"):
        cuello.compare([trained.path], epoch=9)
    assert "Leave out --epoch or lower it" in refused("compare", trained.path, "--epoch", 9)
