"""Time of the ready models, and of classical denoisers beside them, on one grey photograph of 512×512 pixels.

    python benchmarks/ready_speed.py [--threads 1] [--rounds 9]

The photograph is scikit-image's camera; for a model that enlarges it is made that many times smaller first, so that the
result has 512×512 pixels. Every round runs each method once, in turn; medians are printed. The model is loaded and has
run once before.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from skimage import data
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

import cuello
from cuello.inference.bundled import BUNDLED
from cuello.runs.directory import environment

SIGMA = 25 / 255


def methods() -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    photograph = data.camera()
    noisy = np.clip(photograph / 255 + SIGMA * np.random.default_rng(0).standard_normal(photograph.shape), 0, 1)
    pixels = (noisy * 255).round().astype(np.uint8)
    found: dict[str, Callable[[], object]] = {}
    for name in BUNDLED.names():
        model = cuello.load(name)
        if model.scale > 1:
            small = np.ascontiguousarray(photograph[:: model.scale, :: model.scale])
            found[name] = lambda model=model, small=small: model(small)
        else:
            found[f"{name}, told σ"] = lambda model=model: model(pixels, SIGMA)
            found[f"{name}, σ estimated"] = lambda model=model: model(pixels)
    found["non-local means"] = lambda: denoise_nl_means(noisy, h=0.8 * SIGMA, sigma=SIGMA, fast_mode=True)
    found["total variation"] = lambda: denoise_tv_chambolle(noisy, weight=0.1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    timed = methods()
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for round_ in range(options.rounds + 1):
        for name, run in timed.items():
            start = time.perf_counter()
            run()
            if round_:
                seconds[name].append(time.perf_counter() - start)
    here = environment()
    print(f"{here.get('processor')}, {here.get('cores')} cores, {options.threads} thread(s); median and best seconds")
    for name, values in seconds.items():
        print(f"{name:24} {median(values):.3f}  {min(values):.3f}")


if __name__ == "__main__":
    main()
