"""Trackers: what TensorBoard and MLflow are told, read back; going on, being absent, failing in the middle."""

import importlib.util
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import cuello
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.runs.directory import OWN_FOLDERS, Run, create_run
from cuello.runs.history import EpochRecord, write_history
from cuello.training import trackers
from cuello.training.observers import EpochDone, Event, Started, Stopped
from cuello.training.trackers import (
    TRACKERS,
    check_trackers,
    guarded,
    make_trackers,
    mlflow_tracker,
    numbers_of,
    tensorboard_tracker,
)

CONFIG = TrainConfig(noise="gaussian:25", epochs=3)
NAMES = {
    "loss/training", "loss/validation", "validation/mse", "validation/psnr", "learning_rate", "speed/seconds",
    "speed/images_per_second",
}  # fmt: skip


def record(epoch: int) -> EpochRecord:
    """An epoch with numbers that single precision holds exactly."""
    return EpochRecord(epoch, 1 / 2**epoch, 0.5, 0.25, 6.0, 0.125, 4.0, 2.0, 100)


def epochs(first: int, last: int, end: bool = True) -> Iterator[Event]:
    """What a training tells that begins after epoch ``first`` and ends, or is killed, after ``last``."""
    yield Started(first, 3, 5)
    for epoch in range(first + 1, last + 1):
        yield EpochDone(record(epoch), 3, True)
    if end:
        yield Stopped(last, "all epochs done")


def read_back(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Return every scalar in RUN/tensorboard: (step, value) in the order of the file."""
    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    return {name: [(p.step, p.value) for p in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_numbers_by_hand() -> None:
    found = numbers_of(record(2))
    assert set(found) == NAMES
    assert (found["loss/training"], found["speed/images_per_second"]) == (0.25, 50.0)


# TensorBoard


def test_event_files_hold_every_epoch(tmp_path: Path) -> None:
    observer = tensorboard_tracker(tmp_path)
    for event in epochs(0, 3):
        observer(event)
    found = read_back(tmp_path)
    assert set(found) == NAMES
    assert found["loss/training"] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert found["speed/images_per_second"] == [(1, 50.0), (2, 50.0), (3, 50.0)]


def test_a_run_that_goes_on_has_each_epoch_once(tmp_path: Path) -> None:
    observer = tensorboard_tracker(tmp_path)
    for event in epochs(0, 2, end=False):
        observer(event)
    observer = tensorboard_tracker(tmp_path)
    for event in epochs(1, 3):  # the second epoch was told, but the checkpoint is the first one's
        observer(event)
    assert [step for step, _ in read_back(tmp_path)["loss/validation"]] == [1, 2, 3]


def test_a_tracker_that_comes_later_shows_the_earlier_epochs(tmp_path: Path) -> None:
    write_history(tmp_path / "history.jsonl", [record(1), record(2)])
    observer = tensorboard_tracker(tmp_path)
    for event in epochs(2, 3):
        observer(event)
    assert read_back(tmp_path)["loss/training"] == [(1, 0.5), (2, 0.25), (3, 0.125)]


def test_train_and_resume_with_tensorboard(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = cuello.train(data=images, output=path, report=False, track=["tensorboard"], **small)
    cuello.resume(path, epochs=4, report=False, track=["tensorboard"])
    found = read_back(path)
    assert found["loss/validation"] == [(e.epoch, pytest.approx(e.validation_loss)) for e in run.history]
    assert len(run.history) == 4


def test_overwrite_removes_what_trackers_wrote(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", CONFIG)
    for name in OWN_FOLDERS:
        (run.path / name).mkdir()
    (run.path / "mine").mkdir()
    create_run(run.path, CONFIG, overwrite=True)
    assert sorted(path.name for path in run.path.iterdir()) == ["config.toml", "environment.json", "mine"]
    assert {"tensorboard", "mlflow"} <= set(OWN_FOLDERS)


# MLflow, with a stand-in that keeps what it is told


@dataclass
class Stored:
    """One MLflow run of the stand-in."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[tuple[str, float, int]] = field(default_factory=list)
    status: str = "RUNNING"

    def steps(self, name: str) -> list[int]:
        return [step for key, _, step in self.points if key == name]


class NotThere(Exception):
    error_code = "RESOURCE_DOES_NOT_EXIST"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Stored]]:
    """Put a stand-in for mlflow in place; returns its runs by tracking address and id."""
    stores: dict[str, dict[str, Stored]] = {}

    class Client:
        def __init__(self, tracking_uri: str):
            self.runs = stores.setdefault(tracking_uri, {})

        def get_run(self, run_id: str) -> Any:
            if run_id not in self.runs:
                raise NotThere(run_id)
            data = types.SimpleNamespace(params=dict(self.runs[run_id].params))
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id=run_id), data=data)

        def get_experiment_by_name(self, name: str) -> Any:
            return None

        def create_experiment(self, name: str, artifact_location: str | None) -> str:
            return f"experiment {name}"

        def create_run(self, experiment: str, run_name: str) -> Any:
            run_id = f"id-{len(self.runs)}"
            self.runs[run_id] = Stored(tags={"experiment": experiment, "name": run_name})
            return self.get_run(run_id)

        def update_run(self, run_id: str, status: str) -> None:
            self.runs[run_id].status = status

        def get_metric_history(self, run_id: str, key: str) -> list[Any]:
            return [types.SimpleNamespace(step=step) for step in self.runs[run_id].steps(key)]

        def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
            self.runs[run_id].points += [(point.key, point.value, point.step) for point in metrics]
            self.runs[run_id].params |= dict(params)

        def set_tag(self, run_id: str, key: str, value: str) -> None:
            self.runs[run_id].tags[key] = value

        def set_terminated(self, run_id: str) -> None:
            self.runs[run_id].status = "FINISHED"

    def metric(key: str, value: float, timestamp: int, step: int) -> Any:
        return types.SimpleNamespace(key=key, value=value, timestamp=timestamp, step=step)

    modules: dict[str, dict[str, Any]] = {
        "mlflow": {"MlflowClient": Client},
        "mlflow.entities": {"Param": lambda name, value: (name, value), "Metric": metric},
        "mlflow.exceptions": {"MlflowException": NotThere},
        "alembic": {}, "sqlalchemy": {},
    }  # fmt: skip
    for name, content in modules.items():
        made = types.ModuleType(name)
        vars(made).update(content)
        monkeypatch.setitem(sys.modules, name, made)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in trackers.MLFLOW_DEFAULTS.items():
        monkeypatch.setenv(name, value)
    return stores


