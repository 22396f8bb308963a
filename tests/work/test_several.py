"""The runs of a folder, judged one by one and together."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

import cuello
from cuello.core.errors import CuelloError
from cuello.runs.directory import Run
from cuello.work.several import JudgedRuns, judge_runs


def test_a_folder_of_repeats_is_judged_run_by_run(series: Path) -> None:
    found = cuello.evaluate(series, baselines=["input"], report=False)
    assert isinstance(found, JudgedRuns)
    alone = [cuello.evaluate(series / f"seed-{k}", baselines=["input"], report=False) for k in range(2)]
    values = [one.ours.mean("psnr") for one in alone]
    assert [one.ours.mean("psnr") for one in found.evaluations.values()] == values
    assert found.spread("psnr").mean == pytest.approx(fmean(values))
    assert found.spread("psnr").deviation == pytest.approx(stdev(values))
    assert not (series / "seed-0" / "report.html").exists()


def test_the_command_says_mean_and_deviation(series: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    folder = shutil.copytree(series, tmp_path / "series")
    answer = command("evaluate", folder, "--baselines", "input", "--quiet")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["seed-0", "seed-1", "mean ± sd"]
    metrics = [Run(folder / f"seed-{k}").metrics["methods"]["network"] for k in range(2)]
    mean, deviation = fmean([one["psnr"] for one in metrics]), stdev([one["psnr"] for one in metrics])
    assert lines[3].endswith(f"{mean:.2f} ± {deviation:.2f}")
    assert (folder / "seed-1" / "report.html").is_file()
    answer = command("evaluate", folder, "--baselines", "input", "--json")
    found = json.loads(answer.out)
    assert found["mean"]["psnr"] == pytest.approx(mean)
    assert found["sd"]["psnr"] == pytest.approx(deviation)
    assert list(found["runs"]) == ["seed-0", "seed-1"]


def test_runs_of_several_jobs_are_refused(series: Path, tmp_path: Path) -> None:
    shutil.copytree(series / "seed-0", tmp_path / "a")
    cuello.train("classify", "glyphs", epochs=1, samples=32, output=tmp_path / "b", report=False)
    with pytest.raises(CuelloError, match=r"several jobs \(a to denoise, b to classify\)"):
        judge_runs(tmp_path, lambda run: None)
