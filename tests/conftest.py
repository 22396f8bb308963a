"""Shared by all tests: tiny images, one small trained run, and the command line called in this process."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

import cuello
from cuello.cli import main
from cuello.core.signals import ENDING_SIGNALS
from cuello.exporting.page.runtime import runtime
from cuello.inference.model import Model
from cuello.models.estimators import build_estimator, estimator_of
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact
from cuello.runs.directory import Run

settings.register_profile("same", deadline=None, derandomize=True)  # a busy machine is no failure
settings.register_profile("explore", deadline=None)  # new examples every time: HYPOTHESIS_PROFILE=explore
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
torch.set_num_threads(1)  # the images are tiny: a second thread only waits

RAY_NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
SMALL: dict[str, Any] = {
    "noise": "salt-pepper:0.1..0.5",
    "model": "conv-8-16-8",
    "crop": 16,
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 1e-3,
    "warmup_epochs": 0,
    "device": "cpu",
    "threads": 1,
}
"""Settings of a training that takes a tenth of a second."""


@dataclass(frozen=True)
class Answer:
    """What a command left behind: exit code, standard output, standard error."""

    code: int
    out: str
    error: str


def smooth_image(seed: int, height: int = 40, width: int = 40, channels: int = 3) -> np.ndarray:
    """Return ``(H, W, C)`` uint8 pixels without sharp edges, from black to white."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    waves = [
        sum(random.normal() * np.sin(6 * (a * x + b * y) + random.uniform(0, 6)) for a, b in random.normal(size=(4, 2)))
        for _ in range(channels)
    ]
    image = np.stack(waves, axis=-1)
    image = (image - image.min()) / max(np.ptp(image), 1e-9)
    return (image * 255).round().astype(np.uint8)


def write_images(folder: Path, count: int = 6, **options: int) -> Path:
    """Write ``count`` smooth images as PNG and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(smooth_image(number, **options).squeeze()).save(folder / f"{number}.png")
    return folder


def write_classes(folder: Path, count: int = 12, names: tuple[str, ...] = ("bright", "dark")) -> Path:
    """Write images of one brightness a class, with noise: a network of any kind can tell them."""
    random = np.random.default_rng(0)
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 90, (12, 10)) + 160 * (place % 2 == 0)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02d}.png")
    return folder


def write_estimator(
    folder: Path,
    classifier: Path,
    /,
    name: str = "explain-s",
    size: tuple[int, int] | None = None,
    condition: Any = None,
    **training: Any,
) -> Path:
    """Write an untrained estimator of a classifier's maps; training: the settings that it says it was trained with."""
    model = cuello.load(classifier)
    architecture = estimator_of(name, model.artefact.architecture, size=size, condition=condition)
    torch.manual_seed(2)
    weights = build_estimator(architecture, model.network).state_dict()
    folder.mkdir(parents=True)
    artefact = Artefact(architecture, "explain", None, weights, training, classifier=model.artefact.checksum)
    save_artefact(folder / FILE_NAME, artefact)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept for the next time is kept in a folder of the tests, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUELLO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def plain_handlers() -> Iterator[None]:
    """Begin with the handlers that a process begins with, whatever tests before this one left."""
    plain = {signal.SIGINT: signal.default_int_handler} | dict.fromkeys(ENDING_SIGNALS, signal.SIG_DFL)
    before = {number: signal.signal(number, handler) for number, handler in plain.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)


@pytest.fixture(scope="session")
def page_runtime() -> None:
    """Skips tests that export pages where the installation lacks what these need."""
    try:
        runtime()
    except cuello.CuelloError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def make_image() -> Callable[..., np.ndarray]:
    """smooth_image, for tests that want pixels of their own."""
    return smooth_image


@pytest.fixture(scope="session")
def make_images() -> Callable[..., Path]:
    """write_images, for tests that want a folder of their own."""
    return write_images


@pytest.fixture
def opposites(images: Path, tmp_path: Path) -> Path:
    """A folder of as many images as ``images``, black for white; to be changed at will."""
    (tmp_path / "target").mkdir()
    for path in images.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(tmp_path / "target" / path.name)
    return tmp_path / "target"


@pytest.fixture(scope="session")
def make_classes() -> Callable[..., Path]:
    """write_classes, for tests that want labelled images."""
    return write_classes


@pytest.fixture(scope="session")
def make_estimator() -> Callable[..., Path]:
    return write_estimator


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six colour images, 40×40; not to be changed."""
    return write_images(tmp_path_factory.mktemp("data") / "images")


@pytest.fixture
def small() -> dict[str, Any]:
    """Settings of a tiny training; a copy, to be changed at will."""
    return dict(SMALL)


@pytest.fixture(scope="session")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with a report and a sweep; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "trained"
    return cuello.train(data=images, output=path, sweep=(0.1, 0.4), **SMALL)


@pytest.fixture(scope="session")
def series(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two repeats, seeds 0 and 1, without reports; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "series"
    cuello.train_repeats(data=images, repeats=2, output=path, report=False, **SMALL)
    return path


@pytest.fixture
def copied(trained: Run, tmp_path: Path) -> Run:
    """A copy of the finished run that a test may change."""
    return Run(Path(shutil.copytree(trained.path, tmp_path / "copied")))


@pytest.fixture(scope="session")
def model(trained: Run) -> Model:
    """The trained run's network."""
    return cuello.load(trained.path)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command line, run in this process: command("train", …) returns exit code and output."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Answer(int(stop.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture
def refused(command: Callable[..., Answer]) -> Callable[..., str]:
    """The command line with a mistake in it: exit code 2, one message, no traceback; returns the message."""

    def run(*arguments: object) -> str:
        answer = command(*arguments)
        assert answer.code == 2, answer
        assert "Traceback" not in answer.error
        lines = answer.error.strip().splitlines()
        said = [line for line in lines if line.startswith("cuello: ")]
        assert len(said) == 1, answer.error
        assert lines[-1] == said[0], "the message is the last thing to be read"
        return said[0]

    return run


@pytest.fixture
def undrawn_latent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of codes are written, but not drawn: that takes the longest, and is looked at once."""

    def blank(folder: Path, name: str, draw: object) -> dict[str, bytes]:
        (folder / f"{name}.png").write_bytes(b"")
        return {"light": b"", "dark": b""}

    monkeypatch.setattr("cuello.latent.page.save_both", blank)


CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window, started once for a file of tests; skips them where it is missing.

    It ends with the file: while Playwright's client is open, nothing else in the process can run an event loop.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright's client")
    if not CHROMIUM.is_file():
        pytest.skip(f"needs a browser: {CHROMIUM} is not there")
    with playwright.sync_playwright() as client:
        one = client.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(scope="module")
def ray_nodes() -> Iterator[Any]:
    """A Ray cluster on this machine: a head that does no work, and a node of one core."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'cuello[cluster]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**RAY_NODE, "num_cpus": 0, "include_dashboard": False})
    cluster.add_node(**RAY_NODE)
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def add_ray_node(ray_nodes: Any) -> Callable[[], Any]:
    """Add a node of one core, which the test takes away again."""
    return partial(ray_nodes.add_node, **RAY_NODE)


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so, two minutes at most."""

    def wait(what: Callable[[], object]) -> None:
        end = time.monotonic() + 120.0
        while not what():
            assert time.monotonic() < end, "it did not come to that in time"
            time.sleep(0.02)

    return wait
