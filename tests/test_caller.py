"""The caller's process is as it was after every public call, and after one that fails."""

import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.utils.data import Dataset

import cuello
from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.runs.directory import Run
from cuello.studies.base import Story, Study, StudyPlan, run_study

LEARN: dict[str, Any] = {"epochs": 1, "device": "cpu", "threads": 1, "report": False}
REPORTED: dict[str, Any] = {**LEARN, "report": True}
CODE: dict[str, Any] = {"job": "reconstruct", "data": "glyphs", "model": "mlp:35-8-2", **LEARN}
UNCALLED = {"CuelloError", "Model", "OcclusionMaps", "Output", "Run", "TrainConfig", "allow", "latent", "register",
            "search", "serve", "study"}  # fmt: skip
"""Types, modules, what is to be remembered, what runs until it is stopped, and what gets a study of the test's own."""


def process() -> dict[str, object]:
    """What of a process could be changed under its owner's hands."""
    return {
        "backend": matplotlib.get_backend(), "style": {name: str(value) for name, value in matplotlib.rcParams.items()},
        "seed": torch.initial_seed(), "torch": torch.get_rng_state().tolist(), "numpy": str(np.random.get_state()),
        "python": random.getstate(), "threads": torch.get_num_threads(), "type": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(), "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filters": list(warnings.filters), "folder": os.getcwd(), "environment": dict(os.environ),
        "numpy errors": np.geterr(), "printing": str(np.get_printoptions()),
    }  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What the calls of this file are made with."""

    images: Path
    trained: Run
    series: Path
    model: Model
    classifier: Run
    codes: Run
    folder: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("caller")
    return {
        "classifier": cuello.train("classify", "glyphs", output=folder / "classifier", samples=32, **LEARN),
        "codes": cuello.train(output=folder / "codes", **CODE),
    }


@pytest.fixture
def given(images: Path, trained: Run, series: Path, model: Model, runs: dict[str, Run], tmp_path: Path) -> Given:
    return Given(images, trained, series, model, **runs, folder=tmp_path)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """A process of somebody who plots, draws numbers and has threads of their own."""
    before, backend = torch.get_num_threads(), matplotlib.get_backend()
    matplotlib.use("svg")
    torch.set_num_threads(2)
    torch.manual_seed(5)
    yield
    torch.set_num_threads(before)
    matplotlib.use(backend)


class Drawing(Dataset[Any]):
    """Images drawn from everybody's random numbers, as of somebody's augmentation."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> np.ndarray:
        return ((np.random.rand(7, 5) + random.random() + torch.rand(1).item()) * 80).astype(np.uint8)


SMALL_CLASSIFIER = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 5 * 3, 3))


def toy_study(given: Given) -> None:
    settings = {name: value for name, value in CODE.items() if name not in ("data", "report", "threads", "device")}
    plans = [StudyPlan("one", settings)]
    toy = Study(name="t", summary="", data=("glyphs",), plans=lambda data: plans, story=lambda outcome: Story("", []))
    run_study(toy, None, given.folder / "study", threads=1)


