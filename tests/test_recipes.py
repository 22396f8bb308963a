"""The recipes of ready models are commands that this version understands, of models that are described."""

import importlib.util
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from cuello.cli.app import app
from cuello.core.config import TrainConfig
from cuello.data.catalog import CATALOG
from cuello.degrade import parse
from cuello.inference.bundled import SPECS
from cuello.scoring.published import Yardstick
from cuello.work.train import resolve

PATH = Path(__file__).parents[1] / "benchmarks" / "recipes.py"


def recipes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipes", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["recipes"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


RECIPES: dict[str, Any] = recipes().RECIPES
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def test_every_model_has_one() -> None:
    assert list(RECIPES) == [spec.name for spec in SPECS]


@every_recipe
def test_its_commands_are_understood(recipe: Any) -> None:
    before: list[str] = []
    for command, run in zip(recipe.stages, recipe.runs, strict=True):
        words = shlex.split(command)
        assert words[:2] == ["cuello", "train"]
        _, bound, ignored = app.parse_args(words[1:], exit_on_error=False, print_error=False)
        assert not ignored
        given = dict(bound.arguments)
        config = resolve({name: value for name, value in given.items() if name in TrainConfig.model_fields})
        assert config.data == "photographs"
        assert config.job == ("upscale" if run.startswith("upscale") else "denoise")
        assert given["output"] == Path(run)
        assert config.start_from == (before[-1] if before else None), "a stage goes on where the last one ended"
        before.append(run)
    assert before[-1] == recipe.name
    assert len(set(before)) == len(before)


@every_recipe
def test_it_is_measured_on_what_nothing_is_trained_on(recipe: Any) -> None:
    assert recipe.yardsticks
    for one in recipe.yardsticks:
        assert CATALOG[one.images].test_only
        assert one.noise is not None or one.images in get_args(Yardstick)
        if one.noise is not None:
            assert parse(one.noise)
