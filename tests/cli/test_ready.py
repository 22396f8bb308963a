"""What `cuello models` says of the models that come with the package: each in short, and one of them in full."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cuello.cli.ready import described, ready_models, scores_lines, short_lines
from cuello.inference.bundled import BUNDLED, SPECS

Command = Callable[..., Any]

MODEL = {
    "name": "denoise",
    "summary": "removes noise",
    "not_for": "real noise",
    "ready": True,
    "network": "denoise-s",
    "channels": 3,
    "parameters": 90204,
    "kilobytes": 185,
    "degradation": "gaussian:0..75,clip=no",
    "training": {"data": "open-photos"},
    "trained_on": "open-photos: photographs (source: many; licence: free; by Ada Lovelace (CC-BY-4.0))",
    "rights": {"licence": "Apache-2.0", "author": "The authors of Cuello", "citation": "not stated"},
    "epochs": 60,
    "minutes": 150.0,
    "machine": "a processor, 2 cores",
    "scores": [
        {"yardstick": "bsd68", "sigma": 15, "psnr": {"value": 31.004, "protocol": "PSNR as is"}},
        {"yardstick": "bsd68", "sigma": 25, "psnr": {"value": 29.0, "protocol": "PSNR as is"}},
        {
            "yardstick": "photos",
            "noise": "jpeg:10",
            "psnr": {"value": 28.0, "protocol": "PSNR cut"},
            "beside": {"a": 1},
        },
    ],
    "multiply_adds_a_pixel": 5000.4,
    "commands": ["cuello train denoise photographs -o one", "cuello train denoise photographs --start-from one -o two"],
}


@pytest.mark.parametrize("model", ready_models(), ids=BUNDLED.names())
def test_each_states_its_licence_data_author_scores_training_and_limits(model: dict[str, Any]) -> None:
    lines = "\n".join(short_lines(model))
    for words in ("not for: ", "trained on: ", " epochs, ", "licence: ", "; author: ", " dB", " parameters, "):
        assert words in lines
    assert re.search(r"\d (min|h)$", lines, re.MULTILINE)
    assert model["not_for"] == BUNDLED[model["name"]].not_for


def test_what_it_is_for_and_what_not_is_one_line_each() -> None:
    for spec in SPECS:
        assert len(f"{spec.name}: {spec.summary}") <= 80
        assert len(f"    not for: {spec.not_for}") <= 80
        assert spec.not_for[0].islower()
        assert spec.not_for[-1] != "."


def test_one_in_full_has_everything_that_its_file_says() -> None:
    assert described(MODEL) == [
        ("denoise", ["removes noise"]),
        ("not for", ["real noise"]),
        ("use", ["cuello apply denoise IN OUT"]),
        ("channels", ["red, green and blue together"]),
        ("network", ["denoise-s, 90,204 parameters, 185 kB", "5,000 multiply-adds per pixel of the input"]),
        (
            "scores",
            [
                "bsd68: σ 15 31.00 dB, σ 25 29.00 dB",
                "photos: jpeg:10 28.00 dB (a 1.00)",
                "(PSNR as is)",
                "(PSNR cut)",
            ],
        ),
        ("trained on", [MODEL["trained_on"]]),
        ("trained against", ["gaussian:0..75,clip=no"]),
        ("training", ["60 epochs, 2.5 h on a processor, 2 cores", *MODEL["commands"]]),
        ("licence", ["Apache-2.0"]),
        ("author", ["The authors of Cuello"]),
        ("citation", ["not stated"]),
    ]


def test_short_lines_leave_out_whose_each_photograph_is() -> None:
    assert short_lines(MODEL) == [
        "not for: real noise",
        "bsd68: σ 15 31.00 dB, σ 25 29.00 dB",
        "photos: jpeg:10 28.00 dB",
        "90,204 parameters, 185 kB",
        "trained on: open-photos, 60 epochs, 2.5 h",
        "licence: Apache-2.0; author: The authors of Cuello",
    ]


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"scale": 2}, "×2"), ({"sigma": 25}, "σ 25"), ({"quality": 10}, "quality 10"), ({"noise": "blur:1"}, "blur:1")],
)
def test_a_setting_is_said_as_its_yardstick_has_it(setting: dict[str, Any], said: str) -> None:
    assert scores_lines([{"yardstick": "set", **setting, "psnr": {"value": 1.0}}]) == [f"set: {said} 1.00 dB"]


@pytest.mark.parametrize("name", BUNDLED.names())
def test_the_command_shows_one(name: str, command: Command) -> None:
    answer = command("models", name)
    assert answer.code == 0
    assert f"{name}:\n    {BUNDLED[name].summary}\nnot for:\n    {BUNDLED[name].not_for}\n" in answer.out
    found = json.loads(command("models", name, "--json").out)
    assert found == next(model for model in json.loads(command("models", "--json").out) if model["name"] == name)


def test_other_names_are_answered(refused: Callable[..., str]) -> None:
    assert "Did you mean 'denoise'?" in refused("models", "denoisse")
    assert "'up-s' is a network to train, no trained model. Its layers: cuello summary up-s." in refused(
        "models", "up-s"
    )
