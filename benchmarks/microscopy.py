"""Real noise: every scene of a folder with `clean.png` and captures `noisy-1.png` …, restored without the clean image.

For each scene: the captures as they are, the network that comes with Cuello as it is, `cuello denoise` at every effort,
and classical methods behind the transform, tuned on captures by the score that knows no clean image. Prints the true
PSNR against `clean.png` (mean of the captures), what the score without it says, of all captures and, where a method can
be run again at once, of the first alone, and whether methods come in the same order. `clean.png` is opened only for the
truth.

CUELLO_DATA=… python benchmarks/microscopy.py [--efforts quick,normal,thorough] [--scenes NAME,…] [--folder DIR]
CUELLO_DATA=… python benchmarks/microscopy.py --alone: the score of one capture alone, against the truth of that one,
with the noise as it is estimated first, and measured again by what quick takes away
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import cuello
from cuello.denoising.denoise import EFFORTS
from cuello.denoising.kinds import Effort, plain_kind
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.survey import survey
from cuello.runs.directory import available_cores, processor_name
from cuello.scoring.blind import Method, judge, judge_by_captures, judge_copies
from cuello.scoring.classical import STRENGTHS, classical, tuned
from cuello.scoring.intervals import bootstrap_interval

PEAK = 255.0
TUNED_ON = 2
"""Captures that classical methods are tuned on."""
ALIKE = 0.1
"""Methods whose true PSNR is nearer than this, in dB, have no order."""


@dataclass(frozen=True)
class Row:
    """A method on a scene, in dB: truth, score of all captures, mean score of each alone (NaN: not to be had)."""

    method: str
    truth: float
    copies: float
    copies_error: float
    alone: float
    seconds: float
    classical: bool = False


def psnr(result: np.ndarray, clean: np.ndarray) -> float:
    return 10 * float(np.log10(PEAK**2 / np.mean((result - clean) ** 2)))


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


def rows_of(folder: Path, efforts: Sequence[Effort]) -> list[Row]:
    """Restore a scene's captures by every method, and judge the results."""
    captures = [read(path) for path in sorted(folder.glob("noisy-*.png"))]
    floats = [image.astype(np.float64) for image in captures]
    clean = read(folder / "clean.png").astype(np.float64)
    found = survey(captures)
    single = partial(judge, noise=found.model, correlation=found.correlation, peak=PEAK)

    def row(
        name: str, restore: Callable[[], Sequence[np.ndarray]], method: Method | None, classical: bool = False
    ) -> Row:
        started = time.perf_counter()
        results = [np.asarray(one, np.float64) for one in restore()]
        seconds = (time.perf_counter() - started) / len(results)
        (score,) = judge_copies(floats, {name: results}, peak=PEAK)
        alone = [single([image], {name: method})[0].psnr for image in floats[:1]] if method is not None else [np.nan]
        truth = float(np.mean([psnr(one, clean) for one in results]))
        return Row(
            name, truth=truth, copies=score.psnr, copies_error=score.error, alone=float(np.mean(alone)),
            seconds=seconds, classical=classical,
        )  # fmt: skip

    network = cuello.load("denoise")

    def shipped(image: np.ndarray) -> np.ndarray:
        return network.restore((image / PEAK).astype(np.float32)[:, :, None])[:, :, 0].astype(np.float64) * PEAK

    rows = [
        row("as captured", lambda: floats, lambda image: image),
        row("network as it is", lambda: [shipped(image) for image in floats], shipped),
    ]
    for effort in efforts:
        again: Method | None = partial(cuello.denoise, effort=effort) if effort == "quick" else None
        rows.append(row(effort, partial(restored, captures, effort), again))
    for one in best_classical(floats, found.model):
        rows.append(row(one[0], lambda method=one[1]: [method(image) for image in floats], one[1], classical=True))
    return rows


FIXED = (("gaussian", 1.0), ("median-3", 3), ("tv", 0.1), ("wavelet", 1.0))


def alone_of(folder: Path) -> tuple[list[float], list[float], list[bool]]:
    """Score methods on the first capture of a scene; returns how far in dB, with the first model and the second one,
    the score is from the truth, and whether pairs of methods come in the right order."""
    noisy, clean = read(folder / "noisy-1.png"), read(folder / "clean.png").astype(np.float64)
    image, found, network = noisy.astype(np.float64), survey([noisy]), cuello.load("denoise")

    def shipped(values: np.ndarray) -> np.ndarray:
        return network.restore((values / PEAK).astype(np.float32)[:, :, None])[:, :, 0].astype(np.float64) * PEAK

    methods: dict[str, Method] = {"as captured": lambda values: values, "network as it is": shipped}
    kind = plain_kind(found, "quick")
    methods["quick"] = partial(kind.take_off, network=network)
    methods |= {name: classical(name, strength, found.model, behind=True) for name, strength in FIXED}
    truth = {name: psnr(np.asarray(method(image)), clean) for name, method in methods.items()}
    correlation = None if found.white else found.correlation
    print(f"\n### {folder.name}\n\n| method | PSNR, true | first model | measured again |\n|---|---|---|---|")
    both = [
        {one.name: one for one in judge([image], methods, found.model, peak=PEAK, correlation=correlation, by=by)}
        for by in (None, "quick")
    ]
    for name in methods:
        cells = [f"{one[name].psnr:.2f} ± {one[name].error:.2f} ({one[name].psnr - truth[name]:+.2f})" for one in both]
        print(f"| {name} | {truth[name]:.2f} | {' | '.join(cells)} |", flush=True)
    first, second = ([abs(one[name].psnr - truth[name]) for name in methods] for one in both)
    order = [both[1][a].psnr > both[1][b].psnr for a in truth for b in truth if truth[a] > truth[b] + ALIKE]
    return first, second, order


