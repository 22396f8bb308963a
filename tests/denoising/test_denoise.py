"""Noise taken off by what images tell of it: any kind, values in their unit, structure kept and none invented."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import cuello
from cuello.core.progress import silent
from cuello.denoising.page import write_report
from cuello.denoising.said import summary, values_of

SIGMA = 10.0


def scene(seed: int = 0, side: int = 96) -> np.ndarray:
    """Return a smooth scene of values from 80 to 600, ``(side, side)``."""
    y, x = np.mgrid[:side, :side] / side
    return 340 + 130 * np.sin(5 * x + seed) + 130 * np.cos(4 * y * (1 + x))


def photons(clean: np.ndarray, gain: float = 2.0, read: float = 3.0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return gain * random.poisson(clean / gain) + random.normal(0, read, clean.shape)


def rmse(image: np.ndarray, clean: np.ndarray) -> float:
    return float(np.sqrt(np.mean((image.astype(float) - clean) ** 2)))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_dark_and_negative_values_and_floats_need_no_range(dtype: Any) -> None:
    offset, unit = (-400.0, 1e-3) if np.dtype(dtype).kind == "f" else (-400.0 if dtype == np.int16 else 0.0, 1.0)
    clean = scene()
    noisy = ((photons(clean) + offset) * unit).astype(dtype)
    restored = cuello.denoise(noisy)
    assert (restored.shape, restored.dtype) == (noisy.shape, noisy.dtype)
    assert rmse(restored, (clean + offset) * unit) < rmse(noisy, (clean + offset) * unit) / 3


def test_a_flat_field_becomes_flat() -> None:
    noisy = 100 + SIGMA * np.random.default_rng(1).normal(size=(192, 192))
    restored = cuello.denoise(noisy)
    assert restored.std() < 0.15 * SIGMA
    assert abs(restored.mean() - noisy.mean()) < SIGMA / 192


def test_faint_lines_and_bright_points_stay() -> None:
    clean = np.full((128, 128), 100.0)
    clean[60, 10:118] += 3 * SIGMA
    clean[20:40:6, 20:110:18] += 10 * SIGMA
    noisy = clean + SIGMA * np.random.default_rng(2).normal(size=clean.shape)
    restored = cuello.denoise(noisy, repair=False)
    line, beside = restored[60, 10:118].mean(), restored[70, 10:118].mean()
    assert line - beside > 0.6 * 3 * SIGMA
    points = clean > 150
    assert restored[points].mean() - 100 > 0.8 * 10 * SIGMA


def test_brightness_is_kept_in_every_band() -> None:
    clean = np.repeat(np.array([4.0, 10.0, 40.0, 150.0]), 48)[:, None] + np.zeros((1, 192))
    noisy = photons(clean, gain=4, read=1)
    restored = cuello.denoise(noisy)
    for band in range(4):
        inside = slice(48 * band + 6, 48 * band + 42)
        error = noisy[inside].std() / np.sqrt(noisy[inside].size)
        assert abs(restored[inside].mean() - noisy[inside].mean()) < 3 * error


def test_what_is_no_number_stays_and_does_no_harm() -> None:
    clean = scene()
    noisy = photons(clean).astype(np.float32)
    noisy[:9] = np.nan
    noisy[50, 50] = np.inf
    restored = cuello.denoise(noisy)
    assert np.array_equal(np.isnan(restored), np.isnan(noisy))
    assert np.isinf(restored[50, 50])
    known = np.isfinite(noisy)
    assert rmse(restored[known], clean[known]) < rmse(noisy[known], clean[known]) / 3


def test_channels_have_noise_of_their_own() -> None:
    clean = np.stack([scene(), scene(3)], axis=2)
    noisy = np.stack([photons(clean[..., 0], gain=20), photons(clean[..., 1], gain=0.1, read=0.5)], axis=2)
    restored = cuello.denoise(noisy)
    for channel in range(2):
        alone = cuello.denoise(noisy[..., channel])
        assert np.allclose(restored[..., channel], alone, rtol=1e-5)


def test_transparency_stays() -> None:
    pixels = np.concatenate([np.stack([photons(scene()) / 3] * 3, 2), np.full((96, 96, 1), 255.0)], 2).astype(np.uint8)
    restored = cuello.denoise(pixels)
    assert np.array_equal(restored[..., 3], pixels[..., 3])
    assert not np.array_equal(restored[..., :3], pixels[..., :3])


def correlated(seed: int, sigma: float = 25, side: int = 192) -> np.ndarray:
    """Return noise that neighbours share, ``(side, side)``."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 0.9, mode="wrap")
    return sigma / noise.std() * noise


def test_correlated_noise_is_taken_off_too() -> None:
    clean = np.kron(scene(side=12), np.ones((16, 16)))
    noisy = clean + correlated(4)
    assert rmse(cuello.denoise(noisy), clean) < 0.55 * 25


def test_no_mesh_is_left_where_neighbours_share_their_noise() -> None:
    restored = cuello.denoise(100 + correlated(5))
    means = [restored[row::3, column::3] for row in range(3) for column in range(3)]
    apart = np.std(means, axis=0).mean()
    assert restored.std() < 0.35 * 25
    assert apart < 0.06 * 25


