"""What is pinned: small pieces of work by the public API and the command line, each in a folder of its own.

Every scenario works in the current folder, with paths relative to it, so that no file holds a path of the machine.
"""

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

import cuello
from cuello.cli import main

FIXTURES = Path(__file__).parents[1] / "fixtures" / "version-0.1"
MACHINE: dict[str, Any] = {"device": "cpu", "threads": 1}
SHARES: dict[str, Any] = {"validation": 0.2, "test": 0.15}
SMALL: dict[str, Any] = {
    "crop": 16, "samples": 16, "validation_samples": 6, "batch_size": 8, "epochs": 2, **SHARES, **MACHINE,
}  # fmt: skip
GLYPHS: dict[str, Any] = {
    "samples": 64, "batch_size": 32, "epochs": 2, "learning_rate": 1e-2, **SHARES, **MACHINE,
}  # fmt: skip


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, with one thread and a cache of its own, and clean up behind."""
    before, here = dict(os.environ), Path.cwd()
    os.environ |= {"OMP_NUM_THREADS": "1", "CUELLO_CACHE": "cache"}
    os.chdir(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def command(name: str, *arguments: object, code: int = 0) -> None:
    """Run the command line and keep what it prints as said/NAME."""
    said, ended = io.StringIO(), 0
    with contextlib.redirect_stdout(said):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            ended = int(stop.code or 0)
    assert ended == code, f"cuello {arguments} ended with {ended}"
    keep(name, said.getvalue())


def keep(name: str, text: str) -> None:
    """Write a text to said/NAME."""
    Path("said").mkdir(exist_ok=True)
    Path("said", name).write_text(text)


def keep_arrays(name: str, **arrays: Any) -> None:
    """Write arrays to arrays/NAME.npz."""
    Path("arrays").mkdir(exist_ok=True)
    np.savez(Path("arrays", f"{name}.npz"), **arrays)


def stop_after(epoch: int) -> Callable[[object], None]:
    """Return an observer that stops a training, as Ctrl-C does, after an epoch.

    It knows events by what they have, so that the classes may move.
    """

    def observe(event: object) -> None:
        record = getattr(event, "record", None)
        if record is not None and record.epoch == epoch:
            raise KeyboardInterrupt

    return observe


def stopped(work: Callable[[], object]) -> None:
    """Do work that must be stopped on the way."""
    try:
        work()
    except Exception as error:
        if type(error).__name__ != "Interrupted":
            raise
        return
    raise AssertionError("the work was not stopped")


def pixels(seed: int, height: int = 24, width: int = 24, channels: int = 3) -> np.ndarray:
    """Return an image of slopes, edges and a little noise, by whole numbers: the same bits everywhere."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = []
    for _ in range(channels):
        a, b, c = random.integers(-9, 10, 3)
        slope = np.abs((a * x + b * y + 40 * c) % 400 - 200)
        block = 55 * ((x // 6 + y // 8 + c) % 2)
        planes.append(np.clip(slope + block + random.integers(0, 9, (height, width)), 0, 255))
    return np.stack(planes, -1).astype(np.uint8)


def write_images(folder: str, count: int = 6, **options: int) -> str:
    """Write images as PNG and return the folder."""
    Path(folder).mkdir(parents=True)
    for number in range(count):
        Image.fromarray(pixels(number, **options).squeeze()).save(Path(folder, f"{number}.png"))
    return folder


def write_classes(folder: str, count: int = 12) -> str:
    """Write images of one brightness a class, with noise, and return the folder."""
    random = np.random.default_rng(0)
    for place, name in enumerate(("bright", "dark", "middle")):
        Path(folder, name).mkdir(parents=True)
        for number in range(count):
            found = random.integers(0, 90, (12, 10)) + (160, 0, 80)[place]
            Image.fromarray(found.astype(np.uint8)).save(Path(folder, name, f"{number:02d}.png"))
    return folder


def denoise() -> None:
    """Train against noise at two levels; evaluate, as a matrix too; compare; apply."""
    data = write_images("data/images")
    others = write_images("data/others", 3, height=21, width=30)
    common: dict[str, Any] = {**SMALL, "model": "conv-8-16-8", "ema": 0.9, "clip": 1.0, "augment": True}
    cuello.train("denoise", data, noise="salt-pepper:0.1", output="runs/low", sweep=(0.1, 0.4), **common)
    cuello.train("denoise", data, noise="salt-pepper:0.4", output="runs/high", report=False, **common)
    settings = ("--crop", 16, "--samples", 16, "--validation-samples", 6, "--batch-size", 8, "--epochs", 2,
                "--validation", 0.2, "--test", 0.15)  # fmt: skip
    command(
        "train.json", "train", "denoise", data, "--noise", "salt-pepper:0.1..0.4", "--model", "conv-8-16-8", *settings,
        "--device", "cpu", "--threads", 1, "--storage", "stream", "--seed", 1, "--no-report", "--json",
        "-o", "runs/range",
    )  # fmt: skip
    matrix = cuello.evaluate_runs(["runs/low", "runs/high"], others, sweep=(0.1, 0.3), output="matrix")
    assert matrix.protocol
    command("matrix.json", "evaluate", "runs/low", "runs/high", "--baselines", "input,median-3", "--json")
    command("compare.json", "compare", "runs", "--no-latency", "-o", "compared", "--csv", "compared.csv", "--json")
    command("early.json", "compare", "runs/low", "--no-latency", "--epoch", 1, "--json")
    evaluation = cuello.evaluate("runs/low", others, noise="gaussian:25", report=False, baselines=["input", "median-3"])
    keep("verdict.txt", evaluation.verdict)
    keep("own.txt", cuello.evaluate("runs/high", sweep=(0.2,), report=False).verdict)
    cuello.apply(cuello.load("runs/low"), others, "restored")
    command("apply.txt", "apply", "runs/high/model.safetensors", f"{others}/0.png", "restored/one.png", "--threads", 1)
    model = cuello.load("runs/low")
    keep_arrays("model", whole=np.asarray(model(pixels(9))), floats=np.asarray(model(np.float32(pixels(8)) / 255)))


def networks() -> None:
    """Train one network of every kind of denoiser, and on pairs."""
    data = write_images("data/images", height=66, width=72)
    noisy = Path("data/noisy")
    noisy.mkdir()
    for number in range(6):
        spoiled = pixels(number, 66, 72).astype(np.int64) + np.random.default_rng(number).integers(-30, 31, (66, 72, 3))
        Image.fromarray(np.clip(spoiled, 0, 255).astype(np.uint8)).save(noisy / f"{number}.png")
    common: dict[str, Any] = {**SMALL, "samples": 8, "validation_samples": 4, "epochs": 1, "report": False}
    noises = {
        "impulse-s": "salt-pepper:0.1..0.5", "unet-s": "gaussian:5..50", "dncnn-s": "blur:1+poisson:30+jpeg:40",
        "denoise-s": "gaussian:0..75", "dense-8-16-32": "invert:20", "conv-single": "speckle:0.1",
    }  # fmt: skip
    for model, noise in noises.items():
        crop = 64 if model.startswith("dense-") else 16
        cuello.train("denoise", data, model=model, noise=noise, output=f"runs/{model}", **{**common, "crop": crop})
    cuello.train("denoise", noisy, target=data, model="conv-single", output="runs/pairs", **{**common, "report": True})
    schedule = {"optimizer": "sgd", "nesterov": True, "schedule": "plateau", "loss": "charbonnier", "patience": 1}
    settings = {**common, **schedule, "epochs": 3, "crops": "grid", "channels": 1, "warmup_epochs": 0.5}
    cuello.train("denoise", data, model="conv-single", noise="gaussian:25", output="runs/schedule", **settings)


def upscale() -> None:
    """Train networks that enlarge, with a report."""
    data = write_images("data/images")
    cuello.train("upscale", data, model="espcn", scale=2, output="runs/espcn", **SMALL)
    common = {**SMALL, "epochs": 1, "samples": 8, "report": False}
    cuello.train("upscale", data, model="up-s", noise="blur:1+down:2+jpeg:60", output="runs/up-s", **common)
    cuello.apply(cuello.load("runs/espcn"), f"{data}/0.png", "restored/large.png")


def reconstruct() -> None:
    """Train autoencoders, and look into a code."""
    cuello.train("reconstruct", "glyphs", model="mlp-20-2", output="runs/glyphs", **GLYPHS)
    command("latent.json", "latent", "runs/glyphs", "--samples", 8, "--steps", 5, "--json", "--quiet")
    common = {**GLYPHS, "epochs": 1, "report": False}
    cuello.train("reconstruct", "glyphs", model="ae:35-c4-2", loss="bce", output="runs/c4", **common)
    cuello.train("denoise", "glyphs", model="mlp-20-2", noise="invert:3", output="runs/noisy", **common)
    model = cuello.load("runs/glyphs")
    images = np.random.default_rng(0).integers(0, 2, (4, 7, 5, 1)).astype(np.uint8) * 255
    codes = model.encode(images)
    way = cuello.latent.interpolate(model, images[0], images[1], 3)
    drawn = cuello.latent.sample(model, 3, seed=0, codes=codes)
    keep_arrays(
        "codes", codes=np.asarray(codes), decoded=np.asarray(model.decode(codes)), way=np.asarray(way.images),
        drawn=np.asarray(drawn.images),
    )  # fmt: skip


def generate() -> None:
    """Train networks whose codes are drawn at random, of every kind."""
    common: dict[str, Any] = {**GLYPHS, "epochs": 1, "learning_rate": 1e-3}
    for model in ("vae:35-8-2", "infovae:35-8-2", "wae:35-8-2"):
        name = model.partition(":")[0]
        cuello.train("generate", "glyphs", model=model, output=f"runs/{name}", report=name == "vae", **common)
    for model in ("contractive:35-8", "sparse:35-8", "fsq:35-8-4", "vq:35-8-4"):
        name = model.partition(":")[0]
        cuello.train("reconstruct", "glyphs", model=model, output=f"runs/{name}", report=False, **common)


def classes() -> None:
    """Train a classifier, judge it, explain it exactly, learn its maps, and explain it by them."""
    data, few = write_classes("data/classes"), write_classes("data/few", 2)
    common: dict[str, Any] = {"epochs": 2, "batch_size": 8, **SHARES, **MACHINE}
    cuello.train("classify", data, model="classify-s", output="runs/signs", **common)
    cuello.train("classify", data, model="classify-mnist", output="runs/fixed", report=False, **common)
    found = cuello.evaluate_classifier("runs/fixed", data, report=False)
    keep_arrays("guesses", truth=found.truth, probabilities=found.probabilities)
    command("evaluate.json", "evaluate", "runs/signs/model.safetensors", data, "--json", "--quiet")
    command(
        "exact.json", "explain", "runs/signs", few, "-o", "exact", "--box", 3, "--stride", 2, "--fill", "mean",
        "--pictures", 2, "--threads", 1, "--json", "--quiet",
    )  # fmt: skip
    model = cuello.load("runs/signs")
    images = torch.from_numpy(np.random.default_rng(0).random((3, 1, 12, 10), np.float32))
    maps = cuello.occlusion_map(model.network, images, 4, stride=2, fill=0.5, classes="all")
    keep_arrays("maps", maps=maps.maps.numpy(), classes=maps.classes.numpy())
    cuello.train("explain", data, classifier="runs/signs", output="runs/quick", **common)
    command(
        "checked.json", "explain", "runs/signs", few, "-o", "quick", "--model", "runs/quick", "--check", 0.5,
        "--pictures", 1, "--threads", 1, "--json", "--quiet",
    )  # fmt: skip


def occlusion() -> None:
    """Make exact maps of a module by every definition and filling."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Tanh(),
        nn.Flatten(), nn.Linear(6 * 6 * 5, 3),
    ).eval()  # fmt: skip
    images = torch.from_numpy(np.random.default_rng(1).random((3, 1, 16, 14), np.float32))
    for definition in ("mean-drop", "captum", "mean", "sum", "standardised-sum"):
        found = cuello.occlusion_map(network, images, box=3, definition=definition)
        keep_arrays(definition, maps=found.maps.numpy(), classes=found.classes.numpy(), method=found.method)
    options: dict[str, dict[str, Any]] = {
        "mean": {"fill": "mean", "stride": 2},
        "blur": {"fill": "blur", "sigma": 1.5, "box": (2, 4)},
        "logit": {"score": "logit", "classes": [0, 2], "padding": 0},
        "whole": {"fill": 0.5, "classes": "all"},
    }
    for name, given in options.items():
        found = cuello.occlusion_map(network, images, **{"box": 3, **given})
        keep_arrays(name, maps=found.maps.numpy(), classes=found.classes.numpy(), method=found.method)
    forked = cuello.occlusion_map(lambda x: network(x) + network(x.flip(-1)), images, box=5, stride=3)
    keep_arrays("function", maps=forked.maps.numpy(), classes=forked.classes.numpy(), method=forked.method)


def interrupted() -> None:
    """Stop a training after its first epoch and go on: the same bits as without a stop."""
    data = write_images("data/images")
    common: dict[str, Any] = {**SMALL, "model": "conv-8-16-8", "noise": "gaussian:5..50", "epochs": 3, "ema": 0.9}
    stopped(lambda: cuello.train("denoise", data, output="runs/stopped", observers=[stop_after(1)], **common))
    cuello.resume("runs/stopped", report=False)
    cuello.train("denoise", data, output="runs/straight", report=False, **common)
    cuello.train("denoise", data, output="runs/longer", report=False, **{**common, "epochs": 1})
    command("resume.json", "resume", "runs/longer", "--epochs", 2, "--no-report", "--json", "--quiet")


def together() -> None:
    """Train repeats of a very small network at once."""
    cuello.train_repeats("reconstruct", "glyphs", repeats=2, model="mlp:35-8-2", output="repeats", **GLYPHS)
    command("repeats.json", "compare", "repeats", "--no-latency", "--json")


def search() -> None:
    """Search a grid."""
    settings = {name: value for name, value in GLYPHS.items() if name != "learning_rate"}
    space = {"model": ["mlp:35-8-2", "ae:35-c4-2"], "learning_rate": [1e-3, 1e-2]}
    found = cuello.search.search("reconstruct", "glyphs", space=space, output="search", **settings)
    keep("verdict.txt", f"{found.verdict}\n{found.command}")


def study() -> None:
    """Make the study `mnist` in miniature.

    The one place with imports from cuello.studies: a study has no setting that makes it small.
    """
    from cuello.studies.base import run_study
    from cuello.studies.catalog import STUDIES

    coarse = np.random.default_rng(0).random((1000, 7, 7)) > 0.6
    Path("data").mkdir()
    np.save("data/digits.npy", (coarse.repeat(4, 1).repeat(4, 2) * 255).astype(np.uint8))
    whole = STUDIES["mnist"]

    def quick(data: str) -> list[Any]:
        return [replace(plan, settings={**plan.settings, "epochs": 1, "batch_size": 100}) for plan in whole.plans(data)]

    small = replace(whole, data=("data/digits.npy",), plans=quick)
    told = run_study(small, None, "study", repeats=1, threads=1, device="cpu")
    keep("verdict.txt", told.verdict)


def ready() -> None:
    """Apply the models that come with the package, and list what there is."""
    data = write_images("data/images", 2)
    for model in ("denoise", "upscale-x2", "upscale-x4"):
        command(f"{model}.json", "apply", model, data, f"restored/{model}", "--threads", 1, "--json", "--quiet")
    command("told.txt", "apply", "denoise", f"{data}/0.png", "restored/told.png", "--sigma", 25, "--threads", 1)
    for name in ("models", "datasets", "noises", "studies"):
        command(f"{name}.json", name, "--json")
    command("summary.json", "summary", "unet-s", "--json")


def older() -> None:
    """Go on with what version 0.1 left unfinished: the fixtures."""
    shutil.copytree(FIXTURES, ".", dirs_exist_ok=True)
    go_on()


def go_on() -> None:
    """Bring the fixtures, in the current folder, to their end."""
    cuello.resume("runs/denoise", report=False)
    cuello.resume("runs/glyphs", report=False)
    cuello.resume("runs/quick", report=False)
    keep("denoise.txt", cuello.evaluate("runs/denoise", report=False).verdict)
    keep("signs.txt", cuello.evaluate_classifier("runs/signs", report=False).verdict)
    command("config.json", "train", "--config", "config.toml", "--no-report", "--json", "-o", "runs/from-config")
    searched: dict[str, Any] = {"model": "ae:35-c2-2", "samples": 64, "batch_size": 32, "epochs": 2, **MACHINE}
    space = {"learning_rate": [1e-3, 1e-2, 1e-1]}
    cuello.search.search("reconstruct", "glyphs", space=space, output="search", **searched)
    repeats: dict[str, Any] = {**GLYPHS, "model": "mlp:35-3-2", "repeats": 3, "report": False}
    cuello.train_repeats("reconstruct", "glyphs", output="repeats", **repeats)
    cuello.apply(cuello.load("runs/denoise"), "images", "restored")


SCENARIOS: dict[str, Callable[[], None]] = {
    made.__name__: made
    for made in (
        denoise, networks, upscale, reconstruct, generate, classes, occlusion, interrupted, together, search, study,
        ready, older,
    )
}  # fmt: skip
