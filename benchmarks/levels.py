"""How near the estimated noise level comes to the true one: dB blind against told, clean images, dark images.

    CUELLO_DATA=… python benchmarks/levels.py [--model denoise] [--every 1] [--only clean dark speed blind]

Prints four tables. clean: PSNR of the result to what went in, of drawn images and of BSD68 without noise. dark: images
of 16 bits and floats, and by how much black rises (mean of result minus mean of input where nothing is seen). speed:
seconds of one core that the estimate takes beside denoising. blind: BSD68 with noise (not cut off, a seed a
photograph). every: of BSD68, every so many photographs.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import cuello
from cuello.degrade.level import estimated_level
from cuello.inference.model import Model
from cuello.scoring.metrics import psnr

SIGMAS = (5, 10, 15, 25, 50)


def bsd68(every: int) -> list[np.ndarray]:
    """Read every so many photographs, ``(H, W)`` of 8 bits."""
    folder = Path(os.environ["CUELLO_DATA"]) / "bsd68"
    return [np.asarray(Image.open(path).convert("L")) for path in sorted(folder.glob("*.png"))[::every]]


def drawings() -> dict[str, np.ndarray]:
    """Draw images without noise, 8 bits."""
    from skimage import data

    page, shot = Image.new("L", (512, 512), 255), Image.new("L", (512, 512), 40)
    for picture, ink in ((page, 0), (shot, 220)):
        for row in range(0, 512, 16):
            text = "The quick brown fox jumps over the lazy dog 0123456789"[row // 16 % 9 :]
            ImageDraw.Draw(picture).text((5, row), text, ink, ImageFont.load_default(13))
    ImageDraw.Draw(shot).rectangle((0, 0, 511, 40), fill=120)
    random, lines = np.random.default_rng(0), Image.new("L", (1024, 1024), 255)
    for _ in range(60):
        ends = [int(end) for end in random.integers(0, 1024, 4)]
        ImageDraw.Draw(lines).line(ends, fill=int(random.integers(0, 200)), width=int(random.integers(1, 8)))
    return {
        "text": np.asarray(page),
        "a dark screenshot": np.asarray(shot),
        "lines": np.asarray(lines.resize((512, 512), Image.Resampling.LANCZOS)),
        "a ramp": np.linspace(20, 220, 512)[None].repeat(256, 0).round().astype(np.uint8),
        "a code of squares": np.kron(random.integers(0, 2, (40, 40)), np.ones((5, 5))).astype(np.uint8) * 255,
        "a silhouette": data.horse().astype(np.uint8) * 255,
        "blobs": data.binary_blobs(512, rng=0).astype(np.uint8) * 255,
    }


def decibels(image: np.ndarray, other: np.ndarray) -> float:
    """PSNR of 8-bit images, 100 where they are the same."""
    pair = [torch.from_numpy(one.astype(np.float64) / 255)[None, None] for one in (image, other)]
    return float(psnr(*pair))


def level_of(image: np.ndarray) -> float:
    """Give the estimated level of an 8-bit image, of 255."""
    return 255 * float(estimated_level(torch.from_numpy(image / 255)[None, None]))


def clean(model: Model, photographs: list[np.ndarray]) -> None:
    print("\n| without noise | estimated σ, of 255 | PSNR to the input, dB |\n|---|---|---|")
    for name, image in drawings().items():
        print(f"| {name} | {level_of(image):.2f} | {decibels(model(image), image):.1f} |", flush=True)
    levels = np.array([level_of(image) for image in photographs])
    scores = np.array([decibels(model(image), image) for image in photographs])
    print(f"| BSD68, {len(photographs)} photographs: mean | {levels.mean():.2f} | {scores.mean():.1f} |")
    print(f"| … median | {np.median(levels):.2f} | {np.median(scores):.1f} |")
    print(f"| … worst | {levels.max():.2f} | {scores.min():.1f} |")
    print(f"| … of 45 dB and more | | {(scores >= 45).sum()} of {len(scores)} |", flush=True)


def skies() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Return dark images without noise, with it, and its deviation."""
    random = np.random.default_rng(0)
    y, x = np.indices((256, 256))

    def stars(count: int, brightest: float) -> np.ndarray:
        sky = np.zeros((256, 256))
        for _ in range(count):
            row, column = random.uniform(0, 256, 2)
            sky += brightest * random.random() ** 3 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 3.4)
        return sky

    disc = 1.0 * ((y - 128) ** 2 + (x - 128) ** 2 < 60**2)
    counts = {
        "16 bits, mean 200": (200 + 0 * disc, 10),
        "16 bits, sky 10, 40 stars": (10 + stars(40, 30_000), 3),
        "16 bits, black, 40 stars": (stars(40, 30_000).round(), 0),
        "16 bits, sky 200, a disc of 40,000": (200 + 40_000 * disc, 30),
        "16 bits, sky 200, a disc of 40,000, strong noise": (200 + 40_000 * disc, 200),
        "16 bits, sky on a pedestal of 1,000, 40 stars": (1000 + stars(40, 30_000), 30),
    }
    found = {
        name: (sky, (sky + random.normal(0, sigma, sky.shape)).round().clip(0, 65535).astype(np.uint16), sigma)
        for name, (sky, sigma) in counts.items()
    }
    electrons = 0.02 + stars(40, 0.03)
    found["floats, e/s, sky .02, 40 stars"] = electrons, electrons + random.normal(0, 0.003, (256, 256)), 0.003
    found["floats, black, a disc of 1"] = disc, (disc + random.normal(0, 1e-4, (256, 256))).clip(0, 1), 1e-4
    return {name: (a, b.astype(np.float32) if b.dtype == float else b, c) for name, (a, b, c) in found.items()}


