"""One run: what it is, what it reached, what it costs."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, cast

import torch

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import is_own, plain_name
from cuello.core.progress import OnProgress, Progress
from cuello.data.catalog import open_source
from cuello.data.images import parse_size
from cuello.data.levels import parse_levels
from cuello.inference.model import Model, load
from cuello.jobs.base import Job
from cuello.jobs.catalog import JOBS
from cuello.models.summary import count, probe
from cuello.runs.artefact import load_artefact
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, best_epoch
from cuello.runs.settings import trained_config

TIMED_PASSES = 30


@dataclass(frozen=True)
class RunFacts:
    """One run. label: its directory's name. network: the architecture's name. images: the data's fingerprint.

    parameters: trainable ones. milliseconds: for one image of the training crop's size, None where not measured.
    metrics: of its last evaluation, None where there was none or it is of other images than the others'.
    """

    label: str
    run: Run
    config: TrainConfig
    history: tuple[EpochRecord, ...]
    network: str
    channels: int
    parameters: int
    images: str
    milliseconds: float | None = None
    metrics: dict[str, Any] | None = None

    @property
    def job(self) -> Job:
        return JOBS[self.config.job]

    @property
    def best(self) -> EpochRecord:
        """The epoch with the lowest validation loss."""
        return cast("EpochRecord", best_epoch(self.history))  # the history is not empty

    def at(self, epoch: int) -> EpochRecord | None:
        """Find an epoch (from 1); None where the run has fewer."""
        return self.history[epoch - 1] if epoch <= len(self.history) else None

    @property
    def seconds_an_epoch(self) -> float:
        """Median over epochs, validation included."""
        return median(record.seconds for record in self.history)

    @property
    def seconds(self) -> float:
        """All epochs together."""
        return sum(record.seconds for record in self.history)

    def evaluated(self, metric: str) -> float | None:
        """Find the evaluation's mean of a metric; None where there is none."""
        return self.job.reached(self.metrics).get(metric) if self.metrics else None

    @property
    def best_classical(self) -> tuple[str, float] | None:
        """Label of the best other method in the evaluation, and its value of what decides (PSNR in dB, of images)."""
        return None if self.metrics is None else self.job.best_other(self.metrics)

    @property
    def gain(self) -> float | None:
        """By how much the evaluation is better than that of the best other method, in what decides."""
        if self.metrics is None or (other := self.best_classical) is None:
            return None
        decided = self.job.decided(self.metrics)
        gain = self.job.reached(self.metrics)[decided.name] - other[1]
        return gain if decided.higher_is_better else -gain


def gap(record: EpochRecord) -> float:
    """Compute the over-fitting gap of an epoch: validation loss minus training loss."""
    return record.validation_loss - record.loss


def read_facts(run: Run, label: str) -> RunFacts:
    """Read one run, without a time for an image; CuelloError where it is no complete run of this version."""
    if not run.path.is_dir():
        raise CuelloError("it is not a run directory" if run.path.exists() else "there is no such folder")
    config = trained_config(run)
    history = tuple(run.history) if run.history_path.is_file() else ()
    if not history:
        raise CuelloError("no epoch of its training has ended yet")
    artefact = load_artefact(run.path)
    if is_own("network", config.model):  # somebody's own code, which is not run: counted from the file
        kept = {name: tensor for name, tensor in artefact.weights.items() if "running_" not in name}
        parameters = sum(tensor.numel() for tensor in kept.values() if tensor.is_floating_point())
    else:
        parameters = count(artefact.network())[0]
    known = read_reached(run.checkpoint_path).fingerprint if run.checkpoint_path.is_file() else f"? {config.data}"
    metrics = read_metrics(run) if run.metrics_path.is_file() else None
    name = plain_name(config.model) if is_own("network", config.model) else artefact.architecture.name
    return RunFacts(
        label, run, config, history=history, network=name, channels=artefact.channels, parameters=parameters,
        images=known, metrics=metrics,
    )  # fmt: skip


def read_metrics(run: Run) -> dict[str, Any]:
    """Read what the last evaluation found; CuelloError where the file is damaged."""
    try:
        metrics = run.metrics
        JOBS[run.config.job].reached(metrics)
        JOBS[run.config.job].best_other(metrics)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise CuelloError(f"its metrics.json is damaged; make it anew: cuello evaluate {run.path}") from None
    return metrics


def with_latency(runs: Sequence[RunFacts], progress: OnProgress) -> list[RunFacts]:
    """Add the time for one image, measured once for each network and size; own code is not run."""
    known: dict[tuple[Any, ...], float] = {}
    timed = []
    for done, run in enumerate(runs, 1):
        milliseconds = None
        size = None if is_own("network", run.config.model) else image_size(run.config)
        if size is not None:
            key = (run.config.model, run.network, run.channels, size)
            if key not in known:
                known[key] = latency_of(load(run.run.path), size)
            milliseconds = known[key]
        timed.append(replace(run, milliseconds=milliseconds))
        progress(Progress("timing", done, len(runs)))
    return timed


def image_size(config: TrainConfig) -> tuple[int, int] | None:
    """Find height and width of what went into a run's network, None where the images cannot be read."""
    scale = config.scale or 1
    if config.crop is not None:
        return config.crop // scale, config.crop // scale
    wanted = parse_size(config.resize)
    if wanted is not None:
        return wanted[1] // scale, wanted[0] // scale
    try:
        height, width = open_source(config.data, parse_levels(config.range)).read(0).pixels.shape[:2]
    except CuelloError:
        return None
    return (height, width) if config.target is not None else (height // scale, width // scale)


def latency_of(model: Model, size: tuple[int, int], passes: int = TIMED_PASSES) -> float:
    """Measure the median milliseconds for one image of ``size`` (height, width), after a warm-up of five."""
    image = probe(model.channels, *size)
    seconds = []
    for _ in range(5 + passes):
        start = time.perf_counter()
        JOBS[model.artefact.job].answer(model, image)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds[5:])


def known(value: float | None) -> float | None:
    """Return a value; None for what was not measured, as of noisy images alone."""
    return None if value is None or math.isnan(value) else value


def run_values(run: RunFacts, epoch: int) -> dict[str, Any]:
    """List every value of one run by name: a line of compare.csv. Times in seconds, latency in milliseconds."""
    there, best = run.at(epoch), run.best
    return {
        "label": run.label,
        "path": str(run.run.path),
        "model": run.network,
        "seed": run.config.seed,
        "parameters": run.parameters,
        "epochs": len(run.history),
        "epoch": epoch,
        "validation_loss": there.validation_loss if there else None,
        "gap": gap(there) if there else None,
        "best_epoch": best.epoch,
        "best_validation_loss": best.validation_loss,
        "best_gap": gap(best),
        **{
            f"best_validation_{score.name}": known(getattr(best, f"validation_{score.name}"))
            for score in (*run.job.scores, *run.job.binary)
        },
        "seconds_an_epoch": run.seconds_an_epoch,
        "seconds": run.seconds,
        "latency_ms": run.milliseconds,
        **{f"evaluation_{score.name}": run.evaluated(score.name) for score in (*run.job.results, *run.job.binary)},
        "best_classical": run.best_classical[0] if run.best_classical else None,
        "gain": run.gain,
    }
