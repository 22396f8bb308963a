"""Runs side by side: values by hand, groups of like runs, repeats, bad input named and left out."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.comparison import Comparison, RunFacts, compare, gap
from cuello.comparison.collect import check_epoch, side_by_side
from cuello.comparison.facts import image_size
from cuello.comparison.groups import differing_sentence, group_key, make_rows, with_like_evaluations
from cuello.comparison.page import (
    difference_table,
    headline,
    reached_table,
    result_of,
    write_comparison,
    write_comparison_page,
)
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.report.axes import round_numbers
from cuello.report.labels import overlap, place
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, write_history


def facts(
    label: str = "a", losses: tuple[float, ...] = (0.5, 0.25), metrics: dict[str, Any] | None = None, **settings: Any
) -> RunFacts:
    """A run with these validation losses, training losses 0.125 lower, two seconds an epoch."""
    history = tuple(
        EpochRecord(epoch, loss - 0.125, loss, loss, 10.0 * epoch, 1e-3, 2.0, 1.5, 10)
        for epoch, loss in enumerate(losses, 1)
    )
    config = TrainConfig(**{"noise": "gaussian:25", "crop": 16, "epochs": len(losses), **settings})
    return RunFacts(label, Run(Path(label)), config, history, config.model, 3, 100, "same", None, metrics)


# Values


def test_values_of_a_run_by_hand() -> None:
    run = facts(losses=(0.5, 0.25, 0.375))
    assert (run.best.epoch, run.best.validation_loss) == (2, 0.25)
    assert run.at(3) == run.history[2]
    assert run.at(4) is None
    assert gap(run.history[0]) == 0.125
    assert (run.seconds, run.seconds_an_epoch) == (6.0, 2.0)
    assert run.evaluated("psnr") is run.best_classical is run.gain is None


def test_of_binary_images_the_gain_is_in_wrong_pixels() -> None:
    methods = {
        name: {"label": name, "mse": 0.1, "psnr": psnr, "wrong": wrong}
        for name, psnr, wrong in (("network", 20.0, 1.5), ("pca", 30.0, 4.0), ("mean", 12.0, 9.0), ("input", 99.0, 0.0))
    }
    run = replace(facts("a", (1.0,)), metrics={"methods": methods})
    assert run.best_classical == ("pca", 4.0)
    assert run.gain == 2.5, "fewer wrong pixels, although its PSNR is lower"
    perfect = {name: {**row, "psnr": None} for name, row in methods.items()}
    assert "psnr" not in run.job.reached({"methods": perfect})
    plain = {name: {"label": name, "mse": row["wrong"], "psnr": None} for name, row in methods.items()}
    assert replace(run, metrics={"methods": plain}).gain == 2.5, "without a PSNR the error decides"


def test_the_gain_is_over_the_best_classical_method() -> None:
    methods = {name: {"label": name, "psnr": psnr} for name, psnr in
               (("network", 30.0), ("input", 40.0), ("median-3", 27.0), ("tv", 28.5))}  # fmt: skip
    run = facts(metrics={"methods": methods})
    assert run.best_classical == ("tv", 28.5)
    assert run.gain == 1.5


def test_a_real_run(trained: Run) -> None:
    found = compare([trained.path])
    assert (found.left_out, found.differing, len(found.groups)) == ((), "", 1)
    run = found.groups[0].rows[0].runs[0]
    history, metrics = trained.history, trained.metrics["methods"]
    assert run.history == tuple(history)
    assert (run.label, run.network, run.parameters, run.channels) == ("trained", "conv-8-16-8", 2793, 3)
    assert run.evaluated("psnr") == metrics["network"]["psnr"]
    others = [row["psnr"] for name, row in metrics.items() if name not in ("network", "input")]
    assert run.gain == pytest.approx(metrics["network"]["psnr"] - max(others))
    assert run.milliseconds is not None
    assert 0 < run.milliseconds < 1000
    assert found.groups[0].epoch == 2
    assert found.groups[0].title == "denoise salt-pepper:0.1..0.5, images, crops of 16 pixels, colour, loss mse"
    assert cuello.compare(trained.path, latency=False).groups[0].rows[0].runs[0].milliseconds is None


OWN = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self, channels):
        super().__init__(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, channels, 1))
"""


