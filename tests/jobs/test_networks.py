"""Which network is trained where none is named, and which cannot help against a noise."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cuello
from cuello.core.config import make_config
from cuello.core.errors import CuelloError
from cuello.core.progress import Progress
from cuello.degrade import DEGRADATIONS, Degradation, parse
from cuello.jobs.catalog import JOBS
from cuello.jobs.networks import check_helps, seen_form
from cuello.models.base import ImageNetwork, as_output
from cuello.models.catalog import KINDS, architecture_of, build
from cuello.models.named import NETWORKS, find_network
from cuello.runs.directory import Run
from cuello.work.train import repeat_command, resolve

every_noise = pytest.mark.parametrize("cls", list(DEGRADATIONS), ids=lambda cls: cls.name)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(name: str, scale: int | None = None) -> ImageNetwork:
    """A network whose weights are all random, also those that start at 0."""
    torch.manual_seed(0)
    network = build(architecture_of(name, 3, scale=scale)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=random(1)))
    return network


def share_changed(network: ImageNetwork, noise: Degradation) -> float:
    """The share of the values that the noise changed which the network changes in its turn."""
    clean = 0.2 + 0.6 * torch.rand(2, 3, 48, 48, generator=random(2))
    noisy, level, _ = noise.with_values(clean, random(3))
    with torch.inference_mode():
        restored = network(noisy, network.condition(noisy, level, None)).image
    hit = noisy != clean
    return float(((restored - noisy).abs() > 1e-6)[hit].float().mean())


@every_noise
def test_every_noise_names_a_network_that_can_help_against_it(cls: type[Degradation]) -> None:
    noise = cls()
    spec = NETWORKS[noise.network]
    assert KINDS[spec.kind].gives == "images"
    assert noise.scale in spec.scales
    check_helps(make_config({"noise": noise.spec(), "model": noise.network}))
    if noise.scale == 1 and noise.name != "none":
        assert share_changed(stirred(noise.network), noise) > 0.5


@every_noise
@pytest.mark.parametrize("fill", [None, "0.5"])
def test_networks_for_impulses_are_refused_just_where_they_leave_what_the_noise_changed(
    cls: type[Degradation], fill: str | None
) -> None:
    if cls().scale > 1 or cls.name == "none":
        return
    noise = cls() if fill is None or "fill" not in cls.model_fields else cls.model_validate({"fill": fill})
    config = make_config({"noise": noise.spec(), "model": "impulse-m"})
    if share_changed(stirred("impulse-m"), noise) > 0.5:
        check_helps(config)
    else:
        with pytest.raises(CuelloError, match=f"cannot help against {noise.spec()}"):
            check_helps(config)


@pytest.mark.parametrize(
    ("noise", "network", "impulses"),
    [
        ("salt-pepper:0.1..0.9", "impulse-s", True),
        ("gaussian:5..50", "denoise-s", False),
        ("gaussian:5+gaussian:10,clip=no", "denoise-s", False),
        ("gaussian:10+salt-pepper:0.2", "dncnn-s", True),  # impulses come last, and can be found
        ("salt-pepper:0.2+gaussian:10", "dncnn-s", False),
        ("salt-pepper:0.2+missing:0.1", "impulse-s", True),
        ("missing:0.1,fill=0.5+salt-pepper:0.2", "dncnn-s", True),
        ("missing:0.5,fill=0..1", "dncnn-s", False),
        ("blur:1+jpeg:60", "dncnn-s", False),
        ("camera:2,read=5,correlated=0.8", "dncnn-s", False),
    ],
)
def test_compositions_and_ranges(noise: str, network: str, impulses: bool) -> None:
    assert resolve({"noise": noise, "crop": 64}).model == network
    assert parse(noise).extremes == impulses
    if not impulses:
        with pytest.raises(CuelloError, match=f"model='{network}', or leave model out"):
            resolve({"noise": noise, "model": "impulse-l"})
        assert resolve({"noise": noise, "model": "impulse-l", "force": True}).force


@pytest.mark.parametrize(
    ("settings", "network"),
    [
        ({"job": "upscale", "scale": 2}, "up-s"),
        ({"job": "upscale", "noise": "blur:1+down:2+jpeg:60"}, "up-s"),
        ({"job": "upscale", "noise": "resize:2"}, "dncnn-s"),
        ({"job": "upscale", "scale": 3, "target": "large"}, "up-s"),
        ({"job": "denoise", "target": "clean"}, "dncnn-s"),
        ({"job": "denoise", "noise": "salt-pepper:0.2", "crop": 20}, "dncnn-s"),  # no multiple of 8
        ({"job": "denoise", "noise": "salt-pepper:0.2", "crop": 30}, "dncnn-s"),
        ({"job": "denoise", "noise": "missing-blocks:4", "crop": 24}, "impulse-s"),
        ({"job": "denoise", "noise": "missing-blocks:4,fill=0.5", "crop": 24}, "dncnn-s"),
        ({"job": "denoise", "noise": "missing-blocks:4", "crop": 30}, "dncnn-s"),
        ({"job": "denoise", "noise": "gaussian:25", "crop": 30}, "denoise-s"),
        ({"job": "denoise", "noise": "gaussian:25", "resize": "30x31"}, "dncnn-s"),
    ],
)
def test_the_size_of_what_goes_in_counts(settings: dict[str, Any], network: str) -> None:
    crop = {} if "resize" in settings or "crop" in settings else {"crop": 60}
    assert resolve({**crop, **settings}).model == network


def arrays(path: Path, *shape: int) -> str:
    np.save(path / "images.npy", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    return str(path / "images.npy")


@pytest.mark.parametrize(
    ("shape", "reconstruct", "generate", "classify"),
    [
        ((8, 7, 5), "mlp-32-8-2", "vae-200-2", "classify-mnist"),
        ((8, 8, 8), "mlp-32-8-2", "vae-200-2", "classify-mnist"),
        ((8, 28, 28), "conv-128", "vae-200-2", "classify-mnist"),
        ((8, 32, 32, 3), "conv-128", "conv-vae-16", "classify-mnist"),
        ((8, 120, 100, 3), "ae:c32-c64-c16,halving=stride", "vae:c16-c32-c64-c64-32,halving=stride", "classify-s"),
    ],
    ids=str,
)
def test_size_and_channels_decide_and_the_network_fits(
    shape: tuple[int, ...], reconstruct: str, generate: str, classify: str, tmp_path: Path
) -> None:
    data = arrays(tmp_path, *shape)
    for job, network in (("reconstruct", reconstruct), ("generate", generate), ("classify", classify)):
        config = resolve({"job": job, "data": data})
        assert config.model == network
        assert config.batch_size == find_network(network).recipe["batch_size"]
        _, height, width, channels = (*shape, 1)[:4]
        built = build(
            architecture_of(config.model, channels, (height, width), classes=3 if job == "classify" else None)
        )
        with torch.inference_mode():
            result = built.eval()(torch.rand(2, channels, height, width))
        wanted = (2, 3) if job == "classify" else (2, channels, height, width)
        assert as_output(result).image.shape == wanted


def test_what_is_asked_for_is_the_form(images: Path) -> None:
    data = str(images)  # 40×40
    form = seen_form(make_config({"data": data}))
    assert (form.channels, form.height, form.width, form.numbers) == (3, 40, 40, 4800)
    assert seen_form(make_config({"data": data, "resize": "9x5", "channels": 1})).numbers == 45
    assert seen_form(make_config({"data": data, "crop": 8})).words == "colour images of 8×8 pixels"


def test_images_that_cannot_be_read_are_the_error_that_they_are(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"no image")
    with pytest.raises(CuelloError, match=r"one\.png"):
        resolve({"job": "generate", "data": str(tmp_path)})


def test_what_is_missing_is_said_before_the_images_are_looked_at() -> None:
    with pytest.raises(CuelloError, match="no noise was given"):
        resolve({"job": "denoise", "data": "photos"})


@pytest.mark.parametrize("job", JOBS.names())
def test_choosing_leaves_the_random_numbers_alone(job: str, tmp_path: Path) -> None:
    data = arrays(tmp_path, 8, 12, 12)
    own = {"denoise": {"noise": "gaussian:25"}, "upscale": {"scale": 2}, "explain": {"classifier": "runs/a"}}
    before = torch.get_rng_state()
    resolve({"job": job, "data": data, **own.get(job, {})})
    assert torch.equal(torch.get_rng_state(), before)


TINY: dict[str, Any] = {"crop": 16, "samples": 8, "validation_samples": 4, "epochs": 1, "threads": 1, "report": False}


def test_a_run_keeps_the_name_and_says_why_once(images: Path, tmp_path: Path) -> None:
    notes: list[str] = []

    def listen(event: Progress) -> None:
        notes.extend([event.note] if event.note else [])

    run = cuello.train("denoise", images, noise="gaussian:25", output=tmp_path / "run", progress=listen, **TINY)
    assert tomllib.loads(run.config_path.read_text())["model"] == "denoise-s"
    assert [note for note in notes if "network" in note] == [
        "the network is denoise-s, made for gaussian; for another, set model (see `cuello models`)"
    ]
    assert cuello.load(run.path).artefact.architecture.name == "denoise-s"
    more = cuello.resume(run.path, epochs=2, report=False)
    assert (more.config.model, len(more.history)) == ("denoise-s", 2)


def test_repeats_choose_once(images: Path, tmp_path: Path) -> None:
    notes: list[str] = []

    def listen(event: Progress) -> None:
        notes.extend([event.note] if event.note and "network" in event.note else [])

    given: dict[str, Any] = {"noise": "salt-pepper:0.2", "output": tmp_path / "two", **TINY}
    runs = cuello.train_repeats("denoise", images, repeats=2, progress=listen, **given)
    assert [run.config.model for run in runs] == ["impulse-s"] * 2
    assert len(notes) == 1
    again = cuello.train_repeats("denoise", images, repeats=2, **given)  # keeps what is finished
    assert [run.history for run in again] == [run.history for run in runs]


def test_a_search_chooses_once_and_says_so(images: Path, tmp_path: Path) -> None:
    settings = {name: value for name, value in TINY.items() if name != "report"}
    given: dict[str, Any] = {"noise": "gaussian:25", "output": tmp_path / "search", **settings}
    found = cuello.search.search("denoise", images, space={"learning_rate": [1e-3, 1e-2]}, **given)
    assert found.run.config.model == "denoise-s"
    assert "--model denoise-s" in found.command
    assert "chosen by the noise, or by the images&#39; size, denoise-s" in found.page.read_text()
    assert len(cuello.search.search("denoise", images, space={"learning_rate": [1e-3, 1e-2]}, **given).trials) == 2


def test_a_search_refuses_a_network_that_cannot_help(images: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"impulse-s.*cannot help against gaussian:25.*\(The trial: "):
        cuello.search.search(
            "denoise", images, space={"model": ["unet-s", "impulse-s"]}, noise="gaussian:25", output=tmp_path / "search"
        )


def test_a_run_goes_on_with_whatever_network_it_has(images: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"noise": "gaussian:25", "output": tmp_path / "run", **TINY}
    run = cuello.train("denoise", images, model="impulse-s", force=True, **given)
    assert len(cuello.resume(run.path, epochs=2, report=False).history) == 2
    assert "--model impulse-s --force" in repeat_command(run)
    assert cuello.evaluate(run.path).images.count > 0  # with its report, which holds that command


def test_the_command_line_says_it_in_flags(command: Callable[..., Any], images: Path, tmp_path: Path) -> None:
    small = ("--crop", 16, "--samples", 8, "--validation-samples", 4, "--epochs", 1, "--threads", 1, "--no-report")
    given = ("train", "denoise", images, "--noise", "gaussian:25", *small, "-o", tmp_path / "run")
    answer = command(*given, "--model", "impulse-s")
    assert answer.code == 2
    assert "Use --model denoise-s, or leave --model out; --force trains it all the same." in answer.error
    assert not (tmp_path / "run").exists()
    answer = command(*given)
    assert answer.code == 0
    assert "note: the network is denoise-s, made for gaussian" in answer.error
    answer = command(*given, "--model", "impulse-s", "--force", "--overwrite")
    assert answer.code == 0
    assert Run(tmp_path / "run").config.force is True


def test_classes_and_maps_by_the_data(make_classes: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_classes(tmp_path / "classes")
    made = cuello.train("classify", folder, output=tmp_path / "a", epochs=1, threads=1, report=False)
    assert made.config.model == "classify-mnist"
    maps = cuello.train(
        "explain", folder, classifier=str(made.path), output=tmp_path / "b", epochs=1, threads=1, report=False
    )
    assert maps.config.model == "explain-s"