DRAWN: dict[str, Any] = {**CODE, "data": Drawing()}
NOISY = np.random.default_rng(0).normal(100, 10, (64, 64))
CALLS: dict[str, Callable[[Given], object]] = {
    "train": lambda g: cuello.train(
        data=g.images, output=g.folder / "run", noise="gaussian:25", model="conv-8-16-8", crop=16,
        **REPORTED,
    ),
    "resume": lambda g: cuello.resume(g.codes.path, epochs=2, threads=1, report=False),
    "train_repeats": lambda g: cuello.train_repeats(repeats=2, output=g.folder / "repeats", **CODE),
    "train_folds": lambda g: cuello.train_folds(folds=2, output=g.folder / "folds", **DRAWN),
    "check": lambda g: cuello.check("loss", "mse"),
    "evaluate": lambda g: cuello.evaluate(g.trained.path, report=False),
    "evaluate_classifier": lambda g: cuello.evaluate_classifier(g.classifier.path, report=False),
    "evaluate_runs": lambda g: cuello.evaluate_runs([g.series / "seed-0", g.series / "seed-1"]),
    "compare": lambda g: cuello.compare([g.series]),
    "load": lambda g: cuello.load("upscale-x2"),
    "apply": lambda g: cuello.apply(g.model, g.images, g.folder / "out"),
    "benchmark": lambda g: cuello.benchmark("set5", g.model),
    "explain": lambda g: cuello.explain(g.classifier.path, "glyphs", g.folder / "maps", box=2, pictures=1),
    "occlusion_map": lambda g: cuello.occlusion_map(SMALL_CLASSIFIER, torch.zeros(1, 1, 7, 5), 2),
    "search": lambda g: cuello.search.search(
        **{name: value for name, value in CODE.items() if name != "report"}, space={"learning_rate": [1e-3, 1e-2]},
        output=g.folder / "search",
    ),
    "study": toy_study,
    "Model": lambda g: g.model(np.zeros((20, 20, 3), np.uint8)),
    "encode": lambda g: cuello.load(g.codes.path).encode(torch.zeros(2, 1, 7, 5)),
    "decode": lambda g: cuello.load(g.codes.path).decode(np.zeros((2, 2), np.float32)),
    "classify": lambda g: cuello.load(g.classifier.path).classify(np.zeros((7, 5), np.uint8)),
    "latent.project": lambda g: cuello.latent.project(np.eye(5), "pca"),
    "run.plot": lambda g: (g.trained.plot(), g.trained.plot(Figure().subplots(), "seconds"), g.trained.history.plot()),
    "run.examples": lambda g: (g.trained.examples(), g.trained.examples(Figure().subplots())),
    "shown": lambda g: [(repr(one), one._repr_html_()) for one in (g.trained, g.model, g.trained.report)],
    "latent.plot": lambda g: cuello.latent.plot(cuello.load(g.codes), Drawing(), ax=Figure().subplots()),
    "data from Python": lambda g: cuello.train(**CODE | {"data": Drawing(), "output": g.folder / "run"}, progress=True),
    "export": lambda g: cuello.export(g.model, g.folder / "model.onnx"),
    "noise": lambda g: cuello.noise([NOISY, NOISY[::-1]]),
    "denoise": lambda g: cuello.denoise(NOISY),
    "latent.sample": lambda g: cuello.latent.sample(cuello.load(g.codes.path), 3, codes=np.eye(2)),
}  # fmt: skip


def test_every_public_call_is_tried() -> None:
    assert set(cuello.__all__) <= CALLS.keys() | UNCALLED


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_leaves_the_process_as_it_was(given: Given, name: str) -> None:
    before = process()
    try:
        CALLS[name](given)
    except CuelloError:
        assert name == "benchmark", "that yardstick's images need not be here"
    after = process()
    assert {key: value for key, value in after.items() if before[key] != value} == {}


@pytest.mark.usefixtures("two_threads")
def test_so_does_a_training_that_fails_on_its_way(images: Path, tmp_path: Path) -> None:
    before = process()

    def stop(event: object) -> None:
        os.environ["LEFT_BEHIND"] = "1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cuello.train(output=tmp_path / "run", observers=[stop], **CODE)
    with pytest.raises(CuelloError):
        cuello.train(data=images, output=tmp_path / "other", noise="gaussian:25", model="conv-8-16-8", crop=4000)
    after = process()
    assert {key: value for key, value in after.items() if before[key] != value} == {}


def test_libraries_that_are_loaded_on_the_way_leave_no_filters(trained: Run) -> None:
    code = (
        "import os, sys, warnings, matplotlib, torch, cuello\n"
        "before = list(warnings.filters), dict(os.environ)\n"
        "cuello.evaluate(sys.argv[1], report=False)\n"
        "assert 'skimage' in sys.modules\n"
        "assert (list(warnings.filters), dict(os.environ)) == before\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, trained.path], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_loaded_draws_no_random_number() -> None:
    """In a process of its own, where nothing of the package is loaded yet."""
    script = "import random; random.seed(1); before = random.getstate(); import cuello; cuello.train; cuello.latent"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; print(random.getstate() == before)"], capture_output=True, check=False
    )
    assert done.stdout.strip() == b"True", done.stderr.decode()
