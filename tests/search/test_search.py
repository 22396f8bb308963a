"""Searches: spaces against itertools, mistakes named, trials kept and gone on with, pruned, failed, and compared."""

import csv
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.files import write_text
from cuello.core.settings import SearchSettings
from cuello.jobs.catalog import JOBS
from cuello.runs.directory import Run
from cuello.search import Found, page, parse_overs, samplers, search
from cuello.search import work as running
from cuello.search.entries import search_space
from cuello.search.figures import Dot, ObjectiveScale, aside, front
from cuello.search.question import as_words, make_question
from cuello.search.samplers import mend
from cuello.search.space import Choices, SearchedRange, Space
from cuello.search.trials import Reached, Trial, folder_name, objectives_of, ranked
from cuello.training.observers import EpochDone, Event, Started
from cuello.work import plans
from cuello.work.train import train_or_resume

TINY: dict[str, Any] = {"epochs": 2, "batch_size": 16, "device": "cpu", "threads": 1}
WIDTHS = {"model": "mlp:35-{widths}", "widths": ["4-2", "2"]}


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images, 5 wide and 7 high, as an .npy file: four patterns, each ten times with a few pixels turned.

    They are black and nearly white, so that their loss decides.
    """
    random = np.random.default_rng(0)
    patterns = np.tile(random.random((4, 7, 5)) > 0.5, (10, 1, 1))
    path = tmp_path_factory.mktemp("data") / "dots.npy"
    np.save(path, (patterns ^ (random.random(patterns.shape) > 0.95)).astype(np.uint8) * 254)
    return path


def searched(dots: Path, folder: Path, space: Mapping[str, Any], **options: Any) -> Found:
    return search("reconstruct", dots, space=space, output=folder, **{**TINY, **options})


AT_ONCE = plans.batches_at_once


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train every trial by itself, so that observers see each; but for the tests that are about the other way."""
    monkeypatch.setattr(plans, "batches_at_once", lambda *_, **__: [])


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no pictures, which take longer than everything else here."""
    monkeypatch.setattr(page, "pictures", lambda *_: [])


@pytest.fixture(scope="module")
def found(dots: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A finished grid of four trials; not to be changed."""
    folder = tmp_path_factory.mktemp("searches") / "grid"
    return searched(dots, folder, {**WIDTHS, "learning_rate": [1e-3, 1e-2]})


# Spaces