def test_a_report_shows_what_was_done(tmp_path: Path, command: Callable[..., Any], refused: Callable[..., str]) -> None:
    for number in range(2):
        Image.fromarray(photons(scene(number), seed=number).astype(np.uint16)).save(tmp_path / f"{number}.png")
    answer = command("denoise", tmp_path / "0.png", tmp_path / "1.png", tmp_path / "out", "--report", tmp_path / "page")
    assert answer.out.splitlines()[-1] == f"report: {tmp_path / 'page' / 'report.html'}"
    page = (tmp_path / "page" / "report.html").read_text("utf-8")
    assert page.count("<img") >= 2
    assert "0.png" in page
    assert (tmp_path / "page" / "figures" / "before-after.png").exists()
    again = ("denoise", tmp_path / "0.png", tmp_path / "other.png", "--report", tmp_path / "page")
    assert "report.html exists already" in refused(*again)
    assert not (tmp_path / "other.png").exists()


def test_the_same_kind_comes_back() -> None:
    noisy = (photons(scene()) / 3).astype(np.uint8)
    image = cuello.denoise(Image.fromarray(noisy))
    assert (image.mode, image.size) == ("L", (96, 96))
    expected = cuello.denoise(noisy)
    assert np.array_equal(np.asarray(image), expected)
    tensor = cuello.denoise(torch.from_numpy(noisy[None] / np.float32(255)))
    assert tensor.shape == (1, 96, 96)
    assert np.abs(255 * tensor[0].numpy() - expected).max() < 1
    (one,) = cuello.denoise([noisy])
    assert np.array_equal(one, expected)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        ((scene() > 300).astype(np.uint8), "two values: a mask"),
        (scene() > 300, "two values: a mask"),
        ((scene() // 100).astype(np.uint16), "labels"),
    ],
)
def test_masks_and_labels_are_refused(pixels: np.ndarray, said: str) -> None:
    with pytest.raises(cuello.CuelloError, match=said):
        cuello.denoise(pixels)


def test_an_image_without_noise_is_left_as_it_is() -> None:
    assert np.array_equal(cuello.denoise(scene()), scene())
    flat = np.full((64, 64), 7, np.uint16)
    assert np.array_equal(cuello.denoise(flat), flat)


def test_a_tiny_image_is_restored() -> None:
    clean = np.full((12, 10), 50.0)
    noisy = clean + np.random.default_rng(0).normal(0, 5, clean.shape)
    assert rmse(cuello.denoise(noisy), clean) < 0.8 * rmse(noisy, clean)


def test_a_folder_of_one_camera_is_measured_together(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(photons(scene(number), seed=number).astype(np.uint16)).save(tmp_path / f"{number}.png")
    other = photons(scene(7), gain=0.05, read=80)
    Image.fromarray(other.clip(0).astype(np.uint16)).save(tmp_path / "other.png")
    found = cuello.denoise(tmp_path, tmp_path.with_name("out"))
    assert len(found.written) == 4
    ((one,), (two,), (three,), (last,)) = found.channels
    assert one.kind is two.kind is three.kind is found.kinds[0]
    assert abs(one.kind.survey.model.gain - 2) < 0.3
    assert last.own
    alone = cuello.denoise(tmp_path, tmp_path.with_name("alone"), each=True)
    assert all(channel.own for channels in alone.channels for channel in channels)


def test_pages_of_a_stack_keep_their_type(tmp_path: Path) -> None:
    pages = np.stack([photons(scene(k), seed=k) for k in range(3)]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pages, imagej=True, metadata={"axes": "ZYX", "spacing": 0.5, "unit": "um"})
    cuello.denoise(tmp_path / "a.tif", tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["spacing"] == 0.5
        restored = file.asarray()
    assert (restored.shape, restored.dtype) == (pages.shape, pages.dtype)
    for k in range(3):
        assert rmse(restored[k], scene(k)) < rmse(pages[k], scene(k)) / 3


def test_hot_pixels_are_repaired_first() -> None:
    several = np.stack([photons(scene(k, side=64), seed=k) for k in range(5)])
    several[:, 20, 30] = 5000
    restored = cuello.denoise(several)
    assert np.abs(restored[:, 20, 30] - [scene(k, side=64)[20, 30] for k in range(5)]).max() < 60
    kept = cuello.denoise(several, repair=False)
    assert kept[:, 20, 30].min() > 4000


def test_what_it_says_and_what_it_refuses(
    tmp_path: Path, command: Callable[..., Any], refused: Callable[..., str]
) -> None:
    noisy = photons(scene()).astype(np.uint16)
    Image.fromarray(noisy).save(tmp_path / "a.png")
    answer = command("denoise", tmp_path / "a.png", tmp_path / "b.png")
    assert answer.code == 0
    assert "a.png: quick: σ " in answer.out
    assert "error now about 0." in answer.out
    assert "taken away" in answer.out
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), cuello.denoise(noisy))
    answer = command("denoise", tmp_path / "a.png", tmp_path / "b.png", "--overwrite", "--json")
    (channel,) = json.loads(answer.out)["files"][0]["channels"]
    assert (channel["method"], channel["measured_in"]) == ("quick", "the image")
    assert "exists already" in refused("denoise", tmp_path / "a.png", tmp_path / "b.png")
    assert "needed one of quick, normal, thorough" in refused(
        "denoise", tmp_path / "a.png", tmp_path / "c.png", "--effort", "much"
    )
    Image.fromarray((scene() > 300).astype(np.uint8)).save(tmp_path / "mask.png")
    answer = command("denoise", tmp_path / "a.png", tmp_path / "mask.png", tmp_path / "out")
    assert answer.code == 1
    assert "two values" in answer.error
    assert (tmp_path / "out" / "a.png").exists()


