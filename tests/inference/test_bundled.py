"""Models that come with the package: found by name, small, described, and better than what is there without them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import cuello
from cuello.core.errors import CuelloError
from cuello.core.resample import resize
from cuello.data.catalog import CATALOG
from cuello.degrade import parse
from cuello.inference.bundled import BUNDLED, located
from cuello.runs.artefact import load_artefact, save_artefact
from cuello.scoring.metrics import psnr

MOST_BYTES = 300_000


@pytest.mark.parametrize("name", BUNDLED.names())
def test_each_file_is_small_and_says_what_it_is(name: str) -> None:
    path = BUNDLED[name].path
    assert path.stat().st_size < MOST_BYTES
    artefact = load_artefact(path)
    assert artefact.job == ("upscale" if name.startswith("upscale") else "denoise")
    assert artefact.architecture.settings.get("folded", True) is True
    assert not CATALOG[artefact.training["data"]].test_only, "nothing is trained on what it is tested on"
    assert artefact.metrics["minutes"] > 0
    assert "cores" in artefact.metrics["machine"]
    scores = artefact.metrics["scores"]
    assert scores
    assert all(CATALOG[score["yardstick"]].test_only for score in scores)
    assert all("PSNR in dB" in score["psnr"]["protocol"] for score in scores)


@pytest.mark.parametrize("name", BUNDLED.names())
def test_what_anybody_may_use_says_whose_photographs_it_learned_from_and_how(name: str) -> None:
    artefact = load_artefact(BUNDLED[name].path)
    assert artefact.training["data"] == "open-photos"
    for one in CATALOG["open-photos"].credits:
        assert f"{one['author']} ({one['licence']})" in artefact.trained_on
    assert artefact.metrics["multiply_adds_a_pixel"] > 0
    assert artefact.metrics["commands"]
    assert not any("/" in words for line in artefact.metrics["commands"] for words in line.split()[3:]), "no ways"


def camera(side: int = 128) -> np.ndarray:
    """Return a part of a photograph that is in no training set here, ``(side, side)`` uint8."""
    return data.camera()[100 : 100 + side, 180 : 180 + side]


@pytest.mark.parametrize("name", [name for name in BUNDLED.names() if name.startswith("upscale-x")])
def test_enlarged_photographs_are_nearer_than_bicubic(name: str) -> None:
    model = cuello.load(name)
    grey = camera(132)  # a multiple of every scale
    target = torch.from_numpy(grey).float()[None, None] / 255
    small = (resize(target, scale=1 / model.scale).clamp(0, 1) * 255).round().byte()[0, 0].numpy()
    bicubic = resize(torch.from_numpy(small).float()[None, None] / 255, scale=model.scale).clamp(0, 1)[0, 0].numpy()
    found = model(small if model.channels == 1 else np.repeat(small[..., None], 3, axis=2))
    large = grey if model.channels == 1 else np.repeat(grey[..., None], 3, axis=2)
    assert found.shape == large.shape
    ours = peak_signal_noise_ratio(large, found)
    assert ours > peak_signal_noise_ratio(grey, np.uint8(np.round(bicubic * 255))) + 0.5


@pytest.mark.parametrize("sigma", [15, 50])
@pytest.mark.parametrize("told", [True, False])
def test_denoised_photographs_are_nearer_than_bilateral_filters(sigma: float, told: bool) -> None:
    from skimage.restoration import denoise_bilateral

    model, clean = cuello.load("denoise"), camera()
    noisy = clean + np.random.default_rng(0).normal(0, sigma, clean.shape)
    noisy = np.clip(noisy.round(), 0, 255).astype(np.uint8)
    found = model(noisy, sigma / 255 if told else None)
    classical = denoise_bilateral(noisy, sigma_color=2 * sigma / 255, sigma_spatial=2)
    ours = peak_signal_noise_ratio(clean, found)
    assert ours > peak_signal_noise_ratio(clean, np.uint8(np.round(classical * 255))) + 0.5


def colours(side: int = 128) -> np.ndarray:
    """Return a part of a photograph that is in no training set here, ``(side, side, 3)`` uint8."""
    return data.chelsea()[60 : 60 + side, 150 : 150 + side]


@pytest.mark.parametrize(
    ("name", "noise", "gain"),
    [
        ("denoise-colour", "gaussian:15", 6),
        ("denoise-colour", "gaussian:50", 11),
        ("dejpeg", "jpeg:10", 0.7),
        ("dejpeg", "jpeg:40", 0.5),
        ("dejpeg-colour", "jpeg:10", 0.7),
        ("dejpeg-colour", "jpeg:40", 0.5),
        ("impulses", "salt-pepper:0.01", 20),
        ("impulses", "salt-pepper:0.9", 15),
        ("deblur", "blur:0.8,rounded=yes", 3),
        ("deblur", "blur:2.4,rounded=yes", 1),
    ],
)
def test_what_was_spoiled_comes_nearer_to_what_it_was(name: str, noise: str, gain: float) -> None:
    model = cuello.load(name)
    clean = torch.from_numpy(camera()[..., None] if model.channels == 1 else colours()).permute(2, 0, 1)[None] / 255
    spoiled = parse(noise)(clean, torch.Generator().manual_seed(0))
    before, after = (float(psnr(one.clamp(0, 1), clean)) for one in (spoiled, torch.as_tensor(model(spoiled))))
    assert after > before + gain


@pytest.mark.parametrize("name", ["upscale-real-x2", "upscale-real-x4"])
def test_small_images_of_the_web_are_enlarged_nearer_than_by_bicubic(name: str) -> None:
    model = cuello.load(name)
    clean = torch.from_numpy(data.astronaut()[:192, 130:322].copy()).permute(2, 0, 1)[None] / 255
    small = parse(name.removeprefix("upscale-"))(clean, torch.Generator().manual_seed(0))
    bicubic = resize(small, scale=model.scale).clamp(0, 1)
    assert float(psnr(torch.as_tensor(model(small)), clean)) > float(psnr(bicubic, clean)) + 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_dead_and_hot_pixels_are_replaced_in_8_and_16_bits_and_others_stay(dtype: type) -> None:
    white = np.iinfo(dtype).max
    clean = (camera().astype(float).clip(5, 250) / 255 * white).round().astype(dtype)
    random = np.random.default_rng(0)
    hit = random.random(clean.shape) < 0.03
    spoiled = np.where(hit, np.where(random.random(clean.shape) < 0.5, 0, white), clean).astype(dtype)
    found = cuello.load("impulses")(spoiled)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[~hit], clean[~hit])
    assert np.abs(found[hit].astype(float) - clean[hit]).mean() < 0.05 * white


def test_what_is_there_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert located("upscale-x2") == BUNDLED["upscale-x2"].path
    (tmp_path / "upscale-x2").mkdir()
    assert located("upscale-x2") == BUNDLED["upscale-x2"].path, "an empty folder is no model"
    save_artefact(tmp_path / "upscale-x2" / "model.safetensors", load_artefact(BUNDLED["upscale-x2"].path))
    assert located("upscale-x2") == Path("upscale-x2")
    with pytest.raises(CuelloError, match=r"no ready model of that name. Did you mean 'upscale-x2'\? Ready to use: "):
        located("upscale-x22")
    (tmp_path / "runs").mkdir()
    with pytest.raises(CuelloError, match="holds no model"):
        cuello.load("runs")


def test_the_command_tells_the_network_how_strong_the_noise_is(
    tmp_path: Path, command: Callable[..., Any], refused: Callable[..., str]
) -> None:
    noisy = np.clip(camera(64) + np.random.default_rng(0).normal(0, 40, (64, 64)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    model = cuello.load("denoise")
    for name, arguments, level in (("told", ["--sigma", "40"], 40 / 255), ("estimated", [], None)):
        file = tmp_path / f"{name}.png"
        assert command("apply", "denoise", tmp_path / "noisy.png", file, *arguments, "--quiet").code == 0
        assert np.array_equal(np.asarray(Image.open(file)), model(noisy, level))
    said = refused("apply", "upscale-x2", tmp_path / "noisy.png", tmp_path / "large.png", "--sigma", "40")
    assert "up-s" in said
    assert not (tmp_path / "large.png").exists()


def test_the_list_names_each_with_what_it_scores(command: Callable[..., Any]) -> None:
    answer = command("models")
    assert answer.code == 0
    for name in BUNDLED.names():
        assert f"\n{name}: {BUNDLED[name].summary}\n" in answer.out
    assert "    bsd68: σ 15 3" in answer.out
    ready = answer.out.partition("READY TO USE")[2].partition("network to train")[0]
    assert max(len(line) for line in ready.splitlines()) <= 80
