"""Benchmarks, on small made-up sets that stand in for the published ones."""

import csv
import hashlib
import io
import json
import math
import os
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
from cuello.jobs.images import network_cost, yardsticks
from cuello.jobs.images.benchmark import Benchmark
from cuello.jobs.images.benchmark_page import result_of, table_rows
from cuello.jobs.images.yardsticks import YARDSTICKS, compressed_pairs, enlarging_pairs, noisy_pairs
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact
from cuello.scoring.protocols import super_resolution, to_8_bits, whole_image
from cuello.scoring.published import PAPERS, PUBLISHED, published
from cuello.work.benchmark import benchmark

DATA = os.environ.get("CUELLO_DATA", "")
HERE = DATA if DATA and (Path(DATA) / "classic5").is_dir() else ""
"""Where the published images lie on this machine; "": nowhere."""


def write(folder: Path, name: str, pixels: torch.Tensor) -> RemoteFile:
    """Write ``(1, C, H, W)`` in [0, 1] as a PNG, and describe it as the catalogue does."""
    array = (to_8_bits(pixels.double()) * 255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()
    Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array).save(folder / name)
    return RemoteFile(name, hashlib.sha256((folder / name).read_bytes()).hexdigest(), f"https://127.0.0.1:9/{name}")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Registry]:
    """Write two pairs at scales 2 and 3 and two images of each; return their folder and a catalogue of them."""
    root = tmp_path_factory.mktemp("data")
    random = torch.Generator().manual_seed(0)
    names = ("set5", "set12", "bsd68", "cbsd68", "classic5", "live1")
    files: dict[str, list[RemoteFile]] = {name: [] for name in names}
    for name in files:
        (root / name).mkdir()
    for index, (height, width) in enumerate(((48, 36), (30, 60))):
        high = resize(torch.rand(1, 3, 8, 9, generator=random), (height, width)).clamp(0, 1)
        for scale in (2, 3):
            low = resize(high, scale=1 / scale)
            for kind, pixels in (("HR", high), ("LR", low)):
                files["set5"].append(write(root / "set5", f"img_{index}_SRF_{scale}_{kind}.png", pixels))
        for name in names[1:]:
            image = high if name == "cbsd68" else high.mean(1, keepdim=True)
            file = f"{('bikes', 'monarch')[index]}.png" if name == "live1" else f"{index}.png"
            files[name].append(write(root / name, file, image))
    return root, Registry("data set", [replace(CATALOG[n], files=lambda n=n: files[n]) for n in files])


