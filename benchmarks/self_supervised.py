"""Denoising learned from noisy images alone: BSD68, σ 25, grey, unclipped, trained on train400 made noisy once.

Prints for each method the parameters, the PSNR on BSD68, and the time of the training. Without a clean image, and
without knowing σ (`sure`, `neighbours`, `blind-spot`, or `auto`), or from two noisy images of every scene (`pairs`):

CUELLO_DATA=… python benchmarks/self_supervised.py --methods auto,pairs --epochs 120 --samples 8000
CUELLO_DATA=… python benchmarks/self_supervised.py --methods sure,neighbours,blind-spot,pairs --epochs 2 --samples 320 \
    --images 40 --tested 4
"""

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

import cuello
from cuello.core.seeding import numpy_generator
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import available_cores, processor_name

SIGMA = 25.0


def clean_images(name: str, most: int | None) -> dict[str, np.ndarray]:
    """Read the grey images of a data set, 0 to 255."""
    paths = sorted(Path(os.environ["CUELLO_DATA"], name).glob("*.png"))[:most]
    return {path.stem: np.asarray(Image.open(path).convert("L"), np.float32) for path in paths}


def made_noisy(images: dict[str, np.ndarray], folder: Path, copy: int) -> Path:
    """Write images with Gaussian noise, floats that are not cut off, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, (name, image) in enumerate(images.items()):
        noise = numpy_generator(copy, "benchmark noise", 0, index=index).normal(0, SIGMA, image.shape)
        tifffile.imwrite(folder / f"{name}.tif", (image + noise).astype(np.float32))
    return folder


def psnr_of(model: cuello.Model, images: dict[str, np.ndarray]) -> float:
    """Return the mean PSNR of images with noise of their own, results cut to 0 to 255, not rounded."""
    found = []
    for index, image in enumerate(images.values()):
        noise = numpy_generator(0, "benchmark test noise", 0, index=index).normal(0, SIGMA, image.shape)
        restored = model((image + noise).astype(np.float32))
        error = np.mean((np.clip(restored, 0, 255).astype(np.float64) - image) ** 2)
        found.append(10 * np.log10(255**2 / error))
    return float(np.mean(found))


def main() -> None:
    """Train with each method and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="auto,pairs")
    parser.add_argument("--model", default="denoise-s")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--samples", type=int, default=8000, help="crops an epoch")
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--images", type=int, help="images to train on, by default all")
    parser.add_argument("--tested", type=int, help="images to test on, by default all")
    parser.add_argument("--output", type=Path, default=Path("runs/self-supervised"))
    options = parser.parse_args()
    clean, tested = clean_images("train400", options.images), clean_images("bsd68", options.tested)
    one, other = (made_noisy(clean, options.output / f"noisy-{copy}", copy) for copy in (1, 2))
    print(f"{available_cores()} cores, {processor_name()}; {len(clean)} images, {len(tested)} tested", flush=True)
    print(f"{'method':<12}{'learned by':<12}{'parameters':>11}{'PSNR':>8}{'minutes':>9}", flush=True)
    for method in options.methods.split(","):
        path = options.output / method
        data: dict[str, Any] = {"target": other, "noisy_target": True} if method == "pairs" else {"method": method}
        run = cuello.train(
            "denoise", one, **data, model=options.model, epochs=options.epochs, samples=options.samples,
            crop=options.crop, validation=0.05, output=path, overwrite=path.exists(), report=False,
        )  # fmt: skip
        model = cuello.load(run.path)
        parameters = sum(one.numel() for one in model.network.parameters())
        minutes = sum(record.seconds for record in run.history) / 60
        learned = load_artefact(run.path).method
        print(f"{method:<12}{learned:<12}{parameters:>11,}{psnr_of(model, tested):>8.2f}{minutes:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
