"""A run directory: where everything of one training lies, and under which names."""

import json
import platform
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.core.config import TrainConfig, make_config, read_toml, to_toml
from cuello.core.cores import available_cores
from cuello.core.errors import CuelloError, first_few
from cuello.core.files import check_no_device, make_folder, printable, write_text
from cuello.core.schema import read_json
from cuello.core.text import portable
from cuello.core.version import VERSION
from cuello.data.folders import check_outside
from cuello.runs.artefact import FILE_NAME
from cuello.runs.history import read_history
from cuello.runs.look import Facts, History, ReportPage, example_picture, lines, page, plot_picture, run_facts

OWN_FILES = (
    "config.toml", "history.jsonl", FILE_NAME, "last.safetensors", "metrics.json", "images.csv", "report.html",
    "environment.json",
)  # fmt: skip
FIGURES = (
    "confusion", "correlations", "examples", "gains", "learning", "loss", "methods", "mistakes", "reliability", "sweep",
)  # fmt: skip
CODES = ("map", "grid", "interpolation", "samples", "traversal", "neighbours", "invented")
OWN_FOLDERS = {
    "figures": [f"{name}.png" for name in FIGURES],
    "latent": ["latent.html", "latent.npz", *(f"{name}.png" for name in CODES)],
    "tensorboard": ["events.out.tfevents.*"],
    "mlflow": ["mlflow.db*", "run-id.txt"],
}
"""What Cuello writes to folders of a run: nothing else in them is its own."""


