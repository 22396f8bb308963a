"""Captures of one scene, restored by `cuello denoise --effort quick` with and without putting results together.

Real captures of a microscope, and photographs with noise of known strength, three captures each; mean PSNR in dB
against the clean image, which is opened only for that, and seconds of processor time an image.

CUELLO_DATA=… python benchmarks/blend.py
"""

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cuello.denoising.denoise import shipped
from cuello.denoising.kinds import PlaneKind, blended, kinds_of
from cuello.noise_models.model import NoiseModel
from cuello.runs.directory import available_cores, processor_name
from cuello.scoring.blind import coloured

NEIGHBOURS = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])
NOISES = {
    "gaussian 25": (NoiseModel(0, 625), None),
    "gaussian 8": (NoiseModel(0, 64), None),
    "photons 4, read 3": (NoiseModel(4, 9), None),
    "correlated 15": (NoiseModel(0, 225), NEIGHBOURS),
}
PHOTOS, SIDE, CAPTURES = 3, 256, 3


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


def spoiled(clean: np.ndarray, noise: NoiseModel, correlation: np.ndarray | None, seed: int) -> np.ndarray:
    """Add a model's noise."""
    random = np.random.default_rng(seed)
    photons = noise.gain * random.poisson(clean / noise.gain) if noise.gain else clean
    return photons + coloured(clean.shape, correlation, seed=seed) * np.sqrt(noise.base)


def reached(kind: PlaneKind, captures: list[np.ndarray], clean: np.ndarray) -> tuple[float, float]:
    """Give the mean PSNR, and seconds an image."""
    began = time.process_time()
    results = [kind.take_off(image.astype(np.float64), shipped()) for image in captures]
    seconds = (time.process_time() - began) / len(captures)
    return float(np.mean([10 * np.log10(255**2 / np.mean((one - clean) ** 2)) for one in results])), seconds


def show(name: str, captures: list[np.ndarray], clean: np.ndarray) -> None:
    """Print a line of the table."""
    kind = kinds_of([image[:, :, None] for image in captures], "quick")[0]
    better = blended(kind, shipped())
    (before, fast), (after, slow) = (reached(one, captures, clean) for one in (kind, better))
    told = f"{after:.2f} | {after - before:+.2f}" if better.blend is not None else "left as it is | –"
    print(f"| {name} | {before:.2f} | {told} | {fast:.2f} | {slow:.2f} |", flush=True)


def main() -> None:
    """Print one table."""
    root = Path(os.environ["CUELLO_DATA"])
    print(f"{available_cores()} cores, {processor_name()}\n")
    print("| captures | alone | put together | gain | seconds alone | together |\n|---|---|---|---|---|---|")
    for path in sorted(root.glob("microscopy/*/clean.png")):
        captures = [read(one) for one in sorted(path.parent.glob("noisy-*.png"))]
        show(path.parent.name, captures, read(path).astype(np.float64))
    for name, (noise, correlation) in NOISES.items():
        for place, path in enumerate(sorted(root.glob("open-photos/kodak_*.png"))[::4][:PHOTOS]):
            clean = read(path).astype(np.float64)[:SIDE, :SIDE]
            several = [spoiled(clean, noise, correlation, seed=10 * place + seed) for seed in range(CAPTURES)]
            show(f"{path.stem}, {name}", several, clean)


if __name__ == "__main__":
    main()
