"""What learning captures of one scene from each other gains, by steps: the network alone, without learned transform.

For each scene of the folder that `benchmarks/microscopy.py` restores: the score of the squares that were kept apart,
and the true PSNR against `clean.png` (mean of the captures), of the network as it comes and as it is after so many
steps. Results are not turned and mirrored.

CUELLO_DATA=… python benchmarks/captures.py [--steps 250] [--scenes NAME,…] [--folder DIR]
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from cuello.denoising import paired
from cuello.denoising.denoise import shipped
from cuello.denoising.kinds import kinds_of
from cuello.runs.directory import available_cores, processor_name

PEAK = 255.0


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L")).astype(np.float64)


def line_of(folder: Path, steps: int) -> str:
    """Train on a scene's captures, and write its line of the table."""
    paired.STEPS = steps
    captures, clean = [read(path) for path in sorted(folder.glob("noisy-*.png"))], read(folder / "clean.png")
    kind, network = kinds_of([one[:, :, None] for one in captures], "thorough")[0], shipped()
    begun = time.process_time()
    own = paired.paired([captures], kind.transform, kind.survey.spacing, network=network, seconds=np.inf)
    seconds = time.process_time() - begun
    cells = []
    for way in (kind, replace(kind, network=own)):
        results = [way.take_off(noisy, network) for noisy in captures]
        given = iter(results)
        (score,) = paired.judge_apart([captures], [lambda _, given=given: next(given)], PEAK)
        truth = np.mean([10 * np.log10(PEAK**2 / np.mean((one - clean) ** 2)) for one in results])
        cells += [f"{score.psnr:.2f}", f"{truth:.2f}"]
    return f"| {folder.name} | {steps} | {' | '.join(cells)} | {seconds:.0f} |"


def main() -> None:
    """Print a table of a line a scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("CUELLO_DATA", ".")) / "microscopy")
    parser.add_argument("--scenes", default="")
    parser.add_argument("--steps", type=int, default=250)
    options = parser.parse_args()
    print(f"{available_cores()} cores, {processor_name()}\n")
    print("| scene | steps | score before | truth before | score after | truth after | seconds of a processor |")
    print("|---" * 7 + "|")
    for path in sorted(options.folder.glob("*/clean.png")):
        if not options.scenes or path.parent.name in options.scenes.split(","):
            print(line_of(path.parent, options.steps), flush=True)


if __name__ == "__main__":
    main()
