"""Ways to tell how good a result is without a clean image, tried on photographs whose clean image is known.

Noise is added to photographs, several methods restore them, and each way says what their errors are: Stein's unbiased
risk estimate by differences (what Cuello uses), recorrupted images (one noisier, one to compare with), masked pixels,
and neighbouring pixels as two images. Prints how far each is from the truth, in dB (the median), and how often it puts
two methods that are a tenth of a decibel apart in the right order: with the noise model known, and estimated.

CUELLO_DATA=… python benchmarks/blind_scores.py [--images 6] [--side 256]
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
from PIL import Image

import cuello
from cuello.core.seeding import numpy_generator
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.stabilise import restore, stabilise
from cuello.noise_models.survey import survey
from cuello.runs.directory import available_cores, processor_name
from cuello.scoring.blind import Method, coloured, signed_variance, single_errors
from cuello.scoring.classical import classical

NOISES = {"gaussian 25": NoiseModel(0, 625), "gaussian 10": NoiseModel(0, 100), "photons 4, read 3": NoiseModel(4, 9)}
CORRELATION = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])
SPLIT = 0.5
MASK = 4


def network(image: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Restore an image by the network that comes with Cuello, behind the transform."""
    model, even = cuello.load("denoise"), stabilise(image, noise)
    low, span = even.min(), np.ptp(even)
    shares = ((even - low) / span).astype(np.float32)[:, :, None]
    return restore(model.restore(shares, level=1 / span)[:, :, 0].astype(np.float64) * span + low, noise)


def methods_for(noise: NoiseModel) -> dict[str, Method]:
    """List what is judged."""
    given = (("gaussian", 0.7), ("gaussian", 1.4), ("median-3", 3), ("tv", 0.1), ("wavelet", 1.0), ("nlm", 0.9))
    found = {f"{name} {strength}": classical(name, strength, noise, behind=True) for name, strength in given}
    return found | {"network": partial(network, noise=noise)}


def stein(noisy: np.ndarray, method: Method, noise: NoiseModel, correlation: np.ndarray | None) -> float:
    return float(single_errors(noisy, method, noise, correlation=correlation).mean())


def recorrupted(noisy: np.ndarray, method: Method, noise: NoiseModel, correlation: np.ndarray | None) -> float:
    """Restore ``y + a z`` and compare with ``y - z / a``, whose noise is independent of it."""
    variance = signed_variance(noisy, noise)
    z = coloured(noisy.shape, correlation) * np.sqrt(np.maximum(variance, 0))
    against = noisy - z / SPLIT
    return float(np.mean((method(noisy + SPLIT * z) - against) ** 2 - variance - z**2 / SPLIT**2))


def masked(noisy: np.ndarray, method: Method, noise: NoiseModel, correlation: np.ndarray | None) -> float:
    """Hide every sixteenth pixel behind the mean of its neighbours, and compare what comes back with the pixel."""
    del correlation
    around = (np.roll(noisy, 1, 0) + np.roll(noisy, -1, 0) + np.roll(noisy, 1, 1) + np.roll(noisy, -1, 1)) / 4
    errors = []
    for row in range(0, MASK, 2):
        for column in range(0, MASK, 2):
            hidden = noisy.copy()
            hidden[row::MASK, column::MASK] = around[row::MASK, column::MASK]
            errors.append((method(hidden) - noisy)[row::MASK, column::MASK] ** 2)
    return float(np.mean(errors) - signed_variance(noisy, noise).mean())


def halved(noisy: np.ndarray, method: Method, noise: NoiseModel, correlation: np.ndarray | None) -> float:
    """Restore the image of every other pixel, and compare with the pixels beside them."""
    del correlation
    one, other = noisy[::2, ::2], noisy[::2, 1::2]
    return float(np.mean((method(one) - other) ** 2 - signed_variance(other, noise)))


WAYS: dict[str, Callable[[np.ndarray, Method, NoiseModel, np.ndarray | None], float]] = {
    "Stein, by differences": stein,
    "recorrupted": recorrupted,
    "masked": masked,
    "every other pixel": halved,
}


def spoiled(clean: np.ndarray, noise: NoiseModel, seed: int, correlation: np.ndarray | None) -> np.ndarray:
    """Add a model's noise."""
    random = numpy_generator(seed, "photons")
    photons = noise.gain * random.poisson(clean / noise.gain) if noise.gain else clean
    return photons + coloured(clean.shape, correlation, seed=seed) * np.sqrt(noise.base)


def orders(truths: dict[str, float], said: dict[str, float]) -> list[bool]:
    """Tell of every two methods that are a tenth of a decibel apart whether they come in the right order."""
    apart = [(a, b) for a, b in permutations(truths, 2) if truths[a] > 1.023 * truths[b]]
    return [said[a] > said[b] for a, b in apart]


def main() -> None:
    """Print a table for every noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    paths = sorted((Path(os.environ["CUELLO_DATA"]) / "open-photos").glob("kodak_*.png"))
    paths = paths[:: max(1, len(paths) // options.images)][: options.images]
    print(f"{available_cores()} cores, {processor_name()}\n")
    print(
        "| noise | way | dB from the truth | … model estimated | right order | … model estimated |\n"
        "|---|---|---|---|---|---|"
    )
    cases = [(name, noise, None) for name, noise in NOISES.items()]
    for name, noise, correlation in [*cases, ("correlated 15", NoiseModel(0, 225), CORRELATION)]:
        apart: dict[str, list[list[float]]] = {way: [[], []] for way in WAYS}
        order: dict[str, list[list[bool]]] = {way: [[], []] for way in WAYS}
        for seed, path in enumerate(paths):
            clean = np.asarray(Image.open(path).convert("L"), np.float64)[: options.side, : options.side]
            noisy = spoiled(clean, noise, seed=seed, correlation=correlation)
            found = survey([noisy])
            methods = methods_for(noise)
            truths = {name: float(np.mean((method(noisy) - clean) ** 2)) for name, method in methods.items()}
            for way, estimate in WAYS.items():
                for place, (model, shared) in enumerate(((noise, correlation), (found.model, found.correlation))):
                    said = {name: estimate(noisy, method, model, shared) for name, method in methods.items()}
                    apart[way][place] += [abs(10 * np.log10(max(said[n], 0.1) / truths[n])) for n in truths]
                    order[way][place] += orders(truths, said)
        for way in WAYS:
            known, guessed = (f"{np.median(one):.2f}" for one in apart[way])
            right = [f"{np.mean(one):.0%}" for one in order[way]]
            print(f"| {name} | {way} | {known} | {guessed} | {right[0]} | {right[1]} |", flush=True)


if __name__ == "__main__":
    main()