def dark(model: Model) -> None:
    print("\n| dark image | σ | black rises by | … in σ | noise left at black |\n|---|---|---|---|---|")
    for name, (sky, noisy, sigma) in skies().items():
        given = noisy.astype(float)
        result = model(noisy).astype(float)
        black = sky <= sky.min() + 0.1 * sigma
        rise = (result - given)[black].mean()
        share = f"{rise / sigma:+.3f}" if sigma else "–"
        left = f"{(result - sky)[black].std() / (given - sky)[black].std():.0%}" if sigma else "–"
        print(f"| {name} | {sigma:g} | {rise:+.3g} | {share} | {left} |", flush=True)


def speed(model: Model) -> None:
    image = (np.random.default_rng(0).random((512, 512)) * 255).astype(np.uint8)
    x = torch.from_numpy(image / 255).float()[None, None]
    seconds: list[list[float]] = [[], []]
    for _ in range(5):
        for place, work in enumerate((lambda: estimated_level(x), lambda: model(image, level=0.1))):
            start = time.process_time()
            work()
            seconds[place].append(time.process_time() - start)
    estimate, denoising = (float(np.median(each[1:])) for each in seconds)
    print(f"\n512×512, seconds of one core: estimate {estimate:.4f}, denoising {denoising:.4f}")


def blind(model: Model, photographs: list[np.ndarray]) -> None:
    print("\n| σ | estimated: mean | least to most | told, dB | blind, dB | blind − told | worst photograph |")
    print("|---|---|---|---|---|---|---|")
    for sigma in SIGMAS:
        rows = []
        for seed, image in enumerate(photographs):
            x = torch.from_numpy(image / 255).float()[None, None]
            noisy = x + sigma / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
            level = estimated_level(noisy)
            told = torch.full_like(level, sigma / 255)
            scores = [float(psnr(model.restore_batch(noisy, each), x)) for each in (told, level)]
            rows.append((255 * float(level), *scores))
        levels, known, guessed = np.array(rows).T
        print(
            f"| {sigma} | {levels.mean():.2f} | {levels.min():.2f} to {levels.max():.2f} | {known.mean():.2f} | "
            f"{guessed.mean():.2f} | {(guessed - known).mean():+.3f} | {(guessed - known).min():+.3f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="denoise")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=["clean", "dark", "speed", "blind"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # that values fill little of their range
    torch.set_num_threads(1)
    model, photographs = cuello.load(arguments.model), bsd68(arguments.every)
    print(f"{arguments.model} {model.artefact.checksum[:12]}, one thread, every {arguments.every} of BSD68")
    for name in arguments.only:
        {
            "clean": lambda: clean(model, photographs),
            "dark": lambda: dark(model),
            "speed": lambda: speed(model),
            "blind": lambda: blind(model, photographs),
        }[name]()


if __name__ == "__main__":
    main()