def restored(captures: Sequence[np.ndarray], effort: Effort) -> Sequence[np.ndarray]:
    """Restore a scene's captures as a user would: all of them in one call."""
    return cuello.denoise(list(captures), effort=effort)


def best_classical(captures: Sequence[np.ndarray], noise: NoiseModel) -> list[tuple[str, Method]]:
    """Tune every classical method behind the transform, by what captures say of each other."""
    judged = partial(judge_by_captures, captures[:TUNED_ON], peak=PEAK)
    return [
        (f"{one.label} ({one.strength:g})", one.method) for one in tuned(judged, noise, tuple(STRENGTHS)) if one.behind
    ]


def same_order(rows: Sequence[Row]) -> bool:
    """Tell whether the score of captures puts no two methods the wrong way round whose truth is apart."""
    return not any(one.truth > other.truth + ALIKE and one.copies < other.copies for one in rows for other in rows)


def main() -> None:
    """Print a table a scene, and one of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("CUELLO_DATA", ".")) / "microscopy")
    parser.add_argument("--efforts", default=",".join(EFFORTS))
    parser.add_argument("--scenes", default="")
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    folders = [path.parent for path in sorted(options.folder.glob("*/clean.png"))]
    folders = [one for one in folders if not options.scenes or one.name in options.scenes.split(",")]
    efforts: list[Effort] = [one for one in EFFORTS if one in options.efforts.split(",")]
    print(f"{available_cores()} cores, {processor_name()}")
    if options.alone:
        apart = [alone_of(folder) for folder in folders]
        for name, place in (("first model", 0), ("measured again", 1)):
            all_of = [one for scene in apart for one in scene[place]]
            print(f"\n{name}: {np.mean(all_of):.2f} dB from the truth, at most {np.max(all_of):.2f}")
        print(f"Same order of methods: {sum(all(scene[2]) for scene in apart)} of {len(apart)} scenes")
        return
    everything: dict[str, list[Row]] = {}
    for folder in folders:
        everything[folder.name] = rows = rows_of(folder, efforts)
        print(f"\n### {folder.name}\n")
        print(
            "| method | PSNR, true | score of captures | score of one alone | seconds an image |\n|---|---|---|---|---|"
        )
        for row in sorted(rows, key=lambda one: -one.truth):
            copies = f"{row.copies:.2f} ± {row.copies_error:.2f} ({row.copies - row.truth:+.2f})"
            alone = "–" if np.isnan(row.alone) else f"{row.alone:.2f} ({row.alone - row.truth:+.2f})"
            print(f"| {row.method} | {row.truth:.2f} | {copies} | {alone} | {row.seconds:.2f} |", flush=True)
        print(f"\nSame order: {'yes' if same_order(rows) else 'no'}", flush=True)
    summary(everything, efforts)


def summary(everything: dict[str, list[Row]], efforts: Sequence[Effort]) -> None:
    """Print the scenes side by side, and what is reached."""
    print(f"\n| scene | as captured | network as it is | best classical | {' | '.join(efforts)} |")
    print("|---" * (4 + len(efforts)) + "|")
    for scene, rows in everything.items():
        by_name = {row.method: row for row in rows}
        chosen = max((row for row in rows if row.classical), key=lambda row: row.copies)
        cells = [by_name["as captured"], by_name["network as it is"], chosen, *(by_name[one] for one in efforts)]
        print(f"| {scene} | {' | '.join(f'{row.truth:.2f}' for row in cells)} |")
    for effort in efforts:
        gains = [
            next(row for row in rows if row.method == effort).truth
            - max((row for row in rows if row.classical), key=lambda row: row.copies).truth
            for rows in everything.values()
        ]
        low, high = bootstrap_interval(np.array(gains), list(everything))
        print(
            f"\n{effort}: {np.mean(gains):+.2f} dB against the best classical (95% interval {low:+.2f} to {high:+.2f})"
        )
    flat = [row for rows in everything.values() for row in rows]
    copies = [abs(row.copies - row.truth) for row in flat]
    alone = [abs(row.alone - row.truth) for row in flat if not np.isnan(row.alone)]
    print(f"\nScore of captures: {np.mean(copies):.2f} dB from the truth, at most {np.max(copies):.2f}")
    print(f"Score of one image alone: {np.mean(alone):.2f} dB from the truth, at most {np.max(alone):.2f}")
    print(f"Same order of methods: {sum(map(same_order, everything.values()))} of {len(everything)} scenes")


if __name__ == "__main__":
    main()
