"""What `cuello new` writes: a part of one's own that works as it is, with comments that say what may change."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.core.files import make_folder, write_text

NETWORK = '''"""A network of my own."""

from torch import Tensor, nn


class MyNet(nn.Module):
    """Two layers of convolutions that say what to add to the image.

    Cuello hands `channels` to __init__ where it is asked for there; so it does with `scale` (upscale), `classes`
    (classify; then forward returns scores, (N, classes)), and `height` and `width` (for a network of one size).
    Everything else is yours to set: --model FILE.py:MyNet,width=16
    """

    def __init__(self, channels: int, width: int = 8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),  # padding, so that the image keeps its size
            nn.ReLU(),
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Take images (N, channels, H, W) from 0 to 1, and return images of the same shape."""
        return x + self.layers(x)

    # A code in the middle: write encode(self, x) and decode(self, code), and `cuello latent` looks into it.
'''
LOSS = '''"""A loss of my own."""

from torch import Tensor


def my_loss(image: Tensor, target: Tensor, edges: float = 0.5) -> Tensor:
    """Squared differences, and those of the steps from pixel to pixel.

    Takes what the network gives and what it should give, (N, C, H, W), and returns one value per image, (N,). Further
    arguments are set by name: --loss FILE.py:my_loss,edges=1
    """
    pixels = (image - target).square().flatten(1).mean(1)
    rows = (image.diff(dim=2) - target.diff(dim=2)).square().flatten(1).mean(1)
    columns = (image.diff(dim=3) - target.diff(dim=3)).square().flatten(1).mean(1)
    return pixels + edges * (rows + columns)
'''
NOISE = '''"""A noise of my own."""

import torch
from torch import Generator, Tensor


def my_noise(images: Tensor, generator: Generator, amount: float = 0.2, size: int = 4) -> Tensor:
    """Stripes: rows that come darker or brighter than they were.

    Takes images (N, C, H, W) from 0 to 1 and returns images of the same shape. Every random number comes from the
    generator, so that the same seed gives the same images. What is a number by default may be a range, and is then a
    tensor (N, 1, 1, 1): --noise FILE.py:my_noise,amount=0.1..0.3
    """
    count, _, height, _ = images.shape
    stripes = torch.rand((count, 1, -(-height // size), 1), generator=generator) - 0.5
    rows = stripes.repeat_interleave(size, dim=2)[:, :, :height]
    return images + amount * rows.to(images.device)
'''


@dataclass(frozen=True)
class Beginning:
    """A part to begin with: what it is called in its file, the text, and how to train with it (FILE is the file)."""

    name: str
    text: str
    command: str


BEGINNINGS = {
    "network": Beginning(
        "MyNet", NETWORK, "cuello train denoise photos --noise gaussian:25 --crop 64 --model FILE:MyNet"
    ),
    "loss": Beginning("my_loss", LOSS, "cuello train denoise photos --noise gaussian:25 --crop 64 --loss FILE:my_loss"),
    "noise": Beginning("my_noise", NOISE, "cuello train denoise photos --noise FILE:my_noise --crop 64"),
}


def begin(kind: str, file: Path) -> str:
    """Write a part to begin with, and return the command that trains with it; CuelloError where the file exists."""
    path = file.expanduser()
    if path.suffix != ".py":
        raise CuelloError(f"got {file}, needed a file for Python, such as my_{kind}.py.")
    if path.stem in sys.stdlib_module_names or path.stem in ("cuello", "numpy", "torch", "PIL"):
        raise CuelloError(
            f"{file} would hide the Python module {path.stem}. Choose another name, e.g. my_{path.stem}.py."
        )
    if path.exists():
        raise CuelloError(f"{file} exists already and stays as it is. Choose another name.")
    make_folder(path.absolute().parent)
    write_text(path, BEGINNINGS[kind].text)
    part = f"{file}:{BEGINNINGS[kind].name}"
    return BEGINNINGS[kind].command.replace(f"FILE:{BEGINNINGS[kind].name}", shlex.quote(part))
