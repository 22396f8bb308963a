"""Ways to tell how good a result is without a clean image, tried on photographs whose clean image is known.

Noise is added to photographs, several methods restore them, and each way says what their errors are: Stein's unbiased
risk estimate by differences (what Cuello uses), recorrupted images (one noisier, one to compare with), masked pixels,
and neighbouring pixels as two images. Prints how far each is from the truth, in dB (the median), and how often it puts
two methods that are a tenth of a decibel apart in the right order: with the noise model known, and estimated.

CUELLO_DATA=… python benchmarks/blind_scores.py [--images 6] [--side 256]
CUELLO_DATA=… python benchmarks/blind_scores.py --calibrate 90: the ± beside the score of `cuello denoise` (quick), on
so many crops of photographs with noise drawn from a spread of gains, of σ of reading and of correlations: in how many
the truth lies within it, how wide it is, and how far the score is from the truth with the noise as estimated first.
For the photographs of scikit-image, on which the ± was set, and for others
"""

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

import cuello
from cuello.core.seeding import numpy_generator
from cuello.denoising.kinds import plain_kind
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.stabilise import restore, stabilise
from cuello.noise_models.survey import survey
from cuello.runs.directory import available_cores, processor_name
from cuello.scoring.blind import Method, coloured, judge, left_of, signed_variance, single_errors
from cuello.scoring.classical import classical

NOISES = {"gaussian 25": NoiseModel(0, 625), "gaussian 10": NoiseModel(0, 100), "photons 4, read 3": NoiseModel(4, 9)}
CORRELATION = np.outer([0.3, 1, 0.3], [0.3, 1, 0.3])
SPLIT = 0.5
MASK = 4
SET_ON = (
    "astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "moon.png",
    "ihc.png", "retina.jpg", "coins.png", "brick.png", "grass.png", "gravel.png", "motorcycle_left.png",
)  # fmt: skip
CROP = 192
GAINS, READ = (0, 0.3, 1, 3, 8, 20), (2, 25)
SHARED = (
    None, None, None, CORRELATION, np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]), np.outer([0, 1, 0], [0.4, 1, 0.4]),
)  # fmt: skip


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


def smaller(path: Path) -> np.ndarray:
    """Read a photograph at a half or a third of its size, where it is large enough, so that its own noise is less."""
    image = Image.open(path).convert("L")
    times = int(np.clip(min(image.size) // CROP, 1, 3))
    size = (image.width // times, image.height // times)
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float64)


def calibrate(name: str, paths: Sequence[Path], count: int, seed: int) -> None:
    """Print in how many crops the truth lies within the ±, and how wide that is, for white noise and shared noise."""
    random, shipped = np.random.default_rng(seed), cuello.load("denoise")
    rows: dict[str, list[tuple[bool, float, float, float]]] = {"white": [], "shared by neighbours": []}
    for at in range(count):
        clean = smaller(paths[at % len(paths)])
        row, column = (random.integers(0, max(1, side - CROP + 1)) for side in clean.shape)
        clean = clean[row : row + CROP, column : column + CROP]
        gain, read = float(random.choice(GAINS)), float(np.exp(random.uniform(*np.log(READ))))
        shared, noise = SHARED[random.integers(len(SHARED))], NoiseModel(gain, read**2)
        noisy = clean + coloured(clean.shape, shared, seed=at) * np.sqrt(noise.variance(clean))
        if shared is None:
            noisy = (gain * random.poisson(clean / gain) if gain else clean) + random.normal(0, read, clean.shape)
        found = survey([noisy])
        if found.kind != "ordinary":
            continue
        kind, correlation = plain_kind(found, "quick"), None if found.white else found.correlation
        method = partial(kind.take_off, network=shipped)
        first, second = (
            judge([noisy], {"quick": method}, found.model, peak=255, correlation=correlation, by=by)[0]
            for by in (None, "quick")
        )
        truth = float(np.mean((method(noisy) - clean) ** 2))
        left, error, _ = left_of(second, 1.0)
        apart = [abs(one.psnr - 10 * np.log10(255**2 / truth)) for one in (first, second)]
        rows["white" if found.white else "shared by neighbours"].append(
            (abs(left - np.sqrt(truth)) <= error, error / left, *apart)
        )
    for kind, of in rows.items():
        within, wide, first, second = np.array(of, float).reshape(-1, 4).T
        print(
            f"| {name} | {kind} | {len(of)} | {within.mean():.0%} | {np.median(wide):.0%} | "
            f"{np.median(first):.2f} ({first.mean():.2f}) | {np.median(second):.2f} ({second.mean():.2f}) |",
            flush=True,
        )


def main() -> None:
    """Print a table for every noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--calibrate", type=int, default=0, metavar="CROPS")
    options = parser.parse_args()
    folder = Path(os.environ["CUELLO_DATA"]) / "open-photos"
    if options.calibrate:
        print(f"{available_cores()} cores, {processor_name()}\n")
        print(
            "| photographs | noise found | crops | truth within ± | ± of the error left, median | dB from the truth, "
            "first model: median (mean) | … measured again |\n|---|---|---|---|---|---|---|"
        )
        own = [Path(skimage.data.__file__).parent / name for name in SET_ON]
        calibrate("set on", own, options.calibrate, seed=0)
        calibrate(
            "others",
            [one for one in sorted(folder.glob("*.png")) if "kodak" not in one.name],
            options.calibrate,
            seed=1,
        )
        return
    paths = sorted(folder.glob("kodak_*.png"))
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
