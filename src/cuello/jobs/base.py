"""What a job is: one final class with everything that tells it from the others.

Work asks the table ``jobs.catalog.JOBS`` for the job of a configuration or of a model, and never compares its name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import Generator, Tensor

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import is_own, text_of
from cuello.core.progress import OnProgress, silent
from cuello.core.settings import OnError
from cuello.core.types import Batch, Pair, Pairing
from cuello.inference.model import Model
from cuello.jobs.data import Prepared
from cuello.jobs.networks import Chosen
from cuello.models.base import ImageNetwork
from cuello.models.catalog import KINDS
from cuello.models.named import find_network
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.scoring.losses import LossSpec


@dataclass(frozen=True)
class Score:
    """Something measured: its name in files, how people call it, its unit, its direction, and its decimals."""

    name: str
    label: str
    unit: str = ""
    higher_is_better: bool = False
    digits: int = 5

    @property
    def heading(self) -> str:
        """Label and unit, as the heading of a column."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def with_unit(self, value: float) -> str:
        """Write a value with its unit."""
        return f"{self.text(value)} {self.unit}" if self.unit not in ("", "%") else self.text(value)

    def gain_text(self, value: float) -> str:
        """Write a difference of two values, with its sign."""
        return f"{100 * value:+.2f}" if self.unit == "%" else f"{value:+.{self.digits}f}"

    def text(self, value: float) -> str:
        """Write a value for people: shares as percent, others with this score's decimals."""
        return f"{value:.2%}" if self.unit == "%" else f"{value:.{self.digits}f}"


MSE = Score("mse", "MSE")
PSNR = Score("psnr", "PSNR", "dB", higher_is_better=True, digits=2)
WRONG = Score("wrong", "wrong pixels", digits=2)
ACCURACY = Score("accuracy", "accuracy", "%", higher_is_better=True)
PEARSON = Score("pearson", "correlation", higher_is_better=True, digits=3)


class JobData(NamedTuple):
    """The data of a training, and what a job keeps beside it (the classifier whose maps are learned), or None.

    pairing: what makes the pairs, where that follows from the images; None: from the settings alone.
    """

    prepared: Prepared
    about: Any = None
    pairing: Pairing | None = None


@dataclass(frozen=True)
class Request:
    """What an evaluation is asked for; see ``cuello.evaluate``. None and empty: the run's own.

    path: of the run or file, for messages. range: what stands for black and white in named images. history: of the
    run's training. most: images at most, of several models.
    """

    path: Path
    images: str | Path | None = None
    target: str | Path | None = None
    noise: str | None = None
    sweep: Sequence[float] = ()
    baselines: Sequence[str] | None = None
    metrics: Sequence[str] = ()
    seed: int | None = None
    range: str | tuple[float, float] | None = None
    on_error: OnError = "skip"
    progress: OnProgress = silent
    history: Sequence[EpochRecord] = ()
    most: int | None = None

    def __post_init__(self) -> None:
        """Take one value for a list of one, and objects of one's own as their texts."""
        for name, kind in (("metrics", "metric"), ("baselines", "baseline")):
            value = getattr(self, name)
            several = value if value is None or isinstance(value, list | tuple) else [value]
            object.__setattr__(self, name, None if several is None else [text_of(kind, one) for one in several])
        if isinstance(self.sweep, int | float):
            object.__setattr__(self, "sweep", (self.sweep,))

    @property
    def given(self) -> dict[str, Any]:
        """What was given of the options that not every job has, by name."""
        names = ("target", "noise", "sweep", "baselines", "metrics")
        return {name: getattr(self, name) for name in names if getattr(self, name) not in (None, (), [])}

    def refuse_given(self, because: str) -> None:
        """Raise CuelloError where an option was given that this job's evaluation does not have."""
        for name, value in self.given.items():
            shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
            raise CuelloError(f"got --{name}={shown}, but {because}. Leave it out.")

    def own_data(self, data: "JobData | None") -> "JobData":
        """Return the run's own data; CuelloError for a file without a run, or clean images without the noisy ones."""
        if self.range is not None:
            raise CuelloError(f"got --range={self.range} without IMAGES: a run's own have the range of its training.")
        if data is None:
            raise CuelloError(f"{self.path} is a file without a run: name the images to evaluate it on.")
        if self.target is not None:
            raise CuelloError(f"got the clean images {self.target} without the noisy ones: name those as IMAGES too.")
        return data