def test_files_and_memory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(cuello.CuelloError, match="of files"):
        cuello.denoise(scene(), tmp_path / "a.png")


def test_normal_learns_a_transform_where_no_model_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cuello.denoising.learned.STEPS", 60)
    clean = scene(side=128) / 600
    noisy = np.exp(3 * (clean + np.random.default_rng(0).normal(0, 0.06, clean.shape)))  # even before the exponential
    truth = np.exp(3 * clean + 9 * 0.06**2 / 2)
    quick, normal = cuello.denoise(noisy), cuello.denoise(noisy, effort="normal")
    assert rmse(normal, truth) < min(0.4 * rmse(noisy, truth), 1.02 * rmse(quick, truth))
    assert np.array_equal(normal, cuello.denoise(noisy, effort="normal"))


def test_thorough_trains_the_network_on_and_keeps_it_where_it_does_better(monkeypatch: pytest.MonkeyPatch) -> None:
    from cuello.denoising import kinds
    from cuello.denoising.denoise import shipped

    monkeypatch.setattr("cuello.denoising.learned.STEPS", 1)
    monkeypatch.setattr("cuello.denoising.adapted.STEPS", 6)
    noisy = photons(scene())
    before = [weight.clone() for weight in shipped().network.parameters()]
    trained = kinds.trained_on(
        kinds.kinds_of([noisy[..., None]], "thorough")[0], shipped(), seconds=60, progress=silent
    )
    again = kinds.trained_on(kinds.kinds_of([noisy[..., None]], "thorough")[0], shipped(), seconds=60, progress=silent)
    assert trained.network is not None
    assert again.network is not None
    pairs = list(zip(trained.network.network.parameters(), again.network.network.parameters(), strict=True))
    assert all(torch.equal(one, other) for one, other in pairs)
    assert all(torch.equal(*both) for both in zip(before, shipped().network.parameters(), strict=True))
    assert not all(torch.equal(one, other) for one, (other, _) in zip(before, pairs, strict=True))
    assert not kinds.does_better(trained, trained, shipped())
    restored = cuello.denoise(noisy, effort="thorough")
    assert rmse(restored, scene()) < rmse(noisy, scene()) / 3


@pytest.mark.parametrize("mean", [0.3, 0.7])
def test_few_counts_keep_their_brightness_in_whole_numbers(mean: float) -> None:
    noisy = np.random.default_rng(3).poisson(mean, (96, 96)).astype(np.uint8)
    restored = cuello.denoise(noisy)
    assert restored.dtype == np.uint8
    assert abs(restored.mean() - noisy.mean()) < 3 * np.sqrt(mean) / 96
    quarters = restored.reshape(2, 48, 2, 48).mean((1, 3))
    assert np.abs(quarters - mean).max() < 0.1 * mean + 3 * np.sqrt(mean) / 48


def test_noise_of_several_steps_is_rounded_to_the_nearest() -> None:
    noisy = (200 + 10 * np.random.default_rng(3).normal(size=(96, 96))).round()
    near = cuello.denoise(noisy.astype(np.int32)) - cuello.denoise(noisy)
    assert np.abs(near).max() <= 0.5 + 1e-6


def test_few_counts_are_said_to_be_rounded_by_turns(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(3).poisson(0.3, (96, 96)).astype(np.uint8)).save(tmp_path / "few.png")
    found = cuello.denoise(tmp_path / "few.png", tmp_path / "out.png")
    assert found.channels[0][0].stepped
    assert "rounded up and down by turns" in summary(found.channels[0])
    assert 0.25 < np.asarray(Image.open(tmp_path / "out.png")).mean() < 0.35


def test_a_score_that_could_not_be_had_is_said_to_be_none(tmp_path: Path) -> None:
    noisy = (100 + SIGMA * np.random.default_rng(4).normal(size=(8, 8))).round().astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "tiny.png")
    found = cuello.denoise(tmp_path / "tiny.png", tmp_path / "out.png")
    (one,) = found.channels[0]
    assert one.score is not None
    one = replace(one, score=replace(one.score, left=np.inf, left_error=np.nan, gain=-np.inf))
    page = write_report(tmp_path / "report", replace(found, channels=[[one]])).read_text()
    assert "too small to tell how much error is left; the image" in summary([one])
    assert "too small to tell how much error is left." in page
    assert "nan" not in summary([one])
    assert "± nan" not in page
    assert "inf ±" not in page
    assert values_of(one)["score"] is None
