"""The main job from beginning to end: train a denoiser on photographs, judge it, use it on a whole photograph.

python examples/demo.py [RUN_DIRECTORY]
"""

import sys
from pathlib import Path

from PIL import Image

import cuello
from cuello.core.seeding import generator
from cuello.data.batches import to_tensor
from cuello.data.catalog import open_source
from cuello.degrade import parse
from cuello.training.display import display

NOISE = "salt-pepper:0.2"


def main() -> None:
    """Train, evaluate, restore, and say where everything is."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
    with display() as shown:
        run = cuello.train(
            "denoise",
            "photos",
            noise=NOISE,
            model="impulse-s",
            crop=64,
            split_seed=371,  # tested: cat, coffee, rocket, motorcycle and a field of galaxies
            samples=2000,
            validation_samples=200,
            epochs=8,
            sweep=[0.1, 0.2, 0.3, 0.5, 0.7],
            output=output,
            overwrite=output.exists(),
            observers=[shown.observe],
            progress=shown.work,
        )
    noisy = spoil(run, "coffee.png", output / "coffee-noisy.png")
    restored = output / "coffee-restored.png"
    cuello.apply(cuello.load(run.path), noisy, restored, overwrite=True)

    methods = run.metrics["methods"]
    print()
    for row in (methods["network"], methods["median-3"]):
        print(f"{row['label']:<12} MSE {row['mse']:.6f}   PSNR {row['psnr']:.2f} dB   SSIM {row['ssim']:.4f}")
    print(run.metrics["verdict"])
    print()
    print(f"a whole photograph: {noisy}  ->  {restored}")
    print(f"the model:          {run.model_path}  ({run.model_path.stat().st_size / 1000:.0f} kB)")
    print(f"the report:         {run.report_path.resolve()}")


def spoil(run: cuello.Run, name: str, path: Path) -> Path:
    """Write one of the photographs with the run's noise on it."""
    source = open_source("photos")
    photograph = source.read(list(source.names).index(name)).pixels
    noisy = parse(NOISE)(to_tensor(photograph[None]), generator(1, "demo"))
    Image.fromarray((noisy[0].permute(1, 2, 0).numpy() * 255).round().astype("uint8")).save(path)
    return path


if __name__ == "__main__":
    main()