class JobEvaluation(NamedTuple):
    """A typed evaluation, notes on what it is of, and what else its report needs (the task of images), or None."""

    evaluation: Any
    notes: list[str]
    about: Any = None


def check_network(job: "Job", model: str, loss: LossSpec) -> None:
    """Raise CuelloError where a network or a loss is not for a job: for classes, not images, or the reverse."""
    classifies, explains = job.gives == "classes", job.gives == "maps"
    kind = None if is_own("network", model) else KINDS[find_network(model).kind]
    if kind is None and explains:
        raise CuelloError(
            f"got --model={model}: an estimator is built from the layers of the classifier that it explains, so that "
            f"it cannot be code of your own. Name one of Cuello's, e.g. --model={job.default_model}; exact maps are "
            "made of any classifier: cuello explain CLASSIFIER IMAGES"
        )
    use = f"For {job.name}, use e.g. --model={job.default_model}."
    if kind is not None and kind.classifies != classifies:
        gives = "images, not classes" if classifies else "classes, not images"
        raise CuelloError(f"the network {model!r} gives {gives}. {use}")
    if explains and kind is not None and not kind.explains:
        raise CuelloError(f"the network {model!r} gives no occlusion maps. {use}")
    if not explains and kind is not None and kind.explains:
        raise CuelloError(f"the network {model!r} gives the occlusion maps of a classifier, not images. {use}")
    if loss.classifies not in (None, classifies):
        compares = "images, not classes" if classifies else "classes, not images"
        raise CuelloError(
            f"the loss {loss.name!r} compares {compares}. For {job.name}, use e.g. --loss={job.default_loss}."
        )


def check_plain(job: "Job", config: TrainConfig, comes_out: str) -> None:
    """Raise CuelloError where a noise, or clean counterparts, are given to a job whose input is the image itself."""
    for name, value in (("noise", config.noise), ("target", config.target)):
        if value is not None:
            raise CuelloError(
                f"got --{name}={value} for {job.name}, where the image itself goes in and {comes_out} should come out. "
                "Leave it out, or use: cuello train denoise"
            )


def check_options(job: "Job", config: TrainConfig, others: Mapping[Any, str]) -> None:
    """Raise CuelloError where a setting of another job is given. others: setting to the only job that has it."""
    for name, owner in others.items():
        value = getattr(config, name)
        if name not in job.options and value != TrainConfig.model_fields[name].default:
            raise CuelloError(f"got --{name}={value} for {job.name}: only {owner} has it.")


def check_no_sweep(job: "Job", sweep: Sequence[float]) -> None:
    """Raise CuelloError where noise levels are given to a job without noise."""
    if sweep:
        raise CuelloError(f"there is no noise level to sweep for {job.name!r}. Leave out --sweep.")


@dataclass(frozen=True)
class GivenPairing:
    """Pairs that batches hold already; nothing is drawn. of: takes them out of one."""

    of: Callable[[Batch], Pair]
    degradation: None = None

    def pair(self, batch: Batch, random: Generator) -> Pair:
        return self.of(batch)

    def pair_each(self, batch: Batch, seed: int) -> Pair:
        return self.of(batch)


class JointEvaluation(NamedTuple):
    """Several models judged together: the typed result, its forms, and what writes its files to a folder."""

    evaluation: Any
    result: Result
    save: Callable[[Path], None]


OwnData = Callable[[], JobData]
"""Gives the data that a run was trained on; only called where they are needed."""