def tell(run: Path, config: TrainConfig, *events: Event) -> None:
    """Tell a new MLflow tracker these events; that it warned is a failure."""
    observer = mlflow_tracker(run, config)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for event in events:
            observer(event)


def test_mlflow_is_told_settings_and_epochs(servers: dict[str, dict[str, Stored]], tmp_path: Path) -> None:
    run = tmp_path / "first"
    tell(run, CONFIG, *epochs(0, 3))
    assert list(servers) == [f"sqlite:///{run / 'mlflow' / 'mlflow.db'}"]
    stored = servers[f"sqlite:///{run / 'mlflow' / 'mlflow.db'}"]["id-0"]
    assert (run / "mlflow" / "run-id.txt").read_text() == "id-0\n"
    assert (stored.params["noise"], stored.params["epochs"]) == ("gaussian:25", "3")
    assert "crop" not in stored.params, "what is None is no parameter"
    assert stored.tags == {"experiment": "experiment cuello", "name": "first", "stopped": "all epochs done"}
    assert {key for key, _, _ in stored.points} == NAMES
    assert [point for point in stored.points if point[0] == "loss/training"] == [
        ("loss/training", 0.5, 1), ("loss/training", 0.25, 2), ("loss/training", 0.125, 3),
    ]  # fmt: skip
    assert stored.status == "FINISHED"


