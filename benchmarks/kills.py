"""Kill trainings at random moments, let them go on, and compare what they end with, to the bit.

    python benchmarks/kills.py --runs 20
    python benchmarks/kills.py --runs 20 --series

Each run is stopped again and again, by SIGKILL or a signal that asks (SIGTERM, SIGINT, SIGHUP), each time between 0 and
twice the time that a whole training takes, and continued with ``cuello resume`` until it ends. Its model file and the
losses of its history must be those of a training that nobody stopped. --series: eight small networks trained at once,
each of which must be so, continued with the command that began them. Prints one line a run and a summary; exit code 1
where one differs, or where a stop left a traceback or a file that is not a run's.
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAINING = ["denoise", "photos", "--noise", "gaussian:25", "--model", "conv-8-16-8", "--crop", "32", "--samples", "64",
            "--validation-samples", "16", "--epochs", "6", "--threads", "1", "--no-report"]  # fmt: skip
SERIES = ["reconstruct", "glyphs", "--model", "mlp-20-2", "--samples", "3200", "--epochs", "60", "--threads", "1",
          "--repeats", "8", "--no-report"]  # fmt: skip
KINDS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cuello", *words, "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def runs_in(folder: Path) -> list[Path]:
    """Return the run directories of a training: its own, or those of its series."""
    return sorted(folder.glob("seed-*")) or [folder]


def reached(run: Path) -> tuple[str, list[float]]:
    """Return the model file's checksum and the loss of every epoch."""
    history = [json.loads(line) for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    model = (run / "model.safetensors").read_bytes()
    return hashlib.sha256(model).hexdigest(), [record["loss"] for record in history]


def stopped_and_continued(run: Path, words: list[str], seconds: float, dice: random.Random) -> tuple[int, list[str]]:
    """Train with stops; return how many there were, and what was wrong. words: of ``cuello train``."""
    stops, wrong = 0, []
    for _ in range(200):
        begun = (run / "last.safetensors").is_file()
        again = ["train", *words, "-o", str(run), *([] if "--repeats" in words else ["--overwrite"])]
        process = started(*(["resume", str(run)] if begun else again))
        try:
            said, _ = process.communicate(timeout=dice.uniform(0, 2 * seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(dice.choice(KINDS))
            said, _ = process.communicate()
            stops += 1
        if "Traceback" in said:
            wrong.append(said.strip().splitlines()[-1])
        if process.returncode == 0:
            return stops, wrong
    return stops, [*wrong, "never ended"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--series", action="store_true", help="small networks that are trained at once")
    options = parser.parse_args()
    words = SERIES if options.series else TRAINING
    folder = Path(tempfile.mkdtemp(prefix="cuello-kills-"))
    start = time.perf_counter()
    started("train", *words, "-o", str(folder / "whole")).wait()
    seconds, expected = time.perf_counter() - start, list(map(reached, runs_in(folder / "whole")))
    dice, total, bad = random.Random(options.seed), 0, 0
    for number in range(options.runs):
        run = folder / f"run-{number}"
        stops, wrong = stopped_and_continued(run, words, seconds, dice)
        if not wrong and list(map(reached, runs_in(run))) != expected:
            wrong.append("other weights or losses than those of the whole training")
        wrong += [f"left over: {path.name}" for path in run.rglob("*") if path.name.endswith(".cuello-tmp")]
        total, bad = total + stops, bad + bool(wrong)
        print(f"run {number}: {stops} stops, {'; '.join(wrong) or 'the same bits'}", flush=True)
    print(f"{total} stops in {options.runs} runs of {seconds:.0f} s: {bad} ended otherwise")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
