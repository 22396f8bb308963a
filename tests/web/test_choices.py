"""A form's settings as words of a command line, and what is refused before anything starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.jobs.words import WORDS
from cuello.web.choices import check, example_of, first_settings, free_name, other_settings, train_command
from cuello.web.commands import RUNNING, CommandLine, start
from cuello.web.pictures import shares


@pytest.mark.parametrize("job", WORDS.names())
def test_every_setting_of_a_job_stands_in_its_form_once(job: str) -> None:
    shown = [*first_settings(job), *other_settings(job)]
    assert len(shown) == len(set(shown))
    of_others = {name for one in WORDS.names() for name in WORDS[one].options} - set(WORDS[job].options)
    assert set(shown) == set(TrainConfig.model_fields) - {"job", "data"} - of_others


@pytest.mark.parametrize("job", WORDS.names())
def test_the_settings_to_begin_with_are_good_ones_and_stand_at_the_top(job: str) -> None:
    example = example_of(job)
    data = example.pop("data")
    assert set(example) <= set(first_settings(job))
    check(job, data, example)


def test_words_are_what_the_command_line_understands(command: Callable[..., Any], tmp_path: Path) -> None:
    settings = {"noise": "gaussian:25", "range": "-5..9", "augment": "no", "nesterov": "yes", "crop": ""}
    made = train_command("denoise", "-odd folder", output=tmp_path / "run", settings=settings)
    assert list(made.words[:3]) == ["train", "denoise", "./-odd folder"]
    answer = command(*made.words)
    assert "there is no file, folder or data set './-odd folder'" in answer.error, "all flags were understood"


@pytest.mark.parametrize(
    ("data", "settings", "said"),
    [
        (" ", {}, "which images"),
        ("x", {"epochs": "0"}, "--epochs: got '0'"),
        ("x", {"channels": "2"}, "--channels: got 2"),
        ("x", {"resize": "64", "channels": "1", "augment": "yes", "hidden": "256,64"}, ""),
    ],
)
def test_what_can_be_seen_to_be_wrong(data: str, settings: dict[str, str], said: str) -> None:
    if not said:
        check("denoise", data, settings)
        return
    with pytest.raises(CuelloError) as caught:
        check("denoise", data, settings)
    assert said.replace("--", "") in str(caught.value)


def test_a_free_name(tmp_path: Path) -> None:
    assert free_name(tmp_path, "denoise") == "denoise"
    (tmp_path / "denoise").mkdir()
    assert free_name(tmp_path, "denoise") == "denoise-2"
    assert free_name(tmp_path, "denoise", " mine ") == "mine"
    with pytest.raises(CuelloError, match="something called denoise"):
        free_name(tmp_path, "denoise", "denoise")
    start(CommandLine(["--version"]), tmp_path, "mine")
    with pytest.raises(CuelloError, match="something called mine"):
        free_name(tmp_path, "denoise", "mine")
    RUNNING[-1].wait(timeout=60)
    assert free_name(tmp_path, "denoise", "mine") == "mine", "it came to nothing"


def test_pictures_of_any_kind() -> None:
    image = np.array([[[0.0], [np.nan], [2.0], [np.inf]]])
    assert shares(image).ravel().tolist() == [0, 0, 255, 255]
    assert shares(image, (0.0, 4.0)).ravel().tolist() == [0, 0, 128, 255]
    assert shares(np.full((1, 2, 1), 7, np.uint16)).ravel().tolist() == [0, 0]
    assert shares(np.array([[[3]]], np.uint8)).ravel().tolist() == [3]
