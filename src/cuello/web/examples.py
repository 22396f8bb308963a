"""What a network makes of some images while it is still being trained: by its best weights so far."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig
from cuello.core.seeding import generator
from cuello.core.spread import spread_evenly
from cuello.data.batches import to_tensor
from cuello.data.catalog import open_source
from cuello.data.images import parse_size
from cuello.data.levels import parse_levels
from cuello.data.picture import as_channels, resized
from cuello.degrade import parse
from cuello.inference.model import Model, load
from cuello.web.pictures import inline, png

FEW, SIDE = 4, 96
"""Images that are shown, and pixels along a side that are cut out of their middle."""

Example = tuple[str, list[tuple[str, str]]]
"""An image's name, and by name its pictures, as addresses."""


@lru_cache(maxsize=2)
def some_images(data: str, range: str | None, size: str | None, channels: int) -> list[tuple[str, Tensor]]:
    """Read some of the images of a training, spread evenly, as ``(1, C, H, W)``; of large ones the middle."""
    source = open_source(data, parse_levels(range))
    found = []
    for place in spread_evenly(len(source.names), FEW).tolist():
        pixels = as_channels(source.read(place), channels).pixels
        if (whole := parse_size(size)) is not None:
            pixels = resized(pixels, whole)
        else:
            top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
            pixels = pixels[top : top + SIDE, left : left + SIDE]
        found.append((source.names[place], to_tensor(np.ascontiguousarray(pixels)[None])))
    return found


def examples(path: Path, config: TrainConfig) -> list[Example]:
    """Show what the best weights so far make of some images.

    Raises CuelloError where the images or the model cannot be read.
    """
    model = load(path)
    range = None if config.range == "auto" else config.range
    several = some_images(config.data, range, size=config.resize, channels=model.channels)
    return [(name, shown(model, config, image=image, place=place)) for place, (name, image) in enumerate(several)]


def shown(model: Model, config: TrainConfig, *, image: Tensor, place: int) -> list[tuple[str, str]]:
    """Show one image: what goes in, what comes out, and, where that is known, what should come out."""
    if model.classes:
        shares = model.classify(image)[0]
        best = int(torch.as_tensor(shares).argmax())
        return [(f"{model.classes[best]} {float(shares[best]):.0%}", picture(image))]
    if not config.noise:
        return [("input", picture(image)), ("output", picture(model.restore_batch(image)))]
    degradation = parse(config.noise)
    whole = [side - side % degradation.scale for side in image.shape[2:]]
    target = image[:, :, : whole[0], : whole[1]]
    worse, level, _ = degradation.with_values(target, generator(config.seed, "examples", index=place))
    better = model.restore_batch(worse, level)
    return [("input", picture(worse)), ("output", picture(better)), ("original", picture(target))]


def picture(image: Tensor) -> str:
    """Draw ``(1, C, H, W)`` in [0, 1]."""
    pixels = (255 * image[0].clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return inline(png(pixels))
