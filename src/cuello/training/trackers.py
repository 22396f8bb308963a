"""Trackers: observers that bring a training's numbers to TensorBoard or MLflow, beside history.jsonl.

Their packages are imported when they are asked for. What they write lies in the run directory, in ``tensorboard/`` and
``mlflow/``, unless MLFLOW_TRACKING_URI names a server.
"""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.files import make_folder, write_text
from cuello.core.registry import Registry
from cuello.runs.history import EpochRecord, as_json, read_history
from cuello.training.observers import EpochDone, Event, Observer, Started, Stopped

INSTALL = "pip install 'cuello[track]'"
MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Where the user has not set them: nothing about the user is sent, and a server that is away holds up no training."""


MEASURES = ("validation_mse", "validation_psnr", "validation_accuracy", "validation_wrong")


def numbers_of(record: EpochRecord) -> dict[str, float]:
    """Return an epoch's numbers by the names they are tracked under."""
    known = as_json(record)
    return {
        "loss/training": record.loss,
        "loss/validation": record.validation_loss,
        **{f"validation/{name.removeprefix('validation_')}": known[name] for name in MEASURES if name in known},
        "learning_rate": record.learning_rate,
        "speed/seconds": record.seconds,
        "speed/images_per_second": record.images / record.training_seconds if record.training_seconds else 0.0,
    }


def earlier_epochs(run_path: Path, epoch: int) -> list[EpochRecord]:
    """Return the epochs before a training goes on, which a tracker that comes later has not seen."""
    return read_history(run_path / "history.jsonl")[:epoch] if epoch else []


def load_tensorboard() -> Any:
    """Import and return torch's SummaryWriter; ImportError where the tensorboard package is missing."""
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter


@dataclass
class TensorBoard:
    """Writes event files into RUN/tensorboard."""

    run_path: Path
    writer: Any = None

    def __call__(self, event: Event) -> None:
        """Open at the start, write each epoch to disk, close at the end."""
        if isinstance(event, Started):
            folder = self.run_path / "tensorboard"
            goes_on = folder.is_dir()
            # whatever was written after the saved epoch is about to happen again
            self.writer = load_tensorboard()(str(folder), purge_step=event.epoch + 1 if goes_on else None)
            for record in [] if goes_on else earlier_epochs(self.run_path, event.epoch):
                self.write(record)
        elif isinstance(event, EpochDone):
            self.write(event.record)
            self.writer.flush()
        elif isinstance(event, Stopped):
            self.writer.close()

    def write(self, record: EpochRecord) -> None:
        """Write an epoch's numbers."""
        for name, value in numbers_of(record).items():
            self.writer.add_scalar(name, value, record.epoch)


def tensorboard_tracker(run_path: Path) -> Observer:
    """Return an observer that writes RUN/tensorboard: look at it with ``tensorboard --logdir RUN``.

    A run that goes on continues its curves, each epoch once.
    """
    return guarded(TensorBoard(run_path), "TensorBoard")


def load_mlflow() -> Any:
    """Import and return the mlflow package; ImportError where it, or what its local store needs, is missing."""
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    mlflow = import_module("mlflow")
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        import_module("alembic")
        import_module("sqlalchemy")
    return mlflow