class Job(Protocol):
    """Everything that tells a job from the others; final classes, one instance a name.

    summary: what goes in and what comes out, in one line. default_model: a network for it, which messages name.
    default_loss: where none is named. options: settings that this job alone has. scores: what is measured on the
    validation images after every epoch (an epoch's record has ``validation_NAME``). gives: "images", "classes" or
    "maps". results: what is measured in the end; deciding: the one that others are beaten by. binary: what is measured
    as well, after an epoch and in the end, where all images are binary, and then comes first; or nothing.
    """

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def default_model(self) -> str: ...
    @property
    def default_loss(self) -> str: ...
    @property
    def options(self) -> tuple[str, ...]: ...
    @property
    def scores(self) -> tuple[Score, ...]: ...
    @property
    def results(self) -> tuple[Score, ...]: ...
    @property
    def gives(self) -> str: ...
    @property
    def deciding(self) -> Score: ...
    @property
    def binary(self) -> tuple[Score, ...]: ...

    def chosen(self, config: TrainConfig) -> Chosen:
        """Choose a network where none is named: by the noise, or by the images' size and channels."""
        ...

    def recommended(self, config: TrainConfig) -> Mapping[str, Any]:
        """Return settings that are best with those that were given, where nothing else is said; before a network's."""
        ...

    def completed(self, config: TrainConfig) -> TrainConfig:
        """Return the configuration with what it implies written out."""
        ...

    def pairing(self, config: TrainConfig, sweep: Sequence[float] = ()) -> Any:
        """Return what makes (input, target) pairs; CuelloError for settings that do not go together.

        sweep: values of the degradation's main parameter that are to be tried in the end.
        """
        ...

    def data(self, config: TrainConfig, progress: OnProgress = silent) -> JobData:
        """Read, divide and cut the images, and make what is to be learned of them."""
        ...

    def network(self, config: TrainConfig, data: JobData) -> tuple[ImageNetwork, Artefact]:
        """Build the network from torch's default generator, and say what it is."""
        ...

    def evaluate(self, model: Model, own: OwnData | None, request: Request) -> JobEvaluation:
        """Judge a model on named images, or on its own test images. own: None for a file without a run."""
        ...

    def evaluate_several(
        self, models: Mapping[str, Model], own: Mapping[str, OwnData], request: Request
    ) -> JointEvaluation:
        """Judge several models on the same images. own: gives each run's data; a bare file has none."""
        ...

    def result(self, found: Any) -> Result:
        """Return what ``evaluate`` found in every form: JSON, CSV, tables."""
        ...

    def reached_words(self, metrics: Mapping[str, Any]) -> Sequence[Table | str]:
        """Say in a few lines, after a training, what metrics.json holds."""
        ...

    def save(self, run: Run, model: Model, judged: JobEvaluation, command: str) -> None:
        """Write metrics.json, images.csv, the figures and report.html. command: what trains the same again."""
        ...

    def first(self, data: JobData) -> Score | None:
        """Return what trainings on these data are judged by before their loss, or None."""
        ...

    def reached(self, metrics: Mapping[str, Any]) -> Mapping[str, float]:
        """Return the values of ``results`` in metrics.json, and of ``binary``, as far as they were measured; KeyError
        where it is damaged.
        """
        ...

    def decided(self, metrics: Mapping[str, Any]) -> Score:
        """Return what the evaluation in metrics.json was decided by."""
        ...

    def best_other(self, metrics: Mapping[str, Any]) -> tuple[str, float] | None:
        """Return label and deciding value of the best other method in metrics.json, or None."""
        ...

    def answer(self, model: Model, images: Tensor) -> Tensor:
        """Let the network answer a batch ``(N, C, H, W)`` once, whatever it gives: for timing."""
        ...

    def title(self, config: TrainConfig) -> str:
        """Say in a few words what runs of this job with these settings have in common."""
        ...