@pytest.fixture(autouse=True)
def stand_ins(sets: tuple[Path, Registry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELLO_DATA", str(sets[0]))
    monkeypatch.setattr(yardsticks, "CATALOG", sets[1])
    monkeypatch.setattr(network_cost, "SIDE", 32)


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
    expected = [
        float(super_resolution(2).values(resize(low, scale=2), high)[0])
        for _, low, high in enlarging_pairs("set5", 2, 0)
    ]
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


@pytest.mark.parametrize("name", ["set12", "bsd68", "cbsd68"])
def test_a_denoiser_that_does_nothing_leaves_the_noise(name: Any) -> None:
    """Noise of σ is 20 log10(255 / σ) dB; cutting off and rounding move it a little."""
    found = benchmark(name, untrained("denoise-s", noise="gaussian:0..75"))
    assert found.settings == [15, 25, 50]
    for sigma in found.settings:
        score = found.row(sigma).score("psnr")
        assert score.protocol == whole_image()
        assert score.mean == pytest.approx(20 * math.log10(255 / int(sigma)), abs=0.8)
        assert found.row(sigma, "noisy input").score("psnr").mean == pytest.approx(score.mean, abs=0.05)
    assert "the network is told the noise's standard deviation" in found.notes


def test_a_network_that_takes_the_level_is_told_the_true_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def restore(self: Model, image: np.ndarray, progress: Any = None, level: float | None = None) -> np.ndarray:
        told.append(level)
        return image

    monkeypatch.setattr(Model, "restore", restore)
    monkeypatch.setattr(network_cost, "milliseconds_of", lambda model, size: 1.0)
    benchmark("set12", untrained("denoise-s", noise="gaussian:25"))
    assert told == [15 / 255] * 2 + [25 / 255] * 2 + [50 / 255] * 2
    told.clear()
    benchmark("set12", untrained("dncnn-s", 3, noise="salt-pepper:0.1"))
    assert told == [None] * 6


def test_notes_say_what_is_unusual() -> None:
    notes = benchmark("set12", untrained("dncnn-s", 3, noise="salt-pepper:0.1")).notes
    assert "the network is for colour: grey goes through it as equal channels" in notes
    assert "the network was trained against salt-pepper:0.1, not Gaussian noise" in notes


def test_colour_goes_through_a_network_of_one_channel_a_channel_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def restore(self: Model, image: np.ndarray, progress: Any = None, level: float | None = None) -> np.ndarray:
        seen.append(image.shape[2])
        return np.zeros_like(image)

    said = "the network is of one channel: red, green and blue go through it one at a time"
    assert said in benchmark("cbsd68", untrained("dncnn-s", noise="gaussian:25")).notes
    model = untrained("dncnn-s", noise="gaussian:25")
    _, noisy, _ = noisy_pairs("cbsd68", 25, 0)[0]
    whole = yardsticks.denoise(model, 25, noisy)
    for channel in range(3):
        alone = yardsticks.denoise(model, 25, noisy[:, channel : channel + 1])
        torch.testing.assert_close(whole[:, channel : channel + 1], alone, atol=1e-5, rtol=0)
    monkeypatch.setattr(Model, "restore", restore)
    monkeypatch.setattr(network_cost, "milliseconds_of", lambda model, size: 1.0)
    found = benchmark("cbsd68", untrained("dncnn-s", 3, noise="gaussian:25"))
    assert set(seen) == {3}
    assert said not in found.notes
    assert "the network is for colour: grey goes through it as equal channels" not in found.notes


@pytest.mark.parametrize("name", ["classic5", "live1"])
def test_jpeg_is_measured_as_one_would_by_hand(name: Any, sets: tuple[Path, Registry]) -> None:
    found = benchmark(name, untrained("dncnn-s", noise="jpeg:10..40"))
    assert (found.unit, found.settings, found.metrics) == ("quality", [10, 20, 30, 40], ["psnr", "psnr-b", "ssim"])
    for quality in found.settings:
        expected = []
        for file in sorted((sets[0] / name).iterdir()):
            clean, stream = Image.open(file), io.BytesIO()
            clean.save(stream, "JPEG", quality=int(quality))
            error = np.asarray(clean).astype(float) - np.asarray(Image.open(stream)).astype(float)
            expected.append(20 * math.log10(255) - 10 * math.log10((error**2).mean()))
        jpeg = found.row(quality, "JPEG")
        assert jpeg.score("psnr").values == pytest.approx(expected, abs=1e-6)
        assert jpeg.score("psnr-b").mean <= jpeg.score("psnr").mean
    assert [found.row(quality, "JPEG").score("psnr").mean for quality in found.settings] == sorted(
        found.row(quality, "JPEG").score("psnr").mean for quality in found.settings
    )


def test_what_jpeg_leaves_does_not_depend_on_the_seed() -> None:
    first, other = compressed_pairs("classic5", 10, 0), compressed_pairs("classic5", 10, 1)
    assert all(torch.equal(one[1], two[1]) for one, two in zip(first, other, strict=True))


def test_notes_on_jpeg_say_what_is_unusual() -> None:
    notes = benchmark("classic5", untrained("denoise-s", 3, noise="gaussian:25")).notes
    assert "the network takes a noise level, which it estimates" in notes
    assert "the network is for colour: grey goes through it as equal channels" in notes
    assert "the network was trained against gaussian:25, not JPEG" in notes
    assert not any("not JPEG" in note for note in benchmark("classic5", untrained("dncnn-s", noise="jpeg:30")).notes)


def test_images_that_a_network_was_trained_on_are_no_test_of_it() -> None:
    """Of the two stand-ins, bikes is Kodak's and monarch is not."""
    said = "1 of the 2 images are in open-photos too: they are no test of a network that was trained there"
    model = untrained("dncnn-s", noise="jpeg:10")
    assert said in benchmark("live1", model).notes
    model = replace(model, artefact=replace(model.artefact, trained_on="open-photos: 33 photographs"))
    assert any("where dncnn-s was trained" in note for note in benchmark("live1", model).notes)
    model = replace(model, artefact=replace(model.artefact, training={"data": "open-photos"}, trained_on=""))
    found = benchmark("live1", model)
    values = [found.row(quality, "JPEG").score("psnr").values[1] for quality in found.settings]
    note = next(note for note in found.notes if "where dncnn-s was trained" in note)
    assert f"JPEG {', '.join(f'{value:.2f}' for value in values)} dB; dncnn-s " in note
    assert not any("open-photos" in note for note in benchmark("classic5", model).notes)


@pytest.mark.parametrize("name", [spec.name for spec in YARDSTICKS])
def test_every_yardstick_is_a_test_set_with_published_numbers(name: Any) -> None:
    assert CATALOG[name].test_only
    assert {row.setting for row in PUBLISHED[name]} == set(YARDSTICKS[name].kind.settings)
    assert set(YARDSTICKS[name].own) <= {file.name for file in CATALOG[name].files()}


def test_progress_is_told() -> None:
    seen = []
    benchmark("set5", upscaler(), progress=lambda event: seen.append((event.stage, event.done, event.total)))
    assert seen == [("bicubic, 2", 1, 2), ("bicubic, 2", 2, 2), ("up-s, 2", 1, 2), ("up-s, 2", 2, 2)]


# Mistakes


@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("set5", lambda: untrained("dncnn-s"), r"set5 measures networks that enlarge.*--scale 2.*set12, bsd68 and cb"),
        ("set5", lambda: upscaler(5), "scales 2, 3 and 4; this network enlarges by 5"),
        ("set12", upscaler, "job is upscale by 2.*For enlarging there is set5"),
        ("bsd68", lambda: untrained("dncnn-s", job="upscale"), "job is upscale"),
        ("classic5", upscaler, "removal of JPEG's artefacts; this network's job is upscale by 2.*--noise jpeg:10..40"),
        ("cbsd68", lambda: untrained("dncnn-s", 4), r"1 or 3 channels, this network takes 4.*cuello benchmark FOLDER"),
    ],
)
def test_another_job_or_scale_is_refused(name: str, model: Callable[[], Model], said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        YARDSTICKS[name].kind.check(name, model())


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
    assert len(set(keys)) == len(keys) == 17 + 12 + 12 + 9 + 16 + 16


def test_published_numbers_of_a_setting() -> None:
    assert [(row.method, row.psnr) for row in published("bsd68", 25)] == [
        ("BM3D", 28.57), ("FFDNet", 29.19), ("DnCNN", 29.23), ("DRUNet", 29.48),
    ]  # fmt: skip
    assert published("set5", 2)[0].ssim == 0.9292
    assert published("set5", 8) == []
    jpeg = published("classic5", 10)[0]
    assert (jpeg.method, jpeg.psnr, jpeg.ssim, jpeg.psnr_b) == ("JPEG", 27.82, 0.76, 25.21)


@pytest.mark.skipif(not HERE, reason="needs classic5: CUELLO_DATA")
def test_jpeg_gives_the_published_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELLO_DATA", HERE)
    monkeypatch.setattr(yardsticks, "CATALOG", CATALOG)
    for row in [row for row in PUBLISHED["classic5"] if row.method == "JPEG"]:
        _, noisy, clean = zip(*compressed_pairs("classic5", row.setting, 0), strict=True)
        scores = {
            one.metric: one.score([x[0] for x in noisy], [y[0] for y in clean]).mean
            for one in yardsticks.quality_protocols(row.setting)
        }
        assert scores["psnr"] == pytest.approx(row.psnr, abs=0.02)
        assert scores["psnr-b"] == pytest.approx(row.psnr_b, abs=0.02)
        assert scores["ssim"] == pytest.approx(row.ssim, abs=0.001)


# What comes out


@pytest.fixture(scope="module")
def found(sets: tuple[Path, Registry]) -> Benchmark:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUELLO_DATA", str(sets[0]))
        patch.setattr(yardsticks, "CATALOG", sets[1])
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
    cost = result["costs"]["denoise-s"]
    assert cost["multiply_adds_a_pixel"] > 1000
    assert cost["milliseconds"] > 0
    assert cost["size"] == [32, 32]
    assert [row["sigma"] for row in result["measured"]] == [15, 15, 25, 25, 50, 50]
    assert result["protocol"]["psnr"] == str(whole_image())
    assert len(result["published"]) == 12
    assert len(result["measured"][0]["each"]["ssim"]) == len(result["images"]) == 2


def test_the_command_has_psnr_b_of_jpeg_in_every_form(command: Any, tmp_path: Path) -> None:
    file = saved(tmp_path, untrained("dncnn-s", noise="jpeg:10..40"))
    answer = command("benchmark", "classic5", file, "--csv", tmp_path / "all.csv", "-o", tmp_path / "page")
    assert answer.code == 0
    assert "PSNR-B" in answer.out
    assert "What the networks cost" in answer.out
    row = next(line for line in answer.out.splitlines() if "AR-CNN" in line)
    assert row.split() == ["10", "AR-CNN", "about", "106,000", "29.03", "28.76", "0.793", "published"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
    assert {row["psnr-b"] for row in rows if row["method"] == "FBCNN"} == {"29.8", "31.74", "32.78", "33.48"}
    page = (tmp_path / "page" / "benchmark.html").read_text()
    assert "PSNR-B" in page
    assert "What the networks cost" in page
    ours = next(row for row in rows if row["method"] == "dncnn-s")
    assert float(ours["multiply_adds_a_pixel"]) > 1000
    assert float(ours["milliseconds"]) > 0
    result = json.loads(command("benchmark", "classic5", file, "--json").out)
    assert result["published"][0]["psnr-b"] == 25.21
    assert set(result["measured"][0]["each"]) == {"psnr", "psnr-b", "ssim"}


def test_the_command_refuses_a_denoiser_on_set5(command: Any, tmp_path: Path) -> None:
    answer = command("benchmark", "set5", saved(tmp_path, untrained("dncnn-s", noise="gaussian:25")))
    assert answer.code == 2
    assert "cuello train upscale" in answer.error


def test_the_function_is_public(tmp_path: Path) -> None:
    assert cuello.benchmark("set5", saved(tmp_path, upscaler())).row(2).score("psnr").mean > 25