@dataclass
class MLflow:
    """Logs to the server of MLFLOW_TRACKING_URI, or to RUN/mlflow/mlflow.db."""

    run_path: Path
    config: TrainConfig
    client: Any = None
    run_id: str = ""

    def __call__(self, event: Event) -> None:
        """Begin or go on with the MLflow run at the start, log each epoch, and end it."""
        if isinstance(event, Started):
            self.start(event.epoch)
        elif isinstance(event, EpochDone):
            self.write([event.record])
        elif isinstance(event, Stopped):
            self.client.set_tag(self.run_id, "stopped", event.reason)
            self.client.set_terminated(self.run_id)

    def start(self, epoch: int) -> None:
        """Find the run that RUN/mlflow/run-id.txt names, or make one; log settings, and epochs it lacks."""
        mlflow = load_mlflow()
        folder = make_folder(self.run_path.resolve() / "mlflow")
        server = os.environ.get("MLFLOW_TRACKING_URI")
        self.client = mlflow.MlflowClient(tracking_uri=server or f"sqlite:///{folder / 'mlflow.db'}")
        id_file = folder / "run-id.txt"
        known = self.find(id_file.read_text("utf-8").strip()) if id_file.is_file() else None
        if known is not None:
            self.run_id = known.info.run_id
            self.client.update_run(self.run_id, status="RUNNING")
        else:
            experiment = self.experiment(None if server else (folder / "artifacts").as_uri())
            self.run_id = self.client.create_run(experiment, run_name=self.run_path.resolve().name).info.run_id
            write_text(id_file, self.run_id + "\n")
        self.log_settings(known.data.params if known is not None else {})
        logged = {point.step for point in self.client.get_metric_history(self.run_id, "loss/training")}
        self.write([record for record in earlier_epochs(self.run_path, epoch) if record.epoch not in logged])

    def find(self, run_id: str) -> Any:
        """Return the MLflow run of that id, or None where this server does not have it."""
        try:
            return self.client.get_run(run_id)
        except import_module("mlflow.exceptions").MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def experiment(self, place: str | None) -> str:
        """Return the id of the experiment MLFLOW_EXPERIMENT_NAME ("cuello" where that is not set), made if needed."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "cuello"
        found = self.client.get_experiment_by_name(name)
        return found.experiment_id if found else self.client.create_experiment(name, artifact_location=place)

    def log_settings(self, logged: dict[str, str]) -> None:
        """Log settings as parameters; those that changed since, which MLflow does not allow, as tags."""
        param = import_module("mlflow.entities").Param
        settings = {name: str(value) for name, value in self.config.model_dump(exclude_none=True).items()}
        fresh = [param(name, value) for name, value in settings.items() if name not in logged]
        self.client.log_batch(self.run_id, params=fresh)
        for name, value in settings.items():
            if logged.get(name, value) != value:
                self.client.set_tag(self.run_id, f"changed.{name}", value)

    def write(self, records: Sequence[EpochRecord]) -> None:
        """Log the numbers of epochs."""
        metric = import_module("mlflow.entities").Metric
        now = int(1000 * time.time())
        for record in records:
            points = [metric(name, value, now, step=record.epoch) for name, value in numbers_of(record).items()]
            self.client.log_batch(self.run_id, metrics=points)


def mlflow_tracker(run_path: Path, config: TrainConfig) -> Observer:
    """Return an observer that logs settings and epochs to MLflow: a server's, or a local store in RUN/mlflow.

    The MLflow run's id is kept in RUN/mlflow/run-id.txt, so that a run that goes on is one run there too.
    """
    return guarded(MLflow(run_path, config), "MLflow")


def guarded(observer: Observer, name: str) -> Observer:
    """Return an observer that, when it fails, warns once and is left out: the training goes on."""
    working = True

    def watch(event: Event) -> None:
        nonlocal working
        if not working:
            return
        try:
            observer(event)
        except Exception as error:
            working = False
            why = " ".join(str(error).split())[:200]
            warnings.warn(
                f"{name} failed ({type(error).__name__}: {why}). The training goes on without it; history.jsonl has "
                "every epoch.",
                stacklevel=2,
            )

    return watch


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker's name, one line about it, what imports its packages, and what makes it for a run."""

    name: str
    summary: str
    load: Callable[[], Any]
    make: Callable[[Path, TrainConfig], Observer]


TRACKERS: Registry[TrackerSpec] = Registry(
    "tracker",
    [
        TrackerSpec("tensorboard", "event files", load_tensorboard, make=lambda path, _: tensorboard_tracker(path)),
        TrackerSpec("mlflow", "a server, or a local store", load_mlflow, make=mlflow_tracker),
    ],
)


def check_trackers(names: Sequence[str]) -> None:
    """Raise CuelloError for a tracker that does not exist or whose packages are missing: before any image is read."""
    for name in names:
        spec = TRACKERS[name]
        try:
            spec.load()
        except ImportError as error:
            raise CuelloError(f"--track={name} needs packages that are missing ({error}): {INSTALL}") from None


def make_trackers(names: Sequence[str], run_path: Path, config: TrainConfig) -> list[Observer]:
    """Return an observer for each name, each once."""
    return [TRACKERS[name].make(run_path, config) for name in dict.fromkeys(names)]
