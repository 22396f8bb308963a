"""The study `super-resolution` in miniature: the source's training, what cannot be reached, the report."""

import re
from collections.abc import Iterator
from dataclasses import replace
from math import ceil, tanh
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cuello.models import catalog
from cuello.models.strided import StridedAutoencoder, StridedConfig
from cuello.runs.directory import Run
from cuello.scoring.repeats import spread
from cuello.studies.base import run_study
from cuello.studies.catalog import STUDIES
from cuello.studies.super_resolution import causes, measures, memory, pictures, plans, source, study

SIDE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The study on small made images, its networks with few filters and a small kernel."""
    place = tmp_path_factory.mktemp("super-resolution")
    coarse = np.random.default_rng(0).random((12, 10, 10, 3))
    data = str(place / "images.npy")
    np.save(data, (coarse.repeat(4, 1).repeat(4, 2) * 255).astype(np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        for row in source.SOURCE_ROWS:
            spec = catalog.NETWORKS[row.network]
            bottom = {} if row.network == "strided-unet" else {"bottom": 4}
            patch.setitem(
                catalog.NETWORKS._specs,
                row.network,
                replace(spec, settings={**spec.settings, "filters": (4, 4, 8), **bottom}),
            )
        patch.setitem(
            plans.SCALES, data, plans.CropsAndSteps(samples=12, validation_samples=6, batch=3, side=SIDE, ours=1)
        )
        patch.setattr(plans, "EPOCHS", 2)
        patch.setattr(study, "peak_memory", lambda *given, **more: 3 * 2**29 if given[0] == "strided-3" else None)
        causes.network_of.cache_clear()
        causes.about.cache_clear()
        small = replace(STUDIES["super-resolution"], data=(data,))
        run_study(small, None, place / "study", threads=1)
        yield place / "study"
    causes.network_of.cache_clear()
    causes.about.cache_clear()


def test_the_source_s_training(configs) -> None:
    made = configs(plans.plans("bsds400"), "bsds400")
    assert len(made) == 2 * (6 + 2)
    for factor in (2, 4):
        for row in source.SOURCE_ROWS:
            config = made[f"{row.network}-x{factor}"]
            assert (config.optimizer, config.learning_rate, config.weight_decay) == ("adam", 0.01, 1e-5)
            assert (config.epochs, config.loss, config.schedule) == (source.EPOCHS, "mse", "constant")
            assert (config.noise, config.scale, config.crop) == (f"resize:{factor}", None, 256)
            assert config.samples is not None
            assert ceil(config.samples / config.batch_size) == ceil(source.TRAINED_ON / source.BATCH), "as many steps"
        assert made[f"up-s-x{factor}"].scale == factor
    for name in ("crop", "crops", "samples", "validation_samples", "validation", "test", "split_seed", "channels"):
        assert len({getattr(config, name) for config in made.values()}) == 1, name
    assert source.TRAINED_ON + source.VALIDATED_ON + source.TESTED_ON == source.IMAGES


def test_what_each_activation_can_reach() -> None:
    assert measures.reachable("relu") == (0.5, 1.0)
    assert measures.reachable("sigmoid") == (0.5, (tanh(1) + 1) / 2)
    for activation in ("relu", "tanh", "sigmoid"):
        config = StridedConfig(channels=1, filters=(2, 2), bottom=2, activation=activation)  # type: ignore[arg-type]
        network = StridedAutoencoder(config).eval()
        low, high = measures.reachable(activation)
        outputs = []
        for bias in (-100.0, 100.0):
            nn.init.constant_(network.decoder[-1][0].bias, bias)  # type: ignore[index,arg-type]
            outputs.append(network(torch.rand(1, 1, 8, 8)).image)
        assert outputs[0].min().item() == pytest.approx(low, abs=1e-6)
        assert outputs[1].max().item() == pytest.approx(high, abs=1e-6)


def test_a_dead_output_and_one_with_half_its_gradient() -> None:
    network = StridedAutoencoder(StridedConfig(channels=1, filters=(2, 2), bottom=2))
    last = network.decoder[-1][0]  # type: ignore[index]
    nn.init.zeros_(last.weight)  # type: ignore[arg-type]
    batches = [(torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8)), (torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8))]
    nn.init.constant_(last.bias, -1.0)  # type: ignore[arg-type]
    gate = measures.gate_of(network, batches)
    assert (gate.closed, gate.dead, gate.gradient, gate.between) == (1, 1, 0, 0)
    assert gate.shares[measures.BINS // 2] == 1, "all is mid grey"
    nn.init.constant_(last.bias, 0.881373587)  # type: ignore[arg-type]  # artanh(√½), where tanh has a slope of ½
    gate = measures.gate_of(network, batches)
    assert (gate.closed, gate.dead) == (0, 0)
    assert gate.gradient == pytest.approx(0.5)
    every = torch.cat([target for _, target in batches])
    assert gate.between_targets == pytest.approx(every.var(0, correction=0).mean().sqrt().item(), rel=1e-5)


@pytest.mark.parametrize(("side", "kernel", "padding"), [(5, 3, 2), (4, 4, 3), (3, 4, 6), (7, 3, 0)])
def test_taps_on_padding_are_those_that_meet_no_value(side: int, kernel: int, padding: int) -> None:
    """Reference: torch's convolution with a kernel of ones counts the values that every place meets."""
    before = padding // 2
    padded = nn.functional.pad(torch.ones(1, 1, side, side), (before, padding - before, before, padding - before))
    met = nn.functional.conv2d(padded, torch.ones(1, 1, kernel, kernel))
    expected = 1 - (met / kernel**2).mean().item()
    assert measures.taps_on_padding(side, kernel, padding) == pytest.approx(expected)


