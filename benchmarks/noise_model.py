"""How near the estimated noise model comes to the true one: Poisson and Gaussian noise laid over photographs.

    python benchmarks/noise_model.py [FOLDER] [--photographs 12] [--clip] [--json FILE]

FOLDER: photographs, by default bsds400 in $CUELLO_DATA, or, without that, those that come with scikit-image. Of each
gain and σ (both of values from 0 to 255) every photograph is estimated by itself, and all together as of one
camera. Photographs that are cut off nearly everywhere cannot be measured: they are counted, and left out.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.core.seeding import numpy_generator
from cuello.noise_models.estimate import estimate_noise
from cuello.noise_models.model import NoiseModel

GAINS, SIGMAS = (0.2, 1.0, 5.0, 15.0, 30.0), (0.0, 2.0, 5.0, 10.0, 20.0)
BRIGHTNESS = np.array([20.0, 100.0, 200.0])
"""Where standard deviations are compared: dark, middle, bright."""


def photographs(folder: Path | None, count: int) -> list[np.ndarray]:
    """Read ``count`` photographs as grey values from 0 to 255, spread evenly over the folder."""
    if folder is None and "CUELLO_DATA" in os.environ:
        folder = Path(os.environ["CUELLO_DATA"]) / "bsds400"
    if folder is None:
        from skimage import data

        return [
            image.astype(float)
            for image in (data.camera(), *(one().mean(2) for one in (data.coffee, data.astronaut, data.chelsea)))
        ]
    paths = sorted(path for path in folder.expanduser().iterdir() if path.suffix.lower() in (".png", ".jpg"))
    chosen = paths[:: max(1, len(paths) // count)][:count]
    return [np.asarray(Image.open(path).convert("L"), float) for path in chosen]


def spoiled(image: np.ndarray, gain: float, sigma: float, index: int, clip: bool) -> np.ndarray:
    """Lay noise over an image; clip: cut to 0 to 255 and rounded, as in a file of 8 bits."""
    random = numpy_generator(0, "benchmark", index)
    noisy = gain * random.poisson(image / gain) + random.normal(0, sigma, image.shape)
    return noisy.clip(0, 255).round() if clip else noisy


def errors(found: NoiseModel, true: NoiseModel) -> list[float]:
    """Give the relative errors of the gain, of σ (of reading) and of σ where it is dark, of middle value, bright."""
    read = abs(found.read / true.read - 1) if true.read else np.nan
    at = np.abs(found.deviation(BRIGHTNESS) / true.deviation(BRIGHTNESS) - 1)
    return [abs(found.gain / true.gain - 1), read, *at]


def errors_of_one(noisy: np.ndarray, true: NoiseModel) -> list[float] | None:
    """Give the errors of one photograph's model; None where it is refused."""
    try:
        return errors(estimate_noise([noisy]).model, true)
    except CuelloError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photographs", type=int, default=12)
    parser.add_argument("--clip", action="store_true", help="cut to 0 to 255 and round, as in a file of 8 bits")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    images = photographs(arguments.folder, arguments.photographs)
    print(f"{len(images)} photographs; errors in %: together; one by one (median)")
    print(f"{'gain':>5} {'σ':>4} | {'gain':>6} {'σ':>6} {'dark':>6} {'middle':>6} {'bright':>6} | "
          f"{'gain':>6} {'σ':>6} {'dark':>6} {'middle':>6} {'bright':>6}")  # fmt: skip
    rows = []
    for gain in GAINS:
        for sigma in SIGMAS:
            noisy = [spoiled(image, gain, sigma, index, clip=arguments.clip) for index, image in enumerate(images)]
            true = NoiseModel(gain, sigma**2)
            together = errors(estimate_noise(noisy).model, true)
            each = [errors_of_one(one, true) for one in noisy]
            known = [one for one in each if one is not None]
            single = np.median(known, 0).tolist() if known else [np.nan] * len(together)
            refused = len(each) - len(known)
            rows.append({"gain": gain, "sigma": sigma, "together": together, "single": single, "refused": refused})
            texts = [" ".join(f"{100 * value:6.1f}" for value in values) for values in (together, single)]
            print(
                f"{gain:5} {sigma:4.0f} | {texts[0]} | {texts[1]}{f'  ({refused} refused)' if refused else ''}",
                flush=True,
            )
    whole = [np.nanmean([row[kind] for row in rows], 0) for kind in ("together", "single")]
    print("mean       | " + " | ".join(" ".join(f"{100 * value:6.1f}" for value in values) for values in whole))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