NAMES = ("optimizer", "epochs", "learning_rate", "batch_size", "augment")
VALUES = {
    "optimizer": st.sampled_from(["adam", "sgd", "adamw", "rmsprop"]),
    "epochs": st.integers(1, 99),
    "learning_rate": st.floats(1e-6, 1.0),
    "batch_size": st.integers(1, 512),
    "augment": st.booleans(),
}


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, list[Any]]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    return {name: draw(st.lists(VALUES[name], min_size=1, max_size=4, unique=True)) for name in names}


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_a_grid_is_the_product(space: dict[str, list[Any]]) -> None:
    grid = search_space(space).grid()
    assert grid == [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


@settings(max_examples=60, deadline=None)
@given(
    low=st.floats(1e-6, 10), factor=st.floats(1.5, 1e6), count=st.integers(2, 9), log=st.booleans()
)  # fmt: skip
def test_points_of_a_range(low: float, factor: float, count: int, log: bool) -> None:
    found = SearchedRange(low, low * factor, log).points(count)
    assert len(found) == count
    assert list(found) == sorted(found)
    assert (found[0], found[-1]) == (pytest.approx(low), pytest.approx(low * factor))
    gaps = [math.log(b / a) if log else b - a for a, b in itertools.pairwise(found)]
    assert gaps == pytest.approx([gaps[0]] * (count - 1), rel=1e-6)


def test_points_by_hand() -> None:
    assert SearchedRange(8, 64, log=True).points(4) == (8, 16, 32, 64)
    assert SearchedRange(1, 3).points(9) == (1, 2, 3), "whole numbers, each once"
    assert SearchedRange(0.1, 0.5, step=0.2).points(None) == (0.1, 0.3, 0.5)
    assert search_space({"epochs": {"low": 10, "high": 35, "step": 10}}).grid() == [
        {"epochs": 10}, {"epochs": 20}, {"epochs": 30}
    ]  # fmt: skip


def test_placeholders_are_filled() -> None:
    space = search_space(
        {"model": "mlp:35-{widths},activation={activation}", "widths": ["20-2", "2"], "activation": ["tanh", "relu"]}
    )
    assert [space.settings(values)["model"] for values in space.grid()] == [
        "mlp:35-20-2,activation=tanh", "mlp:35-20-2,activation=relu",
        "mlp:35-2,activation=tanh", "mlp:35-2,activation=relu",
    ]  # fmt: skip
    assert set(space.settings(space.grid()[0])) == {"model"}, "placeholders are no settings"
    fixed = search_space({"sigma": [10, 25.5]}, {"noise": "gaussian:{sigma}", "epochs": 3})
    assert [fixed.settings(values) for values in fixed.grid()] == [
        {"noise": "gaussian:10", "epochs": 3}, {"noise": "gaussian:25.5", "epochs": 3}
    ]  # fmt: skip


def test_keys_count_only_for_the_choices_that_hold_them() -> None:
    space = search_space(
        {"noise": ["gaussian:{sigma}", "salt-pepper:{density}"], "sigma": [10, 25, 50], "density": [0.1, 0.2]}
    )
    texts = [space.settings(values)["noise"] for values in space.grid()]
    assert texts == ["gaussian:10", "gaussian:25", "gaussian:50", "salt-pepper:0.1", "salt-pepper:0.2"]
    assert space.grid()[0] == {"noise": "gaussian:{sigma}", "sigma": 10}


def test_values_have_their_settings_types() -> None:
    space = search_space(
        {"learning_rate": ["1e-3", 1], "augment": ["yes", "no"], "clip": ["none", "1"], "channels": ["1"]}
    )
    assert {name: axis.values for name, axis in space.axes.items() if isinstance(axis, Choices)} == {
        "learning_rate": (0.001, 1.0), "augment": (True, False), "clip": (None, 1.0), "channels": (1,)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"learning_rat": [1.0]}, r"'learning_rat', which is neither a setting nor filled.*mean 'learning_rate'\?"),
        ({**WIDTHS, "widhts": ["2"]}, r"'widhts', which is neither.*Did you mean 'widths'\?"),
        ({"model": "mlp:35-{widths}", "widhts": ["2"]}, r"'widhts', which is neither.*Did you mean 'widths'\?"),
        (
            {"model": "mlp:35-{widths}", "epochs": [1]},
            r"model holds the placeholder \{widths\}.*no values for 'widths'",
        ),
        ({"model": "mlp:35-{epochs}", "epochs": [1]}, r"\{epochs\}, which is a setting's own name"),
        ({"model": "mlp:35-{}", "epochs": [1]}, r"\{\}, which is no name"),
        ({"model": "mlp:35-{widths}", "widths": "2"}, r"widths: got '2', needed a list of choices"),
        ({"epochs": []}, "epochs: got no choices"),
        ({"epochs": [0]}, r"epochs: got 0, needed greater than or equal to 1"),
        ({"epochs": [1, 1.0]}, "epochs: the choice 1 is given twice"),
        ({"epochs": [[1]]}, r"epochs: got the choice \[1\]"),
        ({"epochs": {"low": 1, "hihg": 2}}, r"epochs: a range has no 'hihg'. Did you mean 'high'\?"),
        ({"epochs": {"low": 1}}, "epochs: the range has no 'high'"),
        ({"epochs": {"low": 1, "high": "many"}}, "epochs: got high = 'many', needed a number"),
        ({"epochs": {"low": 1.5, "high": 3}}, "epochs: got 1.5"),
        ({"epochs": {"low": 1, "high": 9, "step": 0.5}}, "epochs: got step = 0.5, needed a whole number"),
        ({"epochs": {"low": 9, "high": 1}}, r"epochs: got the range 9\.\.1, needed the lower end first"),
        ({"momentum": {"low": 0, "high": 0.9, "log": True}}, "momentum: got log with the lower end 0"),
        ({"epochs": {"low": 1, "high": 9, "step": 2, "log": True}}, "epochs: got step = 2 with log"),
        ({"epochs": {"low": 1, "high": 9, "log": 1}}, "epochs: got log = 1, needed true or false"),
        ({"optimizer": {"low": 1, "high": 9}}, "optimizer is not a number"),
        ({"seed": [0, 1]}, "seed cannot be searched: .*repeats"),
        ({"data": ["a", "b"]}, "data cannot be searched"),
        ({"batch_size": [1, 2]}, "batch_size is both given and searched"),
        ({}, "nothing is searched"),
    ],
)
def test_mistakes_in_a_space(space: dict[str, Any], message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        search_space(space, {"batch_size": 16})


def test_spaces_on_the_command_line() -> None:
    assert parse_overs(
        ["learning-rate=1e-4..1e-1,log", "optimizer=sgd, adam", "epochs=10..50,step=10", "widths=2,20-2",
         "model=mlp:35-{widths},activation=relu", "noise=gaussian:5..50,clip=no,salt-pepper:0.1..0.5",
         "range=0..255,0..4095", "level=0.1..0.5,0.2..0.6", "sigma=1..50"]
    ) == {
        "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
        "optimizer": ["sgd", "adam"],
        "epochs": {"low": 10, "high": 50, "step": 10},
        "widths": ["2", "20-2"],
        "model": "mlp:35-{widths},activation=relu",
        "noise": ["gaussian:5..50,clip=no", "salt-pepper:0.1..0.5"],
        "range": ["0..255", "0..4095"],
        "level": ["0.1..0.5", "0.2..0.6"],
        "sigma": {"low": 1, "high": 50},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("overs", "message"),
    [
        (["learning-rate"], "over: got 'learning-rate', needed NAME=VALUES"),
        (["=1,2"], "needed NAME=VALUES"),
        (["epochs=1,2", "epochs=3"], "epochs is given twice"),
        (["learning-rate=1e-4..1e-1,lgo"], r"got 'lgo' after a range. Did you mean 'log'\?"),
        (["epochs=1..9,step=two"], "got 'step=two' after a range"),
    ],
)
def test_mistakes_on_the_command_line(overs: list[str], message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        parse_overs(overs)


# Questions


def asked(space: Mapping[str, Any], **options: Any) -> Any:
    settings = {"model": "mlp:35-4-2"}
    return make_question("reconstruct", "dots.npy", space, settings=settings, search=SearchSettings(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "grdi"}, r"sampler: got 'grdi'.*Did you mean 'grid'\?"),
        ({"objective": "psn"}, r"objective: got 'psn'.*'psnr'\?"),
        ({"trials": 5}, "leave out trials"),
        ({"prune": True}, "leave out prune=True"),
        ({"sampler": "tpe", "trials": 0}, "trials: got 0"),
        ({"sampler": "tpe", "points": 4}, "points is for grids"),
        ({"points": 1}, "points: got 1, needed 2"),
        ({"repeats": 0}, "repeats: got 0"),
    ],
)
def test_mistakes_in_a_question(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        asked({"epochs": [1, 2]}, **options)


def test_every_choice_is_checked_before_any_training() -> None:
    with pytest.raises(CuelloError, match=r"adma.*Did you mean 'adam'.*The trial: epochs = 1, optimizer = 'adma'"):
        asked({"epochs": [1, 2], "optimizer": ["sgd", "adma"]})
    with pytest.raises(CuelloError, match="there is no setting called 'bacth_size'"):
        make_question("reconstruct", "dots.npy", {"epochs": [1]}, settings={"bacth_size": 3}, search=SearchSettings())


def test_what_the_best_is_the_best_by() -> None:
    assert asked({"epochs": [1, 2]}).objective.name == "loss"
    unlike = asked({"loss": ["mse", "bce"]})
    assert unlike.objective.name == "mse"
    assert "differ in loss" in unlike.notes[0]
    with pytest.raises(CuelloError, match="differ in loss"):
        asked({"loss": ["mse", "bce"]}, objective="loss")
    given = {"model": "vae:35-4-2,beta={beta}"}
    betas = make_question("generate", "dots.npy", {"beta": [1, 4]}, settings=given, search=SearchSettings())
    assert betas.objective.name == "mse", "the loss holds the bottleneck's part, which beta weighs"
    assert "validated on different images" in asked({"validation": [0.2, 0.3]}).notes[0]
    assert asked({"epochs": [10, 40]}).warmup == 2


# Grids


def test_a_grid_is_trained_and_told(found: Found) -> None:
    folder = found.page.parent
    assert [(trial.number, trial.state) for trial in found.trials] == [(n, "finished") for n in range(4)]
    names = ["000-4-2-0.001", "001-4-2-0.01", "002-2-0.001", "003-2-0.01"]
    assert sorted(path.name for path in (folder / "trials").iterdir()) == names
    for trial in found.trials:
        run = Run(folder / "trials" / trial.name)
        best = min(run.history, key=lambda record: record.validation_loss)
        assert trial.reached is not None
        assert trial.reached.objective == trial.reached.validation_loss == best.validation_loss
        assert (trial.reached.best_epoch, trial.reached.epochs) == (best.epoch, 2)
        assert run.config.model == f"mlp:35-{trial.values['widths']}"
        assert run.config.learning_rate == trial.values["learning_rate"]
    assert found.best == min(found.trials, key=lambda trial: trial.reached.objective if trial.reached else math.inf)
    assert [trial.reached.parameters for trial in found.trials if trial.reached] == [341, 341, 177, 177]


def test_its_files(found: Found) -> None:
    folder = found.page.parent
    assert {path.name for path in folder.iterdir()} == {"search.json", "search.csv", "search.html", "figures", "trials"}
    assert {path.name for path in (folder / "figures").iterdir()} == {"settings.png", "trials.png", "size.png"}
    rows = list(csv.DictReader((folder / "search.csv").open()))
    assert [row["widths"] for row in rows] == ["4-2", "4-2", "2", "2"]
    assert [float(row["validation_loss"]) for row in rows] == [
        trial.reached.validation_loss for trial in found.trials if trial.reached
    ]
    state = json.loads((folder / "search.json").read_text())
    assert (state["state"], len(state["trials"])) == ("finished", 4)
    text = found.page.read_text()
    assert found.verdict in text
    shown = found.command.replace("'", "&#39;")
    assert " ".join(f"<span>{word}</span>" for word in shown.split(" ")) in text, "no line ends inside a word"
    assert f"trial {found.best.number}" in found.verdict
    assert f"--model mlp:35-{found.best.values['widths']}" in found.command


def test_its_trials_can_be_compared(found: Found) -> None:
    comparison = cuello.compare([found.page.parent / "trials"], latency=False)
    assert not comparison.left_out
    (group,) = comparison.groups
    assert group.rows[0].label == f"trials/{found.best.name}"
    assert len(group.rows) == 4


def test_the_same_call_trains_nothing_again(found: Found, dots: Path) -> None:
    folder = found.page.parent
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*")}
    again = searched(dots, folder, {**WIDTHS, "learning_rate": [1e-3, 1e-2]}, observers=[no_training])
    assert again.trials == found.trials
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*")} == before


def no_training(event: Event) -> None:
    raise AssertionError(f"a finished trial was trained again: {event}")


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({"learning_rate": [1e-3, 2e-2]}, {}, r"values of learning_rate = \[0.001, 0.01\], now it is \[0.001, 0.02\]"),
        ({"learning_rate": [1e-3, 1e-2]}, {"epochs": 3}, "with epochs = 2, now it is 3.*output"),
        ({"learning_rate": [1e-3, 1e-2]}, {"repeats": 2}, "with repeats = 1, now it is 2"),
        ({"learning_rate": [1e-3, 1e-2]}, {"sampler": "tpe"}, "with sampler = 'grid', now it is 'tpe'"),
        ({"learning_rate": [1e-3, 1e-2], "optimizer": ["sgd"]}, {}, "values of optimizer = None, now it is"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    found: Found, dots: Path, space: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CuelloError, match=message):
        searched(dots, found.page.parent, {**WIDTHS, **space}, **options)


@pytest.mark.usefixtures("undrawn")
def test_a_folder_of_other_things_is_refused(dots: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(CuelloError, match="exists and holds no search"):
        searched(dots, tmp_path, WIDTHS)
    (tmp_path / "search.json").write_text("{}")
    with pytest.raises(CuelloError, match="is damaged"):
        searched(dots, tmp_path, WIDTHS)


def test_data_that_cannot_be_read_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="nowhere"):
        searched(tmp_path / "nowhere.npy", tmp_path / "search", WIDTHS)
    assert not (tmp_path / "search").exists()


class Kill:
    """An observer that stops everything after an epoch of the so-manieth training, and notes where each begins."""

    def __init__(self, training: int):
        self.training, self.starts = training, list[int]()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.starts.append(event.epoch)
        if isinstance(event, EpochDone) and len(self.starts) == self.training:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("undrawn")
def test_a_search_that_was_stopped_goes_on(dots: Path, tmp_path: Path) -> None:
    space = {**WIDTHS, "learning_rate": [1e-3, 1e-2]}
    folder = tmp_path / "search"
    with pytest.raises(Interrupted, match=r"2 of 4 trials are done, see .*search.html. The same command goes on"):
        searched(dots, folder, space, observers=[Kill(3)])
    assert "2 are not finished yet" in (folder / "search.html").read_text()
    assert [trial["state"] for trial in json.loads((folder / "search.json").read_text())["trials"][:3]] == [
        "finished", "finished", "running"
    ]  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/00[01]*/*")}
    watched = Kill(99)
    whole = searched(dots, folder, space, observers=[watched])
    assert watched.starts == [1, 0], "the third went on after its first epoch, the fourth began"
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/00[01]*/*")} == before
    straight = searched(dots, tmp_path / "straight", space)
    assert [losses(trial) for trial in whole.trials] == [losses(trial) for trial in straight.trials]


def losses(trial: Any) -> tuple[Any, ...]:
    """What of a trial does not depend on the clock."""
    kept = trial.reached and (trial.reached.objective, trial.reached.epochs, trial.reached.validation_psnr)
    return trial.values, trial.state, kept


@pytest.mark.usefixtures("undrawn")
def test_a_kill_that_leaves_no_search_json_costs_nothing_but_reading(
    dots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9: trainings done since search.json was written are found finished."""
    with pytest.raises(Interrupted):
        searched(dots, tmp_path / "search", WIDTHS, observers=[Kill(2)])
    content = json.loads((tmp_path / "search" / "search.json").read_text())
    content["trials"] = []
    write_text(tmp_path / "search" / "search.json", json.dumps(content))
    watched = Kill(99)
    searched(dots, tmp_path / "search", WIDTHS, observers=[watched])
    assert watched.starts == [1]


@pytest.mark.usefixtures("undrawn")
def test_a_trial_that_fails_is_written_down_and_the_rest_goes_on(dots: Path, tmp_path: Path) -> None:
    space = {"model": "mlp:{widths}", "widths": ["35-2", "36-2", "35-4-2"]}
    found = searched(dots, tmp_path / "search", space)
    assert [trial.state for trial in found.trials] == ["finished", "failed", "finished"]
    assert "made for images of 36 numbers" in found.trials[1].message
    assert "Trial 1 (widths 36-2): the network" in found.page.read_text()
    assert "1 failed." in found.verdict
    assert "failed" in (tmp_path / "search" / "search.csv").read_text()
    again = searched(dots, tmp_path / "search", space, observers=[no_training])
    assert again.trials == found.trials


@pytest.mark.usefixtures("undrawn")
def test_a_trial_that_diverges_is_one_that_failed(dots: Path, tmp_path: Path) -> None:
    def poison(event: Event) -> None:
        if isinstance(event, Started):
            poison.count += 1  # type: ignore[attr-defined]
        if isinstance(event, EpochDone) and poison.count == 1:  # type: ignore[attr-defined]
            raise CuelloError("the training diverged in epoch 1")

    poison.count = 0  # type: ignore[attr-defined]
    found = searched(dots, tmp_path / "search", WIDTHS, observers=[poison])
    assert [(trial.state, trial.message) for trial in found.trials] == [
        ("failed", "the training diverged in epoch 1"), ("finished", "")
    ]  # fmt: skip
    assert found.trials[0].reached is None


@pytest.mark.usefixtures("undrawn")
def test_where_all_trials_fail_the_search_does(dots: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"all 2 trials failed.*The first: .*images of 36 numbers"):
        searched(dots, tmp_path / "search", {"model": "mlp:{widths}", "widths": ["36-2", "36-4-2"]})


@pytest.mark.usefixtures("undrawn")
def test_memory_that_runs_out_fails_one_trial_and_other_faults_are_raised(
    dots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, *arguments: Any, **options: Any) -> Run:
        if path.name.startswith("000"):
            raise RuntimeError("CUDA out of memory")
        if path.name.startswith("002"):
            raise RuntimeError("a bug")
        return train_or_resume(path, *arguments, **options)

    monkeypatch.setattr(plans, "train_or_resume", broken)
    found = searched(dots, tmp_path / "search", WIDTHS)
    assert [trial.state for trial in found.trials] == ["failed", "finished"]
    with pytest.raises(RuntimeError, match="a bug"):
        searched(dots, tmp_path / "three", {**WIDTHS, "widths": ["2", "3", "4"]})


@pytest.mark.usefixtures("undrawn")
def test_trials_of_a_grid_are_handed_over_together(dots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[list[str]] = []

    def together(runs: Any, settings: Any, **options: Any) -> Any:
        groups.append([run.path.name for run in runs])
        return AT_ONCE(runs, settings, **options)

    monkeypatch.setattr(plans, "batches_at_once", together)
    monkeypatch.setattr(running, "GROUP", 2)
    space = {"model": "mlp:{widths}", "widths": ["35-2", "35-4-2", "36-2", "35-3-2", "35-5-2"]}
    found = searched(dots, tmp_path / "search", space, epochs=1)
    assert [[name[:3] for name in group] for group in groups] == [["000", "001"], ["002", "003"]]
    assert [trial.state for trial in found.trials] == ["finished", "finished", "failed", "finished", "finished"]


@pytest.mark.usefixtures("undrawn")
def test_together_they_come_to_the_same_and_go_on_after_a_kill(
    dots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {**WIDTHS, "learning_rate": [1e-3, 1e-2]}
    alone = searched(dots, tmp_path / "alone", space)
    monkeypatch.setattr(plans, "batches_at_once", AT_ONCE)
    with pytest.raises(Interrupted, match="The same command goes on"):
        searched(dots, tmp_path / "together", space, observers=[Kill(2)])
    together = searched(dots, tmp_path / "together", space)
    for one, other in zip(alone.trials, together.trials, strict=True):
        assert one.reached is not None
        assert other.reached is not None
        assert (one.values, one.state, one.reached.epochs) == (other.values, other.state, other.reached.epochs)
        assert one.reached.objective == pytest.approx(other.reached.objective, rel=1e-4)


@pytest.mark.usefixtures("undrawn")
def test_repeats_go_by_the_mean(dots: Path, tmp_path: Path) -> None:
    found = searched(dots, tmp_path / "search", {"learning_rate": [1e-3, 1e-1]}, repeats=3, model="mlp:35-2", seed=5)
    folder = tmp_path / "search" / "trials" / found.best.name
    assert sorted(path.name for path in folder.iterdir()) == ["seed-5", "seed-6", "seed-7"]
    bests = [min(r.validation_loss for r in Run(path).history) for path in sorted(folder.iterdir())]
    assert found.best.reached is not None
    assert found.best.reached.objective == pytest.approx(np.mean(bests))
    assert found.best.reached.deviation == pytest.approx(np.std(bests, ddof=1))
    assert found.command.endswith("--seed 5 --threads 1 --device cpu --repeats 3") or "--repeats 3" in found.command
    assert "3 repeats" in found.verdict
    comparison = cuello.compare([folder.parent / trial.name for trial in found.trials], latency=False)
    assert [len(row.runs) for row in comparison.groups[0].rows] == [3, 3]


@pytest.mark.usefixtures("undrawn")
def test_binary_images_are_searched_by_wrong_pixels(dots: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "binary.npy", (np.load(dots) > 0).astype(np.uint8) * 255)
    space = {"learning_rate": [1e-4, 3e-2], "loss": ["mse", "l1"]}
    found = searched(tmp_path / "binary.npy", tmp_path / "search", space, model="mlp:35-8")
    for trial in found.trials:
        reached, run = trial.reached, Run(tmp_path / "search" / "trials" / trial.name)
        assert reached is not None
        (best,) = [record for record in run.history if record.epoch == reached.best_epoch]
        assert reached.objective == best.validation_wrong == reached.validation_wrong
    wrong = [trial.reached.objective for trial in found.trials if trial.reached]
    assert found.best.reached is not None
    assert found.best.reached.objective == min(wrong) < max(wrong)
    assert "validation wrong pixels" in found.verdict
    assert "wrong pixels>" in found.table.columns
    again = searched(tmp_path / "binary.npy", tmp_path / "search", space, model="mlp:35-8", observers=[no_training])
    assert again.best == found.best
    state = tmp_path / "search" / "search.json"
    state.write_text(state.read_text().replace('"objective": "wrong"', '"objective": "mse"'))
    before = searched(tmp_path / "binary.npy", tmp_path / "search", space, model="mlp:35-8", observers=[no_training])
    assert "validation MSE" in before.verdict, "a search goes on by the objective that it began with"
    with pytest.raises(CuelloError, match=r"objective: got 'wrong', which binary images have.*Needed: loss, mse, psnr"):
        searched(dots, tmp_path / "other", space, model="mlp:35-8", objective="wrong")


def test_of_equal_trials_the_one_with_the_lower_loss_is_better() -> None:
    def trial(number: int, wrong: float, loss: float) -> Trial:
        reached = Reached(
            objective=wrong, deviation=None, parameters=1, epochs=1, best_epoch=1, validation_loss=loss, seconds=1.0
        )
        return Trial(number, str(number), {}, "finished", reached=reached)

    trials = [trial(0, 0.0, 0.3), trial(1, 0.0, 0.1), trial(2, 1.0, 0.0)]
    assert [one.number for one, _ in ranked(trials, objectives_of(JOBS["denoise"])["wrong"])] == [1, 0, 2]


@pytest.mark.usefixtures("undrawn")
def test_a_range_in_a_grid(dots: Path, tmp_path: Path) -> None:
    space = {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}
    with pytest.raises(CuelloError, match=r"learning_rate is the range 0\.001\.\.0\.1.*points"):
        searched(dots, tmp_path / "search", space, model="mlp:35-2")
    found = searched(dots, tmp_path / "search", space, model="mlp:35-2", points=3, epochs=1)
    assert [trial.values["learning_rate"] for trial in found.trials] == [1e-3, 1e-2, 1e-1]


@pytest.mark.usefixtures("undrawn")
def test_progress_tells_the_share_and_the_best(dots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(plans, "TELL_SECONDS", 0.0)
    told: list[tuple[str, float]] = []
    searched(dots, tmp_path / "search", WIDTHS, progress=lambda event: told.append((event.stage, event.share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(words.startswith("1 of 2 trials  best 0.") and "000-4-2" in words for words, _ in told)


# Optuna's samplers

RANGES = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "optimizer": ["sgd", "adam"]}


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.usefixtures("undrawn")
def test_drawn_trials_lie_in_the_space_and_optuna_reads_them(dots: Path, tmp_path: Path, sampler: str) -> None:
    optuna = pytest.importorskip("optuna")
    space = {**RANGES, "model": "mlp:35-{hidden}-2", "hidden": {"low": 2, "high": 8, "log": True}}
    found = searched(dots, tmp_path / "search", space, sampler=sampler, trials=4, epochs=1)
    for trial in found.trials:
        assert 1e-4 <= trial.values["learning_rate"] <= 1e-1
        assert trial.values["optimizer"] in ("sgd", "adam")
        assert trial.values["hidden"] in range(2, 9)
        run = Run(tmp_path / "search" / "trials" / trial.name)
        assert run.config.model == f"mlp:35-{trial.values['hidden']}-2"
        assert run.config.learning_rate == trial.values["learning_rate"]
    assert len({trial.values["learning_rate"] for trial in found.trials}) == 4
    study = journal(optuna, tmp_path / "search")
    assert [trial.value for trial in study.trials] == [t.reached.objective for t in found.trials if t.reached]
    assert study.best_trial.number == found.best.number
    assert [trial.user_attrs["folder"] for trial in study.trials] == [trial.name for trial in found.trials]


def journal(optuna: Any, folder: Path) -> Any:
    """Open a search's journal as Optuna's users do."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "optuna.log"))
    return optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))


