"""Benchmarks, on small made-up sets that stand in for the published ones."""

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.core.registry import Registry
from cuello.core.resample import resize
from cuello.data.catalog import CATALOG, RemoteFile
from cuello.inference.model import Model
from cuello.jobs.images import benchmark as benchmarking
from cuello.jobs.images.benchmark import Benchmark, check_job, enlarging_pairs, noisy_pairs
from cuello.jobs.images.benchmark_page import result_of, table_rows
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact
from cuello.scoring.protocols import grey_denoising, super_resolution, to_8_bits
from cuello.scoring.published import PAPERS, PUBLISHED, published
from cuello.work.benchmark import benchmark


def write(folder: Path, name: str, pixels: torch.Tensor) -> RemoteFile:
    """Write ``(1, C, H, W)`` in [0, 1] as a PNG, and describe it as the catalogue does."""
    array = (to_8_bits(pixels.double()) * 255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()
    Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array).save(folder / name)
    return RemoteFile(name, hashlib.sha256((folder / name).read_bytes()).hexdigest(), f"https://127.0.0.1:9/{name}")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Registry]:
    """Write two pairs at scales 2 and 3 and two grey images; return their folder and a catalogue of them."""
    root = tmp_path_factory.mktemp("data")
    random = torch.Generator().manual_seed(0)
    files: dict[str, list[RemoteFile]] = {"set5": [], "set12": [], "bsd68": []}
    for name in files:
        (root / name).mkdir()
    for index, (height, width) in enumerate(((48, 36), (30, 60))):
        high = resize(torch.rand(1, 3, 8, 9, generator=random), (height, width)).clamp(0, 1)
        for scale in (2, 3):
            low = resize(high, scale=1 / scale)
            for kind, pixels in (("HR", high), ("LR", low)):
                files["set5"].append(write(root / "set5", f"img_{index}_SRF_{scale}_{kind}.png", pixels))
        for name in ("set12", "bsd68"):
            files[name].append(write(root / name, f"{index}.png", high.mean(1, keepdim=True)))
    return root, Registry("data set", [replace(CATALOG[n], files=lambda n=n: files[n]) for n in files])


