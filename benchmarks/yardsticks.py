"""Every row of the published yardsticks: Set5 at ×2, ×3 and ×4, and Set12 and BSD68 at σ = 15, 25 and 50.

First Set5's published small images are made again of the large ones (``down:SCALE,edges=repeat``; at most one level may
differ), and bicubic interpolation is measured as a check of the protocol: it must give the published 33.64, 30.39 and
28.42 dB to .02, and SSIM .9292, .8678 and .8101 to .0005; where one fails, the exit code is 1. Then each run that is
named is measured on every yardstick that fits it. Prints the tables and, with --output, writes one CSV with all rows.

CUELLO_DATA=… python benchmarks/yardsticks.py [runs/up-x2 runs/up-x3 runs/denoise …] [--output yardsticks.csv]
"""

import argparse
import sys
from pathlib import Path

import torch

import cuello
from cuello.cli.render import print_result
from cuello.core.errors import CuelloError
from cuello.core.files import write_text
from cuello.degrade import parse
from cuello.jobs.images.benchmark import Benchmark, Setting, measured
from cuello.jobs.images.benchmark_page import result_of
from cuello.jobs.images.yardsticks import ENLARGING, SCALES, YARDSTICKS, Triple, enlarging_pairs
from cuello.scoring.protocols import super_resolution
from cuello.scoring.published import PUBLISHED

PSNR_TOLERANCE, SSIM_TOLERANCE = 0.02, 0.0005


def small_images_are_right() -> bool:
    """Make Set5's small images of its large ones and print how far they are from the published ones."""
    right = True
    for scale in SCALES:
        said = []
        for edges in ("repeat", "mirror"):
            shrink = parse(f"down:{scale},edges={edges}")
            pairs = enlarging_pairs("set5", scale, 0)
            apart = [255 * (shrink(large, torch.Generator()) - small).abs() for _, small, large in pairs]
            most = max(float(one.max()) for one in apart)
            share = sum(int((one > 0.5).sum()) for one in apart) / sum(one.numel() for one in apart)
            said.append(
                f"edges={edges}: at most {most:.0f} levels from the published, {share:.2%} of the values differ"
            )
            right &= edges != "repeat" or most < 1.5
        print(f"Set5, made {scale} times smaller; {'; '.join(said)}")
    return right


def bicubic_is_right() -> bool:
    """Measure bicubic interpolation on Set5 and print it beside what is published."""
    right = True
    print(f"Set5, bicubic: {super_resolution(2)} (as many as the scale)")
    for scale in SCALES:
        pairs: dict[Setting, list[Triple]] = {scale: enlarging_pairs("set5", scale, 0)}
        (row,) = measured({"bicubic": ENLARGING.controlled(scale)}, pairs, ENLARGING.protocols(scale))
        psnr, ssim = (score.mean for score in row.scores)
        paper = next(one for one in PUBLISHED["set5"] if (one.method, one.setting) == ("bicubic", scale))
        assert paper.ssim is not None
        fits = abs(psnr - paper.psnr) <= PSNR_TOLERANCE and abs(ssim - paper.ssim) <= SSIM_TOLERANCE
        right &= fits
        print(
            f"  x{scale}: {psnr:.3f} dB, published {paper.psnr:.2f}; SSIM {ssim:.4f}, published {paper.ssim:.4f}"
            f"{'' if fits else '   WRONG'}"
        )
    return right


def measure(run: str) -> list[Benchmark]:
    """Measure a run on every yardstick that fits it, and print each table."""
    model, found = cuello.load(run), []
    for name in PUBLISHED:
        try:
            YARDSTICKS[name].kind.check(name, model)
        except CuelloError:
            continue
        found.append(cuello.benchmark(name, model))
        print(f"\n{run}")
        print_result(result_of(found[-1]))
    if not found:
        print(f"\n{run}: no yardstick fits the job {model.artefact.job} at scale {model.scale}")
    return found


def main() -> int:
    """Check the protocol, measure the runs, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    right = small_images_are_right() and bicubic_is_right()
    lines: list[str] = []
    for run in options.runs:
        for found in measure(run):
            head, *rows = result_of(found).csv.splitlines()
            head = head.replace(f",{found.unit},", ",setting,")
            lines += [*([] if lines else [f"run,{head}"]), *(f"{run},{row}" for row in rows)]
    if options.output is not None:
        write_text(options.output, "\n".join(lines) + "\n")
        print(f"written: {options.output}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
