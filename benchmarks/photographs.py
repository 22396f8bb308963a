"""Write the photographs that ready models are trained on, each at three sizes, and those that they are validated on.

    python benchmarks/photographs.py OUT

fetches the data set open-photos (or finds it below CUELLO_DATA) and writes OUT/train: each of its 33 photographs as it
is, and made smaller by MATLAB's imresize: to 0.7 and 0.5 where both sides have more than 600 pixels, to 0.75 and 0.6
elsewhere. OUT/validation has five photographs of scikit-image at 0.6 whose licence is CC0 or the public domain. Files
are called NAME_PERCENT.png. What lies in OUT already is kept where it is the same; where it is not, or is none of
these, it is named and nothing is replaced.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cuello.core.errors import CuelloError, first_few
from cuello.core.files import make_folder, replacing
from cuello.core.resample import resize
from cuello.data.catalog import CATALOG, locate

LARGE = 600
OF_LARGE = (100, 70, 50)
OF_SMALL = (100, 75, 60)
VALIDATION = {
    "astronaut.png": "public domain (NASA)",
    "camera.png": "CC0 (Lav Varshney)",
    "chelsea.png": "CC0 (Stéfan van der Walt)",
    "coffee.png": "CC0 (Rachel Michetti)",
    "rocket.jpg": "public domain (SpaceX)",
}
"""Files of the data set photos that anybody may use, as scikit-image's documentation of each says."""
OF_VALIDATION = 60


def smaller(pixels: np.ndarray, percent: int) -> np.ndarray:
    """Return an image (height, width, 3) of 8 bits at so many percent of its size."""
    if percent == 100:
        return pixels
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    found = resize(image, scale=percent / 100).clamp(0, 1)
    return (found * 255 + 0.5).floor().byte()[0].permute(1, 2, 0).contiguous().numpy()


def sizes_of(pixels: np.ndarray) -> tuple[int, ...]:
    return OF_LARGE if min(pixels.shape[:2]) > LARGE else OF_SMALL


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def wanted() -> dict[str, dict[str, tuple[Path, int]]]:
    """Return by folder the names of what is written: of which photograph, and at how many percent."""
    free, photos = CATALOG["open-photos"], CATALOG["photos"]
    files = {file.name: file for file in photos.files()}
    train = [locate(free, file) for file in free.files()]
    made = {
        "train": [(path, percent) for path in train for percent in sizes_of(read(path))],
        "validation": [(locate(photos, files[name]), OF_VALIDATION) for name in VALIDATION],
    }
    return {folder: {f"{one[0].stem}_{one[1]}.png": one for one in several} for folder, several in made.items()}


def write_photographs(out: Path) -> dict[str, int]:
    """Write both folders below ``out``, and return how many photographs each holds.

    Raises CuelloError where there is a file that is none of them, or another picture of that name.
    """
    folders = wanted()
    for folder, photographs in folders.items():
        place = make_folder(out / folder)
        if others := sorted({path.name for path in place.iterdir()} - set(photographs)):
            raise CuelloError(f"{place} holds files that are no such photographs: {first_few(others)}. Choose another.")
        for name, (path, percent) in photographs.items():
            write(place / name, smaller(read(path), percent))
    return {folder: len(photographs) for folder, photographs in folders.items()}


def check_photographs(out: Path) -> None:
    """Raise CuelloError where the two folders below ``out`` do not hold these photographs, all of them and no other."""
    for folder, photographs in wanted().items():
        place = out / folder
        there = {path.name for path in place.iterdir()} if place.is_dir() else set()
        if odd := sorted(there ^ set(photographs)):
            raise CuelloError(
                f"{place} does not hold the photographs of {Path(__file__).name} alone: {first_few(odd)}."
            )
        for name, (path, percent) in photographs.items():
            if not np.array_equal(read(place / name), smaller(read(path), percent)):
                raise CuelloError(f"{place / name} is another picture than {Path(__file__).name} writes.")


def write(path: Path, pixels: np.ndarray) -> None:
    """Write an image as PNG, whole or not at all; CuelloError where another lies there."""
    if path.exists():
        if not np.array_equal(read(path), pixels):
            raise CuelloError(
                f"{path} is another picture than the one to be written. Remove it, or choose another place."
            )
        return
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    try:
        for folder, count in write_photographs(out).items():
            print(f"{out / folder}: {count} photographs")
    except CuelloError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