def test_a_network_of_somebodys_own_is_counted_but_not_run(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    """3·4·9 + 4 + 2·4 + 4·3 + 3 = 135 trainable numbers."""
    (tmp_path / "net.py").write_text(OWN)
    model = f"{tmp_path / 'net.py'}:Net"
    path = tmp_path / "run"
    cuello.train(data=images, output=path, report=False, **{**small, "model": model, "epochs": 1})
    (tmp_path / "net.py").write_text("raise RuntimeError('code that nobody named was run')")
    run = compare([path]).groups[0].rows[0].runs[0]
    assert (run.network, run.parameters, run.milliseconds) == ("Net", 135, None)


def test_the_image_that_is_timed(images: Path) -> None:
    assert image_size(TrainConfig(data=str(images))) == (40, 40)
    assert image_size(TrainConfig(crop=16, resize="20x30")) == (16, 16)
    assert image_size(TrainConfig(resize="20x30")) == (30, 20)
    assert image_size(TrainConfig(data="/nowhere")) is None


# Rows of repeats


def test_runs_that_differ_in_the_seed_are_one_row(series: Path) -> None:
    found = compare([series], latency=False)
    (row,) = found.groups[0].rows
    assert row.label == "series"
    assert [run.label for run in row.runs] == ["series/seed-0", "series/seed-1"]
    losses = [min(record.validation_loss for record in run.history) for run in row.runs]
    shown = row.spread(lambda run: run.best.validation_loss)
    assert shown is not None
    assert shown.mean == pytest.approx(sum(losses) / 2)
    assert shown.deviation == pytest.approx(abs(losses[0] - losses[1]) / math.sqrt(2))
    assert found.groups[0].differences == (), "there is no other network to compare with"


def test_what_makes_repeats() -> None:
    rows = make_rows(
        [
            facts("x-0", seed=0), facts("x-1", seed=1, threads=2, device="cpu"), facts("x-2", seed=1),
            facts("y", seed=2, batch_size=8), facts("z", seed=2, precision="bf16"),
        ]
    )  # fmt: skip
    assert [[run.label for run in row.runs] for row in rows] == [["x-0", "x-1"], ["x-2"], ["y"], ["z"]]
    assert [row.label for row in rows] == ["x", "x-2", "y", "z"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(("a/seed-0", "a/seed-1"), "a"), (("a/seed-10", "a/seed-11"), "a"), (("seed-0", "seed-1"), "unet-s"),
     (("deep-1", "deep-2"), "deep")],
)  # fmt: skip
def test_what_a_row_is_called(labels: tuple[str, str], expected: str) -> None:
    (row,) = make_rows([facts(label, model="unet-s", seed=seed) for seed, label in enumerate(labels)])
    assert row.label == expected


def test_differences_are_paired_by_seed() -> None:
    losses = {("a", 0): 0.5, ("a", 1): 0.75, ("b", 0): 0.25, ("b", 1): 0.5}
    runs = [facts(f"{name}/seed-{seed}", (loss,), seed=seed, batch_size=8 if name == "a" else 4)
            for (name, seed), loss in losses.items()]  # fmt: skip
    (group,) = side_by_side(runs).groups
    assert [row.label for row in group.rows] == ["b", "a"], "the best is first"
    (difference,) = group.differences
    assert (difference.first, difference.second, difference.found.mean) == ("b", "a", -0.25)
    assert (difference.found.count, difference.found.ratio) == (2, 0.6)
    (item,) = result_of(Comparison((group,), "", ())).values["groups"][0]["differences"]
    assert item["interval"] == [-0.25, -0.25]
    assert item["told_from_zero"] is True
    assert difference_table(group.differences).rows[0][2:] == [
        "-0.25000", "-0.25000 to -0.25000", "2", "0.600", "b is better",
    ]  # fmt: skip
    assert headline(group).endswith("and 2 repeats tell them apart.")
    cells = reached_table(group, wide=False).rows[0]
    assert cells == ["b", "2", "0.37500 ±0.17678", "+0.12500", "0.37500 ±0.17678", "1", "10.00 ±0.00"]


