"""Learning to denoise from noisy images alone: settings, the noise that is found, the run, and what it is used for."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import cuello
from cuello.comparison import compare
from cuello.comparison.page import reached_table, result_of
from cuello.core.config import make_config
from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.core.types import Batch
from cuello.data.images import Images
from cuello.data.split import Split
from cuello.jobs.catalog import task_of
from cuello.jobs.images.blind import BlindTask, noise_words
from cuello.jobs.images.blind import task_of as choose_task
from cuello.noise_models.model import NoiseModel
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.search import search
from cuello.work.train import repeat_command, resolve

TINY: dict[str, Any] = {"samples": 16, "validation_samples": 4, "crop": 16, "batch_size": 8, "epochs": 2, "threads": 1}
SIGMA = 12.0


def noisy_images(make_image: Callable[..., np.ndarray], seed: int = 0, count: int = 4) -> np.ndarray:
    """Smooth grey images with Gaussian noise, ``(N, 48, 48)``, floats from some 0 to 255."""
    clean = np.stack([40 + 0.6 * make_image(number, 48, 48, 1)[..., 0].astype(float) for number in range(count)])
    return clean + np.random.default_rng(seed).normal(0, SIGMA, clean.shape)


def saved(folder: Path, images: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        tifffile.imwrite(folder / f"{number}.tif", image)
    return folder


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory, make_image: Callable[..., np.ndarray]) -> Run:
    """A run trained on four noisy images, 8 bits, with its report; not to be changed."""
    path = tmp_path_factory.mktemp("blind")
    images = noisy_images(make_image).round().clip(0, 255).astype(np.uint8)
    np.save(path / "noisy.npy", images)
    return cuello.train("denoise", path / "noisy.npy", output=path / "run", **TINY)


def test_the_run_says_what_it_learned_by_and_takes_the_noise_for_its_contract(blind: Run) -> None:
    assert (blind.config.method, blind.config.loss, blind.config.test) == ("auto", "mse", 0.0)
    artefact = load_artefact(blind.path)
    assert artefact.method == "sure"
    (noise,) = artefact.noise_models
    assert 255 * float(noise.deviation(0.5)) == pytest.approx(SIGMA, rel=0.1)
    assert "no PSNR was measured" in blind.metrics["verdict"]
    estimated = {row["method"]: row["mse"] for row in blind.metrics["estimated"]}
    assert {"denoise-s", "noisy image", "Gaussian blur"} <= set(estimated)
    assert estimated["noisy image"] == pytest.approx((SIGMA / 255) ** 2, rel=0.2)
    assert all(np.isnan(record.validation_psnr) for record in blind.history), "nothing clean was compared with"
    assert blind.report_path.is_file()


def test_a_killed_training_goes_on_to_the_same_bits(
    blind: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def kill(event: Any) -> None:
        if type(event).__name__ == "EpochDone" and event.record.epoch == 1:
            raise Killed

    with pytest.raises(Killed):
        cuello.train("denoise", blind.config.data, output=tmp_path / "run", report=False, observers=[kill], **TINY)
    again = cuello.resume(tmp_path / "run", report=False)
    one, other = load_artefact(again.path).weights, load_artefact(blind.path).weights
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_network_gives_the_same_kind_and_keeps_the_brightness(
    blind: Run, make_image: Callable[..., np.ndarray]
) -> None:
    images = noisy_images(make_image, 1).round().clip(0, 255).astype(np.uint8)
    restored = cuello.load(blind.path)(images)
    assert restored.dtype == np.uint8
    assert restored.shape == images.shape
    assert restored.mean() == pytest.approx(images.mean(), abs=2)


def test_the_command_repeats_it(blind: Run) -> None:
    command = repeat_command(blind)
    assert command.startswith("cuello train denoise")
    assert "--method" not in command, "auto is what happens anyway"
    assert "--noise" not in command
    assert resolve({"job": "denoise", "data": blind.config.data}).method == "auto"


@pytest.mark.parametrize(
    ("scale", "offset", "dtype"), [(1.0, 80.0, np.uint16), (3.0, -250.0, np.float64), (1e-6, 0.0, np.float32)]
)
def test_dark_images_and_floats_need_no_range(
    tmp_path: Path, make_image: Callable[..., np.ndarray], scale: float, offset: float, dtype: type
) -> None:
    """Values from 80 to 350 of 65,535, below 0, and in physical units: the range is found, stated, and undone."""
    images = (noisy_images(make_image) * scale + offset).astype(dtype)
    folder = saved(tmp_path / "noisy", images)
    notes: list[str] = []
    run = cuello.train(
        "denoise", folder, output=tmp_path / "run", report=False, epochs=1, samples=8, crop=16, learning_rate=1e-6,
        threads=1,
        progress=lambda event: notes.append(event.note or ""),
    )  # fmt: skip
    assert run.config.range is not None
    low, high = map(float, run.config.range.split(".."))
    assert low < images.min() < images.max() < high
    assert any(run.config.range in note for note in notes)
    other = images[0].copy()
    other[3, 4] = high + (high - low)  # brighter than any that it was trained on
    restored = cuello.load(run.path)(other)
    assert restored.dtype == images.dtype
    assert restored.mean() == pytest.approx(images[0].mean(), abs=0.05 * float(np.ptp(images)))


def test_pairs_of_noisy_images(tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    one, other = (
        saved(tmp_path / str(seed), noisy_images(make_image, seed).round().clip(0, 255).astype(np.uint8))
        for seed in (0, 1)
    )
    run = cuello.train("denoise", one, target=other, noisy_target=True, output=tmp_path / "run", **TINY)
    artefact = load_artefact(run.path)
    assert (artefact.method, artefact.noise_models, run.config.method) == ("pairs", (), "pairs")
    assert all(np.isnan(record.validation_psnr) for record in run.history), "the other copy is noisy, not clean"
    assert run.metrics["methods"]["network"]["psnr"] is None
    estimated = {row["method"]: row["mse"] for row in run.metrics["estimated"]}
    assert estimated["noisy image"] == pytest.approx((SIGMA / 255) ** 2, rel=0.1), "from the two copies alone"
    clean = cuello.evaluate(run.path, one, target=other, report=False, baselines=["median-3"])
    assert clean.ours.mean("psnr") > 0, "named clean images are measured with as ever"


def test_one_small_image_is_enough(tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    folder = saved(
        tmp_path / "noisy", noisy_images(make_image, count=1).round().clip(0, 255).astype(np.uint8)[:, :20, :24]
    )
    run = cuello.train("denoise", folder, output=tmp_path / "run", epochs=1, samples=4, threads=1)
    assert run.config.crop == 16
    assert load_artefact(run.path).method == "blind-spot"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"noisy_target": True}, ["without target", "other noisy images"]),
        ({"noise": "blur:1", "method": "sure"}, ["method='sure' and noise='blur:1'", "Leave one out"]),
        ({"target": "clean", "method": "sure"}, ["method='sure' and target='clean'", "Leave one out"]),
        ({"method": "sur"}, ["'sur'", "Did you mean 'sure'?"]),
        ({"method": "pairs"}, ["method='pairs' and one noisy image", "target='OTHER-NOISY' noisy_target=True"]),
        ({"target": "b", "noisy_target": True, "method": "sure"}, ["method='sure' and two noisy images", "'pairs'"]),
        ({"loss": "l1"}, ["loss='l1'", "squared error"]),
        ({"job": "upscale", "scale": 2, "method": "sure"}, ["method='sure' for upscale: only denoise has it"]),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(CuelloError) as caught:
        task_of(make_config({"data": "noisy", **settings}))
    for word in words:
        assert word in str(caught.value)


def test_images_without_noise_are_refused_with_what_to_do(tmp_path: Path) -> None:
    wave = np.sin(np.arange(64) / 9)
    np.save(tmp_path / "clean.npy", np.stack([120 + 90 * np.outer(wave, wave)] * 3).round().astype(np.uint8))
    with pytest.raises(CuelloError, match=r"no noise was given: add e.g. noise='salt-pepper:0.2'.* has none"):
        cuello.train("denoise", tmp_path / "clean.npy", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_noise_in_words() -> None:
    assert noise_words([NoiseModel(0, (10 / 255) ** 2)]) == "noise of a standard deviation of 10 out of 255"
    words = noise_words([NoiseModel((20 / 255) ** 2 - (10 / 255) ** 2, (10 / 255) ** 2)])
    assert words == "noise of a standard deviation of 10 out of 255 at black to 20 at white"


def images_with(noise: np.ndarray) -> Images:
    """Four slow waves with this noise, 8 bits."""
    wave = 120 + 40 * np.sin(np.arange(noise.shape[1]) / 15)[:, None] * np.cos(np.arange(noise.shape[2]) / 20)
    arrays = [(wave + one).round().clip(0, 255).astype(np.uint8)[..., None] for one in noise]
    return Images("four", arrays, [str(number) for number in range(len(arrays))])


def chosen_for(noise: np.ndarray) -> BlindTask:
    images = images_with(noise)
    every = np.arange(len(images))
    return choose_task(images, Split(every, every, every[:0]), "auto")[0]


@pytest.mark.parametrize("paired", [False, True])
def test_losses_are_in_units_of_the_noises_variance(paired: bool) -> None:
    """A network that does nothing is off by the noise of what it gets and by that of what it should give: 2."""
    first, second = (images_with(np.random.default_rng(seed).normal(0, 12, (4, 128, 128))) for seed in (1, 2))
    images = replace(first, targets=second.arrays) if paired else first
    task = choose_task(images, Split(np.arange(4), np.arange(4), np.arange(0)), "auto")[0]
    arrays = [np.stack(one.arrays).transpose(0, 3, 1, 2) / 255 for one in (first, second)]
    one, other = (torch.from_numpy(array).float() for array in arrays)
    loss = task.pair(Batch(one, torch.arange(4), other if paired else None), generator(0, "test", 0)).loss
    assert loss is not None
    assert loss(lambda x: x).numpy() == pytest.approx(2, rel=0.1)


def test_the_method_follows_the_noise() -> None:
    random = np.random.default_rng(0)
    white = random.normal(0, 12, (4, 128, 128))
    own = chosen_for(white)
    assert (own.method.name, own.known.reach, own.known.correlation) == ("sure", (0, 0), None)
    assert own.known.level == own.domain.level if own.domain is not None else False
    alike = (white + np.roll(white, 1, 2)) / 2**0.5
    shared = chosen_for(alike)
    assert shared.method.name == "sure"
    assert shared.known.reach == (0, 1)
    assert shared.known.correlation is not None
    rows = chosen_for(white + random.normal(0, 8, (4, 128, 1)))
    assert (rows.method.name, rows.known.reach) == ("blind-spot", (0, 8))


def test_images_of_two_values_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "binary.npy", np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (3, 32, 32)))
    with pytest.raises(CuelloError, match="holds two values only"):
        cuello.train("denoise", tmp_path / "binary.npy", output=tmp_path / "run")


def test_images_of_a_few_pixels_are_refused(tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    images = noisy_images(make_image).round().clip(0, 255).astype(np.uint8)[:, :7, :30]
    with pytest.raises(CuelloError, match=r"at most 7 pixels along their shorter side, needed 8"):
        cuello.train("denoise", saved(tmp_path / "noisy", images), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_values_that_are_not_numbers_are_refused_with_how_many(
    tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    images = noisy_images(make_image).astype(np.float32)
    images[:, :2] = np.nan
    with pytest.raises(CuelloError, match=r"holds 96 values that are not numbers .*; replace them first"):
        cuello.train("denoise", saved(tmp_path / "noisy", images), output=tmp_path / "run")


def test_channels_of_quite_different_noise_are_each_named() -> None:
    models = [NoiseModel(0, (sigma / 255) ** 2) for sigma in (3.0, 12.0, 50.0)]
    assert noise_words(models) == (
        "noise that differs from channel to channel, of standard deviations of 3, 12, 50 out of 255 at white"
    )
    assert noise_words([models[1]] * 3) == "noise of a standard deviation of 12 out of 255"


def test_repeats_and_other_methods_are_compared_by_what_can_be(
    tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    """No PSNR was measured, and each method counts its loss in its own way."""
    folder = saved(tmp_path / "noisy", noisy_images(make_image).round().clip(0, 255).astype(np.uint8))
    tiny = {**TINY, "report": False}
    ways: dict[str, dict[str, Any]] = {
        "a": {}, "b": {"seed": 1}, "c": {"method": "recorrupted"}, "d": {"noise": "blur:1"},
    }  # fmt: skip
    runs = [cuello.train("denoise", folder, output=tmp_path / name, **tiny, **given) for name, given in ways.items()]
    alike = compare([run.path for run in runs[:2]])
    (group,) = alike.groups
    assert group.title.startswith("denoise noisy images alone")
    (row,) = reached_table(group, False).rows
    assert (row[1], row[-1]) == ("2", "–"), "two repeats; their PSNR is not known"
    json.loads(result_of(alike).json, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    other = compare([run.path for run in runs[1:3]])
    assert len(other.groups) == 2
    assert "method (auto, recorrupted)" in other.differing
    assert "cuello evaluate" in other.differing
    assert len(compare([run.path for run in runs[2:]]).groups) == 2, "the one learned with clean images"


def test_a_search_is_decided_by_the_loss_of_one_method(tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    folder = saved(tmp_path / "noisy", noisy_images(make_image).round().clip(0, 255).astype(np.uint8))
    with pytest.raises(CuelloError, match=r"trials differ in method \(blind-spot, sure\)"):
        search("denoise", folder, space={"method": ["sure", "blind-spot"]}, output=tmp_path / "s", **TINY)
    with pytest.raises(CuelloError, match="got objective='psnr' for learning from noisy images alone"):
        search("denoise", folder, space={"augment": [True, False]}, objective="psnr", output=tmp_path / "s", **TINY)
    found = search("denoise", folder, space={"learning_rate": [1e-3, 1e-2]}, output=tmp_path / "search", **TINY)
    reached = [trial.reached for trial in found.trials if trial.reached is not None]
    assert [one.objective for one in reached] == [one.validation_loss for one in reached]
    assert len({one.objective for one in reached}) == 2
    assert all(one.validation_psnr is None for one in reached), "nothing clean was compared with"


@pytest.mark.parametrize("method", ["recorrupted", "neighbours", "blind-spot", "pairs", "frames"])
def test_each_method_goes_on_to_the_same_bits(
    tmp_path: Path, make_image: Callable[..., np.ndarray], method: str
) -> None:
    class Killed(Exception):
        pass

    def kill(event: Any) -> None:
        if type(event).__name__ == "EpochDone" and event.record.epoch == 1:
            raise Killed

    one, other = (noisy_images(make_image, seed).round().clip(0, 255).astype(np.uint8) for seed in (0, 1))
    given: dict[str, Any] = {"method": method, "report": False, **TINY}
    data = tmp_path / "noisy.npy"
    np.save(data, one if method != "frames" else np.stack([one[0], other[0]]))
    if method == "pairs":
        data = saved(tmp_path / "noisy", one)
        given |= {"target": saved(tmp_path / "other", other), "noisy_target": True}
    whole = cuello.train("denoise", data, output=tmp_path / "whole", **given)
    with pytest.raises(Killed):
        cuello.train("denoise", data, output=tmp_path / "killed", observers=[kill], **given)
    again = cuello.resume(tmp_path / "killed", report=False)
    first, second = load_artefact(whole.path), load_artefact(again.path)
    assert first.method == second.method == method
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