@dataclass(frozen=True, repr=False)
class Run:
    """A run directory; its files may be there or not yet. Its path may stand wherever a path does.

    >>> Run(Path("runs/first")).model_path.name
    'model.safetensors'
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).expanduser())  # whoever types it may write text

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        """Say in five lines what it is and what it reached."""
        return lines(f"Run({str(self.path)!r})", self._facts)

    def _repr_html_(self) -> str:
        """Show a notebook what it is, its scores, and examples."""
        return page(f"Run {self.path}", self._facts, self._metrics, picture=example_picture(self.figures))

    @property
    def _metrics(self) -> dict[str, Any]:
        with suppress(CuelloError):
            return self.metrics
        return {}

    @property
    def _facts(self) -> Facts:
        try:
            return run_facts(self.config, self.history if self.history_path.is_file() else [], self._metrics)
        except CuelloError as error:
            return [("", str(error))]

    def plot(self, ax: Any = None, what: str | None = None) -> Any:
        """Draw the training by epoch: one value on the caller's axes, or loss and score on a figure of its own.

        ax: matplotlib's axes. what: "loss", or a field of an epoch's record, as "validation_psnr" or "learning_rate".
        Returns the figure, or the axes that were given. pyplot is not used: open figures and the backend stay.
        """
        return self.history.plot(ax, what)

    def examples(self, ax: Any = None) -> Any:
        """Show the example images of its report, on the caller's axes or on a figure of its own; see ``plot``."""
        picture = example_picture(self.figures)
        if picture is None:
            raise CuelloError(f"{self.path} has no pictures of examples yet: cuello evaluate {self.path}")
        return plot_picture(picture, ax)

    @property
    def report(self) -> ReportPage:
        """The report, which a notebook shows; CuelloError before there is one."""
        if not self.report_path.is_file():
            raise CuelloError(f"{self.path} has no report yet: cuello evaluate {self.path}")
        return ReportPage(self.report_path)

    @property
    def config_path(self) -> Path:
        return self.path / "config.toml"

    @property
    def model_path(self) -> Path:
        return self.path / FILE_NAME

    @property
    def checkpoint_path(self) -> Path:
        return self.path / "last.safetensors"

    @property
    def history_path(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.json"

    @property
    def images_path(self) -> Path:
        return self.path / "images.csv"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def report_path(self) -> Path:
        return self.path / "report.html"

    @property
    def environment_path(self) -> Path:
        return self.path / "environment.json"

    @property
    def is_begun(self) -> bool:
        """Whether a training was begun here."""
        return self.config_path.is_file() or self.checkpoint_path.is_file()

    @property
    def config(self) -> TrainConfig:
        """The settings of the training, read from config.toml and checked."""
        if not self.config_path.is_file():
            raise CuelloError(f"{self.path} is not a run directory: it holds no config.toml.")
        return make_config(read_toml(self.config_path))

    @property
    def history(self) -> History:
        """The epochs so far."""
        return History(read_history(self.history_path))

    @property
    def environment(self) -> dict[str, Any] | None:
        """Where it was trained; None where its file is gone or damaged."""
        try:
            return dict(read_json(self.environment_path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def metrics(self) -> dict[str, Any]:
        """What the last evaluation found; CuelloError before there was one."""
        check_no_device(self.metrics_path)
        try:
            return dict(read_json(self.metrics_path.read_text("utf-8")))
        except FileNotFoundError:
            raise CuelloError(f"{self.path} has not been evaluated yet: cuello evaluate {self.path}") from None
        except (ValueError, TypeError):
            raise CuelloError(f"{self.metrics_path} is damaged; make it anew: cuello evaluate {self.path}") from None


def check_run_place(path: Path, overwrite: bool = False) -> None:
    """Raise CuelloError where a run cannot be made in a folder, because something is there already: before any work."""
    if path.exists() and not path.is_dir():
        raise CuelloError(f"{path} is a file, needed a folder for the run. Choose another place with --output.")
    is_run = (path / "config.toml").is_file()
    if is_used(path) and not (overwrite and is_run):
        ways = f"go on with it (cuello resume {path}), replace it (--overwrite=True), or " if is_run else ""
        raise CuelloError(f"{path} exists and is not empty: {ways}choose another place with --output.")


def is_used(folder: Path) -> bool:
    """Tell whether something is in a folder that anybody sees."""
    return folder.is_dir() and any(not found.name.startswith(".") for found in folder.iterdir())


def create_run(path: Path, config: TrainConfig, overwrite: bool = False) -> Run:
    """Make a run directory and write its config.toml and environment.json.

    overwrite: remove the files of an earlier run there (and nothing else).
    Raises CuelloError where the folder exists and is not empty, or cannot be written.
    """
    check_run_place(path, overwrite)
    if printable(str(path)) != portable(str(path)):
        raise CuelloError(
            f"{printable(str(path))} has bytes in its name that are not text. Choose another place with --output."
        )
    if is_used(path):
        clear_run(path)
    for images in (config.data, config.target):
        if images is not None:
            check_outside(images, path)
    make_folder(path)
    run = Run(path)
    write_text(run.config_path, to_toml(config))
    write_json(run.environment_path, environment())
    return run


def clear_run(path: Path) -> None:
    """Remove the files of a run from its folder, and nothing else; what else there is, is said."""
    for name in OWN_FILES:
        (path / name).unlink(missing_ok=True)
    for name, patterns in OWN_FOLDERS.items():
        folder = path / name
        if folder.is_symlink():  # what lies elsewhere is no folder of the run
            continue
        for found in [one for pattern in patterns for one in folder.glob(pattern) if not one.is_dir()]:
            found.unlink()
        with suppress(OSError):  # empty ones go
            folder.rmdir()
    left = [found for found in sorted(path.rglob("*")) if found.is_symlink() or not found.is_dir()]
    if names := [found.relative_to(path).as_posix() for found in left if not found.name.startswith(".")]:
        warnings.warn(f"{path} keeps what is not the run's own: {first_few(names)}.", stacklevel=3)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON for people: indented, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def environment() -> dict[str, Any]:
    """Return what a result may depend on beside the settings: versions, processor, cores, memory."""
    from importlib.metadata import version

    import torch

    return {
        "cuello": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": available_cores(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: version(name) for name in ("torch", "numpy", "pillow", "scikit-image", "safetensors")},
    }


def processor_name() -> str:
    """Return what the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