def test_one_seed_each_is_said_to_be_too_few() -> None:
    (group,) = side_by_side([facts("a", (0.5,)), facts("b", (0.25,), batch_size=4)]).groups
    assert group.differences == ()
    assert "b reached the lowest validation loss, 0.25000; next is a, 0.50000. Too few repeats" in headline(group)


# Epochs


def test_the_epoch_is_the_last_that_all_have() -> None:
    runs = [facts("a", (0.5, 0.25, 0.125)), facts("b", (0.5, 0.375))]
    assert side_by_side(runs).groups[0].epoch == 2
    (group,) = side_by_side(runs, epoch=3).groups
    assert [row[2] for row in reached_table(group, wide=False).rows] == ["0.12500", "–"]
    with pytest.raises(CuelloError, match="epoch: got 4, but the longest run has 3"):
        check_epoch(runs, 4)
    with pytest.raises(CuelloError, match="epoch: got 0, needed 1 or more"):
        compare(["any"], epoch=0)


def test_an_unfinished_run_is_noted() -> None:
    (group,) = side_by_side([facts("a", epochs=5), facts("b", epochs=5, patience=1)]).groups
    assert group.notes == ("a has 2 of 5 epochs: it was interrupted, or is still training.",)


# Groups


@pytest.mark.parametrize(
    "change",
    [{"noise": "gaussian:10"}, {"loss": "l1"}, {"crop": 32}, {"crops": "grid"}, {"validation": 0.3}, {"test": 0.3},
     {"validation_samples": 3}, {"split_seed": 1}, {"resize": "32"}, {"range": "0..99"}, {"method": "sure"}],
)  # fmt: skip
def test_what_may_not_differ_in_a_table(change: dict[str, Any]) -> None:
    keys = [group_key(facts()), group_key(facts(**change))]
    assert keys[0] != keys[1]
    assert next(iter(change)) in differing_sentence(keys)


@pytest.mark.parametrize(
    "change", [{"seed": 3}, {"model": "unet-s"}, {"learning_rate": 0.5}, {"data": "elsewhere"}, {"augment": True}]
)
def test_what_may_differ_in_a_table(change: dict[str, Any]) -> None:
    keys = [group_key(facts()), group_key(facts(**change))]
    assert keys[0] == keys[1]
    assert differing_sentence(keys) == ""


def test_other_images_and_channels_may_not_differ() -> None:
    keys = [group_key(run) for run in (facts(), replace(facts(), images="others"), replace(facts(), channels=1))]
    assert len(set(keys)) == 3
    said = differing_sentence(keys)
    assert said == "These runs differ in images; channels (3, 1): they stand in 3 tables, not in one."


def test_runs_that_differ_in_their_loss_alone_are_led_to_a_common_measure() -> None:
    def said(*runs: RunFacts) -> str:
        return side_by_side(runs).differing

    mine, other = facts("a", loss="l1"), facts("b")
    assert said(mine, other) == (
        "These runs differ in loss (l1, mse): they stand in 2 tables, not in one. Their losses cannot be compared; "
        "what they reach on the same images can: cuello benchmark IMAGES RUN RUN"
    )
    codes = [facts(name, job="reconstruct", noise=None, loss=loss) for name, loss in (("a", "l1"), ("b", "mse"))]
    assert said(*codes).endswith("can: cuello evaluate RUN RUN"), "a benchmark is of networks that restore"
    assert "cuello" not in said(mine, replace(other, channels=1)), "which could not be measured on the same images"