def test_a_run_that_goes_on_is_one_mlflow_run(
    servers: dict[str, dict[str, Stored]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    tell(tmp_path, CONFIG, *epochs(0, 1, end=False))
    write_history(tmp_path / "history.jsonl", [record(1), record(2)])  # the second was saved, but not told
    tell(tmp_path, CONFIG.model_copy(update={"epochs": 5}), *epochs(2, 3))
    (stored,) = servers["http://there"].values()
    assert stored.steps("loss/validation") == [1, 2, 3]
    assert stored.params["epochs"] == "3", "MLflow allows no change of a parameter"
    assert stored.tags["changed.epochs"] == "5"
    assert stored.tags["experiment"] == "experiment mine"


def test_another_server_gets_a_run_with_all_epochs(
    servers: dict[str, dict[str, Stored]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(tmp_path, CONFIG, *epochs(0, 1, end=False))
    write_history(tmp_path / "history.jsonl", [record(1)])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    tell(tmp_path, CONFIG, *epochs(1, 2))
    assert servers["http://elsewhere"]["id-0"].steps("loss/training") == [1, 2]


INSTALLED = all(importlib.util.find_spec(name) for name in ("mlflow", "sqlalchemy", "alembic"))


@pytest.mark.skipif(not INSTALLED, reason="mlflow is not installed: pip install 'cuello[track]'")
def test_with_mlflow_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    tell(run, CONFIG, *epochs(0, 1, end=False))
    write_history(run / "history.jsonl", [record(1), record(2)])
    tell(run, CONFIG.model_copy(update={"epochs": 5}), *epochs(2, 3))
    from mlflow import MlflowClient  # type: ignore[import-not-found]

    client = MlflowClient(tracking_uri=f"sqlite:///{run / 'mlflow' / 'mlflow.db'}")
    run_id = (run / "mlflow" / "run-id.txt").read_text().strip()
    found = client.get_run(run_id)
    assert (found.info.status, found.data.params["noise"]) == ("FINISHED", "gaussian:25")
    assert [point.step for point in client.get_metric_history(run_id, "loss/training")] == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "nothing is left in the working folder"


# Absent, unknown, failing


@pytest.mark.parametrize(
    ("name", "module"),
    [("tensorboard", "torch.utils.tensorboard"), ("mlflow", "mlflow"), ("mlflow", "sqlalchemy")],
)
def test_what_is_not_installed_is_said_before_any_image_is_read(
    servers: object, name: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CuelloError, match=rf"track='{name}' needs packages .*pip install 'cuello\[track\]'"):
        cuello.train(data=tmp_path / "missing", noise="gaussian:25", output=tmp_path / "run", track=[name])
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_names_the_nearest() -> None:
    with pytest.raises(CuelloError, match=r"no tracker called 'tensorbord'. Did you mean 'tensorboard'"):
        check_trackers(["tensorbord"])


def test_each_tracker_is_made_once(tmp_path: Path) -> None:
    assert len(make_trackers(["tensorboard", "tensorboard"], tmp_path, CONFIG)) == 1
    assert TRACKERS.names() == ["tensorboard", "mlflow"]


def test_a_tracker_that_fails_warns_once_and_is_left_out() -> None:
    told: list[Event] = []

    def full(event: Event) -> None:
        told.append(event)
        if isinstance(event, EpochDone):
            raise OSError(28, "No space left on device")

    observer = guarded(full, "TensorBoard")
    started, first, *rest = epochs(0, 3)
    observer(started)
    with pytest.warns(UserWarning, match=r"TensorBoard failed .*No space left.*goes on without it"):
        observer(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for event in rest:
            observer(event)
    assert [type(event) for event in told] == [Started, EpochDone]


def test_the_training_goes_on_without_it(
    images: Path, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: object, event: Event) -> None:
        raise ConnectionError("the server is away")

    monkeypatch.setattr(trackers.TensorBoard, "__call__", away)
    with pytest.warns(UserWarning, match="the server is away"):
        run = cuello.train(data=images, output=tmp_path / "run", report=False, track=["tensorboard"], **small)
    assert len(run.history) == 2


# The command line


def test_track_on_the_command_line(images: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    tiny = ["--noise", "gaussian:25", "--crop", 16, "--model", "conv-8-16-8", "--device", "cpu", "--threads", 1]
    path = tmp_path / "run"
    common = ["--track", "tensorboard", "--no-report", "--quiet"]
    answer = command("train", "denoise", images, *tiny, "--epochs", 1, "-o", path, *common)
    assert answer.code == 0, answer.error
    assert command("resume", path, "--epochs", 2, *common).code == 0
    assert [step for step, _ in read_back(Run(path).path)["learning_rate"]] == [1, 2]
    wrong = command("train", "denoise", images, *tiny, "-o", tmp_path / "b", "--track", "tensorboard,mlfow")
    assert wrong.code == 2
    assert "Did you mean 'mlflow'?" in wrong.error