def test_the_large_kernels_of_the_source_s_size() -> None:
    three, four = (StridedConfig(filters=filters) for filters in ((16, 32, 64), (16, 32, 64, 128)))
    assert [source.SIDE // config.stride for config in (three, four)] == [64, 32]
    assert measures.taps_on_padding(33, 32, 62) == pytest.approx(1 - (33 / 64) ** 2), "transposed: every value 32 times"
    assert measures.taps_on_padding(1, 32, 62) == pytest.approx(1 - 1 / 1024)


def test_losses_are_in_the_source_s_units(folder: Path, table) -> None:
    rows = table("losses")
    assert rows[1][:3] == ["strided-3", "0.2611", "0.2599"]
    assert rows[5][1:3] == ["–", "–"]
    for number, row in enumerate((*source.NETWORKS, *plans.OUR_NETWORKS), 1):
        for place, factor in ((3, 2), (5, 4)):
            last = Run(folder / "runs" / f"{row}-x{factor}" / "seed-0").history[-1]
            if row == plans.UPSCALER:
                assert rows[number][place] == "–", "its loss is no squared error"
            else:
                assert float(rows[number][place]) == pytest.approx(4 * last.loss, abs=5e-5)
            assert float(rows[number][place + 1]) == pytest.approx(4 * last.validation_mse, abs=5e-5)
    assert [row[0] for row in rows[-2:]] == ["bicubic: the input itself", "mid grey everywhere"]


def test_no_network_is_better_than_its_range_allows(table) -> None:
    rows = table("why-they-hardly-learn-the-last-activation")
    assert [row[1] for row in rows[1:]] == ["0.50 to 1.00", "0.50 to 1.00", "0.12 to 0.88", "0.50 to 0.88",
                                            "0.50 to 1.00", "0.50 to 1.00"]  # fmt: skip
    for row in rows[1:]:
        assert float(row[3]) >= float(row[2])
    assert [row[4] == "–" for row in rows[1:]] == [False, False, True, True, False, False]


def test_errors_beside_the_input(table) -> None:
    rows = {row[0]: row for row in table("beside-bicubic-enlargement")[1:]}
    bicubic = rows["bicubic: the input itself"]
    assert bicubic[3] == bicubic[6] == "–"
    assert float(bicubic[4]) > float(bicubic[1]), "×4 loses more than ×2"
    for name, row in rows.items():
        if name != "bicubic: the input itself":
            assert float(row[6]) == pytest.approx(float(row[5]) - float(bicubic[5]), abs=0.011)
    assert set(rows) > {"dncnn-s", "up-s", "mid grey everywhere"}


def test_costs_and_pictures(table, page: str, figures: set[str]) -> None:
    rows = table("time-and-memory")
    assert [row[6] for row in rows[1:]] == ["1.50"] + 7 * ["–"]
    assert [row[5] for row in rows[1:]] == 6 * ["3"] + 2 * [str(plans.OUR_BATCH)]
    assert figures == {"curves-x2", "curves-x4", "reach-x4", *(f"restored-x{f}-{n}" for f in (2, 4) for n in (1, 2))}
    assert re.search(r"Of the source&#39;s 6 networks (none|\d of them) improves? on its input", page)
    for words in ("alpha", "not to be had", "validation losses stand in", "a dense layer"):
        assert words in page


def test_the_verdict_counts_what_improves() -> None:
    def tested(**decibels: float) -> measures.BlurResult:
        values = dict.fromkeys(source.NETWORKS, 12.0) | {"bicubic": 25.0, "dncnn-s": 26.0, "up-s": 26.5} | decibels
        found = {name: spread([value]) for name, value in values.items()}
        return measures.BlurResult(mse={}, psnr=found, losses={}, floors={}, gates={}, pairs={}, photographs=())

    said = study.verdict(tested(**{"strided-unet": 14.0}))
    assert "none improves on its input: at ×4 the best, strided-unet, reaches 14.00 dB" in said
    assert "bicubic enlargement alone has 25.00 dB" in said
    assert "1 of them improves" in study.verdict(tested(**{"strided-unet": 25.5}))
    for found, said in (["a", "a"], "so it is"), (["a", "b"], "so it is in part"), (["c", "b"], "so it is not"):
        assert study.agreement("a", found) == said


def test_the_frame_is_around_the_part() -> None:
    framed = pictures.marked(np.full((16, 16, 3), 0.5, np.float32), 4, 6, side=5)[..., 0]
    white, black = np.argwhere(framed == 1), np.argwhere(framed == 0)
    assert (white.min(0).tolist(), white.max(0).tolist()) == ([4, 6], [8, 10])
    assert (black.min(0).tolist(), black.max(0).tolist()) == ([3, 5], [9, 11])
    assert (framed[5:8, 7:10] == 0.5).all()


@pytest.mark.skipif(not memory.STATUS.is_file(), reason="needs Linux's /proc")
def test_memory_holds_at_least_what_adam_keeps() -> None:
    """Weights, gradients and two averages of 4 bytes each are certain; a batch adds its activations."""
    found = memory.peak_memory("strided-unet", 1, side=32)
    parameters = causes.about("strided-unet", 32).trainable
    assert found is not None
    assert 16 * parameters <= found < 2**30