def test_unlike_runs_get_tables_of_their_own(
    trained: Run, images: Path, make_images: Callable[..., Path], small: dict[str, Any], tmp_path: Path
) -> None:
    others = make_images(tmp_path / "others", 5)
    quick = {**small, "epochs": 1}
    first = cuello.train(data=images, output=tmp_path / "first", report=False, **{**quick, "noise": "gaussian:25"})
    second = cuello.train(data=others, output=tmp_path / "second", report=False, **quick)
    found = compare([trained.path, first.path, second.path], latency=False)
    assert [[row.label for row in group.rows] for group in found.groups] == [["trained"], ["first"], ["second"]]
    assert "noise (salt-pepper:0.1..0.5, gaussian:25); images" in found.differing
    titles = [group.title for group in found.groups]
    assert len(set(titles)) == 3
    text = result_of(found).csv
    assert [line["group"] for line in csv.DictReader(text.splitlines())] == ["1", "2", "3"]


def test_evaluations_of_other_images_are_not_shown() -> None:
    def metrics(noise: str, count: int) -> dict[str, Any]:
        return {"noise": noise, "protocol": {"images": count}, "methods": {"network": {"psnr": 20.0}}}

    runs = [facts(label, metrics=metrics("x", count)) for label, count in (("a", 5), ("b", 5), ("c", 6))]
    runs.append(facts("d"))
    kept, notes = with_like_evaluations(runs)
    assert [run.metrics is not None for run in kept] == [True, True, False, False]
    assert notes == ["not shown: the evaluation of c, which is of other images or another noise."]
    assert with_like_evaluations(runs[:2]) == (runs[:2], [])


# Bad input


def test_what_is_no_complete_run_is_left_out_and_named(copied: Run, trained: Run, tmp_path: Path) -> None:
    def another(name: str) -> Path:
        return Path(shutil.copytree(copied.path, tmp_path / name))

    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    begun, unsaved, newer, damaged, cut = (another(name) for name in ("begun", "unsaved", "newer", "damaged", "cut"))
    write_history(begun / "history.jsonl", [])
    (unsaved / "model.safetensors").unlink()
    (newer / "config.toml").write_text((newer / "config.toml").read_text() + "\nsharpness = 3\n")
    (damaged / "metrics.json").write_text("{}")
    (cut / "last.safetensors").write_bytes((cut / "last.safetensors").read_bytes()[:-10])
    named = [begun, unsaved, newer, damaged, cut, tmp_path / "empty", tmp_path / "file", tmp_path / "missing"]
    found = compare([trained.path, *named, trained.path], latency=False)
    reasons = [
        "no epoch of its training has ended yet", "holds no model.safetensors", "no setting called 'sharpness'",
        "metrics.json is damaged", "is not a whole safetensors file", "holds no config.toml", "is not a run directory",
        "there is no such folder", "it is named twice",
    ]  # fmt: skip
    assert [path for path, _ in found.left_out] == [*map(str, named), str(trained.path)]
    for (_, reason), expected in zip(found.left_out, reasons, strict=True):
        assert expected in reason
    assert [row.label for row in found.groups[0].rows] == ["trained"]
    with pytest.raises(CuelloError, match=r"no complete run to compare; give run dir.*\n.*file: it is not a run"):
        compare([tmp_path / "file"])


NO_JSON = [
    b"\xff\xfe\x00",
    b"no JSON",
    b"[" * 100_000,
    b"[]\n",
    b"null\n",
    b'"text"\n',
    b"3\n",
    b"{}\n",
    b'{"epoch": []}\n',
]


@pytest.mark.parametrize("name", ["history.jsonl", "metrics.json", "config.toml"])
@pytest.mark.parametrize("content", NO_JSON, ids=lambda content: content[:12].decode("ascii", "replace").strip())
def test_a_file_that_is_no_text_or_something_else_leaves_its_run_out(
    trained: Run, copied: Run, name: str, content: bytes
) -> None:
    (copied.path / name).write_bytes(content)
    found = compare([trained.path, copied.path], latency=False)
    assert [row.label for row in found.groups[0].rows] == ["trained"]
    assert [path for path, _ in found.left_out] == [str(copied.path)]


def test_a_run_without_its_checkpoint_is_known_by_the_name_of_its_data(copied: Run) -> None:
    copied.checkpoint_path.unlink()
    assert compare([copied.path], latency=False).groups[0].rows[0].runs[0].images == f"? {copied.config.data}"


