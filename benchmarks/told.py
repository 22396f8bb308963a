"""What a network gains that is told how strong a blur is, or JPEG's artefacts, over judging it by itself.

    CUELLO_DATA=… python benchmarks/told.py deblur blur 0.5 1 1.5 2 2.5
    CUELLO_DATA=… python benchmarks/told.py dejpeg jpeg 10 20 30 40 --images classic5

Prints PSNR, the mean over the images, of what goes in and of both results: grey, results not rounded, edges kept. The
numbers are values of the main parameter of the degradation that is named. every: take every so many images.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import cuello
from cuello.core.seeding import generator
from cuello.degrade import parse
from cuello.scoring.metrics import psnr


def read(images: str, every: int) -> list[torch.Tensor]:
    """Read the images of a folder below CUELLO_DATA, each ``(1, 1, H, W)``."""
    folder = Path(os.environ["CUELLO_DATA"]) / images
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".bmp", ".tif")]
    pixels = [np.asarray(Image.open(path).convert("L"), np.float32) / 255 for path in paths[::every]]
    return [torch.from_numpy(one)[None, None] for one in pixels]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("degradation")
    parser.add_argument("values", type=float, nargs="+")
    parser.add_argument("--images", default="bsd68")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--bits", type=int, default=8, help="round what goes in to so many bits; 0: not at all")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, images = cuello.load(given.model), read(given.images, given.every)
    print(f"| {given.degradation}, {len(images)} images | goes in | judges by itself | told | gains |")
    print("|---|---|---|---|---|")
    for value in given.values:
        degradation, scores = parse(f"{given.degradation}:{value:g}"), []
        for number, image in enumerate(images):
            worse = degradation(image, generator(0, "told", index=number)).clamp(0, 1)
            if given.bits:
                worse = (worse * (2**given.bits - 1)).round() / (2**given.bits - 1)
            found = [worse, *(torch.as_tensor(model(worse, level)) for level in (None, value))]
            scores.append([float(psnr(one.clamp(0, 1), image)) for one in found])
        before, alone, told = np.mean(scores, axis=0)
        print(f"| {value:g} | {before:.2f} | {alone:.2f} | {told:.2f} | {told - alone:+.2f} |", flush=True)


if __name__ == "__main__":
    main()