@pytest.fixture(autouse=True)
def stand_ins(sets: tuple[Path, Registry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELLO_DATA", str(sets[0]))
    monkeypatch.setattr(benchmarking, "CATALOG", sets[1])


def untrained(
    name: str, channels: int = 1, scale: int | None = None, job: str = "denoise", noise: str | None = None
) -> Model:
    """Return a model as a file would give it; its last layer gives 0."""
    torch.manual_seed(0)
    architecture = architecture_of(name, channels, scale=scale)
    network: Any = build(architecture).eval()
    with torch.no_grad():
        network.layers[-1].bias.zero_()
    return Model(Artefact(architecture, job, noise, network.state_dict()), network)


def upscaler(scale: int = 2, channels: int = 1) -> Model:
    return untrained("up-s", channels, scale, "upscale", f"down:{scale}")


# What is measured


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_adds_nothing_is_bicubic(scale: int, channels: int) -> None:
    """Not to the bit: the network repeats pixels at the edges, and one channel skips the rounding of three."""
    found = benchmark("set5", upscaler(scale, channels))
    bicubic, ours = found.rows
    assert (bicubic.method, ours.method) == ("bicubic", "up-s")
    assert found.settings == [scale]
    for one, other in zip(bicubic.scores, ours.scores, strict=True):
        assert one.protocol == super_resolution(scale, one.protocol.metric)
        assert one.mean == pytest.approx(other.mean, rel=5e-3)
    psnr, ssim = bicubic.scores
    assert psnr.mean > 25
    assert 0.8 < ssim.mean < 1
    assert found.row(scale) == ours


def test_bicubic_is_measured_as_one_would_by_hand() -> None:
    found = benchmark("set5", upscaler())
    expected = [float(super_resolution(2).values(resize(low, scale=2), high)[0]) for _, low, high in enlarging_pairs(2)]
    assert len(expected) == 2
    assert found.rows[0].score("psnr").values == pytest.approx(tuple(expected))


def test_noise_is_as_strong_as_it_should_be_and_not_cut() -> None:
    for sigma in (15, 50):
        errors = torch.cat([(noisy - clean).flatten() for _, noisy, clean in noisy_pairs("set12", sigma, 0)])
        assert float(errors.std()) * 255 == pytest.approx(sigma, rel=0.05)
        assert abs(float(errors.mean())) * 255 < 0.1 * sigma
    lowest = min(float(noisy.min()) for _, noisy, _ in noisy_pairs("set12", 50, 0))
    assert lowest < 0


def test_every_seed_level_and_image_has_its_own_noise() -> None:
    def residuals(sigma: int, seed: int) -> list[torch.Tensor]:
        return [(noisy - clean).flatten()[:500] * 255 / sigma for _, noisy, clean in noisy_pairs("set12", sigma, seed)]

    first, again = residuals(15, 0), residuals(15, 0)
    assert torch.equal(first[0], again[0])
    for other in (first[1], residuals(15, 1)[0], residuals(50, 0)[0]):
        assert abs(float((first[0] * other).mean())) < 0.2
    assert float(first[0].square().mean()) == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize("name", ["set12", "bsd68"])
def test_a_denoiser_that_does_nothing_leaves_the_noise(name: Any) -> None:
    """Noise of σ is 20 log10(255 / σ) dB; cutting off and rounding move it a little."""
    found = benchmark(name, untrained("denoise-s", noise="gaussian:0..75"))
    assert found.settings == [15, 25, 50]
    for sigma in found.settings:
        score = found.row(sigma).score("psnr")
        assert score.protocol == grey_denoising()
        assert score.mean == pytest.approx(20 * math.log10(255 / int(sigma)), abs=0.6)
    assert "the network is told the noise's standard deviation" in found.notes


def test_a_network_that_takes_the_level_is_told_the_true_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def restore(self: Model, image: np.ndarray, progress: Any = None, level: float | None = None) -> np.ndarray:
        told.append(level)
        return image

    monkeypatch.setattr(Model, "restore", restore)
    benchmark("set12", untrained("denoise-s", noise="gaussian:25"))
    assert told == [15 / 255] * 2 + [25 / 255] * 2 + [50 / 255] * 2
    told.clear()
    benchmark("set12", untrained("dncnn-s", 3, noise="salt-pepper:0.1"))
    assert told == [None] * 6


def test_notes_say_what_is_unusual() -> None:
    notes = benchmark("set12", untrained("dncnn-s", 3, noise="salt-pepper:0.1")).notes
    assert "the network is for colour: grey goes through it as equal channels" in notes
    assert "the network was trained against salt-pepper:0.1, not Gaussian noise" in notes


def test_progress_is_told() -> None:
    seen = []
    benchmark("set5", upscaler(), progress=lambda event: seen.append((event.stage, event.done, event.total)))
    assert seen == [("bicubic, 2", 1, 2), ("bicubic, 2", 2, 2), ("up-s, 2", 1, 2), ("up-s, 2", 2, 2)]


# Mistakes


@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("set5", lambda: untrained("dncnn-s"), r"set5 measures networks that enlarge.*--scale 2.*set12 and bsd68"),
        ("set5", lambda: upscaler(5), "scales 2, 3 and 4; this network enlarges by 5"),
        ("set12", upscaler, "job is upscale by 2.*For enlarging there is set5"),
        ("bsd68", lambda: untrained("dncnn-s", job="upscale"), "job is upscale"),
    ],
)
def test_another_job_or_scale_is_refused(name: str, model: Callable[[], Model], said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        check_job(name, model())


def test_another_yardstick_is_refused() -> None:
    with pytest.raises(CuelloError, match="set6"):
        benchmark("set6", upscaler())


def test_images_that_are_not_there_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUELLO_DATA", str(tmp_path))
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(CuelloError, match="put the files into a folder set5/ and set CUELLO_DATA"):
        benchmark("set5", upscaler())


# Published numbers


def test_every_published_number_has_its_paper() -> None:
    rows = [row for yardstick in PUBLISHED.values() for row in yardstick]
    assert {row.method for row in rows} == set(PAPERS)
    assert all(20 < row.psnr < 40 for row in rows)
    keys = [(name, row.method, row.setting) for name, yardstick in PUBLISHED.items() for row in yardstick]
    assert len(set(keys)) == len(keys) == 17 + 12 + 12


def test_published_numbers_of_a_setting() -> None:
    assert [(row.method, row.psnr) for row in published("bsd68", 25)] == [
        ("BM3D", 28.57), ("FFDNet", 29.19), ("DnCNN", 29.23), ("DRUNet", 29.48),
    ]  # fmt: skip
    assert published("set5", 2)[0].ssim == 0.9292
    assert published("set5", 8) == []


# What comes out


@pytest.fixture(scope="module")
def found(sets: tuple[Path, Registry]) -> Benchmark:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUELLO_DATA", str(sets[0]))
        patch.setattr(benchmarking, "CATALOG", sets[1])
        return benchmark("set5", upscaler(3))


def test_the_csv_has_ours_and_theirs(found: Benchmark) -> None:
    rows = list(csv.DictReader(io.StringIO(result_of(found).csv)))
    assert [row["method"] for row in rows] == [
        "bicubic", "up-s", "bicubic", "SRCNN", "FSRCNN", "ESPCN", "VDSR", "EDSR",
    ]  # fmt: skip
    ours, srcnn = rows[1], rows[3]
    assert float(ours["psnr"]) == pytest.approx(found.row(3).score("psnr").mean, abs=1e-4)
    assert (ours["scale"], ours["origin"], ours["parameters"]) == ("3", "measured here", str(found.parameters))
    assert ours["protocol or source"] == str(super_resolution(3))
    assert (srcnn["psnr"], srcnn["ssim"], srcnn["origin"]) == ("32.75", "", "published")
    assert "Dong" in srcnn["protocol or source"]


def test_the_table_is_sorted(found: Benchmark) -> None:
    rows = table_rows(found)
    assert len(rows) == 8
    values = [float(row[3]) for row in rows]
    assert values == sorted(values)
    assert ["3", "EDSR", "about 43,000,000", "34.65", "", "published"] in rows


def saved(folder: Path, model: Model) -> Path:
    save_artefact(folder / FILE_NAME, model.artefact)
    return folder / FILE_NAME


def test_the_command(command: Any, tmp_path: Path) -> None:
    file = saved(tmp_path, upscaler())
    answer = command("benchmark", "set5", file, "--csv", tmp_path / "out" / "set5.csv", "--threads", 1)
    assert answer.code == 0
    assert str(super_resolution(2)) in " ".join(answer.out.split())
    for words in ("bicubic", "up-s", "FSRCNN", "measured here", "published", "note: luma alone"):
        assert words in answer.out
    assert "up-s" in (tmp_path / "out" / "set5.csv").read_text()
    again = command("benchmark", "set5", file, "--csv", tmp_path / "out" / "set5.csv")
    assert again.code == 2
    assert "--overwrite" in again.error


def test_the_command_for_machines(command: Any, tmp_path: Path) -> None:
    answer = command("benchmark", "set12", saved(tmp_path, untrained("denoise-s", noise="gaussian:25")), "--json")
    assert answer.code == 0
    result = json.loads(answer.out)
    assert result["benchmark"] == "set12"
    assert [row["sigma"] for row in result["measured"]] == [15, 25, 50]
    assert result["protocol"]["psnr"] == str(grey_denoising())
    assert len(result["published"]) == 12
    assert len(result["measured"][0]["each"]["ssim"]) == len(result["images"]) == 2


def test_the_command_refuses_a_denoiser_on_set5(command: Any, tmp_path: Path) -> None:
    answer = command("benchmark", "set5", saved(tmp_path, untrained("dncnn-s", noise="gaussian:25")))
    assert answer.code == 2
    assert "cuello train upscale" in answer.error


def test_the_function_is_public(tmp_path: Path) -> None:
    assert cuello.benchmark("set5", saved(tmp_path, upscaler())).row(2).score("psnr").mean > 25