@pytest.mark.parametrize(("sampler", "killed"), [("tpe", 12), ("random", 3)])
@pytest.mark.usefixtures("undrawn")
def test_a_drawn_search_that_was_stopped_draws_what_it_would_have_drawn(
    dots: Path, tmp_path: Path, sampler: str, killed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve of thirteen: past the ten trials after which TPE no longer draws at random."""
    pytest.importorskip("optuna")
    options: dict[str, Any] = {"sampler": sampler, "model": "mlp:35-2", "epochs": 1}
    total = killed + 1
    with pytest.raises(Interrupted, match=f"{killed - 1} of {total} trials"):
        searched(dots, tmp_path / "search", RANGES, trials=total, observers=[Kill(killed)], **options)
    with open(tmp_path / "search" / "optuna.log", "a") as file:
        file.write('{"half a li')  # as a kill while writing leaves it, with its lock
    (tmp_path / "search" / "optuna.log.lock").touch()
    monkeypatch.setattr(samplers, "LOCK_SECONDS", 3)
    whole = searched(dots, tmp_path / "search", RANGES, trials=total, **options)
    straight = searched(dots, tmp_path / "straight", RANGES, trials=total, **options)
    assert [losses(trial) for trial in whole.trials] == [losses(trial) for trial in straight.trials]


@pytest.mark.usefixtures("undrawn")
def test_more_trials_can_be_asked_for(dots: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    options: dict[str, Any] = {"sampler": "random", "model": "mlp:35-2", "epochs": 1}
    few = searched(dots, tmp_path / "search", RANGES, trials=2, **options)
    more = searched(dots, tmp_path / "search", RANGES, trials=4, **options)
    assert more.trials[:2] == few.trials
    assert len(more.trials) == 4
    fewer = searched(dots, tmp_path / "search", RANGES, trials=2, observers=[no_training], **options)
    assert fewer.trials == more.trials


@pytest.mark.usefixtures("undrawn")
def test_hopeless_trials_are_pruned(dots: Path, tmp_path: Path) -> None:
    """Stopped is, after five others, what is worse at an epoch than their median; its run directory stays as it is."""
    optuna = pytest.importorskip("optuna")
    space = {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}}
    options: dict[str, Any] = {"sampler": "random", "prune": True, "trials": 14, "model": "mlp:35-2", "epochs": 4}
    found = searched(dots, tmp_path / "search", space, **options)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    whole: list[list[float]] = []
    for trial in found.trials:
        run = Run(tmp_path / "search" / "trials" / trial.name)
        losses = [record.validation_loss for record in run.history]
        assert run.model_path.is_file()
        worse = [
            len(whole) >= 5 and min(losses[:epoch]) > np.median([other[epoch - 1] for other in whole])
            for epoch in range(1, min(4, len(losses) + 1))
        ]
        if trial.state == "pruned":
            assert worse == [False] * (len(losses) - 1) + [True]
            assert trial.message == f"worse than the median after epoch {len(losses)} of 4"
            assert trial.reached is not None
            assert trial.reached.epochs == len(losses)
        else:
            assert not any(worse)
            whole.append(losses)
    states = [trial.state.name for trial in journal(optuna, tmp_path / "search").trials]
    assert states == ["PRUNED" if trial.state == "pruned" else "COMPLETE" for trial in found.trials]
    assert f"{len(pruned)} trials were stopped early" in found.page.read_text()
    again = searched(dots, tmp_path / "search", space, observers=[no_training], **options)
    assert again.trials == found.trials


@pytest.mark.usefixtures("undrawn")
def test_a_pruned_search_that_was_stopped_goes_on(dots: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    options: dict[str, Any] = {"sampler": "tpe", "prune": True, "trials": 9, "model": "mlp:35-2", "epochs": 3}
    with pytest.raises(Interrupted):
        searched(dots, tmp_path / "search", RANGES, observers=[Kill(7)], **options)
    whole = searched(dots, tmp_path / "search", RANGES, **options)
    straight = searched(dots, tmp_path / "straight", RANGES, **options)
    assert [losses(trial) for trial in whole.trials] == [losses(trial) for trial in straight.trials]


@pytest.mark.usefixtures("undrawn")
def test_psnr_is_the_higher_the_better(dots: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    options: dict[str, Any] = {"sampler": "random", "trials": 3, "model": "mlp:35-2", "epochs": 1}
    found = searched(dots, tmp_path / "search", RANGES, objective="psnr", **options)
    scores = [trial.reached.validation_psnr or 0.0 for trial in found.trials if trial.reached]
    assert found.best.number == int(np.argmax(scores))
    assert journal(optuna, tmp_path / "search").best_value == max(scores)
    assert "dB" in found.verdict


@pytest.mark.usefixtures("undrawn")
def test_without_optuna_a_grid_works_and_a_sampler_says_what_to_install(
    dots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    searched(dots, tmp_path / "grid", WIDTHS, epochs=1)
    with pytest.raises(CuelloError, match=r"pip install 'cuello\[search\]'"):
        searched(dots, tmp_path / "search", RANGES, sampler="tpe", model="mlp:35-2")
    assert not (tmp_path / "search").exists()


# Small parts


def test_half_a_line_is_cut_off_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "optuna.log"
    for before, after in ((b'{"a":1}\n{"b":', b'{"a":1}\n'), (b'{"a":1}\n', b'{"a":1}\n'), (b"{", b""), (b"", b"")):
        path.write_bytes(before)
        mend(path)
        assert path.read_bytes() == after
    mend(tmp_path / "none.log")
    assert not (tmp_path / "none.log").exists()


def test_names_of_folders() -> None:
    assert (
        folder_name(7, {"model": "mlp:35-8-2,activation=relu", "clip": None}, 60)
        == "007-mlp-35-8-2-activation-relu-None"
    )
    assert folder_name(7, {"noise": "/../é"}, 20_000) == "00007-"
    long = folder_name(0, {"model": "x" * 99}, 1)
    assert long == f"000-{'x' * 40}"
    assert as_words(1e-05) == "1e-05"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12), st.booleans())
def test_the_front_is_what_nothing_smaller_beats(points: list[tuple[int, int]], less: bool) -> None:
    scale, sign = ObjectiveScale("loss", less), 1 if less else -1
    dots = [Dot(number, "", float(value), True, {}, size) for number, (size, value) in enumerate(points)]
    best = {(dot.parameters, dot.value) for dot in front(dots, scale)}
    beaten = {
        (dot.parameters, dot.value)
        for dot in dots
        if any(
            other.parameters <= dot.parameters
            and sign * other.value <= sign * dot.value
            and (other.parameters, other.value) != (dot.parameters, dot.value)
            for other in dots
        )
    }
    assert best == {(dot.parameters, dot.value) for dot in dots} - beaten


def test_dots_of_a_choice_stand_apart() -> None:
    places = [aside(number) for number in range(20)]
    assert max(places) <= 0.22
    assert min(places) >= -0.22
    assert min(b - a for a, b in itertools.pairwise(sorted(places))) > 0.01


def test_a_space_without_placeholders_needs_all_its_keys() -> None:
    assert Space({"epochs": Choices((1, 2))}, {}).needed({"epochs": 1}) == ["epochs"]
