"""Array jobs for Slurm: what is written, tasks done by hand as a job does them, and the same command again."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster_tasks import double

from cuello.cluster.base import ClusterTask
from cuello.cluster.catalog import find_cluster
from cuello.core.errors import CuelloError, HandedOver
from cuello.runs.directory import Run
from cuello.work.repeats import train_repeats
from cuello.work.train import train

SETTINGS: dict[str, Any] = {
    "noise": "gaussian:25", "model": "conv-8-16-8", "crop": 16, "batch_size": 8, "epochs": 2, "device": "cpu",
}  # fmt: skip


def job(folder: Path, number: int) -> "subprocess.CompletedProcess[str]":
    """Do what a job of the array does: the last line of the script, without Slurm's own srun."""
    last = (folder / "job.sh").read_text("utf-8").splitlines()[-1]
    line = last.removeprefix("exec srun --unbuffered ").replace("$SLURM_ARRAY_TASK_ID", str(number))
    assert line.startswith(sys.executable)
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)


def test_repeats_are_an_array_job_and_the_same_call_reads_what_it_made(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with space"

    def call() -> list[Run]:
        return train_repeats(
            "denoise", images, repeats=2, output=folder, report=False, cluster="slurm", workers=1, **SETTINGS
        )

    words = r"2 tasks are written down for Slurm. Hand them in: sbatch '.*job.sh' and"
    with pytest.raises(HandedOver, match=words) as told:
        call()
    assert ("There is no sbatch on this machine" in str(told.value)) == (shutil.which("sbatch") is None)
    script = (folder / "slurm/job.sh").read_text("utf-8")
    log = f'--output="{folder}/slurm/logs/%A_%a.out"'
    for line in ("--array=0-1%1", "--cpus-per-task=1", "--requeue", "--signal=USR1@60", log):
        assert f"\n#SBATCH {line}\n" in script
    assert "gpus" not in script
    assert job(folder / "slurm", 1).returncode == 0
    with pytest.raises(HandedOver, match="1 task is written down"):
        call()
    assert [path.name for path in (folder / "slurm/tasks").iterdir()] == ["0.json"]
    assert job(folder / "slurm", 0).returncode == 0
    runs = call()
    assert [run.path.name for run in runs] == ["seed-0", "seed-1"]
    alone = train("denoise", images, output=tmp_path / "alone", report=False, seed=1, threads=1, **SETTINGS)
    assert runs[1].model_path.read_bytes() == alone.model_path.read_bytes()


def test_what_went_wrong_is_told_once_and_then_tried_again(images: Path, tmp_path: Path) -> None:
    wrong = {**SETTINGS, "crop": 4000}

    def call() -> list[Run]:
        place = tmp_path / "runs"
        return train_repeats("denoise", images, repeats=2, output=place, report=False, cluster="slurm", **wrong)

    with pytest.raises(HandedOver):
        call()
    failed = job(tmp_path / "runs/slurm", 0)
    assert failed.returncode == 2
    assert failed.stderr.startswith("cuello: ")
    with pytest.raises(CuelloError, match="4000"):
        call()
    with pytest.raises(HandedOver, match="2 tasks"):
        call()


def test_code_of_others_is_neither_written_nor_run(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="cluster_tasks:double is none of Cuello's functions"):
        list(find_cluster("slurm").run([ClusterTask(double, 1)], folder=tmp_path))
    (tmp_path / "tasks").mkdir()
    described = {"function": "os:system", "argument": f"touch {tmp_path}/ran", "folder": None, "name": ""}
    (tmp_path / "tasks/0.json").write_text(json.dumps(described), "utf-8")
    words = [sys.executable, "-m", "cuello.cluster.slurm", str(tmp_path)]
    done = subprocess.run([*words, "0"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "os is not Cuello's" in done.stderr) == (1, True)
    missing = subprocess.run([*words, "7"], capture_output=True, text=True, timeout=120, check=False)
    assert "has no task 7 that can be read" in missing.stderr
    assert not (tmp_path / "ran").exists()


def test_the_command_line_says_what_to_type_and_that_it_is_no_failure(
    command: Callable[..., Any], images: Path, tmp_path: Path
) -> None:
    words = ["train", "denoise", images, "--noise", "gaussian:25", "--model", "conv-8-16-8", "-o", tmp_path / "runs"]
    words += ["--crop", "16", "--cluster", "slurm"]
    done = command(*words, "--repeats", "2")
    assert (done.code, "Hand them in: sbatch " in done.out) == (0, True)
    alone = command(*words)
    assert (alone.code, "--workers and --cluster are for several trainings" in alone.error) == (2, True)