def test_directories_of_one_name_are_told_apart(trained: Run, tmp_path: Path) -> None:
    one, two = (Path(shutil.copytree(trained.path, tmp_path / side / "run")) for side in ("left", "right"))
    labels = [row.label for row in compare([one, two], latency=False).groups[0].rows]
    assert labels == [str(one), str(two)]


# What is written


def test_json_and_csv_hold_everything(series: Path, trained: Run) -> None:
    found = compare([series, trained.path], latency=False)
    parsed = json.loads(json.dumps(result_of(found).values, allow_nan=False))
    rows = parsed["groups"][0]["rows"]
    assert [row["label"] for row in rows if len(row["runs"]) == 2] == ["series"]
    spreads = next(row["spreads"] for row in rows if row["label"] == "series")
    assert spreads["best_validation_loss"]["count"] == 2
    assert parsed["groups"][0]["differences"] == [], "only one row has repeats"
    lines = list(csv.DictReader(result_of(found).csv.splitlines()))
    assert len(lines) == 3
    line = next(line for line in lines if line["label"] == "trained")
    best = min(trained.history, key=lambda record: record.validation_loss)
    assert float(line["best_validation_loss"]) == best.validation_loss
    assert float(line["evaluation_psnr"]) == trained.metrics["methods"]["network"]["psnr"]
    assert line["latency_ms"] == ""


def test_a_folder_is_written_and_written_again(trained: Run, series: Path, tmp_path: Path) -> None:
    found = compare([trained.path, series], latency=False)
    write_comparison(tmp_path / "out", found)
    write_comparison(tmp_path / "out", found)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert names == {"compare.csv", "compare.html", *(f"figures/{n}.png" for n in ("parameters", "time", "losses"))}
    for path in (tmp_path / "out" / "figures").iterdir():
        assert np.asarray(Image.open(path)).std() > 5, "a picture with something in it"
    text = (tmp_path / "out" / "compare.html").read_text()
    assert headline(found.groups[0]) in text
    assert text.count("<img") == 3
    assert "Too few repeats" in text


def test_python_writes_the_folder_of_the_command(trained: Run, series: Path, tmp_path: Path) -> None:
    found = cuello.compare([trained, series], latency=False, output=tmp_path / "out")
    assert (tmp_path / "out" / "compare.csv").read_text() == result_of(found).csv
    assert (tmp_path / "out" / "figures" / "losses.png").is_file()
    assert len(cuello.compare(series, latency=False).groups[0].rows[0].runs) == 2


def test_a_folder_of_other_things_is_refused(trained: Run, tmp_path: Path) -> None:
    found = compare([trained.path], latency=False)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CuelloError, match=r"holds no earlier comparison.*overwrite=True"):
        write_comparison(tmp_path, found)
    write_comparison(tmp_path, found, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_was_left_out_is_on_the_page(trained: Run, tmp_path: Path) -> None:
    found = compare([trained.path, tmp_path / "<missing>"], latency=False)
    write_comparison_page(tmp_path / "page.html", found)
    text = (tmp_path / "page.html").read_text()
    assert "Left out" in text
    assert "&lt;missing&gt;" in text


# Pictures


def test_names_are_placed_beside_points_and_over_nothing() -> None:
    points = [(50.0, 50.0), (52.0, 50.0), (95.0, 50.0)]
    inside = (0.0, 0.0, 100.0, 100.0)
    placed = place(points, [(20.0, 8.0)] * 3, inside, 6.0)
    assert placed is not None
    assert placed[2][2] <= 95, "to the left, because the right is cut off"
    assert not any(overlap(placed[a], placed[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert place(points, [(90.0, 60.0)] * 3, inside, 6.0) is None


@pytest.mark.parametrize(("low", "high"), [(0.011, 0.012), (0.0012, 0.9), (100, 3e6), (2793, 2800), (1, 1.3)])
def test_axes_have_at_least_three_round_numbers(low: float, high: float) -> None:
    numbers = round_numbers(low, high)
    assert 3 <= len(numbers) <= 10
    assert all(low <= number <= high for number in numbers)
    assert numbers == sorted(set(numbers))
