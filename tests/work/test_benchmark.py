"""Benchmarks of several networks, of repeats, and on images of the user's."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.jobs.images import network_cost
from cuello.jobs.images.benchmark import Benchmark, BenchmarkRow
from cuello.jobs.images.benchmark_figures import dots_at
from cuello.jobs.images.benchmark_page import (
    BenchmarkDifference,
    difference_of,
    differences_of,
    headline,
    result_of,
    table_rows,
)
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import FILE_NAME, Artefact, save_artefact
from cuello.runs.directory import Run
from cuello.scoring.protocols import Protocol, ProtocolScore
from cuello.scoring.repeats import PairedDifference
from cuello.work.benchmark import entrants_of

OWN = """
import torch
from torch import nn


class Same(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return self.layer(x)
"""


def row(method: str, values: list[float], seed: int | None = None) -> BenchmarkRow:
    return BenchmarkRow(method, "gaussian:25", (ProtocolScore(Protocol("psnr", rounded=False), tuple(values)),), seed)


def made(*rows: BenchmarkRow, networks: tuple[str, ...] = ("ours", "other")) -> Benchmark:
    count = len(rows[0].scores[0].values)
    return Benchmark("photos", "noise", dict.fromkeys(networks, 10), tuple(map(str, range(count))), rows)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are timed on a small image."""
    monkeypatch.setattr(network_cost, "SIDE", 32)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six grey images, coarse squares, as PNG files."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for place in range(6):
        coarse = random.integers(0, 255, (4, 5), np.uint8)
        Image.fromarray(coarse.repeat(6, 0).repeat(6, 1)).save(folder / f"{place}.png")
    return folder


@pytest.fixture(scope="module")
def runs(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with three seeds, another with two, and one of somebody's own."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "own.py").write_text(OWN)
    small: dict[str, Any] = {
        "noise": "gaussian:25", "crop": 16, "samples": 8, "validation_samples": 4, "epochs": 1, "threads": 1,
        "report": False,
    }  # fmt: skip
    cuello.train_repeats("denoise", photos, repeats=3, model="conv-single", output=folder / "single", **small)
    cuello.train_repeats("denoise", photos, repeats=2, model="conv-16", output=folder / "sixteen", **small)
    cuello.train("denoise", photos, model=f"{folder / 'own.py'}:Same", output=folder / "own", **small)
    return folder


def denoiser(
    name: str = "dncnn-s", channels: int = 1, job: str = "denoise", noise: str | None = "gaussian:25"
) -> Model:
    torch.manual_seed(0)
    architecture = architecture_of(name, channels)
    network = build(architecture).eval()
    return Model(Artefact(architecture, job, noise, network.state_dict()), network)


# What is measured


def test_on_images_of_the_users_it_measures_what_evaluate_does(photos: Path, runs: Path) -> None:
    found = cuello.benchmark(photos, runs / "single" / "seed-0", baselines=["input", "median-3"], seed=3)
    evaluated = cuello.evaluate(
        runs / "single" / "seed-0", photos, report=False, seed=3, baselines=["input", "median-3"]
    )
    assert found.settings == ["gaussian:25"]
    assert found.methods == ["degraded input", "median 3×3", "conv-single"]
    for label, name in (("degraded input", "input"), ("median 3×3", "median-3"), ("conv-single", "network")):
        for metric in ("psnr", "ssim"):
            expected = evaluated.method(name).scores[metric]
            assert found.row("gaussian:25", label).score(metric).values == pytest.approx(tuple(expected))
    assert found.images == tuple(f"{place}.png" for place in range(6))


def test_repeats_are_one_network(photos: Path, runs: Path) -> None:
    found = cuello.benchmark(photos, [runs / "single", runs / "sixteen"], baselines=["input"], sweep=[10, 50])
    assert found.settings == ["gaussian:10", "gaussian:50"]
    assert list(found.networks) == ["single", "sixteen"]
    assert [row.seed for row in found.rows_of("gaussian:10", "single")] == [0, 1, 2]
    assert [row.seed for row in found.rows_of("gaussian:50", "sixteen")] == [0, 1]
    values = [row.score("psnr").mean for row in found.rows_of("gaussian:10", "single")]
    spread = found.spread("gaussian:10", "single")
    assert spread is not None
    assert (spread.mean, spread.deviation) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    alone = cuello.benchmark(photos, runs / "single" / "seed-2", baselines=["input"], sweep=[10, 50])
    assert alone.row("gaussian:50").score("psnr") == found.rows_of("gaussian:50", "single")[2].score("psnr")


def test_own_networks_take_part(photos: Path, runs: Path) -> None:
    code = f"{runs / 'own.py'}:Same"
    found = cuello.benchmark(
        photos, [runs / "own", runs / "sixteen" / "seed-0"], code=code, most=2, baselines=["input"]
    )
    assert found.networks["own"] == 2
    assert len(found.images) == 2
    with pytest.raises(CuelloError, match="code is run only if you name it"):
        cuello.benchmark(photos, [runs / "own", runs / "sixteen" / "seed-0"])


def test_grey_images_go_through_networks_for_colour(photos: Path) -> None:
    found = cuello.benchmark(photos, [denoiser(), denoiser("dncnn-m", 3)], baselines=["input"], noise="gaussian:5")
    assert found.methods == ["degraded input", "dncnn-s", "dncnn-m"]
    assert "dncnn-m is for colour: grey goes through it as equal channels" in found.notes
    assert found.row("gaussian:5", "degraded input").score("psnr").mean == pytest.approx(20 * math.log10(51), abs=1)


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six colour images of coarse squares."""
    folder = tmp_path_factory.mktemp("coloured")
    random = np.random.default_rng(1)
    for place in range(6):
        coarse = random.integers(0, 255, (4, 5, 3), np.uint8)
        Image.fromarray(coarse.repeat(6, 0).repeat(6, 1)).save(folder / f"{place}.png")
    return folder


def upscaler(name: str, channels: int = 1, noise: str = "down:2") -> Model:
    torch.manual_seed(0)
    architecture = architecture_of(name, channels, scale=2)
    network = build(architecture).eval()
    return Model(Artefact(architecture, "upscale", noise, network.state_dict()), network)


def test_colour_is_measured_in_colour_where_it_is_asked_for(coloured: Path) -> None:
    models, asked = [denoiser(), denoiser("dncnn-m", 3)], {"baselines": ["input"], "noise": "gaussian:25"}
    found = cuello.benchmark(coloured, models, channels=3, **asked)
    assert "dncnn-s is of one channel: red, green and blue go through it one at a time" in found.notes
    assert not any("grey goes" in note for note in found.notes)
    grey = cuello.benchmark(coloured, models, **asked)
    assert "dncnn-m is for colour: grey goes through it as equal channels" in grey.notes
    assert found.row("gaussian:25", "degraded input") != grey.row("gaussian:25", "degraded input")
    alone = cuello.benchmark(coloured, denoiser("dncnn-m", 3), **asked)
    assert found.row("gaussian:25", "dncnn-m").scores == alone.row("gaussian:25").scores


def test_a_range_is_its_middle_or_drawn_for_every_image(photos: Path) -> None:
    asked: dict[str, Any] = {"noise": "gaussian:5..95", "baselines": ["input"]}
    middle = cuello.benchmark(photos, denoiser(), **asked)
    assert middle.settings == ["gaussian:50"]
    assert "ranges of the noise count at their middle" in middle.notes
    drawn = cuello.benchmark(photos, denoiser(), ranges="drawn", **asked)
    assert drawn.settings == ["gaussian:5..95"]
    assert any("a value drawn anew for every image" in note for note in drawn.notes)
    values = drawn.row("gaussian:5..95", "degraded input").score("psnr").values
    narrow = middle.row("gaussian:50", "degraded input").score("psnr").values
    assert max(values) - min(values) > 2 * (max(narrow) - min(narrow))
    again = cuello.benchmark(photos, denoiser(), ranges="drawn", **asked)
    assert again.row("gaussian:5..95", "degraded input").score("psnr").values == values
    other = cuello.benchmark(photos, denoiser(), ranges="drawn", seed=1, **asked)
    assert other.row("gaussian:5..95", "degraded input").score("psnr").values != values
    assert not any("range" in note for note in cuello.benchmark(photos, denoiser(), noise="gaussian:5").notes)


def test_a_sweep_of_what_is_drawn_fixes_the_main_level_alone(photos: Path) -> None:
    asked: dict[str, Any] = {"noise": "blur:0..1+gaussian:0..9", "sweep": [0.5, 1], "baselines": ["input"]}
    found = cuello.benchmark(photos, denoiser(), ranges="drawn", **asked)
    assert found.settings == ["blur:0.5+gaussian:0..9", "blur:1+gaussian:0..9"]


def test_upscaling_of_what_cameras_give_beside_bicubic(command: Any, coloured: Path, tmp_path: Path) -> None:
    models = [upscaler("up-s", 3, noise="real-x2"), upscaler("espcn")]
    found = cuello.benchmark(coloured, models, noise="real-x2", ranges="drawn", channels=3)
    (setting,) = found.settings
    assert setting == parse("real-x2").spec()
    assert {"up-s", "espcn"} < set(found.methods)
    assert any("icubic" in method for method in found.methods)
    assert "espcn is of one channel: red, green and blue go through it one at a time" in found.notes
    assert "espcn was trained against down:2" in found.notes
    assert not any(note.startswith("up-s was trained") for note in found.notes)
    save_artefact(tmp_path / FILE_NAME, models[0].artefact)
    answer = command(
        "benchmark",
        coloured,
        tmp_path / FILE_NAME,
        "--noise",
        "real-x2",
        "--ranges",
        "drawn",
        "--channels",
        3,
        "--json",
    )
    assert answer.code == 0
    measured = {row["method"]: row["psnr"] for row in json.loads(answer.out)["measured"]}
    assert measured["up-s"] == pytest.approx(found.row(setting, "up-s").score("psnr").mean)


def test_impulses_in_images_of_16_bits_at_every_share(tmp_path: Path) -> None:
    """What an impulse leaves of an image of 16 bits is measured in its own range; 90% of it is worse than 20%."""
    random = np.random.default_rng(2)
    for place in range(5):
        coarse = random.integers(5000, 60000, (4, 5), np.uint16).repeat(6, 0).repeat(6, 1)
        Image.fromarray(coarse).save(tmp_path / f"{place}.png")
    model = denoiser("impulse-s", noise="salt-pepper:0.1..0.9")
    found = cuello.benchmark(
        tmp_path, model, noise="salt-pepper:0.2", sweep=[0.2, 0.9], baselines=["input", "adaptive-median"]
    )
    assert found.settings == ["salt-pepper:0.2", "salt-pepper:0.9"]
    assert {"degraded input", "impulse-s"} < set(found.methods)
    light, heavy = (found.row(setting, "degraded input").score("psnr").mean for setting in found.settings)
    assert heavy == pytest.approx(light + 10 * math.log10(0.2 / 0.9), abs=0.7)


def test_dead_and_hot_pixels_of_each_channel(coloured: Path) -> None:
    model = denoiser("impulse-s", 3, noise="salt-pepper:0.1..0.9")
    found = cuello.benchmark(coloured, model, noise="salt-pepper:0.2,per=channel", baselines=["input"])
    assert found.settings == ["salt-pepper:0.2,per=channel"]
    assert found.row("salt-pepper:0.2,per=channel", "degraded input").score("psnr").mean < 20


def test_images_from_python(photos: Path) -> None:
    arrays = [np.asarray(Image.open(photos / f"{place}.png")) for place in range(6)]
    found = cuello.benchmark(np.stack(arrays), denoiser(), noise="gaussian:5", baselines=["input"])
    files = cuello.benchmark(photos, [denoiser()], noise="gaussian:5", baselines=["input"])
    assert found.name == "images"
    assert found.row("gaussian:5").score("psnr") == files.row("gaussian:5").score("psnr")


def test_an_image_that_a_method_restores_perfectly_counts_for_nothing(tmp_path: Path) -> None:
    for place in range(3):
        pixels = np.random.default_rng(place).integers(1, 255, (12, 12), np.uint8) if place else np.zeros((12, 12))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{place}.png")
    found = cuello.benchmark(tmp_path, denoiser(), noise="speckle:10", baselines=["input"])
    assert found.images == ("1.png", "2.png"), "the noise is a share of the value: black stays black"
    assert len(found.row("speckle:10", "degraded input").score("psnr").values) == 2
    assert any("1 of these are not counted" in note for note in found.notes)


def test_binary_images_are_judged_by_wrong_pixels(tmp_path: Path) -> None:
    """Pixels on the wrong side of one half by hand, from the same noise; images that are perfect count too."""
    clean = [np.kron(np.random.default_rng(place).random((3, 4)) > 0.5, np.ones((4, 4))) for place in range(6)]
    clean[0] = np.zeros((12, 16))
    for place, pixels in enumerate(clean):
        Image.fromarray((255 * pixels).astype(np.uint8)).save(tmp_path / f"{place}.png")
    found = cuello.benchmark(tmp_path, denoiser(), noise="speckle:1", baselines=["input", "median-3"], seed=3)
    assert found.metrics == ["wrong", "psnr", "ssim"]
    assert len(found.images) == 6
    noisy = parse("speckle:1")
    wrong = []
    for place, pixels in enumerate(clean):
        x = torch.from_numpy(pixels).float()[None, None]
        spoiled = noisy(x, generator(3, "evaluation noise", 0, place))  # type: ignore[operator]
        wrong.append(int(((spoiled >= 0.5) != (x >= 0.5)).sum()))
    left = found.row("speckle:1", "degraded input")
    assert left.score("wrong").values == tuple(wrong)
    assert wrong[0] == 0, "black stays black"
    assert math.isnan(left.score("psnr").values[0])
    assert math.isfinite(left.score("psnr").mean)
    assert any("1 of these are not counted in PSNR" in note for note in found.notes)
    assert found.examples[0].caption("dncnn-s").endswith(" wrong")
    result = result_of(found)
    assert json.loads(result.json)["measured"][0]["each"]["psnr"][0] is None
    assert "Fewest wrong pixels per image. speckle:1: " in str(result.shown)


# What it says


def test_fewer_wrong_pixels_are_better_whatever_the_psnr() -> None:
    def binary(method: str, wrong: list[float], psnr: float, seed: int | None = None) -> BenchmarkRow:
        return BenchmarkRow(
            method,
            "gaussian:25",
            (
                ProtocolScore(Protocol("wrong", rounded=False), tuple(wrong)),
                ProtocolScore(Protocol("psnr", rounded=False), (psnr,) * len(wrong)),
            ),
            seed,
        )

    found = made(binary("median", [9.0] * 5, 40.0), binary("ours", [2.0] * 5, 20.0), binary("other", [5.0] * 5, 30.0))
    item = difference_of(found, "gaussian:25", "ours", "other")
    assert (item.mean, item.low, item.high, item.wins, item.words) == (3.0, 3.0, 3.0, 5, "ours is better")
    assert [(one.first, one.second) for one in differences_of(found)] == [("ours", "other"), ("ours", "median")]
    assert [cells[1:4] for cells in table_rows(found)] == [
        ["median", "", "9.00"], ["other", "10", "5.00"], ["ours", "10", "2.00"],
    ]  # fmt: skip
    assert headline(found, differences_of(found)) == (
        "Fewest wrong pixels per image. gaussian:25: ours, 2.00 (next other, 5.00)."
    )
    assert [name for name, *_ in dots_at(found, "gaussian:25")] == ["median", "other", "ours"], "the best on top"
    line = next(csv.DictReader(io.StringIO(result_of(found).csv)))
    assert (line["wrong"], line["psnr"]) == ("9.00", "40.0000")


def test_differences_worked_by_hand() -> None:
    found = made(
        row("ours", [30.0] * 5, 0), row("ours", [32.0] * 5, 1), row("other", [29.0] * 5, 0), row("other", [30.0] * 5, 1)
    )
    item = difference_of(found, "gaussian:25", "ours", "other")
    assert (item.mean, item.low, item.high, item.wins) == (1.5, 1.5, 1.5, 5)
    assert item.seeds is not None
    assert (item.seeds.mean, item.seeds.count) == (1.5, 2)
    assert item.words == "cannot be told apart", "two seeds, 1 and 2 dB: Student's interval reaches below zero"


@pytest.mark.parametrize(
    ("low", "high", "seeds", "said"),
    [
        (0.1, 1.0, None, "a is better"),
        (-1.0, -0.1, None, "b is better"),
        (-0.1, 1.0, None, "cannot be told apart"),
        (math.nan, math.nan, None, "too few images"),
        (0.1, 1.0, (0.2, 0.9), "a is better"),
        (0.1, 1.0, (-0.2, 0.9), "cannot be told apart"),
    ],
)
def test_better_is_said_only_where_every_interval_says_so(low: float, high: float, seeds: Any, said: str) -> None:
    paired = None if seeds is None else PairedDifference(0.5, *seeds, count=3, ratio=1.0)
    assert BenchmarkDifference("x", "a", "b", 0.5, low, high, 3, paired).words == said


def test_which_are_compared() -> None:
    few = made(row("median", [28.0] * 5), row("ours", [30.0] * 5), row("other", [31.0] * 5))
    assert [(one.first, one.second) for one in differences_of(few)] == [("other", "ours"), ("other", "median")]
    names = tuple(f"net-{place}" for place in range(7))
    many = made(*(row(name, [30.0 + place] * 5) for place, name in enumerate(names)), networks=names)
    assert {one.first for one in differences_of(many)} == {"net-6"}
    assert len(differences_of(many)) == 6


def test_the_csv_has_a_line_for_every_run() -> None:
    found = made(
        row("median", [28.0, 28.5]), row("ours", [30.0, 31.0], 0), row("ours", [32.0, 33.0], 1), networks=("ours",)
    )
    lines = list(csv.DictReader(io.StringIO(result_of(found).csv)))
    assert [(line["method"], line["seed"], line["psnr"], line["ssim"]) for line in lines] == [
        ("median", "", "28.2500", ""), ("ours", "0", "30.5000", ""), ("ours", "1", "32.5000", ""),
    ]  # fmt: skip


# The command


def test_the_command(command: Any, photos: Path, runs: Path, tmp_path: Path) -> None:
    words = ("benchmark", photos, runs / "single", runs / "sixteen", "--noise", "gaussian:25", "--most", 5)
    answer = command(*words, "-o", tmp_path / "out", "--threads", 1)
    assert answer.code == 0, answer.error
    for said in ("single", "sixteen", "3 runs", "±", "Differences of PSNR", "told apart", "Highest mean PSNR"):
        assert said in " ".join(answer.out.split())
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert names == {"benchmark.html", "benchmark.csv", "figures/scores.png", "figures/images.png"}
    again = command(*words, "-o", tmp_path / "out")
    assert again.code == 2
    assert "--overwrite" in again.error


def test_the_command_for_machines(command: Any, photos: Path, runs: Path) -> None:
    answer = command("benchmark", photos, runs / "single", runs / "sixteen", "--baselines", "input", "--json")
    assert answer.code == 0, answer.error
    found = json.loads(answer.out)
    assert [(one["method"], one.get("seed")) for one in found["measured"]] == [
        ("degraded input", None), ("single", 0), ("single", 1), ("single", 2), ("sixteen", 0), ("sixteen", 1),
    ]  # fmt: skip
    between = next(one for one in found["differences"] if {one["first"], one["second"]} == {"single", "sixteen"})
    assert between["interval_over_seeds"] is not None
    assert len(between["interval_over_images"]) == 2


# Mistakes


@pytest.mark.parametrize(
    ("models", "settings", "said"),
    [
        (
            [denoiser, lambda: denoiser("dncnn-m", noise="salt-pepper:0.1")],
            {},
            "dncnn-m: salt-pepper.*noise='gaussian",
        ),
        ([lambda: denoiser(noise=None)], {}, "pairs of images.*noise='gaussian"),
        ([lambda: denoiser(job="reconstruct")], {}, "dncnn-s was trained to reconstruct"),
        ([denoiser], {"noise": "down:2"}, "enlarges by 1, and down:2 makes images 2 times smaller"),
        ([denoiser, lambda: denoiser("dncnn-m", 4)], {}, "1 channels, dncnn-m of 4"),
        ([lambda: denoiser("dncnn-m", 4)], {"channels": 3}, "channels=3, but dncnn-m takes images of 4"),
        ([denoiser], {"channels": 2}, "channels=2, needed 1 .grey. or 3"),
        ([denoiser], {"ranges": "low"}, "ranges='low', needed middle or drawn"),
        ([denoiser, denoiser], {}, "two networks are called 'dncnn-s'"),
        ([], {}, "name at least one network"),
    ],
)
def test_what_cannot_be_measured_together(models: list[Any], settings: dict[str, Any], said: str, photos: Path) -> None:
    with pytest.raises(CuelloError, match=said):
        cuello.benchmark(photos, [make() for make in models], **settings)


def test_a_run_named_twice(runs: Path) -> None:
    with pytest.raises(CuelloError, match="a run is named twice"):
        entrants_of([runs / "single", runs / "single" / "seed-0"], None, "cpu")


def test_what_a_yardstick_settles_itself() -> None:
    with pytest.raises(CuelloError, match=r"got sweep, but set12 is measured as the literature does.*noise"):
        cuello.benchmark("set12", denoiser(), sweep=[15])
    with pytest.raises(CuelloError, match="got ranges, but set12"):
        cuello.benchmark("set12", denoiser(), ranges="drawn")
    with pytest.raises(CuelloError, match="got channels, but classic5"):
        cuello.benchmark("classic5", denoiser(), channels=3)


def test_an_exported_file_is_measured_as_its_run(
    trained: Run, images: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    pytest.importorskip("onnxruntime")
    cuello.export(trained.path, tmp_path / "net.onnx")
    found = cuello.benchmark(images, [tmp_path / "net.onnx", trained.path], noise="gaussian:25", baselines=())
    file, run = (next(row for row in found.rows if row.method == name) for name in ("net.onnx", trained.path.name))
    assert file.score("psnr").values == pytest.approx(run.score("psnr").values, abs=1e-3)
    assert found.networks["net.onnx"] == found.networks[trained.path.name] == 2_793
    answer = command("benchmark", images, tmp_path / "net.onnx", "--noise", "gaussian:25", "--most", 2, "--json")
    assert answer.code == 0, answer.error
    assert json.loads(answer.out)["parameters"] == 2_793
    (tmp_path / "cut.onnx").write_bytes((tmp_path / "net.onnx").read_bytes()[:500])
    answer = command("benchmark", images, tmp_path / "cut.onnx", "--noise", "gaussian:25")
    assert (answer.code, "cut.onnx is no ONNX file that can be run" in answer.error) == (2, True)
